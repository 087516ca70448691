#include "catch.hpp"
#include "samples.hpp"

#include <nlohmann/json.hpp>

using namespace samples;
using namespace std::chrono_literals;
using watch::Alerts;
using watch::Message;
using Kind = Message::Kind;

namespace {

/// One suite or several, run after run, with a clock that the test sets.
struct Scene {
  explicit Scene(const std::vector<std::string>& names, base::Duration remind = 4h)
      : alerts({"shop", "production", remind}) {
    for (const auto& name : names) {
      suites[name].name = name;
      policies[name] = &suites[name];
    }
  }
  std::vector<Message> run(std::vector<watch::SuiteState> ended) {
    std::vector<watch::SuiteState*> pointers;
    for (auto& one : ended) pointers.push_back(&one);
    return alerts.after_run(pointers, policies, now);
  }
  std::vector<Message> run(Verdict verdict, std::uint32_t in_a_row = 1) {
    if (verdict != Verdict::degraded) degraded_since = now + 1ms;
    degraded_since = std::min(degraded_since, now);
    return run({after(suite("api", verdict, {check("charge", verdict, "wanted 100, got 1")}),
                      std::max(in_a_row, 1U), degraded_since)});
  }
  std::vector<Message> between() { return alerts.between_runs({}, policies, now); }

  Alerts alerts;
  std::map<std::string, checks::Suite> suites;
  std::map<std::string, const checks::Suite*> policies;
  watch::Time now = wall, degraded_since = wall;
};

std::vector<Kind> kinds(const std::vector<Message>& messages) {
  std::vector<Kind> found;
  for (const auto& one : messages) found.push_back(one.kind);
  return found;
}

}  // namespace

TEST_CASE("alerts: told after the declared number of runs, once, and again when it is over") {
  Scene scene({"api"});
  CHECK(scene.run(Verdict::fail, 1).empty());
  const auto fired = scene.run(Verdict::fail, 2);
  REQUIRE(kinds(fired) == std::vector{Kind::fired});
  CHECK(fired[0].incident.id == "staithe/shop/production/api/failing/charge");
  CHECK(fired[0].incident.culprit == "charge");
  CHECK(scene.run(Verdict::fail, 3).empty());
  CHECK(scene.run(Verdict::error, 4).empty());
  scene.now += 5min;
  const auto over = scene.run(Verdict::pass, 0);
  REQUIRE(kinds(over) == std::vector{Kind::recovered});
  CHECK(over[0].incident.id == fired[0].incident.id);
  CHECK(over[0].notice);
  CHECK(scene.run(Verdict::pass, 0).empty());
}

TEST_CASE("alerts: one failed run that mends itself is nobody's business") {
  Scene scene({"api"});
  for (int i = 0; i < 10; ++i) {
    CHECK(scene.run(Verdict::fail, 1).empty());
    CHECK(scene.run(Verdict::pass, 0).empty());
  }
  CHECK(scene.alerts.open().empty());
}

TEST_CASE(
    "alerts: a critical smoke test may alert at once; what cannot be judged counts; tolerated is well") {
  Scene scene({"api"});
  scene.suites["api"].alert.after = 1;
  CHECK(scene.run(Verdict::tolerated, 0).empty());
  CHECK(kinds(scene.run(Verdict::aborted, 1)) == std::vector{Kind::fired});
}

TEST_CASE("alerts: recovery is told as the suite says, and to a pager in any case") {
  Scene scene({"api"});
  scene.suites["api"].alert.after = 1;
  scene.suites["api"].alert.recovered = false;
  REQUIRE(scene.run(Verdict::fail, 1).size() == 1);
  const auto over = scene.run(Verdict::pass, 0);
  REQUIRE(over.size() == 1);
  CHECK_FALSE(over[0].notice);
}

