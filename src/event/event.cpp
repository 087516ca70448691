#include "staithe/event/event.hpp"

namespace staithe::event {

const char* name_of(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::failed:
      return "failed";
    case Outcome::refused:
      return "refused";
    case Outcome::timed_out:
      return "timed_out";
    case Outcome::unreachable:
      return "unreachable";
    case Outcome::cancelled:
      return "cancelled";
    case Outcome::skipped:
      return "skipped";
  }
  return "failed";
}

const char* name_of(HostState state) noexcept {
  switch (state) {
    case HostState::untouched:
      return "untouched";
    case HostState::done:
      return "done";
    case HostState::reverted:
      return "reverted";
    case HostState::restored:
      return "restored";
    case HostState::failed:
      return "failed";
    case HostState::out:
      return "out";
  }
  return "failed";
}

}  // namespace staithe::event
