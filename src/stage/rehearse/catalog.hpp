#pragma once
#include "numbers.hpp"
#include "observer.hpp"

#include "staithe/pg/session.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <map>
#include <string>
#include <string_view>

namespace staithe::stage {

struct Relation {
  std::string name;  ///< "app.users", quoted where needed
  std::string bare;  ///< "users", as notices have it
  char kind = 'r';   ///< pg_class.relkind
  Oid filenode = 0;
  Oid table = 0;  ///< of an index: its table
  std::uint64_t rows = 0;
  bool is_toast = false;
};

/// What a session sees of the database at one moment.
struct CatalogState {
  std::map<Oid, Relation> relations;
  std::map<Oid, Touched> touched;  ///< since the session's transaction began
  std::uint64_t wal = 0;           ///< position of its end, in bytes
  std::uint64_t size_bytes = 0;

  const Relation* find_bare(std::string_view bare) const;
};

CatalogState read_state(pg::Session& session, const base::Scope& scope);

/// The relation locks that the session holds now.
std::vector<std::pair<Oid, std::string>> held_locks(pg::Session& session, const base::Scope& scope);

/// What was done between two states, and by the server's own words.
std::vector<Deed> deeds_of(const CatalogState& before, const CatalogState& after,
                           const std::vector<pg::Notice>& notices);
std::uint64_t temp_bytes_of(const std::vector<pg::Notice>& notices);
std::vector<Touched> touched_between(const CatalogState& before, const CatalogState& after);

}  // namespace staithe::stage