TEST_CASE("alerts: one for a cause, which names what was not run because of it") {
  Scene scene({"signup", "invoices", "reports", "other"});
  for (auto& [name, one] : scene.suites) one.alert.after = 1;
  auto signup = suite("signup", Verdict::fail,
                      {check("a", Verdict::pass), check("create", Verdict::fail, "500"),
                       check("use", Verdict::skipped, "blocked: 'create' failed before it")});
  signup = after(signup, 1);
  auto invoices = suite("invoices", Verdict::skipped, {check("draft", Verdict::skipped)});
  invoices.reason = "blocked: needs suite 'signup', which ended with fail";
  invoices.blocked = true;
  auto reports = suite("reports", Verdict::skipped);
  reports.reason = "blocked: needs suite 'signup', which ended with fail";
  reports.blocked = true;
  const auto fired = scene.run({signup, invoices, reports, suite("other", Verdict::pass)});
  REQUIRE(fired.size() == 1);
  CHECK(fired[0].incident.suite == "signup");
  CHECK(fired[0].incident.culprit == "create");
  CHECK(fired[0].incident.details.size() == 1);
  CHECK(fired[0].incident.blocked == std::vector<std::string>{"invoices", "reports"});
  const auto text = watch::text_of(fired[0], "shop");
  CHECK_THAT(text, ContainsSubstring("shop production/signup fails: create: 500"));
  CHECK_THAT(text, ContainsSubstring("not run because of it: invoices, reports"));
}

TEST_CASE("alerts: a suite that was not run says nothing, neither good nor bad") {
  Scene scene({"api"});
  REQUIRE(scene.run(Verdict::fail, 2).size() == 1);
  auto skipped = suite("api", Verdict::skipped);
  skipped.blocked = true;
  CHECK(scene.run({skipped}).empty());
  CHECK(scene.alerts.open().size() == 1);
  CHECK(kinds(scene.run(Verdict::pass, 0)) == std::vector{Kind::recovered});
}

TEST_CASE("alerts: of several undos of one step those of the run before are counted on from the worst") {
  checks::Check undo;
  undo.name = "undo: make", undo.key = "api/undo: make";
  const checks::Suite api;
  verify::SuiteResult result;
  result.suite = &api;
  for (const auto verdict : {Verdict::pass, Verdict::fail, Verdict::pass}) {
    result.checks.emplace_back();
    result.checks.back().check = &undo;
    result.checks.back().verdict = verdict;
    result.checks.back().started = wall;
  }
  watch::SuiteState state;
  for (std::uint32_t runs = 1; runs <= 3; ++runs) {
    watch::take(state, result, {}, steady);
    CHECK(state.checks.at(1).failing.runs == runs);
    CHECK(state.checks.at(2).failing.runs == 0);
  }
}

TEST_CASE("alerts: what a suite left out by itself is told of, also after a run that was blocked") {
  Scene scene({"api"});
  scene.suites["api"].alert.after = 1;
  auto state = watch::state_of(scene.suites["api"], 1min, steady);
  const auto ended = [&](Verdict verdict, bool blocked, const std::string& reason) {
    verify::SuiteResult result;
    result.suite = &scene.suites["api"];
    result.verdict = verdict;
    result.blocked = blocked;
    result.reason = reason;
    result.started = wall;
    watch::take(state, result, {}, steady);
    return scene.run({state});
  };
  CHECK(ended(Verdict::skipped, true, "blocked: needs suite 'token', which ended with fail").empty());
  CHECK(state.failures == 0);
  auto restarted = watch::state_of(scene.suites["api"], 1min, steady);
  watch::restore(restarted, watch::to_json(state), wall, steady);
  CHECK(restarted.blocked);
  const auto fired =
      ended(Verdict::error, false, "'charge' was not judged: blocked: 'banner' failed before it");
  REQUIRE(kinds(fired) == std::vector{Kind::fired});
  CHECK(fired[0].incident.reason == "'charge' was not judged: blocked: 'banner' failed before it");
  // Whatever the word for it: not having been blocked is what counts.
  CHECK(ended(Verdict::skipped, false, "").empty());
  CHECK(state.failures == 2);
  CHECK(kinds(ended(Verdict::pass, false, "")) == std::vector{Kind::recovered});
}

