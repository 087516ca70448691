#include "out_words.hpp"

#include "looking.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::cli {

std::string by_whom(const world::TakenOut& taken) {
  return fmt::format("{} by {}, run {}, {}: {}",
                     taken.in_hand      ? "in hand"
                     : taken.on_purpose ? "drained"
                                        : "LEFT",
                     taken.user, taken.run_id, when_text(taken.when), taken.title);
}

std::string stays_out(const std::string& host, const world::TakenOut& taken) {
  return base::one_line(fmt::format("{} stays out of rotation: {}", host, by_whom(taken)));
}

std::string stays_out(const std::string& host, const std::vector<world::LeftAlone>& servers) {
  std::vector<std::string> where;
  for (const auto& server : servers) where.push_back(server.backend + " on " + server.balancer);
  const auto in_maintenance =
      std::count_if(servers.begin(), servers.end(), [](const auto& server) { return server.in_maintenance; });
  const auto* how = in_maintenance == 0                                          ? "drained"
                    : static_cast<std::size_t>(in_maintenance) == servers.size() ? "in maintenance"
                                                                                 : "out of rotation";
  return base::one_line(fmt::format("{} ({}) stays {}, {}", host, base::join(where, ", "), how, not_ours));
}

}  // namespace staithe::cli
