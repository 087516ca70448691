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
  Seen delivered, given_up;
  watch::Courier* courier = nullptr;
  Seen made;
  bool first = true;
  auto ways = quiet_ways();
  ways.secret = [&](const auto&, const auto&) {
    made.wait_for("courier", 60s);
    // While the first is on its way a thousand others come: the oldest of those that wait is left out.
    std::vector<watch::Message> more;
    for (int i = 0; first && i < 1000; ++i) more.push_back(message_for("more-" + std::to_string(i), {}));
    if (std::exchange(first, false))
      for (const auto& gone : named(courier->add(more))) given_up.add(gone);
    return std::string("key");
  };
  ways.happened = [&](const watch::Courier::Event& event) { delivered.add(event.incident); };
  watch::Courier one({pager("a", server.url())}, ways);
  courier = &one;
  made.add("courier");
  one.add({message_for("first", {})});
  REQUIRE(delivered.wait_for("more-1", 60s));
  CHECK(delivered.all().at(0) == "first");
  CHECK(delivered.all().at(1) == "more-1");
  CHECK(given_up.all() == std::vector<std::string>{"a more-0"});
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
  REQUIRE(told.wait_for("z newer", 60s));
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
  REQUIRE(told.wait_for("second", 60s));
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

TEST_CASE("courier: a destination that is away for long keeps nothing else from being written down") {
  const Kept kept;
  auto ways = quiet_ways();
  ways.may_send = [] { return false; };
  const std::string nowhere = "http://127.0.0.1:1/";
  watch::Courier courier({pager("a", nowhere), pager("b", nowhere)}, ways);
  for (int i = 0; i < 500; ++i) {
    auto message = message_for("large-" + std::to_string(i), {"a"});
    message.incident.details.assign(10, std::string(2048, 'x'));
    CHECK(courier.add({message}).empty());
  }
  CHECK(courier.add({message_for("small", {"b"})}).empty());
  const auto left = courier.to_json();
  kept.store->keep_note("production", "watch/outbox", left);
  watch::Courier next({pager("a", nowhere)}, ways);
  CHECK(named(next.restore(left)) == std::vector<std::string>{"b small"});
  CHECK(next.standing().waiting > 50);
  CHECK(left.find("large-499") != std::string::npos);
  CHECK(left.find("\"large-0\"") == std::string::npos);
  CHECK(left.find("large-498") < left.find("large-499"));
}

TEST_CASE("courier: at another address it is tried at once, and what the old one had to say counts no more") {
  Server silent([](const std::string&) { return ""; });
  Server server([](const std::string&) { return accepted; });
  Seen told;
  auto ways = quiet_ways();
  ways.secret = [](const auto&, const auto&) { return std::string("key"); };
  ways.happened = [&](const watch::Courier::Event& event) {
    told.add(event.incident +
             (event.kind == watch::Courier::Event::Kind::delivered ? " delivered" : " failed"));
  };
  watch::Courier courier({pager("a", silent.url())}, ways);
  courier.add({message_for("one", {"a"})});
  REQUIRE(await([&] { return !silent.requests().empty(); }));
  // Reading the files again without a change to this is no reason to begin anew.
  CHECK(courier.redirect({pager("a", silent.url())}).empty());
  CHECK_FALSE(told.wait_for("one failed", 300ms));
  CHECK(silent.requests().size() == 1);
  // An attempt lasts ten seconds.
  CHECK(courier.redirect({pager("a", server.url())}).empty());
  CHECK(told.wait_for("one delivered", 60s));
  CHECK(told.all().size() == 1);
  CHECK(courier.standing().failed == 0);
}

TEST_CASE("courier: what the old address refused does not count at the new one") {
  Server refusing([](const std::string&) { return "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"; });
  std::atomic<int> asked{0};
  Server server([&](const std::string&) {
    return ++asked == 1 ? "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n" : accepted;
  });
  std::atomic<int> refused{0};
  Seen told;
  watch::Courier* courier = nullptr;
  auto ways = quiet_ways();
  ways.secret = [](const auto&, const auto&) { return std::string("key"); };
  ways.first_pause = 1ms;
  ways.happened = [&](const watch::Courier::Event& event) {
    using Kind = watch::Courier::Event::Kind;
    // Four times at the old address; five are given up.
    if (event.kind == Kind::failed && ++refused == 4) courier->redirect({pager("a", server.url())});
    if (event.kind != Kind::failed) told.add(event.kind == Kind::delivered ? "delivered" : "given up");
  };
  watch::Courier one({pager("a", refusing.url())}, ways);
  courier = &one;
  one.add({message_for("first", {})});
  CHECK(told.wait_for("delivered", 60s));
  CHECK(told.all() == std::vector<std::string>{"delivered"});
}

