#include "flow.hpp"

#include <chrono>
#include <thread>

using namespace flow;

TEST_CASE("flow: a stop cuts the run short, and what was made is still put back") {
  base::Cancel soft;
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    if (title == "GET http://h/long") soft.request();
    return {200, "{}"};
  });
  const Ran ran({head(R"(steps:
  - name: made
    post: /m
    expect: 200
    undo: {delete: /m, expect: 200}
  - name: long
    get: /long
    expect: 200
  - name: after
    get: /after
    expect: 200
cleanup:
  - name: tidy
    delete: /all
    expect: 200
)")},
                fake, nullptr, &soft);
  CHECK(ran.result.interrupted);
  CHECK(ran.verdicts() == "made=pass long=aborted after=aborted undo: made=pass tidy=pass");
}

TEST_CASE("flow: a suite's budget ends it, and its cleanup has its own time") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title == "GET http://h/long") std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return {500, "{}"};
  });
  const auto text = [](const std::string& budget, const std::string& first, const std::string& path) {
    return head("budget: " + budget + "\ncleanup_budget: 60s\nsteps:\n" + first +
                "  - name: waits\n    get: " + path + "\n    for: " + budget + R"(
    every: 3m
    until: {status: 200}
  - name: next
    get: /n
    expect: 200
cleanup:
  - name: tidy
    delete: /all
    expect: 500
)");
  };
  CHECK(Ran({text("200ms", "", "/long")}, fake).verdicts() == "waits=aborted next=aborted tidy=pass");
  // There is some time left, but not for another poll: it was not as long as the check says.
  const Ran ran({text("2m", "  - {name: first, get: /long, expect: 500}\n", "/quick")}, fake);
  CHECK(ran.verdicts() == "first=pass waits=aborted next=skipped tidy=pass");
  CHECK(ran.of("waits").reason == "the budget of 2m is used up");
  CHECK(ran.of("next").reason == "blocked: 'waits' was not judged before it");
}

TEST_CASE("ends: the time that secrets are looked up for is the suite's that needs some") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {200, "{}"}; });
  fake.foreseeing = base::Duration{500};
  const auto text = [](const std::string& name, const std::string& budget, const std::string& auth) {
    return "suite: " + name + "\ntarget: http://h\nsecrets: {a: env A}\nbudget: " + budget +
           "\nsteps:\n  - {name: " + name + ", get: /" + name + auth + ", expect: 200}\n";
  };
  const std::string auth = ", auth: bearer $(a)";
  const Ran ran({text("with", "5s", auth), text("without", "5s", ""), text("short", "400ms", auth)}, fake);
  CHECK(fake.had.at("GET http://h/with") <= base::Duration{4500});
  CHECK(fake.had.at("GET http://h/without") > base::Duration{4500});
  CHECK(ran.of("with").verdict == Verdict::pass);
  CHECK(ran.of("short").verdict == Verdict::aborted);
  const auto& reason = ran.of("short").reason;
  CHECK(reason.starts_with("the suite's budget of 400ms is used up, "));
  CHECK(reason.ends_with(" of it before the first step, by looking up secrets"));
}
