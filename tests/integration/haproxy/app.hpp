#pragma once
#include "staithe/base/unique_fd.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace staithe::haproxy::test {

/// A TCP server whose every connection is served on a thread of its own.
class Listener {
 public:
  explicit Listener(std::uint16_t port) : port_(port) {}
  virtual ~Listener() = default;

  void start();
  /// Abruptly: whatever is in hand is cut.
  void stop();
  bool runs() const { return acceptor_.joinable(); }
  std::uint16_t port() const noexcept { return port_; }

 protected:
  virtual void serve(int fd) = 0;

 private:
  void accept_all();

  std::uint16_t port_;
  base::UniqueFd listening_;
  std::thread acceptor_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
};

/// An HTTP application: 20 ms of work for each request, a body that names it, /health of its own, /endless
/// that never ends.
class App final : public Listener {
 public:
  App(std::uint16_t port, std::string name) : Listener(port), name_(std::move(name)) {}
  ~App() override { stop(); }

  std::atomic<int> health{200};
  std::atomic<std::uint64_t> served{0};
  std::atomic<std::uint64_t> in_hand{0};

 protected:
  void serve(int fd) override;

 private:
  std::string name_;
};

/// An agent that gives the same answer to everybody.
class Agent final : public Listener {
 public:
  explicit Agent(std::uint16_t port) : Listener(port) {}
  ~Agent() override { stop(); }
  void say(std::string answer);
  std::atomic<std::uint64_t> asked{0};

 protected:
  void serve(int fd) override;

 private:
  std::mutex answer_mutex_;
  std::string answer_ = "up ready";
};

}  // namespace staithe::haproxy::test
