#include "checking.hpp"

#include "check_context.hpp"
#include "check_sinks.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "planning.hpp"

#include "staithe/base/text.hpp"
#include "staithe/playbook/files.hpp"
#include "staithe/verify/runner.hpp"
#include "staithe/world/check_probes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

bool has_project(const App& app) {
  return app.args().has("file") || playbook::find_project(fs::current_path().string());
}

fs::path suites_directory(const LoadedSuites& loaded) {
  const std::string base = loaded.project ? loaded.project->project.directory : "";
  return (base.empty() ? fs::path(".") : fs::path(base)) / "checks";
}

std::vector<std::string> all_suites(const LoadedSuites& loaded) {
  std::vector<std::string> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(suites_directory(loaded), none))
    if (entry.path().extension() == ".yml") files.push_back(entry.path().lexically_normal().string());
  std::sort(files.begin(), files.end());
  if (files.empty())
    throw UsageError(
        fmt::format("there are no suites in {}; name a file", suites_directory(loaded).string()));
  return files;
}

/// A name of a suite is a file in checks/; anything with a dot or a slash is a file as it is.
std::string file_of(const LoadedSuites& loaded, const std::string& name) {
  if (name.find('/') != std::string::npos || name.find('.') != std::string::npos) return name;
  auto file = (suites_directory(loaded) / (name + ".yml")).lexically_normal().string();
  if (fs::exists(file)) return file;
  std::vector<std::string> known;
  for (const auto& other : all_suites(loaded)) known.push_back(fs::path(other).stem().string());
  const auto near = base::nearest(name, known);
  throw FilesWrong(
      fmt::format("there is no suite '{}': {} is not there; {}", name, file,
                  near ? fmt::format("did you mean '{}'?", *near) : "there are " + base::join(known, ", ")));
}

std::unique_ptr<store::Store> open_history(App& app, const LoadedSuites& loaded, std::string& trouble) {
  if (!loaded.project || app.args().has("no-history")) return nullptr;
  try {
    return open_store(app, *loaded.project);
  } catch (const base::Error& error) {
    trouble = error.what();
    return nullptr;
  }
}

}  // namespace

LoadedSuites load_suites(App& app, const std::vector<std::string>& names, const std::string& release) {
  LoadedSuites loaded;
  if (has_project(app)) {
    loaded.project = load(app);
    loaded.survey = survey_plan(app, *loaded.project, "");
  }
  auto context = check_context(app, loaded, release);
  std::vector<std::string> files;
  for (const auto& name : names) files.push_back(file_of(loaded, name));
  if (files.empty()) files = all_suites(loaded);
  for (const auto& file : files) {
    const auto directory = fs::path(file).parent_path();
    context.read_file = [directory](const std::string& path, std::string& why) -> std::optional<std::string> {
      try {
        return read_text((directory / path).string());
      } catch (const FilesWrong& wrong) {
        why = wrong.what();
        return std::nullopt;
      }
    };
    if (auto suite = checks::load_suite(file, read_text(file), context, loaded.diagnostics))
      loaded.plan.suites.push_back(std::move(*suite));
  }
  if (!loaded.diagnostics.has_errors()) checks::check_together(loaded.plan.suites, loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  if (!loaded.diagnostics.empty()) print_findings(app, loaded.diagnostics);
  loaded.plan.release = context.values.count("deploy.release") > 0 ? context.values.at("deploy.release") : "";
  loaded.plan.environment = context.environment;
  return loaded;
}

namespace {

void collect_suites(const std::vector<plan::Action>& actions, std::set<std::string>& names) {
  for (const auto& action : actions)
    if (const auto* local = std::get_if<plan::RunLocal>(&action.effect))
      for (const auto& input : local->inputs)
        if (input.variable == "STAITHE_SUITE") names.insert(input.value.shown());
}

/// Steps run this program again: they find it, and the project that this run is about, in their environment.
/// No thread that reads the environment exists yet.
void tell_steps(const App& app, const plan::Plan& plan) {
  std::error_code none;
  const auto self = fs::read_symlink("/proc/self/exe", none);
  ::setenv("STAITHE", none ? "staithe" : self.c_str(), 1);
  const auto hosts = plan::target_hosts(plan);
  if (!hosts.empty()) ::setenv("STAITHE_HOSTS", base::join(hosts, ",").c_str(), 1);
  if (app.args().has("file")) ::setenv("STAITHE_FILE", fs::absolute(app.args().value("file")).c_str(), 1);
  if (app.args().has("environment"))
    ::setenv("STAITHE_ENVIRONMENT", app.args().value("environment").c_str(), 1);
  if (app.args().has("service")) ::setenv("STAITHE_SERVICE", app.args().value("service").c_str(), 1);
}

}  // namespace

void read_suites_of(App& app, const plan::Plan& plan) {
  std::set<std::string> names;
  for (const auto* part : {&plan.open, &plan.close, &plan.notify_failure}) collect_suites(*part, names);
  for (const auto& stage : plan.stages)
    for (const auto& lane : stage.lanes)
      for (const auto& node : lane.nodes) {
        if (const auto* action = std::get_if<plan::Action>(&node)) collect_suites({*action}, names);
        if (const auto* bracket = std::get_if<plan::Bracket>(&node))
          for (const auto* part : {&bracket->acquire, &bracket->body, &bracket->release})
            collect_suites(*part, names);
      }
  if (names.empty()) return;
  load_suites(app, {names.begin(), names.end()}, plan.sha.empty() ? "unknown" : plan.sha);
  tell_steps(app, plan);
}

verify::RunResult run_suites(App& app, LoadedSuites& loaded) {
  std::string trouble;
  const auto history = open_history(app, loaded, trouble);
  CheckSinks sinks(app);
  if (!trouble.empty()) app.say("staithe: no history: " + app.redactor().clean(trouble));
  world::CheckProbes probes(loaded.survey, app.redactor(), person_of(app),
                            loaded.project ? loaded.project->project.directory : std::string());
  verify::Options options;
  options.run_id = verify::new_run_id(store::now());
  options.soft = &app.stops().soft;
  options.hard = &app.stops().hard;
  return verify::run(loaded.plan, options, probes, history.get(), app.redactor(), sinks.listeners());
}

int check_exit(App& app, const verify::RunResult& run, const std::string& fail_on) {
  using verify::Verdict;
  if (run.interrupted) return app.stops().exit_code.load();
  if (run.verdict == Verdict::fail) return exit_failed;
  if (!run.inconclusive.empty()) return exit_refused;
  const bool degraded = run.verdict == Verdict::degraded;
  const bool tolerated = run.verdict == Verdict::tolerated;
  if ((fail_on == "degraded" && degraded) || (fail_on == "tolerated" && (degraded || tolerated)))
    return exit_degraded;
  return exit_done;
}

}  // namespace staithe::cli
