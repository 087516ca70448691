#include "fixture.hpp"

#include "catch.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace staithe::ssh::test {

namespace fs = std::filesystem;

Process::Process(const std::vector<std::string>& arguments) {
  std::vector<std::string> copies = arguments;
  std::vector<char*> pointers;
  for (std::string& text : copies) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  for (const int fd : {0, 1, 2}) ::posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  REQUIRE(::posix_spawnp(&pid_, pointers[0], &files, &attributes, pointers.data(), environ) == 0);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
}

void Process::kill_now() {
  if (pid_ < 0) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  pid_ = -1;
}

Process::~Process() {
  kill_now();
}

std::string shell(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = ::fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), count);
  INFO(command);
  REQUIRE(::pclose(pipe) == 0);
  return output;
}

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& text, unsigned mode) {
  std::ofstream(path, std::ios::binary) << text;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

bool eventually(const std::function<bool()>& condition) {
  const base::Scope scope = soon();
  while (!condition()) {
    if (scope.expired()) return false;
    base::sleep_for(base::Duration(10), scope);
  }
  return true;
}

bool process_with(const std::string& text) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos || std::stoi(name) == ::getpid()) continue;
    const std::string line = read_file(entry.path().string() + "/cmdline");
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

Server::Server(const std::string& extra_configuration)
    : port_(free_port()), user_(::getpwuid(::getuid())->pw_name) {
  shell("mkdir -p /run/sshd 2>/dev/null; ssh-keygen -q -t ed25519 -N '' -f " + (directory_ / "host_ed25519") +
        " && ssh-keygen -q -t ecdsa -N '' -f " + (directory_ / "host_ecdsa"));
  make_key("id");
  authorize(read_file(key() + ".pub"));
  std::string text = extra_configuration;  // the first value of a setting wins
  text += "\nPort " + std::to_string(port_) + "\nListenAddress 127.0.0.1\nHostKey " +
          (directory_ / "host_ed25519") + "\nHostKey " + (directory_ / "host_ecdsa") +
          "\nAuthorizedKeysFile " + (directory_ / "authorized_keys") + "\nPidFile " + (directory_ / "pid") +
          "\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nLogLevel VERBOSE\n"
          "SetEnv SHLVL=1\n";
  write_file(directory_ / "sshd_config", text);
  process_ = std::make_unique<Process>(std::vector<std::string>{
      "/usr/sbin/sshd", "-D", "-f", directory_ / "sshd_config", "-E", directory_ / "log"});
  const bool up = eventually([&] { return log().find("Server listening") != std::string::npos; });
  INFO(log());
  REQUIRE(up);
}

std::string Server::make_key(const std::string& name, const std::string& more) const {
  const std::string type = more.find("-t ") == std::string::npos ? "-t ed25519 " : "";
  const std::string secret = more.find("-N ") == std::string::npos ? "-N '' " : "";
  shell("ssh-keygen -q " + type + secret + more + " -f " + (directory_ / name));
  return directory_ / name;
}

void Server::authorize(const std::string& public_key_line) const {
  std::ofstream(directory_ / "authorized_keys", std::ios::app) << public_key_line;
  ::chmod((directory_ / "authorized_keys").c_str(), 0600);
}

void Server::signal_connections(const std::string& signal) const {
  // A connection has one process for root, and two, the second the child of the first, for everybody else;
  // with OpenSSH 10 they are called sshd-session.
  shell("for p in $(pgrep -P " + std::to_string(process_->pid()) + "); do pkill -" + signal +
        " -x -P $p 'sshd(-session)?'; kill -" + signal + " $p; done; true");
}

void Server::kill_all() {
  signal_connections("KILL");
  process_->kill_now();
}

Endpoint Server::endpoint() const {
  Endpoint endpoint;
  endpoint.label = "web1";
  endpoint.address = "127.0.0.1";
  endpoint.port = port_;
  endpoint.user = user_;
  endpoint.identity_files = {key()};
  endpoint.identity_agent = "none";
  be_patient(endpoint);
  return endpoint;
}

void be_patient(Endpoint& endpoint) {
  endpoint.connect_timeout = endpoint.handshake_timeout = endpoint.auth_timeout = base::Duration(120'000);
}

Engine::Options accept_all() {
  Engine::Options options;
  options.host_key_check = [](const Endpoint&, const HostKey&) {};
  return options;
}

Caught caught(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& error) {
    return {true, error.code(), error.what()};
  }
  return {};
}

}  // namespace staithe::ssh::test
