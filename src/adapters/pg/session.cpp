#include "staithe/pg/session.hpp"

#include "session_access.hpp"
#include "sqlstate.hpp"
#include "url.hpp"

#include "staithe/base/text.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <thread>

namespace staithe::pg {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;
using base::Woke;

constexpr std::size_t most_notices = 10'000;
/// For the server to confirm that it stopped a statement; after that the session is given up.
constexpr base::Duration cancel_patience{5'000};
/// For the connection that asks for it.
constexpr base::Duration request_patience{2'000};

struct CloseConnection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ConnectionHandle = std::unique_ptr<PGconn, CloseConnection>;
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string() : std::string(text);
}

std::size_t number(const std::string& text) {
  std::size_t value = 0;
  for (const char c : text)
    if (c >= '0' && c <= '9') value = value * 10 + static_cast<std::size_t>(c - '0');
  return value;
}

Refusal refusal_of(const PGresult* result) {
  Refusal refusal;
  refusal.sqlstate = field(result, PG_DIAG_SQLSTATE);
  refusal.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  refusal.detail = field(result, PG_DIAG_MESSAGE_DETAIL);
  refusal.hint = field(result, PG_DIAG_MESSAGE_HINT);
  refusal.context = field(result, PG_DIAG_CONTEXT);
  refusal.schema = field(result, PG_DIAG_SCHEMA_NAME);
  refusal.table = field(result, PG_DIAG_TABLE_NAME);
  refusal.column = field(result, PG_DIAG_COLUMN_NAME);
  refusal.data_type = field(result, PG_DIAG_DATATYPE_NAME);
  refusal.constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
  refusal.position = number(field(result, PG_DIAG_STATEMENT_POSITION));
  return refusal;
}

void append_rows(const PGresult* from, Result& result) {
  const int width = PQnfields(from);
  if (result.columns.empty())
    for (int c = 0; c < width; ++c) result.columns.emplace_back(PQfname(from, c));
  for (int r = 0; r < PQntuples(from); ++r) {
    Row& row = result.rows.emplace_back();
    row.reserve(static_cast<std::size_t>(width));
    for (int c = 0; c < width; ++c) {
      if (PQgetisnull(from, r, c) != 0)
        row.emplace_back();
      else
        row.emplace_back(
            std::string(PQgetvalue(from, r, c), static_cast<std::size_t>(PQgetlength(from, r, c))));
    }
  }
}

/// What of an answer is kept, and whether there is more than may be.
class Answer {
 public:
  Answer(Rows rows, const Bounds& most) : rows_(rows), most_(most) {}

  bool one_by_one() const noexcept {
    return rows_ == Rows::drop || most_.rows != Bounds{}.rows || most_.bytes != Bounds{}.bytes;
  }
  bool too_much() const noexcept {
    return rows_ == Rows::keep && (kept_.rows.size() > most_.rows || bytes_ > most_.bytes);
  }

  void add(PGresult* part) {
    // Of several statements the last one's rows are kept.
    if (!one_by_one()) kept_ = Result{};
    if (rows_ == Rows::keep && !too_much()) {
      append_rows(part, kept_);
      if (PQntuples(part) > 0) bytes_ += size_of(kept_.rows.back());
    }
    kept_.affected = number(PQcmdTuples(part));
  }

  Result take() {
    if (!too_much()) return std::move(kept_);
    const auto limit =
        bytes_ > most_.bytes ? base::bytes_text(most_.bytes) : std::to_string(most_.rows) + " rows";
    throw Error(ErrorCode::invalid, "the query gives more than " + limit);
  }

 private:
  static std::size_t size_of(const Row& row) {
    std::size_t size = row.size() * sizeof(Value);
    for (const auto& cell : row) size += cell ? cell->size() : 0;
    return size;
  }

  Rows rows_;
  Bounds most_;
  Result kept_;
  std::size_t bytes_ = 0;  ///< counted where rows come one by one
};

std::vector<const char*> pointers(std::span<const Value> params) {
  std::vector<const char*> out;
  out.reserve(params.size());
  for (const Value& value : params) {
    if (value && value->find('\0') != std::string::npos)
      throw Error(ErrorCode::invalid, "a value for PostgreSQL has a NUL byte in it");
    out.push_back(value ? value->c_str() : nullptr);
  }
  return out;
}

}  // namespace

class Session::Impl {
 public:
  Impl(std::string_view text, const Options& options, const Scope& scope) : url_(parse_url(text)) {
    scope.check("connecting to PostgreSQL");
    const Scope limited = scope.at_most(options.connect_timeout);
    const std::string conninfo = url_.conninfo({{"application_name", options.application_name},
                                                {"keepalives_idle", "10"},
                                                {"keepalives_interval", "3"},
                                                {"keepalives_count", "3"},
                                                {"tcp_user_timeout", "20000"},
                                                // What we send and write down is UTF-8, whatever the
                                                // environment or the role says of clients.
                                                {"client_encoding", "UTF8"}});
    connection_.reset(PQconnectStart(conninfo.c_str()));
    if (!connection_) throw Error(ErrorCode::failed, "no memory for a connection to PostgreSQL");
    PQsetNoticeReceiver(connection_.get(), &Impl::on_notice, this);
    connect(limited);
    // Neither a long statement nor the good-bye of PQfinish waits in libpq for a socket that takes nothing.
    PQsetnonblocking(connection_.get(), 1);
    silence_.emplace(with_keywords(text, address()), options, backend_pid(), url_.display);
    usable_ = true;
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result run(std::string_view sql, const Scope& scope, Rows rows) {
    const std::string text(sql);
    return perform(scope, rows, [&] { return PQsendQuery(connection_.get(), text.c_str()); });
  }

  Result query(std::string_view sql, std::span<const Value> params, const Scope& scope, const Bounds& most) {
    const std::string text(sql);
    const auto values = pointers(params);
    return perform(
        scope, Rows::keep,
        [&] {
          return PQsendQueryParams(connection_.get(), text.c_str(), static_cast<int>(values.size()), nullptr,
                                   values.data(), nullptr, nullptr, 0);
        },
        most);
  }

  void prepare(const std::string& name, std::string_view sql, const Scope& scope) {
    const std::string text(sql);
    perform(scope, Rows::drop,
            [&] { return PQsendPrepare(connection_.get(), name.c_str(), text.c_str(), 0, nullptr); });
  }

  Result exec_prepared(const std::string& name, std::span<const Value> params, const Scope& scope,
                       Rows rows) {
    const auto values = pointers(params);
    return perform(scope, rows, [&] {
      return PQsendQueryPrepared(connection_.get(), name.c_str(), static_cast<int>(values.size()),
                                 values.data(), nullptr, nullptr, 0);
    });
  }

  std::vector<Notice> take_notices() { return std::exchange(notices_, {}); }
  bool in_transaction() const noexcept {
    const auto status = PQtransactionStatus(connection_.get());
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
  }
  int backend_pid() const noexcept { return PQbackendPID(connection_.get()); }
  int server_version() const noexcept { return PQserverVersion(connection_.get()); }
  bool usable() const noexcept { return usable_; }
  const std::string& where() const noexcept { return url_.display; }

  PGconn* connection() noexcept { return connection_.get(); }
  SilenceWatch& silence() noexcept { return *silence_; }
  /// libpq keeps the object, so that a notice or a question about its state finds one.
  void close() noexcept {
    usable_ = false;
    if (const int fd = PQsocket(connection_.get()); fd >= 0) ::shutdown(fd, SHUT_RDWR);
  }
  std::string clean(const std::string& text) const { return without_secrets(text, url_); }

 private:
  static void on_notice(void* self, const PGresult* result) noexcept {
    try {
      auto& notices = static_cast<Impl*>(self)->notices_;
      if (notices.size() >= most_notices) return;
      notices.push_back({field(result, PG_DIAG_SEVERITY_NONLOCALIZED), field(result, PG_DIAG_SQLSTATE),
                         field(result, PG_DIAG_MESSAGE_PRIMARY), field(result, PG_DIAG_SOURCE_FUNCTION)});
    } catch (const std::exception&) {
      // A notice that there is no memory for is lost; libpq cannot pass an exception on.
    }
  }

  /// Of the server that answered: the URL may name several, a name have several addresses, and what the
  /// server is to be may have changed by now.
  std::vector<std::pair<std::string, std::string>> address() const {
    const auto text = [](const char* value) { return std::string(value == nullptr ? "" : value); };
    std::vector<std::pair<std::string, std::string>> keywords{{"host", text(PQhost(connection_.get()))},
                                                              {"port", text(PQport(connection_.get()))},
                                                              {"target_session_attrs", "any"}};
    // One of a link only is none without the link's name, which libpq does not tell.
    if (auto ip = text(PQhostaddr(connection_.get())); !ip.empty() && !ip.starts_with("fe80:"))
      keywords.emplace_back("hostaddr", std::move(ip));
    return keywords;
  }

  std::string said() const { return one_line(without_secrets(PQerrorMessage(connection_.get()), url_)); }

  void connect(const Scope& scope) {
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (PQstatus(connection_.get()) != CONNECTION_BAD) {
      const short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
      const Woke woke = base::wait_for(PQsocket(connection_.get()), events, scope);
      if (woke == Woke::cancelled) throw Error(ErrorCode::cancelled, "stopped");
      if (woke == Woke::deadline)
        throw Error(ErrorCode::timeout, url_.display + ": no connection in time: it is silent");
      status = PQconnectPoll(connection_.get());
      if (status == PGRES_POLLING_OK) return;
      if (status == PGRES_POLLING_FAILED) break;
    }
    const std::string why = said();
    throw Error(connect_code(why), url_.display + ": " + why);
  }

  template <class Send>
  Result perform(const Scope& scope, Rows rows, Send send, const Bounds& most = {}) {
    if (!usable_) throw Error(ErrorCode::io, url_.display + ": the connection is lost");
    scope.check("PostgreSQL");
    silence_->broken();
    if (send() == 0) lost();
    Answer answer(rows, most);
    // Gives a result a row, so that this loop never holds more of what is not kept than one.
    if (answer.one_by_one()) PQsetSingleRowMode(connection_.get());
    ResultHandle refused;
    bool stopped = false;
    while (ResultHandle one{next(scope)}) {
      switch (PQresultStatus(one.get())) {
        case PGRES_TUPLES_OK:
        case PGRES_SINGLE_TUPLE:
        case PGRES_COMMAND_OK:
          answer.add(one.get());
          if (answer.too_much() && !std::exchange(stopped, true)) stop_statement();
          break;
        case PGRES_COPY_IN:
          PQputCopyEnd(connection_.get(), "COPY FROM STDIN has no input here");
          break;
        case PGRES_COPY_OUT:
          drain_copy(scope);
          break;
        case PGRES_EMPTY_QUERY:
          break;
        default:
          refused = std::move(one);
      }
    }
    silence_->end();
    if (stopped_by_ != Woke::ready) report_stop();
    if (refused && !stopped) refuse(refused.get());
    return answer.take();
  }

  /// Waits for the next result; null at the end of the statement's.
  PGresult* next(const Scope& scope) {
    wait_until_answered(scope);
    return PQgetResult(connection_.get());
  }

  void wait_until_answered(const Scope& scope) {
    while (PQflush(connection_.get()) > 0) {
      wait(POLLIN | POLLOUT, scope);
      if (PQconsumeInput(connection_.get()) == 0) lost();
    }
    while (PQisBusy(connection_.get()) != 0) {
      wait(POLLIN, scope);
      if (PQconsumeInput(connection_.get()) == 0) lost();
    }
  }

  void drain_copy(const Scope& scope) {
    for (;;) {
      char* data = nullptr;
      const int got = PQgetCopyData(connection_.get(), &data, 1);
      if (data != nullptr) PQfreemem(data);
      if (got < 0) return;
      if (got > 0) continue;
      wait(POLLIN, scope);
      if (PQconsumeInput(connection_.get()) == 0) lost();
    }
  }

  void wait(short events, const Scope& scope) {
    const Scope current = stopped_by_ == Woke::ready ? scope : given_up_;
    const int fd = PQsocket(connection_.get());
    Woke woke = Woke::deadline;
    while ((woke = base::wait_for(fd, events, silence_->until_look(current))) == Woke::deadline &&
           !current.expired())
      look(current);
    if (woke == Woke::ready) return silence_->broken();
    if (stopped_by_ != Woke::ready) give_up();
    stopped_by_ = woke;
    given_up_ = Scope::lasting(cancel_patience);
    if (!stop_statement()) give_up();
  }

  void look(const Scope& scope) {
    try {
      silence_->look(scope);
    } catch (const Error& error) {
      // What the scope ended is a statement to be stopped, like one that is just waited for.
      if (scope.cancelled() || scope.expired()) return;
      close();
      throw;
    }
  }

  [[noreturn]] void give_up() {
    close();
    report_stop();
  }

  /// Whether the server was heard. libpq waits without a limit for it to close the connection that asks, so
  /// what waits there is left to itself, and ends with that connection.
  bool stop_statement() {
    struct Request {
      std::unique_ptr<PGcancel, void (*)(PGcancel*)> cancel{nullptr, &PQfreeCancel};
      base::Cancel done;
    };
    auto request = std::make_shared<Request>();
    request->cancel.reset(PQgetCancel(connection_.get()));
    if (!request->cancel) return false;
    std::thread([request] {
      char why[256];
      PQcancel(request->cancel.get(), why, sizeof why);
      request->done.request();
    }).detach();
    return base::wait_for(request->done.fd(), POLLIN, Scope::lasting(request_patience)) == Woke::ready;
  }

  [[noreturn]] void report_stop() {
    const Woke why = std::exchange(stopped_by_, Woke::ready);
    if (why == Woke::cancelled) throw Error(ErrorCode::cancelled, "stopped");
    throw Error(ErrorCode::timeout, url_.display + ": the statement took too long and was stopped");
  }

  [[noreturn]] void lost() {
    usable_ = false;
    throw Error(ErrorCode::io, url_.display + ": connection lost: " + said());
  }

  [[noreturn]] void refuse(const PGresult* result) {
    Refusal refusal = refusal_of(result);
    if (PQstatus(connection_.get()) == CONNECTION_BAD || refusal.sqlstate.starts_with("57P")) lost();
    if (refusal.message.empty()) refusal.message = said();
    const std::string text = url_.display + ": " + without_secrets(one_line(refusal.message), url_);
    const ErrorCode code = code_of(refusal.sqlstate);  // first: arguments are evaluated in any order
    throw StatementError(code, text, std::move(refusal));
  }

  Url url_;
  ConnectionHandle connection_;
  std::vector<Notice> notices_;
  Woke stopped_by_ = Woke::ready;  ///< why the statement in hand was cancelled
  Scope given_up_{};
  std::optional<SilenceWatch> silence_;
  bool usable_ = false;
};

Session::Session(std::string_view url, const Options& options, const Scope& scope)
    : impl_(std::make_unique<Impl>(url, options, scope)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result Session::run(std::string_view sql, const Scope& scope, Rows rows) {
  return impl_->run(sql, scope, rows);
}
Result Session::query(std::string_view sql, std::span<const Value> params, const Scope& scope,
                      const Bounds& most) {
  return impl_->query(sql, params, scope, most);
}
void Session::prepare(const std::string& name, std::string_view sql, const Scope& scope) {
  impl_->prepare(name, sql, scope);
}
Result Session::exec_prepared(const std::string& name, std::span<const Value> params, const Scope& scope,
                              Rows rows) {
  return impl_->exec_prepared(name, params, scope, rows);
}
std::vector<Notice> Session::take_notices() {
  return impl_->take_notices();
}
bool Session::in_transaction() const noexcept {
  return impl_->in_transaction();
}
int Session::backend_pid() const noexcept {
  return impl_->backend_pid();
}
int Session::server_version() const noexcept {
  return impl_->server_version();
}
bool Session::usable() const noexcept {
  return impl_->usable();
}
const std::string& Session::where() const noexcept {
  return impl_->where();
}

PGconn* SessionAccess::connection(Session& session) noexcept {
  return session.impl_->connection();
}
SilenceWatch& SessionAccess::silence(Session& session) noexcept {
  return session.impl_->silence();
}
void SessionAccess::close(Session& session) noexcept {
  session.impl_->close();
}
std::string SessionAccess::clean(const Session& session, const std::string& text) {
  return session.impl_->clean(text);
}

std::string quoted_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string quoted_literal(std::string_view text) {
  const bool escaped = text.find('\\') != std::string_view::npos;
  std::string out = escaped ? " E'" : "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + '\'';
}

}  // namespace staithe::pg
