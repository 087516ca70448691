#include "hanging.hpp"
#include "scribe.hpp"
#include "unit/http/server.hpp"

#include "staithe/pg/connection.hpp"

using namespace std::chrono_literals;
using namespace scenes;
using watch::Backlog;
using watch::Records;

namespace {

store::CheckRecord result_of(const std::string& run, std::string detail = {}) {
  store::CheckRecord one;
  one.environment = "production", one.suite = "api", one.key = "api/steps/charge";
  one.run_id = run, one.verdict = "pass", one.time = store::now(), one.detail = std::move(detail);
  return one;
}

std::string run_of(std::size_t number) {
  return "run-" + std::to_string(number);
}

/// A scribe on a store, and what it says.
class Writing {
 public:
  explicit Writing(std::function<void(const Records&)> keep)
      : scribe(claim, {[](const auto&) { return watch::Scribe::Notes{}; }, [](const auto&) {},
                       [](const auto&) {}, [](watch::Claim::State) {}, std::move(keep),
                       [this](const std::string& why, std::size_t count) {
                         lost += count;
                         seen.add(count > 0 ? "left out" : why.empty() ? "kept again" : "not kept");
                       }}) {}

  watch::Claim claim{nullptr, 1min};
  Seen seen;
  std::atomic<std::size_t> lost{0};
  watch::Scribe scribe;
};

}  // namespace

TEST_CASE("backlog: of what is too much the oldest runs are left out, and counted") {
  Backlog backlog;
  const std::string large(std::size_t{1024} * 1024, 'x');
  for (std::size_t i = 0; i < 6; ++i) backlog.add({result_of(run_of(i), large), result_of(run_of(i))});
  CHECK(backlog.take_lost() == 6);
  CHECK(backlog.take_lost() == 0);
  auto taken = backlog.take();
  REQUIRE(taken.size() == 3);
  CHECK(taken.front().front().run_id == "run-3");
  CHECK(backlog.empty());
  // What came meanwhile is newer.
  for (std::size_t i = 6; i < 8; ++i) backlog.add({result_of(run_of(i), large)});
  backlog.put_back(std::move(taken));
  CHECK(backlog.take_lost() == 4);
  taken = backlog.take();
  REQUIRE(taken.size() == 3);
  CHECK(taken.front().front().run_id == "run-5");
  CHECK(taken.back().front().run_id == "run-7");
}

