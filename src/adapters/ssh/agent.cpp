#include "agent.hpp"

#include "wire.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace staithe::ssh {
namespace {

using base::Error;
using base::ErrorCode;

constexpr std::size_t most_frame_bytes = 256U * 1024U;  // OpenSSH's own limit
constexpr std::uint32_t most_keys = 1024;
constexpr char failure = 5;
constexpr char request_identities = 11;
constexpr char identities_answer = 12;
constexpr char sign_request = 13;

[[noreturn]] void bad_answer() {
  throw Error(ErrorCode::protocol, "the agent's answer makes no sense");
}

std::string taken(std::string_view& bytes) {
  const auto text = take_string(bytes);
  if (!text) bad_answer();
  return std::string(*text);
}

/// Waits for a socket, the scope and, when there is one, a second canceller. False: it was that one.
bool ready(int fd, short events, const base::Scope& scope, const base::Cancel* stop) {
  for (;;) {
    scope.check("the SSH agent");
    if (stop != nullptr && stop->requested()) return false;
    pollfd entries[] = {{fd, events, 0},
                        {scope.cancel != nullptr ? scope.cancel->fd() : -1, POLLIN, 0},
                        {stop != nullptr ? stop->fd() : -1, POLLIN, 0}};
    const auto timeout = static_cast<int>(std::min<long long>(scope.left().count(), 3'600'000));
    if (::poll(entries, 3, timeout) < 0 && errno != EINTR)
      throw base::system_error(ErrorCode::io, "poll", errno);
    if (entries[0].revents != 0) return true;
  }
}

/// Exactly `size` bytes; false at the end of the stream or when stopped.
bool receive(int fd, char* into, std::size_t size, const base::Scope& scope, const base::Cancel* stop) {
  while (size > 0) {
    if (!ready(fd, POLLIN, scope, stop)) return false;
    const ssize_t count = ::recv(fd, into, size, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count <= 0) return false;
    into += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

std::optional<std::string> receive_frame(int fd, const base::Scope& scope, const base::Cancel* stop) {
  std::string head(4, '\0');
  if (!receive(fd, head.data(), head.size(), scope, stop)) return std::nullopt;
  const std::size_t size = read_number(head);
  if (size == 0 || size > most_frame_bytes) bad_answer();
  std::string payload(size, '\0');
  if (!receive(fd, payload.data(), size, scope, stop)) return std::nullopt;
  return payload;
}

bool send_frame(int fd, std::string_view payload, const base::Scope& scope, const base::Cancel* stop) {
  const std::string text = framed(payload);
  for (std::string_view rest = text; !rest.empty();) {
    if (!ready(fd, POLLOUT, scope, stop)) return false;
    const ssize_t count = ::send(fd, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

std::optional<Agent> Agent::connect(const std::string& identity_agent, std::string& problem) {
  if (identity_agent == "none") return std::nullopt;
  const char* variable = std::getenv("SSH_AUTH_SOCK");
  const std::string path = identity_agent.empty() ? (variable == nullptr ? "" : variable) : identity_agent;
  if (path.empty()) return std::nullopt;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    problem = "the path of its socket is too long";
    return std::nullopt;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // A unix socket connects at once or not at all: EAGAIN means that its queue of callers is full.
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    problem = fmt::format("{}: {}", path, std::strerror(errno));
    return std::nullopt;
  }
  return Agent(std::move(socket));
}

std::vector<AgentKey> Agent::keys(const base::Scope& scope) {
  const std::string request(1, request_identities);
  if (!send_frame(socket_.get(), request, scope, nullptr)) throw Error(ErrorCode::io, "the agent hung up");
  const auto answer = receive_frame(socket_.get(), scope, nullptr);
  if (!answer) throw Error(ErrorCode::io, "the agent hung up");
  std::vector<AgentKey> keys;
  if (answer->front() == failure) return keys;
  if (answer->front() != identities_answer || answer->size() < 5) bad_answer();
  std::string_view rest = std::string_view(*answer).substr(1);
  const std::uint32_t count = read_number(rest);
  if (count > most_keys) bad_answer();
  rest.remove_prefix(4);
  for (std::uint32_t i = 0; i < count; ++i) {
    AgentKey key;
    key.blob = taken(rest);
    key.comment = taken(rest);
    // libssh stops at the first key that it cannot read, so it is not shown such a one.
    const std::string type = first_string(key.blob);
    if (::ssh_key_type_from_name(type.c_str()) != SSH_KEYTYPE_UNKNOWN) keys.push_back(std::move(key));
  }
  return keys;
}

AgentRelay::AgentRelay(Agent agent, const std::vector<AgentKey>& keys, const base::Scope& scope) {
  list_ = std::string(1, identities_answer) + number(keys.size());
  for (const AgentKey& key : keys) list_ += framed(key.blob) + framed(key.comment);
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    throw base::system_error(ErrorCode::failed, "socketpair", errno);
  ours_.reset(pair[0]);
  thread_ =
      std::thread([this, client = base::UniqueFd(pair[1]), socket = agent.take_socket(), &scope]() mutable {
        const base::UniqueFd mine = std::move(client);
        const base::UniqueFd theirs = std::move(socket);
        serve(mine, theirs, scope);
      });
}

AgentRelay::~AgentRelay() {
  stop_.request();
  thread_.join();
}

void AgentRelay::serve(const base::UniqueFd& client, const base::UniqueFd& agent, const base::Scope& scope) {
  try {
    while (const auto request = receive_frame(client.get(), scope, &stop_)) {
      std::string reply(1, failure);
      if (request->front() == request_identities) {
        reply = list_;
      } else if (request->front() == sign_request) {
        if (!send_frame(agent.get(), *request, scope, &stop_)) return;
        const auto answer = receive_frame(agent.get(), scope, &stop_);
        if (!answer) return;
        reply = *answer;
      }
      if (!send_frame(client.get(), reply, scope, &stop_)) return;
    }
  } catch (const base::Error&) {
    // Out of time, stopped, or an agent that babbles: the end of this thread closes libssh's side, and
    // whoever waits there looks at the scope himself.
  }
}

}  // namespace staithe::ssh
