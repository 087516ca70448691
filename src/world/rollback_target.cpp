#include "staithe/base/text.hpp"
#include "staithe/world/survey.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

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

/// When the release came to the fleet: the latest of its hosts.
double staged(const std::vector<HostLook>& hosts, const std::string& release) {
  double latest = 0;
  for (const auto& host : hosts)
    if (const auto* there = host.find(release)) latest = std::max(latest, there->staged);
  return latest;
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
  return {"", "", why + holdings(hosts)};
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
  return {found.front(), sha_of(hosts, found.front()), ""};
}

}  // namespace

RollbackTarget rollback_target(const std::vector<HostLook>& hosts, const std::string& wanted,
                               const std::vector<std::string>& bad) {
  if (!wanted.empty()) return named_target(hosts, wanted);
  double live_since = 0;
  for (const auto& host : hosts) live_since = std::max(live_since, staged(hosts, host.current));
  RollbackTarget newest;
  double newest_staged = -1;
  for (const auto& id : all_releases(hosts)) {
    const bool is_bad = std::find(bad.begin(), bad.end(), id) != bad.end();
    const bool live_everywhere =
        std::all_of(hosts.begin(), hosts.end(), [&](const HostLook& host) { return host.current == id; });
    const double since = staged(hosts, id);
    const bool is_older = live_since == 0 || since < live_since;
    if (is_bad || live_everywhere || !is_older || !lacking(hosts, id).empty()) continue;
    if (since <= newest_staged) continue;
    newest = {id, sha_of(hosts, id), ""};
    newest_staged = since;
  }
  if (!newest.release.empty()) return newest;
  return refused(hosts, "no good release older than the live one is on all hosts");
}

}  // namespace staithe::world
