#include "catch.hpp"
#include "samples.hpp"

#include "staithe/watch/alerts.hpp"

#include <nlohmann/json.hpp>

#include <deque>

using namespace samples;
using namespace std::chrono_literals;
using watch::Alerts;
using watch::Incident;
using watch::Message;

namespace {

using Found = std::vector<std::pair<std::string, Verdict>>;
using Words = std::vector<std::string>;

constexpr auto ok = Verdict::pass, bad = Verdict::fail, err = Verdict::error, skip = Verdict::skipped,
               cut = Verdict::aborted, warn = Verdict::degraded;

/// A suite whose runs find what the test says, five minutes apart; told through what a watch really does.
struct Watched {
  Watched() {
    policy.name = "api";
    state = watch::state_of(policy, 5min, steady);
  }

  Words run(const Found& found, Verdict verdict, const std::string& reason = {}) {
    verify::RunResult run;
    verify::SuiteResult result;
    result.suite = &policy;
    result.verdict = verdict;
    result.reason = reason;
    result.started = now;
    for (const auto& [name, found_verdict] : found) {
      verify::CheckResult one;
      one.check = &known(name);
      one.suite = "api";
      one.verdict = found_verdict;
      one.reason = found_verdict == ok ? "" : "got " + std::to_string(++answers);
      one.blocking = minor.count(name) == 0;
      one.started = now;
      result.checks.push_back(one);
    }
    watch::take(state, result, run, steady);
    last = alerts.after_run({&state}, {{"api", &policy}}, now);
    now += 5min;
    return told();
  }
  Words run(const Found& found) {
    auto worst = ok;
    for (const auto& [name, verdict] : found) {
      const bool colours = minor.count(name) > 0 && verdict > warn;
      worst = std::max(worst, verdict == skip ? err : colours ? warn : verdict);
    }
    return run(found, worst);
  }

  void restart() {
    Alerts next({"shop", "production", 4h});
    next.restore(alerts.to_json());
    alerts = std::move(next);
    auto fresh = watch::state_of(policy, 5min, steady);
    watch::restore(fresh, watch::to_json(state), now, steady);
    state = std::move(fresh);
  }

  const checks::Check& known(const std::string& name) {
    for (const auto& one : checks)
      if (one.name == name) return one;
    checks.emplace_back();
    checks.back().name = name;
    checks.back().key = "api/" + name;
    return checks.back();
  }

  /// "fired api/failing/charge"
  Words told() const {
    Words words;
    const std::string all = "staithe/shop/production/";
    for (const auto& one : last)
      words.push_back(std::string(watch::name_of(one.kind)) + " " + one.incident.id.substr(all.size()));
    return words;
  }

  std::deque<checks::Check> checks;
  std::set<std::string> minor;
  checks::Suite policy;
  watch::SuiteState state;
  Alerts alerts{{"shop", "production", 4h}};
  watch::Time now = wall;
  std::vector<Message> last;
  int answers = 0;
};

Words nothing() {
  return {};
}

}  // namespace

TEST_CASE("causes: runs are counted for each: two checks that fail once each are nobody's business") {
  Watched scene;
  for (int i = 0; i < 2; ++i) {
    CHECK(scene.run({{"charge", bad}, {"refund", ok}}) == nothing());
    CHECK(scene.run({{"charge", ok}, {"refund", bad}}) == nothing());
  }
  CHECK(scene.run({{"charge", ok}, {"refund", bad}}) == Words{"fired api/failing/refund"});
  CHECK(scene.last[0].incident.culprit == "refund");
  CHECK(scene.last[0].incident.since == scene.now - 10min);
  CHECK(scene.last[0].incident.runs == 2);
}

TEST_CASE("causes: a second one is told of while the first goes on, and each has its own end") {
  Watched scene;
  scene.run({{"charge", bad}, {"refund", ok}});
  REQUIRE(scene.run({{"charge", bad}, {"refund", ok}}) == Words{"fired api/failing/charge"});
  CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == nothing());
  CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == Words{"fired api/failing/refund"});
  CHECK(scene.last[0].incident.details.size() == 1);
  CHECK(scene.run({{"charge", ok}, {"refund", bad}}) == Words{"recovered api/failing/charge"});
  CHECK(watch::text_of(scene.last[0], "shop") ==
        "shop production/api: charge has recovered after 20m00s\n  still failing: refund");
  CHECK(scene.run({{"charge", ok}, {"refund", ok}}) == Words{"recovered api/failing/refund"});
  CHECK(watch::text_of(scene.last[0], "shop") == "shop production/api: refund has recovered after 15m00s");
  CHECK(scene.alerts.open().empty());
}

