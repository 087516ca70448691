#include "staithe/world/aftermath.hpp"

#include "catch.hpp"
#include "died.hpp"
#include "history.hpp"

#include "staithe/world/faults.hpp"
#include "staithe/world/recovered.hpp"

/// What is made of hosts where somebody was between the end of a run and its recovery.
using namespace staithe;
using test::History;
using world::Left;
using world::SeenTo;

namespace aftermath {

store::Run run(const std::string& kind, const std::string& sha, const std::string& outcome = "done") {
  store::Run run;
  run.kind = kind;
  run.sha = sha;
  run.outcome = outcome;
  return run;
}

/// The same on each of the hosts.
plan::Plan deploy(const std::vector<std::string>& hosts) {
  auto plan = test::died::deploy();
  plan.environment = "production";
  plan.service = "payments";
  plan.title = "deploy payments";
  plan.release = "new";
  plan.sha = "new0";
  const auto lane = plan.stages[0].lanes[0];
  plan.stages[0].lanes.clear();
  for (const auto& host : hosts) {
    plan.stages[0].lanes.push_back(lane);
    plan.stages[0].lanes.back().host = host;
    for (auto& node : plan.stages[0].lanes.back().nodes)
      if (auto* bracket = std::get_if<plan::Bracket>(&node))
        for (auto* part :
             {&bracket->acquire, &bracket->undo, &bracket->body, &bracket->repair, &bracket->release})
          for (auto& each : *part) each.id = host + "-" + each.id;
      else
        std::get<plan::Action>(node).id = host + "-" + std::get<plan::Action>(node).id;
  }
  return plan;
}

world::HostSince host(const std::string& name, Left left, SeenTo seen_to, const std::string& state = {}) {
  world::HostSince host;
  host.left.host = name;
  host.left.left = left;
  host.seen_to = seen_to;
  host.state = state;
  return host;
}

world::Aftermath of(std::vector<world::HostSince> hosts) {
  world::Aftermath aftermath;
  aftermath.hosts = std::move(hosts);
  return aftermath;
}

std::map<std::string, std::string> states(const world::Recovered& recovered) {
  store::Run run;
  run.summary_json = recovered.summary_json;
  return world::named_hosts(run);
}

using States = std::map<std::string, std::string>;
using Names = std::vector<std::string>;

}  // namespace aftermath

using namespace aftermath;

TEST_CASE("what a later run made of a host hangs on what it brought, and what the host had come to") {
  const auto left = run("deploy", "new0");
  const auto by = [&](const store::Run& later, const char* state, Left where, bool is_same = false) {
    return world::seen_to(left, where, {later, state, is_same});
  };
  CHECK(by(run("restore", ""), "done", Left::out_altered) == SeenTo::unknown);
  CHECK(by(run("restore", ""), "done", Left::out_done) == SeenTo::given_back);
  CHECK(by(run("restore", ""), "done", Left::out_unaltered) == SeenTo::given_back);
  // A task that takes out and gives back brings no release.
  CHECK(by(run("run", ""), "done", Left::out_altered) == SeenTo::unknown);
  CHECK(by(run("deploy", "new0"), "done", Left::untouched) == SeenTo::brought);
  CHECK(by(run("rollback", "other"), "done", Left::untouched) == SeenTo::replaced);
  CHECK(by(run("deploy", "other"), "reverted", Left::out_done) == SeenTo::given_back);
  CHECK(by(run("deploy", "other", "settled"), "failed", Left::out_altered) == SeenTo::vouched);
  CHECK(by(run("deploy", "other", "settled"), "done", Left::out_altered) == SeenTo::replaced);
  const auto task = run("run", "");
  CHECK(world::seen_to(task, Left::altered, {task, "done", true}) == SeenTo::brought);
}

TEST_CASE("a host that was given back half changed needs a person, however many there are") {
  const auto one = world::conclude(of({host("web1", Left::out_altered, SeenTo::unknown)}), {});
  CHECK((one.needs_a_person() && one.is_open() && !one.mixed()));
  CHECK(states(one) == States{{"web1", "failed"}});
  const auto two = world::conclude(of({host("web1", Left::out_done, SeenTo::given_back),
                                       host("web2", Left::out_altered, SeenTo::unknown)}),
                                   {});
  CHECK((two.mixed() && two.on_new == 1 && two.hosts == 2));
  CHECK((two.unknown == Names{"web2"} && two.behind == Names{"web2"}));
  CHECK(states(two) == States{{"web1", "done"}, {"web2", "failed"}});
}