TEST_CASE("alerts: degraded for longer than the suite bears") {
  Scene scene({"api"});
  CHECK(scene.run(Verdict::degraded, 0).empty());
  scene.suites["api"].alert.degraded_for = 1h;
  CHECK(scene.run(Verdict::degraded, 0).empty());
  scene.now += 59min;
  CHECK(scene.run(Verdict::degraded, 0).empty());
  scene.now += 1min;
  const auto fired = scene.run(Verdict::degraded, 0);
  REQUIRE(kinds(fired) == std::vector{Kind::fired});
  CHECK(fired[0].incident.id == "staithe/shop/production/api/degraded/charge");
  CHECK(nlohmann::json::parse(watch::pagerduty_body(fired[0], "shop", "key"))["payload"]["severity"] ==
        "warning");
  CHECK(kinds(scene.run(Verdict::pass, 0)) == std::vector{Kind::recovered});
  // A better run in between begins the hour anew.
  CHECK(scene.run(Verdict::degraded, 0).empty());
}

TEST_CASE("alerts: reminders while it goes on, also after the wall clock was set back or forth") {
  Scene scene({"api"}, 4h);
  REQUIRE(scene.run(Verdict::fail, 2).size() == 1);
  scene.now += 3h;
  CHECK(scene.between().empty());
  scene.now += 1h;
  CHECK(kinds(scene.between()) == std::vector{Kind::reminder});
  CHECK(scene.between().empty());
  scene.now -= 1000h;
  CHECK(scene.between().empty());
  scene.now += 4h;
  CHECK(kinds(scene.between()) == std::vector{Kind::reminder});
  scene.now += 100'000h;
  CHECK(scene.between().size() == 1);
  CHECK(scene.between().empty());
  Scene never({"api"}, 0ms);
  REQUIRE(never.run(Verdict::fail, 2).size() == 1);
  never.now += 1000h;
  CHECK(never.between().empty());
}

TEST_CASE("alerts: silence is a cause too, told once for all that wait for the same one") {
  Scene scene({"token", "invoices"});
  const auto token = suite("token", Verdict::pass);
  const std::vector<Alerts::Silence> silent{{&token, "the last run ended 9m ago", {"invoices"}}};
  const auto fired = scene.alerts.between_runs(silent, scene.policies, scene.now);
  REQUIRE(kinds(fired) == std::vector{Kind::fired});
  CHECK(fired[0].incident.id == "staithe/shop/production/token/silent");
  CHECK(fired[0].incident.blocked == std::vector<std::string>{"invoices"});
  CHECK(scene.alerts.between_runs(silent, scene.policies, scene.now).empty());
  CHECK(kinds(scene.run({token})) == std::vector{Kind::recovered});
}

TEST_CASE("alerts: what began under another name of the project, or in an older version, ends all the same") {
  const auto token = suite("token", Verdict::pass);
  const std::vector<Alerts::Silence> silent{{&token, "the last run ended 9m ago", {}}};
  Scene scene({"token", "api"});
  Alerts before({"old", "production", 4h});
  const auto fired = before.between_runs(silent, scene.policies, scene.now);
  REQUIRE(kinds(fired) == std::vector{Kind::fired});
  scene.alerts.restore(before.to_json());
  CHECK(scene.alerts.between_runs(silent, scene.policies, scene.now).empty());
  const auto over = scene.run({token});
  REQUIRE(kinds(over) == std::vector{Kind::recovered});
  CHECK(over[0].incident.id == fired[0].incident.id);

  scene.alerts.restore(
      R"([{"kind":"unsteady","id":"staithe/production/api/unsteady","suite":"api","told":true,"runs":6}])");
  CHECK(scene.run(Verdict::fail, 1).empty());
  REQUIRE(scene.alerts.open().size() == 1);
  CHECK(scene.alerts.open().begin()->second.runs == 7);
  CHECK(kinds(scene.run(Verdict::pass, 0)) == std::vector{Kind::recovered});
  CHECK(scene.alerts.open().empty());
}

