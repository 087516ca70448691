#pragma once
#include "channel.hpp"
#include "connection.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/base/unique_fd.hpp"

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace staithe::ssh {

/// One session with a bastion, through which any number of connections go out. A thread of its own carries
/// the bytes; a connection is a socket whose other end that thread holds.
class Bastion {
 public:
  /// Called once in the bastion's thread to make the session. The Cancel is the bastion's own stop.
  using Connect = std::function<Connection(const base::Cancel& stop)>;

  Bastion(std::string label, Connect connect);
  Bastion(const Bastion&) = delete;
  Bastion& operator=(const Bastion&) = delete;
  /// Ends all connections.
  ~Bastion();

  /// A socket connected to host:port as the bastion sees it. Thread safe. Throws base::Error: what connecting
  /// to the bastion threw, connect (the bastion cannot reach it), permission (it may not), timeout,
  /// cancelled.
  base::UniqueFd open(const std::string& host, std::uint16_t port, const base::Scope& scope);

  /// False once its session has failed or ended: a new bastion is needed.
  bool usable();

 private:
  /// A connection asked for. Shared by the asking thread and the bastion's.
  struct Order {
    std::string host;
    std::uint16_t port = 0;
    base::Cancel done;       // used for its descriptor
    base::Cancel abandoned;  // nobody waits any more
    std::mutex mutex;
    base::UniqueFd socket;
    std::optional<base::Error> error;
  };
  /// A connection being opened or carried.
  struct Pipe;

  void run(const Connect& connect);
  void serve(Link& link);
  void accept_orders(Link& link);
  void wait_for_work(Link& link);
  void advance(Link& link, Pipe& pipe);
  void begin(Pipe& pipe);
  void refuse(Link& link, Pipe& pipe);
  void end_with(const base::Error& error) noexcept;
  static void finish(Order& order, base::UniqueFd socket, std::optional<base::Error> error);

  const std::string label_;
  base::Cancel stop_;
  base::UniqueFd wake_;  // eventfd: there are orders
  std::mutex mutex_;
  std::deque<std::shared_ptr<Order>> orders_;  // guarded by mutex_
  bool ended_ = false;                         // guarded by mutex_
  std::list<std::unique_ptr<Pipe>> pipes_;     // the thread's own
  std::thread thread_;
};

}  // namespace staithe::ssh
