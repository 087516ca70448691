#pragma once
/// A PostgreSQL cluster of its own for a test: made with initdb under a temporary directory, listening on
/// 127.0.0.1 and on a socket in that directory, gone with the object. Runs as the user `postgres` when the
/// test is root.
#include "support/free_port.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace staithe::test {

class Postgres {
 public:
  /// Blocks for about two seconds. Throws std::runtime_error with the server's log when it does not come up.
  explicit Postgres(std::vector<std::string> settings = {}) : settings_(std::move(settings)) {
    char name[] = "/tmp/staithe-pg-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp failed");
    directory_ = name;
    if (::geteuid() == 0) {
      const passwd* entry = ::getpwnam("postgres");
      if (entry == nullptr) throw std::runtime_error("no user postgres to run the test's server as");
      uid_ = entry->pw_uid;
      gid_ = entry->pw_gid;
      if (::chown(name, uid_, gid_) != 0) throw std::runtime_error("chown failed");
    }
    std::ofstream(directory_ / "password") << superuser_password() << '\n';
    std::filesystem::permissions(directory_ / "password", std::filesystem::perms(0644));
    run({program("initdb"), "-D", data(), "-U", "admin", "-E", "UTF8", "--locale=C", "-N",
         "--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile", (directory_ / "password").string()},
        "initdb.log");
    port_ = free_port();
    start();
  }
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;
  ~Postgres() {
    stop(SIGQUIT);
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  /// The password of the superuser "admin" over TCP; none is asked on the socket.
  static std::string superuser_password() { return "s3cret-w0rd"; }
  int port() const { return port_; }
  std::string socket_directory() const { return directory_.string(); }
  /// Over TCP, with the password in it.
  std::string url(const std::string& database = "postgres") const {
    return "postgres://admin:" + superuser_password() + "@127.0.0.1:" + std::to_string(port_) + "/" +
           database;
  }
  /// Over the socket, without a password.
  std::string socket_url(const std::string& database = "postgres") const {
    return "postgres://admin@/" + database + "?host=" + directory_.string() +
           "&port=" + std::to_string(port_);
  }
  /// A new, empty database; returns its name.
  std::string create_database() {
    const std::string name = "test" + std::to_string(++databases_);
    sql("CREATE DATABASE " + name);
    return name;
  }
  /// Runs one statement as superuser with psql and returns what it prints.
  std::string sql(const std::string& statement, const std::string& database = "postgres") {
    const auto out = directory_ / "psql.out";
    run({program("psql"), "-X", "-At", "-h", directory_.string(), "-p", std::to_string(port_), "-U", "admin",
         "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement},
        "psql.out");
    std::ifstream file(out);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

  /// To be called, as the constructor, from a thread that outlives the server: it dies with its starter.
  void start() {
    std::vector<std::string> arguments{program("postgres"),
                                       "-D",
                                       data(),
                                       "-p",
                                       std::to_string(port_),
                                       "-k",
                                       directory_.string(),
                                       "-c",
                                       "listen_addresses=127.0.0.1",
                                       "-c",
                                       "fsync=off"};
    for (const std::string& setting : settings_) arguments.insert(arguments.end(), {"-c", setting});
    postmaster_ = spawn(arguments, "server.log");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (;;) {
      // The eighth line of postmaster.pid says "ready" once connections are taken.
      std::ifstream file(directory_ / "data" / "postmaster.pid");
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      if (text.starts_with(std::to_string(postmaster_) + "\n") && text.find("ready") != std::string::npos)
        return;
      int status = 0;
      if (::waitpid(postmaster_, &status, WNOHANG) == postmaster_ ||
          std::chrono::steady_clock::now() > deadline) {
        postmaster_ = -1;
        throw std::runtime_error("PostgreSQL did not start: " + log());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  /// SIGINT: disconnects everybody and shuts down. SIGQUIT: like a crash, without a shutdown.
  void stop(int signal = SIGINT) {
    if (postmaster_ <= 0) return;
    ::kill(postmaster_, SIGCONT);
    ::kill(postmaster_, signal);
    int status = 0;
    while (::waitpid(postmaster_, &status, 0) < 0 && errno == EINTR) {
    }
    postmaster_ = -1;
  }
  /// Stops the server's processes in their tracks: connections stay open and nothing answers.
  void freeze() { signal_all(SIGSTOP); }
  void thaw() { signal_all(SIGCONT); }

  std::string log() const {
    std::ifstream file(directory_ / "server.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string data() const { return (directory_ / "data").string(); }

  static std::string program(const std::string& name) {
    std::vector<std::filesystem::path> found;
    std::error_code ignored;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
      if (std::filesystem::exists(version.path() / "bin" / name))
        found.push_back(version.path() / "bin" / name);
    }
    if (found.empty()) return name;  // perhaps it is in PATH
    return std::max_element(found.begin(), found.end())->string();
  }

  pid_t spawn(const std::vector<std::string>& arguments, const std::string& output) const {
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const std::string file = (directory_ / output).string();
    const std::string home = directory_.string();
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child > 0) return child;
    if (uid_ != 0 && (::setgid(gid_) != 0 || ::setuid(uid_) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);  // a test that crashes leaves no server behind
    const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(out, 1);
    ::dup2(out, 2);
    if (::chdir(home.c_str()) != 0) ::_exit(126);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }

  void run(const std::vector<std::string>& arguments, const std::string& output) const {
    const pid_t child = spawn(arguments, output);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    std::ifstream file(directory_ / output);
    throw std::runtime_error(arguments[0] +
                             " failed: " + std::string{std::istreambuf_iterator<char>(file), {}});
  }

  void signal_all(int signal) const {
    // The backends are children of the postmaster; /proc lists them.
    std::ifstream file("/proc/" + std::to_string(postmaster_) + "/task/" + std::to_string(postmaster_) +
                       "/children");
    ::kill(postmaster_, signal);
    for (pid_t child = 0; file >> child;) ::kill(child, signal);
  }

  std::vector<std::string> settings_;
  std::filesystem::path directory_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  int port_ = 0;
  int databases_ = 0;
  pid_t postmaster_ = -1;
};

/// One for the whole program, made at the first call.
inline Postgres& server() {
  static Postgres one;
  return one;
}

}  // namespace staithe::test
