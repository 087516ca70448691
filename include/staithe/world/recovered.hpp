#pragma once
#include "staithe/event/event.hpp"
#include "staithe/store/store.hpp"
#include "staithe/world/aftermath.hpp"
#include "staithe/world/recovery.hpp"

#include <cstddef>
#include <string>
#include <vector>

/// What recovering a run came to, and how it is written down.
namespace staithe::world {

struct Recovered {
  std::vector<std::string> by_hand;  ///< hosts that stay as they are: the plan had no way back
  std::size_t on_new = 0;            ///< hosts that are on the run's release now
  std::size_t hosts = 0;
  std::string summary_json;  ///< every host's state now, as `deploy --resume` and the history read it
  std::vector<std::string> behind{};   ///< hosts that are not on the run's release
  bool release_failed = false;         ///< the run found fault with its release
  std::vector<std::string> unknown{};  ///< of those behind: let in half changed, and may be on it as well

  bool mixed() const noexcept { return on_new > 0 && on_new < hosts; }
  /// Hosts are on what the run itself found fault with.
  bool keeps_bad() const noexcept { return on_new > 0 && release_failed; }
  /// Something of the run is left, which a later recovery or a person has to see to.
  bool is_open() const noexcept { return !by_hand.empty() || !unknown.empty(); }
  bool needs_a_person() const noexcept { return is_open() || mixed() || keeps_bad(); }
};

/// `aftermath` is what the recovery was planned from, `finished` how it ended. Pure.
Recovered conclude(const Aftermath& aftermath, const event::RunFinished& finished);

/// Whether a recovery that ended so left nothing to be put right: it did all that it meant to, or what failed
/// was undone by its own revert, or only follows a roll. Old releases that could not be removed stand in
/// nobody's way. Pure.
bool put_right(const plan::Plan& recovery, const event::RunFinished& finished);

/// Ends the run in the history, and its recoveries that died. To be called while the lock is held, before the
/// end of the recovery that did it: whoever dies in between leaves nothing that is done twice. Throws
/// base::Error when the state cannot be written.
void end_recovered(store::Store& store, const store::Run& run, const Recovered& recovered);

/// A person has put right what the run left: ends it in the history without touching anything, and its
/// recoveries that died. What they say of it stands in its journal. The hosts' states stay as the run, or its
/// journal where it died, tells. As end_recovered otherwise. The run is one of Store::run.
void settle(store::Store& store, const store::Run& run, const std::string& who, const std::string& reason);

/// Ends recoveries that died where nothing is left to recover of their service, or of any when that is empty,
/// and frees what they had locked.
void end_dead_recoveries(store::Store& store, const std::string& environment, const std::string& service);

}  // namespace staithe::world
