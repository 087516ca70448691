#include "gate.hpp"

#include "agent.hpp"
#include "catch.hpp"
#include "retry.hpp"
#include "wire.hpp"

#include "staithe/base/error.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

using namespace staithe;
using namespace staithe::ssh;

namespace {

base::Scope within(int milliseconds, const base::Cancel* cancel = nullptr) {
  return base::Scope::lasting(base::Duration(milliseconds), cancel);
}

/// An agent that gives `reply` to whoever connects, and then hangs up.
struct FakeAgent {
  explicit FakeAgent(std::string reply) {
    path =
        (std::filesystem::temp_directory_path() / ("staithe-agent-" + std::to_string(::getpid()))).string();
    ::unlink(path.c_str());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    listener.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 4) == 0);
    thread = std::thread([this, text = std::move(reply)] {
      const base::UniqueFd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char request[16];
      [[maybe_unused]] const auto got = ::recv(peer.get(), request, sizeof request, 0);
      [[maybe_unused]] const auto sent = ::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
    });
  }
  ~FakeAgent() {
    thread.join();
    ::unlink(path.c_str());
  }
  std::string path;
  base::UniqueFd listener;
  std::thread thread;
};

struct Listing {
  std::vector<AgentKey> keys;
  std::optional<base::ErrorCode> error;
};

Listing list(const std::string& reply) {
  const FakeAgent fake(reply);
  std::string problem;
  std::optional<Agent> agent = Agent::connect(fake.path, problem);
  REQUIRE(agent);
  Listing result;
  try {
    result.keys = agent->keys(within(60'000));
  } catch (const base::Error& error) {
    result.error = error.code();
  }
  return result;
}

}  // namespace

TEST_CASE("a gate lets in so many for each name, in order, and nobody twice") {
  Gate gate(3);
  std::atomic<int> inside{0}, most{0}, entered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 30; ++i)
    threads.emplace_back([&] {
      const Gate::Pass pass = gate.enter("one", within(60'000));
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
      ++entered;
      base::sleep_for(base::Duration(2), within(60'000));
      --inside;
    });
  for (auto& thread : threads) thread.join();
  CHECK(entered == 30);
  CHECK(most <= 3);
}

TEST_CASE("who gives up waiting at a gate frees his place in the queue") {
  Gate gate(1);
  std::optional<Gate::Pass> first(gate.enter("one", within(60'000)));
  const Gate::Pass other = gate.enter("two", within(60'000));  // another name is another gate
  base::Cancel cancel;
  cancel.request();
  CHECK_THROWS_AS(gate.enter("one", within(60'000, &cancel)), base::Error);
  CHECK_THROWS_AS(gate.enter("one", within(20)), base::Error);
  first.reset();
  const Gate::Pass again = gate.enter("one", within(60'000));
}

TEST_CASE("who was refused comes back later each time, and not together with the others") {
  const std::pair<int, long long> expected[] = {{1, 150}, {2, 300}, {5, 2400}, {6, 3000}, {100, 3000}};
  for (const auto& [attempt, middle] : expected) {
    std::vector<long long> pauses;
    for (int i = 0; i < 200; ++i) pauses.push_back(pause_before(attempt).count());
    const auto [least, most] = std::minmax_element(pauses.begin(), pauses.end());
    CHECK(*least >= middle / 2);
    CHECK(*most <= middle * 3 / 2);
    CHECK(*most - *least > middle / 2);
  }
}

TEST_CASE("an agent's list is read strictly") {
  const std::string key = framed("ssh-ed25519") + framed(std::string(32, 'k'));
  const std::string strange = framed("ssh-unheard-of@example.org") + framed("x");
  const std::string answer(1, '\x0c');

  const Listing good =
      list(framed(answer + number(2) + framed(strange) + framed("a") + framed(key) + framed("b")));
  CHECK_FALSE(good.error);
  REQUIRE(good.keys.size() == 1);
  CHECK(good.keys[0].blob == key);
  CHECK(good.keys[0].comment == "b");

  CHECK(list(framed("\x05")).keys.empty());
  CHECK_FALSE(list(framed("\x05")).error);
  for (const std::string& reply : {
           framed(answer + number(2) + framed(key) + framed("b")),  // fewer than announced
           framed(answer + number(70'000)),                         // more than anybody holds
           framed(answer + number(1) + number(0xffffffff) + "x"),   // a length past the end
           framed(answer + std::string("\0\0", 2)),                 // no number
           framed("\x7f"
                  "text"),            // another answer
           framed(""),                // nothing
           number(0x7fffffff) + "x",  // a frame of two gigabytes
       })
    CHECK(list(reply).error == base::ErrorCode::protocol);
  CHECK(list(std::string("\0\0", 2)).error == base::ErrorCode::io);  // cut short
  CHECK(list("").error == base::ErrorCode::io);
}
