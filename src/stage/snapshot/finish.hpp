#pragma once
#include "load.hpp"

namespace staithe::stage {

/// What a snapshot did not get though the source has it, in the words of the target.
using Lost = std::vector<Difference>;

/// The objects that rows need, in one transaction. What staging can do without (a grant to a role that it
/// does not have) is added to `lost`; anything else is an error.
void create_objects(Context& context, pg::Session& target, const std::vector<Entry>& before, Lost& lost);

/// Sequences, large objects: read in the source's snapshot (sequences have none: at least as far as the
/// rows).
struct Counters {
  struct Value {
    std::string sequence;  ///< quoted
    std::string last;
    bool is_called = false;
  };
  std::vector<Value> values;
};
Counters read_sequences(Context& context, pg::Session& source);
void set_sequences(Context& context, pg::Session& target, const Counters& counters);

/// Copies large objects with their numbers. `source` must be in the snapshot. Both sessions are used up.
std::uint64_t copy_large_objects(Context& context, pg::Session& source, pg::Session& target);

/// Foreign keys, views' contents, rules, triggers, policies, grants: in that order.
void create_rest(Context& context, pg::Session& target, std::vector<Entry> after, Lost& lost);

/// Deletes rows whose parents stayed behind, before the foreign keys are made. Returns how many.
std::uint64_t delete_orphans(Context& context, pg::Session& target);

/// Switches off what acts by itself, then asks the catalogue whether anything is left that does. Throws
/// base::Error{conflict} when there is.
void make_harmless(Context& context, pg::Session& target);

/// Indexes and constraints as valid as in the source: base::Error{conflict} when not. A sequence that is
/// behind its column is warned of.
void verify(Context& context, pg::Session& target);

}  // namespace staithe::stage