TEST_CASE("backlog: one run that is larger than all that may wait is kept") {
  Backlog backlog;
  Records large;
  for (std::size_t i = 0; i < 12'000; ++i) large.push_back(result_of("run-0", std::string(100, 'x')));
  backlog.add(large);
  CHECK(backlog.take_lost() == 0);
  auto taken = backlog.take();
  REQUIRE(taken.size() == 1);
  CHECK(taken.front().size() == 12'000);
  // With another one behind it, it is too much.
  backlog.put_back(std::move(taken));
  CHECK(backlog.take_lost() == 0);
  backlog.add({result_of("run-1")});
  CHECK(backlog.take_lost() == 12'000);
}

TEST_CASE("scribe: what a database refuses for now is tried again") {
  const std::pair<base::ErrorCode, std::string> refusals[] = {
      {base::ErrorCode::permission, "25006"},  // the primary has become a standby
      {base::ErrorCode::conflict, "40001"},
      {base::ErrorCode::conflict, "40P01"},
      {base::ErrorCode::failed, "57014"},
      {base::ErrorCode::failed, "55P03"},
      {base::ErrorCode::auth, ""},
  };
  for (const auto& [code, state] : refusals) {
    INFO(state);
    std::atomic<int> times{0};
    Writing writing([&, code = code, state = state](const Records&) {
      if (times++ > 0) return;
      if (state.empty()) throw base::Error(code, "refused");
      throw staithe::pg::SqlError(code, "refused", state);
    });
    writing.scribe.found({result_of("run-0")});
    CHECK(writing.seen.wait_for("not kept", 60s));
    writing.scribe.end();
    CHECK(times == 2);
    CHECK(writing.lost == 0);
  }
}

TEST_CASE("scribe: data that a database will never take is left out") {
  std::atomic<int> times{0};
  Writing writing([&](const Records&) {
    ++times;
    throw staithe::pg::SqlError(base::ErrorCode::failed, "invalid byte sequence", "22021");
  });
  writing.scribe.found({result_of("run-0")});
  CHECK(writing.seen.wait_for("left out", 60s));
  CHECK(writing.lost == 1);
}

TEST_CASE("scribe: results wait for a store that hangs, and nobody waits for it") {
  store::Settings settings;
  settings.patience = 2s;
  const Kept kept(settings);
  auto hanging = std::make_unique<Hanging>(kept.file());
  Writing writing([&](const Records& results) { kept.store->record_checks(results); });
  const auto begun = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < 50; ++i) writing.scribe.found({result_of(run_of(i))});
  CHECK(std::chrono::steady_clock::now() - begun < 1500ms);
  REQUIRE(writing.seen.wait_for("not kept", 60s));
  writing.scribe.found({result_of(run_of(50))});
  hanging.reset();
  REQUIRE(writing.seen.wait_for("kept again", 60s));
  REQUIRE(await([&] { return kept.store->check_history("production", "api").size() == 51; }));
  // Said once when it begins, once when it is over.
  CHECK(writing.seen.all() == std::vector<std::string>{"not kept", "kept again"});
  CHECK(writing.lost == 0);
}

TEST_CASE("scribe: a result that nobody can take costs none of those around it") {
  const Kept kept;
  Writing writing([&](const Records& results) { kept.store->record_checks(results); });
  auto bad = result_of("run-1");
  bad.suite = "not \xff UTF-8";
  writing.scribe.found({result_of("run-0")});
  writing.scribe.found({bad});
  writing.scribe.found({result_of("run-2")});
  CHECK(await([&] { return kept.store->check_history("production", "api").size() == 2; }));
  CHECK(writing.seen.wait_for("left out", 60s));
  CHECK(writing.lost == 1);
}

TEST_CASE("scribe: what cannot be written at the end is counted") {
  store::Settings settings;
  settings.patience = 300ms;
  const Kept kept(settings);
  const Hanging hanging(kept.file());
  Writing writing([&](const Records& results) { kept.store->record_checks(results); });
  for (std::size_t i = 0; i < 3; ++i) writing.scribe.found({result_of(run_of(i))});
  writing.scribe.end();
  CHECK(writing.lost == 3);
}

TEST_CASE("scribe: whatever a way throws is trouble, and is tried again") {
  watch::Claim claim(nullptr, 1min);
  Seen seen;
  std::atomic<int> times{0};
  watch::Scribe scribe(claim, {[&](const auto&) -> watch::Scribe::Notes {
                                 if (times++ == 0) throw std::runtime_error("a fault");
                                 return {};
                               },
                               [&](const auto&) { seen.add("written"); },
                               [&](const std::string& why) { seen.add(why.empty() ? "over" : why); },
                               [](watch::Claim::State) {},
                               [&](const Records&) {
                                 if (times++ == 2) throw std::runtime_error("another");
                                 seen.add("kept");
                               },
                               [](const auto&, auto) {}});
  scribe.changed();
  scribe.found({result_of("run-0")});
  REQUIRE(seen.wait_for("a fault", 60s));
  CHECK(seen.wait_for("over", 60s));
  CHECK(seen.wait_for("kept", 60s));
}

TEST_CASE("scribe: what is done when nothing waits to be written is left alone while a store takes nothing") {
  watch::Claim claim(nullptr, 1min);
  Seen seen;
  std::atomic<bool> away{true};
  std::atomic<int> idle{0};
  watch::Scribe scribe(claim, {[](const auto&) { return watch::Scribe::Notes{}; },
                               [&](const auto&) {
                                 if (away) throw base::Error(base::ErrorCode::io, "gone");
                                 seen.add("written");
                               },
                               [&](const std::string& why) { seen.add(why.empty() ? "over" : why); },
                               [](watch::Claim::State) {}, [](const Records&) {}, [](const auto&, auto) {},
                               [&] {
                                 ++idle;
                                 throw std::runtime_error("a fault of its own");
                               }});
  scribe.changed();
  REQUIRE(seen.wait_for("gone", 60s));
  const int before = idle;
  std::this_thread::sleep_for(2500ms);  // it is asked every second, and writes again after five
  CHECK(idle == before);
  away = false;
  REQUIRE(seen.wait_for("over", 60s));
  REQUIRE(await([&] { return idle > before + 1; }));
  // Whatever that throws, nothing is wrong with what is written.
  scribe.changed();
  const std::vector<std::string> all{"gone", "over", "written", "written"};
  REQUIRE(await([&] { return seen.all().size() >= all.size(); }));
  auto said = seen.all();
  std::sort(said.begin(), said.end());
  CHECK(said == all);
}

TEST_CASE("courier: a listener that fails keeps nothing from being delivered") {
  Server server([](const std::string&) { return accepted; });
  Seen told;
  auto ways = quiet_ways();
  ways.secret = [](const auto&, const auto&) { return std::string("key"); };
  ways.happened = [&](const watch::Courier::Event& event) {
    told.add(event.incident);
    if (event.incident == "first") throw std::runtime_error("a fault");
  };
  watch::Courier courier({pager("a", server.url())}, ways);
  courier.add({message_for("first", {}), message_for("second", {})});
  CHECK(told.wait_for("second", 60s));
}

TEST_CASE("watcher: what is left is written before its run ends, however late the store takes it") {
  store::Settings settings;
  settings.patience = 1min;
  const Kept kept(settings);
  base::Cancel soft, hard;
  watch::Settings watching;
  watching.soft = &soft, watching.hard = &hard;
  watching.store = kept.store.get();
  watching.ways = quiet_ways();
  watching.log = [](const watch::Note&) {};
  std::unique_ptr<Hanging> hanging;
  auto made = programme(production({scheduled("api", 1ms)}), [&](const auto&, const auto&) {
    hanging = std::make_unique<Hanging>(kept.file());
    soft.request();
    throw base::Error(base::ErrorCode::failed, "trouble");
  });
  watch::Watcher watcher(std::move(made), std::move(watching));
  std::atomic<bool> over{false};
  std::thread running([&] {
    watcher.run();
    over = true;
  });
  REQUIRE(await([&] { return soft.requested(); }));
  std::this_thread::sleep_for(1s);
  CHECK_FALSE(over);
  hanging.reset();
  running.join();
  CHECK(note_of(*kept.store, "watch/suite/api").find("trouble") != std::string::npos);
}

TEST_CASE("watcher: that another one watches is known when its run ends, however late that was found out") {
  const Kept kept;
  auto lock = std::get<store::Lock>(kept.store->try_lock({"production/watch", "watch", "", ""}));
  base::Cancel soft, hard;
  watch::Settings watching;
  watching.soft = &soft, watching.hard = &hard;
  watching.store = kept.store.get();
  watching.lock = &lock;
  watching.ways = quiet_ways();
  watching.log = [](const watch::Note&) {};
  std::atomic<int> lost{0};
  watching.lock_lost = [&] {
    std::this_thread::sleep_for(500ms);
    ++lost;
  };
  watch::Watcher watcher(programme(production({scheduled("api", 1h)}), [](const auto&, const auto&) {}),
                         std::move(watching));
  kept.open({})->steal("production/watch", "", "bob");
  soft.request();
  watcher.run();
  CHECK(lost == 1);
}

TEST_CASE("watcher: what the files are read anew for is found long before the next run") {
  const Kept kept;
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.store = kept.store.get();
  settings.ways = quiet_ways();
  settings.log = [](const watch::Note&) {};
  std::atomic<int> asked{0}, readings{0};
  const auto files = [&] {
    auto made = programme(production({scheduled("api", 24h)}), [](const auto&, const auto&) {});
    made.outdated = [&] { return ++asked == 2; };
    return made;
  };
  settings.read = [&] {
    ++readings;
    return files();
  };
  watch::Watcher watcher(files(), std::move(settings));
  std::thread running([&] { watcher.run(); });
  CHECK(await([&] { return readings == 1; }));
  soft.request();
  running.join();
}
