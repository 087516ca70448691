#include "catch.hpp"
#include "fixture.hpp"

#include <arpa/inet.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

// libssh would rather have callbacks of a server that answers many at a time.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

using namespace staithe;
using namespace staithe::ssh;
using namespace staithe::ssh::test;
using base::ErrorCode;

namespace {

/// Lets one client in with any key. It runs nothing: how the channel of a command ends is up to `end`, which
/// OpenSSH's server would never do so.
class OddServer {
 public:
  explicit OddServer(std::function<void(ssh_channel)> end) : end_(std::move(end)), port_(free_port()) {
    shell("ssh-keygen -q -t ed25519 -N '' -f " + (directory_ / "host"));
    shell("ssh-keygen -q -t ed25519 -N '' -f " + (directory_ / "id"));
    const unsigned port = port_;
    ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
    ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_BINDPORT, &port);
    ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_HOSTKEY, (directory_ / "host").c_str());
    INFO(ssh_get_error(bind_));
    REQUIRE(ssh_bind_listen(bind_) == SSH_OK);
    thread_ = std::thread([this] { serve(); });
  }
  ~OddServer() {
    // Where nobody came, it is let go; who comes later waits in the queue and is never served.
    const base::UniqueFd last(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    [[maybe_unused]] const int came =
        ::connect(last.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::shutdown(last.get(), SHUT_RDWR);
    thread_.join();
    ssh_bind_free(bind_);
  }

  Endpoint endpoint() const {
    Endpoint endpoint;
    endpoint.label = "web1";
    endpoint.address = "127.0.0.1";
    endpoint.port = port_;
    endpoint.user = "anybody";
    endpoint.identity_files = {directory_ / "id"};
    endpoint.identity_agent = "none";
    be_patient(endpoint);
    return endpoint;
  }

 private:
  void serve() {
    const ssh_session session = ssh_new();
    if (ssh_bind_accept(bind_, session) == SSH_OK && ssh_handle_key_exchange(session) == SSH_OK)
      while (const ssh_message message = ssh_message_get(session)) {
        answer(message);
        ssh_message_free(message);
      }
    ssh_disconnect(session);
    ssh_free(session);
  }

  void answer(ssh_message message) {
    switch (ssh_message_type(message)) {
      case SSH_REQUEST_SERVICE:
        ssh_message_service_reply_success(message);
        return;
      case SSH_REQUEST_AUTH:
        if (ssh_message_subtype(message) != SSH_AUTH_METHOD_PUBLICKEY) {
          ssh_message_auth_set_methods(message, SSH_AUTH_METHOD_PUBLICKEY);
          ssh_message_reply_default(message);
        } else if (ssh_message_auth_publickey_state(message) == SSH_PUBLICKEY_STATE_VALID) {
          ssh_message_auth_reply_success(message, 0);
        } else {
          ssh_message_auth_reply_pk_ok_simple(message);
        }
        return;
      case SSH_REQUEST_CHANNEL_OPEN:
        ssh_message_channel_request_open_reply_accept(message);
        return;
      case SSH_REQUEST_CHANNEL:
        if (ssh_message_subtype(message) == SSH_CHANNEL_REQUEST_EXEC) {
          const ssh_channel channel = ssh_message_channel_request_channel(message);
          ssh_message_channel_request_reply_success(message);
          ssh_channel_write(channel, "half\n", 5);
          end_(channel);
          ssh_channel_close(channel);
          return;
        }
        [[fallthrough]];
      default:
        ssh_message_reply_default(message);
    }
  }

  std::function<void(ssh_channel)> end_;
  Directory directory_;
  std::uint16_t port_;
  ssh_bind bind_ = ssh_bind_new();
  std::thread thread_;
};

}  // namespace

TEST_CASE("a command whose status never comes has failed, whatever it has written") {
  const OddServer server([](ssh_channel channel) { ssh_channel_send_eof(channel); });
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Caught error = caught([&] { run(*session, "true"); });
  CHECK(error.code == ErrorCode::io);
  CHECK_THAT(error.text, ContainsSubstring("exit status is lost"));
}

TEST_CASE("a signal that nobody knows is a failure by its name, without what would move the cursor") {
  const OddServer server([](ssh_channel channel) {
    ssh_channel_request_send_exit_signal(channel, "ODD\x1b[2J@example.org", 0, "", "");
  });
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Exit exit = run(*session, "true");
  CHECK_FALSE(exit.ok());
  CHECK(exit.status == -1);
  CHECK_THAT(exit.signal, ContainsSubstring("ODD") && ContainsSubstring("@example.org"));
  CHECK(exit.signal.find('\x1b') == std::string::npos);
  CHECK(exit.out == "half\n");
}
