#include "catch.hpp"
#include "prometheus.hpp"
#include "samples.hpp"

#include "staithe/watch/routes.hpp"

#include <nlohmann/json.hpp>

using namespace samples;
using namespace std::chrono_literals;

TEST_CASE("verify: well is 200, a failure 503 with the names of what failed") {
  const auto ask = [](const watch::Overview& now) {
    return watch::answer({"/verify", ""}, "", [&] { return now; });
  };
  const auto good = ask(overview({suite("api", Verdict::pass), suite("web", Verdict::degraded)}));
  CHECK(good.status == 200);
  CHECK(good.content_type == "application/json");
  CHECK(nlohmann::json::parse(good.body)["verdict"] == "degraded");
  const auto bad = ask(overview({suite("api", Verdict::fail,
                                       {check("charge", Verdict::fail, "wanted 100, got 1"),
                                        check("late", Verdict::skipped, "blocked")}),
                                 suite("web", Verdict::pass)}));
  CHECK(bad.status == 503);
  const auto body = nlohmann::json::parse(bad.body);
  CHECK(body["failed"] == nlohmann::json::array({"api/charge"}));
  CHECK(body["reasons"][0] == "api: fail: charge");
  CHECK(body["suites"][0]["not_passed"].size() == 2);
  CHECK(body["stale"] == false);
  CHECK(body["verdict"] == "fail");
  // How far to believe that all is well is asked of what is well.
  CHECK(body["suites"][0]["confidence"].is_null());
  CHECK(body["suites"][1]["confidence"].is_number());
}

TEST_CASE("verify: what nobody knows does not look healthy") {
  const auto health = [](const watch::Overview& now) { return watch::health_of(now); };
  CHECK_FALSE(health(overview({})).good);

  watch::SuiteState fresh;
  fresh.name = "new";
  fresh.every = 1min;
  fresh.known_since = steady - 2s;
  auto never = health(overview({suite("api", Verdict::pass), fresh}));
  CHECK_FALSE(never.good);
  CHECK(never.stale);
  CHECK_FALSE(never.verdict);
  CHECK(health(overview({suite("api", Verdict::fail), fresh})).verdict == Verdict::fail);
  const auto early = nlohmann::json::parse(watch::verify_json(overview({fresh})));
  CHECK(early["verdict"].is_null());
  CHECK_FALSE(early["good"].get<bool>());
  CHECK(early["reasons"].size() == 1);
  CHECK(never.reasons == std::vector<std::string>{"new: not run yet, waited for 2.0s"});

  auto old = overview({suite("api", Verdict::pass)});
  old.heartbeat = old.steady += 2min + 30s + 1s;
  CHECK(health(old).good);
  old.heartbeat = old.steady += 1ms;
  CHECK_FALSE(health(old).good);
  CHECK_THAT(health(old).reasons.at(0), ContainsSubstring("api: the last run ended 2m31s ago, every 1m"));

  auto stuck = overview({suite("api", Verdict::pass)});
  stuck.heartbeat = stuck.steady - 15s;
  CHECK(health(stuck).good);
  stuck.heartbeat -= 1ms;
  CHECK_FALSE(health(stuck).good);
  CHECK(health(stuck).stale);
  CHECK_THAT(health(stuck).reasons.at(0), ContainsSubstring("the scheduler has not moved for 15.0s"));
}

TEST_CASE("verify: quarantined checks and those that do not block are shown, and are no failure") {
  auto quarantined = check("flaky", Verdict::fail);
  quarantined.quarantined = true;
  quarantined.blocking = false;
  auto minor = check("preview", Verdict::fail);
  minor.blocking = false;
  const auto body = nlohmann::json::parse(
      watch::verify_json(overview({suite("api", Verdict::degraded, {quarantined, minor})})));
  CHECK(body["good"] == true);
  CHECK(body["failed"].empty());
  CHECK(body["quarantined"] == 1);
  CHECK(body["suites"][0]["not_passed"][1]["blocking"] == false);
}

