#include "convert.hpp"
#include "core.hpp"
#include "process.hpp"

namespace staithe::store {
namespace {

constexpr std::size_t max_document_bytes = 16 << 20;
/// Runs that one call removes: the first after years must not hold the state for long.
constexpr std::size_t most_pruned = 100;

const std::string run_columns =
    "id, kind, environment, service, title, plan_id, user_name, release_id, sha, started, ended, outcome, "
    "exit_code, summary_json, process";

Run run_of(const Row& row) {
  Run run;
  Columns columns(row);
  columns.texts(run.id, run.kind, run.environment, run.service, run.title, run.plan_id, run.user, run.release,
                run.sha);
  run.started = columns.time();
  if (const auto& ended = columns.value()) run.ended = to_time(ended);
  run.outcome = columns.text();
  if (const auto& code = columns.value()) run.exit_code = static_cast<int>(to_number(code));
  run.summary_json = columns.text();
  const auto process = columns.text();
  if (!run.ended) run.owner = owner_of(process);
  if (row.size() > 15) run.plan_json = columns.text();
  return run;
}

std::vector<Run> runs_of(const Rows& rows) {
  std::vector<Run> runs;
  runs.reserve(rows.rows.size());
  for (const Row& row : rows.rows) runs.push_back(run_of(row));
  return runs;
}

/// Conditions and their values, as they are collected.
struct Where {
  std::string sql = " WHERE 1 = 1";
  std::vector<Value> values;

  void add(std::string_view condition, std::string value) {
    if (value.empty()) return;
    values.emplace_back(std::move(value));
    sql += " AND " + std::string(condition) + " $" + std::to_string(values.size());
  }

  /// The first condition is what an index helps with.
  void add_behind(std::string started, std::string id) {
    values.emplace_back(std::move(started));
    const auto time = " $" + std::to_string(values.size());
    values.emplace_back(std::move(id));
    sql += " AND started <=" + time + " AND (started <" + time + " OR id < $" +
           std::to_string(values.size()) + ")";
  }
};

std::optional<ReleaseState> release_state(std::string_view name) {
  for (const auto state : {ReleaseState::staged, ReleaseState::good, ReleaseState::bad}) {
    if (name_of(state) == name) return state;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(ReleaseState state) noexcept {
  switch (state) {
    case ReleaseState::staged:
      return "staged";
    case ReleaseState::good:
      return "good";
    case ReleaseState::bad:
      return "bad";
  }
  return "staged";
}

void Store::begin_run(const Run& run) {
  if (run.id.empty()) throw base::Error(base::ErrorCode::invalid, "a run needs an id");
  for (const std::string* text : {&run.id, &run.kind, &run.environment, &run.service, &run.title,
                                  &run.plan_id, &run.user, &run.release, &run.sha}) {
    check_text("run", *text);
  }
  check_text("plan", run.plan_json, max_document_bytes);
  const std::string started = to_value(run.started == Time{} ? now() : run.started);
  core_->run(Work::single, [&](Session& session) {
    const Rows added = session.exec(
        "INSERT INTO staithe_runs (id, kind, environment, service, title, plan_id, plan_json, user_name, "
        "release_id, "
        "sha, started, outcome, summary_json, process, writer) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', '', $12, $13) ON CONFLICT (id) DO NOTHING",
        {run.id, run.kind, run.environment, run.service, run.title, run.plan_id, run.plan_json, run.user,
         run.release, run.sha, started, process_identity(), core_->writer});
    if (added.changed == 1) return;
    // A repeat after a lost connection meets its own row.
    const Rows own = session.exec("SELECT 1 FROM staithe_runs WHERE id = $1 AND writer = $2 AND started = $3",
                                  {run.id, core_->writer, started});
    if (own.rows.empty() || core_->appends.knows(run.id)) {
      throw base::Error(base::ErrorCode::conflict,
                        session.where() + ": there is a run " + run.id + " already");
    }
  });
  core_->appends.learn(run.id, 0);
}

void Store::end_run(std::string_view run_id, std::string_view outcome, int exit_code,
                    std::string_view summary_json) {
  check_text("run", run_id);
  check_text("outcome", outcome);
  check_text("summary", summary_json, max_document_bytes);
  core_->appends.flush();
  const std::string ended = to_value(now());
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec(
        "UPDATE staithe_runs SET ended = $2, outcome = $3, exit_code = $4, summary_json = $5 WHERE id = $1",
        {std::string(run_id), ended, std::string(outcome), std::to_string(exit_code),
         std::string(summary_json)});
  });
  if (rows.changed == 0) {
    throw base::Error(base::ErrorCode::not_found, core_->where() + ": no run " + std::string(run_id));
  }
}

std::vector<Run> Store::unfinished(std::string_view environment, std::string_view service) {
  Where where;
  where.sql = " WHERE ended IS NULL";
  where.add("environment =", std::string(environment));
  where.add("service =", std::string(service));
  return runs_of(core_->run(Work::single, [&](Session& session) {
    return session.exec("SELECT " + run_columns + " FROM staithe_runs" + where.sql +
                            " ORDER BY started DESC, id DESC LIMIT 1000",
                        where.values);
  }));
}

std::vector<Run> Store::history(const HistoryFilter& filter, std::size_t limit) {
  Where where;
  where.add("environment =", filter.environment);
  where.add("service =", filter.service);
  where.add("kind =", filter.kind);
  where.add("outcome =", filter.outcome);
  where.add("kind <>", filter.other_than);
  if (filter.since) where.add("started >=", to_value(*filter.since));
  if (filter.behind) where.add_behind(to_value(filter.behind->started), filter.behind->id);
  return runs_of(core_->run(Work::single, [&](Session& session) {
    return session.exec("SELECT " + run_columns + " FROM staithe_runs" + where.sql +
                            " ORDER BY started DESC, id DESC LIMIT " + std::to_string(limit),
                        where.values);
  }));
}

std::optional<Run> Store::run(std::string_view id) {
  check_text("run", id);
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec("SELECT " + run_columns + ", plan_json FROM staithe_runs WHERE id = $1",
                        {std::string(id)});
  });
  if (rows.rows.empty()) return std::nullopt;
  return run_of(rows.rows.front());
}

