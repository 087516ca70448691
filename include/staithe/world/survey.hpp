#pragma once
#include "staithe/haproxy/risks.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/world/world.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Looking at hosts and balancers without changing anything.
namespace staithe::world {

/// One release that lies ready on a host.
struct ReleaseThere {
  std::string id;
  std::string sha;
  double staged = 0;  ///< seconds since the epoch by the host's clock
  bool good = false;  ///< it has served there and was proved healthy
};

struct HostLook {
  std::string host;
  std::string trouble;  ///< why it could not be looked at; "" when it could
  base::ErrorCode code = base::ErrorCode::failed;
  bool changed_key = false;  ///< the trouble is a host key that differs from what is on record
  std::string current;       ///< id of the live release, or the name that `current` links to; "" for none
  std::vector<ReleaseThere> releases;  ///< newest first
  std::vector<std::string> served;     ///< ids that were live, oldest first, without what was rolled back
  std::string running;                 ///< what the app says that it runs; "" when it was not asked
  std::string running_trouble;         ///< why it did not say

  const ReleaseThere* find(std::string_view release) const;
};

/// Which server of a balancer stands for which host.
struct ServerLook {
  std::string host;  ///< "" when it stands for none that was asked for
  haproxy::ServerState state;
  haproxy::ServerStat stat;
};

struct BalancerLook {
  std::string name;
  std::string trouble;
  haproxy::Info info;
  std::string level;
  std::vector<ServerLook> servers;            ///< in the order of HAProxy's configuration
  std::vector<haproxy::ServerStat> backends;  ///< the same
  std::vector<haproxy::Finding> findings;     ///< what is risky about it
};

struct Survey {
  std::vector<HostLook> hosts;  ///< in the order asked for
  std::vector<BalancerLook> balancers;
  std::vector<std::string> notes;  ///< "web3 stands for no server: …"
};

/// What is to be looked at on one host; "" leaves it out.
struct HostWish {
  std::string host;
  std::string path;         ///< of the service, for its releases
  std::string release_url;  ///< answers with the commit that runs
};

/// With `balancers` alone HAProxy's files are looked at too, which costs each of them a command.
enum class Look { hosts, balancers, both };

/// Looks at everything at the same time, at most 32 hosts at once. Never throws for a host or balancer: that
/// is its `trouble`. Throws base::Error{cancelled}, and what loading known_hosts and ssh_config throws.
Survey look(const plan::Plan& plan, const std::vector<HostWish>& hosts, Look what, const Person& person,
            const base::Scope& scope);

/// "drain, up", "maint", "up", "DOWN": by the bits of the state, never by HAProxy's text.
std::string state_in_words(const haproxy::ServerState& state);

/// What the app of a host says that it runs, as the id of a release that lies there where it is one.
std::string running_release(const HostLook& host);
/// Whether that is surely another than the one that is live there, which the app's next start brings. An app
/// that says what is no commit tells nothing.
bool runs_another(const HostLook& host);

/// Ids that the hosts say they run or have live, each with its hosts; more than one is version skew.
std::map<std::string, std::vector<std::string>> versions(const std::vector<HostLook>& hosts);

/// Where a rollback goes.
struct RollbackTarget {
  std::string release, sha;
  std::string refusal;  ///< why there is none; one line, then a line for each host
  std::string why;      ///< why this one, such as "served web[1-4] before"; "" when it was named
};

/// The release that served these hosts last, of those before the one that each runs, which all of them hold
/// as good; with `wanted` (an id or the beginning of a commit, at least 4 digits) that one, once all hosts
/// hold it. Where hosts differ, the one that the host with the longest way has the shortest way to. What has
/// been rolled back is on no host's way; what was staged before a host began to keep its list comes last in
/// it, by when it was staged. `bad` are releases never to go back to. Pure.
RollbackTarget rollback_target(const std::vector<HostLook>& hosts, const std::string& wanted,
                               const std::vector<std::string>& bad);

/// Who took a host out of rotation, as the history tells.
struct TakenOut {
  std::string run_id, user, title;
  store::Time when{};
  bool in_hand = false;     ///< that run is still going on
  bool on_purpose = false;  ///< it was a drain that ended as meant: nobody has to come
  std::string found;        ///< what it noted of the host's servers before; "" when it did not
  bool open = false;        ///< that run has no end: the host may be given back, without a word of it here
};

/// For each of `hosts` the run that left it out, when no later one gave it back. A drain of a host that was
/// out already did not take it.
std::map<std::string, TakenOut> taken_out(store::Store& store, const std::string& environment,
                                          const std::vector<std::string>& hosts);

}  // namespace staithe::world
