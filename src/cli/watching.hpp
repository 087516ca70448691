#pragma once
#include "checking.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/httpd/server.hpp"
#include "staithe/store/store.hpp"
#include "staithe/watch/watcher.hpp"

#include <memory>
#include <string>

/// What the command `watch` is put together from.
namespace staithe::cli {

/// Where it listens, and what a bearer must show; "" for nobody must. Throws UsageError for an address that
/// cannot be meant, and for one that others can reach when there is no token.
struct Front {
  httpd::Endpoint endpoint;
  std::string token;
};
Front front_of(App& app, const LoadedSuites& loaded);

/// What suites that were read are run as. `every`: how often those run that do not say it; zero: they are not
/// watched. `before`: told_by() of what is in use, which is not looked at again. Throws FilesWrong,
/// UsageError, and base::Error for a destination that could not be reached for want of its secret.
watch::Programme programme_of(App& app, LoadedSuites loaded, base::Duration every,
                              const std::function<std::unique_ptr<verify::Listener>()>& listener,
                              const std::vector<watch::Destination>& before = {});

/// Whom its suites name, or all when one names nobody. Others are declared, and nobody has looked whether
/// they can be told.
std::vector<watch::Destination> told_by(const watch::Programme& programme);

/// Of each destination why nobody could be told there, "" when one can.
struct AlertTrouble {
  std::string name, why;
};
std::vector<AlertTrouble> alert_troubles(App& app, const LoadedSuites& loaded);

}  // namespace staithe::cli
