#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"
#include "staithe/haproxy/calm.hpp"
#include "staithe/haproxy/found.hpp"
#include "staithe/haproxy/risks.hpp"
#include "staithe/haproxy/socket.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace staithe::haproxy {

/// How far a rotation has come, or may have come before a crash.
enum class Phase : std::uint8_t {
  found,      ///< nothing was changed
  draining,   ///< no new visitors
  quiescing,  ///< maintenance: nobody; from calm on, the app may be stopped
  proving,    ///< in drain again, health to be earned
  restoring,  ///< given back
};

struct RotationOptions {
  base::Duration poll{100};
  std::uint32_t calm_polls = 3;
  base::Duration patience{10'000};     ///< with a balancer that does not answer: it may be restarting
  base::Duration silent_after{2'000};  ///< without a whole look: who waits has heard nothing any more
};

/// HAProxy itself has said that what runs on the servers is not well. Whatever else ends a wait says nothing
/// of that.
class Unwell final : public base::Error {
 public:
  using base::Error::Error;
};

struct RotationProgress {
  std::uint64_t sessions = 0;  ///< in hand on these servers, old workers included
  std::uint64_t queued = 0;
  std::string text;  ///< "12 sessions: lb1 (4711) api/web1 9, lb2 (815) api/web1 3"
};
using OnProgress = std::function<void(const RotationProgress&)>;

/// What is known of a process that had the servers in hand and died.
struct Before {
  /// It may have put them into maintenance; it had not where it had not begun that, or had ended it
  /// everywhere.
  bool own_maintenance = false;
  /// What when_told_anew() said, the last one at the end. A process of HAProxy that is neither in these nor
  /// in what was found was never told by it.
  std::vector<Found> told{};
};

/// What somebody else took out while it was in hand.
struct TakenByOthers {
  std::vector<std::string> servers;  ///< "lb1 api/web1 is in maintenance"
  bool everywhere = false;  ///< no balancer is left that lets visitors in to any of the host's servers
};

struct Calm {
  bool reached = false;
  std::string busy;  ///< when not: what was still going on
};

/// Takes the servers of ONE host out of rotation on all balancers and gives them back as they were found,
/// without losing a request. One method for each phase, in this order:
///
///   find (journal it) → drain → wait_calm → quiesce → wait_calm → [the app may be stopped now]
///   → [the app is healthy by its own word] → prove → wait_proven → [smoke test] → ready → wait_serving
///
/// Until the app is stopped every failure is answered with undo(). Each phase addresses all balancers before
/// anything waits. A balancer that was reloaded or restarted meanwhile forgets all this: the next look
/// notices, puts the state of the phase back first and leaves a note. State that somebody else set is never
/// overwritten: Error{conflict}.
///
/// Not thread safe; the sockets may be shared with other rotations and must outlive this one.
class Rotation {
 public:
  struct Seat {
    Socket* socket = nullptr;
    std::vector<ServerRef> refs;
  };
  explicit Rotation(std::vector<Seat> seats, RotationOptions options = {});
  /// Goes on where another process was. `reached`: the furthest phase that may have begun; up to there every
  /// state that it could have set counts as our own. `restoring` says that the proof ended well before: what
  /// is in maintenance then is somebody else's. Balancers that are not among the sockets are reported as left
  /// when things are given back.
  Rotation(const std::vector<Socket*>& sockets, Found found, Phase reached, RotationOptions options = {});
  /// Before the first look, of who goes on when nobody has asked for these servers to come back: what that
  /// process cannot have set, or nobody can tell, is given back as if it had been found so, and a note says
  /// so.
  void expect_others(const Before& before);
  /// Called with what is to be given back, and the processes that know of it, as soon as one has been told of
  /// a state that a reload had forgotten. Must not wait for long, nor throw.
  void when_told_anew(std::function<void(const Found&)> told_anew) { told_anew_ = std::move(told_anew); }

  /// Reads only. Everything that stands in the way (severity error) or should be known. Throws only
  /// Error{cancelled}.
  std::vector<Finding> survey(const base::Scope& scope);
  /// Reads what is there now. To be journalled before drain().
  const Found& find(const base::Scope& scope);
  const Found& found() const noexcept { return found_; }

  /// Agents off, new visitors away. A server found in maintenance stays there, untouched to the end.
  void drain(const base::Scope& scope);
  /// Until nothing is in hand, or until the scope's deadline, which is an answer and not an error. With
  /// persistent visitors (cookies, stick tables) a drain alone may never be calm: go on to quiesce().
  Calm wait_calm(const base::Scope& scope, const OnProgress& progress = {});
  /// Also from a later phase: out again, when the app did not come up.
  void quiesce(const base::Scope& scope);
  /// Before it goes out again: what somebody else has done with these servers meanwhile is what will be given
  /// back in the end, and a note says so. Changes nothing but what a reload has forgotten. To be journalled
  /// before quiesce().
  const Found& find_again(const base::Scope& scope);
  /// Cuts what is in hand: requests in flight get a 502. In old workers too where the master socket is known.
  void close_sessions(const base::Scope& scope);

  /// Back to drain with the health taken away where checks can give it back. A balancer that does not answer
  /// is left behind with a note; when none answers, Error{connect}.
  void prove(const base::Scope& scope);
  /// Until every checked server is UP by checks made after prove(). Unwell{timeout} says which is not and
  /// why; Error{timeout} when nobody could be asked any more.
  void wait_proven(const base::Scope& scope, const OnProgress& progress = {});

  /// State and agent as found, and weights that a reload has lost. Returns what could not be put right, a
  /// line each; empty: all was. May be called again. A balancer's failure, the deadline and a stop are lines
  /// of the answer too, not errors.
  [[nodiscard]] std::vector<std::string> ready(const base::Scope& scope);
  /// Until all that was serving when found serves again, and has done so for `bake`. Unwell{timeout} when it
  /// does not come, Unwell{failed} when it goes within the bake; Error{timeout} as wait_proven. Once all
  /// serves, `hurry` ends the bake. Returns how long it has lasted.
  base::Duration wait_serving(const base::Scope& scope, base::Duration bake, const OnProgress& progress = {},
                              const base::Cancel* hurry = nullptr);
  /// Of what find_again(), or the first look of who goes on, met: what is out by that now; on a balancer that
  /// does not answer, what was so last. Throws only Error{cancelled}.
  TakenByOthers taken_by_others(const base::Scope& scope);
  /// The servers that a command still keeps away from visitors, whoever gave it: "lb1 api/web1".
  std::vector<std::string> still_out(const base::Scope& scope);
  /// As ready(), for an app that was not touched, in reverse order.
  [[nodiscard]] std::vector<std::string> undo(const base::Scope& scope);

  /// What a balancer's process says of itself; throws as Socket::info does.
  using Glance = std::function<Info(Socket&)>;
  /// Puts the phase's state back on every balancer that has another process than before: a reload has
  /// forgotten it, also on those left behind. To be called all the time while the app is down. The servers
  /// themselves are looked at where that was not done for `whole_look`. One that does not answer within a
  /// second is not waited for: the next call meets it. Throws Error{conflict} as the waits do, and what else
  /// it met, once all were asked. Returns the notes that this left (they stay for take_notes too).
  enum class Where { everywhere, seen_out };  ///< seen_out: only where keeps_all_out has found them out
  std::vector<std::string> reassert(const base::Scope& scope, base::Duration whole_look, const Glance& glance,
                                    Where where = Where::everywhere);

  /// Reads only: whether none of these servers takes new visitors where that was so before; none while one of
  /// those that may say otherwise does not answer. A balancer where they were found out is not asked again:
  /// what a reload does there later is for `reassert`. Waits for each as that does; throws base::Error when
  /// none answers that ever did.
  std::optional<bool> keeps_all_out(const base::Scope& scope, const Glance& glance);

  Phase phase() const noexcept { return phase_; }
  /// True when some server has a cookie, or its backend a stick table: drain alone may never be calm. Known
  /// after find().
  bool persistent() const noexcept { return persistent_; }
  /// Balancers that the last phase has left behind.
  std::vector<std::string> left_behind() const;
  /// What a person should read: reloads seen, states left as found. Emptied by the call.
  std::vector<std::string> take_notes();

 private:
  struct Entry {
    FoundServer found;
    std::uint8_t ours = 0;  ///< set of Own, as bits: states that we may have given it
    bool gone = false;
    bool theirs = false;                      ///< somebody else took it out while we had it
    std::optional<std::uint32_t> reset_to{};  ///< the weight that a reload has left, and nobody meant
  };
  struct Place {
    Socket* socket = nullptr;  ///< null: no such balancer any more
    std::string name;
    std::vector<ServerRef> refs;
    std::vector<std::string> backends;
    std::vector<Entry> entries;
    Info process;
    bool reloaded = false;               ///< the state found may not be HAProxy's any more
    bool seen_out = false;               ///< by keeps_all_out
    bool unmet = false;                  ///< expect_others, and nobody has looked since
    bool before_may_have_begun = false;  ///< maintenance: of Before
    std::vector<std::pair<std::uint64_t, std::uint64_t>>
        told;                        ///< processes with their start: of Before, and of reloads since
    std::string lost;                ///< why it was left behind
    base::SteadyTime ask_lost_at{};  ///< not before
    base::SteadyTime verified{};
  };

  void require_found() const;
  void require_any() const;
  static void require_socket(const Place& place);
  void begin(Phase phase);
  Own target(const Entry& entry, Phase phase) const noexcept;
  void send(Place& place, const std::vector<std::string>& lines, const base::Scope& scope);
  std::vector<std::string> lines_for(const Place& place, Phase phase) const;
  void apply(Place& place, Phase phase, const base::Scope& scope);
  void settle_agents(Place& place, Phase phase, const base::Scope& scope);
  enum class Surely { no, yes };  ///< somebody else has set that state
  void take_over(const Place& place, Entry& entry, FoundServer& found, const ServerState& state,
                 Surely surely);
  static bool was_told(const Place& place, const Info& info);
  void heed_told(Place& place, const FoundBalancer& told);
  FoundBalancer& found_at(const Place& place);
  void meets(Place& place, const Info& process);
  static void disown(Entry& entry, Own state);
  void meet(Place& place, const Snapshot& snapshot);
  void heed_files(Place& place, const Snapshot& snapshot);
  void heed_others(Place& place, const Snapshot& snapshot);
  void take_untold(Place& place, const Snapshot& snapshot, bool may_have_begun);
  void judge_weights(Place& place, const Snapshot& snapshot);
  void set_weights_again(Place& place, const base::Scope& scope);
  void leave_weight(const Place& place, Entry& entry, FoundServer& found, const ServerState& state);
  Snapshot look(Place& place, const base::Scope& scope);
  static Snapshot look_once(Place& place, const base::Scope& scope,
                            Socket::Tables tables = Socket::Tables::leave);
  Snapshot look_patiently(Place& place, const base::Scope& scope,
                          Socket::Tables tables = Socket::Tables::leave);
  void hold_lost(Place& place, const base::Scope& scope, const Glance& glance);
  void reassert_at(Place& place, const base::Scope& scope, base::Duration whole_look, const Glance& glance);
  void notice_reload(Place& place, const Snapshot& snapshot, const base::Scope& scope);
  void verify(Place& place, const Snapshot& snapshot);
  void add_loads(Place& place, const Snapshot& snapshot, std::map<std::string, Load>& loads,
                 const base::Scope& scope);
  void add_old_workers(Place& place, std::map<std::string, Load>& loads, const base::Scope& scope);
  void close_old_sessions(Place& place, const base::Scope& scope);
  void lose(Place& place, const base::Error& error);
  std::vector<std::string> give_back(const base::Scope& scope, bool app_untouched);
  std::optional<std::vector<ServerState>> states_of_taken(Place& place, const base::Scope& scope);
  void wake(Place& place, const std::vector<std::string>& kicks, const base::Scope& scope);
  void give_back_at(Place& place, const base::Scope& scope, bool app_untouched,
                    std::vector<std::string>& left);
  void tell_left(const Place& place, const base::Error& error, const base::Scope& scope,
                 std::vector<std::string>& left) const;
  std::vector<std::string> unproven(Place& place, const base::Scope& scope);
  std::vector<std::string> not_serving(Place& place, const base::Scope& scope);
  void survey_place(Place& place, const base::Scope& scope, std::vector<Finding>& findings);
  template <class Action>
  auto patiently(const base::Scope& scope, Action&& action);
  void note(std::string text);

  RotationOptions options_;
  std::vector<Place> places_;
  Found found_;
  Phase phase_ = Phase::found;
  bool have_found_ = false;
  bool persistent_ = false;
  bool agents_back_ = false;  ///< given back with everything else: they speak again
  std::vector<std::string> notes_;
  std::function<void(const Found&)> told_anew_;
};

}  // namespace staithe::haproxy
