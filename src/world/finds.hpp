#pragma once
#include "staithe/store/store.hpp"

#include <map>
#include <string>
#include <utility>

namespace staithe::world {

/// What a run wrote down of each host before it drained it, the first time. Read once for all hosts, and only
/// where somebody asks.
class Finds {
 public:
  Finds(store::Store& store, std::string run_id) : store_(store), run_id_(std::move(run_id)) {}

  /// "" when it did not come to that.
  std::string of(const std::string& host);

  /// The run took the host out of service: one that ended with it in order gave it back so. A run that took
  /// it out of nothing, such as a task without a drain, gives nothing back, nor does one that found it out.
  bool in_service(const std::string& host);

 private:
  store::Store& store_;
  std::string run_id_;
  bool read_ = false;
  std::map<std::string, std::string> found_;
};

}  // namespace staithe::world
