#include "convert.hpp"
#include "core.hpp"

#include <algorithm>
#include <bit>

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

/// One statement for so many rows, a power of two: a database compiles each text once, and these are few.
/// A repeat after a lost connection meets the rows of its first attempt; rows of anybody else are a conflict.
std::string insert_of(std::size_t rows) {
  std::string sql =
      "INSERT INTO staithe_journal (run_id, seq, time, host, action_id, kind, body, writer) VALUES ";
  for (std::size_t value = 1; value <= rows * journal_columns; ++value) {
    if (value % journal_columns == 1) sql += value == 1 ? "(" : ", (";
    sql += "$" + std::to_string(value) + (value % journal_columns == 0 ? ")" : ", ");
  }
  return sql + " ON CONFLICT (run_id, seq) DO NOTHING";
}

}  // namespace

void Store::Core::write_entries(std::span<PendingEntry* const> entries) {
  // What is left of the rows is filled up with an entry that meets itself there: the shortest.
  const PendingEntry* const filler = *std::min_element(
      entries.begin(), entries.end(),
      [](const auto* one, const auto* other) { return one->entry.body.size() < other->entry.body.size(); });
  const std::size_t rows = std::bit_ceil(entries.size());
  std::vector<Value> values;
  values.reserve(rows * journal_columns);
  for (std::size_t row = 0; row < rows; ++row) {
    const PendingEntry& pending = row < entries.size() ? *entries[row] : *filler;
    const JournalEntry& entry = pending.entry;
    for (std::string value : {pending.run_id, std::to_string(entry.seq), to_value(entry.time), entry.host,
                              entry.action_id, entry.kind, entry.body, writer})
      values.emplace_back(std::move(value));
  }
  const std::string sql = insert_of(rows);
  run(Work::single, [&](Session& session) {
    if (session.exec(sql, values).changed == entries.size()) return;
    if (count_own(session, writer, entries) == entries.size()) return;
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
