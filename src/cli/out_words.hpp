#pragma once
#include "staithe/world/survey.hpp"
#include "staithe/world/world.hpp"

#include <string>
#include <vector>

/// What is said of a host that is out of rotation, by whoever says it: status, and a run that has ended.
namespace staithe::cli {

/// No run of ours has taken it out.
inline constexpr const char* not_ours = "not by staithe";

/// "drained by ann@build1, run R, 10:31:04: drain web1: disk swap"; LEFT, and in hand, as well.
std::string by_whom(const world::TakenOut& taken);

/// "web1 stays out of rotation: drained by ...".
std::string stays_out(const std::string& host, const world::TakenOut& taken);

/// "web2 (api on edge1) stays drained, not by staithe".
std::string stays_out(const std::string& host, const std::vector<world::LeftAlone>& servers);

}  // namespace staithe::cli
