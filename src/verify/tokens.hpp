#pragma once
#include "staithe/checks/suite.hpp"

#include <map>
#include <set>
#include <string>

namespace staithe::verify {

/// Names of values that are secrets because of where they go.
using TokenNames = std::set<std::string, std::less<>>;

/// For each suite, by its name: the values, saved or used from another suite, that are put into credentials,
/// into a header that carries some (x-api-key, cookie), or behind a name that says so in a URL, a body or a
/// command's environment (access_token=…). What a suite exports counts where another one does that with it.
std::map<std::string, TokenNames> tokens_of(const checks::SuitePlan& plan);

}  // namespace staithe::verify
