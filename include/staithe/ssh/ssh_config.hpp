#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/duration.hpp"
#include "staithe/ssh/endpoint.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::ssh {

/// What files and Include patterns held when they were first read, for a run that resolves many destinations.
/// Thread safe.
class ConfigFiles {
 public:
  ConfigFiles();
  ~ConfigFiles();

  using Read = std::function<std::optional<std::string>()>;
  using List = std::function<std::vector<std::string>()>;
  /// What `read` gave the first time that this key was asked for; null: there is no such file. Lives as long
  /// as this.
  const std::string* content(const std::string& key, const Read& read);
  /// The paths that a pattern matches, from `list` the first time.
  const std::vector<std::string>& paths(const std::string& pattern, const List& list);

 private:
  struct Data;
  std::unique_ptr<Data> data_;
};

/// Where ssh_config(5) is read from, and who asks. Nothing here is taken from the process by itself, so that
/// a plan and a test can say exactly what is read.
struct Sources {
  std::string
      user_file;  ///< "~/.ssh/config" in full; empty: none. Missing: empty, unless `user_file_required`.
  std::string system_file;                         ///< "/etc/ssh/ssh_config"; empty: none. Missing: empty.
  bool user_file_required = false;                 ///< the file was named by a person (-F)
  std::string home;                                ///< for "~" and %d
  std::string local_user;                          ///< for %u and Match localuser
  std::string local_uid;                           ///< for %i, in decimal
  std::string local_host;                          ///< for %l and %L
  std::map<std::string, std::string> environment;  ///< for ${NAME}
  ConfigFiles* files = nullptr;                    ///< not owned; null: everything is read each time

  /// Runs the command of a "Match exec" and says whether it ended with status 0. Not set: such a Match is an
  /// error.
  std::function<bool(const std::string& command, const base::Scope& scope)> match_exec;
  /// Whether a name has an address, for CanonicalizeHostname with CanonicalDomains. Not set: such a host is
  /// an error.
  std::function<bool(const std::string& name)> name_exists;

  /// The files, names and environment of this process. Match exec is run by $SHELL, with its streams on
  /// /dev/null and for 20 s at most; names are asked of the system's resolver, which keeps its own time.
  static Sources of_process();
};

enum class StrictHostKeys { yes, accept_new, ask, no };

/// What a person says beside the file; wins over it.
struct Overrides {
  std::optional<std::string> user;
  std::optional<int> port;
  /// More settings as lines of ssh_config ("ProxyJump none"), as -o gives them; the first of a kind wins.
  std::vector<std::string> options;
};

/// A setting that counts for ssh(1), and that staithe does not honour.
struct Unheard {
  std::string setting;  ///< "ForwardAgent yes"
  std::string place;    ///< "/home/me/.ssh/config:12"
  std::string meaning;  ///< what that means here

  bool operator==(const Unheard&) const = default;
};

/// What ssh(1) would use for one destination, tokens expanded: the part of `ssh -G` that staithe needs.
struct Resolved {
  std::string alias;     ///< as asked for
  std::string hostname;  ///< where to connect to
  std::string user;
  int port = 22;
  /// In the order of the file; the built-in ones when the file names none. They need not exist.
  std::vector<std::string> identity_files;
  bool identity_files_are_defaults = true;
  std::vector<std::string> certificate_files;
  std::string identity_agent;  ///< socket path; "none"; empty: $SSH_AUTH_SOCK
  bool identities_only = false;
  std::string proxy_jump;     ///< as written, "none" and unset are empty
  std::string proxy_command;  ///< tokens expanded, "none" and unset are empty
  bool proxy_use_fdpass = false;
  std::string host_key_alias;
  std::vector<std::string> user_known_hosts_files;
  std::vector<std::string> global_known_hosts_files;
  std::string revoked_host_keys;    ///< a file; "none" and unset are empty
  std::string known_hosts_command;  ///< as written: staithe does not run it; "none" and unset are empty
  StrictHostKeys strict_host_key_checking = StrictHostKeys::ask;
  bool hash_known_hosts = false;
  bool check_host_ip = false;
  base::Duration connect_timeout{0};  ///< 0: none set
  int connection_attempts = 1;
  base::Duration server_alive_interval{0};  ///< 0: no keepalive asked for
  int server_alive_count_max = 3;
  bool tcp_keep_alive = true;
  std::vector<std::string> preferred_authentications;  ///< empty: the default order
  bool pubkey_authentication = true;
  bool password_authentication = true;
  bool kbd_interactive_authentication = true;
  bool batch_mode = false;
  std::string forward_agent;  ///< "no", "yes" (the agent in use), or the path of an agent
  AddressFamily address_family = AddressFamily::any;
  std::string bind_address;
  std::string bind_interface;
  bool compression = false;
  int required_rsa_size = 0;     ///< bits; 0: unset
  std::vector<Unheard> unheard;  ///< in the order of their names
  /// Algorithm lists as written, with a leading '+', '-' or '^'; empty: unset.
  std::string ciphers, macs, kex_algorithms, host_key_algorithms, pubkey_accepted_algorithms;
};

/// Reads the files for one destination with OpenSSH's rules (first value wins; Host, Match, Include; tokens).
/// `destination` is an alias, "user@alias" or "ssh://user@alias:port"; the parts win over `overrides`.
/// Throws base::Error{invalid} with "FILE:LINE: what" for lines that OpenSSH would refuse, {permission} or
/// {io} for files that cannot be read. Settings that staithe has no use for are skipped unread. Blocks only
/// for Match exec.
Resolved resolve(const Sources& sources, std::string_view destination, const Overrides& overrides = {},
                 const base::Scope& scope = base::Scope::lasting(std::chrono::seconds(60)));

/// One element of ProxyJump.
struct Jump {
  std::string user;  ///< empty: not given
  std::string host;
  int port = 0;  ///< 0: not given

  bool operator==(const Jump&) const = default;
};

/// "[user@]host[:port]" or "ssh://...", comma-separated, first hop first; "none" and "" are no jump.
/// nullopt when OpenSSH would refuse it.
std::optional<std::vector<Jump>> parse_proxy_jump(std::string_view text);

/// The whole way to a destination: first hop first, the destination last, every hop resolved through the
/// files itself. As in OpenSSH the first hop may bring its own ProxyJump. More than 8 hops, which a
/// circle gives, throw base::Error{invalid}. A hop's ProxyCommand ends the way: it stands in the first
/// element.
std::vector<Resolved> route(const Sources& sources, std::string_view destination,
                            const Overrides& overrides = {},
                            const base::Scope& scope = base::Scope::lasting(std::chrono::seconds(60)));

}  // namespace staithe::ssh
