#include "staithe/pg/connection.hpp"

#include "sqlstate.hpp"
#include "url.hpp"

#include <poll.h>
#include <pqxx/pqxx>
#include <sys/socket.h>

#include <algorithm>
#include <system_error>
#include <thread>

namespace staithe::pg {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;
using base::Woke;

/// libpqxx waits in libpq without a limit, so this watches from outside: when the scope ends before finish(),
/// the socket is shut down under the waiting call, which then fails at once.
class Watch {
 public:
  Watch(int socket, const Scope& scope) : thread_([this, socket, scope] { run(socket, scope); }) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { finish(); }

  /// Woke::ready: the call was let alone.
  Woke finish() noexcept {
    if (thread_.joinable()) {
      done_.request();
      thread_.join();
    }
    return woke_;
  }

 private:
  void run(int socket, const Scope& scope) noexcept {
    try {
      woke_ = base::wait_for(done_.fd(), POLLIN, scope);
    } catch (const Error&) {
      woke_ = Woke::deadline;
    }
    if (woke_ != Woke::ready) ::shutdown(socket, SHUT_RDWR);
  }

  base::Cancel done_;
  Woke woke_ = Woke::ready;
  std::thread thread_;
};

template <class F>
struct Finally {
  F work;
  ~Finally() { work(); }
};
template <class F>
Finally(F) -> Finally<F>;

/// libpqxx 6 leaves the SQLSTATE out of some of its exceptions.
std::string sqlstate_of(const pqxx::sql_error& error) {
  if (!error.sqlstate().empty()) return error.sqlstate();
  if (dynamic_cast<const pqxx::insufficient_privilege*>(&error) != nullptr) return "42501";
  if (dynamic_cast<const pqxx::undefined_table*>(&error) != nullptr) return "42P01";
  if (dynamic_cast<const pqxx::undefined_column*>(&error) != nullptr) return "42703";
  if (dynamic_cast<const pqxx::undefined_function*>(&error) != nullptr) return "42883";
  if (dynamic_cast<const pqxx::syntax_error*>(&error) != nullptr) return "42601";
  if (dynamic_cast<const pqxx::unique_violation*>(&error) != nullptr) return "23505";
  if (dynamic_cast<const pqxx::integrity_constraint_violation*>(&error) != nullptr) return "23000";
  if (dynamic_cast<const pqxx::data_exception*>(&error) != nullptr) return "22000";
  if (dynamic_cast<const pqxx::disk_full*>(&error) != nullptr) return "53100";
  if (dynamic_cast<const pqxx::insufficient_resources*>(&error) != nullptr) return "53000";
  if (dynamic_cast<const pqxx::feature_not_supported*>(&error) != nullptr) return "0A000";
  return {};
}

/// Keeps libpqxx from printing the server's notices on stderr.
#if PQXX_VERSION_MAJOR >= 7
struct Silence {
  template <class C>
  explicit Silence(C& connection) {
    if constexpr (requires { connection.set_notice_handler([](const auto&) {}); }) {
      connection.set_notice_handler([](const auto&) {});
    }
  }
};
#else
struct Silence {
  explicit Silence(pqxx::connection& connection) : handler(connection) {}
  pqxx::quiet_errorhandler handler;
};
#endif

/// libpqxx 6 reconnects behind its user's back, which would lose the session's settings without a word.
void keep_single_session([[maybe_unused]] pqxx::connection& connection) {
#if PQXX_VERSION_MAJOR < 7
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
#endif
}

pqxx::result run(pqxx::transaction_base& transaction, const std::string& sql, std::span<const Value> values) {
#if PQXX_VERSION_MAJOR > 7 || (PQXX_VERSION_MAJOR == 7 && PQXX_VERSION_MINOR >= 9)
  pqxx::params parameters;
  for (const Value& value : values) {
    value ? parameters.append(*value) : parameters.append();
  }
  return transaction.exec(sql, parameters);
#else
  std::vector<const char*> parameters;
  for (const Value& value : values) parameters.push_back(value ? value->c_str() : nullptr);
  return transaction.exec_params(sql, pqxx::prepare::make_dynamic_params(parameters));
#endif
}

Result copied(const pqxx::result& from) {
  Result result;
  result.affected = static_cast<std::uint64_t>(from.affected_rows());
  const auto width = from.columns();
  for (pqxx::row_size_type c = 0; c < width; ++c) result.columns.emplace_back(from.column_name(c));
  result.rows.reserve(static_cast<std::size_t>(from.size()));
  for (const auto& row : from) {
    Row& copy = result.rows.emplace_back();
    copy.reserve(static_cast<std::size_t>(width));
    for (pqxx::row_size_type c = 0; c < width; ++c) {
      const auto field = row[c];
      field.is_null() ? copy.emplace_back() : copy.emplace_back(std::string(field.c_str(), field.size()));
    }
  }
  return result;
}

}  // namespace

