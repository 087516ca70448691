#pragma once
#include "hosts.hpp"
#include "rotations.hpp"

namespace staithe::world {

/// How to open a socket of a balancer: on this machine, over TCP, or through its host. Throws
/// base::Error{invalid} for a socket that cannot be meant. `hosts` must outlive the result.
haproxy::Dial dial_balancer(Hosts& hosts, const plan::Balancer& balancer, SocketKind kind);

}  // namespace staithe::world
