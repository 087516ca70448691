#pragma once
#include "staithe/haproxy/state.hpp"

#include <string>
#include <vector>

/// What a look at a balancer says about rolling releases out behind it. Pure.
namespace staithe::haproxy {

struct Finding {
  enum class Severity : std::uint8_t { note, warning, error };
  Severity severity = Severity::note;
  std::string balancer;
  std::string subject;  ///< "api/web1", "api", or "" for the balancer
  std::string text;
  bool operator==(const Finding&) const = default;
};

/// Whether HAProxy's files load the state of its servers when it is reloaded; `unknown` where they could not
/// be read.
enum class KeepsStates { not_asked, unknown, no, yes };

struct Overview {
  std::string balancer;
  std::string level;  ///< "" when unknown
  Snapshot all;       ///< every backend
  std::vector<Worker> workers;
  bool master = false;  ///< a master socket is declared
  KeepsStates keeps_states = KeepsStates::not_asked;
};

std::vector<Finding> risks(const Overview& overview);

}  // namespace staithe::haproxy
