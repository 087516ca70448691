#include "rotations.hpp"

#include "integration/haproxy/rig.hpp"

#include "staithe/world/world.hpp"

#include <chrono>
#include <csignal>

using namespace staithe;
using namespace staithe::haproxy::test;
using world::Rotations;
using Names = std::vector<std::string>;

namespace {

/// The app s2 behind two balancers.
struct TwoBalancers {
  Apps apps;
  Balancer lb1{"lb1", web(apps, free_port())};
  Balancer lb2{"lb2", web(apps, free_port())};
  plan::Plan plan;
  std::map<std::string, std::string> captures;
  std::vector<std::string> notes, said;
  exec::Performance performance{within(120'000),
                                captures,
                                [](auto, auto) {},
                                [](const auto&) {},
                                [this](auto, const std::string& text) { said.push_back(text); },
                                [this](const auto&, const std::string& text) { notes.push_back(text); }};

  TwoBalancers() {
    REQUIRE(all_up(lb1));
    REQUIRE(all_up(lb2));
    plan.balancers = {{"lb1", "", "", ""}, {"lb2", "", "", ""}};
    add_host("s2", 1);
  }

  void add_host(const std::string& name, std::size_t app) {
    plan::Host host;
    host.name = name;
    host.servers = {{{"web", name}}, own_address(), apps[app].port()};
    plan.hosts[name] = host;
  }

  world::DialBalancer dial() {
    return [this](const plan::Balancer& balancer, world::SocketKind) {
      return balancer.name == "lb1" ? lb1.dial() : lb2.dial();
    };
  }

  /// The same plan, for who dials by itself.
  const plan::Plan& sockets() {
    plan.balancers = {{"lb1", lb1.socket_path(), "", ""}, {"lb2", lb2.socket_path(), "", ""}};
    return plan;
  }

  exec::Reach reach(Rotations& rotations) { return rotations.reach({"s2"}, soon()).at("s2"); }

  void change(Rotations& rotations, plan::ChangeRotation::To to, const std::string& host = "s2") {
    REQUIRE(rotations.change({host, to}, performance).outcome == event::Outcome::ok);
  }
};

void tell(Balancer& balancer, const std::string& state) {
  balancer.socket().command("set server web/s2 state " + state, soon());
}

}  // namespace

TEST_CASE("reach: where a host serves is told of each balancer by its servers' states") {
  TwoBalancers rig;
  Rotations rotations(rig.plan, rig.dial());
  CHECK(rig.reach(rotations).serving == Names{"lb1", "lb2"});
  CHECK(rig.reach(rotations).everywhere());

  tell(rig.lb1, "maint");
  auto reach = rig.reach(rotations);
  CHECK(reach.out == Names{"lb1"});
  CHECK(reach.serving == Names{"lb2"});
  tell(rig.lb1, "drain");
  CHECK(rig.reach(rotations).out == Names{"lb1"});
  tell(rig.lb1, "ready");

  // Not by command: its app is down.
  rig.apps[1].stop();
  REQUIRE(eventually([&] { return rig.reach(rotations).out == Names{"lb1", "lb2"}; }));
}

TEST_CASE("reach: a balancer that is gone is not known, and keeps nobody waiting for the others") {
  TwoBalancers rig;
  Rotations rotations(rig.plan, rig.dial());
  rig.lb2.stop();
  // Two seconds are meant. Far from it for a slow machine's sake, and far from all that there is.
  const auto began = std::chrono::steady_clock::now();
  const auto reach = rotations.reach({"s2"}, within(120'000)).at("s2");
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
  CHECK(reach.serving == Names{"lb1"});
  CHECK(reach.unknown == Names{"lb2"});
  CHECK_FALSE(reach.everywhere());
  CHECK(reach.text() == "serving on lb1; lb2 does not answer");
}

TEST_CASE("reach: a server that was out before the run took its host is none of the run's") {
  TwoBalancers rig;
  tell(rig.lb1, "maint");
  Rotations rotations(rig.plan, rig.dial());
  rig.change(rotations, plan::ChangeRotation::To::drain);
  REQUIRE(rig.notes.size() == 1);
  auto reach = rig.reach(rotations);
  CHECK(reach.out == Names{"lb2"});
  CHECK(reach.serving.empty());
  rig.change(rotations, plan::ChangeRotation::To::undo);
  reach = rig.reach(rotations);
  CHECK(reach.serving == Names{"lb2"});
  CHECK(reach.out.empty());
}

TEST_CASE(
    "drain: what was out before is said once, by the look before the run or, if it came later, by the "
    "drain") {
  TwoBalancers rig;
  Rotations rotations(rig.plan, rig.dial());
  tell(rig.lb1, "maint");
  REQUIRE(rotations.survey({"s2"}, rig.performance).ok());
  CHECK(rig.said == Names{"lb1 web/s2: is in maintenance already: it is left so, before and after"});
  tell(rig.lb2, "drain");
  rig.change(rotations, plan::ChangeRotation::To::drain);
  REQUIRE(rig.said.size() == 2);
  CHECK(rig.said[1] == "lb2 web/s2 was drained before, and stays so");
}

TEST_CASE("preflight: a server that would stand for two hosts is refused, with both named") {
  TwoBalancers rig;
  rig.add_host("s9", 1);
  rig.plan.hosts["s9"].servers.names.clear();
  rig.plan.hosts["s2"].servers.names.clear();
  rig.add_host("s1", 0);
  Rotations rotations(rig.plan, rig.dial());
  const auto refused = [&](const std::string& host) {
    const auto result = rotations.survey({host}, rig.performance);
    return result.outcome == event::Outcome::refused ? result.detail : std::string();
  };
  const std::string text =
      "lb1 web/s2, lb2 web/s2 would stand for s2 and for s9: give each its own address or port, or name the "
      "servers of each";
  CHECK(refused("s2") == text);
  CHECK(refused("s9") == text);
  CHECK(rotations.survey({"s1"}, rig.performance).ok());
}

TEST_CASE("reach: a balancer that has none of the host's servers any more sends nobody to it") {
  TwoBalancers rig;
  Rotations rotations(rig.plan, rig.dial());
  const std::string server = " admin=0 op=2 weight=100 checked\n";
  rotations.adopt("s2",
                  "staithe-found 1\nbalancer lb1 100 1000\nserver web/gone" + server +
                      "balancer lb2 100 1000\nserver web/s2" + server,
                  false);
  const auto reach = rig.reach(rotations);
  CHECK(reach.out == Names{"lb1"});
  CHECK(reach.serving == Names{"lb2"});
}

TEST_CASE("reach: of a host whose servers nobody can tell nothing is said") {
  TwoBalancers rig;
  rig.plan.hosts["s2"].servers = {{{"web", "s9"}}, own_address(), rig.apps[1].port()};
  Rotations rotations(rig.plan, rig.dial());
  CHECK(rotations.reach({"s2"}, soon()).empty());
}

TEST_CASE(
    "adopt: while one balancer is away, a reload of the other does not let visitors in to what is out") {
  using To = plan::ChangeRotation::To;
  TwoBalancers rig;
  rig.add_host("s1", 0);
  {
    Rotations dead(rig.plan, rig.dial());
    for (const auto* host : {"s1", "s2"})
      for (const auto to : {To::drain, To::maint}) rig.change(dead, to, host);
  }
  REQUIRE(rig.notes.size() == 2);
  rig.lb2.stop();
  Rotations rotations(rig.plan, rig.dial());
  rotations.adopt("s1", rig.notes[0], true);
  rotations.adopt("s2", rig.notes[1], true);
  rig.change(rotations, To::prove, "s1");  // the recovery begins with s1; its first look at s2 is behind it
  const auto is_out = [&] {
    const auto state = rig.lb1.state("web/s2");
    return state.in_maint() || state.in_drain();
  };
  REQUIRE(is_out());
  rig.lb1.reload();
  CHECK(eventually(is_out));
}

TEST_CASE("keeper: that a balancer was told anew after a reload is told of, with the process that it was") {
  using To = plan::ChangeRotation::To;
  TwoBalancers rig;
  std::mutex mutex;
  std::string told;
  Rotations rotations(rig.plan, rig.dial(), [&](const std::string& host, const std::string& found) {
    const std::lock_guard lock(mutex);
    told = host + ": " + found;
  });
  for (const auto to : {To::drain, To::maint}) rig.change(rotations, to);
  rig.lb1.reload();
  CHECK(eventually([&] {
    const auto pid = std::to_string(rig.lb1.socket().info(within(2'000)).pid);
    const std::lock_guard lock(mutex);
    return told.starts_with("s2: ") && told.find("balancer lb1 " + pid + ' ') != std::string::npos;
  }));
}

namespace {

void set(Balancer& balancer, const std::string& server, const std::string& state) {
  balancer.socket().command("set server web/" + server + " state " + state, within(2'000));
}

/// A restore of s2, that far.
struct Restore : TwoBalancers {
  Restore() {
    plan::Action guard;
    guard.id = "restore/s2/guard";
    guard.effect = guarded;
    plan::Action prove;
    prove.id = "restore/s2/prove";
    prove.effect = plan::ChangeRotation{"s2", plan::ChangeRotation::To::prove};
    plan::Lane lane;
    lane.host = "s2";
    lane.nodes = {guard, prove};
    plan::Stage stage;
    stage.shape = plan::Stage::Shape::rolling;
    stage.lanes = {lane};
    plan.stages = {stage};
  }

  exec::EffectResult guard(Rotations& rotations) { return rotations.guard(guarded, performance); }

  plan::GuardCapacity guarded{"s2", {1, false}};
};

}  // namespace

TEST_CASE("restore: a host that serves everywhere is left alone, also where it is the last") {
  using To = plan::ChangeRotation::To;
  using Until = plan::AwaitRotation::Until;
  Restore rig;
  for (const auto* other : {"s1", "s3"}) {
    set(rig.lb1, other, "maint");
    set(rig.lb2, other, "maint");
  }
  const bool on_record = GENERATE(false, true);
  Rotations rotations(rig.plan, rig.dial());
  // A drain that a reload of HAProxy lost.
  if (on_record)
    rotations.adopt("s2",
                    "staithe-found 1\nbalancer lb1 1 0\nserver web/s2 admin=0 op=2 weight=1 checked\n"
                    "balancer lb2 1 0\nserver web/s2 admin=0 op=2 weight=1 checked\n",
                    true);
  CHECK(rig.guard(rotations).outcome == event::Outcome::ok);
  rig.change(rotations, To::prove);
  CHECK(rig.reach(rotations).everywhere());
  const auto wait = [&](Until until) {
    return rotations.await({"s2", until, plan::AwaitRotation::AtDeadline::fail, {}}, rig.performance).outcome;
  };
  CHECK(wait(Until::proven) == event::Outcome::ok);
  rig.change(rotations, To::ready);
  CHECK(wait(Until::serving) == event::Outcome::ok);
  CHECK(rig.reach(rotations).everywhere());
}

TEST_CASE("restore: no proof takes the last server of a balancer") {
  Restore rig;
  for (const auto* other : {"s1", "s3"}) set(rig.lb1, other, "maint");
  set(rig.lb2, "s2", "maint");
  Rotations rotations(rig.plan, rig.dial());
  const auto refused = rig.guard(rotations);
  CHECK(refused.outcome == event::Outcome::refused);
  CHECK(refused.detail.find("lb1: ") != std::string::npos);
  CHECK(refused.detail.find("lb2: ") == std::string::npos);
  set(rig.lb1, "s1", "ready");
  CHECK(eventually([&] { return rig.guard(rotations).outcome == event::Outcome::ok; }));
}

TEST_CASE("recover: a host that serves and is to be reverted is taken out only with capacity to spare") {
  Restore rig;
  rig.plan.stages.clear();  // there the guard stands before a drain
  for (const auto* other : {"s1", "s3"}) {
    set(rig.lb1, other, "maint");
    set(rig.lb2, other, "maint");
  }
  Rotations rotations(rig.plan, rig.dial());
  CHECK(rig.guard(rotations).outcome == event::Outcome::refused);
}

TEST_CASE("restore: what is out costs nobody anything, and a balancer that is away is not counted") {
  Restore rig;
  for (const auto* name : {"s1", "s2", "s3"}) set(rig.lb1, name, "maint");
  rig.lb2.stop();
  Rotations rotations(rig.plan, rig.dial());
  CHECK(rig.guard(rotations).outcome == event::Outcome::ok);
}

TEST_CASE("what a frozen HAProxy leaves open is not held against the release, what it finds unwell is") {
  using To = plan::ChangeRotation::To;
  TwoBalancers rig;
  base::Redactor redactor;
  world::World world(rig.sockets(), nullptr, redactor, {});
  const auto act = [&](const plan::Effect& effect, base::Duration lasts) {
    rig.performance.scope = within(static_cast<int>(lasts.count()));
    return world.perform(effect, rig.performance);
  };
  const auto serves = [&] {
    return act(plan::AwaitRotation{"s2", plan::AwaitRotation::Until::serving}, base::Duration(6'000));
  };
  for (const auto to : {To::drain, To::ready})
    REQUIRE(act(plan::ChangeRotation{"s2", to}, base::Duration(60'000)).ok());
  rig.apps[1].stop();
  REQUIRE(eventually([&] { return !rig.lb1.state("web/s2").usable() && !rig.lb2.state("web/s2").usable(); }));
  CHECK(serves().tells_of_release());
  const auto worker = static_cast<pid_t>(rig.lb2.worker_pid());
  REQUIRE(::kill(worker, SIGSTOP) == 0);
  const auto silent = serves();
  REQUIRE(::kill(worker, SIGCONT) == 0);
  INFO(silent.detail);
  CHECK_FALSE(silent.ok());
  CHECK_FALSE(silent.tells_of_release());
}
