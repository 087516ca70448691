#include "staithe/watch/service_manager.hpp"

#include "staithe/base/unique_fd.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace staithe::watch {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A status is one line.
std::string one_line(std::string_view text) {
  std::string line(text.substr(0, text.find('\n')));
  return line;
}

}  // namespace

ServiceManager::ServiceManager(std::string socket, std::string_view watchdog_usec)
    : socket_(std::move(socket)) {
  long long microseconds = 0;
  const auto* end = watchdog_usec.data() + watchdog_usec.size();
  const auto read = std::from_chars(watchdog_usec.data(), end, microseconds);
  if (read.ec == std::errc() && read.ptr == end && microseconds > 0)
    watchdog_ = std::chrono::microseconds(microseconds);
}

ServiceManager ServiceManager::from_environment() {
  const auto pid = variable("WATCHDOG_PID");
  const bool ours = pid.empty() || pid == std::to_string(::getpid());
  return ServiceManager(variable("NOTIFY_SOCKET"), ours ? variable("WATCHDOG_USEC") : "");
}

void ServiceManager::send(std::string_view state) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() < 2 || socket_.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  // An abstract socket begins with NUL and is written with '@'.
  if (socket_.front() == '@')
    address.sun_path[0] = '\0';
  else if (socket_.front() != '/')
    return;
  const base::UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  // Nobody to be told that nobody is told.
  (void)::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), length);
}

void ServiceManager::ready(std::string_view status) {
  send(fmt::format("READY=1\nSTATUS={}", one_line(status)));
}

void ServiceManager::reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto microseconds = static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", microseconds));
}

void ServiceManager::stopping() {
  send("STOPPING=1");
}

void ServiceManager::status(std::string_view text) {
  send("STATUS=" + one_line(text));
}

void ServiceManager::alive() {
  if (watchdog_.count() == 0) return;
  const auto now = std::chrono::steady_clock::now();
  // systemd.service(5) wants it at half the time; a third leaves a turn to be late.
  if (last_ != std::chrono::steady_clock::time_point{} && now - last_ < watchdog_ / 3) return;
  last_ = now;
  send("WATCHDOG=1");
}

}  // namespace staithe::watch