std::size_t Store::prune(std::string_view environment, std::size_t keep) {
  check_text("environment", environment);
  return core_->run(Work::transaction, [&](Session& session) {
    std::size_t gone = 0;
    for (const char* kinds : {"kind <> 'exec'", "kind = 'exec'"}) {
      const Rows old =
          session.exec("SELECT id FROM staithe_runs WHERE environment = $1 AND ended IS NOT NULL AND " +
                           std::string(kinds) + " ORDER BY started DESC, id DESC LIMIT " +
                           std::to_string(most_pruned - gone) + " OFFSET " + std::to_string(keep),
                       {std::string(environment)});
      for (const Row& row : old.rows) {
        const std::string id = to_text(row.at(0));
        session.exec("DELETE FROM staithe_journal WHERE run_id = $1", {id});
        session.exec("DELETE FROM staithe_runs WHERE id = $1 AND ended IS NOT NULL", {id});
      }
      gone += old.rows.size();
    }
    return gone;
  });
}

void Store::record_release(const Release& release) {
  if (release.id.empty()) throw base::Error(base::ErrorCode::invalid, "a release needs an id");
  for (const std::string* text :
       {&release.environment, &release.service, &release.id, &release.sha, &release.ref, &release.run_id}) {
    check_text("release", *text);
  }
  const std::string time = to_value(release.time == Time{} ? now() : release.time);
  core_->run(Work::single, [&](Session& session) {
    session.exec(
        "INSERT INTO staithe_releases (environment, service, id, sha, ref, state, time, run_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (environment, service, id) DO UPDATE SET "
        "sha = excluded.sha, ref = excluded.ref, state = excluded.state, time = excluded.time, "
        "run_id = excluded.run_id",
        {release.environment, release.service, release.id, release.sha, release.ref,
         std::string(name_of(release.state)), time, release.run_id});
  });
}

std::vector<Release> Store::releases(std::string_view environment, std::string_view service,
                                     std::size_t limit) {
  check_text("environment", environment);
  check_text("service", service);
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec(
        "SELECT environment, service, id, sha, ref, state, time, run_id FROM staithe_releases "
        "WHERE environment = $1 AND service = $2 ORDER BY time DESC, id DESC LIMIT " +
            std::to_string(limit),
        {std::string(environment), std::string(service)});
  });
  std::vector<Release> releases;
  for (const Row& row : rows.rows) {
    const auto state = release_state(to_text(row.at(5)));
    if (!state) throw base::Error(base::ErrorCode::io, core_->where() + ": a release has an unknown state");
    releases.push_back({to_text(row.at(0)), to_text(row.at(1)), to_text(row.at(2)), to_text(row.at(3)),
                        to_text(row.at(4)), *state, to_time(row.at(6)), to_text(row.at(7))});
  }
  return releases;
}

}  // namespace staithe::store
