#include "balancer_files.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>

namespace staithe::world {
namespace {

constexpr base::Duration patience{10'000};

/// Prints "yes", "no", or nothing where that cannot be told: the worker's command line names its files,
/// or directories of them, behind -f or --.
std::string script_for(std::uint64_t pid) {
  return fmt::format(R"(set -f
tr '\0' '\n' < /proc/{}/cmdline | {{
  read -r program; case $program in *haproxy*) ;; *) exit 0 ;; esac
  seen= next= kept=
  while IFS= read -r word; do
    case $next in
      '') case $word in -f) next=file ;; --) next=rest ;; esac; continue ;;
      file) next= ;;
    esac
    case $word in /*) ;; *) word=/proc/{}/cwd/$word ;; esac
    grep -rhsE '^[[:space:]]*load-server-state-from-file[[:space:]]+(global|local)' "$word" > /dev/null
    case $? in 0) kept=yes; seen=yes ;; 1) seen=yes ;; *) exit 0 ;; esac
  done
  [ -z "$seen" ] || echo "${{kept:-no}}"
}})",
                     pid, pid);
}

}  // namespace

haproxy::KeepsStates keeps_states(Hosts& hosts, const plan::Balancer& balancer, std::uint64_t pid,
                                  const base::Scope& scope) {
  const bool over_tcp = balancer.socket.starts_with("tcp ");
  if (pid == 0 || (over_tcp && balancer.on.empty())) return haproxy::KeepsStates::unknown;
  std::string said;
  try {
    if (balancer.on.empty()) {
      proc::Command command;
      command.script = script_for(pid);
      said = proc::run(command, scope.at_most(patience)).out;
    } else {
      ssh::Command command;
      command.script = script_for(pid);
      said = hosts.run(balancer.on, command, {}, scope.at_most(patience)).out;
    }
  } catch (const base::Error&) {
    if (scope.cancelled()) throw;
  }
  said = base::trim(said);
  if (said == "yes") return haproxy::KeepsStates::yes;
  return said == "no" ? haproxy::KeepsStates::no : haproxy::KeepsStates::unknown;
}

}  // namespace staithe::world
