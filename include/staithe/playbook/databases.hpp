#pragma once
#include "staithe/base/duration.hpp"
#include "staithe/plan/text.hpp"
#include "staithe/yaml/reader.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace staithe::playbook {

/// One PostgreSQL database, reached through a URL that is a secret.
struct Database {
  plan::SecretRef url;
  diag::Position position;
};

/// How a snapshot is taken when the command line does not say otherwise.
struct SnapshotDefaults {
  std::string masks;  ///< path of a file of masks; "" for none
  std::optional<plan::SecretRef> mask_key;
  bool require_masks = false;
  bool keep_live = false;  ///< jobs, webhooks and secrets may come along without a word about them
  std::uint32_t keep = 1;  ///< complete snapshots of the same name, the newest one included
  std::uint32_t jobs = 2;
  bool keep_grants = false;
  /// Roles of production and the ones of staging that stand for them; "" for `drop`.
  std::vector<std::pair<yaml::Located<std::string>, std::string>> roles;
  std::string owner;  ///< role that owns everything in the copy; "" for the one that connects
  std::vector<std::string>
      leave_out;                    ///< tables whose rows are not copied, "schema.table", '*' and '?' match
  base::Duration lock_wait{2'000};  ///< for a lock on a table of the source
  base::Duration blocked{3'000};    ///< how long somebody on the source may wait for us
  base::Duration replication_lag{30'000};
  base::Duration longest_snapshot{6 * 3'600'000};  ///< how long the source's dead rows are held
};

/// `databases:` of an environment. `source` is only ever read; `target` is where snapshots, rehearsals and
/// backfills happen.
struct Databases {
  std::optional<Database> source;
  std::optional<Database> target;
  SnapshotDefaults snapshot;
  std::vector<std::pair<std::string, plan::SecretRef>> named;  ///< all, those two and others, for checks
  diag::Position position;
};

}  // namespace staithe::playbook
