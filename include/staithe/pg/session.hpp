#pragma once
#include "staithe/pg/connection.hpp"

#include <chrono>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::pg {

/// Something the server said beside its answer. `function` is the one in the server's source that said it:
/// unlike the text it is not localised.
struct Notice {
  std::string severity;  ///< "DEBUG", "LOG", "NOTICE", "WARNING", ...: never localised
  std::string sqlstate;
  std::string message;
  std::string function;
};

/// The fields of a refusal, each "" when the server did not send it.
/// https://www.postgresql.org/docs/current/protocol-error-fields.html
struct Refusal {
  std::string sqlstate, message, detail, hint, context;
  std::string schema, table, column, data_type, constraint;
  std::size_t position = 0;  ///< 1-based character of the statement; 0 for none
};

class StatementError : public SqlError {
 public:
  StatementError(base::ErrorCode code, const std::string& text, Refusal refusal)
      : SqlError(code, text, refusal.sqlstate), refusal_(std::move(refusal)) {}
  const Refusal& refusal() const noexcept { return refusal_; }

 private:
  Refusal refusal_;
};

/// What becomes of the rows of an answer.
enum class Rows { keep, drop };

/// The most that is kept of an answer. The row that is one too many is held too, for libpq gives whole rows.
struct Bounds {
  std::size_t rows = std::numeric_limits<std::size_t>::max();
  std::size_t bytes = std::numeric_limits<std::size_t>::max();
};

/// One session that hears the server's notices and whose statements can be stopped on the server: when a
/// scope ends, the statement is cancelled there and the session stays usable. For one thread at a time.
///
/// With Options::silence a statement that is not heard of is not waited for without end, however long it may
/// take: {io} when the server does not answer a second connection within that time either, or says twice that
/// it does not work for this one. A long index build is work. So it ends at most about twice that time after
/// the last byte. Stopping a statement takes 7 s at most, with a server that is silent 2 s.
///
/// Errors as Connection has them, except that refusals are StatementErrors. At most 10,000 notices are kept
/// between two calls of take_notices.
class Session {
 public:
  Session(std::string_view url, const Options& options, const base::Scope& scope);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Simple protocol: one statement, or several that the server then makes one transaction of; the rows of
  /// the last come back. Rows::drop reads and forgets them, however many they are.
  Result run(std::string_view sql, const base::Scope& scope, Rows rows = Rows::keep);
  /// Extended protocol with $1, $2, ...
  /// An answer beyond `most` is base::Error{invalid}; the statement is stopped on the server then.
  Result query(std::string_view sql, std::span<const Value> params, const base::Scope& scope,
               const Bounds& most = {});
  void prepare(const std::string& name, std::string_view sql, const base::Scope& scope);
  Result exec_prepared(const std::string& name, std::span<const Value> params, const base::Scope& scope,
                       Rows rows = Rows::keep);

  std::vector<Notice> take_notices();
  bool in_transaction() const noexcept;  ///< also in a failed one
  /// As the server said when the session began; what a pooler says there is no process of the server.
  int backend_pid() const noexcept;
  int server_version() const noexcept;
  bool usable() const noexcept;
  const std::string& where() const noexcept;

 private:
  friend struct SessionAccess;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// `url` with another database.
std::string with_database(std::string_view url, const std::string& database);
/// The database that it names; "" when libpq's environment or the user's name decides.
std::string database_of(std::string_view url);

/// "name" with the quotes doubled: an identifier that means exactly `name`.
std::string quoted_name(std::string_view name);
/// 'text' as a literal, also where standard_conforming_strings is off.
std::string quoted_literal(std::string_view text);

}  // namespace staithe::pg
