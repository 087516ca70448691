#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/plan/each_action.hpp"
#include "staithe/world/past_runs.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::cli {
namespace {

using nlohmann::json;

constexpr std::uint32_t default_last = 20;

base::Duration lasted(const store::Run& run) {
  return run.ended ? std::chrono::duration_cast<base::Duration>(*run.ended - run.started) : base::Duration{0};
}

std::string ended_text(const store::Run& run) {
  if (!run.ended) return run.owner == store::Owner::gone ? "DIED" : "under way";
  return fmt::format("{} ({})", run.outcome, run.exit_code.value_or(0));
}

/// "4 done" or "2 done, 1 out, 1 untouched".
std::string hosts_text(const store::Run& run) {
  std::map<std::string, int> counts;
  for (const auto& [host, state] : world::named_hosts(run)) ++counts[state];
  std::vector<std::string> parts;
  for (const auto& [state, count] : counts) parts.push_back(fmt::format("{} {}", count, state));
  return base::join(parts, ", ");
}

json run_json(const store::Run& run) {
  json record{{"type", "run"},
              {"run_id", run.id},
              {"kind", run.kind},
              {"title", run.title},
              {"environment", run.environment},
              {"service", run.service},
              {"user", run.user},
              {"plan_id", run.plan_id},
              {"release", run.release},
              {"sha", run.sha},
              {"started", base::utc_text_ms(run.started)},
              {"outcome", run.ended                         ? run.outcome
                          : run.owner == store::Owner::gone ? "died"
                                                            : "under way"}};
  if (run.ended) {
    record["ended"] = base::utc_text_ms(*run.ended);
    record["exit_code"] = run.exit_code.value_or(0);
    record["duration_ms"] = lasted(run).count();
    const auto summary = json::parse(run.summary_json, nullptr, false);
    if (summary.is_object() && summary.contains("hosts")) record["hosts"] = summary["hosts"];
    if (const auto deadline = world::deadline_of(run); deadline.count() > 0)
      record["deadline_ms"] = deadline.count();
  }
  return record;
}

/// Of a drain and of what ends it the hosts and the reason, which nothing else tells apart.
std::string what_text(const store::Run& run) {
  constexpr std::size_t most = 60;
  if (run.kind == "drain" || run.kind == "restore") return base::shortened(base::one_line(run.title), most);
  return run.kind + (run.service.empty() ? "" : " " + run.service);
}

void print_list(App& app, const std::vector<store::Run>& runs) {
  std::vector<std::vector<std::string>> rows{
      {"RUN", "WHEN", "WHAT", "RELEASE", "ENDED", "TOOK", "HOSTS", "WHO"}};
  for (const auto& run : runs)
    rows.push_back({run.id, when_text(run.started).substr(0, 16), what_text(run),
                    run.release.empty() ? "-" : run.release, ended_text(run),
                    run.ended ? base::elapsed_text(lasted(run)) : "-", hosts_text(run), run.user});
  app.print(aligned(rows));
}

/// Of an action of the run's plan.
struct Told {
  std::string title, host;
};
using ToldById = std::map<std::string, Told>;

ToldById told_of(const plan::Plan& plan) {
  ToldById told;
  plan::each_action(plan, [&](const plan::Action& action) {
    told[action.id] = {action.title, plan::host_of(action.effect)};
  });
  return told;
}

/// The journal goes by lanes: what was done once was done in no host's, but on one all the same.
std::string host_of(const store::JournalEntry& entry, const ToldById& actions) {
  const auto action = actions.find(entry.action_id);
  return entry.host.empty() && action != actions.end() ? action->second.host : entry.host;
}

/// What a record of the journal says to people; "" for those that only recovery reads.
std::string said(const store::JournalEntry& entry) {
  if (entry.kind == "intent") return "begins";
  if (entry.kind != "outcome") return "";
  const auto detail = world::told(entry, "detail");
  return world::told(entry, "outcome") + (detail.empty() ? "" : ": " + base::printable(detail));
}

void print_journal(App& app, const std::vector<store::JournalEntry>& entries, const ToldById& actions) {
  std::map<std::string, store::Time> begun;
  std::vector<std::vector<std::string>> rows;
  for (const auto& entry : entries) {
    const auto text = said(entry);
    if (text.empty()) continue;
    const auto action = actions.find(entry.action_id);
    if (entry.kind == "intent") {
      begun[entry.action_id] = entry.time;
      continue;
    }
    const auto since = begun.find(entry.action_id);
    const auto took =
        since == begun.end()
            ? ""
            : base::elapsed_text(std::chrono::duration_cast<base::Duration>(entry.time - since->second));
    begun.erase(entry.action_id);
    const auto host = host_of(entry, actions);
    rows.push_back({when_text(entry.time).substr(11, 8), host.empty() ? "-" : host, took,
                    action == actions.end() ? entry.action_id : action->second.title + "  " + text});
  }
  // What has no outcome was in hand when the run ended or died.
  for (const auto& [id, time] : begun) {
    const auto action = actions.find(id);
    rows.push_back({when_text(time).substr(11, 8), "", "",
                    (action == actions.end() ? id : action->second.title) + "  BEGUN, never ended"});
  }
  app.print(aligned(rows, 2));
}

int show_run(App& app, store::Store& store, const std::string& id) {
  const auto run = store.run(id);
  if (!run) throw base::Error(base::ErrorCode::not_found, "there is no run " + id);
  const auto entries = store.journal(id);
  ToldById actions;
  // Actions of a plan of another build are shown by their ids.
  if (const auto plan = world::plan_of(*run)) actions = told_of(*plan);
  if (app.json()) {
    Records records(app);
    records.write(run_json(*run));
    for (const auto& entry : entries) {
      auto body = json::parse(entry.body, nullptr, false);
      records.write({{"type", "journal"},
                     {"run_id", id},
                     {"seq", entry.seq},
                     {"time", base::utc_text_ms(entry.time)},
                     {"host", host_of(entry, actions)},
                     {"action_id", entry.action_id},
                     {"kind", entry.kind},
                     {"body", body.is_discarded() ? json::object() : std::move(body)}});
    }
    return exit_done;
  }
  app.print(base::one_line(fmt::format("{}   {} in {}", run->id, run->title, run->environment)) + "\n");
  std::vector<std::vector<std::string>> rows{{"by", run->user}, {"began", when_text(run->started)}};
  if (run->ended) rows.push_back({"took", base::elapsed_text(lasted(*run))});
  rows.push_back({"ended", ended_text(*run)});
  if (const auto deadline = world::deadline_of(*run); deadline.count() > 0)
    rows.push_back({"deadline", base::to_text(deadline) + " for the whole run, passed"});
  if (!run->release.empty()) rows.push_back({"release", run->release + "  " + run->sha});
  rows.push_back({"plan", run->plan_id});
  rows.push_back({"hosts", hosts_text(*run)});
  app.print(aligned(rows, 2) + "\n");
  print_journal(app, entries, actions);
  return exit_done;
}

/// A mistyped kind would find nothing, which looks like an answer.
std::string kind_meant(const App& app) {
  const std::vector<std::string> kinds{"deploy", "rollback", "run", "drain", "restore", "recover", "exec"};
  const auto kind = app.args().value("kind");
  if (kind.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return kind;
  const auto near = base::nearest(kind, kinds);
  throw UsageError(
      fmt::format("no kind of run is called '{}'; {}", kind,
                  near ? fmt::format("did you mean '{}'?", *near) : "there are " + base::join(kinds, ", ")));
}

}  // namespace

int run_history(App& app) {
  auto loaded = load(app);
  const auto store = open_store_if_there(app, loaded);
  if (!app.args().positionals.empty()) {
    if (!store)
      throw base::Error(base::ErrorCode::not_found, "nothing was ever run in " + loaded.environment);
    return show_run(app, *store, app.args().positionals.front());
  }
  store::HistoryFilter filter;
  filter.environment = loaded.environment;
  filter.service = app.args().value("service");
  filter.kind = kind_meant(app);
  const auto last = app.number("last", default_last);
  const auto runs = store ? store->history(filter, last) : std::vector<store::Run>{};
  if (app.json()) {
    Records records(app);
    for (const auto& run : runs) records.write(run_json(run));
  } else if (runs.empty()) {
    app.say(filter.kind.empty() ? "nothing was run in " + loaded.environment + " yet"
                                : fmt::format("no {} in {} yet", filter.kind, loaded.environment));
  } else {
    print_list(app, runs);
  }
  return exit_done;
}

}  // namespace staithe::cli
