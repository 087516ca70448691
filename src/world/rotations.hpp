#pragma once
#include "outcome.hpp"
#include "reservations.hpp"
#include "rotation_roles.hpp"

#include "staithe/haproxy/match.hpp"
#include "staithe/haproxy/rotation.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/world/world.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace staithe::world {

/// How to reach the admin socket of a balancer; with `master`, its master CLI.
enum class SocketKind { admin, master };
using DialBalancer = std::function<haproxy::Dial(const plan::Balancer&, SocketKind)>;
/// Told of a host that some HAProxy was told of anew after a reload, with what is then to be given back: to
/// be noted under told_key. Must not wait for long, nor throw; from any thread.
using ToldAnew = std::function<void(const std::string& host, const std::string& found)>;

/// Hosts in and out of rotation on all balancers of a plan. Thread safe for different hosts.
/// While a host is out, a thread asks the balancers up to fifty times a second whether they are still the
/// same process: one that was reloaded has forgotten the drain, and gets it again before many visitors reach
/// an app that is down.
///
/// Order of locks: a host's own comes first, and whoever holds mutex_ waits for nothing more: it is held to
/// find hosts and to start the keeper. Those who go through all hosts ask for all_hosts() and then lock one
/// at a time, as long as they hold none themselves.
class Rotations {
 public:
  Rotations(const plan::Plan& plan, const DialBalancer& dial, ToldAnew told_anew = {});
  ~Rotations();

  exec::EffectResult survey(const plan::SurveyRotation& effect, exec::Performance& performance);
  exec::EffectResult guard(const plan::GuardCapacity& effect, exec::Performance& performance);
  exec::EffectResult change(const plan::ChangeRotation& effect, exec::Performance& performance);
  exec::EffectResult await(const plan::AwaitRotation& effect, exec::Performance& performance);

  /// Where visitors meet these hosts, as their balancers say now. One that does not answer is waited for two
  /// seconds at most.
  std::map<std::string, exec::Reach> reach(const std::set<std::string>& hosts, const base::Scope& scope);

  /// As World::left_alone.
  std::map<std::string, std::vector<LeftAlone>> left_alone(const base::Scope& scope);

  /// As exec::Effects::unmet.
  std::string unmet();

  /// No lane works on the host now: guards of others do not wait for it to come back.
  void lane_ended(const std::string& host) { reservations_.lane_ended(host); }

  /// Goes on with a drain that a dead run began: `found` is what it noted. Until this run works on the host
  /// itself it is left as it is; with `keep_out`, and where it is still out on every balancer, a reload does
  /// not let visitors in either. (Of one that does not answer nobody knows: until it does, a reload of the
  /// others lets nobody in.) `known`: of that run. Maintenance that it cannot have begun, or of which nobody
  /// can tell, is somebody else's; without it none is, for a person wants the host back.
  void adopt(const std::string& host, const std::string& found, bool keep_out,
             const std::optional<LastKnown>& known = std::nullopt);

  /// As World::given_back.
  void given_back(const std::string& host, const std::string& found);

 private:
  /// Of a host that is out: whether the keeper sees to it that it stays so.
  enum class Keep { no, if_still_out, yes };
  struct HostRotation {
    std::mutex mutex;  // held while a phase works on it, which may take long; the keeper only tries
    std::unique_ptr<haproxy::Rotation> rotation;
    haproxy::Found found;  ///< what is given back, or was; empty without a drain
    /// What the guard found to be the host's servers, for the drain that follows it at once.
    std::optional<std::vector<haproxy::Rotation::Seat>> guarded;
    base::SteadyTime guarded_at{};
    /// Servers of which it was said before anything began that a command keeps visitors away.
    std::map<std::pair<std::string, haproxy::ServerRef>, haproxy::Own> told_out;
    std::string trouble;  // what the keeper met
    Keep keep = Keep::yes;
    bool untouched = false;  ///< adopted with an app that may serve, and this run has not begun with it
    std::optional<bool> serves_already;  ///< as a restore has found it, once it looked
  };

