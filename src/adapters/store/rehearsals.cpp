#include "convert.hpp"
#include "core.hpp"

namespace staithe::store {
namespace {

constexpr std::size_t rehearsals_kept = 500;
constexpr std::size_t longest_files = 64 * 1024;

constexpr const char* rehearsal_columns =
    "SELECT run_id, project, environment, snapshot, snapshot_taken, files_id, files, passed, verdict, "
    "budgets, duration_ms, time FROM staithe_rehearsals WHERE environment = $1 ";

Rehearsal rehearsal_of(const Row& row) {
  Columns columns_of(row);
  Rehearsal one;
  columns_of.texts(one.run_id, one.project, one.environment, one.snapshot);
  one.snapshot_taken = columns_of.time();
  columns_of.texts(one.files_id, one.files);
  one.passed = columns_of.number() != 0;
  columns_of.texts(one.verdict, one.terms);
  one.duration_ms = static_cast<std::uint64_t>(columns_of.number());
  one.time = columns_of.time();
  return one;
}

}  // namespace

void Store::record_rehearsal(const Rehearsal& one) {
  if (one.run_id.empty()) throw base::Error(base::ErrorCode::invalid, "a rehearsal needs the id of its run");
  for (const std::string* text :
       {&one.run_id, &one.project, &one.environment, &one.snapshot, &one.files_id, &one.verdict})
    check_text("rehearsal", *text);
  check_text("rehearsal", one.terms, longest_files);
  check_text("rehearsal", one.files, longest_files);
  core_->run(Work::transaction, [&](Session& session) {
    session.exec(
        "INSERT INTO staithe_rehearsals (run_id, project, environment, snapshot, snapshot_taken, files_id, "
        "files, passed, verdict, budgets, duration_ms, time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
        "$10, "
        "$11, $12) ON CONFLICT (run_id) DO UPDATE SET passed = excluded.passed, verdict = excluded.verdict, "
        "duration_ms = excluded.duration_ms, time = excluded.time",
        {one.run_id, one.project, one.environment, one.snapshot, to_value(one.snapshot_taken), one.files_id,
         one.files, one.passed ? "1" : "0", one.verdict, one.terms, std::to_string(one.duration_ms),
         to_value(one.time == Time{} ? now() : one.time)});
    session.exec(
        "DELETE FROM staithe_rehearsals WHERE environment = $1 AND run_id NOT IN (SELECT run_id FROM "
        "staithe_rehearsals WHERE environment = $1 ORDER BY time DESC, run_id DESC LIMIT " +
            std::to_string(rehearsals_kept) + ")",
        {one.environment});
  });
}

std::vector<Rehearsal> Store::rehearsals(std::string_view environment, std::size_t limit) {
  check_text("environment", environment);
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec(
        std::string(rehearsal_columns) + "ORDER BY time DESC, run_id DESC LIMIT " + std::to_string(limit),
        {std::string(environment)});
  });
  std::vector<Rehearsal> found;
  for (const Row& row : rows.rows) found.push_back(rehearsal_of(row));
  return found;
}

std::optional<Rehearsal> Store::last_rehearsal(std::string_view project, std::string_view environment,
                                               std::string_view files_id) {
  check_text("project", project);
  check_text("environment", environment);
  check_text("files", files_id);
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec(std::string(rehearsal_columns) +
                            "AND files_id = $2 AND project = $3 ORDER BY time DESC, run_id DESC LIMIT 1",
                        {std::string(environment), std::string(files_id), std::string(project)});
  });
  if (rows.rows.empty()) return std::nullopt;
  return rehearsal_of(rows.rows.front());
}

}  // namespace staithe::store
