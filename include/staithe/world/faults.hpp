#pragma once
#include "staithe/plan/plan.hpp"
#include "staithe/store/store.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// What visitors meet though nobody meant it: hosts that a run left so, releases that are bad, and what
/// nobody has judged.
namespace staithe::world {

/// A host that a run which ended left in service half changed, or on what it was to be rid of.
struct LeftFailed {
  store::Run run;     ///< without plan
  std::string words;  ///< where its journal leaves the host: "on the new release, which was to go back"
};

/// By host, with the newest such run; those that something since has put right are not in it.
std::map<std::string, LeftFailed> left_failed(store::Store& store, const std::string& environment);

/// A run that ended before all that was to follow its roll, which judges the whole of it, had ended well.
struct Unjudged {
  store::Run run;     ///< with plan
  std::string words;  ///< "'make smoke' under 'after' did not end well"
};

/// Whether the run, one of Store::run, is such a one; none for a run that a person settled.
std::optional<Unjudged> unjudged(store::Store& store, const store::Run& run);

/// The tasks among the runs that left hosts to a person which nothing since has put right: what they brought
/// stands there, and no release shows it. Newest first.
std::vector<Unjudged> unjudged_tasks(store::Store& store, const std::string& environment);

/// A service's releases that nothing is to be brought to, each with the run that found it so: those that the
/// history calls bad, and the release of `newest`, the newest run that brought one, where that run ended and
/// had itself found fault with it. The run is one of Store::run, which has the plan.
std::map<std::string, std::string> bad_releases(store::Store& store, const std::string& environment,
                                                const std::string& service,
                                                const std::optional<store::Run>& newest);

/// The same of one release: that of a run which is about to end otherwise than well, by its plan and id.
bool is_bad_by(store::Store& store, const plan::Plan& plan, const std::string& run_id);

}  // namespace staithe::world
