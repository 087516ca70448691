#include "staithe/world/faults.hpp"

#include "catch.hpp"
#include "died.hpp"
#include "history.hpp"

#include "staithe/world/recovered.hpp"

using namespace staithe;
using test::History;

namespace faults {

plan::Plan deploy_of(const std::string& release) {
  auto plan = test::died::deploy();
  plan.environment = "production";
  plan.service = "payments";
  plan.title = "deploy " + release;
  plan.release = release;
  return plan;
}

void begin(History& past, const std::string& id, const plan::Plan& plan) {
  past.begin(id, plan);
  for (const char* step : {"drain", "activate", "reload", "health", "prove", "ready"})
    if (plan.kind == "deploy") past.did(id, step);
}

void refused(History& past, const std::string& id, const std::string& action) {
  past.store().append(id, {0, {}, "web1", action, "intent", "{}"});
  past.store().append(id, {0, {}, "web1", action, "outcome", R"({"outcome":"failed","detail":"status 1"})"});
}

/// A canary whose last check was refused once it was back.
void canary(History& past, const std::string& id) {
  begin(past, id, deploy_of("v2"));
  refused(past, id, "check");
  past.end(id, 5, {{"web1", "failed"}, {"web2", "untouched"}}, "needs a person");
}

std::map<std::string, std::string> left(History& past) {
  std::map<std::string, std::string> hosts;
  for (const auto& [host, failed] : world::left_failed(past.store(), "production"))
    hosts.emplace(host, failed.run.id + ": " + failed.words);
  return hosts;
}

using Hosts = std::map<std::string, std::string>;

std::map<std::string, std::string> bad(History& past, const std::string& newest) {
  return world::bad_releases(past.store(), "production", "payments",
                             newest.empty() ? std::nullopt : past.store().run(newest));
}

void record(History& past, const std::string& id, store::ReleaseState state, const std::string& run) {
  past.store().record_release({"production", "payments", id, id, id, state, {}, run});
}

}  // namespace faults

using namespace faults;

TEST_CASE("a host that a run left in service as nobody meant it is known until it is put right") {
  History past;
  CHECK(left(past).empty());
  canary(past, "canary");
  const Hosts there{{"web1", "canary: on the new release, which was to go back"}};
  CHECK(left(past) == there);
  past.begin("task", test::plan_of("run"));
  past.end("task", 0, "done");
  CHECK(left(past) == there);
  SECTION("a release comes to it") {
    begin(past, "again", deploy_of("v3"));
    past.end("again", 0, "done");
    CHECK(left(past).empty());
  }
  SECTION("it is recovered") {
    past.store().end_run("canary", "recovered", 0, R"({"hosts":{"web1":{"state":"reverted"}}})");
    CHECK(left(past).empty());
  }
  SECTION("a person settles it") {
    world::settle(past.store(), *past.store().run("canary"), "ann", "looked at");
    CHECK(left(past).empty());
  }
  SECTION("another run leaves it so again: the newest tells") {
    canary(past, "second");
    CHECK(left(past).at("web1").rfind("second: ", 0) == 0);
  }
}

TEST_CASE(
    "a lane that failed and changed nothing leaves nothing to see to, and a plan of old says not what") {
  History past;
  auto plan = deploy_of("v2");
  const bool readable = GENERATE(true, false);
  past.begin("mixed", plan, readable ? plan::to_json(plan) : R"({"schema":9})");
  past.end("mixed", 5, {{"web1", "failed"}, {"web2", "done"}}, "needs a person");
  CHECK(left(past) == (readable ? Hosts{} : Hosts{{"web1", "mixed: not as it was meant"}}));
}

TEST_CASE(
    "a release is bad where the history says so, or the newest run that brought it found fault with it") {
  History past;
  canary(past, "canary");
  CHECK(bad(past, "").empty());
  CHECK(bad(past, "canary") == Hosts{{"v2", "canary"}});
  record(past, "v9", store::ReleaseState::bad, "earlier");
  record(past, "v8", store::ReleaseState::good, "earlier");
  record(past, "v7", store::ReleaseState::staged, "earlier");
  CHECK(bad(past, "") == Hosts{{"v9", "earlier"}});
  // What a person vouched for is theirs to have judged.
  world::settle(past.store(), *past.store().run("canary"), "ann", "looked at");
  CHECK(bad(past, "canary") == Hosts{{"v9", "earlier"}});
}

TEST_CASE(
    "a run that did not come to its end, or ended for another reason, found no fault with its release") {
  History past;
  begin(past, "died", deploy_of("v2"));
  refused(past, "died", "check");
  CHECK(bad(past, "died").empty());
  begin(past, "stopped", deploy_of("v2"));
  past.store().append("stopped", {0, {}, "web1", "check", "intent", "{}"});
  past.store().append("stopped",
                      {0, {}, "web1", "check", "outcome", R"({"outcome":"cancelled","detail":""})"});
  past.end("stopped", 5, "failed");
  CHECK(bad(past, "stopped").empty());
}
