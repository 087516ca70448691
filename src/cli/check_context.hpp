#pragma once
#include "checking.hpp"

namespace staithe::cli {

/// What the texts of suites may name: the environment, its hosts and groups, variables, what is deployed.
checks::Context check_context(App& app, LoadedSuites& loaded, const Rolled& rolled);

/// Whom suites there can alert.
checks::Context::Receivers receivers_of(const LoadedSuites& loaded);

/// The newest release of the service that was proved good, by its commit; "" when nobody knows. `service`: ""
/// for the only one that there is.
std::string last_good_release(App& app, const LoadedSuites& loaded, const std::string& service);

}  // namespace staithe::cli
