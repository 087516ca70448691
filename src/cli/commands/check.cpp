#include "checking.hpp"
#include "commands.hpp"
#include "exit_codes.hpp"
#include "report_request.hpp"
#include "run_plan.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

/// What --only could name, each once and in the order of the files.
std::vector<std::string> names_in(const checks::SuitePlan& plan) {
  std::vector<std::string> names;
  for (const auto& suite : plan.suites)
    for (const auto& check : suite.steps)
      if (std::find(names.begin(), names.end(), check.step) == names.end()) names.push_back(check.step);
  return names;
}

std::string what_there_is(const std::string& unknown, std::vector<std::string> names) {
  constexpr std::size_t most = 20;
  if (const auto near = base::nearest(unknown, names)) return fmt::format("did you mean '{}'?", *near);
  if (names.size() <= most) return "there are " + base::join(names, ", ");
  const auto others = names.size() - most;
  names.resize(most);
  return fmt::format("there are {}, and {} others", base::join(names, ", "), others);
}

std::string fail_on_of(const App& app) {
  auto word = app.args().value("fail-on", "fail");
  if (word != "fail" && word != "degraded" && word != "tolerated")
    throw UsageError(fmt::format("--fail-on is fail, degraded or tolerated, not '{}'", word));
  return word;
}

/// Reports of a run before this one: where nothing is run, nobody is to take them for this one's.
class OldReports {
 public:
  explicit OldReports(const App& app) : app_(app) {}
  ~OldReports() {
    if (run_) return;
    for (const auto& request : app_.args().all("report")) {
      const auto [kind, path] = report_request(request);
      std::error_code none;
      // GitHub's summary is of all steps of a job.
      if (kind != "github" && fs::is_regular_file(fs::symlink_status(path, none)) && begins_as(kind, path))
        fs::remove(path, none);
    }
  }
  OldReports(const OldReports&) = delete;
  OldReports& operator=(const OldReports&) = delete;
  /// They are replaced by those of this run, or are none of its business.
  void leave() { run_ = true; }

 private:
  /// Whether the file may be a report of that kind: a slip of the pen in its name must not cost another file.
  static bool begins_as(const std::string& kind, const std::string& path) {
    std::string start(200, '\0');
    std::ifstream file(path);
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<std::size_t>(file.gcount()));
    const auto has = [&](std::string_view text) { return start.find(text) != std::string::npos; };
    return kind == "junit"   ? has("<testsuite")
           : kind == "html"  ? start.starts_with("<!doctype html>")
           : kind == "tap"   ? start.starts_with("TAP version")
           : kind == "jsonl" ? has("\"tool\":\"staithe\"")
                             : start.starts_with("Checks ");
  }

  const App& app_;
  bool run_ = false;
};

}  // namespace

int run_check(App& app) {
  OldReports old(app);
  if (only_prints(app)) old.leave();
  const auto fail_on = fail_on_of(app);
  auto loaded = load_suites(app, app.args().positionals, "");
  const auto names = names_in(loaded.plan);
  const auto unknown = checks::select(loaded.plan, filter_of(app));
  if (!unknown.empty())
    throw UsageError(fmt::format("no check is called '{}'; {}", base::join(unknown, "' or '"),
                                 what_there_is(unknown.front(), names)));
  if (loaded.plan.suites.empty())
    throw UsageError(
        "nothing is left of what was named: no check has such a tag or severity, or asks a host of the "
        "limit");
  if (app.args().has("expect-plan") && app.args().value("expect-plan") != checks::id_of(loaded.plan))
    return app.fail(exit_refused, fmt::format("the plan is {}, not {} as expected; nothing was run",
                                              checks::id_of(loaded.plan), app.args().value("expect-plan")));
  if (only_prints(app)) {
    std::vector<base::Redactor::Hold> held;
    app.redactor().hold_parts(checks::written_secrets(loaded.plan), held);
    if (app.json())
      app.print(checks::to_json(loaded.plan, &app.redactor()) + "\n");
    else
      app.print_plan(checks::render(loaded.plan));
    return exit_done;
  }
  old.leave();
  return run_suites(app, loaded, fail_on);
}

}  // namespace staithe::cli
