#include "catch.hpp"
#include "fixture.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>

using namespace staithe;
using namespace staithe::ssh;
using namespace staithe::ssh::test;
using base::ErrorCode;
using Clock = std::chrono::steady_clock;

namespace {

/// Runs `work(0)` to `work(count - 1)` side by side; none may throw base::Error.
void at_once(int count, const std::function<void(int)>& work) {
  std::mutex mutex;
  std::string problems;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      if (const Caught error = caught([&] { work(i); }); error.thrown) {
        const std::lock_guard lock(mutex);
        problems += error.text + "\n";
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(problems == "");
}

/// Accepts connections in the kernel and never says a word.
struct SilentListener {
  SilentListener() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd.get(), 16) == 0);
    REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ntohs(address.sin_port);
  }
  base::UniqueFd fd;
  std::uint16_t port = 0;
};

/// Answers each connection with `text` and closes it; the first few with what a full sshd says.
struct RudeListener : SilentListener {
  explicit RudeListener(std::string text, int full_for = 0)
      : thread([this, text = std::move(text), full_for] {
          for (;;) {
            const base::UniqueFd peer(::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!peer) return;
            const std::string& said = ++connections <= full_for ? full : text;
            [[maybe_unused]] const auto sent = ::send(peer.get(), said.data(), said.size(), MSG_NOSIGNAL);
          }
        }) {}
  ~RudeListener() {
    ::shutdown(fd.get(), SHUT_RDWR);
    thread.join();
  }
  const std::string full = "Exceeded MaxStartups\r\n";
  std::atomic<int> connections{0};
  std::thread thread;
};

/// A connection that somebody has opened and says nothing on; the other side has greeted.
struct Caller {
  explicit Caller(std::uint16_t port) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    char first = 0;
    REQUIRE(::recv(fd.get(), &first, 1, 0) == 1);
  }
  base::UniqueFd fd;
};