  HostRotation& of(const std::string& host);
  /// Puts the rotation into the host's hands.
  void take(const std::string& host, HostRotation& entry, std::unique_ptr<haproxy::Rotation> rotation) const;
  /// All that there are; none goes before this object does.
  std::vector<std::pair<std::string, HostRotation*>> all_hosts();
  using Looks = std::map<std::string, haproxy::Snapshot>;               // of all backends, by balancer
  using Refs = std::map<std::string, std::vector<haproxy::ServerRef>>;  // by balancer
  /// What the balancers say that answer in time, all asked at once; the others' names go to `silent`.
  std::vector<haproxy::View> ask_all(const base::Scope& scope, std::vector<std::string>& silent);
  Looks look_at_all(const base::Scope& scope);
  Looks look_at_those_that_answer(const base::Scope& scope);
  std::vector<haproxy::Rotation::Seat> seats(const std::string& host,
                                             const std::vector<haproxy::View>& views);
  std::vector<haproxy::Rotation::Seat> seats(const std::string& host, const base::Scope& scope);
  std::unique_ptr<haproxy::Rotation> fresh(const std::string& host, const base::Scope& scope);
  std::unique_ptr<haproxy::Rotation> as_if_ready(const std::string& host, const base::Scope& scope);
  bool is_restored(const std::string& host) const { return roles_.restored.count(host) > 0; }
  bool serves_already(const std::string& host, exec::Performance& performance);
  /// Left by a dead run with its app as it was, or proven and on its way back: if it serves, it may.
  static bool is_untouched(const HostRotation& entry) { return entry.rotation && entry.untouched; }
  /// From here on the host is what this run makes of it, and nothing that was seen of it before counts.
  static void take_in_hand(HostRotation& entry);
  bool was_adopted_untouched(const std::string& host);
  void take_as_ready(const std::string& host, HostRotation& entry, exec::Performance& performance);
  void drain(const std::string& host, HostRotation& entry, exec::Performance& performance);
  static void tell_out_before(const HostRotation& entry, exec::Performance& performance);
  /// Notes what is to be given back, and by which processes, where that has changed since the drain that
  /// is known.
  static void note_found(HostRotation& entry, exec::Performance& performance);
  static void prove(HostRotation& entry, exec::Performance& performance);
  exec::EffectResult await_serving(const plan::AwaitRotation& effect, HostRotation& entry,
                                   exec::Performance& performance);
  exec::EffectResult give_back(const plan::ChangeRotation& effect, HostRotation& entry,
                               exec::Performance& performance);
  exec::EffectResult await_calm(const plan::AwaitRotation& effect, HostRotation& entry,
                                exec::Performance& performance);
  /// What a guard of this run is bound to find, whatever becomes of the other hosts; "" for nothing. Read
  /// only.
  std::string shortage_ahead(const std::string& host, Looks looks);
  std::string shared_servers(const std::string& host, const std::vector<haproxy::Rotation::Seat>& own,
                             const Looks& looks) const;
  Refs refs_of(const std::set<std::string>& hosts, const std::vector<haproxy::View>& views);
  Refs refs_to_prove(const std::string& host, const std::set<std::string>& others,
                     const std::vector<haproxy::View>& views);
  static std::string shortage_without(const Refs& refs, const plan::Amount& minimum, const Looks& looks);
  static void tell_notes(haproxy::Rotation& rotation, exec::Performance& performance);
  Refs servers_of(const std::string& host, const std::vector<haproxy::View>& views);
  static bool all_usable(const std::vector<haproxy::ServerRef>& own, const haproxy::View& view);
  std::vector<std::string> silent_of(const std::string& host, std::vector<std::string> silent);
  static bool must_keep(HostRotation& entry, const base::Scope& scope,
                        const haproxy::Rotation::Glance& glance);
  void keep();
  bool keep_once(const base::Scope& scope);
  void start_keeper();

  const plan::Plan& plan_;
  const RotationRoles roles_;
  const ToldAnew told_anew_;
  std::map<std::string, std::unique_ptr<haproxy::Socket>> sockets_;  // by balancer
  std::mutex mutex_;  // guards hosts_ and keeper_; the last lock that anybody takes
  std::map<std::string, std::unique_ptr<HostRotation>> hosts_;
  Reservations reservations_;  // so that two lanes cannot both take the last place
  bool met_before_ = false;    // visitors have met what this run goes on with; told before it begins
  base::Cancel stop_keeper_;
  std::jthread keeper_;
};

}  // namespace staithe::world
