#pragma once
#include "staithe/haproxy/match.hpp"
#include "staithe/plan/plan.hpp"

#include <string>

/// What a plan says of the servers that stand for its hosts.
namespace staithe::world {

inline bool has_servers(const plan::Host& host) {
  return !host.servers.names.empty() || !host.servers.address.empty();
}

inline haproxy::Wanted wanted_of(const plan::Host& host) {
  haproxy::Wanted wanted{host.name, {}, {host.servers.address}, host.servers.port};
  for (const auto& ref : host.servers.names) wanted.names.push_back({ref.backend, ref.server});
  return wanted;
}

/// Of servers that stand for two hosts: whoever brings one of these back ends what keeps the other out.
inline std::string shared_text(const std::string& servers, const std::string& one, const std::string& other) {
  return servers + " would stand for " + one + " and for " + other +
         ": give each its own address or port, or name the servers of each";
}

}  // namespace staithe::world
