#include "after.hpp"
#include "catalog.hpp"
#include "facts.hpp"
#include "in_the_way.hpp"
#include "lag_clock.hpp"
#include "lint.hpp"
#include "sight.hpp"
#include "statement_text.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/stage/snapshots.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <map>

namespace staithe::stage {
namespace {

using base::Scope;

/// Those that change how long a migration takes, what it locks, or which plans are chosen.
constexpr const char* settings_sql =
    "SELECT name, reset_val || coalesce(unit, '') FROM pg_settings WHERE name IN ('wal_level', "
    "'maintenance_work_mem', "
    "'work_mem', 'shared_buffers', 'max_parallel_maintenance_workers', 'max_parallel_workers_per_gather', "
    "'max_wal_size', 'checkpoint_timeout', 'fsync', 'synchronous_commit', 'full_page_writes', "
    "'wal_compression', "
    "'random_page_cost', 'effective_cache_size', 'jit', 'default_statistics_target', 'lock_timeout', "
    "'statement_timeout', 'deadlock_timeout', 'autovacuum', 'data_checksums', 'server_version', "
    "'lc_collate', "
    "'synchronous_standby_names', 'max_standby_streaming_delay') ORDER BY name";

std::map<std::string, std::string> settings(pg::Session& session, const Scope& scope) {
  std::map<std::string, std::string> out;
  for (const auto& row : session.run(settings_sql, scope).rows)
    out[row[0].value_or("")] = row[1].value_or("");
  return out;
}

/// What snapshots ask is no statement of the application: its texts name the catalogue's schema, as pg_dump's
/// do, also where they compare rows, which would break with every column that goes.
constexpr const char* not_ours = "query NOT LIKE '%pg_catalog.%' AND query NOT LIKE '%pg_stat_statements%'";

/// Of tables and materialized views, as their statistics have it; those that have none are not in it.
struct Size {
  double rows = 0, pages = 0;
};
std::map<std::string, Size> sizes_of(pg::Session& session, const Scope& scope) {
  const auto found = session.run(
      "SELECT format('%I.%I', nspname, relname), reltuples::bigint, relpages FROM pg_class c JOIN "
      "pg_namespace n "
      "ON n.oid = c.relnamespace WHERE relkind IN ('r', 'm') AND reltuples > 0 AND nspname !~ '^pg_' AND "
      "nspname "
      "<> 'information_schema'",
      scope);
  std::map<std::string, Size> out;
  for (const auto& row : found.rows)
    out[row[0].value_or("")] = {static_cast<double>(number_of(row[1])),
                                static_cast<double>(number_of(row[2]))};
  return out;
}

std::map<std::string, double> rows_of(const std::map<std::string, Size>& sizes) {
  std::map<std::string, double> rows;
  for (const auto& [table, size] : sizes) rows[table] = size.rows;
  return rows;
}

/// A copy has no room left by rows that are gone, so that a scan there takes less than in production.
void compare_bloat(const std::map<std::string, Size>& source, const std::map<std::string, Size>& here,
                   SourceFacts& facts) {
  constexpr double worth_saying = 1.5, few_pages = 100;
  for (const auto& [table, there] : source) {
    const auto found = here.find(table);
    if (found == here.end() || there.pages < few_pages) continue;
    const double times = there.pages / there.rows / (found->second.pages / found->second.rows);
    if (times >= worth_saying)
      facts.differences.push_back(fmt::format(
          "{} has {:.1f} times the pages for each row in production: what reads all of it takes longer there",
          table, times));
  }
}

/// Read only whatever the role may do, and never in anybody's way.
pg::Session open_read_only(const std::string& url, const Scope& scope) {
  pg::Session session(url, {"staithe rehearsal looks", std::chrono::seconds(10), pg::usual_silence}, scope);
  refuse_pooler(session, scope);
  session.run(
      "SET default_transaction_read_only = on; SET lock_timeout = '500ms'; SET statement_timeout = '20s'",
      scope);
  return session;
}

/// Asked for beyond what is wanted, in the place of texts that are left out.
constexpr std::uint64_t spare = 100;

void ask_statements(pg::Session& source, std::uint32_t count, SourceFacts& facts, const Scope& scope) {
  if (count == 0) return;
  try {
    // The extension lives in whatever schema it was put.
    const auto where = source.run(
        "SELECT quote_ident(nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE "
        "extname = "
        "'pg_stat_statements'",
        scope);
    if (where.rows.empty()) {
      facts.remarks.push_back(
          "production has no pg_stat_statements: its statements were not planned on the new schema");
      return;
    }
    const auto rows = source.run(
        fmt::format(
            "SELECT query, calls FROM {}.pg_stat_statements s WHERE dbid = (SELECT oid FROM pg_database "
            "WHERE "
            "datname = current_database()) AND query ~* '^\\s*(select|insert|update|delete|with)' AND {} "
            "ORDER BY "
            "total_exec_time DESC LIMIT {}",
            where.rows[0][0].value_or(""), not_ours, count + spare),
        scope);
    std::size_t left_out = 0;
    for (const auto& row : rows.rows) {
      if (facts.statements.size() == count) break;
      const auto text = text_with_no_value(row[0].value_or(""));
      if (!text) {
        ++left_out;
        continue;
      }
      facts.statements.push_back({"", *text});
      facts.calls.push_back(number_of(row[1]));
    }
    if (left_out > 0)
      facts.remarks.push_back(fmt::format("{} of production's statements {}, or {} no whole statement",
                                          left_out,
                                          left_out == 1 ? "was left out: its text may hold values"
                                                        : "were left out: their texts may hold values",
                                          left_out == 1 ? "is" : "are"));
  } catch (const pg::StatementError& error) {
    facts.remarks.push_back("production's statements could not be read: " + error.refusal().message);
  }
}

/// What its statistics say, which takes no scan. Of a column that takes none they are older than that.
void ask_nulls(pg::Session& source, std::size_t statement, const Fact& fact, RehearsalReport& report,
               const Scope& scope) {
  const pg::Value values[] = {fact.table, plain_name(fact.column)};
  const auto found = source.query(
      "SELECT (s.null_frac * c.reltuples)::bigint, c.reltuples::bigint FROM pg_class c "
      "JOIN pg_namespace n ON n.oid = c.relnamespace "
      "JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname "
      "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname AND NOT a.attnotnull "
      "WHERE c.oid = to_regclass($1) AND s.attname = $2 AND c.reltuples > 0 ORDER BY s.inherited DESC LIMIT "
      "1",
      values, scope);
  if (found.rows.empty() || number_of(found.rows[0][0]) == 0) return;
  report.nulls_there.push_back(
      {statement, fact.table, fact.column, number_of(found.rows[0][0]), number_of(found.rows[0][1])});
}

/// How much it writes on average since its counters began; 0 where nobody counts.
double wal_rate(pg::Session& source, const Scope& scope) {
  if (source.server_version() < 140000) return 0;
  const auto found = source.run(
      "SELECT (wal_bytes / greatest(1, extract(epoch FROM now() - stats_reset)))::bigint FROM pg_stat_wal",
      scope);
  return found.rows.empty() ? 0 : static_cast<double>(number_of(found.rows[0][0]));
}

}  // namespace

std::map<std::string, double> rows_of_tables(pg::Session& session, const Scope& scope) {
  return rows_of(sizes_of(session, scope));
}

void look_at_source(const std::string& source_url, const std::vector<std::string>& tables,
                    RehearsalReport& report, const Scope& scope) {
  try {
    auto source = open_read_only(source_url, scope);
    for (const auto& table : tables) {
      const auto here = in_the_way_of(source, table, scope);
      for (const auto& lines : {here.prepared, here.others})
        for (const auto& line : lines) report.in_the_way.push_back(table + ": " + line);
    }
    for (auto& slots : idle_slots(source, scope)) report.in_the_way.push_back(std::move(slots));
    for (std::size_t i = 0; i < report.statements.size(); ++i)
      for (const auto& fact : facts_of(parsed({report.statements[i].text, 1, 1, true})))
        if (fact.act == Act::set_not_null) ask_nulls(source, i, fact, report, scope);
  } catch (const base::Error& error) {
    if (error.code() == base::ErrorCode::cancelled) throw;
    report.in_the_way.push_back("it could not be asked what is in the way there: " +
                                std::string(error.what()));
  }
}

SourceFacts ask_source(const std::string& source_url, pg::Session& clone, std::uint32_t top_statements,
                       const Scope& scope) {
  SourceFacts facts;
  try {
    auto source = open_read_only(source_url, scope);
    const auto theirs = settings(source, scope), ours = settings(clone, scope);
    for (const auto& [name, value] : theirs)
      if (const auto found = ours.find(name); found != ours.end() && found->second != value)
        facts.differences.push_back(
            fmt::format("{} is {} in production, {} here", name, value, found->second));
    if (const auto version = theirs.find("server_version"); version != theirs.end())
      facts.version = version->second;
    const auto sizes = sizes_of(source, scope);
    facts.rows = rows_of(sizes);
    compare_bloat(sizes, sizes_of(clone, scope), facts);
    ask_statements(source, top_statements, facts, scope);
    const auto standbys = source.run("SELECT count(*) FROM pg_stat_replication WHERE " + is_standby, scope);
    facts.standbys = number_of(standbys.rows.at(0)[0]);
    facts.wal_rate = wal_rate(source, scope);
    if (const auto count = facts.standbys; count > 0)
      facts.differences.push_back(
          fmt::format("production has {}: strong locks are replayed there and cancel readers after "
                      "max_standby_streaming_delay",
                      base::count_text(count, "standby")));
    facts.asked = true;
  } catch (const base::Error& error) {
    if (error.code() == base::ErrorCode::cancelled) throw;
    facts.remarks.push_back("production was not asked: " + std::string(error.what()));
  }
  return facts;
}

}  // namespace staithe::stage
