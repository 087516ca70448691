#pragma once
#include "staithe/base/unique_fd.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace staithe::haproxy::test {

struct Response {
  int status = 0;
  std::string body;
  std::string cookie;  ///< "SRV=c1" as it was set
};

/// One HTTP client, keep-alive or not.
class Client {
 public:
  Client(std::uint16_t port, bool keeps_alive) : port_(port), keeps_alive_(keeps_alive) {}
  /// Nothing when the request failed: refused, reset, cut short, timed out. A kept connection that was
  /// closed before a byte of the answer came is tried again once, as every HTTP client does.
  std::optional<Response> get(const std::string& path);
  std::string cookie;  ///< sent along, and taken over from answers when `remembers`
  bool remembers = false;

 private:
  std::optional<Response> read_response(bool& nothing_came);

  std::uint16_t port_;
  bool keeps_alive_;
  base::UniqueFd fd_;
};

/// Closed-loop clients on several ports until finish().
class Visitors {
 public:
  struct Result {
    std::uint64_t requests = 0;
    std::uint64_t failed = 0;
    std::map<std::string, std::uint64_t> by_body;
  };
  /// `each` keep-alive and `each` one-shot clients for each port.
  Visitors(const std::vector<std::uint16_t>& ports, unsigned each, bool with_cookies = false);
  ~Visitors() { finish(); }
  Result finish();
  std::uint64_t requests() const noexcept { return requests_; }
  std::uint64_t failed() const noexcept { return failed_; }

 private:
  void run(std::uint16_t port, bool keeps_alive, bool with_cookies);

  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> by_body_;
  std::vector<std::thread> threads_;
};

}  // namespace staithe::haproxy::test
