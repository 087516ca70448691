#pragma once
#include "staithe/store/store.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace staithe::world {

/// Writes down which processes of HAProxy a run has told anew after reloads, under told_key. Visitors may be
/// on their way to an app that is down, so nobody who tells a balancer waits for the disk: a thread of its
/// own writes, and has written everything when this object goes. What cannot be written, or what a crash
/// loses in between, reads as not told: a recovery then leaves the host in maintenance and says so.
class ToldNotes {
 public:
  /// `store` may be null: then nothing is written.
  ToldNotes(store::Store* store, std::string run_id) : store_(store), run_id_(std::move(run_id)) {}
  ToldNotes(const ToldNotes&) = delete;
  ToldNotes& operator=(const ToldNotes&) = delete;

  /// Any thread. What the host has to be noted last counts.
  void add(const std::string& host, const std::string& found) noexcept;

 private:
  void write(const std::stop_token& stop) noexcept;

  store::Store* store_;
  std::string run_id_;
  std::mutex mutex_;
  std::condition_variable_any added_;
  std::map<std::string, std::string> waiting_;  ///< by host
  std::jthread writer_;
};

}  // namespace staithe::world
