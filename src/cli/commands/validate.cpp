#include "check_context.hpp"
#include "commands.hpp"
#include "exit_codes.hpp"
#include "planning.hpp"
#include "suite_steps.hpp"

#include "staithe/playbook/files.hpp"
#include "staithe/playbook/make_plan.hpp"
#include "staithe/yaml/node.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::cli {
namespace {

/// Stands for the commit that nobody has named.
const std::string& made_up_sha() {
  static const std::string sha(40, '0');
  return sha;
}

/// What was found in other files, with the lines that it is about.
void take_over(const diag::Diagnostics& found, diag::Diagnostics& into) {
  for (const auto& finding : found.sorted()) {
    into.add(finding);
    if (const auto& file = finding.position.file; !file.empty())
      into.sources().add(file.text(), read_text(file.text()));
  }
}

/// Environments that are judged: the one that was named, else all whose hosts the files tell of.
std::vector<std::string> judged_environments(const Loaded& loaded) {
  if (!loaded.environment.empty()) return {loaded.environment};
  std::vector<std::string> names;
  for (const auto& environment : loaded.project.environments)
    if (environment.inventory.empty())
      names.push_back(environment.name.value);  // else its programs are not run
  return names;
}

/// The suites that a playbook runs, in every environment.
void validate_suites_of(App& app, Loaded& loaded, const playbook::Playbook& playbook) {
  for (const auto& environment : judged_environments(loaded)) {
    Loaded one{loaded.project, environment, {}};
    auto request = request_of(app);
    request.environment = environment;
    const playbook::Refs any{"", made_up_sha(), ""};
    const auto plan =
        playbook::make_plan(one.project, playbook, request, any, playbook::disk_files(), one.diagnostics);
    if (!plan) continue;  // its own mistakes are known
    one.diagnostics = {};
    validate_suites(app, one, *plan);
    take_over(one.diagnostics, loaded.diagnostics);
  }
}

/// A file as it is judged: a suite has steps, or says so; what is no YAML at all is left to whoever reads it.
bool is_suite(const std::string& text, const std::string& path) {
  diag::Diagnostics unheard;
  const auto root = yaml::parse(text, path, unheard);
  return root && root->find("playbook") == nullptr &&
         (root->find("suite") != nullptr || root->find("steps") != nullptr);
}

/// A suite as one environment has it, or as it is outside of any project.
std::optional<checks::Suite> suite_in(App& app, std::optional<Loaded> project, const std::string& file,
                                      diag::Diagnostics& found) {
  LoadedSuites suites;
  suites.by_hand = true;
  if (project) {
    auto request = request_of(app);
    request.environment = project->environment;
    diag::Diagnostics known;  // what is wrong with the project has been said
    if (auto survey = playbook::make_survey_plan(project->project, request, "", known))
      suites.survey = std::move(*survey);
    suites.project = std::move(project);
  }
  auto context = check_context(app, suites, made_up_sha(), "");
  return read_suite(file, context, found);
}

/// A suite that is right in one of the environments is right: it may be meant for that one. Of one that is
/// right nowhere what is told is what is wrong where the least is.
void validate_suite(App& app, Loaded& loaded, bool has_files, const std::string& file,
                    std::vector<checks::Suite>& suites) {
  std::vector<std::optional<Loaded>> places;
  if (!has_files) places.emplace_back();
  for (const auto& environment : has_files ? judged_environments(loaded) : std::vector<std::string>())
    places.emplace_back(Loaded{loaded.project, environment, {}});
  if (places.empty())
    app.say(fmt::format(
        "staithe: {} was not judged: its hosts are what a program says; -e names an environment", file));
  std::optional<diag::Diagnostics> least;
  std::optional<checks::Suite> suite;
  for (auto& place : places) {
    diag::Diagnostics found;
    auto one = suite_in(app, std::move(place), file, found);
    const auto errors = found.count(diag::Severity::error);
    if (least && least->count(diag::Severity::error) <= errors) continue;
    least = std::move(found);
    suite = std::move(one);
  }
  if (least) take_over(*least, loaded.diagnostics);
  if (suite) suites.push_back(std::move(*suite));
}

void validate_playbook(App& app, Loaded& loaded, const std::string& path, const std::string& text) {
  const auto playbook = playbook::load_playbook(path, text, loaded.diagnostics);
  if (!playbook) return;
  playbook::validate(loaded.project, &*playbook, request_of(app), playbook::disk_files(), loaded.diagnostics);
  validate_suites_of(app, loaded, *playbook);
}

/// staithe.yml, what the built-in playbook makes of it, and the suites beside it.
void validate_project(App& app, Loaded& loaded) {
  playbook::validate(loaded.project, nullptr, request_of(app), playbook::disk_files(), loaded.diagnostics);
  std::vector<checks::Suite> suites;
  for (const auto& file : suite_files(loaded.project.directory))
    validate_suite(app, loaded, true, file, suites);
  if (!loaded.diagnostics.has_errors()) checks::check_together(suites, loaded.diagnostics);
}

struct File {
  std::string path, text;
  bool is_suite = false;
};

/// One that is not there is a mistake among others.
std::vector<File> files_named(const App& app, diag::Diagnostics& diagnostics) {
  std::vector<File> files;
  for (const auto& path : app.args().positionals) {
    try {
      auto text = read_text(path);
      const bool suite = is_suite(text, path);
      files.push_back({path, std::move(text), suite});
    } catch (const FilesWrong& wrong) {
      diagnostics.error({}, wrong.what());
    }
  }
  return files;
}

}  // namespace

int run_validate(App& app) {
  diag::Diagnostics missing;
  const auto files = files_named(app, missing);
  const bool only_suites =
      !files.empty() && std::all_of(files.begin(), files.end(), [](const File& one) { return one.is_suite; });
  const bool has_files = !only_suites || has_project(app);
  // Without -e every environment is judged, by what the files say of it.
  auto loaded = has_files ? load_files(app) : Loaded{};
  if (!loaded.environment.empty()) ask_inventory_and_go_on(app, loaded);
  take_over(missing, loaded.diagnostics);
  std::vector<checks::Suite> suites;
  for (const auto& file : files) {
    if (file.is_suite)
      validate_suite(app, loaded, has_files, file.path, suites);
    else
      validate_playbook(app, loaded, file.path, file.text);
  }
  if (app.args().positionals.empty()) validate_project(app, loaded);
  print_findings(app, loaded.diagnostics);
  if (loaded.diagnostics.has_errors()) return exit_files;
  if (!app.quiet() && !app.json()) app.print("valid\n");
  return exit_done;
}

}  // namespace staithe::cli
