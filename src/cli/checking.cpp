#include "checking.hpp"

#include "check_context.hpp"
#include "check_sinks.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "suggest.hpp"

#include "staithe/base/origin.hpp"
#include "staithe/base/text.hpp"
#include "staithe/playbook/files.hpp"
#include "staithe/playbook/make_plan.hpp"
#include "staithe/verify/runner.hpp"
#include "staithe/world/check_probes.hpp"
#include "staithe/yaml/node.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* suites_in = "checks";

fs::path suites_directory(const std::string& project) {
  return (fs::path(project) / suites_in).lexically_normal();
}

std::vector<std::string> all_suites(const std::string& project) {
  auto files = suite_files(project);
  if (files.empty())
    throw UsageError(
        fmt::format("there are no suites in {}; name a file", suites_directory(project).string()));
  return files;
}

std::string directory_of(const LoadedSuites& loaded) {
  return loaded.project ? loaded.project->project.directory : std::string();
}

/// What is judged is said in every result, whether a suite names it or not.
bool names_variable(const LoadedSuites& loaded, const checks::Suite& suite, const std::string& name) {
  return name == "deploy.release" || suite.names.count(name) > 0 ||
         (loaded.project && playbook::names_variable(loaded.project->project, name));
}

/// Whether a suite, or one that is read with it because it needs that, uses a variable of that name.
bool uses_variable(const LoadedSuites& loaded, const checks::Suite& suite, const std::string& name) {
  std::vector<const checks::Suite*> read{&suite};
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (names_variable(loaded, *read[i], name)) return true;
    for (const auto& needed : read[i]->depends_on)
      for (const auto& one : loaded.plan.suites)
        if (one.name == needed && std::find(read.begin(), read.end(), &one) == read.end())
          read.push_back(&one);
  }
  return false;
}

/// What the person said of where and about what, for the command that asks a suite again. A variable that
/// another suite uses would be refused as a slip there.
std::string same_run(const App& app, const LoadedSuites& loaded, const checks::Suite& suite) {
  auto text = same_place(app);
  for (const char* name : {"limit", "target", "var", "var-file"}) {
    if (suite.stays && name == std::string_view("target")) continue;  // named, it would be asked there
    for (const auto& value : app.args().all(name))
      if (name != std::string_view("var") || !loaded.by_hand ||
          uses_variable(loaded, suite, value.substr(0, value.find('='))))
        text +=
            option(name, name == std::string_view("var") ? without_secrets(value, app.redactor())
                                                         : app.redactor().clean(base::without_secret(value)));
  }
  return text;
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

/// What the run that has started this suite knows of its secrets, "" when none has. Asked once: what the
/// suite itself starts is handed nothing.
std::string handed_secrets() {
  if (std::getenv(world::handed_secrets_variable) == nullptr) return {};
  ::unsetenv(world::handed_secrets_variable);
  std::string text;
  char buffer[4096];
  for (;;) {
    const auto count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count > 0)
      text.append(buffer, static_cast<std::size_t>(count));
    else if (count == 0 || errno != EINTR)
      return text;
  }
}

/// What went well and is not all reported has not gone well: whoever reads the report would not know of it.
int check_exit(App& app, const verify::RunResult& run, const std::string& fail_on, bool all_written) {
  using verify::Verdict;
  if (run.interrupted) return app.stops().exit_code.load();
  if (run.verdict == Verdict::fail) return exit_failed;
  if (!run.inconclusive.empty()) return exit_refused;
  const bool degraded = run.verdict == Verdict::degraded;
  const bool tolerated = run.verdict == Verdict::tolerated;
  if ((fail_on == "degraded" && degraded) || (fail_on == "tolerated" && (degraded || tolerated)))
    return exit_degraded;
  return all_written ? exit_done : exit_refused;
}

/// What the suite in the file calls itself; "" where it cannot be told, which is for whoever names the file.
std::string declared_in(const std::string& file) {
  std::error_code none;
  if (!fs::is_regular_file(file, none)) return {};
  try {
    diag::Diagnostics unheard;
    const auto root = yaml::parse(read_text(file), file, unheard);
    const auto* declared = root ? root->find("suite") : nullptr;
    return declared == nullptr ? "" : declared->text;
  } catch (const FilesWrong&) {
    return {};
  }
}

