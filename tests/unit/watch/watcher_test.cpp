#include "board.hpp"
#include "samples.hpp"
#include "scenes.hpp"
#include "unit/verify/flow.hpp"

#include <atomic>
#include <condition_variable>
#include <map>

using namespace std::chrono_literals;
using namespace scenes;

TEST_CASE("watcher: what ended before a pause of the watch, or on a longer schedule, is no silence") {
  const Kept kept;
  watch::Settings settings;
  settings.store = kept.store.get();
  auto before = samples::suite("api", checks::Verdict::pass);
  before.finished = store::now() - 1h;
  kept.store->keep_note("production", "watch/suite/api", watch::to_json(before));

  watch::Board board(settings, "production");
  board.place(production({scheduled("api", 1min)}));
  board.restore();
  CHECK(board.overview().suites.at(0).ever_ran());
  CHECK(board.between_runs({{"api"}}).messages.empty());

  before.finished = store::now() - 10min;
  kept.store->keep_note("production", "watch/suite/api", watch::to_json(before));
  watch::Board shortened(settings, "production");
  shortened.place(production({scheduled("api", 1h)}));
  shortened.restore();
  shortened.place(production({scheduled("api", 1min)}));
  CHECK(shortened.between_runs({{"api"}}).messages.empty());
}

TEST_CASE("watcher: silence of a suite that was waited for all the time is told") {
  watch::Settings settings;
  watch::Board board(settings, "production");
  board.place(production({scheduled("api", 1ms)}));
  board.broke_off({"api"}, "trouble");
  std::this_thread::sleep_for(20ms);
  const auto told = board.between_runs({{"api"}}).messages;
  REQUIRE(told.size() == 1);
  CHECK(told[0].incident.kind == watch::Incident::Kind::silent);
}

TEST_CASE("watcher: a run that breaks off forgets no check: what failed before it and after it is told") {
  watch::Settings settings;
  watch::Board board(settings, "production");
  const auto api = scheduled("api", 1min);
  board.place(production({api}));
  checks::Check charge;
  charge.name = "charge", charge.key = "api/charge";
  const auto failed = [&] {
    verify::CheckResult one;
    one.check = &charge;
    one.verdict = checks::Verdict::fail, one.blocking = true;
    verify::RunResult run;
    run.suites.emplace_back();
    run.suites[0].suite = &api;
    run.suites[0].verdict = checks::Verdict::fail;
    run.suites[0].checks.push_back(one);
    return board.ended(run).messages;
  };
  CHECK(failed().empty());
  CHECK(board.broke_off({"api"}, "trouble").messages.empty());
  const auto known = board.overview().suites.at(0);
  REQUIRE(known.checks.size() == 1);
  CHECK(known.checks[0].verdict == checks::Verdict::skipped);
  CHECK(known.checks[0].reason == "trouble");
  CHECK(known.verdict == checks::Verdict::error);
  const auto fired = failed();
  REQUIRE(fired.size() == 1);
  CHECK(fired[0].incident.culprit == "charge");
  CHECK(fired[0].incident.runs == 2);
}

TEST_CASE("watcher: what its runs make bears the marks of the project, as with any other run of its checks") {
  flow::Fake shop([](const std::string&) { return std::pair{200, std::string("{}")}; });
  staithe::diag::Diagnostics diagnostics;
  auto suite = checks::load_suite(
      "s.yml", flow::head("steps:\n  - {name: look, get: /orders/$(run.id), expect: 200}\n"), {},
      diagnostics);
  REQUIRE(suite);
  suite->schedule = 1ms;
  auto plan = production({*suite});
  plan.project = "shop";
  base::Redactor redactor;
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.ways = quiet_ways();
  settings.log = [](const watch::Note&) {};
  std::string run_id;
  watch::Watcher watcher(programme(plan,
                                   [&](const checks::SuitePlan& part, const verify::Options& options) {
                                     run_id = options.run_id;
                                     verify::run(part, options, shop, nullptr, redactor, {});
                                     soft.request();
                                   }),
                         std::move(settings));
  watcher.run();
  CHECK(shop.asked == std::vector{"GET http://h/orders/" + verify::mark_of_run(run_id, "shop/production")});
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
                    beside = seen.wait_for("pair beside it", 60s);
                    soft.request();
                  } else if (seen.wait_for("long", 0ms) && options.suites_at_once == 1) {
                    seen.add("pair beside it");
                  }
                }),
      std::move(settings));
  watcher.run();
  CHECK(beside);
}

namespace {

/// Runs of suites that take a while: whether one was ever beside itself, and how many there were at once.
class InHand {
 public:
  void run(const checks::SuitePlan& part, std::size_t slots) {
    {
      const std::lock_guard lock(mutex_);
      for (const auto& suite : part.suites) beside_itself_ = ++running_[suite.name] > 1 || beside_itself_;
      most_ = std::max(most_, slots_ += slots);
      runs_ += part.suites.size();
    }
    std::unique_lock lock(mutex_);
    if (most_ >= 3) {
      lock.unlock();
      std::this_thread::sleep_for(3ms);
      lock.lock();
    } else {  // a busy machine begins the next one later
      more_.notify_all();
      more_.wait_for(lock, 1s, [&] { return most_ >= 3; });
    }
    for (const auto& suite : part.suites) --running_[suite.name];
    slots_ -= slots;
  }
  bool beside_itself() const { return locked(beside_itself_); }
  std::size_t most() const { return locked(most_); }
  std::size_t runs() const { return locked(runs_); }

