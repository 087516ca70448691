#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/duration.hpp"
#include "staithe/haproxy/state.hpp"
#include "staithe/haproxy/stream.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::haproxy {

struct SocketLimits {
  base::Duration each_within{5'000};                ///< one exchange, from dialling to the end of the reply
  std::size_t reply_bytes = std::size_t{64} << 20;  ///< longer replies are refused
};

/// The admin socket of one balancer process. Thread safe: one exchange at a time, others wait for their turn
/// (one SSH session may carry the streams, and HAProxy itself serves only 10 admin connections).
/// Every exchange is a fresh connection: a kept one goes on talking to the old worker after a reload.
/// Errors carry the balancer's name in front: connect, io (also a truncated reply; worth a retry), timeout,
/// cancelled, protocol, permission, not_found, unavailable (an old worker), invalid, failed.
class Socket {
 public:
  /// `dial_master` opens the master CLI, for old workers; empty for none.
  Socket(std::string name, Dial dial, Dial dial_master = {}, SocketLimits limits = {});

  const std::string& name() const noexcept { return name_; }
  bool has_master() const noexcept { return static_cast<bool>(dial_master_); }

  /// Whether the newest exchange was answered whole; true before the first. Does not block.
  bool answered() const noexcept { return answered_; }

  Info info(const base::Scope& scope);
  /// "admin", "operator" or "user".
  std::string level(const base::Scope& scope);
  /// All backends, or one.
  std::vector<ServerState> servers(const base::Scope& scope, std::string_view backend = {});
  /// Server and backend rows of all backends, or of one.
  std::vector<ServerStat> stats(const base::Scope& scope, std::string_view backend = {});
  /// Process, states and counters of these backends (none: of all) in one exchange. A backend that does not
  /// exist is left out.
  enum class Tables { leave, ask };
  Snapshot snapshot(std::span<const std::string> backends, const base::Scope& scope,
                    Tables tables = Tables::leave);

  /// A change of state: anything but silence is an error, and nobody knows then whether it was done.
  void command(const std::string& line, const base::Scope& scope);
  /// Several in as few exchanges as they fit in, in this order. All are sent even when one is refused; the
  /// first refusal is thrown, named.
  void commands(std::span<const std::string> lines, const base::Scope& scope);

  /// Without a master socket the four below throw Error{unavailable}.
  std::vector<Worker> workers(const base::Scope& scope);
  /// Counters of an old worker; a worker that has gone meanwhile has none.
  std::vector<ServerStat> worker_stats(std::uint64_t pid, std::string_view backend, const base::Scope& scope);
  std::vector<Session> worker_sessions(std::uint64_t pid, const base::Scope& scope);
  void close_worker_session(std::uint64_t pid, const std::string& session, const base::Scope& scope);

 private:
  std::vector<std::string> exchange(std::span<const std::string> lines, const base::Scope& scope);
  /// "show stat NAME" answers for a frontend of that name, where there is one, and not for the backend.
  std::vector<ServerStat> shadowed_stats(std::string_view backend, const base::Scope& scope);
  std::string ask(const std::string& line, const base::Scope& scope);
  std::string ask_master(const std::string& line, const base::Scope& scope);
  enum class Peer { worker, master };
  std::string talk(Peer peer, const std::string& text, const base::Scope& scope);
  void take_turn(const base::Scope& scope);
  void give_turn() noexcept;

  std::string name_;
  Dial dial_;
  Dial dial_master_;
  SocketLimits limits_;
  std::mutex mutex_;
  std::condition_variable turn_;
  bool busy_ = false;
  std::atomic<bool> answered_{true};
};

}  // namespace staithe::haproxy
