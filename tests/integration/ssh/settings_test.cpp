/// What ssh_config says of the connection itself.
#include "catch.hpp"
#include "fixture.hpp"

#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>

using namespace staithe;
using namespace staithe::ssh;
using namespace staithe::ssh::test;
using base::ErrorCode;

namespace {

struct Asked {
  Caught error;
  Negotiated negotiated;
  std::string client;  ///< SSH_CONNECTION as the host sees it
};

Asked ask(const Endpoint& endpoint) {
  Engine engine(accept_all());
  Asked asked;
  asked.error = caught([&] {
    const auto session = engine.connect(endpoint, within(20'000));
    asked.negotiated = session->negotiated();
    asked.client = run(*session, "echo $SSH_CONNECTION").out;
  });
  INFO(asked.error.text);
  return asked;
}

}  // namespace

TEST_CASE("settings: algorithms are those that ssh_config names") {
  const Server server;
  Endpoint endpoint = server.endpoint();
  endpoint.algorithms = {"aes256-ctr",         "nobody-knows@example.org,hmac-sha2-512",
                         "ecdh-sha2-nistp521", "ecdsa-sha2-nistp256",
                         "^ssh-ed25519",       2048};
  const auto asked = ask(endpoint);
  REQUIRE(asked.error.text == "");
  CHECK(asked.negotiated.cipher_out == "aes256-ctr");
  CHECK(asked.negotiated.cipher_in == "aes256-ctr");
  CHECK(asked.negotiated.mac_out == "hmac-sha2-512");
  CHECK(asked.negotiated.key_exchange == "ecdh-sha2-nistp521");
  CHECK(asked.negotiated.host_key_type == "ecdsa-sha2-nistp256");

  endpoint.algorithms = {};
  endpoint.algorithms.signatures = "rsa-sha2-512";  // the key is another
  CHECK(ask(endpoint).error.code == ErrorCode::auth);

  endpoint.algorithms = {};
  endpoint.algorithms.macs = "nobody-knows@example.org";
  const auto none = ask(endpoint).error;
  CHECK(none.code == ErrorCode::invalid);
  CHECK_THAT(none.text,
             ContainsSubstring("MACs 'nobody-knows@example.org' of ssh_config leaves nothing that libssh"));
}

TEST_CASE("settings: an RSA key that is too short is not taken") {
  const Server server;
  Endpoint endpoint = server.endpoint();
  const auto file = server.make_key("short", "-t rsa -b 2048");
  server.authorize(read_file(file + ".pub"));
  endpoint.identity_files = {file};
  CHECK(ask(endpoint).error.text == "");
  endpoint.algorithms.least_rsa_bits = 3072;
  CHECK(ask(endpoint).error.code == ErrorCode::auth);
}

TEST_CASE("settings: BindAddress and AddressFamily") {
  const Server server;
  Endpoint endpoint = server.endpoint();
  endpoint.bind_address = "127.0.0.77";
  CHECK(ask(endpoint).client.starts_with("127.0.0.77 "));
  endpoint.bind_address = "192.0.2.1";
  const auto foreign = ask(endpoint).error;
  CHECK(foreign.code == ErrorCode::connect);
  CHECK_THAT(foreign.text, ContainsSubstring("from 192.0.2.1"));
  endpoint.bind_address = "";
  endpoint.address_family = AddressFamily::inet;
  CHECK(ask(endpoint).error.text == "");
  endpoint.address_family = AddressFamily::inet6;
  const auto family = ask(endpoint).error;
  CHECK(family.code == ErrorCode::resolve);
  CHECK_THAT(family.text, ContainsSubstring("AddressFamily inet6"));
}

TEST_CASE("settings: ConnectionAttempts") {
  Endpoint endpoint;
  endpoint.address = "127.0.0.1";
  endpoint.port = free_port();
  endpoint.identity_agent = "none";
  const auto begin = std::chrono::steady_clock::now();
  CHECK(ask(endpoint).error.code == ErrorCode::connect);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(900));
  endpoint.connection_attempts = 3;
  CHECK(ask(endpoint).error.code == ErrorCode::connect);
  CHECK(std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(2000));
}

TEST_CASE("settings: ConnectionAttempts leaves its place to others between two attempts") {
  Endpoint once;
  once.address = "127.0.0.1";
  once.port = free_port();
  once.identity_agent = "none";
  Endpoint patient = once;
  patient.connection_attempts = 1000;
  auto options = accept_all();
  options.handshakes_per_server = 1;
  Engine engine(std::move(options));
  base::Cancel stop;
  std::thread waiting([&] { (void)caught([&] { (void)engine.connect(patient, soon(&stop)); }); });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(caught([&] { (void)engine.connect(once, within(20'000)); }).code == ErrorCode::connect);
  stop.request();
  waiting.join();
}

TEST_CASE("settings: ProxyUseFdpass") {
  const Server server;
  Endpoint endpoint = server.endpoint();
  const auto script = server.directory() / "pass.py";
  write_file(script,
             "import socket, sys\n"
             "made = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
             "socket.send_fds(socket.socket(fileno=1), [b'x'], [made.fileno()])\n");
  endpoint.proxy_command = "python3 " + script + " " + std::to_string(server.port());
  endpoint.proxy_passes_socket = true;
  CHECK(ask(endpoint).error.text == "");
  const auto open = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  const auto before = open();
  write_file(script,
             "import os, socket\n"
             "socket.send_fds(socket.socket(fileno=1), [b'x'], [os.open('/dev/null', 0) for _ in (1, 2)])\n");
  endpoint.proxy_command = "python3 " + script;
  CHECK(ask(endpoint).error.code == ErrorCode::connect);
  CHECK(open() == before);
  endpoint.proxy_command = "sh -c 'echo no >&2; exit 3'";
  const auto error = ask(endpoint).error;
  CHECK(error.code == ErrorCode::connect);
  CHECK_THAT(error.text, ContainsSubstring("exit status 3"));
}
