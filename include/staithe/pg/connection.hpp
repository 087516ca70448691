#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::pg {

/// A value as PostgreSQL's text form; none is NULL. A NUL byte is refused with base::Error{invalid}.
using Value = std::optional<std::string>;
using Row = std::vector<Value>;

struct Result {
  std::vector<std::string> columns;
  std::vector<Row> rows;
  std::uint64_t affected = 0;  ///< rows touched by INSERT, UPDATE, DELETE
};

struct Options {
  std::string application_name = "staithe";
  base::Duration connect_timeout =
      std::chrono::seconds(10);  ///< for each address tried; whole seconds, at least 2
  /// Of a Session: after so long without a byte, the server is asked over a second connection whether it
  /// works for this one; 0: never. Not for what may be a pooler, which makes up the numbers of its sessions.
  base::Duration silence{0};
};

/// What is borne of a server that is known to be none behind a pooler.
constexpr base::Duration usual_silence = std::chrono::seconds(20);

/// What the server refused, with its SQLSTATE
/// (https://www.postgresql.org/docs/current/errcodes-appendix.html). The code is conflict for unique
/// violations, deadlocks and serialization failures, permission for missing rights, not_found for missing
/// tables and the like, io for a full disk, else failed.
class SqlError : public base::Error {
 public:
  SqlError(base::ErrorCode code, const std::string& message, std::string sqlstate)
      : base::Error(code, message), sqlstate_(std::move(sqlstate)) {}
  const std::string& sqlstate() const noexcept { return sqlstate_; }

 private:
  std::string sqlstate_;
};

/// One session on a PostgreSQL server. Blocking; for one thread at a time. Texts are UTF-8 in both
/// directions, whatever the database's encoding is and the environment and the role say of clients, unless
/// the URL has client_encoding. SQL_ASCII is no encoding: what such a database holds comes as it is.
///
/// A statement that its scope ends is abandoned: the connection is cut, usable() turns false, and the server
/// gives up the statement by itself within about a second (client_connection_check_interval, PostgreSQL 14
/// on Linux; older servers run it to its end). Errors: {invalid} for a URL that cannot be meant, {connect},
/// {auth}, {timeout}, {cancelled}, {io} for a connection that was lost, SqlError. No message contains the
/// password.
class Connection {
 public:
  /// `url` is postgres://[user[:password]@][host[:port][,host...]][/database][?keyword=value&...] with
  /// libpq's keywords; what it leaves out comes from libpq's environment (PGHOST, PGPASSFILE, ...).
  Connection(std::string_view url, const Options& options, const base::Scope& scope);
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  /// One statement with $1, $2, ...: in the open transaction, or by itself when there is none.
  Result exec(std::string_view sql, std::span<const Value> params, const base::Scope& scope);
  Result exec(std::string_view sql, const base::Scope& scope) { return exec(sql, {}, scope); }

  /// One transaction at a time. commit() failing with {io} leaves open whether it took effect.
  void begin(const base::Scope& scope);
  void commit(const base::Scope& scope);
  void rollback() noexcept;

  /// False once the connection was lost or cut; only a new Connection helps.
  bool usable() const noexcept;
  /// Major version times 10000, as libpq has it: 150020.
  int server_version() const noexcept;
  /// "postgres://user@host:port/database": for messages, without the password.
  const std::string& where() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// What where() says, without connecting. Throws base::Error{invalid} for a URL that cannot be meant; the
/// message does not contain the URL.
std::string display_url(std::string_view url);

}  // namespace staithe::pg
