#pragma once
#include "app.hpp"
#include "balancer.hpp"
#include "catch.hpp"
#include "load.hpp"
#include "net.hpp"
#include "support/soon.hpp"

#include "staithe/base/error.hpp"
#include "staithe/haproxy/rotation.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace staithe::haproxy::test {

using staithe::test::soon;

inline base::Scope within(int milliseconds) {
  return base::Scope::lasting(base::Duration(milliseconds));
}

/// What is awaited comes about sooner or later; so a wait that is too short for a busy machine is made again,
/// up to 20 times. Gives back whether it has come.
inline bool in_time(const std::function<bool()>& wait) {
  for (int round = 0; round < 20; ++round)
    if (wait()) return true;
  return false;
}

/// Waits for calm that does not come, until the end of such a wait tells of what it was to tell; what it
/// told.
inline std::string never_calm(Rotation& rotation, int milliseconds, const std::string& of,
                              const OnProgress& progress = {}) {
  std::string busy;
  in_time([&] {
    const auto calm = rotation.wait_calm(within(milliseconds), progress);
    CHECK_FALSE(calm.reached);
    busy = calm.busy;
    return busy.find(of) != std::string::npos;
  });
  CHECK_THAT(busy, ContainsSubstring(of));
  return busy;
}

/// Three apps, s1 to s3.
struct Apps {
  std::vector<std::unique_ptr<App>> all;
  Apps() {
    for (const auto* name : {"s1", "s2", "s3"}) {
      all.push_back(std::make_unique<App>(free_port(), name));
      all.back()->start();
    }
  }
  App& operator[](std::size_t at) { return *all[at]; }
  std::string address(std::size_t at) const { return own_address() + ':' + std::to_string(all[at]->port()); }
  /// "  server s1 ADDRESS check OPTIONS", a line for each.
  std::string servers(const std::string& options) const {
    std::string lines;
    for (std::size_t at = 0; at < all.size(); ++at)
      lines += "  server s" + std::to_string(at + 1) + ' ' + address(at) + ' ' + options + '\n';
    return lines;
  }
};

inline std::string bind_line(std::uint16_t port) {
  return "  bind " + own_address() + ':' + std::to_string(port) + '\n';
}

/// A frontend on `port` and the backend web with all apps.
inline std::string web(const Apps& apps, std::uint16_t port, const std::string& more = {},
                       const std::string& options = "check") {
  return "frontend fe\n" + bind_line(port) +
         "  default_backend web\nbackend web\n  option httpchk GET /health\n" + more + apps.servers(options);
}

inline bool all_up(Balancer& balancer) {
  return eventually([&] {
    for (const auto& stat : balancer.socket().stats(soon(), "web"))
      if (!stat.is_backend && stat.check_status.rfind("L7OK", 0) != 0) return false;
    return true;
  });
}

template <class Call>
std::string failure(base::ErrorCode code, Call&& call) {
  try {
    call();
  } catch (const base::Error& error) {
    CHECK(name_of(error.code()) == name_of(code));
    return error.what();
  }
  FAIL("nothing was thrown");
  return {};
}

/// Takes the app of one host out, has it restarted in the meantime, and brings it back.
inline void cycle(Rotation& rotation, App& app) {
  rotation.find(soon());
  rotation.drain(soon());
  rotation.wait_calm(rotation.persistent() ? within(700) : soon());
  rotation.quiesce(soon());
  REQUIRE(rotation.wait_calm(soon()).reached);
  app.stop();
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  app.start();
  rotation.prove(soon());
  rotation.wait_proven(soon());
  REQUIRE(rotation.ready(soon()).empty());
  rotation.wait_serving(soon(), base::Duration(200));
}

}  // namespace staithe::haproxy::test
