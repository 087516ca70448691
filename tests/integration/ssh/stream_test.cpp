#include "catch.hpp"
#include "fixture.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

using namespace staithe;
using namespace staithe::ssh;
using namespace staithe::ssh::test;
using base::ErrorCode;

namespace {

/// Echoes each line in capitals, like a small admin socket; ends when the peer does.
Process capitals(const std::string& path, const std::string& command = "tr a-z A-Z") {
  Process process({"socat", "UNIX-LISTEN:" + path + ",fork", "SYSTEM:" + command + ",nofork"});
  // The path is there a moment before somebody listens.
  REQUIRE(eventually([&] {
    return std::system(("socat -u /dev/null UNIX-CONNECT:" + path + " 2>/dev/null").c_str()) == 0;
  }));
  return process;
}

std::string read_all(RemoteStream& stream) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = stream.read(buffer, soon())) text.append(buffer.data(), count);
  return text;
}

Endpoint at_port(const Server& server, std::uint16_t port) {
  Endpoint endpoint = server.endpoint();
  endpoint.port = port;
  return endpoint;
}

}  // namespace

TEST_CASE("a unix socket is reached by each rung of the ladder") {
  std::string configuration, means;
  const Directory directory;
  SECTION("forwarded by the server") {
    means = "streamlocal";
  }
  SECTION("by perl") {
    configuration = "AllowStreamLocalForwarding no";
    means = "perl";
  }
  SECTION("by socat, where there is no perl") {
    for (const char* tool : {"sh", "socat", "tr", "cat", "echo"})
      REQUIRE(::symlink(shell(std::string("printf %s \"$(command -v ") + tool + ")\"").c_str(),
                        (directory / tool).c_str()) == 0);
    configuration = "AllowStreamLocalForwarding no\nSetEnv SHLVL=1 PATH=" + directory.path();
    means = "socat";
  }
  const Server server(configuration);
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const std::string path = directory / "it's, a:socket";
  const Process listener = capitals(directory / "plain");
  REQUIRE(::rename((directory / "plain").c_str(), path.c_str()) == 0);

  const auto stream = session->open_unix(path, soon());
  CHECK(stream->means() == means);
  stream->write("show info\n", soon());
  CHECK(run(*session, "echo meanwhile").out == "meanwhile\n");
  stream->finish_writing(soon());
  CHECK(read_all(*stream) == "SHOW INFO\n");

  // HAProxy ends the stream with its answer, and waits for no end of ours.
  const Process once = capitals(directory / "once", "head -n 1");
  const auto question = session->open_unix(directory / "once", soon());
  question->write("show info\n", soon());
  CHECK(read_all(*question) == "show info\n");

  // An answer may take its time when our side has ended.
  const Process slow = capitals(directory / "slow", "sh -c 'cat >/dev/null; sleep 2; echo late'");
  const auto pausing = session->open_unix(directory / "slow", soon());
  pausing->write("show info\n", soon());
  pausing->finish_writing(soon());
  CHECK(read_all(*pausing) == "late\n");

  const auto large = session->open_unix(path, soon());
  const std::string text(3'000'000, 'a');
  std::string back;
  std::array<char, 65536> buffer{};
  // tr answers while we write: both directions must move.
  std::string_view rest = text;
  while (!rest.empty()) {
    large->write(rest.substr(0, 100'000), soon());
    rest.remove_prefix(std::min<std::size_t>(rest.size(), 100'000));
    if (back.size() + 300'000 < text.size() - rest.size())
      back.append(buffer.data(), large->read(buffer, soon()));
  }
  large->finish_writing(soon());
  back += read_all(*large);
  CHECK(back == std::string(text.size(), 'A'));

  CHECK(caught([&] { session->open_unix(directory / "none", soon()); }).code == ErrorCode::not_found);
  write_file(directory / "file", "");
  CHECK(caught([&] { session->open_unix(directory / "file", soon()); }).code == ErrorCode::invalid);
  const auto again = session->open_unix(path, soon());
  CHECK(again->means() == means);
  CHECK(caught([&] {
          std::array<char, 8> one{};
          again->read(one, within(200));
        }).code == ErrorCode::timeout);
  CHECK(run(*session, "echo still").out == "still\n");
}

TEST_CASE("a socket where nobody listens is told from one that is missing") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Directory directory;
  {
    const base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (directory / "dead").c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  const Caught error = caught([&] { session->open_unix(directory / "dead", soon()); });
  CHECK(error.code == ErrorCode::connect);
  CHECK_THAT(error.text, ContainsSubstring("nobody listens"));
}

TEST_CASE("TCP through the host") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const auto stream = session->open_tcp("127.0.0.1", server.port(), soon());
  std::array<char, 8> start{};
  REQUIRE(stream->read(start, soon()) >= 4);
  CHECK(std::string(start.data(), 4) == "SSH-");
  CHECK(caught([&] { session->open_tcp("127.0.0.1", free_port(), soon()); }).code == ErrorCode::connect);

  const Server closed("AllowTcpForwarding no");
  const auto other = engine.connect(closed.endpoint(), soon());
  CHECK(caught([&] { other->open_tcp("127.0.0.1", closed.port(), soon()); }).code == ErrorCode::permission);
}

TEST_CASE("bastions: one session carries many hosts, chains work, losses are seen") {
  Server bastion;
  const Server host;
  Engine engine(accept_all());
  Endpoint endpoint = host.endpoint();
  Endpoint jump = bastion.endpoint();
  jump.label = "gate";
  endpoint.jumps = {jump};

  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; ++i)
    threads.emplace_back([&] {
      try {
        const auto session = engine.connect(endpoint, soon());
        if (run(*session, "echo x").out == "x\n") ++good;
      } catch (const base::Error& error) {
        WARN(error.what());
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(good == 20);
  const std::string log = bastion.log();
  std::size_t logins = 0;
  for (std::size_t at = log.find("Accepted publickey"); at != std::string::npos;
       at = log.find("Accepted publickey", at + 1))
    ++logins;
  CHECK(logins == 1);

  const Server second;
  Endpoint inner = second.endpoint();
  inner.label = "inner gate";
  endpoint.jumps = {jump, inner};
  const auto session = engine.connect(endpoint, soon());
  CHECK(run(*session, "echo chained").out == "chained\n");
  Command flood;
  flood.script = "head -c 20000000 /dev/zero";
  CHECK(session->run(flood, nullptr, soon()).out_bytes == 20'000'000);
  const Directory target;
  session->upload(Upload::of(target / "file", std::string(3'000'000, 'x')), soon());
  CHECK(read_file(target / "file").size() == 3'000'000);

  Endpoint nowhere = at_port(host, free_port());
  nowhere.jumps = {jump};
  Caught error = caught([&] { engine.connect(nowhere, soon()); });
  CHECK(error.code == ErrorCode::connect);
  CHECK_THAT(error.text, ContainsSubstring("bastion gate"));

  bastion.kill_all();
  error = caught([&] { run(*session, "sleep 5"); });
  CHECK(error.code == ErrorCode::io);
  error = caught([&] { engine.connect(endpoint, soon()); });
  CHECK(error.code == ErrorCode::connect);
}

TEST_CASE("a bastion that refuses is named, with its own error") {
  const Server bastion;
  const Server host;
  Endpoint jump = bastion.endpoint();
  jump.label = "gate";
  Engine::Options options = accept_all();
  options.host_key_check = [](const Endpoint& endpoint, const HostKey&) {
    if (endpoint.label == "gate") throw base::Error(ErrorCode::host_key, "unknown");
  };
  Engine engine(options);
  Endpoint endpoint = host.endpoint();
  endpoint.jumps = {jump};
  Caught error = caught([&] { engine.connect(endpoint, soon()); });
  CHECK(error.code == ErrorCode::host_key);
  CHECK(error.text == "web1: bastion: gate: unknown");

  // Another name of it that is let through opens the way for itself only.
  endpoint.jumps.front().label = "other gate";
  const auto session = engine.connect(endpoint, soon());
  endpoint.jumps = {jump};
  CHECK(caught([&] { engine.connect(endpoint, soon()); }).code == ErrorCode::host_key);

  const Server strict("AllowTcpForwarding no");
  endpoint.jumps = {strict.endpoint()};
  error = caught([&] { engine.connect(endpoint, soon()); });
  CHECK(error.code == ErrorCode::permission);
}

TEST_CASE("a stream that was opened ahead is used while it is young and whole") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Directory directory;
  const std::string path = directory / "socket";
  const auto ask = [&](const std::string& at) {
    const auto stream = session->open_unix(at, soon());
    stream->write("hello\n", soon());
    stream->finish_writing(soon());
    return read_all(*stream);
  };
  SECTION("exchanges that follow each other save the round trip of opening") {
    const std::string other = directory / "other";
    const Process listener = capitals(path);
    const Process second = capitals(other);
    // How many round trips a number of exchanges takes, at one socket or at two in turn.
    const auto trips = [&](const std::string& odd) {
      const auto before = session->traffic().round_trips;
      for (int i = 0; i < 20; ++i) CHECK(ask(i % 2 == 0 ? path : odd) == "HELLO\n");
      return session->traffic().round_trips - before;
    };
    CHECK(ask(path) == "HELLO\n");
    // On a busy machine an exchange may last longer than a stream stays young: then a later round has to show
    // it.
    bool saved = false;
    for (int round = 0; round < 10 && !saved; ++round) saved = trips(path) + 10 < trips(other);
    CHECK(saved);
  }
  SECTION("after a second the socket's new owner answers") {
    auto first = std::make_unique<Process>(capitals(path));
    CHECK(ask(path) == "HELLO\n");
    const Process second = capitals(directory / "next", "sed s/hello/second/");
    REQUIRE(::rename((directory / "next").c_str(), path.c_str()) == 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    CHECK(ask(path) == "second\n");
  }
  SECTION("one that the other side has closed meanwhile is not used") {
    const Process listener = capitals(path);
    CHECK(ask(path) == "HELLO\n");
    // What serves the one that was opened ahead is ended there.
    const auto serves = [&] {
      return std::system(("pgrep -P " + std::to_string(listener.pid()) + " >/dev/null").c_str()) == 0;
    };
    CHECK(run(*session, "true").ok());  // the host's sshd answers in turn: it has opened it
    CHECK(eventually(serves));
    shell("pkill -P " + std::to_string(listener.pid()) + "; true");
    CHECK(eventually([&] { return !serves(); }));
    CHECK(run(*session, "true").ok());  // and it has told that end
    CHECK(ask(path) == "HELLO\n");
  }
}
