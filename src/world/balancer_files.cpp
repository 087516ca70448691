#include "balancer_files.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::world {
namespace {

constexpr base::Duration patience{10'000};

/// Prints "read" and what was found, or nothing where that cannot be told: the worker's command line names
/// its files, or directories of them, behind -f or --.
std::string script_for(std::uint64_t pid) {
  return fmt::format(R"(set -f
tr '\0' '\n' < /proc/{}/cmdline | {{
  read -r program; case $program in *haproxy*) ;; *) exit 0 ;; esac
  seen= next= kept= ends=
  while IFS= read -r word; do
    case $next in
      '') case $word in -f) next=file ;; --) next=rest ;; esac; continue ;;
      file) next= ;;
    esac
    case $word in /*) ;; *) word=/proc/{}/cwd/$word ;; esac
    grep -rhsE '^[[:space:]]*load-server-state-from-file[[:space:]]+(global|local)' "$word" > /dev/null
    case $? in 0) kept=keeps; seen=read ;; 1) seen=read ;; *) exit 0 ;; esac
    grep -rhsE '^[^#]*[[:space:]]on-marked-down[[:space:]]+shutdown-sessions' "$word" > /dev/null && ends=ends
  done
  [ -z "$seen" ] || echo "$seen $kept $ends"
}})",
                     pid, pid);
}

}  // namespace

haproxy::FilesSay files_say(Hosts& hosts, const plan::Balancer& balancer, std::uint64_t pid,
                            const base::Scope& scope) {
  using Answer = haproxy::FilesSay::Answer;
  const bool over_tcp = balancer.socket.starts_with("tcp ");
  if (pid == 0 || (over_tcp && balancer.on.empty())) return {Answer::unknown, Answer::unknown};
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
  const auto words = base::split(base::trim(said), ' ');
  const auto has = [&](const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  const auto answer = [&](const char* word) {
    return !has("read") ? Answer::unknown : has(word) ? Answer::yes : Answer::no;
  };
  return {answer("keeps"), answer("ends")};
}

}  // namespace staithe::world
