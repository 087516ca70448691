#pragma once
#include "staithe/plan/plan.hpp"
#include "staithe/store/store.hpp"
#include "staithe/world/recovery.hpp"

#include <cstddef>
#include <string>
#include <vector>

/// What has become of a run's hosts between its end, or its death, and its recovery.
namespace staithe::world {

/// What a later run made of what the run had left on a host.
enum class SeenTo {
  no,          ///< nothing: it is as the run, or a recovery of it, left it
  given_back,  ///< let in as it was
  unknown,     ///< let in as it was while the app was being changed: it may be on either release
  brought,     ///< the later run brought the same there
  replaced,    ///< it brought something else there
  vouched,     ///< a person ended the later run for good, whatever it had left there
};

/// A later run that has put a host right.
struct Later {
  store::Run run;
  std::string state;     ///< in which it says that it left the host
  bool is_same = false;  ///< the same task
};

/// `left` is where the run had the host. Pure.
SeenTo seen_to(const store::Run& run, Left left, const Later& later);

struct HostSince {
  HostLeft left;
  SeenTo seen_to = SeenTo::no;
  std::string by{};     ///< the run that saw to it; "" for none
  std::string state{};  ///< as the run's own summary has it; "" where that does not tell
};

struct Aftermath {
  std::vector<HostSince> hosts;  ///< in the order of the plan
  bool went_on = false;          ///< a later run brought the same release and found no fault with it
  std::size_t recoveries = 0;    ///< that the hosts' states rest on

  /// Somebody let a host in as it was: what the run was to do there behind that was not done.
  bool unjudged() const noexcept;
};

/// The run is one of Store::run, `plan` its own. Throws base::Error as recoveries_of().
Aftermath aftermath_of(store::Store& store, const store::Run& run, const plan::Plan& plan);

/// Where a host is that somebody has let in as the run had left it. Pure.
Left once_let_in(Left left) noexcept;

/// What a recovery is planned from: the hosts that are still as the run left them, or were let in so. Pure.
std::vector<HostLeft> to_mend(const Aftermath& aftermath);

}  // namespace staithe::world
