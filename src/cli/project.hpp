#pragma once
#include "app.hpp"

#include "staithe/diag/diagnostic.hpp"
#include "staithe/playbook/project.hpp"
#include "staithe/store/store.hpp"

#include <memory>
#include <optional>
#include <string>

namespace staithe::cli {

/// The files are wrong: exit 3. The findings were printed, unless there is a text.
class FilesWrong : public std::exception {
 public:
  explicit FilesWrong(std::string text = {}) : text_(std::move(text)) {}
  /// `findings`: what was printed.
  static FilesWrong printed(std::string findings) {
    FilesWrong wrong;
    wrong.findings_ = std::move(findings);
    return wrong;
  }
  const char* what() const noexcept override { return text_.c_str(); }
  const std::string& findings() const noexcept { return findings_; }

 private:
  std::string text_, findings_;
};

/// The project of the working directory, or of --file, with the answers of its inventory programs.
struct Loaded {
  playbook::Project project;
  std::string environment;  ///< chosen
  diag::Diagnostics diagnostics;

  const playbook::Environment& env() const { return *project.find_environment(environment); }
};

/// The text of a file; throws FilesWrong when it cannot be read or is over 1 MiB.
std::string read_text(const std::string& path);

/// Throws FilesWrong once the findings are printed, base::Error when there is no project.
Loaded load(App& app);

/// The same without asking anything but files; `environment` stays "" when none is named and there are
/// several. `file`: the project file; "" for the one of -f, or the nearest.
Loaded load_files(App& app, const std::string& file = {});

/// Asks the programs of `loaded`'s environment; what goes wrong with one is a finding, and
/// the hosts that it would have named stay unknown.
void ask_inventory_and_go_on(App& app, Loaded& loaded);

void print_findings(App& app, const diag::Diagnostics& diagnostics);
/// Warnings of files that are good enough, on stderr.
void print_warnings(App& app, const diag::Diagnostics& diagnostics);
/// Prints the findings and throws FilesWrong when there is an error among them.
void stop_on_errors(App& app, const diag::Diagnostics& diagnostics);

/// The SQLite file of an environment whose state is not in PostgreSQL.
std::string state_path(const Loaded& loaded);
/// The state of an environment: locks, journal, history.
std::unique_ptr<store::Store> open_store(App& app, const Loaded& loaded);

}  // namespace staithe::cli
