#include "rehearsals.hpp"

#include <fmt/format.h>

namespace staithe::world {
namespace {

exec::EffectResult refused(const plan::RequireRehearsal& wanted, const std::string& why, bool fresh = false) {
  std::string command = wanted.rehearse;
  if (fresh) command += " --source fresh";
  if (!wanted.sha.empty()) command += ", where " + wanted.sha.substr(0, 12) + " is checked out";
  return not_done(event::Outcome::refused, why + "; rehearse them: " + command);
}

std::string age_text(base::Duration age) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(age).count();
  if (hours >= 48) return fmt::format("{} days", hours / 24);
  return base::to_text(std::chrono::duration_cast<std::chrono::minutes>(age));
}

/// What was rehearsed instead says most.
std::string never_rehearsed(store::Store& store, const std::string& project,
                            const plan::RequireRehearsal& wanted) {
  for (const auto& other : store.rehearsals(wanted.environment, 500))
    if (other.project == project)
      return "exactly these files were never rehearsed; since the last rehearsal " +
             plan::difference(other.files, wanted.files);
  return fmt::format("{} knows of no rehearsal in {}", store.where(), wanted.environment);
}

}  // namespace

exec::EffectResult require_rehearsal(store::Store* store, const std::string& project,
                                     const plan::RequireRehearsal& wanted) {
  if (store == nullptr) return refused(wanted, "there is no state that knows of rehearsals");
  const auto last = store->last_rehearsal(project, wanted.environment, plan::id_of(wanted.files));
  if (!last) return refused(wanted, never_rehearsed(*store, project, wanted));
  if (!last->passed) return refused(wanted, "their last rehearsal did not pass: " + last->verdict);
  const auto terms = plan::rehearsal_terms(last->terms);
  if (!terms) return refused(wanted, "an earlier version rehearsed them, and did not write down how");
  if (const auto less = plan::shortfall(*terms, wanted.terms); !less.empty())
    return refused(wanted, "they were rehearsed " + less);
  const auto age = store::now() - last->snapshot_taken;
  if (wanted.snapshot_at_most.count() > 0 && age > wanted.snapshot_at_most)
    return refused(wanted,
                   fmt::format("they were rehearsed on a snapshot that is {} old by now ({}; allowed: {})",
                               age_text(age), last->snapshot, base::to_text(wanted.snapshot_at_most)),
                   true);
  return done(fmt::format("{} on {}, which is {} old: {}", last->run_id, last->snapshot, age_text(age),
                          last->verdict));
}

}  // namespace staithe::world
