#pragma once
#include "outcome.hpp"

#include "staithe/store/store.hpp"
#include "staithe/world/world.hpp"

#include <map>
#include <mutex>
#include <string>

namespace staithe::world {

/// The locks that this run holds. They are free once this goes, which is after the run's end is in the state:
/// whoever waits for one looks there before going on.
class Locks {
 public:
  Locks(store::Store* store, const Settings& settings) : store_(store), settings_(settings) {}

  exec::EffectResult take(const plan::TakeLock& effect, exec::Performance& performance);
  /// The run needs it no more.
  exec::EffectResult give(const plan::GiveLock& effect);
  /// The scope of a lock that others have taken from us, "" when all are ours.
  std::string lost();

 private:
  store::Store* store_;
  const Settings& settings_;
  std::mutex mutex_;
  std::map<std::string, store::Lock> held_;
};

}  // namespace staithe::world