class Connection::Impl {
 public:
  Impl(std::string_view text, const Options& options, const Scope& scope) : url_(parse_url(text)) {
    scope.check("connecting to PostgreSQL");
    const auto wanted = std::min(options.connect_timeout, scope.left());
    const auto seconds = std::max<long long>(2, std::chrono::ceil<std::chrono::seconds>(wanted).count());
    const std::string conninfo =
        url_.conninfo({{"connect_timeout", std::to_string(seconds)},
                       {"application_name", options.application_name},
                       // A server that vanished without a word is noticed in about 20 s.
                       {"keepalives_idle", "10"},
                       {"keepalives_interval", "3"},
                       {"keepalives_count", "3"},
                       {"tcp_user_timeout", "20000"},
                       {"client_encoding", "UTF8"}});
    try {
      connection_ = std::make_unique<pqxx::connection>(conninfo);
      silence_ = std::make_unique<Silence>(*connection_);
      keep_single_session(*connection_);
    } catch (const std::exception& e) {
      const std::string why = clean(e.what());
      throw Error(connect_code(why), url_.display + ": " + why);
    }
    usable_ = true;
    prepare_session(scope);
  }

  ~Impl() { rollback(); }

  Result exec(std::string_view sql, std::span<const Value> params, const Scope& scope) {
    for (const Value& value : params) {
      if (value && value->find('\0') != std::string::npos) {
        throw Error(ErrorCode::invalid, "a value for PostgreSQL has a NUL byte in it");
      }
    }
    return guarded(scope, [&] {
      if (transaction_) return copied(run(*transaction_, std::string(sql), params));
      pqxx::nontransaction alone(*connection_);
      return copied(run(alone, std::string(sql), params));
    });
  }

  void begin(const Scope& scope) {
    if (transaction_) throw Error(ErrorCode::invalid, "a transaction is open already");
    guarded(scope, [&] { transaction_ = std::make_unique<pqxx::work>(*connection_); });
  }

  void commit(const Scope& scope) {
    if (!transaction_) throw Error(ErrorCode::invalid, "no transaction is open");
    guarded(scope, [&] { transaction_->commit(); });
    transaction_.reset();
  }

  void rollback() noexcept {
    if (!transaction_) return;
    try {
      // The ROLLBACK is a round trip too, and a dead server must not hold it up.
      guarded(Scope::lasting(std::chrono::seconds(usable_ ? 2 : 0)), [&] { transaction_->abort(); });
    } catch (const std::exception&) {
      usable_ = false;  // the server rolls back by itself when the session ends
    }
    transaction_.reset();
  }

  bool usable() const noexcept { return usable_; }
  int server_version() const noexcept { return connection_->server_version(); }
  const std::string& where() const noexcept { return url_.display; }

 private:
  std::string clean(const std::string& text) const { return without_secrets(one_line(text), url_); }