TEST_CASE("every host of the run stays in what is told of it, and one on another release is behind") {
  using enum SeenTo;
  const auto recovered = world::conclude(
      of({host("web1", Left::done, no), host("web2", Left::untouched, replaced),
          host("web3", Left::reverted, brought, "reverted"), host("web4", Left::out_altered, replaced, "out"),
          host("web5", Left::altered, vouched, "failed"), host("web6", Left::out_altered, vouched)}),
      {});
  CHECK((recovered.mixed() && recovered.on_new == 2 && recovered.hosts == 4));
  CHECK(recovered.behind == Names{"web2", "web4"});
  CHECK_FALSE(recovered.is_open());
  CHECK(states(recovered) == States{{"web1", "done"},
                                    {"web2", "untouched"},
                                    {"web3", "done"},
                                    {"web4", "restored"},
                                    {"web5", "failed"},
                                    {"web6", "restored"}});
  // All of them elsewhere: nothing is mixed by this run.
  CHECK_FALSE(
      world::conclude(of({host("web1", Left::done, replaced), host("web2", Left::untouched, replaced)}), {})
          .needs_a_person());
}

TEST_CASE("only what nobody saw to is mended, and no release is good where a host was let in as it was") {
  auto aftermath =
      of({host("web1", Left::done, SeenTo::no), host("web2", Left::out_new, SeenTo::given_back),
          host("web3", Left::out_altered, SeenTo::unknown), host("web4", Left::out_done, SeenTo::brought)});
  aftermath.hosts[0].left.to_clean = true;
  const auto left = world::to_mend(aftermath);
  REQUIRE(left.size() == 2);
  CHECK((left[0].host == "web1" && !left[0].to_clean));
  CHECK((left[1].host == "web2" && left[1].left == Left::done));
}

TEST_CASE(
    "a host that was given back half changed stands as failed until a recovery that is asked for again") {
  History past;
  const auto plan = deploy({"web1", "web2"});
  past.begin("dead", plan);
  past.drained("dead", "as it served");
  for (const char* step : {"web1-drain", "web1-prepare", "web1-activate"}) past.did("dead", step);
  for (const char* step : {"drain", "prepare", "activate", "reload", "health"})
    past.did("dead", std::string("web2-") + step);
  past.begin("restore", test::plan_of("restore"));
  past.end("restore", 0, {{"web1", "done"}, {"web2", "done"}});
  const auto look = [&] { return world::aftermath_of(past.store(), *past.store().run("dead"), plan); };
  const auto first = look();
  REQUIRE(first.hosts.size() == 2);
  CHECK((first.hosts[0].seen_to == SeenTo::unknown && first.hosts[1].seen_to == SeenTo::given_back));
  CHECK(first.unjudged());
  const auto mended = world::to_mend(first);
  REQUIRE(mended.size() == 1);
  CHECK(world::recovery_plan(plan, mended).stages.empty());
  const auto end = [&] {
    world::end_recovered(past.store(), *past.store().run("dead"), world::conclude(look(), {}));
  };
  end();
  CHECK((past.store().run("dead")->exit_code == 5 && past.to_recover() == "dead"));
  CHECK(world::left_behind(past.store(), plan) == Names{"web1"});
  const auto failed = world::left_failed(past.store(), "production");
  REQUIRE(failed.size() == 1);
  CHECK(failed.at("web1").words == "in rotation, the app was being changed");

  // Asked again it brings the release before back there, by a drain of its own, and leaves the other alone.
  const auto second = look();
  CHECK((second.hosts[0].seen_to == SeenTo::no && second.hosts[0].left.given_back));
  CHECK(second.hosts[1].seen_to == SeenTo::given_back);
  auto recovery = world::recovery_plan(plan, world::to_mend(second));
  REQUIRE(plan::target_hosts(recovery) == Names{"web1"});
  past.begin("recovery", recovery);
  world::note_recovered(past.store(), "recovery", "dead");
  SECTION("one that dies with the host in hand has taken it out") {
    past.did("recovery", "recover/web1-drain");
    past.end("recovery", 5, "out");
    CHECK_FALSE(look().hosts[0].left.given_back);
  }
  SECTION("one that was refused before has not") {
    past.did("recovery", "recover/web1-guard");
    past.end("recovery", 4, "untouched");
    CHECK(look().hosts[0].left.given_back);
  }
  SECTION("without a way back it is said again, and stays failed") {
    auto by_hand = look();
    by_hand.hosts[0].left.by_hand = true;
    const auto recovered = world::conclude(by_hand, {});
    CHECK(recovered.by_hand == Names{"web1"});
    world::end_recovered(past.store(), *past.store().run("dead"), recovered);
    CHECK(look().hosts[0].left.given_back);
    CHECK(world::left_failed(past.store(), "production").count("web1") == 1);
  }
  SECTION("a release that comes to it ends it") {
    past.begin("deploy", plan);
    past.end("deploy", 0, {{"web1", "done"}});
    CHECK(world::left_failed(past.store(), "production").empty());
    CHECK(look().hosts[0].seen_to == SeenTo::brought);
  }
}
