#include "balancer.hpp"

#include "support/soon.hpp"

#include "staithe/base/error.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace staithe::haproxy::test {

using staithe::test::soon;
bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < until) {
    try {
      if (condition()) return true;
    } catch (const base::Error&) {
      // Not there yet.
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

Balancer::Balancer(std::string name, std::string proxies) : name_(std::move(name)) {
  configure(proxies);
  // A busy machine may take long to answer.
  SocketLimits patient;
  patient.each_within = base::Duration(60'000);
  socket_ = std::make_unique<Socket>(name_, dial(), Dial(), patient);
  full_socket_ = std::make_unique<Socket>(name_, dial(), dial_master(), patient);
  start();
}

std::string Balancer::socket_path(const std::string& level) const {
  return directory_ / (level + ".sock");
}
std::string Balancer::master_path() const {
  return directory_ / "master.sock";
}

void Balancer::configure(const std::string& proxies) {
  std::ofstream file(directory_ / "haproxy.cfg");
  file << "global\n  nbthread 1\n  maxconn 500\n  hard-stop-after 60s\n";
  for (const auto* level : {"admin", "operator", "user"})
    file << "  stats socket " << socket_path(level) << " level " << level << " mode 600\n";
  file << "defaults\n  mode http\n  timeout connect 20s\n  timeout client 30s\n  timeout server 30s\n"
          "  timeout http-keep-alive 30s\n  retries 0\n"
          // Without it an app that a busy machine lets wait for the 150 ms between two checks would be DOWN.
          "  timeout check 20s\n"
          "  default-server inter 150ms fastinter 100ms fall 2 rise 2 weight 100\n"
       << proxies;
}

void Balancer::start() {
  const std::string config = directory_ / "haproxy.cfg";
  const std::string master = master_path();
  std::string log = directory_ / "log";
  std::array<const char*, 7> arguments{"haproxy", "-W", "-S", master.c_str(), "-f", config.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  // On Debian it lies in /usr/sbin, which a plain user's PATH does not name.
  const char* program = ::access("/usr/sbin/haproxy", X_OK) == 0 ? "/usr/sbin/haproxy" : "haproxy";
  const int failure = ::posix_spawnp(&master_, program, &actions, nullptr,
                                     const_cast<char* const*>(arguments.data()), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw std::runtime_error("haproxy cannot be started");
  if (!eventually([&] { return socket_->info(soon()).pid != 0 && !full_socket_->workers(soon()).empty(); }))
    throw std::runtime_error("haproxy does not answer");
}

void Balancer::stop() {
  if (master_ <= 0) return;
  ::kill(master_, SIGTERM);
  ::waitpid(master_, nullptr, 0);
  master_ = -1;
}

std::uint64_t Balancer::worker_pid() {
  return socket_->info(soon()).pid;
}

void Balancer::reload() {
  const auto before = worker_pid();
  ::kill(master_, SIGUSR2);
  if (!eventually([&] {
        const auto now = socket_->info(soon());
        return now.pid != before && !now.stopping && !full_socket_->workers(soon()).empty();
      }))
    throw std::runtime_error("haproxy does not reload");
}

ServerState Balancer::state(const std::string& ref) {
  const auto wanted = parse_ref(ref);
  for (const auto& state : socket_->servers(soon(), wanted.backend))
    if (state.ref == wanted) return state;
  throw std::runtime_error("no server " + ref);
}

ServerStat Balancer::stat(const std::string& ref) {
  const auto wanted = parse_ref(ref);
  for (const auto& stat : socket_->stats(soon(), wanted.backend))
    if (stat.ref == wanted) return stat;
  throw std::runtime_error("no server " + ref);
}

}  // namespace staithe::haproxy::test
