#pragma once
#include "staithe/stage/catalogue.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace staithe::stage {

/// One object of a dump, as pg_restore --verbose prints it.
struct Entry {
  Oid catalogue = 0;  ///< the system catalogue that it stands in: 1259 pg_class, 2606 pg_constraint, …
  Oid oid = 0;        ///< in the source
  std::string type;   ///< "TABLE", "FK CONSTRAINT", "INDEX", …
  std::string name;
  std::string schema;
  std::string sql;
};

/// Takes pg_restore's script apart. A header counts only where a comment may stand, so that nothing in a
/// function's body or a text passes for one. Lines for psql (\restrict) are left out. `preamble` gets the
/// settings in front of the first object.
std::vector<Entry> split_script(std::string_view script, std::string& preamble);

/// Where the first statement of `sql` ends, behind its ';'; the size when there is none.
std::size_t end_of_statement(std::string_view sql);

}  // namespace staithe::stage
