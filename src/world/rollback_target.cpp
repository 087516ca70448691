#include "staithe/base/text.hpp"
#include "staithe/world/survey.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

namespace staithe::world {
namespace {

constexpr std::size_t shortest_wanted = 4;
constexpr std::size_t shown_releases = 6;

/// "web1  live 9d1f3c2a81b4; good: 3e5f…, …" for every host, newest release first.
std::string holdings(const std::vector<HostLook>& hosts) {
  std::string text;
  for (const auto& host : hosts) {
    std::vector<std::string> good;
    for (const auto& release : host.releases)
      if (release.good && good.size() < shown_releases) good.push_back(release.id);
    text +=
        fmt::format("\n  {:<12} live {}; good: {}", host.host, host.current.empty() ? "none" : host.current,
                    good.empty() ? "none" : base::join(good, ", "));
  }
  return text;
}

/// What a host would go back to, one after the other: the live release comes first.
std::vector<std::string> way_back(const HostLook& host) {
  std::vector<std::string> way = host.served;
  // What a crash or a person's hand has left behind the live one in the list is not what was live before it.
  while (!way.empty() && way.back() != host.current) way.pop_back();
  if (way.empty()) way = host.served;
  if (!host.current.empty() && (way.empty() || way.back() != host.current)) way.push_back(host.current);
  std::reverse(way.begin(), way.end());
  double since = std::numeric_limits<double>::infinity();
  for (const auto& id : way)
    if (const auto* there = host.find(id)) since = std::min(since, there->staged);
  for (const auto& release : host.releases)
    if (release.staged < since) way.push_back(release.id);
  return way;
}

/// How many releases back on each host, in their order; none when a host never served it, or left it.
std::optional<std::vector<std::size_t>> steps_back(const std::vector<std::vector<std::string>>& ways,
                                                   const std::string& release) {
  std::vector<std::size_t> steps;
  for (const auto& way : ways) {
    const auto found = std::find(way.begin(), way.end(), release);
    if (found == way.end()) return std::nullopt;
    steps.push_back(static_cast<std::size_t>(found - way.begin()));
  }
  return steps;
}

/// "served web1 before, live on web[2-4]"
std::string in_words(const std::vector<HostLook>& hosts, const std::vector<std::size_t>& steps) {
  std::vector<std::string> live, before, earlier;
  for (std::size_t i = 0; i < hosts.size(); ++i)
    (steps[i] == 0 ? live : steps[i] == 1 ? before : earlier).push_back(hosts[i].host);
  std::vector<std::string> parts;
  if (!before.empty()) parts.push_back(fmt::format("served {} before", base::fold_names(before)));
  if (!earlier.empty()) parts.push_back(fmt::format("served {} earlier", base::fold_names(earlier)));
  if (!live.empty()) parts.push_back(fmt::format("live on {}", base::fold_names(live)));
  return base::join(parts, ", ");
}

std::vector<std::string> lacking(const std::vector<HostLook>& hosts, const std::string& release) {
  std::vector<std::string> names;
  for (const auto& host : hosts) {
    const auto* there = host.find(release);
    if (there == nullptr || !there->good) names.push_back(host.host);
  }
  return names;
}

std::set<std::string> all_releases(const std::vector<HostLook>& hosts) {
  std::set<std::string> ids;
  for (const auto& host : hosts)
    for (const auto& release : host.releases) ids.insert(release.id);
  return ids;
}

std::string sha_of(const std::vector<HostLook>& hosts, const std::string& release) {
  for (const auto& host : hosts)
    if (const auto* there = host.find(release)) return there->sha;
  return {};
}

RollbackTarget refused(const std::vector<HostLook>& hosts, const std::string& why) {
  return {"", "", why + holdings(hosts), ""};
}

RollbackTarget named_target(const std::vector<HostLook>& hosts, const std::string& wanted) {
  if (wanted.size() < shortest_wanted)
    return refused(hosts,
                   fmt::format("'{}' names no release: give at least {} digits", wanted, shortest_wanted));
  std::vector<std::string> found;
  for (const auto& id : all_releases(hosts)) {
    const auto sha = sha_of(hosts, id);
    if (sha.rfind(wanted, 0) == 0) found.push_back(id);
  }
  if (found.empty()) return refused(hosts, fmt::format("no host has a release '{}'", wanted));
  if (found.size() > 1)
    return refused(hosts, fmt::format("'{}' may mean {}", wanted, base::join(found, " or ")));
  const auto without = lacking(hosts, found.front());
  if (!without.empty())
    return refused(hosts, fmt::format("release {} is not there, or never was good, on {}", found.front(),
                                      base::fold_names(without)));
  return {found.front(), sha_of(hosts, found.front()), "", ""};
}

}  // namespace

RollbackTarget rollback_target(const std::vector<HostLook>& hosts, const std::string& wanted,
                               const std::vector<std::string>& bad) {
  if (!wanted.empty()) return named_target(hosts, wanted);
  std::vector<std::vector<std::string>> ways;
  for (const auto& host : hosts) ways.push_back(way_back(host));
  // The longest way of a host first, then all of them together.
  using Length = std::pair<std::size_t, std::size_t>;
  std::optional<Length> shortest;
  RollbackTarget nearest;
  for (const auto& id : all_releases(hosts)) {
    const auto steps = steps_back(ways, id);
    const bool is_bad = std::find(bad.begin(), bad.end(), id) != bad.end();
    if (is_bad || !steps || !lacking(hosts, id).empty()) continue;
    const Length length{*std::max_element(steps->begin(), steps->end()),
                        std::accumulate(steps->begin(), steps->end(), std::size_t{0})};
    const bool live_everywhere = length.first == 0;
    if (live_everywhere || (shortest && *shortest <= length)) continue;
    shortest = length;
    nearest = {id, sha_of(hosts, id), "", in_words(hosts, *steps)};
  }
  if (!nearest.release.empty()) return nearest;
  return refused(hosts, "no good release that was live before is on all hosts");
}

}  // namespace staithe::world
