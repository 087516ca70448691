#include "staithe/haproxy/socket.hpp"

#include "reply.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace staithe::haproxy {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;

// HAProxy reads one command line into a buffer of tune.bufsize (16384 unless somebody made it smaller); 2.6
// hangs on a longer one.
constexpr std::size_t longest_line = 4'096;
constexpr std::string_view preamble = "set severity-output number";

/// A newline would be a second line, which 3.0 drops and 2.6 runs; an empty command makes 2.6 print its help.
void require_one_line(std::string_view line) {
  for (const char c : line)
    if (static_cast<unsigned char>(c) < 0x20) throw Error(ErrorCode::invalid, "a command must be one line");
  if (line.size() + preamble.size() + 2 > longest_line)
    throw Error(ErrorCode::invalid, "a command is too long");
  for (const auto& part : base::split(line, ';'))
    if (base::trim(part).empty()) throw Error(ErrorCode::invalid, "a command is empty");
  if (line.empty() || line.back() == ';') throw Error(ErrorCode::invalid, "a command is empty");
}

std::size_t commands_in(std::string_view line) {
  return base::split(line, ';').size();
}

std::string scoped(std::string_view command, std::string_view backend) {
  if (backend.empty()) return std::string(command);
  if (!valid_name(backend))
    throw Error(ErrorCode::invalid, "'" + base::printable(backend) + "' cannot be a backend's name");
  return std::string(command) + ' ' + std::string(backend);
}

/// 2 backend rows + 4 server rows, of all server ids.
std::string show_stat(std::string_view backend) {
  return scoped("show stat", backend.empty() ? std::string_view("-1") : backend) + " 6 -1";
}

std::string worker_prefix(std::uint64_t pid) {
  return "@!" + std::to_string(pid) + ' ';
}

}  // namespace

Socket::Socket(std::string name, Dial dial, Dial dial_master, SocketLimits limits)
    : name_(std::move(name)), dial_(std::move(dial)), dial_master_(std::move(dial_master)), limits_(limits) {}

void Socket::take_turn(const Scope& scope) {
  std::unique_lock lock(mutex_);
  constexpr base::Duration look_up{20};  // a condition variable does not see a canceller
  while (busy_) {
    scope.check("waiting for the admin socket's turn");
    turn_.wait_for(lock, look_up);
  }
  busy_ = true;
}

void Socket::give_turn() noexcept {
  {
    const std::lock_guard lock(mutex_);
    busy_ = false;
  }
  turn_.notify_one();
}

namespace {

/// HAProxy 3.0 sometimes leaves the connection open after this answer, which is one line.
bool names_no_worker(std::string_view reply) {
  if (reply.find('\n') == std::string_view::npos) return false;
  const auto refusal = refusal_in(reply);
  return refusal && refusal->code() == ErrorCode::not_found;
}

}  // namespace

std::string Socket::talk(Peer peer, const std::string& text, const Scope& scope) {
  take_turn(scope);
  struct Turn {
    Socket& socket;
    ~Turn() { socket.give_turn(); }
  } const turn{*this};
  const Scope exchange = scope.at_most(limits_.each_within);
  const auto stream = (peer == Peer::master ? dial_master_ : dial_)(exchange);
  stream->write_all(text, exchange);
  // The master CLI stays open after its answer until it sees the end of our side.
  if (peer == Peer::master) stream->close_write();
  std::string reply;
  for (;;) {
    const std::string some = stream->read_some(exchange);
    if (some.empty()) return reply;
    if (some.size() > limits_.reply_bytes - reply.size())
      throw Error(ErrorCode::protocol, "the answer is longer than " + base::bytes_text(limits_.reply_bytes));
    reply += some;
    if (peer == Peer::master && names_no_worker(reply)) return reply;
  }
}

std::vector<std::string> Socket::exchange(std::span<const std::string> lines, const Scope& scope) {
  std::string text(preamble);
  std::size_t count = 0;
  for (const auto& line : lines) {
    require_one_line(line);
    text += ';' + line;
    count += commands_in(line);
  }
  if (text.size() >= longest_line) throw Error(ErrorCode::invalid, "a command is too long");
  try {
    auto replies = split_replies(talk(Peer::worker, text + '\n', scope), count);
    answered_ = true;
    return replies;
  } catch (const Error& error) {
    answered_ = false;
    throw error.within(name_);
  }
}

std::string Socket::ask(const std::string& line, const Scope& scope) {
  return exchange(std::span(&line, 1), scope).front();
}

std::string Socket::ask_master(const std::string& line, const Scope& scope) {
  if (!has_master()) throw Error(ErrorCode::unavailable, name_ + ": no master socket is known");
  require_one_line(line);
  try {
    auto reply = talk(Peer::master, line + '\n', scope);
    if (reply.empty()) throw Error(ErrorCode::io, "the connection was closed without an answer");
    return reply;
  } catch (const Error& error) {
    throw error.within(name_ + ": master");
  }
}

namespace {

template <class Parse>
auto named(const std::string& name, Parse&& parse) {
  try {
    return parse();
  } catch (const Error& error) {
    throw error.within(name);
  }
}

}  // namespace

Info Socket::info(const Scope& scope) {
  const auto text = ask("show info", scope);
  return named(name_, [&] { return parse_info(text); });
}

std::string Socket::level(const Scope& scope) {
  const auto text = ask("show cli level", scope);
  return named(name_, [&] { return parse_level(text); });
}

