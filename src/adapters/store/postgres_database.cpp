#include "database.hpp"

#include "staithe/pg/connection.hpp"

namespace staithe::store {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(const std::string& url) : url_(url), where_(pg::display_url(url)) {}

  void open(const Scope& scope) override {
    if (connection_ && connection_->usable()) return;
    connection_.reset();
    connection_.emplace(url_, pg::Options{"staithe", std::chrono::seconds(10)}, scope);
    // What append() has acknowledged must survive a crash of the server, however the database is set up.
    connection_->exec(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'",
        scope);
  }

  Rows exec(std::string_view sql, std::span<const Value> params, const Scope& scope) override {
    pg::Result result = connection_->exec(sql, params, scope);
    return {std::move(result.rows), result.affected};
  }
  /// One statement for all rows: one round trip.
  std::uint64_t insert(std::string_view into, std::size_t width, std::span<const std::string_view> values,
                       std::string_view on_conflict, const Scope& scope) override {
    const std::vector<Value> given(values.begin(), values.end());
    return exec(insert_of(into, width, values.size() / width, on_conflict), given, scope).changed;
  }
  void begin(const Scope& scope) override { connection_->begin(scope); }
  void commit(const Scope& scope) override { connection_->commit(scope); }
  void rollback() noexcept override {
    if (connection_) connection_->rollback();
  }
  void exclude_others(const Scope& scope) override {
    // "staithe" in ASCII. A transaction's advisory lock also works behind a pooler and needs no right.
    exec("SELECT pg_advisory_xact_lock(32497584051611749)", {}, scope);
  }

  bool has_table(std::string_view name, const Scope& scope) override {
    const Value value{std::string(name)};
    return exec("SELECT to_regclass($1)", {&value, 1}, scope).rows.at(0).at(0).has_value();
  }
  const char* now_sql() const noexcept override {
    return "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)";
  }
  bool curable(const Error& error) const noexcept override {
    if (error.code() == ErrorCode::connect) return true;  // restarting, most likely
    return error.code() == ErrorCode::io && (!connection_ || !connection_->usable());
  }
  std::string where() const override { return where_; }

 private:
  std::string url_;
  std::string where_;
  std::optional<pg::Connection> connection_;
};

}  // namespace

std::unique_ptr<Database> postgres_database(const std::string& url) {
  return std::make_unique<PostgresDatabase>(url);
}

}  // namespace staithe::store