 private:
  template <class Value>
  Value locked(const Value& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;
  std::condition_variable more_;
  std::map<std::string, int> running_;
  std::size_t slots_ = 0, most_ = 0, runs_ = 0;
  bool beside_itself_ = false;
};

}  // namespace

TEST_CASE(
    "watcher: no suite is run beside itself and no more than there is room for, whatever is read anew") {
  InHand in_hand;
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.at_once = 3;
  settings.ways = quiet_ways();
  settings.log = [](const watch::Note&) {};
  watch::Watcher* watcher = nullptr;
  std::atomic<int> readings = 0;
  const auto files = [&](std::vector<std::string> needs) {
    return programme(
        production({scheduled("a", 1ms), scheduled("b", 1ms), scheduled("c", 1ms),
                    scheduled("d", 1ms, std::move(needs)), scheduled("e", 1ms), scheduled("f", 1ms)}),
        [&](const checks::SuitePlan& part, const verify::Options& options) {
          in_hand.run(part, options.suites_at_once);
          if (in_hand.runs() % 10 == 0) watcher->reload();
          if (in_hand.runs() > 400 && readings > 5) soft.request();
        });
  };
  // Suites that are in hand come to depend on others, and back: units change under them.
  settings.read = [&] { return ++readings % 2 == 1 ? files({"a", "b"}) : files({"c"}); };
  watch::Watcher made(files({}), std::move(settings));
  watcher = &made;
  made.run();
  CHECK_FALSE(in_hand.beside_itself());
  CHECK(in_hand.most() == 3);
}

TEST_CASE("state: the counter of flips adds what the history counts") {
  using checks::Verdict;
  struct Run {
    Verdict verdict;
    std::string release = "r1", text = "t", tolerated = {};
    bool flaky = false;
  };
  /// By the counter and by the history, which must not differ.
  const auto flips = [](const std::vector<Run>& runs) {
    checks::Suite suite;
    checks::Check check;
    check.key = "api/a";
    verify::Memory memory;
    watch::SuiteState state;
    int minute = 0;
    for (const auto& each : runs) {
      check.text_id = each.text;
      verify::CheckResult one;
      one.check = &check;
      one.verdict = each.verdict, one.tolerated = each.tolerated, one.flaky = each.flaky;
      one.started = watch::Time(std::chrono::minutes(++minute));
      one.past = verify::past_of(memory.of(check.key), verify::mark_of(each.text));
      verify::RunResult run;
      run.release = each.release;
      run.suites.emplace_back();
      run.suites[0].suite = &suite;
      run.suites[0].checks.push_back(one);
      watch::take(state, run.suites[0], run, {});
      memory.add(run);
    }
    CHECK(verify::past_of(memory.of(check.key), verify::mark_of(runs.back().text)).flips ==
          state.checks.at(0).flips);
    return state.checks.at(0).flips;
  };
  CHECK(flips({{Verdict::fail}, {Verdict::pass}, {Verdict::pass}}) == 1);
  CHECK(flips({{Verdict::fail}, {Verdict::skipped}, {Verdict::degraded}}) == 1);
  CHECK(flips({{Verdict::fail}, {Verdict::pass, "r1", "t", "", true}}) == 2);
  CHECK(flips({{Verdict::fail}, {Verdict::error}, {Verdict::pass}}) == 0);
  CHECK(flips({{Verdict::fail}, {Verdict::pass, "r2"}}) == 0);
  CHECK(flips({{Verdict::fail, ""}, {Verdict::pass, ""}}) == 1);
  CHECK(flips({{Verdict::fail}, {Verdict::tolerated, "r1", "t", "geo"}, {Verdict::pass}}) == 0);
  CHECK(flips({{Verdict::fail}, {Verdict::degraded, "r1", "t", "geo"}}) == 0);
  CHECK(flips({{Verdict::fail, "r1", "before"}, {Verdict::pass}}) == 0);
}

TEST_CASE("watcher: a run that hangs is seen to miss its turns while it does") {
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.ways = quiet_ways();
  settings.log = [](const watch::Note&) {};
  watch::Watcher* watcher = nullptr;
  bool seen = false;
  std::atomic<bool> done = false;
  const auto missed = [&] { return watcher->overview().suites.at(0).missed; };
  watch::Watcher made(programme(production({scheduled("a", 20ms)}),
                                [&](const checks::SuitePlan&, const verify::Options&) {
                                  if (done.exchange(true)) return;
                                  seen = await([&] { return missed() > 3; });
                                  soft.request();
                                }),
                      std::move(settings));
  watcher = &made;
  made.run();
  CHECK(seen);
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
    watch::Alerts alerts({"", "production", 4h});
    checks::Suite policy;
    policy.name = "gone";
    policy.alert.after = 1;
    auto failed = samples::after(samples::suite("gone", checks::Verdict::fail), 1);
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
  CHECK(await([&] { return kept.store->notes("production").at("watch/alerts") == "[]"; }));
}

TEST_CASE("watcher: trouble with the history is shown without secrets") {
  watch::Settings settings;
  settings.ways.clean = [](const std::string& text) { return std::string(text.empty() ? "" : "cleaned"); };
  watch::Board board(settings, "production");
  board.history_trouble("postgres://me:secret@db");
  CHECK(board.overview().history_trouble == "cleaned");
  board.history_trouble("");
  board.notes_trouble("postgres://me:secret@db");
  CHECK(board.overview().history_trouble == "cleaned");
}