TEST_CASE("causes: when all is down that is one alert, also when it went down in the middle of a run") {
  Watched scene;
  Found half, all, none;
  for (int i = 0; i < 200; ++i) {
    const auto name = "check " + std::to_string(i);
    half.emplace_back(name, i < 100 ? ok : bad);
    all.emplace_back(name, bad);
    none.emplace_back(name, ok);
  }
  CHECK(scene.run(half) == nothing());
  CHECK(scene.run(all) == Words{"fired api/failing/check 100"});
  CHECK(scene.last[0].incident.details.size() == 11);
  CHECK_THAT(watch::text_of(scene.last[0], "shop"),
             ContainsSubstring("shop production/api fails: check 0 and 199 more: got"));
  for (int i = 0; i < 5; ++i) CHECK(scene.run(all) == nothing());
  // Half of it is back, and gone again: the same is going on.
  CHECK(scene.run(half) == nothing());
  for (int i = 0; i < 5; ++i) CHECK(scene.run(all) == nothing());
  scene.restart();
  CHECK(scene.run(all) == nothing());
  CHECK(scene.run(none) == Words{"recovered api/failing/check 100"});
  CHECK_THAT(watch::text_of(scene.last[0], "shop"),
             ContainsSubstring("check 100, check 0, check 1 and 197 more have recovered"));
}

TEST_CASE("causes: what failed only in the run of an alert, and later again, is told of") {
  Watched scene;
  scene.run({{"charge", bad}, {"refund", ok}});
  REQUIRE(scene.run({{"charge", bad}, {"refund", bad}}) == Words{"fired api/failing/charge"});
  CHECK(scene.last[0].incident.details.size() == 2);
  CHECK(scene.run({{"charge", bad}, {"refund", ok}}) == nothing());
  CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == nothing());
  CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == Words{"fired api/failing/refund"});
}

TEST_CASE("causes: one that has long been well is news when it fails again, though the alert goes on") {
  Watched scene;
  scene.run({{"charge", bad}, {"refund", bad}});
  REQUIRE(scene.run({{"charge", bad}, {"refund", bad}}) == Words{"fired api/failing/charge"});
  for (int i = 0; i < 9; ++i) CHECK(scene.run({{"charge", bad}, {"refund", ok}}) == nothing());
  for (int i = 0; i < 2; ++i) CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == nothing());
  for (int i = 0; i < 10; ++i) CHECK(scene.run({{"charge", bad}, {"refund", ok}}) == nothing());
  CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == nothing());
  CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == Words{"fired api/failing/refund"});
}

TEST_CASE("causes: the one that an alert began with is news too, when others keep the alert going") {
  Watched scene;
  const Found both{{"charge", bad}, {"refund", bad}};
  scene.run(both);
  REQUIRE(scene.run(both) == Words{"fired api/failing/charge"});
  for (int i = 0; i < 9; ++i) CHECK(scene.run({{"charge", ok}, {"refund", bad}}) == nothing());
  for (int i = 0; i < 2; ++i) CHECK(scene.run(both) == nothing());
  for (int i = 0; i < 10; ++i) CHECK(scene.run({{"charge", ok}, {"refund", bad}}) == nothing());
  CHECK(scene.run(both) == nothing());
  CHECK(scene.run(both) == Words{"fired api/failing/charge#2"});
  CHECK(scene.last[0].incident.culprit == "charge");
  CHECK(scene.last[0].incident.runs == 2);
  scene.restart();
  CHECK(scene.run(both) == nothing());
  CHECK(scene.run({{"charge", bad}, {"refund", ok}}) == Words{"recovered api/failing/charge"});
  CHECK_THAT(watch::text_of(scene.last[0], "shop"), ContainsSubstring("api: refund has recovered"));
  CHECK_THAT(watch::text_of(scene.last[0], "shop"), ContainsSubstring("still failing: charge"));
  CHECK(scene.run({{"charge", ok}, {"refund", ok}}) == Words{"recovered api/failing/charge#2"});
  scene.run(both);
  CHECK(scene.run(both) == Words{"fired api/failing/charge"});
}

