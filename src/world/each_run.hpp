#pragma once
#include "staithe/store/store.hpp"

#include <functional>
#include <string>

namespace staithe::world {

/// Every run of an environment that may have done something to a host: commands take nothing, and a cron job
/// has thousands of them.
store::HistoryFilter of_environment(const std::string& environment);

/// Recoveries tell of other runs' hosts, and commands take nothing.
bool takes_hosts(const store::Run& run);

/// Newest first, as far back as the history goes, until `visit` returns false. Read piece by piece: mostly
/// the newest few runs tell all.
void each_run(store::Store& store, store::HistoryFilter filter,
              const std::function<bool(const store::Run&)>& visit);

}  // namespace staithe::world
