#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"
#include "staithe/haproxy/rotation.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// What the three files of Rotation share.
namespace staithe::haproxy {
namespace detail {

inline std::uint8_t bit(Own own) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(own));
}

inline constexpr std::uint8_t any_state = 7;  // every Own, as bits

inline std::string at(const std::string& balancer, const ServerRef& ref) {
  return balancer + ' ' + to_text(ref);
}

/// The states, as bits, that a rotation that has come so far may have given it.
std::uint8_t states_up_to(Phase phase, const FoundServer& found);

/// Its balancer's file says so now, and did not when the drain began.
inline bool was_disabled_since(const ServerState& state, const FoundServer& found) {
  return own_state(state.admin) == Own::maint &&
         (state.admin & ~found.admin & admin_bit::config_disabled) != 0;
}

/// "in maintenance" or "drained", of what is not ready.
inline std::string_view out_text(Own own) {
  return own == Own::maint ? "in maintenance" : "drained";
}

/// The command that gives a server this state.
inline std::string state_command(Own own, const ServerRef& ref) {
  switch (own) {
    case Own::ready:
      return command::ready(ref);
    case Own::drain:
      return command::drain(ref);
    case Own::maint:
      return command::maint(ref);
  }
  return command::ready(ref);
}

inline std::string reload_text(const std::string& balancer, const Info& before, const Info& now) {
  return balancer + ": HAProxy was reloaded (process " + std::to_string(before.pid) + " is now " +
         std::to_string(now.pid) + ')';
}

/// Sleeps, and throws when the scope ends first.
void pause(base::Duration duration, const base::Scope& scope, const char* what);

/// True for errors that a restart of the balancer, or a tunnel that breaks, can cause: worth another try.
bool transient(const base::Error& error);

/// True when `error` says that this balancer does not answer, and not that the caller's time is over.
bool balancer_lost(const base::Error& error, const base::Scope& scope);

/// While it lives, a balancer that does not answer is not waited for.
class NoPatience {
 public:
  explicit NoPatience(RotationOptions& options)
      : options_(options), before_(std::exchange(options.patience, base::Duration(0))) {}
  NoPatience(const NoPatience&) = delete;
  NoPatience& operator=(const NoPatience&) = delete;
  ~NoPatience() { options_.patience = before_; }

 private:
  RotationOptions& options_;
  base::Duration before_;
};

}  // namespace detail

/// Repeats `action` with growing pauses while the balancer does not answer, up to the rotation's patience.
template <class Action>
auto Rotation::patiently(const base::Scope& scope, Action&& action) {
  const auto give_up = base::Scope::lasting(options_.patience);
  base::Duration nap{50};
  constexpr base::Duration longest_nap{1'000};
  for (;;) {
    try {
      return action();
    } catch (const base::Error& error) {
      if (!detail::transient(error) || give_up.expired() || scope.expired()) throw;
    }
    detail::pause(std::min(nap, give_up.left()), scope, "the balancer's answer");
    nap = std::min(nap * 2, longest_nap);
  }
}

}  // namespace staithe::haproxy
