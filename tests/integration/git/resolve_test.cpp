#include "staithe/git/resolve.hpp"

#include "catch.hpp"
#include "support/free_port.hpp"
#include "support/soon.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/git/commit_files.hpp"
#include "staithe/proc/run.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

using namespace std::chrono_literals;
using staithe::base::Cancel;
using staithe::base::Error;
using staithe::base::ErrorCode;
using staithe::base::Scope;
using staithe::git::RefKind;
using staithe::git::Repository;
using staithe::git::resolve;
using staithe::git::Resolved;
using staithe::test::free_port;
using staithe::test::soon;

namespace {

std::string shell(const std::string& directory, const std::string& script) {
  staithe::proc::Command command;
  command.script = "set -e; " + script;
  command.directory = directory;
  command.environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_CONFIG_SYSTEM", "/dev/null"}};
  const auto exit = staithe::proc::run(command, soon());
  INFO(exit.err);
  REQUIRE(exit.ok());
  return std::string(staithe::base::trim(exit.out));
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool answers(std::uint16_t port) {
  for (int round = 0; round < 6000; ++round) {
    const staithe::base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(port);
    if (::connect(socket.get(), static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address) == 0)
      return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

/// A server in the foreground, ended with its whole group.
class Service {
 public:
  Service(std::vector<std::string> argv, std::uint16_t port) {
    command_.argv = std::move(argv);
    thread_ = std::thread([this] {
      try {
        error_ = staithe::proc::run(command_, Scope::lasting(120s, &stop_)).err;
      } catch (const Error&) {
      }
    });
    if (!answers(port)) {
      stop();
      FAIL("no server: " << error_);
    }
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service() { stop(); }

 private:
  void stop() {
    stop_.request();
    if (thread_.joinable()) thread_.join();
  }

  staithe::proc::Command command_;
  Cancel stop_;
  std::string error_;
  std::thread thread_;
};

/// A bare repository with two branches, tags of both kinds, and a name that is both.
class World {
 public:
  World() {
    REQUIRE(::mkdtemp(root.data()) != nullptr);
    shell(root,
          "git init -q -b main work; cd work; git config user.name T; git config user.email t@example.org;"
          "git commit -q --allow-empty -m 'First things first'; git tag light; git tag -a -m x heavy;"
          "mkdir -p migrations/more; printf 'SELECT 1;' >migrations/001.sql; printf 'a\\0b' "
          ">migrations/010.sql;"
          "touch migrations/.hidden.sql migrations/more/003.sql; ln -s 001.sql migrations/002.sql; git add .;"
          "git commit -q -m 'Second'; printf 'SELECT 2;' >migrations/001.sql; git branch both; git tag both;"
          "git branch deadbeef; git clone -q --bare . ../app.git; cd ../app.git; git update-server-info");
    first = shell(root + "/app.git", "git rev-parse light");
    second = shell(root + "/app.git", "git rev-parse main");
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { std::filesystem::remove_all(root); }

  std::string root = "/tmp/staithe-git-XXXXXX";
  std::string first;
  std::string second;
};

Error error_of(const Repository& repository, const std::string& ref) {
  try {
    resolve(repository, ref, soon());
  } catch (const Error& error) {
    return error;
  }
  return {ErrorCode::failed, "nothing was thrown"};
}

void check_names(const World& world, const Repository& repository) {
  INFO(repository.url);
  const Resolved branch = resolve(repository, "main", soon());
  CHECK(branch.sha == world.second);
  CHECK(branch.ref == "refs/heads/main");
  CHECK(branch.verified);
  CHECK(resolve(repository, "light", soon()).sha == world.first);
  CHECK(resolve(repository, "heavy", soon()).sha == world.first);
  CHECK(resolve(repository, "heavy", soon()).kind == RefKind::tag);
  CHECK(resolve(repository, "HEAD", soon()).sha == world.second);
  CHECK(resolve(repository, "deadbeef", soon()).sha == world.second);
  CHECK(resolve(repository, "refs/heads/both", soon()).sha == world.second);
  CHECK(resolve(repository, world.second, soon()).verified);
  CHECK(error_of(repository, "both").code() == ErrorCode::conflict);
  CHECK(error_of(repository, "absent").code() == ErrorCode::not_found);
  CHECK(error_of(repository, world.first.substr(0, 8)).code() == ErrorCode::invalid);
}

void check_files(const World& world, const Repository& repository) {
  INFO(repository.url);
  const auto files = commit_files(repository, world.second, "migrations/*.sql", soon());
  REQUIRE(files.size() == 2);  // a link and a hidden one are none, and neither are those of directories below
  CHECK(files[0].path == "migrations/001.sql");
  CHECK(files[0].text == "SELECT 1;");
  CHECK(files[1].path == "migrations/010.sql");
  CHECK(files[1].text == std::string("a\0b", 3));
  CHECK(commit_files(repository, world.second, "./migrations/001.sql", soon()).size() == 1);
  CHECK(commit_files(repository, world.first, "migrations/*.sql", soon()).empty());
  CHECK_THROWS_AS(commit_files(repository, std::string(40, 'a'), "*", soon()), Error);
  CHECK_THROWS_AS(commit_files(repository, "--upload-pack=touch", "*", soon()), Error);
}

}  // namespace

TEST_CASE("A repository on this machine, by path and by URL") {
  const World world;
  for (const std::string& url : {world.root + "/app.git", "file://" + world.root + "/app.git"}) {
    check_names(world, {url, {}});
    check_files(world, {url, {}});
    const Resolved tag = resolve({url, {}}, "heavy", soon());
    CHECK(tag.subject == "First things first");
    CHECK(resolve({url, {}}, world.first, soon()).verified);
    CHECK_FALSE(resolve({url, {}}, std::string(40, '1'), soon()).verified);
  }
  CHECK(error_of({world.root + "/none.git", {}}, "main").code() == ErrorCode::not_found);
}

TEST_CASE("Files are those of the commit, whatever the repository or the environment puts in their place") {
  const World world;
  shell(world.root + "/app.git",
        "git replace $(git rev-parse main:migrations/001.sql) $(printf 'DROP TABLE x;' | git hash-object -w "
        "--stdin)");
  check_files(world, {world.root + "/app.git", {}});
  ::setenv("GIT_OBJECT_DIRECTORY", "/nonexistent", 1);
  check_files(world, {world.root + "/app.git", {}});
  ::unsetenv("GIT_OBJECT_DIRECTORY");
}

TEST_CASE("git-daemon with a repository of SHA-256") {
  std::string root = "/tmp/staithe-git-XXXXXX";
  REQUIRE(::mkdtemp(root.data()) != nullptr);
  const auto sha =
      shell(root,
            "git init -q --object-format=sha256 app; cd app; git config user.name T; git config "
            "user.email t@example.org; printf 'SELECT 1;' >001.sql; git add .; git commit -q -m x; "
            "git rev-parse HEAD");
  const std::uint16_t port = free_port();
  const Service daemon({"git", "daemon", "--listen=127.0.0.1", "--port=" + std::to_string(port),
                        "--export-all", "--base-path=" + root, root},
                       port);
  const auto files = staithe::git::commit_files({"git://127.0.0.1:" + std::to_string(port) + "/app/.git", {}},
                                                sha, "*.sql", soon());
  REQUIRE(files.size() == 1);
  CHECK(files[0].text == "SELECT 1;");
  std::filesystem::remove_all(root);
}

TEST_CASE("git-daemon") {
  const World world;
  const std::uint16_t port = free_port();
  const Service daemon({"git", "daemon", "--listen=127.0.0.1", "--port=" + std::to_string(port),
                        "--export-all", "--base-path=" + world.root, world.root},
                       port);
  const std::string base = "git://127.0.0.1:" + std::to_string(port);
  check_names(world, {base + "/app.git", {}});
  check_files(world, {base + "/app.git", {}});
  CHECK(resolve({base + "/app.git", {}}, world.first, soon()).verified);
  CHECK_FALSE(resolve({base + "/app.git", {}}, std::string(40, '1'), soon()).verified);
  CHECK(resolve({base + "/app.git", {}}, "main", soon()).subject.empty());
  CHECK(error_of({base + "/none.git", {}}, "main").code() == ErrorCode::not_found);
}

TEST_CASE("ssh, with its host key and user key checked") {
  const World world;
  const std::uint16_t port = free_port();
  const std::string& root = world.root;
  if (::geteuid() == 0) std::filesystem::create_directories("/run/sshd");
  shell(root,
        "ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f user;"
        "ssh-keygen -q -t ed25519 -N '' -f stranger; cp user.pub authorized;"
        "printf '[127.0.0.1]:%s %s\\n' " +
            std::to_string(port) + " \"$(cut -d' ' -f1,2 host.pub)\" > known");
  std::ofstream(root + "/sshd_config")
      << "Port " << port << "\nListenAddress 127.0.0.1\nHostKey " << root << "/host\nAuthorizedKeysFile "
      << root << "/authorized\nStrictModes no\n"
      << "UsePAM no\nPasswordAuthentication no\nPidFile none\n";
  const Service sshd({"/usr/sbin/sshd", "-D", "-e", "-f", root + "/sshd_config"}, port);
  const auto with = [&](const std::string& key, const std::string& known) {
    return Repository{
        "ssh://127.0.0.1:" + std::to_string(port) + root + "/app.git",
        {{"GIT_SSH_COMMAND", "ssh -F /dev/null -o KexAlgorithms=curve25519-sha256 -i " + root + "/" + key +
                                 " -o IdentitiesOnly=yes" + " -o UserKnownHostsFile=" + root + "/" + known}}};
  };
  check_names(world, with("user", "known"));
  check_files(world, with("user", "known"));
  const Error stranger = error_of(with("stranger", "known"), "main");
  CHECK(stranger.code() == ErrorCode::auth);
  CHECK_THAT(stranger.what(), ContainsSubstring("Permission denied"));
  // An unknown host key would be asked about on a terminal.
  CHECK(error_of(with("user", "empty"), "main").code() == ErrorCode::host_key);
}

TEST_CASE("http with a password, which stands in no argument") {
  const World world;
  const std::uint16_t port = free_port();
  const std::string& root = world.root;
  shell(root,
        "mkdir logs; printf 'deploy:%s\\n' \"$(openssl passwd -apr1 'p@ss/word')\" > users; chmod -R a+rX .");
  std::ofstream(root + "/nginx.conf")
      << (::geteuid() == 0 ? "user root;\n" : "") << "daemon off; master_process off; pid " << root
      << "/pid; error_log stderr;\nevents {}\n"
      << "http { access_log off; client_body_temp_path " << root << "/logs; proxy_temp_path " << root
      << "/logs; fastcgi_temp_path " << root << "/logs; uwsgi_temp_path " << root << "/logs; scgi_temp_path "
      << root << "/logs;\n server { listen 127.0.0.1:" << port << "; root " << root
      << "; auth_basic git; auth_basic_user_file " << root << "/users; } }\n";
  const Service nginx({"/usr/sbin/nginx", "-e", "stderr", "-p", root, "-c", root + "/nginx.conf"}, port);
  const std::string host = "127.0.0.1:" + std::to_string(port) + "/app.git";
  const std::string trace = root + "/trace";
  const Repository good{"http://deploy:p%40ss%2Fword@" + host, {{"GIT_TRACE", trace}}};
  check_names(world, good);
  std::ifstream stream(trace);
  const std::string traced((std::istreambuf_iterator<char>(stream)), {});
  CHECK_THAT(traced, ContainsSubstring("remote-http"));
  CHECK(traced.find("p@ss") == std::string::npos);
  CHECK(traced.find("p%40ss") == std::string::npos);

  const Error wrong = error_of({"http://deploy:wrong-word@" + host, {}}, "main");
  CHECK(wrong.code() == ErrorCode::auth);
  CHECK(std::string(wrong.what()).find("wrong-word") == std::string::npos);
  CHECK(error_of({"http://" + host, {}}, "main").code() == ErrorCode::auth);
}

TEST_CASE("A server that is not there, is silent, or runs something else") {
  const std::string closed = std::to_string(free_port());
  CHECK(error_of({"git://127.0.0.1:" + closed + "/x", {}}, "main").code() == ErrorCode::connect);
  CHECK(error_of({"http://127.0.0.1:" + closed + "/x", {}}, "main").code() == ErrorCode::connect);
  CHECK(error_of({"https://no-such-name.invalid/x", {}}, "main").code() == ErrorCode::resolve);
  CHECK(error_of({"ext::sh -c true", {}}, "main").code() == ErrorCode::invalid);

  const staithe::base::UniqueFd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* plain = static_cast<sockaddr*>(static_cast<void*>(&address));
  REQUIRE(::bind(silent.get(), plain, size) == 0);
  REQUIRE(::listen(silent.get(), 4) == 0);
  REQUIRE(::getsockname(silent.get(), plain, &size) == 0);
  const std::string url = "git://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/x";
  const auto before = std::chrono::steady_clock::now();
  CHECK_THROWS_WITH(resolve({url, {}}, "main", Scope::lasting(300ms)), ContainsSubstring("took too long"));
  CHECK(std::chrono::steady_clock::now() - before < 30s);
}
