#pragma once
#include "staithe/ssh/ssh_config.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What the files said, as they said it: nothing expanded, nothing defaulted. Unset is nullopt or empty, so
/// that "the first value wins" is one test.
namespace staithe::ssh::config {

/// A file of keys, and whether the user's own configuration (not the system's) named it: the same name from
/// both counts twice, as in OpenSSH.
struct NamedFile {
  std::string path;
  bool from_user = true;

  bool operator==(const NamedFile&) const = default;
};

enum class Canonicalize { no, yes, always };

/// The first value of a setting that staithe does not honour, and where it stands.
struct Said {
  std::string value;
  std::string place;
  bool from_user = true;
};

struct Settings {
  std::map<std::string, Said, std::less<>> unheard;  ///< by keyword, in lower case
  std::optional<std::string> hostname, user, host_key_alias, identity_agent, forward_agent_path, tag;
  std::optional<std::string> proxy_command;  ///< "none" is a value: it shuts out what comes later
  std::optional<std::string> proxy_jump;     ///< also "none"
  std::optional<std::string> revoked_host_keys, known_hosts_command;  ///< also "none"
  std::optional<std::string> preferred_authentications, bind_address, bind_interface, ignore_unknown;
  std::optional<std::string> ciphers, macs, kex_algorithms, host_key_algorithms, pubkey_accepted_algorithms;
  std::optional<int> port, connection_attempts, server_alive_count_max, canonicalize_max_dots;
  std::optional<int> required_rsa_size;
  std::optional<int> connect_timeout, server_alive_interval;  ///< seconds
  std::optional<bool> identities_only, hash_known_hosts, check_host_ip, tcp_keep_alive, batch_mode,
      compression;
  std::optional<bool> password_authentication, kbd_interactive_authentication, pubkey_authentication;
  std::optional<bool> forward_agent, proxy_use_fdpass, canonicalize_fallback_local;
  std::optional<StrictHostKeys> strict_host_key_checking;
  std::optional<AddressFamily> address_family;
  std::optional<Canonicalize> canonicalize_hostname;
  std::vector<NamedFile> identity_files, certificate_files;
  std::vector<std::string> user_known_hosts_files, global_known_hosts_files, canonical_domains;
};

/// One line of a file, taken apart.
struct Line {
  std::string keyword;             ///< lower case
  std::string_view rest;           ///< what follows the keyword, trimmed
  std::vector<std::string> words;  ///< the same, split
  bool from_user = true;           ///< the user's configuration or a command line, not the system's file
  bool active = true;              ///< inside a block that matches: else the line is only checked
};

/// Applies a line that is neither Host, Match nor Include. Keywords that is_setting() does not know are
/// skipped. Throws base::Error{invalid} without the place.
void apply(Settings& settings, const Line& line, const Sources& sources);
/// Whether apply() knows a keyword (in lower case).
bool is_setting(std::string_view keyword) noexcept;
/// Whether a keyword (in lower case) is one that ssh(1) knows and staithe has no use for.
bool is_idle(std::string_view keyword) noexcept;

/// Whether a keyword (in lower case) is one that ssh(1) honours and staithe does not, or not whatever it
/// says.
bool is_unheard(std::string_view keyword) noexcept;
/// Of those that were met, what makes a difference.
std::vector<Unheard> unheard_of(const Settings& settings);

/// One pass over all sources. `final_host` is set in the second pass: the host name after canonicalisation.
struct Pass {
  const Sources* sources = nullptr;
  const base::Scope* scope = nullptr;
  std::string original;                   ///< what the person asked for
  std::optional<std::string> final_host;  ///< what Host lines are held against in the second pass
  bool wants_final = false;               ///< out: a "Match final" was met
};

/// The user's and the system's file.
void read_files(Settings& settings, Pass& pass);
/// One setting from a command line.
void read_option(Settings& settings, const std::string& option, const Sources& sources);

enum class Exec { run, skip };
/// Whether a Match line holds now. Exec::skip: no command is run (the block cannot count anyway).
bool match_holds(const Settings& settings, std::string_view criteria, Pass& pass, Exec exec);

/// What HostName makes of the name asked for.
std::string target_host(const Settings& settings, const Sources& sources, const std::string& host);

/// Everything for one destination, before tokens are expanded. Only tests need it apart from resolve().
struct Raw {
  Settings settings;
  std::string original;
  std::string hostname;
};
Raw read_all(const Sources& sources, std::string_view destination, const Overrides& overrides,
             const base::Scope& scope);
/// Defaults filled in and tokens expanded.
Resolved finish(const Raw& raw, const Sources& sources);

}  // namespace staithe::ssh::config
