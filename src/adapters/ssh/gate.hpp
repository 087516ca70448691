#pragma once
#include "staithe/base/cancel.hpp"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace staithe::ssh {

/// Lets at most so many in at once for each name; the others wait in the order they came. Thread safe.
class Gate {
 public:
  explicit Gate(int limit) : limit_(limit) {}

  /// Leaves when destroyed.
  class Pass {
   public:
    Pass() = default;
    Pass(Gate* gate, std::string name) : gate_(gate), name_(std::move(name)) {}
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), name_(std::move(other.name_)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->leave(name_);
    }

   private:
    Gate* gate_ = nullptr;
    std::string name_;
  };

  /// Throws cancelled or timeout.
  Pass enter(const std::string& name, const base::Scope& scope);

 private:
  struct Waiter {
    base::Cancel admitted;  // used for its descriptor
  };
  struct Queue {
    int inside = 0;
    std::deque<std::shared_ptr<Waiter>> waiting;
  };

  void leave(const std::string& name) noexcept;

  const int limit_;
  std::mutex mutex_;
  std::map<std::string, Queue> queues_;
};

}  // namespace staithe::ssh