TEST_CASE("courier: who is new is there before those who are gone have left") {
  auto ways = quiet_ways();
  ways.may_send = [] { return false; };
  const std::string nowhere = "http://127.0.0.1:1/";
  watch::Courier courier({pager("old", nowhere)}, ways);
  courier.welcome({pager("new", nowhere)});
  CHECK(courier.add({message_for("one", {"new"}), message_for("two", {"old"})}).empty());
  CHECK(named(courier.redirect({pager("new", nowhere)})) == std::vector<std::string>{"old two"});
  CHECK(courier.standing().waiting == 1);
}

TEST_CASE("courier: how long a message has waited is counted through restarts") {
  Server server([](const std::string&) { return "HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n"; });
  auto ways = quiet_ways();
  ways.may_send = [] { return false; };
  watch::Courier before({pager("a", server.url())}, ways);
  auto old = message_for("yesterday's", {"a"}), young = message_for("today's", {"a"});
  old.time = store::now() - 25h, young.time = store::now() - 23h;
  before.add({old, young});

  Seen told;
  ways.may_send = [] { return true; };
  ways.secret = [](const auto&, const auto&) { return std::string("key"); };
  ways.first_pause = 100ms;
  ways.happened = [&](const watch::Courier::Event& event) {
    const bool over = event.kind == watch::Courier::Event::Kind::given_up;
    told.add(event.incident + (over ? " given up" : " failed"));
  };
  watch::Courier after({pager("a", server.url())}, ways);
  CHECK(after.restore(before.to_json()).empty());
  REQUIRE(told.wait_for("today's failed", 60s));
  CHECK(told.all().front() == "yesterday's given up");
}

TEST_CASE("courier: how often a message was refused is counted through restarts") {
  std::atomic<int> asked{0};
  Server server([&](const std::string&) {
    ++asked;
    return "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
  });
  auto message = message_for("one", {"a"});
  message.time = store::now();
  std::string left;
  for (int process = 1; process <= 5; ++process) {
    Seen told;
    auto ways = quiet_ways();
    ways.secret = [](const auto&, const auto&) { return std::string("key"); };
    ways.first_pause = 1h;
    ways.happened = [&](const watch::Courier::Event& event) {
      told.add(event.kind == watch::Courier::Event::Kind::given_up ? "given up" : "failed");
    };
    watch::Courier courier({pager("a", server.url())}, ways);
    if (left.empty())
      courier.add({message});
    else
      courier.restore(left);
    CAPTURE(process);
    REQUIRE(told.wait_for(process < 5 ? "failed" : "given up", 60s));
    left = courier.to_json();
  }
  CHECK(asked == 5);
}

TEST_CASE("courier: after a restart with a mended address or key what was refused before counts no more") {
  std::atomic<int> asked{0};
  const std::string no = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
  Server wrong([&](const std::string&) { return no; });
  Server right([&](const std::string& request) {
    return request.find("mended-key") != std::string::npos && ++asked > 1 ? accepted : no;
  });
  auto message = message_for("one", {"a"});
  message.time = store::now();
  /// Until the end of the message or so many refusals; what is left for the next process.
  const auto process = [&](const std::string& left, const std::string& url, const std::string& key,
                           int most) {
    using Kind = watch::Courier::Event::Kind;
    std::atomic<int> failed{0};
    std::atomic<bool> over{false};
    std::string end;
    auto ways = quiet_ways();
    ways.secret = [&](const auto&, const auto&) { return key; };
    ways.first_pause = 1ms;
    ways.may_send = [&] { return failed < most; };
    ways.happened = [&](const watch::Courier::Event& event) {
      if (event.kind == Kind::failed) ++failed;
      if (event.kind == Kind::failed || over) return;
      end = event.kind == Kind::delivered ? "delivered" : "given up";
      over = true;
    };
    watch::Courier courier({pager("a", url)}, ways);
    if (left.empty())
      courier.add({message});
    else
      courier.restore(left);
    REQUIRE(await([&] { return over || failed >= most; }));
    courier.end();
    return over ? end : courier.to_json();
  };
  auto left = process("", wrong.url(), "first-key", 4);
  left = process(left, right.url(), "first-key", 4);   // another address
  left = process(left, right.url(), "mended-key", 1);  // and another key
  CHECK(process(left, right.url(), "mended-key", 4) == "delivered");
  // What tells them apart tells nothing of them.
  CHECK(left.find("key") == std::string::npos);
  CHECK(left.find(right.url()) == std::string::npos);
  // The same address has its five, however often we begin anew.
  left = process(process("", wrong.url(), "first-key", 4), right.url(), "first-key", 4);
  CHECK(process(left, right.url(), "first-key", 4) == "given up");
}