TEST_CASE("metrics: every line is what Prometheus reads, whatever things are called") {
  auto odd = check("a \"b\" \\ c\nd \x1b[1m \xff ü {x=\"y\"} #", Verdict::fail);
  odd.flips = 3;
  odd.certificate_end = 1'900'000'000.5;
  // A step and a setup may have the same name.
  auto setup = check("x", Verdict::fail), step = check("x", Verdict::pass);
  setup.part = "setup", step.part = "steps";
  auto now = overview({suite("api", Verdict::fail, {odd, setup, step}), suite("web", Verdict::pass)});
  watch::SuiteState fresh;
  fresh.name = "new";
  fresh.every = 1min;
  fresh.known_since = steady;
  now.suites.push_back(fresh);
  now.alerts_sent = 2;
  const auto families = prometheus::parse(watch::metrics_text(now));
  const auto value = [&](const std::string& name, const prometheus::Labels& labels) {
    const auto& samples = families.at(name).samples;
    const auto found = samples.find(labels);
    REQUIRE(found != samples.end());
    return found->second;
  };
  const std::string name = "a \"b\" \\ c\nd  \xef\xbf\xbd ü {x=\"y\"} #";
  CHECK(value("verify_check_verdict", {{"suite", "api"}, {"check", name}, {"verdict", "fail"}}) == 1);
  CHECK(value("verify_check_flips_total", {{"suite", "api"}, {"check", name}}) == 3);
  CHECK(value("verify_cert_expiry_timestamp_seconds", {{"suite", "api"}, {"check", name}}) ==
        1'900'000'000.5);
  CHECK(value("verify_check_verdict",
              {{"suite", "api"}, {"check", "x"}, {"part", "setup"}, {"verdict", "fail"}}) == 1);
  CHECK(value("verify_check_verdict", {{"suite", "api"}, {"check", "x"}, {"verdict", "pass"}}) == 1);
  CHECK(value("verify_good", {}) == 0);
  CHECK(value("verify_suite_stale", {{"suite", "new"}}) == 1);
  CHECK(value("verify_suite_stale", {{"suite", "api"}}) == 0);
  CHECK(value("staithe_watch_alerts_sent_total", {}) == 2);
  CHECK(families.at("verify_last_run_timestamp_seconds").samples.size() == 2);
  CHECK(families.at("verify_check_flips_total").type == "counter");
}

TEST_CASE("metrics: of what has one name in a run there is one series, and it is the worst") {
  std::vector<watch::CheckState> undos;
  for (const auto verdict : {Verdict::pass, Verdict::fail, Verdict::skipped}) {
    undos.push_back(check("undo: make", verdict));
    undos.back().part = "undo";
    undos.back().duration = verdict == Verdict::fail ? 2s : 1s;
  }
  const auto families =
      prometheus::parse(watch::metrics_text(overview({suite("api", Verdict::degraded, undos)})));
  const prometheus::Labels labels{{"suite", "api"}, {"check", "undo: make"}, {"part", "undo"}};
  auto worst = labels;
  worst["verdict"] = "fail";
  using Samples = std::map<prometheus::Labels, double>;
  CHECK(families.at("verify_check_verdict").samples == Samples{{worst, 1}});
  CHECK(families.at("verify_check_duration_seconds").samples == Samples{{labels, 2}});
}

TEST_CASE("metrics: the strict reader of this test sees mistakes") {
  for (const char* wrong :
       {"a 1\n", "# HELP a b\n# TYPE a gauge\na 1", "# HELP a b\n# TYPE a gauge\na{x=1} 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"1} 1\n", "# HELP a b\n# TYPE a gauge\na one\n",
        "# HELP a b\n# TYPE a gauge\na 1\na 2\n", "# HELP a b\n# TYPE a counter\na 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"\\q\"} 1\n"})
    CHECK_THROWS(prometheus::parse(wrong));
}

TEST_CASE("page: what files and servers say is text, and nothing is loaded") {
  auto evil = suite("api", Verdict::fail,
                    {check("<script>alert(1)</script>", Verdict::fail, "got \"><img src=x onerror=1>")});
  evil.about = "<b>bold</b>";
  evil.runbook = "javascript:alert(1)";
  auto now = overview({evil});
  now.files_trouble = "</pre><script>2</script>";
  const auto response = watch::answer({"/", ""}, "", [&] { return now; });
  CHECK(response.status == 200);
  CHECK(response.body.find("<script") == std::string::npos);
  CHECK(response.body.find("<img") == std::string::npos);
  CHECK(response.body.find("<b>bold") == std::string::npos);
  CHECK(response.body.find("javascript:") == std::string::npos);
  CHECK(response.body.find("http") != std::string::npos);
  CHECK(response.body.find("src=x onerror=1&gt;") != std::string::npos);
  CHECK_THAT(response.body, ContainsSubstring("&lt;script&gt;alert(1)"));
  CHECK_THAT(response.headers.at(0).second, ContainsSubstring("default-src 'none'"));
}

TEST_CASE("routes: a token is asked for before anything is said, also about what is not there") {
  const std::string token = "0123456789abcdef";
  std::size_t asked = 0;
  const auto ask = [&](const std::string& path, const std::string& authorization) {
    return watch::answer({path, authorization}, token, [&] {
      ++asked;
      return overview({suite("api", Verdict::pass)});
    });
  };
  for (const char* path : {"/", "/verify", "/metrics", "/nothing"})
    for (const char* shown : {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0",
                              "Basic 0123456789abcdef", "0123456789abcdef", "Bearer  0123456789abcdef"}) {
      const auto refused = ask(path, shown);
      CHECK(refused.status == 401);
      CHECK(refused.headers.at(0).first == "WWW-Authenticate");
    }
  CHECK(asked == 0);
  CHECK(ask("/verify", "bearer 0123456789abcdef").status == 200);
  CHECK(ask("/nothing", "Bearer 0123456789abcdef").status == 404);
  CHECK_FALSE(watch::shows_token("Bearer ", ""));
}
