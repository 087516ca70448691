#include "staithe/playbook/sites.hpp"

#include "parts.hpp"

#include "staithe/playbook/selection.hpp"
#include "staithe/steps/release_scripts.hpp"

namespace staithe::playbook {
namespace {

/// The variable that stands for a field of the service, which a higher layer may have set.
std::string field(const char* name, const std::optional<Text>& where, const steps::Variables& variables,
                  diag::Diagnostics& diagnostics) {
  if (!where) return {};
  const Text text{std::string("$(") + name + ")", where->position, where->length, where->path};
  return expand_plain(text, variables, diagnostics).value_or("");
}

/// Only what does not need a commit: whether the repository can be reached, space, rights.
std::string preflight_of(const Service& service, const Site& site, const steps::Variables& variables,
                         diag::Diagnostics& diagnostics) {
  steps::Preflight wanted;
  if (!site.reload.empty()) wanted.commands.push_back(site.reload);
  steps::Release release;
  release.path = site.path;
  release.repository = field("repository", service.repository, variables, diagnostics);
  if (release.path.empty() || release.repository.empty()) return steps::preflight_script(nullptr, wanted);
  wanted.needs_checkout = true;
  wanted.needs_activate = true;
  release.service = service.name.value;
  for (const Text& entry : service.shared) release.shared.push_back(entry.value);
  release.min_free_bytes = service.min_free_bytes;
  return steps::preflight_script(&release, wanted);
}

}  // namespace

std::vector<Site> sites_of(const Project& project, const Service& service, const Playbook* playbook,
                           const Request& request, const std::vector<std::string>& hosts,
                           diag::Diagnostics& diagnostics) {
  std::vector<Site> sites;
  const Environment* environment = choose_environment(project, request.environment, diagnostics);
  if (environment == nullptr) return sites;
  Layers layers(project, *environment, &service, playbook, request);
  layers.prepare(diagnostics);
  for (const std::string& name : hosts) {
    const Host* host = environment->find_host(name);
    if (host == nullptr) continue;
    const steps::Variables variables = layers.for_host(*host);
    Site site;
    site.host = name;
    site.path = field("path", service.path, variables, diagnostics);
    site.reload = field("reload", service.reload, variables, diagnostics);
    site.release_url = field("release_url", service.release_url, variables, diagnostics);
    site.preflight = preflight_of(service, site, variables, diagnostics);
    sites.push_back(std::move(site));
  }
  return sites;
}

std::vector<std::string> hosts_of(const Environment& environment, const Service& service) {
  diag::Diagnostics unheard;
  return select_any(environment, default_hosts(environment, &service), unheard)
      .value_or(std::vector<std::string>{});
}

}  // namespace staithe::playbook
