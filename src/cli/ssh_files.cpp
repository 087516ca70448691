#include "ssh_files.hpp"

#include "staithe/base/error.hpp"
#include "staithe/ssh/ssh_config.hpp"

#include <filesystem>

namespace staithe::cli {

void check_ssh_config(const Loaded& loaded, const playbook::Environment& environment,
                      diag::Diagnostics& diagnostics) {
  if (!environment.ssh_config) return;
  const auto& named = *environment.ssh_config;
  auto sources = ssh::Sources::of_process();
  sources.user_file = named.value.starts_with("~/")
                          ? sources.home + named.value.substr(1)
                          : (std::filesystem::path(loaded.project.directory) / named.value).string();
  sources.user_file_required = true;
  sources.match_exec = [](const std::string&, const base::Scope&) { return false; };
  sources.name_exists = [](const std::string&) { return true; };
  try {
    (void)ssh::resolve(sources,
                       environment.hosts.empty() ? "localhost" : environment.hosts.front().name.value);
  } catch (const base::Error& error) {
    diagnostics.add({diag::Severity::error, named.position, named.length, error.what(), named.path,
                     "it starts from the directory of staithe.yml"});
  }
}

}  // namespace staithe::cli
