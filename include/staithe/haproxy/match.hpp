#pragma once
#include "staithe/base/error.hpp"
#include "staithe/haproxy/state.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// Which servers stand for a host. Pure.
namespace staithe::haproxy {

/// No server stands for the host, or not one that can be told: what the files say of it is wrong.
class Unmatched final : public base::Error {
 public:
  using Error::Error;
};

struct Wanted {
  std::string host;                    ///< for messages
  std::vector<ServerRef> names;        ///< declared names; empty: by address alone
  std::vector<std::string> addresses;  ///< of the host: IPs, and names for servers that are declared by name
  std::uint16_t port = 0;              ///< of the app; 0: any
};

struct View {
  std::string balancer;
  std::vector<ServerState> servers;  ///< all of them
};

struct Pair {
  std::string balancer;
  ServerRef ref;
  bool operator==(const Pair&) const = default;
};

/// The pairs that stand for the host, ordered as the views, then as the names or the rows.
/// By name: a name must exist on one balancer at least, on every balancer that has its backend, and have the
/// host's address where both are known. By address: all rows with it; two rows of one backend with different
/// ports are ambiguous. Throws Unmatched{not_found}, {conflict} (address) or {invalid} (ambiguous), with
/// every complaint in one text, separated by "; ".
std::vector<Pair> match(const Wanted& wanted, std::span<const View> views);

/// Whether match() takes this row for the host, where nothing contradicts.
bool takes(const Wanted& wanted, const ServerState& server);

/// Numeric addresses compared as addresses ("::ffff:10.0.0.1" is "10.0.0.1"), anything else as names.
bool same_address(const std::string& a, const std::string& b);

}  // namespace staithe::haproxy
