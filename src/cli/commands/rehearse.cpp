#include "staithe/stage/rehearse.hpp"

#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "report_request.hpp"
#include "stage.hpp"
#include "suggest.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/git/work_tree.hpp"
#include "staithe/report/rehearsal.hpp"
#include "staithe/stage/snapshots.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

constexpr base::Duration clone_patience{60'000};
constexpr base::Duration longest_rehearsal{8 * 3'600'000};

/// The files of the command line but for the down scripts, which a shell's pattern names too; a deploy that
/// asks for the others leaves them out as well.
std::vector<std::string> named_files(const App& app) {
  std::vector<std::string> paths;
  for (const auto& path : app.args().positionals)
    if (!path.ends_with(".down.sql")) paths.push_back(path);
  if (paths.empty() && !app.args().positionals.empty())
    throw UsageError("no file is left to rehearse: those that end in .down.sql belong to others");
  return paths;
}

/// The files in their order, with the down scripts beside them.
stage::MigrationSources sources_of(const std::vector<std::string>& paths) {
  stage::MigrationSources sources;
  for (const auto& path : paths) {
    const auto down = stage::down_path_of(path);
    if (down.empty())
      throw UsageError(
          fmt::format("{} does not end in .sql: which files are migrations, its name must say", path));
    sources.up.push_back({path, read_text(path)});
    std::error_code ignored;
    if (fs::exists(down, ignored)) sources.down[path] = {down, read_text(down)};
  }
  return sources;
}

stage::RehearsalSettings settings_of(App& app, diag::Diagnostics& diagnostics) {
  stage::RehearsalSettings settings;
  if (const auto path = app.args().value("with"); !path.empty())
    settings = stage::read_rehearsal_settings(path, read_text(path), diagnostics);
  settings.budgets.blocking = app.duration("blocking", settings.budgets.blocking);
  settings.open_transaction = app.duration("open-transaction", settings.open_transaction);
  return settings;
}

/// What of a snapshot stands in the plan; refused when the clones would be made beside production.
int resolve_snapshot(App& app, const std::string& target_url, const std::string& name,
                     const std::string& source_url, stage::RehearsalPlan& plan, store::Time& taken) {
  const auto scope = base::Scope::lasting(clone_patience, &app.stops().soft);
  auto cluster = stage::connect_cluster(target_url, {}, scope);
  stage::refuse_production(cluster, scope);
  const auto snapshot = chosen_snapshot(cluster, target_url, name, scope);
  if (const int refused = refuse_other_origin(app, snapshot, source_url, scope); refused != exit_done)
    return refused;
  const auto& marker = snapshot.marker;
  if (marker.origin.system_identifier == stage::system_identifier(cluster, scope))
    return app.fail(
        exit_refused,
        fmt::format("{} is in production's own cluster: a rehearsal there would take production's disk "
                    "and processors; nothing was changed\n"
                    "  next  take the snapshot into another cluster: databases.target",
                    snapshot.database));
  plan.snapshot = snapshot.database;
  taken = std::chrono::time_point_cast<store::Time::duration>(marker.taken_at);
  plan.snapshot_taken_at = base::utc_text_ms(taken);
  plan.snapshot_origin = marker.origin.where;
  plan.snapshot_lsn = marker.lsn;
  plan.snapshot_version = marker.origin.server_version;
  plan.masked = marker.masked;
  plan.nulls_kept = marker.nulls_kept;
  plan.partial = marker.partial;
  return exit_done;
}

stage::RehearsalPlan rehearsal_of(App& app, Loaded& loaded) {
  stage::RehearsalPlan plan;
  plan.project = loaded.project.name.value;
  plan.environment = loaded.environment;
  plan.command = app.args().value("command");
  if (plan.command.empty())
    plan.files = stage::read_migrations(sources_of(named_files(app)), loaded.diagnostics);
  else
    for (const auto& path : named_files(app))
      plan.command_files.push_back({std::string(plan::file_name(path)), base::sha256_hex(read_text(path))});
  plan.settings = settings_of(app, loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  plan.passes.load = !app.args().has("no-load");
  plan.passes.open_transaction = !app.args().has("no-open-transaction");
  plan.passes.advice = !app.args().has("no-advice");
  plan.keep_clone = app.args().has("keep-clone");
  return plan;
}

std::string source_url(App& app, const Loaded& loaded) {
  const auto& databases = databases_of(loaded);
  if (!databases.source || app.args().has("offline")) return {};
  return secret_value(app, loaded, databases.source->url);
}

/// What servers and commands say may be too long for the history, or no text.
std::string verdict_for_history(App& app, const std::string& verdict) {
  constexpr std::size_t longest = 1000;
  auto text = base::printable(app.redactor().clean(verdict));
  if (text.size() <= longest) return text;
  text.resize(longest);
  while (!base::is_utf8(text)) text.pop_back();
  return text + "…";
}

/// What a deploy may ask for. That it could not be written down does not alter what was found.
void record(App& app, const Loaded& loaded, const stage::RehearsalPlan& plan, store::Time taken,
            const stage::RehearsalReport& report) {
  store::Rehearsal one;
  one.run_id = report.run_id;
  one.project = plan.project;
  one.environment = plan.environment;
  one.snapshot = plan.snapshot;
  one.snapshot_taken = taken;
  one.files_id = report.migration_hash;
  one.files = plan::text_of(stage::file_sums(plan));
  one.passed = report.passed;
  one.verdict = verdict_for_history(app, report.verdict);
  one.terms = app.redactor().clean(plan::to_json(stage::terms_of(plan, report)));
  one.duration_ms = static_cast<std::uint64_t>(report.took.count());
  try {
    open_store(app, loaded)->record_rehearsal(one);
  } catch (const base::Error& error) {
    app.say(fmt::format("warning: not in the history, so that no deploy will know of it: {}", error.what()));
  }
}

/// To each file that --report html=FILE names.
void write_pages(App& app, const std::string& html) {
  for (const auto& request : app.args().all("report"))
    if (const auto [kind, path] = report_request(request); kind == "html")
      report::write_rehearsal(path, app.redactor().clean(html));
}

constexpr const char* unfinished = "not rehearsed to the end";

/// Before anything is done: what cannot be written is known by then, and no earlier page passes for this
/// rehearsal's.
void begin_pages(App& app, const std::string& run_id) {
  write_pages(app, report::unfinished_rehearsal_html(run_id, unfinished));
}

/// Once something was found, which is worth more than the page.
void try_to_write_pages(App& app, const std::string& html) {
  try {
    write_pages(app, html);
  } catch (const base::Error& error) {
    app.say(fmt::format("staithe: {}: not all was written", error.what()));
  }
}

void print_report(App& app, const std::optional<stage::RehearsalReport>& report) {
  if (!report) return;
  if (app.json())
    app.print(app.redactor().clean(stage::to_json(*report)) + "\n");
  else
    app.print(app.redactor().clean(
        report::rehearsal_text(*report, app.out_color() ? report::Color::on : report::Color::off)));
  try_to_write_pages(app, report::rehearsal_html(*report));
}

/// A rehearsal that is ready, but for what only the snapshot itself says.
struct Ready {
  stage::RehearsalPlan plan;
  stage::RehearsalRun run;
  store::Time taken{};
};

/// One that could not be made to its end takes back the green of an earlier one: nobody knows whether that
/// still holds.
void record_unfinished(App& app, const Loaded& loaded, const Ready& ready, const std::string& why) {
  stage::RehearsalReport report;
  report.run_id = ready.run.run_id;
  report.migration_hash = stage::migration_hash(ready.plan);
  report.verdict = fmt::format("{}: {}", unfinished, why);
  try_to_write_pages(app, report::unfinished_rehearsal_html(report.run_id, report.verdict));
  record(app, loaded, ready.plan, ready.taken, report);
}

/// Runs it, and writes down what came of it; `report` stays empty when it was not made to its end.
StagePlan staged_rehearsal(App& app, const Loaded& loaded, Ready& ready,
                           std::optional<stage::RehearsalReport>& report) {
  StagePlan staged;
  staged.kind = "rehearse";
  staged.id = stage::id_of(ready.plan);
  staged.json = stage::to_json(ready.plan);
  staged.text = stage::render(ready.plan);
  staged.run = [&](const std::string& run_id, event::EventSink& sink) {
    ready.run.run_id = run_id;
    begin_pages(app, run_id);
    const auto scope = base::Scope::lasting(app.duration("timeout", longest_rehearsal), &app.stops().soft);
    auto end = stage::run_rehearsal(ready.plan, ready.run, sink, scope, app.stops().exit_code);
    report = std::move(end.report);
    if (report)
      record(app, loaded, ready.plan, ready.taken, *report);
    else if (!app.stops().soft.requested())
      record_unfinished(app, loaded, ready, end.finished.failure);
    return end.finished;
  };
  return staged;
}

/// A snapshot first, then the rehearsal on it: two plans that are asked for, shown and refused as one.
int rehearse_fresh(App& app, Loaded& loaded, Ready& ready) {
  const auto snapshot = ready_snapshot(app, loaded);
  if (snapshot.refused != exit_done) return snapshot.refused;
  ready.plan.snapshot = snapshot.database;
  std::optional<stage::RehearsalReport> report;
  const auto rehearsal = staged_rehearsal(app, loaded, ready, report);
  StagePlan both;
  both.kind = "rehearse";
  both.id = base::sha256_hex(snapshot.plan.id + rehearsal.id).substr(0, rehearsal.id.size());
  both.json = nlohmann::json{{"kind", "rehearse"},
                             {"first", nlohmann::json::parse(snapshot.plan.json)},
                             {"then", nlohmann::json::parse(rehearsal.json)}}
                  .dump();
  both.text = snapshot.plan.text + "\nThen\n\n" + rehearsal.text + "\nboth  plan " + both.id + "\n";
  both.question = snapshot.plan.question;
  both.run = [&](const std::string& run_id, event::EventSink& sink) {
    begin_pages(app, run_id);
    return snapshot.plan.run(run_id, sink);
  };
  bool taken = false;
  const int code =
      run_stage_plan(app, both, [&](const event::RunFinished& end) { taken = end.exit_code == exit_done; });
  if (!taken) return code;
  const int refused = resolve_snapshot(app, ready.run.cluster_url, snapshot.database, ready.run.source_url,
                                       ready.plan, ready.taken);
  if (refused != exit_done) return refused;
  auto second = staged_rehearsal(app, loaded, ready, report);
  second.goes_on = true;
  return perform_stage_plan(app, second, [&](const event::RunFinished&) { print_report(app, report); });
}

/// Which commit the files are of, as far as this machine knows.
void add_revision(App& app, Ready& ready) {
  std::error_code ignored;
  const auto here = fs::current_path(ignored).string();
  const auto scope = base::Scope::lasting(clone_patience, &app.stops().soft);
  const auto files = named_files(app);
  const auto tree = git::work_tree_of(files.empty() ? ready.run.directory : here, files, scope);
  if (!tree) return;
  ready.run.revision = tree->sha;
  ready.run.is_altered = tree->is_altered;
  ready.run.has_unknown = tree->has_unknown;
}

/// It was refused before there was a run: the page says why.
void pages_of_refusal(App& app, std::string_view why) {
  const auto sentence = why.substr(0, why.find('\n'));
  try_to_write_pages(app,
                     report::unfinished_rehearsal_html(
                         {}, sentence.empty() ? unfinished : fmt::format("{}: {}", unfinished, sentence)));
}

int rehearse(App& app) {
  if (app.args().positionals.empty() && !app.args().has("command"))
    throw UsageError("stage rehearse takes files of SQL, or --command");
  auto loaded = load(app);
  if (loaded.env().is_protected)
    return app.fail(exit_refused, "environment '" + loaded.environment +
                                      "' is protected: rehearsals are made elsewhere; nothing was changed\n"
                                      "  next  -e with the environment that has the snapshots");
  Ready ready;
  ready.plan = rehearsal_of(app, loaded);
  ready.run.cluster_url = secret_value(app, loaded, target_of(loaded).url);
  ready.run.source_url = source_url(app, loaded);
  ready.run.directory = loaded.project.directory;
  add_revision(app, ready);
  ready.run.again = again_command(app);
  ready.run.drop_command = [&app](const std::string& clone) { return drop_command(app, clone); };
  ready.run.redact = [&app](const std::string& text) { return app.redactor().clean(text); };
  const auto source = app.args().value("source");
  if (source == "fresh") return rehearse_fresh(app, loaded, ready);
  if (const int refused =
          resolve_snapshot(app, ready.run.cluster_url, source, ready.run.source_url, ready.plan, ready.taken);
      refused != exit_done)
    return refused;
  std::optional<stage::RehearsalReport> report;
  return run_stage_plan(app, staged_rehearsal(app, loaded, ready, report),
                        [&](const event::RunFinished&) { print_report(app, report); });
}

}  // namespace

int run_stage_rehearse(App& app) {
  if (only_prints(app)) return rehearse(app);
  begin_pages(app, {});
  try {
    const int code = rehearse(app);
    if (!app.failure().empty()) pages_of_refusal(app, app.failure());
    return code;
  } catch (const std::exception& error) {
    pages_of_refusal(app, error.what());
    throw;
  }
}

}  // namespace staithe::cli
