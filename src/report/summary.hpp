#pragma once
#include "narrate.hpp"

#include "staithe/event/event.hpp"

#include <string>

namespace staithe::report {

/// The last lines of a run: what failed, what was changed, what was not, and the commands to run next.
/// `started` tells what was to be done.
std::string summary(const Paint& paint, const event::RunStarted& started, const event::RunFinished& finished);

}  // namespace staithe::report
