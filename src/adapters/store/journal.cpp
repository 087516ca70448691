#include "convert.hpp"
#include "core.hpp"

#include <deque>

namespace staithe::store {
namespace {

constexpr std::size_t max_body_bytes = 1 << 20;
constexpr std::size_t journal_columns = 8;

/// How many of the entries are in the table by this writer's hand.
std::uint64_t count_own(Session& session, const std::string& writer, std::span<PendingEntry* const> entries) {
  std::string sql = "SELECT count(*) FROM staithe_journal WHERE writer = $1 AND (";
  std::vector<Value> values{writer};
  for (const PendingEntry* pending : entries) {
    if (values.size() > 1) sql += " OR ";
    sql += "(run_id = $" + std::to_string(values.size() + 1) + " AND seq = $" +
           std::to_string(values.size() + 2) + ")";
    values.emplace_back(pending->run_id);
    values.emplace_back(std::to_string(pending->entry.seq));
  }
  const Rows rows = session.exec(sql + ")", values);
  return static_cast<std::uint64_t>(to_number(rows.rows.at(0).at(0)));
}

}  // namespace

void Store::Core::write_entries(std::span<PendingEntry* const> entries) {
  std::deque<std::string> numbers;  // stay where they are
  std::vector<std::string_view> values;
  values.reserve(entries.size() * journal_columns);
  for (const PendingEntry* pending : entries) {
    const JournalEntry& entry = pending->entry;
    const std::string& seq = numbers.emplace_back(std::to_string(entry.seq));
    const std::string& time = numbers.emplace_back(to_value(entry.time));
    values.insert(values.end(),
                  {pending->run_id, seq, time, entry.host, entry.action_id, entry.kind, entry.body, writer});
  }
  run(Work::single, [&](Session& session) {
    // A repeat after a lost connection meets the rows of its first attempt; rows of anybody else are a
    // conflict.
    const auto added =
        session.insert("INSERT INTO staithe_journal (run_id, seq, time, host, action_id, kind, body, writer)",
                       journal_columns, values, "ON CONFLICT (run_id, seq) DO NOTHING");
    if (added == entries.size() || count_own(session, writer, entries) == entries.size()) return;
    throw base::Error(
        base::ErrorCode::conflict,
        session.where() + ": another process writes the journal of run " + entries.front()->run_id);
  });
}

std::uint64_t Store::append(std::string_view run_id, JournalEntry entry) {
  prepare(run_id, entry);
  return core_->appends.append(run_id, std::move(entry));
}

std::uint64_t Store::enqueue(std::string_view run_id, JournalEntry entry) {
  prepare(run_id, entry);
  return core_->appends.enqueue(run_id, std::move(entry));
}

void Store::prepare(std::string_view run_id, JournalEntry& entry) {
  check_text("journal entry's host", entry.host);
  check_text("journal entry's action", entry.action_id);
  check_text("journal entry's kind", entry.kind);
  check_text("journal entry", entry.body, max_body_bytes);
  if (entry.time == Time{}) entry.time = now();
  if (!core_->appends.knows(run_id)) {
    check_text("journal entry's run", run_id);
    const Rows rows = core_->run(Work::single, [&](Session& session) {
      return session.exec(
          "SELECT max(seq), (SELECT count(*) FROM staithe_runs WHERE id = $1) "
          "FROM staithe_journal WHERE run_id = $1",
          {std::string(run_id)});
    });
    if (to_number(rows.rows.at(0).at(1)) == 0) {
      throw base::Error(base::ErrorCode::not_found, core_->where() + ": no run " + std::string(run_id));
    }
    core_->appends.learn(run_id, static_cast<std::uint64_t>(to_number(rows.rows.at(0).at(0))));
  }
}

std::vector<JournalEntry> Store::journal(std::string_view run_id, std::uint64_t after, std::size_t limit) {
  check_text("run", run_id);
  core_->appends.flush();
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec(
        "SELECT seq, time, host, action_id, kind, body FROM staithe_journal "
        "WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT " +
            std::to_string(limit),
        {std::string(run_id), std::to_string(after)});
  });
  std::vector<JournalEntry> entries;
  entries.reserve(rows.rows.size());
  for (const Row& row : rows.rows) {
    entries.push_back({static_cast<std::uint64_t>(to_number(row.at(0))), to_time(row.at(1)),
                       to_text(row.at(2)), to_text(row.at(3)), to_text(row.at(4)), to_text(row.at(5))});
  }
  return entries;
}

}  // namespace staithe::store
