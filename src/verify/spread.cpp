#include "spread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace staithe::verify {
namespace {

/// Headers that tell who answered have one of these in their names; dates and ids of requests have not.
bool tells_who(std::string_view name) {
  constexpr std::array<std::string_view, 9> words{"served", "server", "backend", "upstream", "host",
                                                  "node",   "pod",    "worker",  "instance"};
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

}  // namespace

void Spread::add(const Asked& asked) {
  const bool good = asked.attempt.held;
  (good ? good_ : bad_) += 1;
  constexpr std::string_view prefix = "header.";
  for (auto fact = asked.reply.facts.lower_bound(prefix);
       fact != asked.reply.facts.end() && fact->first.starts_with(prefix); ++fact) {
    if (!tells_who(fact->first)) continue;
    auto& seen = headers_[fact->first.substr(prefix.size())][fact->second.text];
    (good ? seen.good : seen.bad) += 1;
  }
}

std::string Spread::culprit() const {
  for (const auto& [name, values] : headers_)
    for (const auto& [value, seen] : values)
      if (bad_ > 0 && seen.bad == bad_ && seen.good == 0 && values.size() > 1)
        return fmt::format("{} {}", name, value);
  return {};
}

bool may_be_balanced(const checks::Check& check) {
  const auto* http = std::get_if<checks::HttpRequest>(&check.request);
  return http != nullptr && http->connect_to.empty() && check.safe && check.sample == 1 &&
         check.until.empty();
}

}  // namespace staithe::verify
