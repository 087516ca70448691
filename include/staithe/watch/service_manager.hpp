#pragma once
#include <chrono>
#include <string>
#include <string_view>

namespace staithe::watch {

/// Speaks to systemd, or whoever else listens at $NOTIFY_SOCKET: sd_notify(3) without its library. Without
/// such a socket every call does nothing; what cannot be sent is not sent. One thread.
class ServiceManager {
 public:
  /// `socket`: the variable's value, "" for none. `watchdog_usec`: that of $WATCHDOG_USEC.
  ServiceManager(std::string socket, std::string_view watchdog_usec);
  /// As this process's environment says; the watchdog only when $WATCHDOG_PID means this process.
  static ServiceManager from_environment();

  void ready(std::string_view status);
  void reloading();
  void stopping();
  void status(std::string_view text);
  /// To be called at every turn of the loop that must not stand still; sends no more often than it has to.
  void alive();

 private:
  void send(std::string_view state) const;

  std::string socket_;
  std::chrono::microseconds watchdog_{0};
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace staithe::watch