/// The one file whose suite calls itself so; "" without any, and when there are several.
std::string suite_declared(const std::string& project, const std::string& name) {
  std::string found;
  for (const auto& file : suite_files(project)) {
    if (declared_in(file) != name) continue;
    if (!found.empty()) return {};
    found = file;
  }
  return found;
}

bool is_file_name(const std::string& name) {
  return name.find('/') != std::string::npos || name.find('.') != std::string::npos;
}

std::string file_of_name(const std::string& project, const std::string& name) {
  return (suites_directory(project) / (name + ".yml")).lexically_normal().string();
}

/// The file of the suite with that name; "" without one.
std::string suite_found(const std::string& project, const std::string& name) {
  auto file = file_of_name(project, name);
  return fs::exists(file) ? file : suite_declared(project, name);
}

/// The file of a suite that another one needs: beside that one, or of the project; "" when there is none. One
/// that has the name and is another suite hides none.
std::string file_needed(const LoadedSuites& loaded, const std::string& by, const std::string& name) {
  const auto beside = fs::path(by).parent_path() / (name + ".yml");
  if (fs::exists(beside)) {
    const auto declared = declared_in(beside.string());
    if (declared.empty() || declared == name) return beside.string();
  }
  if (auto file = suite_declared(directory_of(loaded), name); !file.empty()) return file;
  try {
    return suite_named(directory_of(loaded), name);
  } catch (const std::exception&) {
    return {};  // what needs it says that it is not among those that run
  }
}

/// What cannot be read is judged when it is known what is wanted.
void read_if_possible(const std::string& file, checks::Context& context, LoadedSuites& loaded,
                      checks::SuitePlan& plan) {
  diag::Diagnostics found;
  std::optional<checks::Suite> suite;
  try {
    suite = read_suite(file, context, found);
  } catch (const FilesWrong& wrong) {
    found.error({file, 0, 0}, wrong.what());
  }
  if (!suite) {
    loaded.unread.push_back({file, std::move(found)});
    return;
  }
  take_over(found, loaded.diagnostics);
  plan.suites.push_back(std::move(*suite));
}

/// Whoever names a suite, or one step of it, need not know what that needs of others. Where `some` steps are
/// asked for, what is wrong with those is judged later. --target is meant for what was named and for what
/// its file has at the same place: another system is left where its suite says, and what that needs with it.
void bring_along(LoadedSuites& loaded, checks::Context& context, checks::SuitePlan& plan, bool some) {
  for (std::size_t i = 0; i < plan.suites.size(); ++i) {
    const auto needed = plan.suites[i].depends_on;
    const auto by = plan.suites[i].file;
    context.needed_by = {plan.suites[i].own_target, plan.suites[i].stays};
    for (const auto& name : needed) {
      const auto is_it = [&](const checks::Suite& one) { return one.name == name; };
      if (std::any_of(plan.suites.begin(), plan.suites.end(), is_it)) continue;
      const auto file = file_needed(loaded, by, name);
      const auto is_file = [&](const auto& one) { return one.file == file; };
      if (file.empty() || std::any_of(loaded.unread.begin(), loaded.unread.end(), is_file)) continue;
      if (some || (loaded.may_be_left_out && loaded.may_be_left_out(file)))
        read_if_possible(file, context, loaded, plan);
      else if (auto suite = read_suite(file, context, loaded.diagnostics))
        plan.suites.push_back(std::move(*suite));
      if (plan.suites.back().file != file) continue;
      plan.suites.back().brought = true;
      if (plan.suites.back().name != name) plan.suites.pop_back();
    }
  }
}

