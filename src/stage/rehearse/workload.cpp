#include "workload.hpp"

#include "catalog.hpp"
#include "sql_text.hpp"
#include "violations.hpp"

#include "staithe/base/text.hpp"
#include "staithe/stage/clone.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

namespace staithe::stage {
namespace {

using base::Scope;
using std::chrono::duration_cast;
using std::chrono::steady_clock;

constexpr Micros worth_keeping{10'000};
constexpr std::size_t most_samples = 50'000;
constexpr std::size_t most_texts = 20;
constexpr std::chrono::hours longest{12};
constexpr std::size_t most_params = 1000;
constexpr std::size_t most_tables = 3;
constexpr base::Duration reconnect_pause{200};

bool writes(const std::string& sql) {
  diag::Diagnostics ignored;
  const auto parsed = split_sql(sql, "", ignored);
  if (parsed.statements.empty()) return false;
  const auto& tokens = parsed.statements.front().tokens;
  // What is only planned takes the locks of what it would do.
  const auto& first = tokens.front().is("explain") && tokens.size() > 1 ? tokens[1] : tokens.front();
  if (first.is("select")) return tokens.size() > 1 && tokens[1].is("nextval");
  return first.is("insert") || first.is("update") || first.is("delete") || first.is("merge");
}

/// A column to write back as it is: one that no index holds where there is such a one.
std::string column_to_write(pg::Session& session, const std::string& table, const Scope& scope) {
  const auto rows = session.run(
      "SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = " + pg::quoted_literal(table) +
          "::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = '' "
          "AND NOT "
          "EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = "
          "ANY "
          "(i.indkey)) ORDER BY EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND a.attnum "
          "= ANY "
          "(i.indkey)), a.attnum LIMIT 1",
      scope);
  return rows.rows.empty() ? std::string() : rows.rows[0][0].value_or("");
}

std::string columns_of(pg::Session& session, const std::string& table, const Scope& scope) {
  const auto rows = session.run(
      "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE "
      "attrelid = " +
          pg::quoted_literal(table) + "::regclass AND attnum > 0 AND NOT attisdropped",
      scope);
  return rows.rows.at(0)[0].value_or("*");
}

bool has_rows(pg::Session& session, const std::string& table, const Scope& scope) {
  return !session.run("SELECT FROM " + table + " LIMIT 1", scope).rows.empty();
}

void add_loads(pg::Session& session, const std::string& table, std::vector<Load>& loads, const Scope& scope) {
  const auto keys = key_of(session, table, scope);
  // A queue that is empty here may be what everybody looks at in production.
  if (keys.empty() || !has_rows(session, table, scope))
    return loads.push_back({"read " + table, "SELECT FROM " + table + " LIMIT 0", "", base::Duration{5}});
  std::vector<std::string> matches;
  for (std::size_t i = 0; i < keys.size(); ++i) matches.push_back(fmt::format("{} = ${}", keys[i], i + 1));
  const std::string where = base::join(matches, " AND ");
  const std::string params = fmt::format(
      "SELECT {} FROM {} TABLESAMPLE SYSTEM (LEAST(100, GREATEST(1, (SELECT 2000000 / "
      "GREATEST(reltuples, 1) FROM pg_class WHERE oid = {}::regclass))::real)) LIMIT {}",
      base::join(keys, ", "), table, pg::quoted_literal(table), most_params);
  loads.push_back({"read " + table,
                   fmt::format("SELECT {} FROM {} WHERE {}", columns_of(session, table, scope), table, where),
                   params, base::Duration{5}});
  const std::string column = column_to_write(session, table, scope);
  if (!column.empty())
    loads.push_back({"write " + table,
                     fmt::format("UPDATE {} SET {} = {} WHERE {}", table, column, column, where), params,
                     base::Duration{5}});
}

}  // namespace

std::vector<Load> automatic_loads(pg::Session& session, const std::vector<std::string>& tables,
                                  const Scope& scope) {
  std::vector<std::pair<std::uint64_t, std::string>> by_rows;
  std::vector<Load> loads;
  for (const auto& table : tables) {
    const auto rows = session.run(
        "SELECT greatest(reltuples, 0)::bigint, relkind = 'S' FROM pg_class WHERE relkind IN ('r', 'p', 'm', "
        "'v', 'S') AND "
        "oid = "
        "to_regclass(" +
            pg::quoted_literal(table) + ")",
        scope);
    if (rows.rows.empty()) continue;
    if (rows.rows[0][1] == "t" && loads.size() < most_tables)
      loads.push_back(
          {"next of " + table, "SELECT nextval(" + pg::quoted_literal(table) + ")", "", base::Duration{5}});
    if (rows.rows[0][1] != "t") by_rows.emplace_back(number_of(rows.rows[0][0]), table);
  }
  std::sort(by_rows.rbegin(), by_rows.rend());
  if (by_rows.size() > most_tables) by_rows.resize(most_tables);
  for (const auto& [count, table] : by_rows) add_loads(session, table, loads, scope);
  return loads;
}

std::vector<ReadyLoad> ready_loads(pg::Session& session, const std::vector<Load>& loads,
                                   std::vector<std::string>& remarks, const Scope& scope) {
  std::vector<ReadyLoad> ready;
  for (const auto& load : loads) {
    ReadyLoad one{load, writes(load.sql), {}};
    try {
      if (!load.params.empty())
        one.params = session
                         .run("SELECT * FROM (" + load.params + ") staithe_params LIMIT " +
                                  std::to_string(most_params),
                              scope)
                         .rows;
      if (!load.params.empty() && one.params.empty()) {
        remarks.push_back("the workload '" + load.name + "' has no parameters: its query has no row");
        continue;
      }
      ready.push_back(std::move(one));
    } catch (const pg::StatementError& error) {
      remarks.push_back("the workload '" + load.name + "' has no parameters: " + error.what());
    }
  }
  return ready;
}

Workload::Workload(const std::string& url, std::vector<ReadyLoad> loads, const Scope& scope)
    : url_(url), loads_(std::move(loads)) {
  for (std::size_t i = 0; i < loads_.size(); ++i) threads_.emplace_back([this, i, scope] { run(i, scope); });
}

Workload::~Workload() {
  finish();
}

/// Even to prepare a statement waits for the lock of its table, which is a stall like any other.
std::unique_ptr<pg::Session> Workload::open(std::size_t index) {
  const Scope until_done = Scope::lasting(longest, &done_);
  auto session = std::make_unique<pg::Session>(connect_clone(url_, "workload", until_done));
  if (loads_[index].load.read_only)
    session->run("SET standard_conforming_strings = on; SET default_transaction_read_only = on", until_done);
  const auto began = steady_clock::now();
  try {
    session->prepare("load", loads_[index].load.sql, until_done);
  } catch (const base::Error&) {
    if (done_.requested()) keep(index, began, {});
    throw;
  }
  keep(index, began, {});
  return session;
}

void Workload::run(std::size_t index, const Scope& scope) {
  const ReadyLoad& ready = loads_[index];
  std::unique_ptr<pg::Session> session;
  for (std::size_t turn = 0; !done_.requested() && !scope.cancelled() && !scope.expired(); ++turn) {
    base::Duration pause = ready.load.every;
    try {
      if (!session || !session->usable()) session = open(index);
      run_once(*session, ready, turn, index);
    } catch (const std::exception& error) {
      if (done_.requested()) return;
      const std::lock_guard lock(mutex_);
      ++errors_;
      if (error_texts_.size() < most_texts) error_texts_.emplace(error.what(), ready.load.name);
      session.reset();
      pause = reconnect_pause;
    }
    base::wait_for(done_.fd(), POLLIN, scope.at_most(pause));
  }
}

void Workload::keep(std::size_t index, SteadyTime began, std::string error, Micros work) {
  const auto lasted = std::max(Micros{0}, duration_cast<Micros>(steady_clock::now() - began) - work);
  const std::lock_guard lock(mutex_);
  if (!error.empty()) {
    ++errors_;
    if (error_texts_.size() < most_texts) error_texts_.emplace(error, loads_[index].load.name);
  }
  if ((lasted >= worth_keeping || !error.empty()) && samples_.size() < most_samples)
    samples_.push_back({index, began, lasted, std::move(error)});
}

void Workload::run_once(pg::Session& session, const ReadyLoad& ready, std::size_t turn, std::size_t index) {
  const auto began = steady_clock::now();
  std::string refused;
  try {
    const std::span<const pg::Value> params =
        ready.params.empty() ? std::span<const pg::Value>() : ready.params[turn % ready.params.size()];
    // Longer than any migration may take: a stall is measured to its end, or to the end of the pass.
    session.exec_prepared("load", params, Scope::lasting(longest, &done_), pg::Rows::drop);
  } catch (const pg::StatementError& error) {
    refused = error.refusal().message;
  } catch (const base::Error&) {
    if (!done_.requested()) throw;
    return keep(
        index, began, {},
        ready.load.alone);  // it waits at the end of the pass, and nobody knows how it would have ended
  }
  keep(index, began, std::move(refused), ready.load.alone);
  const std::lock_guard lock(mutex_);
  ++runs_;
}

std::vector<LoadSample> Workload::finish() {
  done_.request();
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
  std::sort(samples_.begin(), samples_.end(), [](const auto& a, const auto& b) { return a.began < b.began; });
  return samples_;
}

std::uint64_t Workload::runs() const {
  const std::lock_guard lock(mutex_);
  return runs_;
}
std::uint64_t Workload::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}
std::map<std::string, std::string> Workload::error_texts() const {
  const std::lock_guard lock(mutex_);
  return error_texts_;
}

std::vector<Stall> stalls_of(const std::vector<LoadSample>& samples, const std::vector<ReadyLoad>& loads,
                             SteadyTime zero, std::size_t most) {
  std::vector<Stall> stalls;
  for (const auto& sample : samples)
    stalls.push_back({loads[sample.load].load.name, loads[sample.load].writes,
                      std::max(Micros{0}, duration_cast<Micros>(sample.began - zero)), sample.lasted,
                      sample.error});
  std::sort(stalls.begin(), stalls.end(), [](const auto& a, const auto& b) { return a.lasted > b.lasted; });
  if (stalls.size() > most) stalls.resize(most);
  std::sort(stalls.begin(), stalls.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return stalls;
}

}  // namespace staithe::stage