TEST_CASE(
    "causes: what was not run because of one belongs to it, and a run that was cut short forgets none") {
  Watched scene;
  scene.run({{"login", ok}, {"charge", bad}});
  // Nobody knows how the second one is, so it is neither mended nor failing again.
  scene.run({{"login", bad}, {"charge", skip}});
  CHECK(scene.run({{"login", ok}, {"charge", bad}}) == Words{"fired api/failing/charge"});
  CHECK(scene.run({{"login", bad}, {"charge", skip}}) == nothing());
  CHECK(scene.run({{"login", bad}, {"charge", skip}}) == Words{"fired api/failing/login"});
  CHECK(scene.last[0].incident.details.size() == 1);
  CHECK(scene.run({{"login", ok}, {"charge", bad}}) == Words{"recovered api/failing/login"});
  CHECK(scene.run({{"login", ok}, {"charge", ok}}) == Words{"recovered api/failing/charge"});
}

TEST_CASE("causes: the suite as a whole, when no check is to blame") {
  Watched scene;
  CHECK(scene.run({}, err, "the run broke off: no memory") == nothing());
  CHECK(scene.run({}, err, "the run broke off: no memory") == Words{"fired api/failing"});
  CHECK(scene.last[0].incident.reason == "the run broke off: no memory");
  scene.restart();
  CHECK(scene.run({}, err, "the run broke off: no memory") == nothing());
  // It is over, and something else is not.
  CHECK(scene.run({{"charge", bad}}) == Words{"recovered api/failing"});
  CHECK(scene.run({{"charge", bad}}) == Words{"fired api/failing/charge"});
  // A check is not known to be well because a run came to nothing.
  CHECK(scene.run({}, err, "the run broke off: no memory") == nothing());
  CHECK(scene.run({{"charge", ok}}) == Words{"recovered api/failing/charge"});
  // A budget ends wherever it ends: that is one cause.
  CHECK(scene.run({{"charge", cut}, {"refund", cut}}) == nothing());
  CHECK(scene.run({{"charge", ok}, {"refund", cut}}) == Words{"fired api/failing"});
  CHECK(scene.last[0].incident.culprit == "refund");
  CHECK(scene.run({{"charge", ok}, {"refund", ok}}) == Words{"recovered api/failing"});
}

TEST_CASE("causes: no run ends well, each for another reason: that is told too, later") {
  Watched scene;
  const Words names{"a", "b", "c", "d", "e"};
  const auto run = [&](std::size_t failing) {
    Found found;
    for (std::size_t i = 0; i < names.size(); ++i)
      found.emplace_back(names[i], i < failing ? ok : i == failing ? bad : skip);
    return scene.run(found);
  };
  for (const std::size_t failing : {0U, 1U, 2U, 3U, 4U}) CHECK(run(failing) == nothing());
  CHECK(run(1) == Words{"fired api/unsteady"});
  CHECK_THAT(
      watch::text_of(scene.last[0], "shop"),
      ContainsSubstring("shop production/api fails again and again: no run has ended well 6 times, not "
                        "always for the same reason; now b: got"));
  // The same one twice by chance is no news now; for good it is.
  for (const std::size_t failing : {0U, 0U, 3U, 2U, 2U}) CHECK(run(failing) == nothing());
  scene.restart();
  for (int i = 0; i < 3; ++i) CHECK(run(2) == nothing());
  CHECK(run(2) == Words{"fired api/failing/c"});
  CHECK(run(5) == Words{"recovered api/failing/c", "recovered api/unsteady"});
}

TEST_CASE("causes: runs that an alert has explained make nothing unsteady") {
  Watched scene;
  const Found charge{{"charge", bad}, {"refund", ok}}, refund{{"charge", ok}, {"refund", bad}};
  scene.run(charge);
  REQUIRE(scene.run(charge) == Words{"fired api/failing/charge"});
  for (int i = 0; i < 6; ++i) CHECK(scene.run(charge) == nothing());
  const auto begun = scene.now;
  CHECK(scene.run(refund) == Words{"recovered api/failing/charge"});
  CHECK(scene.run(charge) == nothing());
  CHECK(scene.run(refund) == nothing());
  scene.restart();
  CHECK(scene.run(charge) == nothing());
  CHECK(scene.run(refund) == nothing());
  CHECK(scene.run(charge) == Words{"fired api/unsteady"});
  CHECK(scene.last[0].incident.since == begun);
  CHECK(scene.last[0].incident.runs == 6);
}

