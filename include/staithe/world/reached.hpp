#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace staithe::world {

/// How far a run that died had come with a host that it had taken out, at the furthest: what its servers may
/// be in by that run, and what by nobody but somebody else.
enum class Reached : std::uint8_t {
  drained,   ///< never in maintenance, or by an undo no more: the checks went on
  in_maint,  ///< maintenance may have begun, and may still be that run's
  proving,   ///< in maintenance no more on any balancer: health to be earned
  let_in,    ///< proven, and every balancer was told to let visitors in
};

/// What is known of such a host beside what is to be given back.
struct LastKnown {
  Reached reached = Reached::in_maint;
  std::vector<std::string> told{};  ///< as HostLeft::told
};

}  // namespace staithe::world
