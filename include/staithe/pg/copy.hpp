#pragma once
#include "staithe/pg/session.hpp"

#include <cstdint>
#include <functional>
#include <string_view>

namespace staithe::pg {

struct Copied {
  std::uint64_t rows = 0;   ///< that the target says it has stored
  std::uint64_t bytes = 0;  ///< that went through
};

/// Called now and then with the bytes that have gone through since the last call.
using CopyProgress = std::function<void(std::uint64_t bytes)>;

/// What is said of a refusal of the source. Its words may quote the values of the row that it is about, which
/// nobody may see who gets them masked only.
enum class Words {
  whole,
  withheld,  ///< SQLSTATE with its name, table and column when given; whole only for a statement that cannot
             ///< be understood, which is refused before a row is read
};

/// Runs `copy_out` (COPY … TO STDOUT) on one session and `copy_in` (COPY … FROM STDIN) on the other and moves
/// the bytes from one to the other as they come. Nothing is stored, and no row is ever whole in memory: half
/// a megabyte is used, whatever the size of the rows.
///
/// libpq hands out whole rows, so while the copy lasts this speaks the protocol on its sockets itself
/// (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY).
///
/// Both sessions must be idle or in a transaction and are so afterwards. When it throws, both are closed,
/// and both servers give up what they did: StatementError for a refusal of either server (its text names
/// which), base::Error{io} for a lost connection or different numbers of rows at the two ends, {timeout},
/// {cancelled}.
Copied copy(Session& from, std::string_view copy_out, Session& to, std::string_view copy_in,
            const CopyProgress& progress, const base::Scope& scope, Words words = Words::whole);

}  // namespace staithe::pg
