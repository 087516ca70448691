#include "rig.hpp"
#include "support/best_of.hpp"
#include "support/silent_resolver.hpp"

using namespace staithe;
using namespace staithe::haproxy;
using namespace staithe::haproxy::test;

TEST_CASE("commands are cut into lines that HAProxy can read") {
  FakeBalancer balancer;
  Lines lines;
  for (int at = 0; at < 500; ++at) {
    const std::string name = "a-rather-long-backend-name/server-number-" + std::to_string(at);
    balancer.servers[name] = {};
    lines.push_back("set server " + name + " state drain");
  }
  std::size_t exchanges = 0;
  Socket socket("lb", [&, dial = balancer.dial()](const Scope& scope) {
    ++exchanges;
    return dial(scope);
  });
  socket.commands(lines, soon());
  CHECK(balancer.changes == lines);
  CHECK(exchanges > 5);
  CHECK(exchanges < 20);
  for (const auto* bad : {"", "show info;", "a\nb", "a;;b", " "})
    CHECK(failure(ErrorCode::invalid, [&] { socket.command(bad, soon()); }) != "");
  failure(ErrorCode::invalid, [&] { socket.command(std::string(5'000, 'x'), soon()); });
}

TEST_CASE("an endless answer is refused") {
  class Endless final : public Stream {
   public:
    void write_all(std::string_view, const Scope&) override {}
    void close_write() override {}
    std::string read_some(const Scope&) override { return std::string(4'096, 'x'); }
  };
  Socket socket("lb", [](const Scope&) { return std::make_unique<Endless>(); }, {},
                {base::Duration(5'000), 100'000});
  CHECK_THAT(failure(ErrorCode::protocol, [&] { socket.info(soon()); }),
             ContainsSubstring("lb: the answer is longer"));
}

TEST_CASE("that a worker is gone is known though the master leaves the connection open") {
  class LeftOpen final : public Stream {
   public:
    void write_all(std::string_view, const Scope&) override {}
    void close_write() override {}
    std::string read_some(const Scope&) override {
      if (parts_.empty()) throw base::Error(base::ErrorCode::timeout, "the answer took too long");
      const auto part = parts_.front();
      parts_.erase(parts_.begin());
      return part;
    }

   private:
    std::vector<std::string> parts_{"Can't find the tar", "get PID matching the prefix '@!9'\n"};
  };
  const Dial dial = [](const Scope&) { return std::make_unique<LeftOpen>(); };
  Socket socket("lb", dial, dial);
  CHECK(socket.worker_stats(9, "web", soon()).empty());
  CHECK(socket.worker_sessions(9, soon()).empty());
  // Only the master does so: whatever else stays open is not whole.
  failure(ErrorCode::timeout, [&] { socket.info(soon()); });
}

TEST_CASE("a balancer's name that no resolver answers for is waited for as long as the scope lasts") {
  constexpr std::chrono::seconds long_before_the_resolver{1};
  CHECK(staithe::test::best_of_ten(long_before_the_resolver, [] {
          failure(ErrorCode::timeout,
                  [] { dial_tcp("silent.test", 9999)(Scope::lasting(std::chrono::milliseconds(150))); });
        }) < long_before_the_resolver);
}
