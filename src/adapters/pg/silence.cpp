#include "silence.hpp"

#include "sqlstate.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>
#include <utility>

namespace staithe::pg {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;

/// One look may fall between an answer and its arrival.
constexpr int looks_in_vain = 2;

/// A server that waits for its client has said what it had to say, and heard what reached it.
/// https://www.postgresql.org/docs/current/monitoring-stats.html
constexpr const char* working =
    "SELECT (state IS NULL OR state NOT LIKE 'idle%') AND wait_event_type IS DISTINCT FROM 'Client'"
    " FROM pg_catalog.pg_stat_activity WHERE pid = $1"
    " AND usename = session_user AND datname = pg_catalog.current_database()";

/// What keeps this side from asking at all tells nothing of the peer.
bool is_of_ours(const Error& error) {
  const std::string_view text = error.what();
  return error.code() == ErrorCode::invalid || error.code() == ErrorCode::failed ||
         text.find("could not create socket") != std::string_view::npos ||
         text.find("out of memory") != std::string_view::npos;
}

}  // namespace

SilenceWatch::SilenceWatch(std::string url, Options options, int pid, std::string where)
    : url_(std::move(url)), options_(std::move(options)), pid_(pid), where_(std::move(where)) {
  broken();
}

void SilenceWatch::broken() noexcept {
  since_ = std::chrono::steady_clock::now();
  next_ = since_ + options_.silence;
  in_vain_ = 0;
}

Scope SilenceWatch::until_look(const Scope& scope) const {
  if (options_.silence == base::Duration{0}) return scope;
  return {std::min(scope.deadline, next_), scope.cancel};
}

void SilenceWatch::look(const Scope& scope) {
  if (options_.silence == base::Duration{0} || std::chrono::steady_clock::now() < next_) return;
  const bool works = is_working(scope);
  in_vain_ = works ? 0 : in_vain_ + 1;
  if (in_vain_ >= looks_in_vain) give_up(why_);
  next_ = std::chrono::steady_clock::now() + options_.silence / (works ? 1 : 4);
}

bool SilenceWatch::is_working(const Scope& scope) {
  const Scope patience = scope.at_most(options_.silence);
  try {
    if (!second_) connect(patience);
    const auto answer = second_->query(working, std::vector<Value>{std::to_string(pid_)}, patience);
    why_ = "the server says that it does not work for this connection";
    return !answer.rows.empty() && answer.rows[0].at(0) == "t";
  } catch (const SqlError&) {
    return true;
  } catch (const Error& error) {
    second_.reset();
    if (error.code() == ErrorCode::cancelled || scope.expired()) throw;
    if (error.code() == ErrorCode::timeout) give_up("a second connection was not answered either");
    why_ = std::string("a second connection failed: ") + error.what();
    return error.code() != ErrorCode::io && (is_of_server(error) || is_of_ours(error));
  }
}

void SilenceWatch::connect(const Scope& scope) {
  auto options = options_;
  options.silence = base::Duration{0};
  options.connect_timeout = options_.silence;
  auto session = std::make_unique<Session>(url_, options, scope);
  session->run("SET default_transaction_read_only = on", scope);
  second_ = std::move(session);
}

void SilenceWatch::give_up(const std::string& why) const {
  const auto quiet = std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - since_);
  throw Error(ErrorCode::io, where_ + ": silent for " + base::elapsed_text(quiet) + ", and " + why +
                                 "; look at the server and at what lies between (proxy, tunnel, firewall)");
}

}  // namespace staithe::pg
