#pragma once
#include "keys.hpp"
#include "link.hpp"

#include <string>

namespace staithe::ssh {

/// Proves who we are: with the agent's keys that belong to the identity files, the agent's others, then the
/// key files themselves. Returns what was accepted ("agent", or the file). Throws base::Error: auth with a
/// list of what was tried, timeout, cancelled, io.
std::string authenticate(Link& link, const Endpoint& endpoint, KeyRing& keys, const base::Scope& scope);

}  // namespace staithe::ssh