/// Between suites of which nothing is wanted there may be any mistake.
void check_what_is_wanted(const App& app, const checks::SuitePlan& plan, LoadedSuites& loaded) {
  auto wanted = plan;
  (void)checks::select(wanted, filter_of(app));
  if (plan.suites.empty())
    for (const auto& one : loaded.unread) take_over(one.found, loaded.diagnostics);
  else
    judge_unread(loaded.unread, wanted, filter_of(app), loaded.diagnostics);
  if (!loaded.diagnostics.has_errors()) checks::check_together(wanted.suites, loaded.diagnostics);
}

/// A mistyped --var would check something else than what was meant.
void check_variables(App& app, const LoadedSuites& loaded) {
  // A file that is left out may name it.
  if (!loaded.by_hand || !loaded.unread.empty()) return;
  std::set<std::string> known;
  for (const auto& suite : loaded.plan.suites) known.insert(suite.names.begin(), suite.names.end());
  for (const auto& [name, value] : request_of(app).vars) {
    const auto& all = loaded.plan.suites;
    if (std::any_of(all.begin(), all.end(), [&, &named = name](const checks::Suite& suite) {
          return names_variable(loaded, suite, named);
        }))
      continue;
    const auto near = base::nearest(name, std::vector<std::string>(known.begin(), known.end()));
    throw UsageError(fmt::format("--var {}: no suite uses a variable of that name{}", name,
                                 near ? fmt::format("; did you mean '{}'?", *near) : ""));
  }
}

/// Where no suite is left there is nothing that goes on.
void leave_out_what_is_wrong(checks::SuitePlan& plan, LoadedSuites& loaded, bool all_are_wanted) {
  if (!plan.suites.empty()) put_stand_ins(plan, loaded.unread, loaded.may_be_left_out, all_are_wanted);
  const bool asks = std::any_of(plan.suites.begin(), plan.suites.end(),
                                [](const checks::Suite& one) { return one.unread.empty(); });
  if (!asks)
    for (const auto& one : loaded.unread) take_over(one.found, loaded.diagnostics);
}

}  // namespace

checks::Filter filter_of(const App& app) {
  checks::Filter filter;
  filter.critical = app.args().has("critical");
  filter.tags = app.args().all("tag");
  filter.only = app.args().all("only");
  return filter;
}

bool has_project(const App& app) {
  return app.args().has("file") || playbook::find_project(fs::current_path().string());
}

std::vector<std::string> yaml_files_in(const std::string& project, const std::string& directory) {
  std::vector<std::string> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(fs::path(project) / directory, none))
    if (entry.path().extension() == ".yml") files.push_back(entry.path().lexically_normal().string());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> suite_files(const std::string& project) {
  return yaml_files_in(project, suites_in);
}

std::string suite_named(const std::string& project, const std::string& name) {
  if (is_file_name(name)) return name;
  if (auto file = suite_found(project, name); !file.empty()) return file;
  (void)all_suites(project);  // which says so where there are none at all
  std::string help;
  const auto why = lacks_suite(project, name, help);
  throw FilesWrong(fmt::format("{}; {}", why, help));
}

std::string lacks_suite(const std::string& project, const std::string& name, std::string& help) {
  if (const auto file = is_file_name(name) ? name : suite_found(project, name); !file.empty()) try {
      (void)read_text(file);
      return {};
    } catch (const FilesWrong& wrong) {
      help = "a name without a dot or a slash is that of a suite in " + suites_directory(project).string();
      return fmt::format("cannot read the suite: {}", wrong.what());
    }
  std::vector<std::string> known;
  for (const auto& other : suite_files(project)) known.push_back(fs::path(other).stem().string());
  const auto near = base::nearest(name, known);
  help = near                ? fmt::format("did you mean '{}'?", *near)
         : known.empty()     ? fmt::format("there are no suites in {}", suites_directory(project).string())
         : known.size() == 1 ? fmt::format("there is only '{}'", known.front())
                             : "there are " + base::join(known, ", ");
  return fmt::format("there is no suite '{}': {} is not there", name, file_of_name(project, name));
}