TEST_CASE("alerts: what was told is known after a restart: no second alert, the same key, and recovery") {
  Scene before({"api"});
  const auto fired = before.run(Verdict::fail, 2);
  REQUIRE(fired.size() == 1);
  Scene after({"api"});
  after.alerts.restore(before.alerts.to_json());
  CHECK(after.run(Verdict::fail, 3).empty());
  const auto over = after.run(Verdict::pass, 0);
  REQUIRE(kinds(over) == std::vector{Kind::recovered});
  CHECK(over[0].incident.id == fired[0].incident.id);
  CHECK(over[0].incident.since == fired[0].incident.since);
  for (const char* damaged : {"", "{", "[]", "[1]", "[{}]", R"([{"kind":"failing","id":7,"suite":"api"}])"}) {
    Scene other({"api"});
    other.alerts.restore(damaged);
    CHECK(other.alerts.open().empty());
  }
}

TEST_CASE("alerts: incidents of suites that are gone end for the pager, without a word to people") {
  Scene scene({"api"});
  REQUIRE(scene.run(Verdict::fail, 2).size() == 1);
  const auto gone = scene.alerts.forget_others({}, scene.now);
  REQUIRE(kinds(gone) == std::vector{Kind::recovered});
  CHECK_FALSE(gone[0].notice);
  CHECK(scene.alerts.open().empty());
}

TEST_CASE("alerts: while a suite's name is a guess, the incident of one that is gone may be its own") {
  Scene scene({"api"});
  REQUIRE(scene.run(Verdict::fail, 2).size() == 1);
  checks::Suite stand_in;
  stand_in.name = "payments";
  stand_in.name_guessed = true;
  CHECK(scene.alerts.forget_others({{"payments", &stand_in}}, scene.now).empty());
  CHECK(scene.alerts.open().size() == 1);
  stand_in.name_guessed = false;
  CHECK(kinds(scene.alerts.forget_others({{"payments", &stand_in}}, scene.now)) ==
        std::vector{Kind::recovered});
}

TEST_CASE("alerts: the end is told to those who were told, whoever is named by then") {
  Scene scene({"api"});
  auto& alert = scene.suites["api"].alert;
  alert.after = 1;
  scene.alerts.know({"chat", "oncall", "mail"});
  alert.to = {"chat", "oncall"};
  REQUIRE(scene.run(Verdict::fail, 1).size() == 1);
  // The files are read again: the chat is named no more, and the reminder goes to others.
  alert.to = {"oncall", "mail"};
  scene.now += 4h;
  const auto reminder = scene.between();
  REQUIRE(kinds(reminder) == std::vector{Kind::reminder});
  CHECK(reminder[0].to == std::vector<std::string>{"oncall", "mail"});
  Alerts again({"shop", "production", 4h});
  again.restore(scene.alerts.to_json());
  for (auto* alerts : {&scene.alerts, &again}) {
    alerts->know({"chat", "oncall", "mail", "later"});
    auto well = suite("api", Verdict::pass);
    const auto over = alerts->after_run({&well}, scene.policies, scene.now);
    REQUIRE(kinds(over) == std::vector{Kind::recovered});
    CHECK(over[0].to == std::vector<std::string>{"chat", "oncall", "mail"});
  }
  // Everybody was told, and then only one is named.
  alert.to.clear();
  REQUIRE(scene.run(Verdict::fail, 1).size() == 1);
  alert.to = {"later"};
  CHECK(scene.run(Verdict::pass).at(0).to == std::vector<std::string>{"chat", "oncall", "mail", "later"});
}

