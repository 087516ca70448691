#pragma once
#include "app.hpp"
#include "project.hpp"
#include "unread_suites.hpp"

#include "staithe/checks/filter.hpp"
#include "staithe/checks/suite.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/verify/result.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

/// What commands share that run checks.
namespace staithe::cli {

/// The suites of a run, and what they may ask.
struct LoadedSuites {
  std::optional<Loaded> project;  ///< none: there is no staithe.yml, and suites say everything themselves
  plan::Plan survey;              ///< hosts and balancers
  diag::Diagnostics diagnostics;
  checks::SuitePlan plan;
  std::vector<UnreadSuite> unread;  ///< with --only: files that nobody has named; else those left out
  bool by_hand = false;             ///< the command line's --var and --target are for the suites
  bool watched = false;             ///< whoever they alert must be there
  /// Files that may be wrong, as long as others are not: a suite that ends with error stands for such a one.
  std::function<bool(const std::string& file)> may_be_left_out;
};

/// What has been rolled out where suites are asked.
struct Rolled {
  std::string release{};  ///< what a deploy is about to judge; "" for the newest one that was good
  std::string service{};  ///< what is rolled out; "" for the only one that there is
  std::string limit{};    ///< the hosts that `each` means, as for --limit; "" for all
};

/// Which checks the command line wants.
checks::Filter filter_of(const App& app);

/// Whether there is a staithe.yml, here or above, or one is named.
bool has_project(const App& app);

/// The *.yml of a directory beside staithe.yml, which is in the directory `project`, "" for this one; none is
/// no mistake.
std::vector<std::string> yaml_files_in(const std::string& project, const std::string& directory);

/// The suites of checks/ in the directory of staithe.yml, "" for this one, as files; none is no mistake.
std::vector<std::string> suite_files(const std::string& project);

/// The file of a suite of the project in that directory: a name of one is a file in checks/; anything with a
/// dot or a slash is a file as it is. Throws FilesWrong when there is none of that name, UsageError when
/// there are none at all.
std::string suite_named(const std::string& project, const std::string& name);

/// Why there is no such suite, and in `help` what to do about it; "" when there is one.
std::string lacks_suite(const std::string& project, const std::string& name, std::string& help);

/// One suite; mistakes become findings. `context` is made to read files beside it. Throws FilesWrong when it
/// cannot be read.
std::optional<checks::Suite> read_suite(const std::string& file, checks::Context& context,
                                        diag::Diagnostics& diagnostics);

/// Reads suites by name (checks/NAME.yml beside staithe.yml) or as files; all of that directory when none is
/// named. Throws FilesWrong once the findings are printed. `may_be_left_out`: see LoadedSuites.
LoadedSuites load_suites(App& app, const std::vector<std::string>& names, const std::string& release,
                         const std::function<bool(const std::string& file)>& may_be_left_out = {});

/// The same for a project that was loaded before; findings go to loaded.diagnostics. Throws FilesWrong when a
/// file cannot be read.
checks::SuitePlan read_suites(App& app, LoadedSuites& loaded, const std::vector<std::string>& names,
                              const Rolled& rolled);

/// Runs what was loaded and reports it as the command line says. The exit code; `fail_on` is what --fail-on
/// says.
int run_suites(App& app, LoadedSuites& loaded, const std::string& fail_on);

}  // namespace staithe::cli
