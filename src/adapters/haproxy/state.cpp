#include "staithe/haproxy/state.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace staithe::haproxy {

std::string_view name_of(Own own) noexcept {
  switch (own) {
    case Own::ready:
      return "ready";
    case Own::drain:
      return "drain";
    case Own::maint:
      return "maint";
  }
  return "ready";
}

Own own_state(std::uint32_t admin) noexcept {
  if ((admin & admin_bit::forced_maint) != 0) return Own::maint;
  return (admin & admin_bit::forced_drain) != 0 ? Own::drain : Own::ready;
}

bool ServerState::usable() const noexcept {
  return !in_maint() && !in_drain() && (op == Op::starting || op == Op::running) && weight > 0;
}

bool Info::at_least(std::uint32_t major, std::uint32_t minor, std::uint32_t patch) const {
  std::array<std::uint32_t, 3> have{};
  const char* at = version.data();
  const char* const end = at + version.size();
  for (auto& part : have) {
    const auto [next, error] = std::from_chars(at, end, part);
    if (error != std::errc{}) return &part == &have[2];  // "3.1-dev4" has no patch level
    at = next;
    if (at == end || *at != '.') {
      if (&part == &have[0]) return false;
      break;
    }
    ++at;
  }
  return have >= std::array<std::uint32_t, 3>{major, minor, patch};
}

const ServerState* Snapshot::state(const ServerRef& ref) const noexcept {
  const auto at = std::find_if(states.begin(), states.end(), [&](const auto& row) { return row.ref == ref; });
  return at == states.end() ? nullptr : &*at;
}

const ServerStat* Snapshot::stat(const ServerRef& ref) const noexcept {
  const auto at = std::find_if(stats.begin(), stats.end(),
                               [&](const auto& row) { return !row.is_backend && row.ref == ref; });
  return at == stats.end() ? nullptr : &*at;
}

}  // namespace staithe::haproxy