  void prepare_session(const Scope& scope) {
    exec("SELECT set_config('client_min_messages', 'error', false)", {}, scope);
    if (server_version() < 140000) return;
    try {
      exec("SELECT set_config('client_connection_check_interval', '1000', false)", {}, scope);
    } catch (const SqlError&) {
      // Servers that do not run on Linux refuse it; an abandoned statement then runs to its end there.
    }
  }

  /// Runs `work` under a watch and turns every exception into a base::Error.
  template <class F>
  auto guarded(const Scope& scope, F work) -> decltype(work()) {
    if (!usable_) throw Error(ErrorCode::io, url_.display + ": the connection is lost");
    scope.check("PostgreSQL");
    Watch watch(connection_->sock(), scope);
    // The watch may strike just after the work was done: the result holds, the connection does not.
    const Finally notice{[&] { usable_ = watch.finish() == Woke::ready && usable_; }};
    try {
      return work();
    } catch (const pqxx::in_doubt_error& e) {
      stopped(watch);
      throw Error(ErrorCode::io, url_.display + ": connection lost in a commit, which may or may not hold: " +
                                     clean(e.what()));
    } catch (const pqxx::broken_connection& e) {
      stopped(watch);
      throw Error(ErrorCode::io, url_.display + ": connection lost: " + clean(e.what()));
    } catch (const pqxx::deadlock_detected& e) {
      refused(watch, e.what(), "40P01");
    } catch (const pqxx::transaction_rollback& e) {  // not a sql_error in libpqxx 6
      refused(watch, e.what(), "40001");
    } catch (const pqxx::sql_error& e) {
      refused(watch, e.what(), sqlstate_of(e));
    } catch (const Error&) {
      throw;
    } catch (const std::exception& e) {
      // With libpqxx 6 a lost connection may also show as a plain failure.
      refused(watch, e.what(), {});
    }
  }

  /// Notes that the connection is gone and throws when the watch was what ended it.
  void stopped(Watch& watch) {
    usable_ = false;
    const Woke woke = watch.finish();
    if (woke == Woke::cancelled) throw Error(ErrorCode::cancelled, "stopped");
    if (woke == Woke::deadline) {
      throw Error(ErrorCode::timeout, url_.display + ": no answer in time; the connection was given up");
    }
  }

  [[noreturn]] void refused(Watch& watch, const std::string& text, const std::string& sqlstate) {
    if (watch.finish() != Woke::ready) stopped(watch);
    const std::string message = url_.display + ": " + clean(text);
    if (!connection_->is_open() || sqlstate.starts_with("57P") || sqlstate.starts_with("08")) {
      usable_ = false;
      throw Error(ErrorCode::io, message);
    }
    if (sqlstate.empty()) {
      usable_ = false;  // not known to be the server's word, so the session is not trusted any more
      throw Error(ErrorCode::io, message);
    }
    throw SqlError(code_of(sqlstate), message, sqlstate);
  }

  Url url_;
  bool usable_ = false;
  std::unique_ptr<pqxx::connection> connection_;
  std::unique_ptr<Silence> silence_;
  std::unique_ptr<pqxx::work> transaction_;
};

Connection::Connection(std::string_view url, const Options& options, const Scope& scope)
    : impl_(std::make_unique<Impl>(url, options, scope)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result Connection::exec(std::string_view sql, std::span<const Value> params, const Scope& scope) {
  return impl_->exec(sql, params, scope);
}
void Connection::begin(const Scope& scope) {
  impl_->begin(scope);
}
void Connection::commit(const Scope& scope) {
  impl_->commit(scope);
}
void Connection::rollback() noexcept {
  impl_->rollback();
}
bool Connection::usable() const noexcept {
  return impl_->usable();
}
int Connection::server_version() const noexcept {
  return impl_->server_version();
}
const std::string& Connection::where() const noexcept {
  return impl_->where();
}

std::string display_url(std::string_view url) {
  return parse_url(url).display;
}

}  // namespace staithe::pg
