#include "suite_steps.hpp"

#include "looking.hpp"

#include "staithe/base/redact.hpp"
#include "staithe/base/text.hpp"
#include "staithe/plan/each_action.hpp"
#include "staithe/playbook/files.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <set>
#include <utility>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

template <class Visit>
void each_suite(plan::Plan& plan, const Visit& visit) {
  plan::each_action(plan, [&](plan::Action& action) {
    if (auto* check = std::get_if<plan::CheckSuite>(&action.effect)) visit(action, *check);
  });
}

plan::Plan survey_of(App& app, Loaded& loaded) {
  auto request = request_of(app);
  request.environment = loaded.environment;
  auto plan = playbook::make_survey_plan(loaded.project, request, "", loaded.diagnostics);
  return playbook::located(require_plan(app, loaded, std::move(plan)), loaded.project.directory);
}

/// What is done once is for all hosts that the release has come to, also by an earlier run of the rollout.
std::string hosts_of(const plan::Plan& plan, const plan::CheckSuite& check) {
  if (!check.host.empty()) return check.host;
  auto hosts = plan::target_hosts(plan);
  for (auto& host : plan::brought_along(plan)) hosts.push_back(std::move(host));
  return base::join(hosts, ",");
}

/// What is left of a suite once the step has said which checks it wants, and in `check` whom it asks: where a
/// step that is done once would ask none of its hosts, whoever the suite names.
checks::SuitePlan read(App& app, LoadedSuites& suites, const plan::Plan& plan, plan::CheckSuite& check) {
  const auto file = suite_of_step(suites.project->project.directory, check.suite);
  const auto read_for = [&](std::string hosts) {
    check.limit = std::move(hosts);
    return read_suites(app, suites, {file}, {check.release, plan.service, check.limit});
  };
  auto read = read_for(hosts_of(plan, check));
  if (read.suites.empty() && check.host.empty() && !suites.diagnostics.has_errors()) read = read_for("");
  if (suites.diagnostics.has_errors()) return read;
  checks::select(read, {check.critical, check.tags, {}});
  return read;
}

std::string choice_of(const plan::CheckSuite& check) {
  return fmt::format("{}\n{}\n{}\n{}", check.suite, check.host, check.critical, base::join(check.tags, "\n"));
}

/// Nothing is left of the suite.
diag::Diagnostic judges_nothing(const plan::Plan& plan, const plan::Action& action,
                                const plan::CheckSuite& check, const SuiteChoices& choices) {
  diag::Diagnostic finding;
  finding.position = {plan.source, 0, 0};
  if (const auto choice = choices.find(choice_of(check)); choice != choices.end()) {
    finding.position = choice->second.position;
    finding.length = choice->second.length;
    finding.path = choice->second.path;
  }
  const bool chooses = check.critical || !check.tags.empty();
  finding.common =
      chooses ? fmt::format("suite '{}' has no check that is {}{}{}: the step would judge nothing",
                            check.suite, check.critical ? "critical" : "",
                            check.critical && !check.tags.empty() ? " and " : "",
                            check.tags.empty() ? "" : "tagged " + base::join(check.tags, " or "))
              : fmt::format("suite '{}' asks only hosts that the step is not for: it would judge nothing",
                            check.suite);
  finding.message = fmt::format("{}: {}", action.title, finding.common);
  finding.host = check.host;
  return finding;
}

/// With the line that it is about.
void add(const diag::Diagnostic& finding, diag::Diagnostics& diagnostics) {
  diagnostics.add(finding);
  if (const auto file = finding.position.file.text(); fs::exists(file))
    diagnostics.sources().add(file, read_text(file));
}

/// Its lines are a part of the plan that is shown. What the suite keeps secret is nothing that the run would
/// know elsewhere: "shop" is the name of many things beside a password.
std::vector<std::string> shown_lines(const checks::SuitePlan& asked) {
  base::Redactor redactor;
  for (const auto& secret : checks::written_secrets(asked)) redactor.add_part(secret);
  auto lines = checks::listing(asked);
  for (auto& line : lines) line = redactor.clean(line);
  return lines;
}

bool has_suites(plan::Plan& plan) {
  bool any = false;
  each_suite(plan, [&](const plan::Action&, const plan::CheckSuite&) { any = true; });
  return any;
}

}  // namespace

std::string suite_of_step(const std::string& directory, const std::string& name) {
  const bool is_file = name.find('/') != std::string::npos || name.find('.') != std::string::npos;
  return is_file && !directory.empty() ? (fs::path(directory) / name).lexically_normal().string() : name;
}

steps::Files files_beside(const Loaded& loaded, SuiteChoices* choices) {
  auto files = playbook::disk_files();
  if (choices != nullptr)
    files.asks_suite = [choices](const plan::CheckSuite& check, const steps::Template& choice) {
      choices->emplace(choice_of(check), choice);
    };
  // A step asks once for each of its hosts.
  files.lacks_suite = [directory = loaded.project.directory,
                       known = std::map<std::string, std::pair<std::string, std::string>>()](
                          const std::string& name, std::string& help) mutable {
    const auto [at, is_new] = known.try_emplace(name);
    auto& [why, what] = at->second;
    if (is_new) why = lacks_suite(directory, suite_of_step(directory, name), what);
    help = what;
    return why;
  };
  return files;
}

plan::Plan with_suites(App& app, const Loaded& loaded, plan::Plan plan, const SuiteChoices& choices) {
  if (!has_suites(plan)) return plan;
  LoadedSuites suites;
  suites.project = loaded;
  suites.survey = survey_of(app, *suites.project);
  each_suite(plan, [&](const plan::Action& action, plan::CheckSuite& check) {
    const auto asked = read(app, suites, plan, check);
    if (!suites.diagnostics.has_errors() && asked.suites.empty())
      add(judges_nothing(plan, action, check, choices), suites.diagnostics);
    stop_on_errors(app, suites.diagnostics);
    check.release = asked.release;
    check.suite_plan = checks::id_of(asked);
    check.requests = shown_lines(asked);
    check.secrets = checks::secrets_of(asked);
  });
  print_warnings(app, suites.diagnostics);
  return plan;
}

void validate_suites(App& app, Loaded& loaded, plan::Plan& plan, const SuiteChoices& choices) {
  if (!has_suites(plan)) return;
  LoadedSuites suites;
  suites.project = loaded;
  suites.survey = survey_of(app, *suites.project);
  std::set<std::string> wrong;
  each_suite(plan, [&](const plan::Action& action, plan::CheckSuite& check) {
    if (wrong.count(check.suite) > 0) return;  // its mistakes are known, and there for every host
    suites.diagnostics = {};
    const auto asked = read(app, suites, plan, check);
    check.secrets = checks::secrets_of(asked);
    if (suites.diagnostics.has_errors())
      wrong.insert(check.suite);
    else if (asked.suites.empty())
      add(judges_nothing(plan, action, check, choices), loaded.diagnostics);
    take_over(suites.diagnostics, loaded.diagnostics);
  });
}

std::vector<std::string> check_command(const App& app) {
  std::error_code none;
  const auto self = fs::read_symlink("/proc/self/exe", none);
  std::vector<std::string> command{none ? "staithe" : self.string(), "check"};
  for (const char* option : {"file", "environment"}) {
    if (!app.args().has(option)) continue;
    const auto& value = app.args().value(option);
    command.push_back(std::string("--") + option);
    command.push_back(std::string_view(option) == "file" ? fs::absolute(value).string() : value);
  }
  return command;
}

}  // namespace staithe::cli
