#pragma once
#include "keys.hpp"
#include "link.hpp"

#include <string>
#include <vector>

namespace staithe::ssh {

struct Admission {
  std::string identity;
  std::vector<std::string> not_shown;  ///< as Negotiated has it
};

/// Proves who we are: with the agent's keys that belong to the identity files, the agent's others, then the
/// key files themselves. Returns what was accepted ("agent", or the file), and what could not be shown.
/// Throws base::Error: auth with a list of what was tried, timeout, cancelled, io.
Admission authenticate(Link& link, const Endpoint& endpoint, KeyRing& keys, const base::Scope& scope);

}  // namespace staithe::ssh
