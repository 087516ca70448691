#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/ssh/endpoint.hpp"

namespace staithe::ssh {

/// Connects to the endpoint's address and port: every address of the name is tried in turn, each with its
/// share of the time that is left. The socket is close-on-exec, without Nagle's algorithm, and notices a dead
/// peer as the endpoint's keepalive settings say. Throws base::Error: resolve, connect, timeout, cancelled.
base::UniqueFd connect_tcp(const Endpoint& endpoint, const base::Scope& scope);

}  // namespace staithe::ssh
