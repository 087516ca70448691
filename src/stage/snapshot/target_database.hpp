#pragma once
#include "load.hpp"

namespace staithe::stage {

/// The advisory lock of a cluster that one snapshot at a time holds.
inline constexpr long long build_lock = 0x7374'6169'7468'65;  // "staithe"

/// The advisory lock of a cluster that is held while a snapshot's name goes to another database, and while
/// one is dropped: what is dropped is the one that was looked at.
inline constexpr long long swap_lock = 0x7374'6169'7377'70;  // "staiswp"

/// The connection limit that a database is made with and keeps until it has its mark: CREATE DATABASE cannot
/// be in one transaction with COMMENT, and a name or a size would be no proof that it is ours. Nobody gives a
/// database of theirs this one, and it limits nothing.
inline constexpr std::int32_t made_by_us = 0x7374'6169;  // "stai"

/// Makes the empty database that the snapshot is built in, with the source's encoding, locale and settings,
/// marked as under construction and closed to everybody but its owner.
void create_database(Context& context, pg::Session& cluster, const Marker& marker);

bool database_exists(pg::Session& cluster, const std::string& database, const base::Scope& scope);

void write_marker(pg::Session& cluster, const std::string& database, const Marker& marker,
                  const base::Scope& scope);

/// In one transaction: what has the snapshot's name now gets one of its own, and the new one gets the name.
/// Returns the name that the old one got, "" for none. Sessions in the old one are waited for, and ended when
/// the settings say that it is replaced: also those that come back at once.
std::string swap_in(Context& context, pg::Session& cluster, const Marker& marker);

/// Of a finished copy that could not get its name: it is a complete snapshot under a name of its own, which
/// is returned.
std::string keep_beside(Context& context, pg::Session& cluster, const Marker& marker);

/// Complete snapshots of that name beyond `keep`, oldest first, are dropped; returns their databases.
std::vector<std::string> drop_old(Context& context, pg::Session& cluster);

}  // namespace staithe::stage
