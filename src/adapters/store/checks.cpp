#include "convert.hpp"
#include "core.hpp"

#include "staithe/base/text.hpp"

#include <chrono>
#include <map>
#include <utility>

namespace staithe::store {
namespace {

/// In the order of record_of().
constexpr std::string_view columns =
    "environment, suite, check_key, run_id, text_id, release_id, verdict, flaky, attempts, duration_ms, "
    "time, detail, "
    "excused_by";
constexpr std::size_t longest_detail = 1024;
constexpr std::size_t longest_note = std::size_t{4} * 1024 * 1024;
constexpr std::chrono::hours kept_for{24 * 100}, kept_at_most{24 * 365 * 3};
constexpr std::size_t newest_kept = 500;

CheckRecord record_of(const Row& row) {
  CheckRecord record;
  record.environment = to_text(row.at(0));
  record.suite = to_text(row.at(1));
  record.key = to_text(row.at(2));
  record.run_id = to_text(row.at(3));
  record.text_id = to_text(row.at(4));
  record.release = to_text(row.at(5));
  record.verdict = to_text(row.at(6));
  record.flaky = to_number(row.at(7)) != 0;
  record.attempts = static_cast<std::uint32_t>(to_number(row.at(8)));
  record.duration_ms = static_cast<std::uint64_t>(to_number(row.at(9)));
  record.time = to_time(row.at(10));
  record.detail = to_text(row.at(11));
  record.excused_by = to_text(row.at(12));
  return record;
}

/// What the tables can hold of a text that strangers wrote.
std::string kept(const std::string& text) {
  std::string clean = base::printable(text);
  if (clean.size() <= longest_detail) return clean;
  std::size_t end = longest_detail;
  while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xC0U) == 0x80U) --end;
  return clean.substr(0, end);
}

using Suite = std::pair<std::string, std::string>;  // environment and name
using Keys = std::vector<std::string>;

std::map<Suite, Keys> by_suite(const std::vector<CheckRecord>& records) {
  std::map<Suite, Keys> suites;
  for (const auto& one : records) suites[{one.environment, one.suite}].push_back(one.key);
  return suites;
}

/// Whether the suite has had no result in this hour: what is due once in a while is due then. One check
/// stands for all, another each hour: one of them may run more often than the others.
bool first_of_the_hour(Session& session, const Suite& suite, const Keys& keys) {
  const auto hour_of = [](Time time) {
    return std::chrono::floor<std::chrono::hours>(time).time_since_epoch();
  };
  const auto hour = hour_of(now());
  const auto& key = keys[static_cast<std::size_t>(hour.count()) % keys.size()];
  const Rows newest = session.exec(
      "SELECT MAX(time) FROM staithe_checks WHERE environment = $1 AND suite = $2 AND check_key = $3",
      {suite.first, suite.second, key});
  return newest.rows.empty() || hour_of(to_time(newest.rows.front().at(0))) != hour;
}

/// By age alone a clock that jumps a year would empty the history. Of checks that are no more everything
/// stays for those three years: it does not grow, and is looked for nowhere.
void forget_old(Session& session, const Suite& suite, const Keys& keys) {
  const std::string of_suite = "FROM staithe_checks WHERE environment = $1 AND suite = $2 ";
  const std::string of_check = of_suite + "AND check_key = $3 ";
  const auto& [environment, name] = suite;
  for (const auto& key : keys)
    session.exec("DELETE " + of_check + "AND time < $4 AND time < (SELECT time " + of_check +
                     "ORDER BY time DESC LIMIT 1 OFFSET " + std::to_string(newest_kept - 1) + ")",
                 {environment, name, key, to_value(now() - kept_for)});
  session.exec("DELETE " + of_suite + "AND time < $3", {environment, name, to_value(now() - kept_at_most)});
}

}  // namespace

void Store::record_checks(const std::vector<CheckRecord>& records) {
  for (const auto& one : records)
    for (const std::string* text : {&one.environment, &one.suite, &one.key, &one.run_id, &one.release})
      check_text("check", *text);
  const auto suites = by_suite(records);
  core_->run(Work::transaction, [&](Session& session) {
    std::vector<Suite> due;
    for (const auto& [suite, keys] : suites)
      if (first_of_the_hour(session, suite, keys)) due.push_back(suite);
    for (const auto& one : records)
      session.exec(
          "INSERT INTO staithe_checks (environment, suite, check_key, run_id, text_id, release_id, verdict, "
          "flaky, "
          "attempts, duration_ms, time, detail, excused_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
          "$11, "
          "$12, $13) "
          "ON CONFLICT (environment, suite, check_key, run_id) DO UPDATE SET verdict = excluded.verdict, "
          "flaky = excluded.flaky, attempts = excluded.attempts, duration_ms = excluded.duration_ms, "
          "detail = excluded.detail",
          {one.environment, one.suite, one.key, one.run_id, one.text_id, one.release, one.verdict,
           one.flaky ? "1" : "0", std::to_string(one.attempts), std::to_string(one.duration_ms),
           to_value(one.time), kept(one.detail), one.excused_by});
    for (const auto& suite : due) forget_old(session, suite, suites.at(suite));
  });
}

