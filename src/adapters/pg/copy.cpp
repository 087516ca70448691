#include "staithe/pg/copy.hpp"

#include "sqlstate.hpp"
#include "wire.hpp"

#include "staithe/base/error.hpp"

#include <poll.h>

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace staithe::pg {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;

constexpr std::size_t read_bytes = 256UL * 1024;
/// Rows are gathered to messages of this size: one message a row costs the target some 3 % of its time.
constexpr std::size_t message_bytes = 64UL * 1024;
constexpr std::size_t header_bytes = 5;

/// The names that PostgreSQL gives to what a mask or a condition may run into:
/// https://www.postgresql.org/docs/current/errcodes-appendix.html
std::string_view name_of(std::string_view sqlstate) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"22", "data exception"},
      {"23", "integrity constraint violation"},
      {"40001", "conflict with recovery, or serialization failure"},
      {"42501", "insufficient privilege"},
      {"42", "syntax error or access rule violation"},
      {"53", "insufficient resources"},
      {"54", "program limit exceeded"},
      {"55P03", "lock not available"},
      {"57014", "query canceled"},
      {"57P", "operator intervention"},
      {"58", "system error"},
      {"P0", "an exception that a function raised"},
      {"XX", "internal error"},
  };
  for (const auto& [begin, name] : names)
    if (sqlstate.starts_with(begin)) return name;
  return "refused";
}

/// Of what the server says only what cannot be a value of a row.
Refusal without_words(const Refusal& said) {
  Refusal left;
  left.sqlstate = said.sqlstate;
  left.schema = said.schema;
  left.table = said.table;
  left.column = said.column;
  left.message = "SQLSTATE " + said.sqlstate + " (" + std::string(name_of(said.sqlstate)) + ")";
  if (!said.table.empty())
    left.message += " at " + said.schema + "." + said.table + (said.column.empty() ? "" : "." + said.column);
  left.message += "; the server's message is withheld, because it may quote masked data";
  return left;
}

/// What one server has said so far.
struct Side {
  explicit Side(Session& session_) : session(session_), wire(session_) {}

  Session& session;
  Wire wire;
  MessageReader reader;
  bool copying = false;  ///< CopyOutResponse or CopyInResponse has come
  bool data_ended = false;
  bool ready = false;  ///< idle again
  std::uint64_t rows = 0;
  std::optional<Refusal> refusal;

  void take(char type, std::string_view body) {
    switch (type) {
      case 'H':
      case 'G':
        copying = true;
        break;
      case 'c':
        data_ended = true;
        break;
      case 'C':
        rows = rows_from(body);
        break;
      case 'Z':
        ready = true;
        break;
      case 'E':
        if (!refusal) refusal = refusal_from(body);
        break;
      case 'N':
      case 'S':
      case 'A':
        break;
      default:
        throw Error(ErrorCode::protocol, wire.where() + ": an answer that is none to COPY");
    }
  }
};

/// One copy. The target is written to only from `out_`, which is one CopyData message under construction or
/// on its way.
class Pipe {
 public:
  Pipe(Session& from, Session& to, const CopyProgress& progress, const Scope& scope, Words words)
      : from_(from), to_(to), progress_(progress), scope_(scope), words_(words), in_(read_bytes) {
    out_.reserve(header_bytes + message_bytes + read_bytes);
    begin_message();
  }

  Copied run(std::string_view copy_out, std::string_view copy_in) {
    ask(to_, copy_in);
    ask(from_, copy_out);
    while (!from_.data_ended) {
      read_source();
      if (out_.size() - header_bytes >= message_bytes || from_.data_ended || source_idle_) send_message();
    }
    send_message();
    put(to_, frontend_message('c', {}, Body::plain));
    await(from_, [this] { return from_.ready; });
    await(to_, [this] { return to_.ready; });
    fail_on_refusal();
    if (from_.rows != to_.rows)
      throw Error(ErrorCode::io, to_.wire.where() + ": stored " + std::to_string(to_.rows) + " of " +
                                     std::to_string(from_.rows) + " rows");
    tell(true);
    for (const Side* side : {&from_, &to_}) SessionAccess::silence(side->session).end();
    return {to_.rows, bytes_};
  }

 private:
  void ask(Side& side, std::string_view sql) {
    put(side, frontend_message('Q', sql, Body::terminated));
    await(side, [&side] { return side.copying || side.refusal; });
    fail_on_refusal();
  }

  template <class Done>
  void await(Side& side, Done done) {
    while (!done()) {
      if (take(side) == 0) wait(side, {{side.wire.fd(), POLLIN, 0}});
    }
  }

