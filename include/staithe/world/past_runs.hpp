#pragma once
#include "staithe/event/event.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/store/store.hpp"
#include "staithe/world/recovery.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// What earlier runs left, and which of it still stands.
namespace staithe::world {

/// The run's plan, none when this build cannot read it. The run is one of Store::run, which has the plan.
std::optional<plan::Plan> plan_of(const store::Run& run);

/// Whether nobody works on a run that did not end. Where its process cannot be looked at (another container,
/// or this machine before it lost power) its locks tell: it had some and holds none that is alive.
bool is_dead(store::Store& store, const store::Run& run);

/// Of a run that a person put right: its hosts' states say where it had left them, and nothing of them is
/// open.
inline constexpr const char* settled_outcome = "settled";
/// Of a run that a recovery put right, as far as a recovery can.
inline constexpr const char* recovered_outcome = "recovered";

/// In a run's summary: of a host, and of the run.
inline constexpr const char* kept_out_key = "kept_out";
/// Of a host that failed before its service was touched.
inline constexpr const char* as_it_was_key = "as_it_was";
inline constexpr const char* but_for_others_key = "but_for_others";
/// Of a host that somebody had let in as it was before the run was recovered: how many recoveries there were
/// before. And of a recovery that wrote what it came to into the run that it was for.
inline constexpr const char* given_back_key = "given_back";
inline constexpr const char* concluded_key = "concluded";

/// Every host that the run's summary names, also those that it did not come to, with its state: "" where none
/// is told. Whatever stands in the state store: what is no summary names none.
std::map<std::string, std::string> named_hosts(const store::Run& run);

/// The deadline that ended the run; zero for others.
base::Duration deadline_of(const store::Run& run);

/// A text of the record's body; "" when it has none of that name, or cannot be read.
std::string told(const store::JournalEntry& record, const char* field);

/// The text of a note with that key; "" when the record is none, or cannot be read.
std::string noted(const store::JournalEntry& record, std::string_view key);

/// Hosts whose state the run's summary tells; those it did not come to are left out.
std::map<std::string, std::string> host_states(const store::Run& run);

/// Hosts that the run left out of rotation by somebody else's hand alone: all that it had to do there is
/// done.
std::set<std::string> kept_out_by_others(const store::Run& run);
/// Hosts at which the run failed before it had altered anything. Builds before this one did not note it.
std::set<std::string> left_as_they_were(const store::Run& run);
/// Whether it needs a person for such hosts alone: it left nothing to put right.
bool is_only_kept_out(const store::Run& run);

/// Whether both ran the same playbook with the same values: their titles alone say little. Plans of other
/// builds make no same task.
bool is_same_task(store::Store& store, const store::Run& one, const store::Run& other);

/// Hosts that the run left to be put right and that a later run has brought into order since, or a person for
/// it, each with that run's id. Throws base::Error as recoveries_of().
std::map<std::string, std::string> put_right_since(store::Store& store, const store::Run& run);

/// The newest run whose leavings are still there: one that died, else one that ended and left hosts to a
/// person. An empty `service` means any. Without plan. Throws base::Error{conflict} when there is none and a
/// run is under way.
std::optional<store::Run> run_to_recover(store::Store& store, const std::string& environment,
                                         const std::string& service = {});

/// Of a recovery: the run that it was for has what it came to.
bool has_concluded(const store::Run& recovery);

/// Why a run that a person names is not to be recovered, after "run ID (TITLE) "; "" when it may be.
std::string why_not_recover(store::Store& store, const store::Run& run);

/// Keeps, in the journal of a run that begins, what a person had said of it that its plan does not tell. The
/// text is the caller's; one of more than 256 KiB is not kept. To be called before anything else is written
/// into that journal. On the disk before the run's first action is.
void note_asked(store::Store& store, const std::string& run_id, const std::string& text);
/// That text; "" when there is none, or what stands there is none.
std::string asked_for(store::Store& store, const std::string& run_id);

/// Writes down, in the journal of a recovery that begins, which run it is for.
void note_recovered(store::Store& store, const std::string& recovery_id, const std::string& run_id);

/// The recoveries of the run that ended or died, oldest first. Throws base::Error{conflict} when this build
/// cannot read the plan of one.
std::vector<LaterRecovery> recoveries_of(store::Store& store, const store::Run& run);

/// What a look at the hosts of a run rests on beside the run itself, as one text to compare: what later runs
/// and recoveries did.
std::string grounds_of(store::Store& store, const store::Run& run);

/// A run that died and stands in the way of a plan of the same service or with one of its hosts.
std::optional<store::Run> in_the_way(store::Store& store, const std::string& environment,
                                     const std::string& service, const std::set<std::string>& hosts);

/// What earlier runs left that keeps a plan from being begun.
struct Obstacle {
  std::optional<store::Run> died;  ///< nobody looked at what it left
  bool forgiven = false;           ///< of `died`: the plan is a person's `restore`, who has looked
  std::map<std::string, store::Run> left_out;  ///< hosts that the plan would drain and that are out, by run

  explicit operator bool() const { return (died && !forgiven) || !left_out.empty(); }
};

/// A run that died keeps everything but `recover` and `exec` off its service and hosts. A drain of a host
/// that a run left out would find it out, and give it back so.
Obstacle obstacle_to(store::Store& store, const plan::Plan& plan);

/// Hosts of the plan that deploys of its commit were to bring to it and that, as the history tells, are not
/// on it now: for --resume. What was meant before a deploy or rollback of another commit came to the host
/// counts no more. None when no deploy of the commit is on record.
std::optional<std::vector<std::string>> left_behind(store::Store& store, const plan::Plan& plan);

/// The same rollout's other hosts: those that are on its commit.
std::vector<std::string> brought_along(store::Store& store, const plan::Plan& plan);

/// All hosts that a --resume of the plan's commit would go to, in order, whichever the plan itself is for.
/// `ending` is the end of a run of the plan that is not in the history yet; may be null.
std::vector<std::string> left_of_rollout(store::Store& store, const plan::Plan& plan,
                                         const event::RunFinished* ending = nullptr);

/// "production/payments is locked by ann@build1 pid 4711 since 10:31:04 UTC: deploy (run ID)".
std::string in_words(const store::LockInfo& lock);

/// What is live on a service's hosts rests on this, as one text to compare: the run of it that ended last.
std::string ended_runs(store::Store& store, const std::string& environment, const std::string& service);

/// Hosts that the plan takes out of rotation for a while.
std::vector<std::string> drained_by(const plan::Plan& plan);

/// Those of `hosts` that a run ended with out of rotation and that no later run has put right, each with that
/// run.
std::map<std::string, store::Run> left_to_person(store::Store& store, const std::string& environment,
                                                 std::set<std::string> hosts);

/// Tells of every host that a run which ended left to a person and that nothing since has put right, from the
/// newest run on, with its state as that run has it.
void each_left(
    store::Store& store, const std::string& environment,
    const std::function<void(const store::Run& run, const std::string& host, std::string_view state)>& visit);

/// What the balancers' state of each host was before the first run of ours that took it out and did not give
/// it back; hosts that our newest run gave back, or never took, are not in it.
std::map<std::string, std::string> drains_on_record(store::Store& store, const std::string& environment,
                                                    const std::set<std::string>& hosts);

}  // namespace staithe::world