TEST_CASE("causes: counted through a restart") {
  Watched scene;
  scene.policy.alert.after = 3;
  const auto begun = scene.now;
  CHECK(scene.run({{"charge", bad}}) == nothing());
  CHECK(scene.run({{"charge", err}}) == nothing());
  scene.restart();
  CHECK(scene.run({{"charge", bad}}) == Words{"fired api/failing/charge"});
  CHECK(scene.last[0].incident.runs == 3);
  CHECK(scene.last[0].incident.since == begun);
}

TEST_CASE("causes: of an alert whose causes are not known any more, those are that fail now") {
  Watched scene;
  scene.alerts.restore(
      R"([{"kind":"failing","id":"staithe/production/api/failing","suite":"api","told":true}])");
  CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == nothing());
  CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == nothing());
  scene.run({{"charge", ok}, {"refund", ok}});
  REQUIRE(scene.last.size() == 1);
  CHECK(scene.last[0].incident.id == "staithe/production/api/failing");
  CHECK(scene.alerts.open().empty());
}

TEST_CASE("causes: a check that is gone, or counts no more, is over") {
  Watched scene;
  scene.run({{"charge", bad}, {"refund", ok}});
  REQUIRE(scene.run({{"charge", bad}, {"refund", bad}}) == Words{"fired api/failing/charge"});
  CHECK(scene.run({{"refund", bad}}) == nothing());  // it fell together with the first
  CHECK(scene.run({{"charge", ok}}) == Words{"recovered api/failing/charge"});
  scene.run({{"charge", bad}, {"refund", bad}});
  REQUIRE(scene.run({{"charge", bad}, {"refund", bad}}).size() == 1);
  scene.minor = {"charge", "refund"};
  CHECK(scene.run({{"charge", bad}, {"refund", bad}}) == Words{"recovered api/failing/charge"});
}

TEST_CASE("causes: how long a check is degraded is counted for each") {
  Watched scene;
  scene.policy.alert.degraded_for = 20min;
  for (int i = 0; i < 4; ++i) {
    CHECK(scene.run({{"charge", warn}, {"refund", ok}}) == nothing());
    CHECK(scene.run({{"charge", ok}, {"refund", warn}}) == nothing());
  }
  // Failing ends nothing of that, and neither does a run that did not come to it.
  CHECK(scene.run({{"charge", bad}, {"refund", skip}}) == nothing());
  CHECK(scene.run({{"charge", ok}, {"refund", warn}}) == nothing());
  CHECK(scene.run({{"charge", ok}, {"refund", warn}}) == nothing());
  CHECK(scene.run({{"charge", ok}, {"refund", warn}}) == Words{"fired api/degraded/refund"});
  CHECK(scene.run({{"charge", ok}, {"refund", bad}}) == nothing());
  CHECK(scene.run({{"charge", ok}, {"refund", ok}}) == Words{"recovered api/degraded/refund"});
  // What does not block colours the suite: it is what is degraded.
  scene.minor = {"extra"};
  for (int i = 0; i < 4; ++i) CHECK(scene.run({{"charge", ok}, {"extra", bad}}) == nothing());
  CHECK(scene.run({{"charge", ok}, {"extra", err}}) == Words{"fired api/degraded/extra"});
}

TEST_CASE("causes: the key of a pager tells projects, suites and causes apart, in 255 characters") {
  Watched scene;
  scene.policy.alert.after = 1;
  std::set<std::string> keys;
  for (const char* end : {"a", "b"}) {
    const std::string name = std::string(400, 'x') + end;
    REQUIRE(scene.run({{name, bad}}).size() == 1);
    const auto key = nlohmann::json::parse(watch::pagerduty_body(scene.last[0], "shop", "R"))["dedup_key"]
                         .get<std::string>();
    CHECK(key.size() <= 255);
    CHECK_THAT(key, ContainsSubstring("staithe/shop/production/api/failing/xxx"));
    keys.insert(key);
    scene.run({{name, ok}});
  }
  CHECK(keys.size() == 2);
}
