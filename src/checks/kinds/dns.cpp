#include "kinds.hpp"

#include <array>

namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 3> dns_subjects{"addresses", "resolves", "time"};

std::optional<Request> parse_dns(Fields& fields, const yaml::Reader& value) {
  const auto name = fields.text(value);
  if (!name) return std::nullopt;
  return DnsRequest{*name};
}

}  // namespace

const Kind dns_kind{"dns",
                    "resolve a name",
                    "dns: api.example.com\nexpect: {addresses: count at least 2}",
                    R"(Asks this machine's resolver, as any program here would.
Expectations: resolves, addresses (a list), time.)",
                    dns_subjects,
                    "resolves",
                    parse_dns};

}  // namespace staithe::checks
