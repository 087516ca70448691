#pragma once
#include "staithe/base/duration.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace staithe::ssh {

/// Where a server's key is looked up: for who judges it, not for the connection itself.
struct KeyRecords {
  std::vector<std::string> files;  ///< known_hosts, in order
  std::string pin_file;            ///< which of them a new key is written to; empty: none
  bool hash_names = false;         ///< for that
  std::string revoked;             ///< the file of RevokedHostKeys; empty: none
  std::string command;             ///< KnownHostsCommand, which nobody runs; empty: none
};

/// Lists of algorithms as ssh_config(5) writes them, with "+", "-" or "^" before what changes the defaults;
/// empty: the defaults. Names that libssh does not know are left out.
struct Algorithms {
  std::string ciphers, macs, key_exchanges;
  std::string host_keys;   ///< HostKeyAlgorithms
  std::string signatures;  ///< PubkeyAcceptedAlgorithms
  int least_rsa_bits = 0;  ///< RequiredRSASize; 0: libssh's own
};

enum class AddressFamily { any, inet, inet6 };

/// One server and everything needed to reach it: nothing is looked up in ssh_config from here on.
struct Endpoint {
  std::string label;    ///< how messages name it; empty: the address
  std::string address;  ///< host name or IP address; every address of a name is tried
  std::uint16_t port = 22;
  std::string user;
  std::string host_key_alias;  ///< the name looked up in known_hosts instead of the address; empty: none
  /// Key types to be asked for first ("ssh-ed25519"; see KnownHosts::known_key_types), so that a server with
  /// several keys shows the one that is on record.
  std::vector<std::string> host_key_types;

  KeyRecords key_records;

  std::vector<std::string> identity_files;     ///< private keys, in order; missing files are skipped
  bool identity_files_are_defaults = false;    ///< nobody named them: a missing one is not worth a word
  std::vector<std::string> certificate_files;  ///< beside each FILE-cert.pub; matched to keys by content
  std::string identity_agent;                  ///< socket path; "none"; empty: $SSH_AUTH_SOCK
  bool identities_only = false;                ///< of the agent's keys only those of `identity_files`

  Algorithms algorithms;

  AddressFamily address_family = AddressFamily::any;
  std::string bind_address;     ///< of this machine, to connect from; empty: any
  int connection_attempts = 1;  ///< a second apart, each with its own `connect_timeout`

  std::vector<Endpoint> jumps;  ///< bastions, the first to be connected to first; their own jumps are ignored
  std::string proxy_command;    ///< tokens expanded; run by sh instead of connecting; not with `jumps`
  bool proxy_passes_socket = false;  ///< it connects, hands the socket over and ends (ProxyUseFdpass)

  base::Duration connect_timeout{10'000};  ///< for TCP, all addresses together, or for the bastion's channel
  base::Duration handshake_timeout{15'000};  ///< banner and key exchange
  base::Duration auth_timeout{30'000};
  /// After this long without a byte from the server it is asked for a sign of life; after `keepalive_count`
  /// unanswered ones the connection counts as lost. Zero: never.
  base::Duration keepalive_interval{15'000};
  int keepalive_count = 3;
};

/// "web1", or the address when there is no label.
const std::string& label_of(const Endpoint& endpoint);

}  // namespace staithe::ssh