std::optional<checks::Suite> read_suite(const std::string& file, checks::Context& context,
                                        diag::Diagnostics& diagnostics) {
  const auto directory = fs::path(file).parent_path();
  context.read_file = [directory](const std::string& path, std::string& why) -> std::optional<std::string> {
    try {
      return read_text((directory / path).string());
    } catch (const FilesWrong& wrong) {
      why = wrong.what();
      return std::nullopt;
    }
  };
  return checks::load_suite(file, read_text(file), context, diagnostics);
}

checks::SuitePlan read_suites(App& app, LoadedSuites& loaded, const std::vector<std::string>& names,
                              const Rolled& rolled) {
  checks::SuitePlan plan;
  auto context = check_context(app, loaded, rolled);
  std::vector<std::string> files;
  for (const auto& name : names) files.push_back(suite_named(directory_of(loaded), name));
  const bool some = app.args().has("only"), all = files.empty();
  const bool must_have = !all && !loaded.by_hand;  // a step, or a watched suite, which would never pass
  if (all) files = all_suites(directory_of(loaded));
  for (const auto& file : files) {
    if ((some && all) || (loaded.may_be_left_out && loaded.may_be_left_out(file)))
      read_if_possible(file, context, loaded, plan);
    else if (auto suite = read_suite(file, context, loaded.diagnostics))
      plan.suites.push_back(std::move(*suite));
  }
  // Under a limit no step may be left of one, and each was told of.
  std::set<std::string> needed;
  for (const auto& suite : plan.suites) needed.insert(suite.depends_on.begin(), suite.depends_on.end());
  std::erase_if(plan.suites,
                [&](const checks::Suite& one) { return one.steps.empty() && needed.count(one.name) == 0; });
  if (some || !all) bring_along(loaded, context, plan, some);
  if (loaded.may_be_left_out)
    leave_out_what_is_wrong(plan, loaded, !names.empty() || app.args().has("every"));
  if (some)
    check_what_is_wanted(app, plan, loaded);
  else if (!loaded.diagnostics.has_errors())
    checks::check_together(plan.suites, loaded.diagnostics,
                           must_have ? diag::Severity::error : diag::Severity::warning);
  const auto judged = context.values.find("deploy.release");
  if (judged != context.values.end()) plan.release = judged->second;
  plan.environment = context.environment;
  if (loaded.project) plan.project = loaded.project->project.name.value;
  return plan;
}

LoadedSuites load_suites(App& app, const std::vector<std::string>& names, const std::string& release,
                         const std::function<bool(const std::string& file)>& may_be_left_out) {
  LoadedSuites loaded;
  loaded.may_be_left_out = may_be_left_out;
  loaded.by_hand = app.args().command->name == "check";
  loaded.watched = app.args().command->name == "watch";
  if (has_project(app)) {
    loaded.project = load(app);
    const auto& env = loaded.project->env();
    if (!env.hosts.empty())
      loaded.survey = survey_plan(app, *loaded.project, "");
    else
      loaded.survey.balancers = env.balancers;
  }
  loaded.plan =
      read_suites(app, loaded, names, {release, app.args().value("service"), app.args().value("limit")});
  stop_on_errors(app, loaded.diagnostics);
  if (!loaded.diagnostics.empty()) print_findings(app, loaded.diagnostics);
  check_variables(app, loaded);
  return loaded;
}

int run_suites(App& app, LoadedSuites& loaded, const std::string& fail_on) {
  std::string trouble;
  const auto history = open_history(app, loaded, trouble);
  CheckSinks sinks(app);
  if (!trouble.empty()) app.say("staithe: no history: " + app.redactor().clean(trouble));
  world::CheckProbes probes(loaded.survey, app.redactor(), person_of(app),
                            loaded.project ? loaded.project->project.directory : std::string());
  probes.take_over_secrets(handed_secrets());
  verify::Options options;
  options.run_id = verify::new_run_id(store::now());
  options.arguments = [&](const checks::Suite& suite) { return same_run(app, loaded, suite); };
  options.soft = &app.stops().soft;
  options.hard = &app.stops().hard;
  const auto run =
      verify::run(loaded.plan, options, probes, history.get(), app.redactor(), sinks.listeners());
  return check_exit(app, run, fail_on, sinks.all_written());
}

}  // namespace staithe::cli
