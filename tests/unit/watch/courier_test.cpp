#include "scenes.hpp"
#include "unit/http/server.hpp"

using namespace std::chrono_literals;
using namespace scenes;

namespace {

std::vector<std::string> named(const std::vector<watch::Courier::Event>& events) {
  std::vector<std::string> all;
  for (const auto& one : events) {
    CHECK(one.kind == watch::Courier::Event::Kind::given_up);
    CHECK_FALSE(one.why.empty());
    all.push_back(one.destination + " " + one.incident);
  }
  return all;
}

}  // namespace

TEST_CASE("courier: the message that was sent goes, not the one that has taken its place") {
  Server server([](const std::string&) { return accepted; });
  Seen delivered;
  watch::Courier* courier = nullptr;
  Seen made;
  bool first = true;
  auto ways = quiet_ways();
  ways.secret = [&](const auto&, const auto&) {
    made.wait_for("courier", 10s);
    // While the first is on its way a thousand others come: it is the oldest, and is left out.
    std::vector<watch::Message> more;
    for (int i = 0; first && i < 1000; ++i) more.push_back(message_for("more-" + std::to_string(i), {}));
    if (std::exchange(first, false)) courier->add(more);
    return std::string("key");
  };
  ways.happened = [&](const watch::Courier::Event& event) { delivered.add(event.incident); };
  watch::Courier one({pager("a", server.url())}, ways);
  courier = &one;
  made.add("courier");
  one.add({message_for("first", {})});
  REQUIRE(delivered.wait_for("more-1", 10s));
  CHECK(delivered.all().at(0) == "first");
  CHECK(delivered.all().at(1) == "more-0");
}

TEST_CASE("courier: who hangs keeps nobody else waiting") {
  Server silent([](const std::string&) { return ""; });
  Server server([](const std::string&) { return accepted; });
  Seen told;
  auto ways = quiet_ways();
  ways.secret = [](const auto&, const auto&) { return std::string("key"); };
  ways.happened = [&](const watch::Courier::Event& event) {
    told.add(event.destination + " " + event.incident + (event.why.empty() ? "" : " failed"));
  };
  watch::Courier courier({pager("a", silent.url()), pager("z", server.url())}, ways);
  courier.add({message_for("older", {"a"}), message_for("newer", {"z"})});
  // An attempt lasts ten seconds.
  REQUIRE(told.wait_for("z newer", 5s));
  CHECK(told.all() == std::vector<std::string>{"z newer"});
  courier.end();
  CHECK(courier.to_json().find("older") != std::string::npos);
  CHECK(courier.to_json().find("newer") == std::string::npos);
}

TEST_CASE("courier: nothing is sent while that is not ours to do, and all of it afterwards, in order") {
  Server server([](const std::string&) { return accepted; });
  std::atomic<bool> may{false};
  Seen told;
  auto ways = quiet_ways();
  ways.secret = [](const auto&, const auto&) { return std::string("key"); };
  ways.happened = [&](const watch::Courier::Event& event) { told.add(event.incident); };
  ways.may_send = [&] { return may.load(); };
  watch::Courier courier({pager("a", server.url())}, ways);
  courier.add({message_for("first", {}), message_for("second", {})});
  CHECK_FALSE(told.wait_for("first", 700ms));
  CHECK(server.requests().empty());
  may = true;
  REQUIRE(told.wait_for("second", 10s));
  CHECK(told.all() == std::vector<std::string>{"first", "second"});
}

TEST_CASE("courier: what is for somebody who is not declared any more is given up, and that is said") {
  auto ways = quiet_ways();
  ways.may_send = [] { return false; };
  watch::Courier courier({pager("a", "http://127.0.0.1:1/"), pager("b", "http://127.0.0.1:1/")}, ways);
  CHECK(courier.add({message_for("one", {"a"}), message_for("two", {"a", "b"})}).empty());
  CHECK(named(courier.redirect({pager("b", "http://127.0.0.1:2/")})) ==
        std::vector<std::string>{"a one", "a two"});
  CHECK(courier.standing().waiting == 1);
  CHECK(named(courier.add({message_for("three", {"a", "b"})})) == std::vector<std::string>{"a three"});
  const auto left = courier.to_json();
  watch::Courier next({pager("c", "http://127.0.0.1:1/")}, ways);
  CHECK(named(next.restore(left)) == std::vector<std::string>{"b two", "b three"});
}