std::vector<CheckRecord> Store::check_history(std::string_view environment, std::string_view suite,
                                              std::size_t each) {
  check_text("environment", environment);
  check_text("suite", suite);
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec(
        "SELECT " + std::string(columns) +
            " FROM (SELECT *, row_number() OVER (PARTITION BY check_key ORDER BY time "
            "DESC, run_id "
            "DESC) AS nth "
            "FROM staithe_checks WHERE environment = $1 AND suite = $2) AS numbered WHERE nth <= " +
            std::to_string(each) + " ORDER BY time DESC, run_id DESC",
        {std::string(environment), std::string(suite)});
  });
  std::vector<CheckRecord> records;
  for (const Row& row : rows.rows) records.push_back(record_of(row));
  return records;
}

std::vector<CheckRecord> Store::check_history_of(std::string_view environment, std::string_view suite,
                                                 std::string_view key, std::size_t most) {
  for (const std::string_view text : {environment, suite, key}) check_text("check", text);
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec("SELECT " + std::string(columns) +
                            " FROM staithe_checks WHERE environment = $1 AND suite = $2 AND check_key = $3 "
                            "ORDER BY time DESC, run_id DESC LIMIT " +
                            std::to_string(most),
                        {std::string(environment), std::string(suite), std::string(key)});
  });
  std::vector<CheckRecord> records;
  for (const Row& row : rows.rows) records.push_back(record_of(row));
  return records;
}

Time Store::tolerated_since(std::string_view environment, std::string_view suite, std::string_view key,
                            std::string_view text_id) {
  for (const std::string_view text : {environment, suite, key, text_id}) check_text("check", text);
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec(
        "SELECT MIN(time) FROM staithe_checks WHERE environment = $1 AND suite = $2 AND check_key = $3 AND "
        "excused_by <> '' AND time > COALESCE((SELECT MAX(time) FROM staithe_checks WHERE environment = $1 "
        "AND suite = $2 AND check_key = $3 AND (text_id <> $4 OR (excused_by = '' AND verdict IN ('pass', "
        "'degraded')))), -1)",
        {std::string(environment), std::string(suite), std::string(key), std::string(text_id)});
  });
  return rows.rows.empty() ? Time{} : to_time(rows.rows.front().at(0));
}

void Store::prune_checks(std::string_view environment, std::string_view suite, std::size_t each) {
  check_text("environment", environment);
  check_text("suite", suite);
  core_->run(Work::single, [&](Session& session) {
    session.exec(
        "DELETE FROM staithe_checks WHERE environment = $1 AND suite = $2 AND (check_key, run_id) IN "
        "(SELECT check_key, run_id FROM (SELECT check_key, run_id, row_number() OVER (PARTITION BY check_key "
        "ORDER BY time DESC, run_id DESC) AS nth FROM staithe_checks WHERE environment = $1 AND suite = $2) "
        "AS numbered WHERE nth > " +
            std::to_string(each) + ")",
        {std::string(environment), std::string(suite)});
  });
}

void Store::keep_note(std::string_view environment, std::string_view name, std::string_view body) {
  keep_notes(environment, {{std::string(name), std::string(body)}});
}

void Store::keep_notes(std::string_view environment, const std::map<std::string, std::string>& notes,
                       const LockInfo* held) {
  check_text("note", environment);
  for (const auto& [name, body] : notes) {
    check_text("note", name);
    check_text("note", body, longest_note);
  }
  core_->run(Work::transaction, [&](Session& session) {
    // The row of the lock is written to, so that nobody takes it over between this look and the commit.
    if (held != nullptr &&
        session.exec("UPDATE staithe_locks SET heartbeat = heartbeat WHERE scope = $1 AND token = $2",
                     {held->scope, held->token})
                .changed == 0)
      throw base::Error(base::ErrorCode::conflict,
                        "the lock " + held->scope + " is held by somebody else by now");
    for (const auto& [name, body] : notes)
      session.exec(
          "INSERT INTO staithe_notes (environment, name, body, time) VALUES ($1, $2, $3, $4) "
          "ON CONFLICT (environment, name) DO UPDATE SET body = excluded.body, time = excluded.time",
          {std::string(environment), name, body, to_value(now())});
  });
}

std::map<std::string, std::string> Store::notes(std::string_view environment) {
  check_text("environment", environment);
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec("SELECT name, body FROM staithe_notes WHERE environment = $1",
                        {std::string(environment)});
  });
  std::map<std::string, std::string> notes;
  for (const Row& row : rows.rows) notes[to_text(row.at(0))] = to_text(row.at(1));
  return notes;
}

}  // namespace staithe::store
