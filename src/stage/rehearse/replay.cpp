#include "replay.hpp"

#include "catalog.hpp"
#include "observer.hpp"
#include "query_plans.hpp"
#include "reach.hpp"

#include "staithe/base/text.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace staithe::stage {
namespace {

using base::Scope;

constexpr std::size_t longest_name = 60;
/// To the server 0 is no limit.
constexpr base::Duration shortest_patience{1};

/// Tables that the transaction has come to work on, as SQL names.
constexpr const char* tables_locked =
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN "
    "pg_namespace n ON n.oid = c.relnamespace WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND "
    "l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// "SELECT NULL AS p1, NULL AS p2"
std::string nothing_for(std::size_t params) {
  std::vector<std::string> columns;
  for (std::size_t i = 1; i <= params; ++i) columns.push_back(fmt::format("NULL AS p{}", i));
  return columns.empty() ? std::string() : "SELECT " + base::join(columns, ", ");
}

/// What came of a statement.
enum class Fit { fits, elsewhere, cannot, unseen };

/// Refused too where the server refuses it. Runs nothing, plans nothing.
Reach looked_at(pg::Session& session, const std::string& sql, Use use, const Scope& scope) {
  try {
    return prepare(session, "staithe_looks", sql, use, scope);
  } catch (const pg::StatementError&) {
    return Reach::refused;  // a table or an extension that is not here, a type that nobody can guess
  }
}

/// Whether `sql` works on one of the tables, lets nothing out of the clone, and can be used with nothing for
/// its values: then `load` has the text that is to be sent, and what it takes. Leaves the transaction open.
Fit tried(pg::Session& session, Load& load, const std::string& sql, Use use,
          const std::vector<std::string>& tables, base::Duration patience, const Scope& scope) {
  const auto reach = looked_at(session, sql, use, scope);
  if (reach == Reach::refused) return Fit::unseen;
  const auto locked = session.run(tables_locked, scope);
  const bool is_about = std::any_of(locked.rows.begin(), locked.rows.end(), [&](const pg::Row& row) {
    return std::find(tables.begin(), tables.end(), row[0].value_or("")) != tables.end();
  });
  if (!is_about) return Fit::elsewhere;
  if (reach == Reach::leaves) return Fit::cannot;
  const auto count = session.run(
      "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'staithe_looks'", scope);
  const std::vector<pg::Value> nothing(number_of(count.rows.at(0)[0]));
  load.sql = use == Use::run ? sql : "EXPLAIN " + sql;
  load.params = nothing_for(nothing.size());
  // For the statement alone: what is asked of catalogues first takes what it takes.
  const auto limit = std::max(shortest_patience, patience);
  session.run("SET LOCAL statement_timeout = " + std::to_string(limit.count()), scope);
  session.prepare("staithe_replay", load.sql, scope);
  session.exec_prepared("staithe_replay", nothing, scope,
                        pg::Rows::drop);  // whose rows are read from the disk
  const auto began = std::chrono::steady_clock::now();
  session.exec_prepared("staithe_replay", nothing, scope, pg::Rows::drop);
  load.alone = std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - began);
  return Fit::fits;
}

/// In a transaction of its own, which can only read and is taken back.
Fit tried_alone(pg::Session& clone, Load& load, const std::string& sql, Use use,
                const std::vector<std::string>& tables, base::Duration patience, const Scope& scope) {
  Fit fit = Fit::cannot;
  clone.run("BEGIN READ ONLY", scope);
  try {
    clone.run("SET LOCAL standard_conforming_strings = on", scope);
    fit = tried(clone, load, sql, use, tables, patience, scope);
  } catch (const pg::StatementError&) {
    // It needs values, or more time than a reader who looks up a row.
  }
  clone.run("ROLLBACK", scope);
  clone.run("DEALLOCATE ALL", scope);
  return fit;
}

}  // namespace

std::vector<Load> replayed_loads(pg::Session& clone, const std::vector<Query>& statements,
                                 const std::vector<std::string>& tables, std::size_t most,
                                 base::Duration patience, std::vector<std::string>& remarks,
                                 const Scope& scope) {
  std::vector<Load> loads;
  std::size_t left_out = 0, unseen = 0;
  for (const auto& statement : statements) {
    const std::string& sql = statement.sql;
    if (loads.size() >= most) break;
    Load load{"production's " + short_sql(sql, longest_name), {}, {}, base::Duration{5}};
    load.read_only = true;
    Fit fit = Fit::elsewhere;
    if (only_reads(sql)) fit = tried_alone(clone, load, sql, Use::run, tables, patience, scope);
    if (fit != Fit::fits && can_be_planned(sql))
      fit = tried_alone(clone, load, sql, Use::plan, tables, patience, scope);
    if (fit == Fit::fits) loads.push_back(std::move(load));
    if (fit == Fit::cannot) ++left_out;
    if (fit == Fit::unseen) ++unseen;
  }
  if (left_out > 0)
    remarks.push_back(fmt::format(
        "{} of {} of production's statements on the same tables could not be run or planned beside the "
        "migration: the workload is without them",
        left_out, left_out + loads.size()));
  if (unseen > 0)
    remarks.push_back(
        fmt::format("{} of production's statements could not be prepared on the clone, so that nobody knows "
                    "whether {} on "
                    "the same tables: the workload is without {}",
                    unseen, unseen == 1 ? "it works" : "they work", unseen == 1 ? "it" : "them"));
  return loads;
}

}  // namespace staithe::stage
