#include "kinds.hpp"

#include <array>

namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 9> haproxy_subjects{
    "up", "draining", "maint", "down", "servers", "queued", "sessions", "balancers", "time"};

std::optional<Request> parse_haproxy(Fields& fields, const yaml::Reader& value) {
  const auto backend = fields.plain(value);
  if (!backend) return std::nullopt;
  HaproxyRequest request{*backend, {}};
  for (const auto& name : fields.map().texts("balancers")) request.balancers.push_back(name.value);
  return request;
}

}  // namespace

const Kind haproxy_kind{
    "haproxy",
    "look at a backend",
    "haproxy: app\nexpect: {up: $(hosts.app.count), draining: 0}",
    R"(The servers of a backend, as every balancer of the environment sees them; the balancer that is worst off
counts.

balancers       only these
Expectations: up (servers that get visitors), draining, maint, down, servers, queued, sessions (of all balancers
together), balancers (that were asked), time.)",
    haproxy_subjects,
    "up",
    parse_haproxy};

}  // namespace staithe::checks
