#include "rotations.hpp"

#include "staithe/base/error.hpp"

#include <algorithm>

/// Sees to it that what is out stays out, whatever a reload has made HAProxy forget.
namespace staithe::world {
namespace {

/// While a host is out: how often its servers are looked at, and how soon after a reload that is noticed. A
/// round over balancers that are far away takes longer, and then pauses longer.
constexpr base::Duration whole_look{200};
constexpr base::Duration shortest_pause{20};
constexpr int pauses_for = 4;  // times what the round took
constexpr base::Duration glance_patience{1'000};

/// What each balancer's process says of itself, asked once in a round for all hosts.
class Glances {
 public:
  explicit Glances(const base::Scope& scope) : scope_(scope) {}

  haproxy::Info of(haproxy::Socket& socket) {
    const auto [known, is_new] = said_.try_emplace(&socket);
    auto& said = known->second;
    if (is_new) {
      try {
        said.info = socket.info(scope_.at_most(glance_patience));
      } catch (const base::Error& error) {
        said.error = error;
      }
    }
    if (said.error) throw base::Error(*said.error);
    return said.info;
  }

 private:
  struct Said {
    haproxy::Info info;
    std::optional<base::Error> error;
  };
  const base::Scope& scope_;
  std::map<haproxy::Socket*, Said> said_;
};

bool is_out(const haproxy::Rotation* rotation) {
  return rotation != nullptr && rotation->phase() != haproxy::Phase::found &&
         rotation->phase() != haproxy::Phase::restoring;
}

}  // namespace

void Rotations::start_keeper() {
  const std::lock_guard lock(mutex_);
  if (!keeper_.joinable()) keeper_ = std::jthread([this] { keep(); });
}

/// What a run before this one left may serve again since: then nobody has asked whether it can be spared.
/// While a balancer that may be the one does not answer, it is kept out where it was seen to be out.
bool Rotations::must_keep(HostRotation& entry, const base::Scope& scope,
                          const haproxy::Rotation::Glance& glance) {
  if (entry.keep == Keep::if_still_out)
    if (const auto out = entry.rotation->keeps_all_out(scope, glance))
      entry.keep = *out ? Keep::yes : Keep::no;
  return entry.keep != Keep::no;
}

/// True when a host was out.
bool Rotations::keep_once(const base::Scope& scope) {
  Glances glances(scope);
  const auto glance = [&](haproxy::Socket& socket) { return glances.of(socket); };
  bool any = false;
  for (const auto& [host, entry] : all_hosts()) {
    // A phase that works on it looks by itself.
    const std::unique_lock lock(entry->mutex, std::try_to_lock);
    any = any || !lock.owns_lock();
    if (!lock.owns_lock() || !is_out(entry->rotation.get())) continue;
    try {
      if (!must_keep(*entry, scope, glance)) continue;
      any = true;
      using enum haproxy::Rotation::Where;
      entry->rotation->reassert(scope, whole_look, glance, entry->keep == Keep::yes ? everywhere : seen_out);
      entry->trouble.clear();
    } catch (const base::Error& error) {
      // A balancer that is away now is looked at again; what stays wrong the next phase meets itself.
      any = true;
      entry->trouble = error.what();
    }
  }
  return any;
}

void Rotations::keep() {
  using Clock = std::chrono::steady_clock;
  const auto until_stopped = base::Scope::lasting(std::chrono::hours(24 * 365), &stop_keeper_);
  base::Duration pause{0};  // what is still out when a run begins is to stay so
  while (base::sleep_for(pause, until_stopped) == base::Woke::ready) {
    const auto began = Clock::now();
    const bool any = keep_once(until_stopped);
    const auto took = std::chrono::duration_cast<base::Duration>(Clock::now() - began);
    pause = any ? std::clamp(took * pauses_for, shortest_pause, whole_look) : whole_look;
  }
}

}  // namespace staithe::world
