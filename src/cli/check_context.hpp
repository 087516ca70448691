#pragma once
#include "checking.hpp"

namespace staithe::cli {

/// What the texts of suites may name: the environment, its hosts and groups, variables, what is deployed.
/// `release`: what a deploy is about to judge; "" for the newest one that was good.
/// `limit`: the hosts that `each` means, as for --limit; "" for all.
checks::Context check_context(App& app, LoadedSuites& loaded, const std::string& release,
                              const std::string& limit);

/// Whom suites there can alert.
checks::Context::Receivers receivers_of(const LoadedSuites& loaded);

/// The newest release that was proved good, by its commit; "" when nobody knows.
std::string last_good_release(App& app, const LoadedSuites& loaded);

}  // namespace staithe::cli
