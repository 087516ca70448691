#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace staithe::world {

/// Which hosts of a run count as gone: those on their way out, those that are out, those that were left out.
/// Between looking and reserving the balancers are asked, so nothing is held meanwhile: who reserves says
/// what they had looked at, and looks again when somebody else was quicker. Thread safe; never blocks for
/// long.
class Reservations {
 public:
  struct View {
    std::set<std::string> gone;    ///< without the host that asks
    bool others_in_hand = false;   ///< a lane works on one of them: it may come back
    std::uint64_t reserved_until;  ///< for reserve()
  };

  View look(const std::string& host) const {
    const std::lock_guard lock(mutex_);
    View view{{}, false, count_};
    for (const auto& [name, held] : held_) {
      if (name == host) continue;
      view.gone.insert(name);
      view.others_in_hand = view.others_in_hand || held == Held::in_hand;
    }
    return view;
  }

  /// False when another host was reserved since `view`: what was counted then no longer holds.
  bool reserve(const std::string& host, const View& view) {
    const std::lock_guard lock(mutex_);
    if (count_ != view.reserved_until) return false;
    ++count_;
    held_[host] = Held::in_hand;
    return true;
  }

  /// The host serves again, or was never taken out.
  void give_back(const std::string& host) {
    const std::lock_guard lock(mutex_);
    held_.erase(host);
  }

  /// Nobody works on the host any more: when it is not back by now, it will not come back by itself.
  void lane_ended(const std::string& host) {
    const std::lock_guard lock(mutex_);
    if (const auto held = held_.find(host); held != held_.end()) held->second = Held::left_out;
  }

 private:
  enum class Held { in_hand, left_out };

  mutable std::mutex mutex_;
  std::map<std::string, Held> held_;
  std::uint64_t count_ = 0;
};

}  // namespace staithe::world
