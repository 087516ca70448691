#pragma once
#include "staithe/playbook/make_plan.hpp"

#include <string>
#include <vector>

namespace staithe::playbook {

/// What a service is on one host, for commands that look at hosts without a plan of their own. Fields that
/// the service does not declare are "".
struct Site {
  std::string host;
  std::string path;         ///< of the service's directory
  std::string reload;       ///< the command
  std::string release_url;  ///< where the app says which release runs
  /// What the preflight of a deploy would ask on the host: reads only, a line on stderr for each obstacle.
  std::string preflight;
};

/// In the order of `hosts`, which belong to the request's environment. `playbook` may be null: then its
/// variables are not there. Texts that cannot be expanded are findings.
std::vector<Site> sites_of(const Project& project, const Service& service, const Playbook* playbook,
                           const Request& request, const std::vector<std::string>& hosts,
                           diag::Diagnostics& diagnostics);

/// The hosts that run a service when nobody says which; may be empty.
std::vector<std::string> hosts_of(const Environment& environment, const Service& service);

}  // namespace staithe::playbook
