#pragma once
#include "hosts.hpp"

#include "staithe/haproxy/risks.hpp"

namespace staithe::world {

/// Whether the configuration files of a HAProxy process load server states, read on the machine where its
/// socket is: its socket does not tell. Unknown for a socket over TCP, for files that may not be read and for
/// a process in another container. Blocks until the scope ends at the latest; throws only
/// base::Error{cancelled}.
haproxy::KeepsStates keeps_states(Hosts& hosts, const plan::Balancer& balancer, std::uint64_t pid,
                                  const base::Scope& scope);

}  // namespace staithe::world
