#include "rotation_detail.hpp"

#include "staithe/haproxy/rotation.hpp"

#include <algorithm>
#include <utility>

/// What somebody else has done with servers that are in hand, or were when a process before this one died.
namespace staithe::haproxy {

using base::Error;
using base::Scope;

namespace {

/// Both seconds that are compared are whole ones, and each is cut off for itself.
constexpr std::uint64_t rounding = 1;

/// Its last change is of this process's time.
bool changed_since_start(const ServerState& state, const Info& info) {
  return state.unchanged_seconds && *state.unchanged_seconds + rounding < info.uptime_seconds;
}

/// It changed last before this process began, which only a file can tell it. One that a check has found not
/// well may have been in service by that file: whoever puts it into maintenance then changes nothing else.
bool kept_by_a_file(const ServerState& state, const Info& info) {
  return !state.check_failed && state.unchanged_seconds &&
         *state.unchanged_seconds > info.uptime_seconds + rounding;
}

/// A server is older than the process: states come from a file.
bool keeps_states(const Snapshot& snapshot) {
  return std::any_of(snapshot.states.begin(), snapshot.states.end(), [&](const auto& state) {
    return state.unchanged_seconds && *state.unchanged_seconds > snapshot.info.uptime_seconds + rounding;
  });
}

}  // namespace

void Rotation::expect_others(const Before& before) {
  for (auto& place : places_) {
    place.unmet = true;
    place.before_may_have_begun = before.own_maintenance;
    const FoundBalancer* last = nullptr;
    for (const auto& told : before.told)
      for (const auto& balancer : told.balancers)
        if (balancer.balancer == place.name) {
          place.told.push_back({balancer.pid, balancer.started});
          last = &balancer;
        }
    if (last != nullptr) heed_told(place, *last);
    for (auto& entry : place.entries)
      if (!before.own_maintenance) disown(entry, Own::maint);
  }
}

/// What the process before had seen somebody else take out, in a process of HAProxy that is younger than the
/// one that was found, stands nowhere else: it is somebody else's still.
void Rotation::heed_told(Place& place, const FoundBalancer& told) {
  const bool is_younger = told.started >= place.process.started &&
                          (told.started != place.process.started || told.pid != place.process.pid);
  if (!is_younger) return;
  for (std::size_t k = 0; k < place.entries.size(); ++k)
    for (const auto& known : told.servers) {
      auto& entry = place.entries[k];
      const bool was_taken = known.ref == entry.found.ref && own_state(known.admin) != Own::ready &&
                             own_state(entry.found.admin) == Own::ready;
      if (!was_taken) continue;
      entry.found.admin = found_at(place).servers[k].admin = known.admin;
      entry.ours = detail::states_up_to(phase_, entry.found);
      entry.theirs = true;
    }
}

/// That state is not by us, unless it was found so.
void Rotation::disown(Entry& entry, Own state) {
  if (own_state(entry.found.admin) != state)
    entry.ours = static_cast<std::uint8_t>(entry.ours & ~detail::bit(state));
}

void Rotation::take_over(const Place& place, Entry& entry, FoundServer& found, const ServerState& state,
                         Surely surely) {
  const Own now = own_state(state.admin);
  if (found.follows || (entry.ours & detail::bit(now)) != 0) return;
  entry.theirs = now != Own::ready;
  entry.ours = detail::bit(now);
  entry.found.admin = found.admin = state.admin;
  const auto where = detail::at(place.name, found.ref);
  if (!entry.theirs)
    note(where + " was set to ready by somebody else");
  else if (surely == Surely::yes)
    note(where + " is " + std::string(detail::out_text(now)) + ", not by staithe, and stays so");
  else
    note(where + " is " + std::string(detail::out_text(now)) +
         ", which since a reload of HAProxy may be by somebody else, and stays so");
}

/// What another process than before says, before anything of ours is set there again. One that was left
/// behind may have been at a person's hands for as long as nobody could look.
void Rotation::heed_others(Place& place, const Snapshot& snapshot) {
  heed_files(place, snapshot);
  if (!place.lost.empty() && !was_told(place, snapshot.info)) take_untold(place, snapshot, true);
}

/// A person who writes it into the file means it to last, whoever has the host in hand when that is read.
void Rotation::heed_files(Place& place, const Snapshot& snapshot) {
  for (std::size_t k = 0; k < place.entries.size(); ++k) {
    auto& entry = place.entries[k];
    const auto* state = snapshot.state(entry.found.ref);
    if (state == nullptr || !detail::was_disabled_since(*state, entry.found)) continue;
    disown(entry, Own::maint);
    take_over(place, entry, found_at(place).servers[k], *state, Surely::yes);
  }
}

/// Once for each process of HAProxy: of the weights that are others than those found, which are what the
/// reload has made of one that a person had set at run time. Any other a person has set since, there or in
/// the file.
void Rotation::judge_weights(Place& place, const Snapshot& snapshot) {
  for (std::size_t k = 0; k < place.entries.size(); ++k) {
    auto& entry = place.entries[k];
    const auto* state = snapshot.state(entry.found.ref);
    if (state == nullptr || entry.found.follows) continue;
    entry.reset_to.reset();
    if (state->weight == entry.found.weight) continue;
    const bool is_of_file = state->weight == state->initial_weight;
    const bool file_as_before =
        entry.found.file_weight.value_or(state->initial_weight) == state->initial_weight;
    if (entry.found.agent || (is_of_file && file_as_before))
      entry.reset_to = state->weight;
    else
      leave_weight(place, entry, found_at(place).servers[k], *state);
  }
}

/// While a host is out weights mean nothing: what is refused here is tried once more on the way back.
void Rotation::set_weights_again(Place& place, const Scope& scope) {
  std::vector<std::string> lines;
  for (const auto& entry : place.entries)
    if (entry.reset_to) lines.push_back(command::weight(entry.found.ref, entry.found.weight));
  try {
    patiently(scope, [&] { send(place, lines, scope); });
    for (auto& entry : place.entries) entry.reset_to.reset();
  } catch (const Error& error) {
    if (detail::transient(error)) throw;
    note(place.name + ": weights are as its file says: " + error.what());
  }
}

/// Nobody sets weights on the way out: one that no reload has made is a person's.
void Rotation::leave_weight(const Place& place, Entry& entry, FoundServer& found, const ServerState& state) {
  note(detail::at(place.name, found.ref) + " has weight " + std::to_string(state.weight) + " now and had " +
       std::to_string(found.weight) + ", not by staithe, and keeps it");
  entry.found.weight = found.weight = state.weight;
  entry.found.file_weight = found.file_weight = state.initial_weight;
  entry.reset_to.reset();
}

bool Rotation::was_told(const Place& place, const Info& info) {
  return info.same_process(place.process) ||
         std::any_of(place.told.begin(), place.told.end(), [&](const auto& known) {
           return known.first == info.pid && known.second == info.started;
         });
}

/// In a process of HAProxy that nobody of ours has told anything, what is in maintenance was put there by a
/// person or by a file; only where a file has surely kept it, and it may have been ours, is it taken for
/// ours. Nor is what is drained, where no file can have kept a drain.
void Rotation::take_untold(Place& place, const Snapshot& snapshot, bool may_have_begun) {
  const bool kept = keeps_states(snapshot);
  for (std::size_t k = 0; k < place.entries.size(); ++k) {
    auto& entry = place.entries[k];
    const auto* state = snapshot.state(entry.found.ref);
    const Own now = state == nullptr ? Own::ready : own_state(state->admin);
    if (now == Own::ready || (now == Own::drain && kept)) continue;  // of its files
    auto surely = Surely::yes;
    const bool may_be_ours =
        now == Own::maint && may_have_begun && !detail::was_disabled_since(*state, entry.found);
    if (may_be_ours && kept_by_a_file(*state, snapshot.info)) continue;
    if (may_be_ours && !changed_since_start(*state, snapshot.info)) surely = Surely::no;
    disown(entry, now);
    take_over(place, entry, found_at(place).servers[k], *state, surely);
  }
}

/// What the process before cannot have set is told apart before anything of ours comes on top. Every process
/// of HAProxy that it told is on record.
void Rotation::meet(Place& place, const Snapshot& snapshot) {
  if (!std::exchange(place.unmet, false)) return;
  if (!was_told(place, snapshot.info)) {
    take_untold(place, snapshot, place.before_may_have_begun);
    return;
  }
  meets(place, snapshot.info);
  heed_files(place, snapshot);
  for (std::size_t k = 0; k < place.entries.size(); ++k)
    if (const auto* state = snapshot.state(place.entries[k].found.ref); state != nullptr)
      take_over(place, place.entries[k], found_at(place).servers[k], *state, Surely::yes);
}

}  // namespace staithe::haproxy