std::vector<ServerState> Socket::servers(const Scope& scope, std::string_view backend) {
  const auto text = ask(scoped("show servers state", backend), scope);
  return named(name_, [&] { return parse_servers(text); });
}

std::vector<ServerStat> Socket::stats(const Scope& scope, std::string_view backend) {
  const auto text = ask(show_stat(backend), scope);
  auto rows = named(name_, [&] { return parse_stats(text); });
  if (!backend.empty() && rows.empty()) return shadowed_stats(backend, scope);
  return rows;
}

std::vector<ServerStat> Socket::shadowed_stats(std::string_view backend, const Scope& scope) {
  auto rows = stats(scope);
  std::erase_if(rows, [&](const auto& row) { return row.ref.backend != backend; });
  return rows;
}

Snapshot Socket::snapshot(std::span<const std::string> backends, const Scope& scope, Tables tables) {
  Snapshot snapshot;
  const auto read = [&](std::span<const std::string> wanted) {
    std::vector<std::string> lines{"show info"};
    const bool with_tables = std::exchange(tables, Tables::leave) == Tables::ask;
    if (with_tables) lines.emplace_back("show table");
    const std::size_t first = lines.size();
    for (const auto& backend : wanted) {
      lines.push_back(scoped("show servers state", backend));
      lines.push_back(show_stat(backend));
    }
    const auto parts = exchange(lines, scope);
    const auto info = named(name_, [&] { return parse_info(parts[0]); });
    if (snapshot.info.pid != 0 && !info.same_process(snapshot.info))
      throw Error(ErrorCode::io, name_ + ": HAProxy was reloaded while it answered");
    snapshot.info = info;
    if (with_tables) snapshot.tables = named(name_, [&] { return parse_tables(parts[1]); });
    for (std::size_t at = 0; at < wanted.size(); ++at) {
      const auto& states = parts[first + 2 * at];
      const auto missing = error_in(states);
      if (missing && missing->code() == ErrorCode::not_found) continue;
      auto rows = named(name_, [&] {
        for (auto& state : parse_servers(states)) snapshot.states.push_back(std::move(state));
        return parse_stats(parts[first + 1 + 2 * at]);
      });
      if (rows.empty() && !wanted[at].empty()) rows = shadowed_stats(wanted[at], scope);
      std::move(rows.begin(), rows.end(), std::back_inserter(snapshot.stats));
    }
  };
  if (backends.empty()) {
    const std::string all;
    read(std::span(&all, 1));
    return snapshot;
  }
  constexpr std::size_t at_a_time = 8;  // a backend's two questions with the longest name fit eight times
  while (!backends.empty()) {
    const auto some = std::min(at_a_time, backends.size());
    read(backends.first(some));
    backends = backends.subspan(some);
  }
  return snapshot;
}

void Socket::command(const std::string& line, const Scope& scope) {
  commands(std::span(&line, 1), scope);
}

void Socket::commands(std::span<const std::string> lines, const Scope& scope) {
  std::optional<Error> first;
  while (!lines.empty()) {
    std::size_t count = 0;
    std::size_t bytes = preamble.size() + 1;
    while (count < lines.size() && bytes + lines[count].size() + 1 < longest_line)
      bytes += lines[count++].size() + 1;
    if (count == 0) throw Error(ErrorCode::invalid, "a command is too long");
    const auto batch = lines.first(count);
    const auto replies = exchange(batch, scope);
    std::size_t at = 0;
    for (const auto& line : batch)
      for (const auto& part : base::split(line, ';')) {
        const auto refusal = refusal_in(replies.at(at++));
        if (refusal && !first) first = refusal->within(name_ + ": " + base::printable(part));
      }
    lines = lines.subspan(count);
  }
  if (first) throw Error(*first);
}

std::vector<Worker> Socket::workers(const Scope& scope) {
  const auto text = ask_master("show proc", scope);
  return named(name_ + ": master", [&] { return parse_workers(text); });
}

std::vector<ServerStat> Socket::worker_stats(std::uint64_t pid, std::string_view backend,
                                             const Scope& scope) {
  const auto text = ask_master(worker_prefix(pid) + show_stat(backend), scope);
  if (const auto gone = refusal_in(text); gone && gone->code() == ErrorCode::not_found) return {};
  auto rows = named(name_ + ": master", [&] { return parse_stats(text); });
  if (!rows.empty() || backend.empty()) return rows;
  rows = worker_stats(pid, {}, scope);
  std::erase_if(rows, [&](const auto& row) { return row.ref.backend != backend; });
  return rows;
}

std::vector<Session> Socket::worker_sessions(std::uint64_t pid, const Scope& scope) {
  const auto text = ask_master(worker_prefix(pid) + "show sess", scope);
  if (const auto gone = refusal_in(text); gone && gone->code() == ErrorCode::not_found) return {};
  return named(name_ + ": master", [&] { return parse_sessions(text); });
}

void Socket::close_worker_session(std::uint64_t pid, const std::string& session, const Scope& scope) {
  if (session.size() < 3 || session.size() > 18 || !session.starts_with("0x") ||
      session.find_first_not_of("0123456789abcdef", 2) != std::string::npos)
    throw Error(ErrorCode::invalid, "'" + base::printable(session) + "' is no session");
  const auto text = ask_master(worker_prefix(pid) + "shutdown session " + session, scope);
  const auto refusal = refusal_in(text);
  // It, or its whole worker, ended by itself meanwhile.
  if (refusal && refusal->code() != ErrorCode::not_found) throw refusal->within(name_ + ": master");
}

}  // namespace staithe::haproxy
