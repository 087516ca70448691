#pragma once
#include "staithe/stage/snapshot.hpp"

#include <string>
#include <vector>

namespace staithe::stage {

/// What a person can do about `error`, judged by its SQLSTATE, as the last lines of a run say it: the
/// servers' texts may be in any language. Empty when there is nothing better than another try.
std::vector<std::string> ways_out(const base::Error& error, const SnapshotPlan& plan);

/// Whether sessions of that name may be on the source though nobody is at their other end any more: it has
/// them still, or does not say, as where a proxy hangs, refuses, leads elsewhere than to `server` or the
/// server is out of connections. Blocks for some seconds at most.
bool are_left_on(const std::string& source_url, const std::string& application,
                 const std::string& server) noexcept;
/// The statement that ends them, with what it is for.
std::string end_of_sessions(const std::string& application);

}  // namespace staithe::stage
