#pragma once
#include "staithe/playbook/project.hpp"
#include "staithe/steps/substitute.hpp"

#include <set>

/// Pieces that staithe.yml and playbooks have in common.
namespace staithe::playbook {

/// `vars:` of a mapping. Names that staithe sets itself are refused.
VariableEntries read_variables(yaml::Mapping& map, std::string_view key = "vars");
/// The members of a mapping as variables: a whole variables file.
VariableEntries read_variables(const std::vector<yaml::Member>& members);

/// `secrets:` of a mapping.
std::vector<SecretEntry> read_secrets(yaml::Mapping& map);

/// A text whose value must be "env NAME", "file PATH" or "command …"; a finding otherwise.
std::optional<plan::SecretRef> read_secret(const yaml::Reader& value, std::string_view text);

/// Whether a variable of that name is set by staithe itself.
bool is_reserved(std::string_view name);

/// `path` as seen from the working directory when it is written relative to `directory`.
std::string resolve_path(const std::string& directory, const std::string& path);
/// What stands before the last '/' of a path; "" when there is none.
std::string directory_of(const std::string& path);

/// A finding about a value that has been read, and one about the key of a mapping with free keys.
void report(const Text& at, diag::Diagnostics& diagnostics, std::string message, std::string help = {});
/// What expanding the text has found.
void report(const Text& at, diag::Diagnostics& diagnostics, const std::vector<steps::Problem>& problems);
void report_key(const yaml::Member& member, std::string message, std::string help = {});

/// The parts of load_project.
std::vector<Service> read_services(yaml::Mapping& map);
Environment read_environment(const yaml::Member& member, const std::string& directory);
std::vector<Host> read_hosts(const yaml::Reader& value, const std::string& environment);
/// `databases:` of an environment; nothing when there is none.
std::optional<Databases> read_databases(yaml::Mapping& map, const std::string& directory);
/// `watch:` of an environment; where 'notify' goes is added to those who are alerted.
WatchSettings read_watch(yaml::Mapping& map, const std::vector<plan::SecretRef>& notify);
ServersSpec read_servers(const yaml::Reader& value);

/// Finds what each host, group and balancer of an environment says of names that are not there.
void check_environment(const Environment& environment, diag::Diagnostics& diagnostics);

}  // namespace staithe::playbook