  /// Bytes that came; what they say is taken in.
  std::size_t take(Side& side) {
    const std::size_t got = side.wire.read(in_);
    if (got == 0) return 0;
    waiting_for_ = nullptr;
    const bool is_source = &side == &from_;
    side.reader.feed({in_.data(), got},
                     {[&](std::string_view piece) {
                        if (!is_source) return;
                        out_ += piece;
                        bytes_ += piece.size();
                      },
                      [&side](char type, std::string_view body) { side.take(type, body); }});
    return got;
  }

  void read_source() {
    const std::size_t got = take(from_);
    source_idle_ = got == 0;
    fail_on_refusal();
    if (got > 0) {
      tell(false);
      return;
    }
    // What is gathered goes out before the wait, so that the target never waits for a full message.
    send_message();
    wait(from_, {{from_.wire.fd(), POLLIN, 0}, {to_.wire.fd(), POLLIN, 0}});
    listen_to_target();
  }

  void begin_message() { out_.assign(header_bytes, 'd'); }

  void send_message() {
    const std::size_t length = out_.size() - 1;
    if (out_.size() == header_bytes) return;
    for (std::size_t i = 0; i < 4; ++i) out_[1 + i] = static_cast<char>(length >> (24 - 8 * i) & 0xff);
    put(to_, out_);
    begin_message();
  }

  void put(Side& side, std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t taken = side.wire.write(bytes);
      bytes.remove_prefix(taken);
      if (taken > 0) waiting_for_ = nullptr;
      if (taken > 0 || bytes.empty()) continue;
      wait(side, {{side.wire.fd(), POLLIN | POLLOUT, 0}});
      if (&side == &to_) listen_to_target();
    }
  }

  /// A target that refuses says so in the middle of the copy and throws away what comes after.
  void listen_to_target() {
    pollfd at{to_.wire.fd(), POLLIN, 0};
    while (to_.wire.has_pending() || (::poll(&at, 1, 0) > 0 && at.revents != 0)) {
      if (take(to_) == 0) break;
      fail_on_refusal();
    }
  }

  /// `side`: without which it does not go on.
  void wait(Side& side, std::vector<pollfd> fds) {
    for (const Side* one : {&from_, &to_})
      if (one->wire.has_pending()) return;
    auto& silence = SessionAccess::silence(side.session);
    // How long the other one was waited for says nothing of this one.
    if (std::exchange(waiting_for_, &side) != &side) silence.broken();
    const auto limited = silence.until_look(scope_);
    if (scope_.cancel != nullptr) fds.push_back({scope_.cancel->fd(), POLLIN, 0});
    const auto left = std::min<long long>(limited.left().count() + 1, 60'000);
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(left));
    if (scope_.cancelled()) throw Error(ErrorCode::cancelled, "stopped");
    if (scope_.expired())
      throw Error(ErrorCode::timeout, from_.wire.where() + ": the copy did not end in time");
    if (ready > 0)
      silence.broken();
    else
      silence.look(scope_);
  }

  void fail_on_refusal() {
    for (Side* side : {&from_, &to_}) {
      if (!side->refusal) continue;
      const auto refusal = is_withheld(*side) ? without_words(*side->refusal) : *side->refusal;
      const std::string text =
          side->wire.where() + ": " + SessionAccess::clean(side->session, one_line(refusal.message));
      if (refusal.sqlstate.starts_with("57P")) throw Error(ErrorCode::io, text);
      throw StatementError(code_of(refusal.sqlstate), text, refusal);
    }
  }

  /// Only the parser gives a position in our statement, and it has no rows yet.
  bool is_withheld(const Side& side) const {
    if (words_ == Words::whole || &side != &from_) return false;
    const bool is_not_understood = !side.copying && side.refusal->sqlstate.starts_with("42");
    return !is_not_understood || side.refusal->position == 0;
  }

  void tell(bool now) {
    constexpr std::uint64_t often = 1024UL * 1024;
    if (!now && bytes_ - told_ < often) return;
    if (progress_) progress_(bytes_ - told_);
    told_ = bytes_;
  }

  Side from_, to_;
  const CopyProgress& progress_;
  const Scope& scope_;
  Words words_;
  std::vector<char> in_;
  std::string out_;
  bool source_idle_ = false;
  const Side* waiting_for_ = nullptr;
  std::uint64_t bytes_ = 0, told_ = 0;
};

}  // namespace

Copied copy(Session& from, std::string_view copy_out, Session& to, std::string_view copy_in,
            const CopyProgress& progress, const base::Scope& scope, Words words) {
  try {
    return Pipe(from, to, progress, scope, words).run(copy_out, copy_in);
  } catch (...) {
    SessionAccess::close(from);
    SessionAccess::close(to);
    throw;
  }
}

}  // namespace staithe::pg
