#pragma once
#include "hosts.hpp"

#include "staithe/haproxy/risks.hpp"

namespace staithe::world {

/// What the configuration files of a HAProxy process say, read on the machine where its socket is. Unknown
/// for a socket over TCP, for files that may not be read and for a process in another container. Blocks until
/// the scope ends at the latest; throws only base::Error{cancelled}.
haproxy::FilesSay files_say(Hosts& hosts, const plan::Balancer& balancer, std::uint64_t pid,
                            const base::Scope& scope);

}  // namespace staithe::world
