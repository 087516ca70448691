#pragma once
#include "backlog.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/checks/suite.hpp"
#include "staithe/verify/memory.hpp"

#include <atomic>
#include <map>
#include <string>

namespace staithe::watch {

/// The history of what a watch finds, in the store, and the part of it in memory that runs need.
class Archive {
 public:
  /// `store` may be null: then nothing is kept.
  Archive(store::Store* store, std::string environment)
      : store_(store), environment_(std::move(environment)) {}

  verify::Memory& memory() noexcept { return memory_; }
  /// Reads what the store knows of a plan's checks; blocks as the store does. Why it could not be read, which
  /// the next keep() tries again; "" when it was. Any thread.
  std::string load(const checks::SuitePlan& plan);
  /// Adds results. Once an hour what is too old to say anything is removed first, by the suites of the plan
  /// in use. True when besides what could not be read before has been read now. Throws base::Error; may be
  /// called again with the same. One thread.
  bool keep(const Records& results, const checks::SuitePlan& in_use);

 private:
  void prune(const Records& results, const checks::SuitePlan& in_use);

  store::Store* store_;
  std::string environment_;
  verify::Memory memory_;
  std::atomic<bool> unread_{false};
  std::map<std::string, base::SteadyTime> pruned_;
};

}  // namespace staithe::watch
