#include "catch.hpp"
#include "rig.hpp"

/// A host that somebody else has out of rotation when all is done.
using namespace staithe;
using namespace staithe::test;
using namespace staithe::test::running;
using event::HostState;

namespace {

constexpr auto theirs = "api/web1 is in maintenance";

std::string told_of(const Rig& rig, const std::string& host) {
  std::string told;
  for (const auto& event : rig.log.events())
    if (const auto* one = std::get_if<event::HostFinished>(&event.payload);
        one != nullptr && one->host == host)
      told = one->detail;
  return told;
}

bool is_altered(const exec::RunResult& result, const std::string& host) {
  for (const auto& one : result.finished.hosts)
    if (one.name == host) return one.altered;
  return false;
}

}  // namespace

TEST_CASE("a host that is reverted and stays out by somebody else needs a person, who reads why") {
  Rig rig;
  const auto plan = deploy_plan(2, strategy(revert_batch));
  rig.effects.fail("web1 ready");
  rig.effects.kept_out["web1 ready (revert)"] = theirs;
  SECTION("and is on the release before") {
    const auto result = rig.run(plan);
    CHECK(result.finished.exit_code == 5);
    CHECK(state_of(result, "web1") == HostState::out);
    CHECK_FALSE(is_altered(result, "web1"));
    CHECK(told_of(rig, "web1") == theirs);
  }
  SECTION("but not where the revert itself has failed") {
    rig.effects.fail("web1 revert-reload");
    const auto result = rig.run(plan);
    CHECK(result.finished.exit_code == 5);
    CHECK(is_altered(result, "web1"));
    CHECK_FALSE(result.finished.but_for_others);
    CHECK(told_of(rig, "web1") == "told to fail");
  }
}

TEST_CASE("so does one that all hosts' revert leaves so") {
  Rig rig;
  rig.effects.fail("after");
  rig.effects.kept_out["web2 ready (revert)"] = theirs;
  const auto result = rig.run(deploy_plan(2, strategy(revert_all)));
  CHECK(result.finished.exit_code == 5);
  CHECK(state_of(result, "web1") == HostState::reverted);
  CHECK(state_of(result, "web2") == HostState::out);
  CHECK_FALSE(is_altered(result, "web2"));
}

TEST_CASE("one that is repaired in its bracket, too") {
  Rig rig;
  rig.effects.fail("web1 health");
  rig.effects.kept_out["web1 ready"] = theirs;
  const auto result = rig.run(deploy_plan(1, strategy(revert_batch)));
  CHECK(result.finished.exit_code == 5);
  CHECK(state_of(result, "web1") == HostState::out);
  CHECK(rig.effects.did("web1 reload-back"));
  CHECK_FALSE(is_altered(result, "web1"));
}

TEST_CASE("where somebody else's hand is all, it is told what the run and the host would be without it") {
  Rig rig;
  rig.effects.kept_out["web1 ready"] = theirs;
  SECTION("all went well") {
    const auto finished = rig.run(deploy_plan(2, strategy(revert_batch))).finished;
    CHECK(finished.exit_code == 5);
    CHECK(finished.but_for_others == 0);
    CHECK(finished.hosts[0].kept_out == HostState::done);
    CHECK_FALSE(finished.hosts[1].kept_out);
  }
  SECTION("it was put back") {
    rig.effects.fail("web1 health");
    const auto finished = rig.run(deploy_plan(1, strategy(revert_batch))).finished;
    CHECK(finished.but_for_others == 1);
    CHECK(finished.hosts[0].kept_out == HostState::reverted);
  }
  SECTION("another host is out by the run") {
    rig.effects.fail("web2 reload");
    rig.effects.fail("web2 reload-back");
    auto wish = strategy(revert_batch);
    wish.max_failures = {100, true};
    const auto finished = rig.run(deploy_plan(2, wish)).finished;
    CHECK(finished.hosts[0].kept_out == HostState::done);
    CHECK(state_of({exec::Verdict::done, finished}, "web2") == HostState::out);
    CHECK_FALSE(finished.but_for_others);
  }
}

TEST_CASE("a release that no visitor has met is called good nowhere, and the run is done all the same") {
  Rig rig;
  auto plan = deploy_plan(2, strategy(revert_batch));
  plan.release = "0123456789ab";
  plan::Stage cleanup{"cleanup", plan::Stage::Shape::parallel, 2, {}};
  for (const auto* host : {"web1", "web2"}) {
    auto good = action(std::string("cleanup/") + host + "/2", host);
    good.effect = plan::RecordRelease{host, "payments", plan.release, "", plan::RecordRelease::State::good};
    cleanup.lanes.push_back(
        {host, {action(std::string("cleanup/") + host + "/1", std::string(host) + " mark"), good}, {}});
  }
  plan.stages.push_back(cleanup);
  SECTION("of hosts that serve it is said") {
    CHECK(rig.run(plan).finished.exit_code == 0);
    CHECK(rig.effects.did("web2 mark"));
    CHECK(rig.effects.did("record"));
  }
  SECTION("of others it is not") {
    rig.effects.nobody_came = "web[1-2] are out of rotation";
    CHECK(rig.run(plan).finished.exit_code == 0);
    CHECK_FALSE(rig.effects.did("web1 mark"));
    CHECK_FALSE(rig.effects.did("record"));
    const auto events = rig.log.events();
    CHECK(std::any_of(events.begin(), events.end(), [](const auto& event) {
      const auto* message = std::get_if<event::Message>(&event.payload);
      return message != nullptr && message->text.find("is not marked good: no visitor") != std::string::npos;
    }));
  }
}
