#pragma once
#include "staithe/event/event.hpp"

#include <functional>
#include <string>
#include <vector>

namespace staithe::stage {

/// Clones that a run could not drop: they need a person, whatever else came of it, and the first of the next
/// steps drop them. `drop_command` makes a command line of a clone's name; without one the name is said.
void note_left_clones(const std::vector<std::string>& names,
                      const std::function<std::string(const std::string&)>& drop_command,
                      event::RunFinished& finished);

}  // namespace staithe::stage
