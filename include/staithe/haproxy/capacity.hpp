#pragma once
#include "staithe/haproxy/state.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

/// What is left of a backend when servers are taken out. Pure.
namespace staithe::haproxy {

struct MinAvailable {
  std::uint32_t value = 1;
  bool percent = false;  ///< of the backend's servers, rounded up
};

struct Shortage {
  std::string backend;
  std::uint32_t now = 0;      ///< servers that take visitors
  std::uint32_t left = 0;     ///< after taking out
  std::uint32_t needed = 0;   ///< at least 1: the last server is never taken
  std::uint32_t servers = 0;  ///< of the backend, without backups and without unresolved ones
  /// Of the backend, and why: {"in maintenance", {"web3", "web4"}}.
  std::map<std::string, std::vector<std::string>> unusable;
  /// Behind the backend's name: "would be left with 1 of 4 servers, 3 needed; out now: web[3-4] (in
  /// maintenance)"
  std::string text() const;
};

/// `all` holds every server of this balancer. Servers that track one that goes, go with it. A backend that
/// would not lose anything (its servers are out already) is never short. While an active server is left,
/// backups take nobody in; when none is left, one backup counts as one.
std::vector<Shortage> shortages(const Snapshot& all, std::span<const ServerRef> out, MinAvailable minimum);

/// The same balancer with every server counted as serving that neither a command nor a missing address keeps
/// away: one that is only down may come up, by the very release that is on its way.
Snapshot at_best(Snapshot all);

/// `out` and everything that tracks them, directly or through others.
std::vector<ServerRef> with_followers(const Snapshot& all, std::span<const ServerRef> out);

}  // namespace staithe::haproxy
