#pragma once
#include "staithe/haproxy/state.hpp"

#include <cstdint>
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

/// What HAProxy's files say and its socket does not tell; `unknown` where they could not be read.
struct FilesSay {
  enum class Answer : std::uint8_t { not_asked, unknown, no, yes };
  Answer keeps_states = Answer::not_asked;   ///< a reload loads the states of servers
  Answer ends_sessions = Answer::not_asked;  ///< `on-marked-down shutdown-sessions` stands somewhere
};

struct Overview {
  std::string balancer;
  std::string level;  ///< "" when unknown
  Snapshot all;       ///< every backend
  std::vector<Worker> workers;
  bool master = false;  ///< a master socket is declared
  FilesSay files;
};

std::vector<Finding> risks(const Overview& overview);

/// Servers at an address and port of one of `refs`, which stand for a host, that neither are among them nor
/// follow one: they are the same app, and stay in rotation while it is restarted.
std::vector<Finding> overlooked(const std::string& balancer, const Snapshot& all,
                                const std::vector<ServerRef>& refs);

}  // namespace staithe::haproxy
