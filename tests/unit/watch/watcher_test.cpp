#include "board.hpp"
#include "catch.hpp"
#include "samples.hpp"
#include "unit/http/server.hpp"

#include "staithe/base/error.hpp"
#include "staithe/store/store.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>

using namespace std::chrono_literals;

namespace {

namespace watch = staithe::watch;
namespace checks = staithe::checks;
namespace verify = staithe::verify;
namespace store = staithe::store;
namespace base = staithe::base;

/// A store in a directory of its own.
struct Kept {
  Kept() {
    std::string pattern = (std::filesystem::temp_directory_path() / "staithe-watch-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    directory = pattern;
    store = store::Store::open_sqlite((directory / "state.db").string());
  }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() {
    store.reset();
    std::filesystem::remove_all(directory);
  }
  std::filesystem::path directory;
  std::unique_ptr<store::Store> store;
};

checks::Suite scheduled(const std::string& name, base::Duration every, std::vector<std::string> needs = {}) {
  checks::Suite made;
  made.name = name;
  made.schedule = every;
  made.depends_on = std::move(needs);
  return made;
}

checks::SuitePlan production(std::vector<checks::Suite> suites) {
  return {"", "production", std::move(suites)};
}

watch::Courier::Ways quiet_ways() {
  watch::Courier::Ways ways;
  ways.clean = [](const std::string& text) { return text; };
  ways.happened = [](const watch::Courier::Event&) {};
  ways.secret = [](const auto&, const auto&) -> std::string {
    throw base::Error(base::ErrorCode::failed, "nobody knows it");
  };
  return ways;
}

/// What has been seen, for threads that wait for it.
class Seen {
 public:
  void add(const std::string& what) {
    {
      const std::lock_guard lock(mutex_);
      all_.push_back(what);
    }
    changed_.notify_all();
  }
  bool wait_for(const std::string& what, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return count(what) > 0; });
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  std::ptrdiff_t count(const std::string& what) const { return std::count(all_.begin(), all_.end(), what); }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

using Run = std::function<void(const checks::SuitePlan& part, const verify::Options& options)>;

watch::Programme programme(checks::SuitePlan plan, Run run) {
  watch::Programme made;
  made.plan = std::move(plan);
  made.run = [run = std::move(run)](const checks::SuitePlan& part, const verify::Options& options, bool&) {
    run(part, options);
    verify::RunResult result;
    result.interrupted = true;
    return result;
  };
  return made;
}

watch::Message message_for(const std::string& suite, std::vector<std::string> to) {
  watch::Message made;
  made.incident.id = suite;
  made.incident.suite = suite;
  made.to = std::move(to);
  return made;
}

watch::Destination pager(const std::string& name, const std::string& url) {
  watch::Destination made;
  made.name = name;
  made.kind = watch::Destination::Kind::pagerduty;
  made.url = url;
  return made;
}

}  // namespace

TEST_CASE("watcher: what ended before a pause of the watch, or on a longer schedule, is no silence") {
  const Kept kept;
  watch::Settings settings;
  settings.store = kept.store.get();
  watch::Courier courier({}, quiet_ways());
  auto before = samples::suite("api", checks::Verdict::pass);
  before.finished = store::now() - 1h;
  kept.store->keep_note("production", "watch/suite/api", watch::to_json(before));

  watch::Board board(settings, "production");
  board.place(production({scheduled("api", 1min)}));
  board.restore(courier);
  CHECK(board.overview().suites.at(0).ever_ran());
  CHECK(board.between_runs({{"api"}}).empty());

  before.finished = store::now() - 10min;
  kept.store->keep_note("production", "watch/suite/api", watch::to_json(before));
  watch::Board shortened(settings, "production");
  shortened.place(production({scheduled("api", 1h)}));
  shortened.restore(courier);
  shortened.place(production({scheduled("api", 1min)}));
  CHECK(shortened.between_runs({{"api"}}).empty());
}

TEST_CASE("watcher: silence of a suite that was waited for all the time is told") {
  watch::Settings settings;
  watch::Board board(settings, "production");
  board.place(production({scheduled("api", 1ms)}));
  board.broke_off({"api"}, "trouble");
  std::this_thread::sleep_for(20ms);
  const auto told = board.between_runs({{"api"}});
  REQUIRE(told.size() == 1);
  CHECK(told[0].incident.kind == watch::Incident::Kind::silent);
}

TEST_CASE("watcher: suites that depend on each other are run with what room there is") {
  Seen seen;
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.at_once = 2;
  settings.ways = quiet_ways();
  settings.log = [](const watch::Note&) {};
  bool beside = false;
  watch::Watcher watcher(
      programme(production({scheduled("long", 1ms), scheduled("a", 300ms), scheduled("b", 300ms, {"a"})}),
                [&](const checks::SuitePlan& part, const verify::Options& options) {
                  if (part.suites.front().name == "long") {
                    seen.add("long");
                    beside = seen.wait_for("pair beside it", 5s);
                    soft.request();
                  } else if (seen.wait_for("long", 0ms) && options.suites_at_once == 1) {
                    seen.add("pair beside it");
                  }
                }),
      std::move(settings));
  watcher.run();
  CHECK(beside);
}

TEST_CASE("watcher: who has waited longest is run first") {
  Seen seen;
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.at_once = 1;
  settings.ways = quiet_ways();
  settings.log = [](const watch::Note&) {};
  watch::Watcher watcher(
      programme(production({scheduled("a", 2ms), scheduled("b", 2ms), scheduled("last", 2ms)}),
                [&](const checks::SuitePlan& part, const verify::Options&) {
                  seen.add(part.suites.front().name);
                  std::this_thread::sleep_for(20ms);
                  if (part.suites.front().name == "last" || seen.all().size() >= 40) soft.request();
                }),
      std::move(settings));
  watcher.run();
  CHECK(seen.wait_for("last", 0ms));
}

TEST_CASE("watcher: an incident of a suite that was taken away during a pause ends") {
  const Kept kept;
  {
    watch::Alerts alerts({"production", 4h});
    checks::Suite policy;
    policy.name = "gone";
    policy.alert.after = 1;
    auto failed = samples::suite("gone", checks::Verdict::fail);
    failed.failed_in_a_row = 1;
    REQUIRE(alerts.after_run({&failed}, {{"gone", &policy}}, store::now()).size() == 1);
    kept.store->keep_note("production", "watch/alerts", alerts.to_json());
  }
  Seen told;
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.store = kept.store.get();
  settings.ways = quiet_ways();
  settings.log = [&](const watch::Note& note) {
    for (const auto& [name, value] : note.facts)
      if (note.event == "alert" && (name == "state" || name == "suite")) told.add(value);
  };
  const watch::Watcher watcher(programme(production({scheduled("api", 1h)}), [](const auto&, const auto&) {}),
                               std::move(settings));
  CHECK(watcher.overview().incidents.empty());
  CHECK(told.all() == std::vector<std::string>{"recovered", "gone"});
  CHECK(kept.store->notes("production").at("watch/alerts") == "[]");
}

TEST_CASE("watcher: trouble with the history is shown without secrets") {
  watch::Settings settings;
  settings.ways.clean = [](const std::string&) { return std::string("cleaned"); };
  watch::Board board(settings, "production");
  board.history_trouble("postgres://me:secret@db");
  CHECK(board.overview().history_trouble == "cleaned");
  verify::RunResult run;
  run.history_trouble = "postgres://me:secret@db";
  board.ended(run);
  CHECK(board.overview().history_trouble == "cleaned");
}

TEST_CASE("courier: the message that was sent goes, not the one that has taken its place") {
  Server server([](const std::string&) { return "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"; });
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

TEST_CASE("courier: the oldest message goes first, whoever it is for") {
  Seen tried;
  auto ways = quiet_ways();
  ways.happened = [&](const watch::Courier::Event& event) { tried.add(event.incident); };
  watch::Courier courier({pager("a", "http://127.0.0.1:1/"), pager("z", "http://127.0.0.1:1/")}, ways);
  courier.add({message_for("older", {"a"}), message_for("newer", {"z"})});
  REQUIRE(tried.wait_for("older", 10s));
  REQUIRE(tried.wait_for("newer", 10s));
  CHECK(tried.all().at(0) == "older");
}
