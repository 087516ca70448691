#include "check_context.hpp"
#include "commands.hpp"
#include "exit_codes.hpp"
#include "file_kinds.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "playbook_files.hpp"
#include "ssh_files.hpp"
#include "suite_steps.hpp"

#include "staithe/base/text.hpp"
#include "staithe/plan/secrets.hpp"
#include "staithe/playbook/make_plan.hpp"
#include "staithe/world/secrets.hpp"
#include "staithe/yaml/node.hpp"
#include "staithe/yaml/reader.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

namespace staithe::cli {
namespace {

/// Stands for the commit that nobody has named.
const std::string& made_up_sha() {
  static const std::string sha(40, '0');
  return sha;
}

/// Environments that are judged: of all, or of the one that was named, those whose hosts are known, or, with
/// `unasked`, those whose hosts programs say that were not run, which is so without -e, or failed.
std::vector<std::string> judged_environments(const Loaded& loaded, bool unasked = false) {
  std::vector<std::string> names;
  for (const auto& environment : loaded.project.environments) {
    const bool meant = loaded.environment.empty() || loaded.environment == environment.name.value;
    if (meant && environment.knows_hosts() != unasked) names.push_back(environment.name.value);
  }
  return names;
}

/// What a playbook's plan needs beside the playbook, in every environment: suites and secrets.
void validate_needs_of(App& app, Loaded& loaded, const playbook::Playbook& playbook) {
  for (const auto& environment : judged_environments(loaded)) {
    Loaded one{loaded.project, environment, {}};
    auto request = request_of(app);
    request.environment = environment;
    const playbook::Refs any{"", made_up_sha(), ""};
    SuiteChoices choices;
    auto plan = playbook::make_plan(one.project, playbook, request, any, files_beside(loaded, &choices),
                                    one.diagnostics);
    if (!plan) continue;  // its own mistakes are known
    one.diagnostics = {};
    validate_suites(app, one, *plan, choices);
    warn_of_secrets(one, *plan);
    take_over(one.diagnostics, loaded.diagnostics);
  }
}

/// What a suite is read for: one environment; the project where it has none; nothing, outside of any.
struct Place {
  std::optional<Loaded> project;
  checks::Context::Known known = checks::Context::Known::everything;
};

/// Those that are wholly known come first.
std::vector<Place> places_of(const Loaded& loaded, bool has_files) {
  using Known = checks::Context::Known;
  std::vector<Place> places;
  if (!has_files) return {Place{}};
  for (const bool unasked : {false, true})
    for (const auto& environment : judged_environments(loaded, unasked))
      places.push_back(
          {Loaded{loaded.project, environment, {}}, unasked ? Known::no_hosts : Known::everything});
  if (places.empty()) places.push_back({std::nullopt, Known::nothing});
  return places;
}

/// A suite as it is in one place.
std::optional<checks::Suite> suite_in(App& app, Place place, const std::string& file,
                                      diag::Diagnostics& found) {
  LoadedSuites suites;
  suites.by_hand = true;
  if (place.project) {
    auto request = request_of(app);
    request.environment = place.project->environment;
    diag::Diagnostics known;  // what is wrong with the project has been said
    if (auto survey = playbook::make_survey_plan(place.project->project, request, "", known))
      suites.survey = std::move(*survey);
    suites.project = std::move(place.project);
  }
  auto context = check_context(app, suites, {made_up_sha()});
  if (suites.project) {
    // Where nobody is declared at all nothing is watched: the suite may still be run by hand and by deploys.
    context.receivers = receivers_of(suites);
    if (context.receivers->names.empty()) context.receivers->otherwise = diag::Severity::warning;
  }
  context.known = place.known;
  return read_suite(file, context, found);
}

/// What was found, and whether all of it could be judged.
struct Judged {
  std::vector<checks::Suite> suites;
  bool wholly = true;
  std::vector<std::string> skipped{};  ///< files of other tools
};

/// A suite that is right in one of the environments is right: it may be meant for that one. Of one that is
/// right nowhere what is told is what is wrong where the least is.
void validate_suite(App& app, Loaded& loaded, bool has_files, const std::string& file, Judged& judged) {
  std::optional<diag::Diagnostics> least;
  std::optional<checks::Suite> suite;
  auto known = checks::Context::Known::everything;
  for (auto& place : places_of(loaded, has_files)) {
    diag::Diagnostics found;
    const auto here = place.known;
    auto one = suite_in(app, std::move(place), file, found);
    const auto errors = found.count(diag::Severity::error);
    // Of as many errors those are told that no other environment could be meant by.
    const auto fewest = least ? least->count(diag::Severity::error) : errors + 1;
    if (fewest < errors || fewest == 0) continue;
    least = std::move(found);
    suite = std::move(one);
    known = here;
  }
  const bool speaks_of_hosts = read_text(file).find("hosts.") != std::string::npos;
  // Of a program that was asked and failed that stands there already.
  if (known == checks::Context::Known::no_hosts && speaks_of_hosts && loaded.environment.empty()) {
    const auto names = judged_environments(loaded, true);
    least->warning(
        {file, 0, 0},
        fmt::format("its groups and hosts were not judged: programs say them in {}", base::join(names, ", ")),
        "", fmt::format("-e {} asks", base::join(names, " or -e ")));
    judged.wholly = false;
  }
  take_over(*least, loaded.diagnostics);
  if (suite) judged.suites.push_back(std::move(*suite));
}

/// The suites that the steps of a playbook name, and where, but for names that are made of variables.
void collect_suites(const yaml::Node& node, const std::string& path, std::vector<steps::Template>& names) {
  for (std::size_t i = 0; i < node.items.size(); ++i)
    collect_suites(node.items[i], yaml::path_of(path, i), names);
  for (const auto& [key, position, length, value] : node.entries) {
    const auto here = yaml::path_of(path, key);
    const auto* suite = key == "check" ? value.find("suite") : nullptr;
    if (suite != nullptr && suite->text.find("$(") == std::string::npos)
      names.push_back({suite->text, suite->position, suite->length, yaml::path_of(here, "suite")});
    collect_suites(value, here, names);
  }
}

/// Those of a playbook where there are environments without a plan: what holds in any is judged.
void validate_unplanned_suites(App& app, Loaded& loaded, const playbook::Playbook& playbook, Judged& judged) {
  if (judged_environments(loaded, true).empty()) return;
  diag::Diagnostics unheard;
  std::vector<steps::Template> names;
  const auto& directory = loaded.project.directory;
  if (const auto root = yaml::parse(playbook.text, playbook.path, unheard)) collect_suites(*root, "", names);
  for (const auto& name : names) {
    std::string help;
    const auto suite = suite_of_step(directory, name.value);
    if (const auto why = lacks_suite(directory, suite, help); !why.empty()) {
      loaded.diagnostics.add({diag::Severity::error, name.position, name.length, why, name.path, help});
      continue;
    }
    Judged alone;
    validate_suite(app, loaded, true, suite_named(directory, suite), alone);
    judged.wholly = judged.wholly && alone.wholly;
  }
}

void validate_playbook(App& app, Loaded& loaded, const std::string& path, const std::string& text,
                       Judged& judged) {
  const auto playbook = playbook::load_playbook(path, text, loaded.diagnostics);
  if (!playbook) return;
  auto request = request_of(app);
  request.environment = loaded.environment;
  playbook::validate(loaded.project, &*playbook, request, files_beside(loaded), loaded.diagnostics);
  validate_needs_of(app, loaded, *playbook);
  validate_unplanned_suites(app, loaded, *playbook, judged);
}

/// Of what only hosts decide nothing is said to be right where they are not known.
void say_unjudged(Loaded& loaded, Judged& judged) {
  if (!loaded.environment.empty()) return;  // a program that failed is a mistake of its own
  for (const auto& name : judged_environments(loaded, true)) {
    const auto& program = loaded.project.find_environment(name)->inventory.front();
    loaded.diagnostics.add(
        {diag::Severity::warning, program.position, program.length,
         fmt::format("what the hosts of {} decide was not judged: a program says them, and was not asked",
                     name),
         program.path, fmt::format("-e {} asks", name)});
    judged.wholly = false;
  }
}

/// All that staithe.yml names, whatever uses them.
void validate_secrets(Loaded& loaded) {
  auto environments = judged_environments(loaded);
  for (auto& unasked : judged_environments(loaded, true)) environments.push_back(std::move(unasked));
  for (const auto& environment : environments) {
    Loaded one{loaded.project, environment, {}};
    std::vector<plan::SecretRef> secrets;
    for (const auto* entries : {&std::as_const(one).project.secrets, &one.env().secrets})
      for (const auto& entry : *entries) secrets.push_back(entry.source);
    warn_of_secrets(one, secrets, "what needs it would not run here");
    for (const auto& target : one.env().watch.alerts)
      if (const auto why = world::Secrets::lacks(target.secret, one.project.directory);
          !why.empty() && target.name.position.line > 0)
        one.diagnostics.warning(
            target.name.position, why, target.name.path,
            fmt::format("a watch here that tells '{}' would not start", target.name.value));
    take_over(one.diagnostics, loaded.diagnostics);
  }
}

/// A playbook that nobody has named may be meant for one of the environments, as a suite may.
void validate_playbook_beside(App& app, const Loaded& loaded, const std::string& file,
                              const std::string& text, diag::Diagnostics& found) {
  std::optional<diag::Diagnostics> least;
  for (const bool unasked : {false, true})
    for (const auto& environment : judged_environments(loaded, unasked)) {
      Loaded one{loaded.project, environment, {}};
      Judged judged;
      validate_playbook(app, one, file, text, judged);
      if (least && least->count(diag::Severity::error) <= one.diagnostics.count(diag::Severity::error))
        continue;
      least = std::move(one.diagnostics);
    }
  if (!least) (void)playbook::load_playbook(file, text, least.emplace());
  // What staithe.yml itself is found to have stands there already.
  std::set<diag::Position> told;
  for (const auto& finding : found.sorted()) told.insert(finding.position);
  for (const auto& finding : least->sorted())
    if (told.count(finding.position) > 0) least->withdraw(finding);
  take_over(*least, found);
}

/// Those of the project's playbooks/: another tool may have its own there.
void validate_playbooks(App& app, Loaded& loaded, Judged& judged) {
  for (const auto& file : yaml_files_in(loaded.project.directory, "playbooks")) {
    std::error_code none;
    if (!std::filesystem::is_regular_file(file, none)) continue;
    try {
      const auto text = read_text(file);
      if (is_of_another_tool(text, file))
        judged.skipped.push_back(file);
      else
        validate_playbook_beside(app, loaded, file, text, loaded.diagnostics);
    } catch (const FilesWrong& wrong) {
      loaded.diagnostics.error({}, wrong.what());
    }
  }
}

/// What every run of an environment is refused for, whatever its playbook is.
void validate_ssh_configs(Loaded& loaded) {
  for (const auto& environment : loaded.project.environments)
    if (loaded.environment.empty() || loaded.environment == environment.name.value)
      check_ssh_config(loaded, environment, loaded.diagnostics);
}

/// staithe.yml, what the built-in playbook makes of it, and the playbooks and suites beside it.
void validate_project(App& app, Loaded& loaded, Judged& judged) {
  playbook::validate(loaded.project, nullptr, request_of(app), files_beside(loaded), loaded.diagnostics);
  validate_playbooks(app, loaded, judged);
  say_unjudged(loaded, judged);
  validate_ssh_configs(loaded);
  validate_secrets(loaded);
  Judged own;
  for (const auto& file : suite_files(loaded.project.directory)) validate_suite(app, loaded, true, file, own);
  if (!loaded.diagnostics.has_errors()) checks::check_together(own.suites, loaded.diagnostics);
  judged.wholly = judged.wholly && own.wholly;
}

/// Without -e every environment is judged, by what the files say of it.
Loaded load_project_file(App& app, const std::string& path) {
  auto loaded = load_files(app, path);
  const auto wanted = app.args().value("environment");
  if (!wanted.empty()) (void)playbook::choose_environment(loaded.project, wanted, loaded.diagnostics);
  if (!loaded.environment.empty()) ask_inventory_and_go_on(app, loaded);
  return loaded;
}

struct File {
  std::string path, text;
  FileKind kind = FileKind::playbook;
};

bool any_is(const std::vector<File>& files, FileKind kind) {
  return std::any_of(files.begin(), files.end(), [&](const File& one) { return one.kind == kind; });
}

/// One that is not there is a mistake among others.
std::vector<File> files_named(const App& app, diag::Diagnostics& diagnostics) {
  std::vector<File> files;
  for (const auto& path : app.args().positionals) {
    try {
      auto text = read_text(path);
      const auto kind = kind_of(text, path, diagnostics);
      files.push_back({path, std::move(text), kind});
    } catch (const FilesWrong& wrong) {
      diagnostics.error({}, wrong.what(), "", meant_file("", path));
    }
  }
  return files;
}

/// Suites that were named one by one: one that they need may well be there without being named.
void judge_together(const std::vector<checks::Suite>& suites, diag::Diagnostics& diagnostics) {
  if (diagnostics.has_errors()) return;
  diag::Diagnostics found;
  checks::check_together(suites, found);
  for (const auto& finding : found.sorted())
    if (finding.severity == diag::Severity::error) diagnostics.add(finding);
}

void validate_file(App& app, Loaded& loaded, bool has_files, const File& file, Judged& judged) {
  switch (file.kind) {
    case FileKind::suite:
      return validate_suite(app, loaded, has_files, file.path, judged);
    case FileKind::playbook:
      validate_playbook(app, loaded, file.path, file.text, judged);
      return say_unjudged(loaded, judged);
    case FileKind::project: {
      auto own = load_project_file(app, file.path);
      validate_project(app, own, judged);
      return take_over(own.diagnostics, loaded.diagnostics);
    }
    case FileKind::unreadable:
      return;
  }
}

void say_skipped(App& app, const std::vector<std::string>& files) {
  constexpr std::string_view why =
      "another tool's: none of its keys is 'playbook' or a section such as 'each'";
  for (const auto& file : files) {
    if (app.json())
      Records(app, Records::Place::further).write({{"type", "skipped"}, {"file", file}, {"reason", why}});
    else if (!app.quiet())
      app.say(base::one_line(fmt::format("{}: skipped, as {}", file, why)));
  }
}

}  // namespace

int run_validate(App& app) {
  diag::Diagnostics missing;
  const auto files = files_named(app, missing);
  const bool nothing_named = app.args().positionals.empty();
  const bool has_files = nothing_named || any_is(files, FileKind::playbook) ||
                         (any_is(files, FileKind::suite) && has_project(app));
  auto loaded = has_files ? load_project_file(app, "") : Loaded{};
  take_over(missing, loaded.diagnostics);
  Judged judged;
  for (const auto& file : files) validate_file(app, loaded, has_files, file, judged);
  if (any_is(files, FileKind::playbook)) validate_ssh_configs(loaded);
  judge_together(judged.suites, loaded.diagnostics);
  if (nothing_named) validate_project(app, loaded, judged);
  print_findings(app, loaded.diagnostics);
  say_skipped(app, judged.skipped);
  if (loaded.diagnostics.has_errors()) return exit_files;
  if (!app.quiet() && !app.json()) app.print(judged.wholly ? "valid\n" : "valid, as far as it was judged\n");
  return exit_done;
}

}  // namespace staithe::cli
