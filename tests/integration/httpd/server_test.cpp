#include "staithe/httpd/server.hpp"

#include "catch.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/unique_fd.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace staithe;
using namespace std::chrono_literals;

namespace {

/// A client that sends what it likes.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Thrown, not required: threads make clients too, and Catch2 is for one.
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("no connection");
  }

  bool send(const std::string& bytes) const {
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  /// All until the peer closes, or `enough` stands in it; a minute at most.
  std::string read(const std::string& enough = {}) const {
    const auto scope = base::Scope::lasting(60s);
    std::string all;
    char part[4096];
    while (enough.empty() || all.find(enough) == std::string::npos) {
      if (base::wait_for(fd_.get(), POLLIN, scope) != base::Woke::ready) return all + "<nothing more came>";
      const auto got = ::recv(fd_.get(), part, sizeof part, 0);
      if (got <= 0) break;
      all.append(part, static_cast<std::size_t>(got));
    }
    return all;
  }
  bool closed() const { return read().find("<nothing more came>") == std::string::npos; }

 private:
  base::UniqueFd fd_;
};

httpd::Response echo(const httpd::Request& request) {
  if (request.path == "/throws") throw std::runtime_error("secret detail");
  httpd::Response response;
  response.body = request.path + "|" + request.authorization;
  return response;
}

std::string first_line(const std::string& reply) {
  return reply.substr(0, reply.find("\r\n"));
}

httpd::Limits quick() {
  httpd::Limits limits;
  limits.request = limits.idle = 300ms;
  return limits;
}

}  // namespace

TEST_CASE("httpd: GET, HEAD and connections that are kept") {
  const httpd::Server server({"127.0.0.1", 0}, echo);
  CHECK(server.url() == "http://127.0.0.1:" + std::to_string(server.port()) + "/");
  const Client client(server.port());
  // Both at once: the answers come in their order.
  CHECK(client.send(
      "GET /a?x=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n\r\n"
      "HEAD /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  const auto replies = client.read();
  CHECK(first_line(replies) == "HTTP/1.1 200 OK");
  CHECK_THAT(replies, ContainsSubstring("/a|Bearer t"));
  CHECK(replies.find("/b|") == std::string::npos);
  CHECK_THAT(replies, ContainsSubstring("Content-Length: 3"));
  CHECK_THAT(replies, ContainsSubstring("/c|"));
  CHECK_THAT(replies, ContainsSubstring("Cache-Control: no-store"));
}

TEST_CASE("httpd: what is not a plain request for something is refused, and the connection ends") {
  const httpd::Server server({"127.0.0.1", 0}, echo);
  const auto ask = [&](const std::string& bytes) {
    const Client client(server.port());
    (void)client.send(bytes);
    return first_line(client.read());
  };
  CHECK(ask("POST / HTTP/1.1\r\nHost: h\r\n\r\n") == "HTTP/1.1 405 Method Not Allowed");
  CHECK(ask("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n") == "HTTP/1.1 405 Method Not Allowed");
  CHECK(ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello") ==
        "HTTP/1.1 413 Payload Too Large");
  CHECK(ask("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") ==
        "HTTP/1.1 413 Payload Too Large");
  CHECK(ask("nonsense\r\n\r\n") == "HTTP/1.1 400 Bad Request");
  CHECK(ask(std::string("GET /\0 HTTP/1.1\r\n\r\n", 18)) == "HTTP/1.1 400 Bad Request");
  CHECK(ask("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x')) ==
        "HTTP/1.1 431 Request Header Fields Too Large");
  CHECK(ask("GET /" + std::string(100'000, 'x')) == "HTTP/1.1 431 Request Header Fields Too Large");
  CHECK(ask("GET /throws HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") ==
        "HTTP/1.1 500 Internal Server Error");
}

TEST_CASE("httpd: who drips, or says nothing, is cut off in time; others are served meanwhile") {
  const httpd::Server server({"127.0.0.1", 0}, echo, quick());
  const Client silent(server.port()), dripping(server.port());
  std::jthread drip([&](const std::stop_token& stop) {
    const std::string bytes = "GET / HTTP/1.1\r\nX: " + std::string(4000, 'x');
    for (std::size_t i = 0; i < bytes.size() && !stop.stop_requested(); ++i) {
      if (!dripping.send(bytes.substr(i, 1))) return;
      std::this_thread::sleep_for(10ms);
    }
  });
  const Client other(server.port());
  CHECK(other.send("GET /other HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  CHECK_THAT(other.read(), ContainsSubstring("/other|"));
  CHECK(silent.closed());
  CHECK(dripping.closed());
}

TEST_CASE("httpd: one connection too many costs the oldest, not the newest") {
  auto limits = httpd::Limits{};
  limits.connections = 4;
  const httpd::Server server({"127.0.0.1", 0}, echo, limits);
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(std::make_unique<Client>(server.port()));
    CHECK(idle.back()->send("GET /idle HTTP/1.1\r\nHost: h\r\n\r\n"));
    CHECK_THAT(idle.back()->read("/idle|"), ContainsSubstring("/idle|"));
  }
  const Client one_more(server.port());
  CHECK(one_more.send("GET /more HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_THAT(one_more.read("/more|"), ContainsSubstring("/more|"));
  CHECK(idle.front()->closed());
  CHECK(idle.back()->send("GET /again HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK_THAT(idle.back()->read("/again|"), ContainsSubstring("/again|"));
}

TEST_CASE("httpd: many clients at once, and an end with connections open") {
  auto server = std::make_unique<httpd::Server>(httpd::Endpoint{"127.0.0.1", 0}, echo);
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 8; ++i)
      clients.emplace_back([&] {
        for (int n = 0; n < 25; ++n) {
          const Client client(server->port());
          (void)client.send("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
          good += client.read().find("/x|") != std::string::npos ? 1 : 0;
        }
      });
  }
  CHECK(good == 200);
  const Client open(server->port());
  CHECK(open.send("GET / HT"));
  server.reset();
  CHECK(open.closed());
}

TEST_CASE("httpd: where it listens") {
  CHECK(httpd::parse_endpoint("127.0.0.1:80")->port == 80);
  CHECK(httpd::parse_endpoint(":80")->address == "127.0.0.1");
  CHECK(httpd::parse_endpoint("localhost:80")->address == "127.0.0.1");
  CHECK(httpd::parse_endpoint("[::1]:80")->address == "::1");
  for (const char* wrong :
       {"", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:8o", "example.com:80", "::1:80",
        "[127.0.0.1]:80", "[::1]", "1.2.3:80", "127.0.0.1:-1"})
    CHECK_FALSE(httpd::parse_endpoint(wrong).has_value());
  CHECK(httpd::is_loopback({"127.9.9.9", 1}));
  CHECK(httpd::is_loopback({"::1", 1}));
  CHECK(httpd::is_loopback({"::ffff:127.0.0.1", 1}));
  CHECK_FALSE(httpd::is_loopback({"0.0.0.0", 1}));
  CHECK_FALSE(httpd::is_loopback({"::", 1}));
  CHECK_FALSE(httpd::is_loopback({"10.0.0.1", 1}));
  const httpd::Server first({"127.0.0.1", 0}, echo);
  try {
    const httpd::Server second({"127.0.0.1", first.port()}, echo);
    FAIL("two servers listen on one port");
  } catch (const base::Error& error) {
    CHECK(error.code() == base::ErrorCode::conflict);
    CHECK_THAT(error.what(), ContainsSubstring("127.0.0.1 port " + std::to_string(first.port())));
  }
}
