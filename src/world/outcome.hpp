#pragma once
#include "staithe/base/error.hpp"
#include "staithe/exec/effects.hpp"

#include <string>
#include <utility>

namespace staithe::world {

inline exec::EffectResult done(std::string detail = {}) {
  return {event::Outcome::ok, std::move(detail), {}, {}, {}, false};
}

inline exec::EffectResult not_done(event::Outcome outcome, std::string detail, bool retryable = false) {
  return {outcome, std::move(detail), {}, {}, {}, retryable};
}

/// Who is to blame for what failed.
enum class Side { there, here };

/// An error before anything of an action was sent or started.
class Unsent final : public base::Error {
 public:
  Unsent(const base::Error& error, Side side) : base::Error(error), side_(side) {}
  bool is_own_fault() const noexcept { return side_ == Side::here; }

 private:
  Side side_;
};

/// What comes before an action does anything: its errors are Unsent.
template <typename Prepare>
decltype(auto) before_sending(Prepare&& prepare, Side side = Side::there) {
  try {
    return std::forward<Prepare>(prepare)();
  } catch (const base::Error& error) {
    throw Unsent(error, side);
  }
}

/// What an adapter's error means for the action, and whether another attempt makes sense.
inline exec::EffectResult from_error(const base::Error& error) {
  using base::ErrorCode;
  using event::Outcome;
  switch (error.code()) {
    case ErrorCode::cancelled:
      return not_done(Outcome::cancelled, error.what());
    case ErrorCode::timeout:
      return not_done(Outcome::timed_out, error.what(), true);
    case ErrorCode::resolve:
    case ErrorCode::connect:
    case ErrorCode::reset_before_auth:
    case ErrorCode::channel_denied:
    case ErrorCode::io:
      return not_done(Outcome::unreachable, error.what(), true);
    case ErrorCode::host_key:
    case ErrorCode::auth:
    case ErrorCode::permission:
    case ErrorCode::conflict:
    case ErrorCode::unavailable:
      return not_done(Outcome::refused, error.what());
    default:
      return not_done(Outcome::failed, error.what());
  }
}

}  // namespace staithe::world