/// A listener whose queue is full: the kernel leaves who comes now without any answer.
struct FullListener : SilentListener {
  FullListener() {
    REQUIRE(::listen(fd.get(), 0) == 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    for (auto& one : waiting) {
      one.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      [[maybe_unused]] const int begun =
          ::connect(one.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
  }
  std::array<base::UniqueFd, 4> waiting;
};

/// Accepts every host key, and counts how many handshakes are under way at once. They stay until more than
/// eight have been seen, or for as long after the first as `stay` says.
class Handshakes {
 public:
  explicit Handshakes(std::chrono::seconds stay) : stay_(stay) {}

  Engine::Options counted() {
    Engine::Options options;
    options.host_key_check = [this](const Endpoint&, const HostKey&) {
      std::unique_lock lock(mutex_);
      if (!until_) until_ = Clock::now() + stay_;
      most_ = std::max(most_, ++inside_);
      if (most_ > 8) more_.notify_all();
      more_.wait_until(lock, *until_, [this] { return most_ > 8; });
      --inside_;
    };
    return options;
  }

  int most() {
    const std::lock_guard lock(mutex_);
    return most_;
  }

 private:
  const std::chrono::seconds stay_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::optional<Clock::time_point> until_;
  int inside_ = 0, most_ = 0;
};

Endpoint at(std::uint16_t port) {
  Endpoint endpoint;
  endpoint.label = "web1";
  endpoint.address = "127.0.0.1";
  endpoint.port = port;
  endpoint.user = "nobody";
  endpoint.identity_agent = "none";
  be_patient(endpoint);
  return endpoint;
}

}  // namespace

TEST_CASE("the host key is judged before anything is proved to the server") {
  const Server server;
  Engine::Options options = accept_all();
  HostKey shown;
  options.host_key_check = [&](const Endpoint& endpoint, const HostKey& key) {
    shown = key;
    throw base::Error(ErrorCode::host_key, "changed: " + endpoint.label);
  };
  Engine engine(options);
  const Caught error = caught([&] { engine.connect(server.endpoint(), soon()); });
  CHECK(error.code == ErrorCode::host_key);
  CHECK(error.text == "web1: changed: web1");
  CHECK(server.log().find("Accepted publickey") == std::string::npos);

  CHECK(engine.scan(server.endpoint(), soon()) == shown);
  CHECK(shown.type == "ssh-ed25519");
  const std::string listed = shell("ssh-keygen -lf " + (server.directory() / "host_ed25519.pub"));
  CHECK_THAT(listed, ContainsSubstring(fingerprint(shown)));

  const HostKey other = engine.scan(server.endpoint(), soon(), "ecdsa-sha2-nistp256");
  CHECK(other.type == "ecdsa-sha2-nistp256");
  CHECK(caught([&] { engine.scan(server.endpoint(), soon(), "ssh-rsa"); }).code == ErrorCode::protocol);
  Endpoint prefers = server.endpoint();
  prefers.host_key_types = {"ecdsa-sha2-nistp256"};
  CHECK(engine.scan(prefers, soon()) == other);
}

TEST_CASE("refusing, silent and babbling peers are told apart and never waited for") {
  Engine engine(accept_all());
  const auto began = Clock::now();

  CHECK(caught([&] { engine.connect(at(free_port()), soon()); }).code == ErrorCode::connect);
  Endpoint nowhere = at(22);
  nowhere.address = "no-such-host.invalid";
  CHECK(caught([&] { engine.connect(nowhere, soon()); }).code == ErrorCode::resolve);

  const SilentListener silent;
  Endpoint endpoint = at(silent.port);
  endpoint.handshake_timeout = base::Duration(300);
  Caught error = caught([&] { engine.connect(endpoint, soon()); });
  CHECK(error.code == ErrorCode::timeout);
  CHECK(error.text == "web1: the SSH handshake took longer than 300ms");

  const FullListener unheard;
  endpoint = at(unheard.port);
  endpoint.connect_timeout = base::Duration(300);
  error = caught([&] { engine.connect(endpoint, soon()); });
  CHECK(error.code == ErrorCode::timeout);
  CHECK(error.text == "web1: connecting took longer than 300ms");

  error = caught([&] { engine.connect(at(silent.port), within(300)); });
  CHECK(error.code == ErrorCode::timeout);

  base::Cancel cancel;
  std::thread stopper([&] {
    base::sleep_for(base::Duration(100), soon());
    cancel.request();
  });
  error = caught([&] { engine.connect(at(silent.port), soon(&cancel)); });
  stopper.join();
  CHECK(error.code == ErrorCode::cancelled);
  CHECK(Clock::now() - began < std::chrono::seconds(40));

  const std::string page = "HTTP/1.0 400 Bad Request\r\n" + std::string(300, 'x') + "\r\n";
  const RudeListener web(page);
  CHECK(caught([&] { engine.connect(at(web.port), soon()); }).code == ErrorCode::protocol);

  // Refused twice, it has come a third time, to somebody who is no sshd at all.
  const RudeListener full(page, 2);
  CHECK(caught([&] { engine.connect(at(full.port), soon()); }).code == ErrorCode::protocol);
  CHECK(full.connections == 3);
  // The refusal is what is told when there is no time for another pause; an attempt that was cut off tells
  // less.
  const RudeListener always("", 1000);
  error = {};
  for (int round = 0; round < 10 && error.code != ErrorCode::reset_before_auth; ++round)
    error = caught([&] { engine.connect(at(always.port), within(700)); });
  CHECK(error.code == ErrorCode::reset_before_auth);
}

TEST_CASE("fifty hosts behind one default sshd all get in, eight at a time") {
  std::chrono::seconds stay{5};
  std::string configuration;  // MaxStartups 10:30:100
  bool held = true;
  SECTION("as it is") {}
  SECTION("more come where more may") {
    configuration = "MaxStartups 1000";
    stay = std::chrono::seconds(100);
    held = false;
  }
  const Server server(configuration);
  Handshakes handshakes(stay);
  Engine::Options options = handshakes.counted();
  if (!held) options.handshakes_per_server = 16;
  Engine engine(options);
  at_once(held ? 50 : 16, [&](int) {
    const auto session = engine.connect(server.endpoint(), soon());
    if (!run(*session, "true").ok()) throw base::Error(ErrorCode::failed, "it does not run a command");
  });
  CHECK((handshakes.most() <= 8) == held);
}

TEST_CASE("hosts behind an sshd that is full try again until they are let in") {
  const Server server("MaxStartups 4");
  Engine::Options options = accept_all();
  options.handshakes_per_server = 4;
  Engine engine(options);
  // Who does not even say who he is counts as one that starts up.
  std::vector<std::unique_ptr<Caller>> strangers;
  for (int i = 0; i < 4; ++i) strangers.push_back(std::make_unique<Caller>(server.port()));
  std::thread leaving([&] {
    CHECK(eventually([&] { return server.log().find("past MaxStartups") != std::string::npos; }));
    strangers.clear();
  });
  std::atomic<int> attempts{0};
  at_once(4, [&](int) { attempts += engine.connect(server.endpoint(), soon())->timings().attempts; });
  leaving.join();
  CHECK(attempts > 4);
}

TEST_CASE("key files: several, missing, encrypted, unreadable, RSA, ECDSA") {
  const Server server;
  Endpoint endpoint = server.endpoint();
  Engine engine(accept_all());

  endpoint.address = "localhost";  // a name, and perhaps one with a first address where nobody listens
  CHECK(engine.connect(endpoint, soon())->alive());
  endpoint.address = "127.0.0.1";

  const std::string wrong = server.make_key("wrong");
  endpoint.identity_files = {server.directory() / "missing", wrong, server.key()};
  CHECK(engine.connect(endpoint, soon())->negotiated().identity == server.key());

  for (const std::string type : {"rsa -b 2048", "ecdsa"}) {
    const std::string key = server.make_key("key_" + type.substr(0, 3), "-t " + type);
    server.authorize(read_file(key + ".pub"));
    endpoint.identity_files = {key};
    CHECK(engine.connect(endpoint, soon())->negotiated().identity == key);
  }

  write_file(server.directory() / "garbage", "not a key\n");
  ::chmod((server.directory() / "garbage").c_str(), 0600);
  endpoint.identity_files = {wrong, server.directory() / "garbage", server.directory() / "missing"};
  Caught error = caught([&] { engine.connect(endpoint, soon()); });
  CHECK(error.code == ErrorCode::auth);
  CHECK_THAT(error.text, ContainsSubstring("refused " + wrong));
  CHECK_THAT(error.text, ContainsSubstring("garbage: not a private key"));
  CHECK_THAT(error.text, ContainsSubstring("missing: no such file"));

  const std::string open = server.make_key("open");
  server.authorize(read_file(open + ".pub"));
  ::chmod(open.c_str(), 0640);
  endpoint.identity_files = {open};
  error = caught([&] { Engine(accept_all()).connect(endpoint, soon()); });
  CHECK(error.code == ErrorCode::auth);
  CHECK_THAT(error.text, ContainsSubstring("no key to show (" + open + ": others can read it"));
  ::chmod(open.c_str(), 0600);
  CHECK(Engine(accept_all()).connect(endpoint, soon())->negotiated().identity == open);

  const std::string secret = server.make_key("secret", "-N opensesame");
  server.authorize(read_file(secret + ".pub"));
  endpoint.identity_files = {secret};
  error = caught([&] { engine.connect(endpoint, soon()); });
  CHECK(error.code == ErrorCode::auth);
  CHECK_THAT(error.text, ContainsSubstring("secret: encrypted"));

  int asked = 0;
  Engine::Options options = accept_all();
  options.passphrase = [&](const std::string& file) -> std::optional<std::string> {
    CHECK(file == secret);
    return ++asked == 1 ? "wrong" : "opensesame";
  };
  Engine asking(options);
  for (int i = 0; i < 3; ++i) CHECK(run(*asking.connect(endpoint, soon()), "true").ok());
  CHECK(asked == 2);  // once wrong, once right, then remembered
}

TEST_CASE("user certificates open the door where the bare key does not") {
  const Server server("TrustedUserCAKeys /dev/null");
  const std::string authority = server.make_key("authority");
  const Server trusting("TrustedUserCAKeys " + authority + ".pub\nAuthorizedKeysFile none");
  const std::string user = server.endpoint().user;
  Engine engine(accept_all());
  for (const std::string type : {"ed25519", "rsa -b 2048", "ecdsa"}) {
    const std::string key = server.make_key("cert_" + type.substr(0, 3), "-t " + type);
    Endpoint endpoint = trusting.endpoint();
    endpoint.identity_files = {key};
    CHECK(caught([&] { engine.connect(endpoint, soon()); }).code == ErrorCode::auth);
    shell("ssh-keygen -q -s " + authority + " -I test -n " + user + " " + key + ".pub");
    CHECK(engine.connect(endpoint, soon())->negotiated().identity == key);
    // Found by content when it is named and lies elsewhere.
    shell("mv " + key + "-cert.pub " + key + ".elsewhere");
    endpoint.certificate_files = {server.key() + ".pub", key + ".elsewhere"};
    CHECK(engine.connect(endpoint, soon())->negotiated().identity == key);
  }
}

TEST_CASE("an agent's keys are used, in a sensible order, and a stuck agent is not waited for") {
  const Server server;
  const std::string socket = server.directory() / "agent";
  const Process agent({"ssh-agent", "-D", "-a", socket});
  REQUIRE(eventually([&] { return ::access(socket.c_str(), F_OK) == 0; }));
  const std::string add = "SSH_AUTH_SOCK=" + socket + " ssh-add -q ";
  for (int i = 0; i < 8; ++i) shell(add + server.make_key("other" + std::to_string(i)) + " 2>/dev/null");
  const std::string mine = server.make_key("mine");
  server.authorize(read_file(mine + ".pub"));
  shell(add + mine + " 2>/dev/null && rm " + mine);

  Engine engine(accept_all());
  Endpoint endpoint = server.endpoint();
  endpoint.identity_agent = socket;
  endpoint.identity_files = {mine};  // only mine.pub is left: the agent's ninth key is shown first
  CHECK(engine.connect(endpoint, soon())->negotiated().identity == "agent");
  endpoint.identities_only = true;
  CHECK(engine.connect(endpoint, soon())->negotiated().identity == "agent");

  endpoint.identities_only = false;
  endpoint.identity_files = {};  // nine keys in the agent's order: sshd gives up after six
  const Caught error = caught([&] { engine.connect(endpoint, soon()); });
  CHECK(error.code == ErrorCode::auth);
  // OpenSSH 10 closes before libssh has read what it says.
  CHECK_THAT(error.text, ContainsSubstring("Too many authentication failures") ||
                             ContainsSubstring("ended the connection during authentication"));

  ::setenv("SSH_AUTH_SOCK", socket.c_str(), 1);
  endpoint.identity_agent.clear();
  endpoint.identity_files = {mine};
  CHECK(engine.connect(endpoint, soon())->negotiated().identity == "agent");
  ::unsetenv("SSH_AUTH_SOCK");

  // An agent that answers nothing: stopped in its tracks.
  ::kill(agent.pid(), SIGSTOP);
  endpoint.identity_agent = socket;
  endpoint.auth_timeout = base::Duration(400);
  const auto began = Clock::now();
  const Caught stuck = caught([&] { engine.connect(endpoint, soon()); });
  CHECK(stuck.code == ErrorCode::timeout);
  CHECK_THAT(stuck.text, ContainsSubstring("authentication took longer than 400ms"));
  CHECK(Clock::now() - began < std::chrono::seconds(30));
  ::kill(agent.pid(), SIGCONT);

  // No agent there: the files go on.
  endpoint.identity_agent = server.directory() / "none";
  endpoint.identity_files = {server.key()};
  endpoint.auth_timeout = base::Duration(120'000);
  const auto session = engine.connect(endpoint, soon());
  CHECK(session->negotiated().identity == server.key());
  REQUIRE(session->negotiated().not_shown.size() == 1);
  CHECK(session->negotiated().not_shown[0] ==
        "agent: " + endpoint.identity_agent + ": No such file or directory");
}

TEST_CASE("a proxy command carries the session, and its complaint is heard") {
  const Server server;
  Engine engine(accept_all());
  Endpoint endpoint = server.endpoint();
  endpoint.proxy_command = "socat - TCP:127.0.0.1:" + std::to_string(server.port());
  {
    const auto session = engine.connect(endpoint, soon());
    CHECK(run(*session, "echo through").out == "through\n");
  }
  CHECK_FALSE(process_with("TCP:127.0.0.1:" + std::to_string(server.port())));
  const auto complaint = [&](const std::string& command) {
    endpoint.proxy_command = command;
    const auto began = Clock::now();
    const Caught error = caught([&] { engine.connect(endpoint, soon()); });
    CHECK(Clock::now() - began < std::chrono::seconds(40));
    CHECK((error.code == ErrorCode::connect || error.code == ErrorCode::reset_before_auth));
    return error.text;
  };
  CHECK_THAT(complaint("sh -c 'echo no way >&2; exit 1'"),
             ContainsSubstring("the proxy command ended with exit status 1: no way"));
  CHECK_THAT(complaint("false"),
             ContainsSubstring("the proxy command ended with exit status 1, and said nothing"));
  CHECK_THAT(complaint("sh -c 'kill -9 $$'"), ContainsSubstring("the proxy command ended with signal 9"));
  CHECK_THAT(complaint("/nowhere/nc"), ContainsSubstring("the proxy command ended with exit status 127"));
}

TEST_CASE("a proxy command runs in the person's shell, as with OpenSSH") {
  const Server server;
  const char* before = std::getenv("SHELL");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("SHELL", "/bin/bash", 1);
  Engine engine(accept_all());
  Endpoint endpoint = server.endpoint();
  endpoint.proxy_command = "socat - TCP:127.0.0.1:$((" + std::to_string(server.port()) + ")) 2> >(cat >&2)";
  const Caught error = caught([&] { engine.connect(endpoint, soon()); });
  before == nullptr ? ::unsetenv("SHELL") : ::setenv("SHELL", kept.c_str(), 1);
  CHECK(error.text.empty());
}

TEST_CASE("hosts behind one default sshd that a proxy command goes through all get in") {
  const Directory directory;
  std::chrono::seconds stay{5};
  std::string configuration;  // MaxStartups 10:30:100
  std::string first_of_all;
  bool held = true;
  SECTION("eight at a time") {}
  SECTION("each refused once, and trying again") {
    stay = std::chrono::seconds(0);
    first_of_all = "test -e \"$0\" || { : >\"$0\"; exit 255; }; ";
  }
  SECTION("more come where more may") {
    configuration = "MaxStartups 1000";
    stay = std::chrono::seconds(100);
    held = false;
  }
  const Server bastion(configuration);
  const Server inner("MaxStartups 1000");
  Handshakes handshakes(stay);
  Engine::Options options = handshakes.counted();
  if (!held) options.handshakes_per_server = 12;
  Engine engine(options);
  std::atomic<int> attempts{0};
  at_once(held ? 24 : 12, [&](int i) {
    Endpoint endpoint = inner.endpoint();
    endpoint.address = "host" + std::to_string(i) + ".example";
    endpoint.proxy_command =
        "sh -c '" + first_of_all +
        "exec ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null" +
        " -o LogLevel=ERROR -o BatchMode=yes -i " + bastion.key() + " -p " + std::to_string(bastion.port()) +
        " -W 127.0.0.1:" + std::to_string(inner.port()) + " 127.0.0.1' " + (directory / endpoint.address);
    attempts += engine.connect(endpoint, soon())->timings().attempts;
  });
  CHECK((handshakes.most() <= 8) == held);
  if (!first_of_all.empty()) CHECK(attempts >= 2 * 24);
}

TEST_CASE("a peer that stops answering is noticed") {
  const Server server;
  Engine engine(accept_all());
  Endpoint endpoint = server.endpoint();
  // Three seconds in all, in which even a busy machine answers.
  endpoint.keepalive_interval = base::Duration(300);
  endpoint.keepalive_count = 9;
  const auto session = engine.connect(endpoint, soon());
  // A silent command on a healthy connection is no reason to give up.
  CHECK(run(*session, "sleep 3.5; echo awake").out == "awake\n");
  server.signal_connections("STOP");
  const Caught error = caught([&] { run(*session, "true"); });
  server.signal_connections("CONT");
  CHECK(error.code == ErrorCode::io);
  CHECK_THAT(error.text, ContainsSubstring("no sign of life"));
}