TEST_CASE("alerts: what PagerDuty and Slack get") {
  Scene scene({"api"});
  scene.suites["api"].alert.to = {"oncall"};
  auto state =
      suite("api", Verdict::fail, {check("pay <now> & \"here\"", Verdict::fail, "got <b>\x1b[31m 1")});
  state = after(state, 2);
  state.severity = checks::Severity::critical;
  state.runbook = "https://wiki.example.com/pay";
  const auto fired = scene.run({state});
  REQUIRE(fired.size() == 1);
  CHECK(fired[0].to == std::vector<std::string>{"oncall"});
  const auto event = nlohmann::json::parse(watch::pagerduty_body(fired[0], "shop", "R0UT1NG"));
  CHECK(event["routing_key"] == "R0UT1NG");
  CHECK(event["event_action"] == "trigger");
  CHECK(event["dedup_key"] == "staithe/shop/production/api/failing/pay <now> & \"here\"");
  CHECK(event["payload"]["severity"] == "critical");
  CHECK(event["payload"]["source"] == "shop");
  CHECK(event["links"][0]["href"] == "https://wiki.example.com/pay");
  CHECK(event["payload"]["summary"].get<std::string>().find('\x1b') == std::string::npos);
  const auto text = nlohmann::json::parse(watch::slack_body(fired[0], "shop"))["text"].get<std::string>();
  CHECK_THAT(text, ContainsSubstring("pay &lt;now&gt; &amp; \"here\""));
  CHECK(text.find('\x1b') == std::string::npos);
  auto over = fired[0];
  over.kind = Kind::recovered;
  const auto resolve = nlohmann::json::parse(watch::pagerduty_body(over, "shop", "R0UT1NG"));
  CHECK(resolve["event_action"] == "resolve");
  CHECK(resolve["dedup_key"] == event["dedup_key"]);
  CHECK_FALSE(resolve.contains("payload"));
  // PagerDuty takes 1024 characters of a summary, whatever a server has answered.
  over.kind = Kind::fired;
  for (int i = 0; i < 2000; ++i) over.incident.reason += "ä";
  const auto longest = nlohmann::json::parse(watch::pagerduty_body(over, "shop", "R"));
  CHECK(longest["payload"]["summary"].get<std::string>().size() <= 1024);
  // And 255 of a key, which must tell incidents apart all the same.
  const auto key_of = [&](const std::string& id) {
    over.incident.id = id;
    return nlohmann::json::parse(watch::pagerduty_body(over, "shop", "R"))["dedup_key"].get<std::string>();
  };
  const std::string at_most(255, 'a');
  CHECK(key_of(at_most) == at_most);
  CHECK(key_of(at_most + "b").size() == 255);
  CHECK(key_of(at_most + "b") != key_of(at_most + "c"));
}

TEST_CASE("alerts: however many and however long, what is kept of them fits into a note", "[one-thread]") {
  constexpr std::size_t longest_note = std::size_t{4} * 1024 * 1024;
  std::vector<std::string> names;
  for (int i = 0; i < 2000; ++i) names.push_back("suite-" + std::to_string(i));
  Scene scene(names);
  const std::string long_reason(20'000, 'x');
  std::vector<watch::SuiteState> failed;
  for (const auto& name : names) {
    std::vector<watch::CheckState> all;
    for (int i = 0; i < 12; ++i)
      all.push_back(check("check " + std::to_string(i), Verdict::fail, long_reason));
    failed.push_back(after(suite(name, Verdict::fail, all), 2));
    failed.back().owner = "\"payments\"";
  }
  const auto told = scene.run(failed);
  REQUIRE(told.size() == 2000);
  CHECK(watch::slack_body(told.front(), "shop").size() < 40'000);
  const auto kept = scene.alerts.to_json();
  CHECK(kept.size() < longest_note);
  Alerts next({"shop", "production", 4h});
  next.restore(kept);
  CHECK(next.open().size() == 2000);
  CHECK(std::all_of(next.open().begin(), next.open().end(), [](const auto& one) { return one.second.told; }));

  std::vector<watch::CheckState> many;
  for (int i = 0; i < 20'000; ++i) {
    many.push_back(check("case \"" + std::to_string(i) + "\"", Verdict::fail, std::string(1000, '"')));
    many.back().key = "s/" + std::to_string(i);
  }
  const auto state = suite("s", Verdict::fail, many);
  const auto note = watch::to_json(state);
  CHECK(note.size() < longest_note);
  watch::SuiteState back = suite("s", Verdict::pass);
  watch::restore(back, note, wall, steady);
  CHECK(back.verdict == Verdict::fail);
  CHECK(back.checks.size() > 10'000);
}
