#pragma once
#include "staithe/store/records.hpp"

#include <string>
#include <string_view>

namespace staithe::store {

/// What tells this process from every other one, also after a reboot or when its number is used again:
/// boot id, pid namespace, host name, pid and start time, with '|' between them.
std::string process_identity();

/// Whether the process of an identity lives. `unknown` when it is of another machine, container or boot of an
/// unknown machine, or may not be looked at.
Owner owner_of(std::string_view identity);

/// 128 random bits in hexadecimal.
std::string random_token();

/// Milliseconds since boot, time asleep included: a suspended laptop must not think that its lease still
/// runs.
long long boottime_ms() noexcept;

}  // namespace staithe::store
