#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace staithe::store {

using Value = std::optional<std::string>;
using Row = std::vector<Value>;

struct Rows {
  std::vector<Row> rows;
  std::uint64_t changed = 0;
};

/// One connection to where the state lives. The SQL above it is written once, in what SQLite and PostgreSQL
/// have in common: $1 parameters, TEXT and BIGINT, ON CONFLICT. For one thread at a time.
class Database {
 public:
  virtual ~Database() = default;

  /// Connects when that has not been done, or the connection was lost.
  virtual void open(const base::Scope& scope) = 0;
  virtual Rows exec(std::string_view sql, std::span<const Value> params, const base::Scope& scope) = 0;
  /// Adds rows, all or none, and returns how many of them are new: `values` has `width` for each, and rows
  /// that are there already (`on_conflict`) are left alone.
  virtual std::uint64_t insert(std::string_view into, std::size_t width,
                               std::span<const std::string_view> values, std::string_view on_conflict,
                               const base::Scope& scope) = 0;
  /// A transaction that writes.
  virtual void begin(const base::Scope& scope) = 0;
  virtual void commit(const base::Scope& scope) = 0;
  virtual void rollback() noexcept = 0;
  /// Inside a transaction: waits until no other process is between this call and its commit.
  virtual void exclude_others(const base::Scope& scope) = 0;
  virtual bool has_table(std::string_view name, const base::Scope& scope) = 0;
  /// An SQL expression for the store's clock in milliseconds since 1970.
  virtual const char* now_sql() const noexcept = 0;
  /// Whether connecting again may cure the error.
  virtual bool curable(const base::Error& error) const noexcept = 0;
  virtual std::string where() const = 0;
};

using OpenDatabase = std::function<std::unique_ptr<Database>()>;

std::unique_ptr<Database> sqlite_database(const std::string& path);
/// Throws base::Error{invalid} for a URL that cannot be meant.
std::unique_ptr<Database> postgres_database(const std::string& url);

/// A database together with the limits of the call that is using it.
class Session {
 public:
  Session(Database& database, const base::Scope& scope) : database_(database), scope_(scope) {}

  Rows exec(std::string_view sql, std::initializer_list<Value> params = {}) {
    return database_.exec(sql, std::span(params.begin(), params.size()), scope_);
  }
  Rows exec(std::string_view sql, std::span<const Value> params) {
    return database_.exec(sql, params, scope_);
  }
  std::uint64_t insert(std::string_view into, std::size_t width, std::span<const std::string_view> values,
                       std::string_view on_conflict) {
    return database_.insert(into, width, values, on_conflict, scope_);
  }
  void exclude_others() { database_.exclude_others(scope_); }
  bool has_table(std::string_view name) { return database_.has_table(name, scope_); }
  std::string now_sql() const { return database_.now_sql(); }
  std::string where() const { return database_.where(); }

 private:
  Database& database_;
  base::Scope scope_;
};

enum class Work {
  single,       ///< one statement by itself
  transaction,  ///< several that hold together
};

/// "INTO VALUES ($1, $2), ($3, $4) ON_CONFLICT" for so many rows.
std::string insert_of(std::string_view into, std::size_t width, std::size_t rows,
                      std::string_view on_conflict);

/// Waits before the next attempt, or says with false that there is none.
bool wait_for_next_attempt(int attempt, const base::Scope& scope);

/// Runs `body(Session&)`, connecting again and repeating it for as long as the scope allows when the
/// connection was lost. So the body must be safe to repeat, also when its first commit did take effect.
template <class F>
auto run_on(Database& database, Work work, const base::Scope& scope, F body)
    -> decltype(body(std::declval<Session&>())) {
  for (int attempt = 0;; ++attempt) {
    try {
      database.open(scope);
      Session session(database, scope);
      if (work == Work::single) return body(session);
      database.begin(scope);
      if constexpr (std::is_void_v<decltype(body(session))>) {
        body(session);
        database.commit(scope);
        return;
      } else {
        auto result = body(session);
        database.commit(scope);
        return result;
      }
    } catch (const base::Error& error) {
      database.rollback();
      if (!database.curable(error) || !wait_for_next_attempt(attempt, scope)) throw;
    } catch (...) {
      database.rollback();
      throw;
    }
  }
}

}  // namespace staithe::store
