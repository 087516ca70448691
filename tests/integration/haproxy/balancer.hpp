#pragma once
#include "support/directory.hpp"

#include "staithe/haproxy/socket.hpp"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace staithe::haproxy::test {

using staithe::test::Directory;

/// A real haproxy in master-worker mode with its own configuration and sockets.
class Balancer {
 public:
  /// `proxies`: frontends and backends; the rest of the configuration is written around it.
  Balancer(std::string name, std::string proxies);
  ~Balancer() { stop(); }
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  void start();
  void stop();
  /// As the packaged unit's ExecReload does; returns when a new worker answers.
  void reload();
  std::uint64_t worker_pid();
  void configure(const std::string& proxies);

  std::string socket_path(const std::string& level = "admin") const;
  std::string master_path() const;
  Dial dial(const std::string& level = "admin") const { return dial_unix(socket_path(level)); }
  Dial dial_master() const { return dial_unix(master_path()); }
  /// Its admin socket, without and with the master's.
  Socket& socket() { return *socket_; }
  Socket& full_socket() { return *full_socket_; }
  ServerState state(const std::string& ref);
  ServerStat stat(const std::string& ref);

 private:
  std::string name_;
  Directory directory_;
  pid_t master_ = -1;
  std::unique_ptr<Socket> socket_;
  std::unique_ptr<Socket> full_socket_;
};

/// Waits at most 60 s for `condition`.
bool eventually(const std::function<bool()>& condition);

}  // namespace staithe::haproxy::test
