#pragma once
#include "staithe/base/error.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/ssh/session.hpp"
#include "staithe/world/world.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

/// What `staithe doctor` measures on hosts. Reads only.
namespace staithe::world {

struct CheckupWish {
  std::string host;
  std::string path;       ///< a directory whose disk is asked for; "" for none
  std::string preflight;  ///< a script that says on stderr what is in the way, a line each; "" for none
  std::string socket;     ///< of the balancer that is reached through this host; "" for none
  std::string reload{};   ///< what reloads the service there; "" for none
};

struct Checkup {
  std::string host;
  std::string trouble;  ///< why nobody could log in; "" when that went well
  base::ErrorCode code = base::ErrorCode::failed;
  bool changed_key = false;          ///< the trouble is a host key that differs from what is on record
  std::string said_for_name_alone;   ///< by ssh_config, where it is asked about the address; "" for nothing
  std::vector<std::string> unheard;  ///< of ssh_config: what is not honoured, a sentence each
  ssh::Timings timings;
  ssh::Negotiated negotiated;
  std::chrono::microseconds shell{0};  ///< the quickest `true` on an open connection
  std::string user;                    ///< as the host knows it
  bool disk_known = false;
  std::uint64_t free_bytes = 0;
  bool clock_known = false;
  std::chrono::milliseconds clock_ahead{0};  ///< the host's clock against ours
  std::chrono::milliseconds clock_margin{0};
  std::vector<std::string> obstacles;  ///< what the preflight said
  std::string socket_means;            ///< how the balancer's socket was reached: "streamlocal", …
  std::string socket_trouble;
  std::string reload;  ///< as wished
};

/// All hosts at the same time, at most 16 at once.
std::vector<Checkup> examine(const plan::Plan& plan, const std::vector<CheckupWish>& wishes,
                             const Person& person, const base::Scope& scope);

struct Advice {
  enum class Severity { note, warning, error };
  Severity severity = Severity::note;
  std::string text;
  std::string next;  ///< what to do; "" when nothing
};

/// What a checkup means. `place` stands behind the commands of staithe that it names: " -e production". Pure.
std::vector<Advice> judge(const Checkup& checkup, const std::string& place);

}  // namespace staithe::world
