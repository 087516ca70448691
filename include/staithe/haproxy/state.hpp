#pragma once
#include "staithe/haproxy/commands.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What an admin socket tells, as values. Pure: no socket in here.
namespace staithe::haproxy {

/// Bits of srv_admin_state. Source: HAProxy 2.6 and 3.0, include/haproxy/server-t.h (SRV_ADMF_*).
namespace admin_bit {
inline constexpr std::uint32_t forced_maint = 0x01;
inline constexpr std::uint32_t inherited_maint = 0x02;
inline constexpr std::uint32_t config_disabled = 0x04;  ///< only a memory of the file: stays after `ready`
inline constexpr std::uint32_t forced_drain = 0x08;
inline constexpr std::uint32_t inherited_drain = 0x10;
inline constexpr std::uint32_t no_address = 0x20;  ///< no DNS answer
inline constexpr std::uint32_t any_maint = forced_maint | inherited_maint | no_address;
inline constexpr std::uint32_t any_drain = forced_drain | inherited_drain;
}  // namespace admin_bit

enum class Op : std::uint8_t { stopped = 0, starting = 1, running = 2, stopping = 3 };

/// The administrative state that a command gave to a server itself (not what it inherits by tracking).
enum class Own : std::uint8_t { ready, drain, maint };
std::string_view name_of(Own own) noexcept;
Own own_state(std::uint32_t admin) noexcept;

/// One row of `show servers state`.
struct ServerState {
  ServerRef ref;
  std::string address;  ///< bare IP, "" for a unix socket or none
  std::uint16_t port = 0;
  std::string fqdn;
  Op op = Op::stopped;
  std::uint32_t admin = 0;  ///< admin_bit
  std::uint32_t weight = 0;
  std::uint32_t initial_weight = 0;
  /// Since it went up or down, or was put into maintenance while it was up; over a reload that keeps states.
  std::optional<std::uint64_t> unchanged_seconds;
  bool check_failed = false;  ///< its last check found it not well; over a reload that keeps states
  std::uint32_t check = 0;    ///< bits: 1 in progress, 2 configured, 4 enabled, 8 paused
  std::uint32_t agent = 0;    ///< the same bits, and 16

  bool in_maint() const noexcept { return (admin & admin_bit::any_maint) != 0; }
  bool in_drain() const noexcept { return (admin & admin_bit::any_drain) != 0; }
  bool checked() const noexcept { return (check & 4U) != 0; }
  bool agent_on() const noexcept { return (agent & 4U) != 0; }
  /// New visitors are sent to it.
  bool usable() const noexcept;
};

/// One row of `show stat`. Numbers that a row does not have are 0.
struct ServerStat {
  ServerRef ref;  ///< server "BACKEND" for the backend's own row
  bool is_backend = false;
  std::uint64_t sessions = 0;        ///< scur
  std::uint64_t queued = 0;          ///< qcur
  std::uint32_t limit = 0;           ///< slim, a server's maxconn; 0 for none
  std::uint64_t total_sessions = 0;  ///< stot
  std::uint64_t chosen = 0;          ///< lbtot: how often it was picked by the balancer
  std::uint32_t weight = 0;          ///< effective; for a backend the sum
  bool backup = false;               ///< bck of a server row
  std::string status;                ///< for people only: it hides the administrative state behind the health
  std::string check_status;
  std::string last_check;
  std::string address;    ///< "" below operator level
  std::string cookie;     ///< "" below operator level
  std::string algorithm;  ///< backend rows, "" below operator level
  std::optional<ServerRef> tracked;
};

/// `show info`, the part that matters here.
struct Info {
  std::string version;
  std::uint64_t pid = 0;
  std::uint64_t started = 0;  ///< seconds since the epoch, 0 when not told
  std::uint64_t uptime_seconds = 0;
  bool stopping = false;
  std::string node;

  /// The same process? A pid alone can come back, in a container it always does.
  bool same_process(const Info& other) const noexcept { return pid == other.pid && started == other.started; }
  /// True when the version is at least the one given; false when it cannot be read.
  bool at_least(std::uint32_t major, std::uint32_t minor, std::uint32_t patch) const;
};

/// One line of the master's `show proc`.
struct Worker {
  std::uint64_t pid = 0;
  bool old = false;  ///< left over from before a reload, still finishing its sessions
  std::uint64_t reloads = 0;
};

/// One line of `show table`.
struct StickTable {
  std::string name;
  std::string type;
  std::uint64_t used = 0;
};

/// One session of `show sess`.
struct Session {
  std::string id;  ///< "0x55d0c0ffee"
  ServerRef ref;
};

/// What one look at a balancer saw, all through one connection.
struct Snapshot {
  Info info;
  std::vector<ServerState> states;
  std::vector<ServerStat> stats;
  std::vector<StickTable> tables;  ///< when they were asked for

  const ServerState* state(const ServerRef& ref) const noexcept;
  const ServerStat* stat(const ServerRef& ref) const noexcept;
};

}  // namespace staithe::haproxy
