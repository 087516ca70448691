#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

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

}  // namespace staithe::stage
