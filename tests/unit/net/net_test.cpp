#include "catch.hpp"
#include "support/best_of.hpp"
#include "support/cancelled_after.hpp"
#include "support/silent_resolver.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/net/addresses.hpp"
#include "staithe/net/tcp.hpp"

#include <netinet/in.h>

#include <algorithm>

using namespace std::chrono_literals;
using staithe::base::Error;
using staithe::base::ErrorCode;
using staithe::base::Scope;
using staithe::base::UniqueFd;
using staithe::test::best_of_ten;
using staithe::test::cancelled_after;
using namespace staithe::net;

namespace {

Scope soon() {
  return Scope::lasting(60s);
}

/// Listens on a free port of 127.0.0.1.
struct Listener {
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};

  explicit Listener(int backlog = 16) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd.get(), plain(), size) == 0);
    REQUIRE(::listen(fd.get(), backlog) == 0);
    ::getsockname(fd.get(), plain(), &size);
  }
  sockaddr* plain() { return static_cast<sockaddr*>(static_cast<void*>(&address)); }
  std::uint16_t port() const { return ntohs(address.sin_port); }
};

template <typename Work>
Error error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  throw 0;
}

}  // namespace

TEST_CASE("net: addresses are taken as they are, names as the resolver has them") {
  const auto literal = resolve("::1", 22, soon());
  REQUIRE(literal.size() == 1);
  CHECK(literal[0].host() == "::1");
  CHECK(literal[0].text() == "[::1]:22");
  const auto named = resolve("localhost", 80, soon());
  CHECK(std::any_of(named.begin(), named.end(),
                    [](const Address& one) { return one.text() == "127.0.0.1:80"; }));
  const Error unknown = error_of([] { resolve("no-such-name.invalid", 80, soon()); });
  CHECK(unknown.code() == ErrorCode::resolve);
  CHECK_THAT(unknown.what(), ContainsSubstring("no-such-name.invalid: "));
}

TEST_CASE("net: a resolver that says nothing is waited for no longer than the scope lasts") {
  CHECK(cancelled_after([](const Scope& scope) { resolve("silent.test", 80, scope); }) < 50ms);
  CHECK(best_of_ten(1s, [] {
          CHECK(error_of([] { resolve("silent.test", 80, Scope::lasting(150ms)); }).code() ==
                ErrorCode::timeout);
        }) < 1s);
}

TEST_CASE("net: a TCP probe names the address that answered, or every one that did not") {
  const Listener server;
  const std::string at = "127.0.0.1:" + std::to_string(server.port());
  CHECK(tcp_connects("127.0.0.1", server.port(), soon()) == at);
  // Often ::1 is tried too, where nobody listens.
  CHECK(tcp_connects("localhost", server.port(), soon()) == at);
  std::uint16_t closed = 0;
  { closed = Listener().port(); }
  const Error error = error_of([&] { tcp_connects("127.0.0.1", closed, soon()); });
  CHECK(error.code() == ErrorCode::connect);
  CHECK_THAT(error.what(), ContainsSubstring("127.0.0.1:" + std::to_string(closed) + ": Connection refused"));
  CHECK(error_of([] { tcp_connects("no-such-name.invalid", 80, soon()); }).code() == ErrorCode::resolve);
  CHECK(error_of([] { tcp_connects("127.0.0.1", 0, soon()); }).code() == ErrorCode::invalid);
}

TEST_CASE("net: a TCP probe of an address that drops packets ends at its deadline") {
  // A full accept queue: Linux drops further connection requests.
  Listener listener(0);
  std::vector<UniqueFd> fillers;
  for (int count = 0; count < 8; ++count) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::connect(fillers.back().get(), listener.plain(), sizeof listener.address);
  }
  const auto probe = [&](const Scope& scope) { tcp_connects("127.0.0.1", listener.port(), scope); };
  const Error error = error_of([&] { probe(Scope::lasting(200ms)); });
  CHECK(error.code() == ErrorCode::timeout);
  CHECK_THAT(error.what(), ContainsSubstring("127.0.0.1:" + std::to_string(listener.port())));
  CHECK(cancelled_after(probe) < 50ms);
}
