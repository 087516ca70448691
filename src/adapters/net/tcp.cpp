#include "staithe/net/tcp.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/net/addresses.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace staithe::net {
namespace {

using base::Duration;
using base::Error;
using base::ErrorCode;

/// Connections to all addresses of one host, under way at the same time.
class Attempts {
 public:
  explicit Attempts(const std::vector<Address>& addresses) {
    for (const auto& address : addresses) begin(address);
  }

  bool none_left() const noexcept { return pending_.empty(); }
  const std::string& connected() const noexcept { return connected_; }
  std::string reasons() const { return base::join(reasons_, ", "); }
  std::string waiting_for() const {
    std::vector<std::string> names;
    for (const auto& attempt : pending_) names.push_back(attempt.name);
    return base::join(names, ", ");
  }

  void wait(const base::Scope& scope) {
    std::vector<pollfd> entries;
    for (const auto& attempt : pending_) entries.push_back({attempt.socket.get(), POLLOUT, 0});
    entries.push_back({scope.cancel != nullptr ? scope.cancel->fd() : -1, POLLIN, 0});
    const auto rest = std::min(scope.left(), Duration{3'600'000});
    if (::poll(entries.data(), entries.size(), static_cast<int>(rest.count())) < 0 && errno != EINTR)
      throw base::system_error(ErrorCode::io, "poll", errno);
    for (std::size_t index = pending_.size(); index-- > 0;)
      if (entries[index].revents != 0) settle(index);
  }

 private:
  struct Attempt {
    std::string name;
    base::UniqueFd socket;
  };

  void begin(const Address& address) {
    const std::string name = address.text();
    base::UniqueFd socket(
        ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    if (!socket) return note(name, errno);
    if (::connect(socket.get(), address.plain(), address.size) == 0) {
      connected_ = name;
    } else if (errno == EINPROGRESS) {
      pending_.push_back({name, std::move(socket)});
    } else {
      note(name, errno);
    }
  }

  void settle(std::size_t index) {
    int error_number = 0;
    socklen_t size = sizeof error_number;
    Attempt attempt = std::move(pending_[index]);
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index));
    if (::getsockopt(attempt.socket.get(), SOL_SOCKET, SO_ERROR, &error_number, &size) != 0)
      error_number = errno;
    if (error_number == 0)
      connected_ = attempt.name;
    else
      note(attempt.name, error_number);
  }

  void note(const std::string& name, int error_number) {
    reasons_.push_back(fmt::format("{}: {}", name, std::strerror(error_number)));
  }

  std::vector<Attempt> pending_;
  std::vector<std::string> reasons_;
  std::string connected_;
};

}  // namespace

std::string tcp_connects(const std::string& host, std::uint16_t port, const base::Scope& scope) {
  if (host.empty() || host.find('\0') != std::string::npos || port == 0)
    throw Error(ErrorCode::invalid, "a TCP probe needs a host and a port");
  Attempts attempts(resolve(host, port, scope));
  while (attempts.connected().empty()) {
    if (attempts.none_left()) throw Error(ErrorCode::connect, attempts.reasons());
    if (scope.cancelled()) throw Error(ErrorCode::cancelled, "stopped");
    if (scope.expired()) throw Error(ErrorCode::timeout, "no answer from " + attempts.waiting_for());
    attempts.wait(scope);
  }
  return attempts.connected();
}

}  // namespace staithe::net
