#include "bastion_pipe.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace staithe::ssh {
namespace {

constexpr std::size_t most_waiting_bytes = 256U * 1024U;

/// Bytes sent without blocking; nullopt when the other end is gone.
std::optional<std::size_t> send_some(int fd, std::string_view bytes) {
  const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno == EAGAIN || errno == EINTR) return 0;
  return std::nullopt;
}

}  // namespace

Bastion::Pipe::Pipe(Link& link, std::shared_ptr<Order> asked)
    : order(std::move(asked)), channel(link, [this](Stream stream, std::string_view bytes) {
        return stream == Stream::out ? take(bytes) : bytes.size();
      }) {}

std::size_t Bastion::Pipe::take(std::string_view bytes) {
  if (held_back || waiting.size() >= most_waiting_bytes) {
    held_back = true;  // the order of bytes is kept by taking nothing until to_local() has read them
    return 0;
  }
  waiting.append(bytes);
  return bytes.size();
}

short Bastion::Pipe::wanted_events() noexcept {
  int events = 0;
  if (!waiting.empty()) events |= POLLOUT;
  if (!local_ended && channel.room() > 0) events |= POLLIN;
  return static_cast<short>(events);
}

bool Bastion::Pipe::to_local() {
  for (;;) {
    if (waiting.empty() && held_back) {
      waiting.resize(64U * 1024U);
      waiting.resize(channel.read_some(Stream::out, waiting.data(), waiting.size()));
      if (waiting.empty()) held_back = false;
    }
    if (waiting.empty()) break;
    const auto sent = send_some(local.get(), waiting);
    if (!sent) return false;
    waiting.erase(0, *sent);
    if (!waiting.empty()) return true;
  }
  if (channel.ended() && !remote_ended) {
    remote_ended = true;
    ::shutdown(local.get(), SHUT_WR);
  }
  return !channel.closed();
}

bool Bastion::Pipe::to_remote() {
  char buffer[16U * 1024U];
  while (!local_ended) {
    const std::size_t room = std::min(sizeof buffer, channel.room());
    if (room == 0) return true;
    const ssize_t count = ::recv(local.get(), buffer, room, MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) {
      local_ended = true;
      channel.send_eof();
      return true;
    }
    std::string_view rest(buffer, static_cast<std::size_t>(count));
    rest.remove_prefix(channel.write_some(rest));
    if (!rest.empty()) return false;  // there was room: the channel is breaking
  }
  return true;
}

bool Bastion::Pipe::shuttle(short revents) {
  if (!to_local()) return false;
  if ((revents & POLLIN) != 0 && !to_remote()) return false;
  // A socket whose owner has closed it reports a hang-up at every poll. Without POLLIN nothing is left to
  // read from it, and nobody is there to be told anything.
  return (revents & (POLLHUP | POLLERR)) == 0 || (revents & POLLIN) != 0;
}

}  // namespace staithe::ssh
