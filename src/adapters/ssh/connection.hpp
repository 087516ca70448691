#pragma once
#include "link.hpp"
#include "proxy.hpp"

#include "staithe/ssh/session.hpp"

#include <memory>

namespace staithe::ssh {

/// A link and what must live as long as it.
struct Connection {
  std::unique_ptr<Proxy> proxy;  // outlives the link, which ends it by closing the socket
  std::unique_ptr<Link> link;
  Timings timings;
  Negotiated negotiated;
};

}  // namespace staithe::ssh
