#pragma once
#include "staithe/diag/diagnostic.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/playbook/databases.hpp"
#include "staithe/yaml/reader.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// staithe.yml as typed values: what there is. Texts may hold `$(…)` until a plan is made.
namespace staithe::playbook {

using Text = yaml::Located<std::string>;

/// One entry under `vars:`, in the order of the file.
struct VariableEntry {
  Text name;
  Text value;
  bool is_literal = false;  ///< from an inventory program: `$(…)` in it means nothing
};
using VariableEntries = std::vector<VariableEntry>;

struct SecretEntry {
  Text name;
  plan::SecretRef source;
};

/// Which HAProxy servers stand for a host.
struct ServersSpec {
  enum class Form {
    unsaid,
    automatic,  ///< by address, whatever their names
    names,      ///< "backend/server" texts, for every host
    by_host,    ///< the same for the hosts of a selection
    none,
  };
  Form form = Form::unsaid;
  std::vector<Text> names;
  std::vector<std::pair<Text, std::vector<Text>>> by_host;
};

struct Service {
  Text name;
  std::optional<Text> repository, path, reload, health, release_url;
  std::optional<Text> address, port;  ///< of the app, when they are not $(host.address) and $(port)
  std::optional<Text> hosts;          ///< the selection that runs it
  std::vector<Text> shared;
  ServersSpec servers;
  std::uint32_t keep_releases = 5;
  std::uint64_t min_free_bytes = 200ULL * 1024 * 1024;
};

struct Host {
  Text name;
  std::string number;  ///< the part that its range counted, for $(n)
  std::string address, user, jump;
  std::uint16_t port = 0;
  std::vector<std::string> identity_files;
  std::vector<Text> groups;
  VariableEntries vars;
  ServersSpec servers;
};

struct Group {
  Text name;
  std::vector<Text> hosts;     ///< names and ranges
  std::vector<Text> children;  ///< groups whose hosts belong to this one too
  VariableEntries vars;
};

/// Where locks, journal and history are kept.
struct StateStore {
  enum class Kind { sqlite, postgres };
  Kind kind = Kind::sqlite;
  std::string path;                ///< of the SQLite file; "" for .staithe/ beside staithe.yml
  plan::SecretRef url;             ///< of the PostgreSQL database
  std::uint32_t keep_runs = 1000;  ///< ended runs of the environment that stay in the history
};

/// Where `watch` sends alerts.
struct AlertTarget {
  enum class Kind { slack, pagerduty };
  Text name;
  Kind kind = Kind::slack;
  plan::SecretRef secret;  ///< of the webhook, or the routing key
  std::string url;         ///< of PagerDuty's events, or of who understands them
};

/// What `watch` does in an environment.
struct WatchSettings {
  std::optional<Text> listen;
  std::optional<plan::SecretRef> token;  ///< what a bearer must show
  std::vector<AlertTarget> alerts;
  base::Duration remind{std::chrono::hours(4)};
  std::uint32_t at_once = 8;  ///< suites
};

struct Environment {
  Text name;
  bool is_protected = false;
  std::vector<Host> hosts;
  std::vector<Group> groups;
  std::vector<plan::Balancer> balancers;
  std::vector<diag::Position> balancer_positions;
  plan::SshSettings ssh;
  std::optional<Text> ssh_config;  ///< where its file is named
  StateStore state;
  std::vector<plan::SecretRef> notify;  ///< Slack-compatible webhooks
  std::vector<Text> inventory;          ///< commands that print Ansible's inventory JSON
  bool inventory_asked = false;         ///< their answers have been added
  VariableEntries vars;
  std::vector<SecretEntry> secrets;
  std::optional<Databases> databases;  ///< what the staging commands work on
  WatchSettings watch;

  /// Whether every host is known: else programs name more that were not asked, or did not answer.
  bool knows_hosts() const { return inventory.empty() || inventory_asked; }
  const Host* find_host(std::string_view name) const;
  const Group* find_group(std::string_view name) const;
  /// Every group name, those that only hosts mention included.
  std::vector<std::string> group_names() const;
  /// Whether `host` belongs to `group`, by itself, by the group's list, or through child groups.
  bool is_member(const Host& host, std::string_view group) const;
};

struct Project {
  std::string path;       ///< of staithe.yml, as it was named
  std::string directory;  ///< what relative paths in it start from; "" for the working directory
  std::string text;
  Text name;
  std::vector<Service> services;
  std::vector<Environment> environments;
  VariableEntries vars;
  std::vector<SecretEntry> secrets;

  const Service* find_service(std::string_view name) const;
  const Environment* find_environment(std::string_view name) const;
  Environment* find_environment(std::string_view name);
};

/// Reads staithe.yml. Every mistake is a finding; nothing comes back when the file is no project at all.
/// After other mistakes the rest comes, so that a playbook can be judged in the same run: ask
/// `diagnostics.has_errors()`.
std::optional<Project> load_project(const std::string& path, const std::string& text,
                                    diag::Diagnostics& diagnostics);

/// The environment that -e names, or the only one; else a finding that lists them.
const Environment* choose_environment(const Project& project, const std::string& wanted,
                                      diag::Diagnostics& diagnostics);

/// The service that is named, or the only one; nullptr without a finding when there are none or several and
/// no name was given.
const Service* choose_service(const Project& project, const std::string& wanted,
                              diag::Diagnostics& diagnostics);

/// Adds what an inventory program printed: Ansible's `--list` JSON with groups, children, hosts, vars and
/// _meta.hostvars. ansible_host, ansible_user, ansible_port and ansible_ssh_private_key_file say how a host
/// is reached. What staithe.yml says of a host wins. `program` is for messages.
void add_dynamic_inventory(Project& project, const std::string& environment, const std::string& program,
                           const std::string& json_text, diag::Diagnostics& diagnostics);

/// "env NAME", "file PATH" or "command …"; nothing for anything else.
std::optional<plan::SecretRef> parse_secret(std::string_view text);

/// Whether a name may be a host's: letters, digits, '.', '_', '-' and ':', and none but the first two in
/// front.
bool is_host_name(std::string_view name);

}  // namespace staithe::playbook
