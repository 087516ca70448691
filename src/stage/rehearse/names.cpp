#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <fmt/format.h>

namespace staithe::stage {

const char* name_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::note:
      break;
  }
  return "note";
}

const char* name_of(Blocks blocks) noexcept {
  switch (blocks) {
    case Blocks::everybody:
      return "readers and writers";
    case Blocks::writers:
      return "writers";
    case Blocks::ddl:
      return "schema changes";
    case Blocks::nobody:
      break;
  }
  return "nobody";
}

// https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES: readers take AccessShare,
// writers RowExclusive, schema changes and VACUUM ShareUpdateExclusive or more.
Blocks blocked_by(const std::string& mode) noexcept {
  if (mode == "AccessExclusiveLock") return Blocks::everybody;
  if (mode == "ExclusiveLock" || mode == "ShareRowExclusiveLock" || mode == "ShareLock")
    return Blocks::writers;
  if (mode == "ShareUpdateExclusiveLock") return Blocks::ddl;
  return Blocks::nobody;
}

const char* name_of(Deed::Kind kind) noexcept {
  switch (kind) {
    case Deed::Kind::rewrite:
      return "rewrite";
    case Deed::Kind::scan:
      return "scan";
    case Deed::Kind::scan_skipped:
      return "scan skipped";
    case Deed::Kind::foreign_key_check:
      return "foreign key check";
    case Deed::Kind::index_build:
      return "index build";
    case Deed::Kind::new_table:
      return "new table";
    case Deed::Kind::dropped:
      break;
  }
  return "dropped";
}

const char* name_of(Transactions transactions) noexcept {
  switch (transactions) {
    case Transactions::one:
      return "one";
    case Transactions::each:
      return "each";
    case Transactions::own:
      break;
  }
  return "own";
}

std::string micros_text(Micros micros) {
  const auto count = micros.count();
  if (count < 1'000) return fmt::format("{} us", count);
  if (count < 10'000) return fmt::format("{:.1f} ms", static_cast<double>(count) / 1e3);
  if (count < 1'000'000) return fmt::format("{} ms", count / 1'000);
  if (count < 60'000'000) return fmt::format("{:.1f} s", static_cast<double>(count) / 1e6);
  return fmt::format("{} m {:02} s", count / 60'000'000, count / 1'000'000 % 60);
}

std::uint64_t bytes_afterwards(const RehearsalReport& report) {
  auto bytes = static_cast<std::int64_t>(report.clone_bytes);
  for (const auto& one : report.statements) bytes += one.size_change_bytes;
  return bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

std::string revision_text(const RehearsalReport& report) {
  constexpr std::size_t short_sha = 12;
  return "migrations of commit " + report.revision.substr(0, short_sha) +
         (report.is_altered ? ", altered since" : "") +
         (report.has_unknown ? ", with files beside them that were never added to git" : "");
}

std::string short_sql(const std::string& sql, std::size_t most) {
  std::string line;
  for (const char c : sql) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space)
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  if (line.size() <= most) return line;
  std::size_t end = most - 1;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
  return line.substr(0, end) + "…";
}

}  // namespace staithe::stage
