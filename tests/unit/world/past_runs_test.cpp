#include "staithe/world/past_runs.hpp"

#include "catch.hpp"
#include "history.hpp"

#include "staithe/base/error.hpp"
#include "staithe/world/recovered.hpp"
#include "staithe/world/recovery.hpp"
#include "staithe/world/survey.hpp"

#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>

using namespace staithe;
using test::action;
using test::History;
using test::plan_of;

TEST_CASE("what is given back is what the first drain of an unbroken chain had found") {
  History past;
  past.begin("deploy", plan_of("deploy"));
  past.drained("deploy", "as it served");
  past.end("deploy", 5, "out");
  CHECK(past.record() == "as it served");
  past.begin("drain", plan_of("drain"));
  past.drained("drain", "in maintenance");
  past.end("drain", 0, "done");
  CHECK(past.record() == "as it served");
}

TEST_CASE("a run that gave the host back ends what was on record") {
  History past;
  past.begin("deploy", plan_of("deploy"));
  past.drained("deploy", "as it served");
  past.end("deploy", 5, "out");
  past.begin("again", plan_of("deploy"));
  past.drained("again", "as it was then");
  past.did("again", "ready");
  past.did("again", "serves");
  past.end("again", 0, "done");
  CHECK(past.record().empty());
}

TEST_CASE("a release that came to a drained host does not make the drain forgotten") {
  const std::string head = "staithe-found 1\nbalancer edge1 100 1000\nserver api/web1 admin=";
  const std::string serving = head + "0 op=2 weight=37 checked agent\n";
  const std::string drained = head + "1 op=2 weight=37 checked\n";
  CHECK(world::was_out(drained));
  CHECK_FALSE(world::was_out(serving));
  CHECK_FALSE(world::was_out("nonsense"));
  History past;
  past.begin("drain", plan_of("drain"));
  past.drained("drain", serving);
  past.end("drain", 0, "done");
  const bool found_out = GENERATE(true, false);
  past.begin("deploy", plan_of("deploy"));
  past.drained("deploy", found_out ? drained : serving);
  past.did("deploy", "ready");
  past.did("deploy", "serves");
  past.end("deploy", 0, "done");
  // Weight and agent as they were before the drain, not as the deploy found them.
  CHECK(past.record() == (found_out ? serving : ""));
  const auto taken = world::taken_out(past.store(), "production", {"web1"});
  REQUIRE(taken.size() == (found_out ? 1U : 0U));
  if (found_out) CHECK((taken.at("web1").run_id == "drain" && taken.at("web1").on_purpose));
}

TEST_CASE("a task that drains nothing makes no drain forgotten") {
  History past;
  past.begin("drain", plan_of("drain"));
  past.drained("drain", "staithe-found 1\nbalancer edge1 100 1000\nserver api/web1 admin=0 op=2 weight=37\n");
  past.end("drain", 0, "done");
  const bool went_well = GENERATE(true, false);
  auto task = plan_of("run");
  task.stages.front().lanes = {{"web1", {action("uptime", plan::RunRemote{})}, {}}};
  past.begin("uptime", task);
  past.end("uptime", went_well ? 0 : 5, went_well ? "done" : "failed");
  CHECK_FALSE(past.record().empty());
  const auto taken = world::taken_out(past.store(), "production", {"web1"});
  REQUIRE(taken.count("web1") == 1);
  CHECK((taken.at("web1").run_id == "drain" && taken.at("web1").on_purpose));
}

TEST_CASE(
    "a host that was left out is put right by who gave it back, not by a task that does its work there") {
  const std::string serving =
      "staithe-found 1\nbalancer edge1 100 1000\nserver api/web1 admin=0 op=2 weight=37\n";
  const std::string out =
      "staithe-found 1\nbalancer edge1 100 1000\nserver api/web1 admin=1 op=0 weight=37\n";
  History past;
  past.begin("left", plan_of("deploy"));
  past.drained("left", serving);
  past.end("left", 5, "out");
  const auto still_left = [&] {
    const auto left = world::left_to_person(past.store(), "production", {"web1"});
    const auto since = world::put_right_since(past.store(), *past.store().run("left"));
    const auto taken = world::taken_out(past.store(), "production", {"web1"});
    CHECK(left.count("web1") == taken.count("web1"));
    CHECK(since.count("web1") == 1 - left.count("web1"));
    CHECK(past.to_recover() == (left.empty() ? "" : "left"));
    return !left.empty();
  };
  CHECK(still_left());
  for (const auto* kind : {"run", "deploy", "rollback"}) {
    const std::string id = std::string(kind) + " without a drain";
    past.begin(id, plan_of(kind));
    past.end(id, 0, "done");
    CHECK(still_left());
  }
  past.begin("found it out", plan_of("run"));
  past.drained("found it out", out);
  past.end("found it out", 0, "done");
  CHECK(still_left());
  const bool reverted = GENERATE(true, false);
  past.begin("gave it back", plan_of("run"));
  past.drained("gave it back", serving);
  past.end("gave it back", 1, reverted ? "reverted" : "done");
  CHECK_FALSE(still_left());
}

TEST_CASE("a host that serves half changed is put right by a release that comes to it, not by a task") {
  History past;
  past.begin("half", plan_of("deploy"));
  past.end("half", 5, "failed");
  past.begin("task", plan_of("run"));
  past.end("task", 0, "done");
  CHECK(past.to_recover() == "half");
  CHECK(world::put_right_since(past.store(), *past.store().run("half")).empty());
  // It serves already, and a release that failed there went back to what is half changed.
  past.begin("restored", plan_of("restore"));
  past.end("restored", 0, "done");
  past.begin("failed too", plan_of("deploy"));
  past.end("failed too", 1, "reverted");
  auto others = plan_of("deploy");
  others.service = "another";
  past.begin("of another service", others);
  past.end("of another service", 0, "done");
  CHECK(past.to_recover() == "half");
  CHECK(world::put_right_since(past.store(), *past.store().run("half")).empty());
  past.begin("again", plan_of("deploy"));  // no balancer has it
  past.end("again", 0, "done");
  CHECK(past.to_recover().empty());
  CHECK(world::put_right_since(past.store(), *past.store().run("half")).at("web1") == "again");
}

TEST_CASE(
    "what a task left half changed the same task puts right, and a host that no run came to is at no fault") {
  History past;
  auto task = plan_of("run");
  task.source = "playbooks/tune.yml";
  const auto begin = [&](const std::string& id, const plan::Plan& plan, const std::string& asked) {
    past.begin(id, plan);
    world::note_asked(past.store(), id, asked);
  };
  begin("half", task, R"({"vars":["pool=api","n=1"],"parallel":""})");
  past.end("half", 5, {{"web1", "failed"}, {"web2", "untouched"}});
  CHECK(past.to_recover() == "half");
  // Of the same title, by another playbook, or with other values.
  auto other = task;
  other.source = "playbooks/tune2.yml";
  begin("by another playbook", other, R"({"vars":["pool=api"],"parallel":""})");
  past.end("by another playbook", 0, {{"web1", "done"}, {"web2", "done"}});
  begin("of another pool", task, R"({"vars":["pool=admin"],"parallel":""})");
  past.end("of another pool", 0, {{"web1", "done"}, {"web2", "done"}});
  begin("of none", task, "");
  past.end("of none", 0, {{"web1", "done"}, {"web2", "done"}});
  CHECK(past.to_recover() == "half");
  begin("again", task, R"({"vars":["n=1","pool=api"],"parallel":"4"})");
  past.end("again", 0, {{"web1", "done"}, {"web2", "done"}});
  CHECK(past.to_recover().empty());
  CHECK(world::put_right_since(past.store(), *past.store().run("half")) ==
        std::map<std::string, std::string>{{"web1", "again"}, {"web2", "again"}});
}

TEST_CASE("a run that left a host to a person is found behind later runs, until one has put the host right") {
  History past;
  past.begin("left", plan_of("deploy"));
  past.end("left", 5, "out");
  past.begin("recovery", plan_of("recover"));
  past.end("recovery", 5, "out");
  past.begin("refused", plan_of("deploy"));
  past.end("refused", 4, "untouched");
  CHECK(past.to_recover() == "left");
  const auto left = past.store().run("left");
  CHECK(world::put_right_since(past.store(), *left).empty());
  // A drain over it puts nothing right.
  past.begin("drained", plan_of("drain"));
  past.end("drained", 0, "done");
  CHECK(past.to_recover() == "left");
  CHECK(world::left_to_person(past.store(), "production", {"web1"}).at("web1").id == "left");
  past.begin("restored", plan_of("restore"));
  past.end("restored", 0, "done");
  CHECK(past.to_recover().empty());
  CHECK(world::left_to_person(past.store(), "production", {"web1"}).empty());
  CHECK(world::put_right_since(past.store(), *left).at("web1") == "restored");
}

TEST_CASE("a restore that failed keeps no release away, except where a run had left the host to a person") {
  History past;
  const bool by_a_deploy = GENERATE(true, false);
  past.begin("first", plan_of(by_a_deploy ? "deploy" : "drain"));
  past.end("first", by_a_deploy ? 5 : 0, by_a_deploy ? "out" : "done");
  past.begin("restore", plan_of("restore"));
  past.end("restore", 5, "out");
  const auto left = world::left_to_person(past.store(), "production", {"web1"});
  CHECK(left.size() == (by_a_deploy ? 1U : 0U));
  if (by_a_deploy) CHECK(left.at("web1").id == "first");
  const std::string leaver = by_a_deploy ? "first" : "restore";
  CHECK(past.to_recover() == leaver);
  const auto taken = world::taken_out(past.store(), "production", {"web1"});
  REQUIRE(taken.count("web1") == 1);
  CHECK((taken.at("web1").run_id == leaver && !taken.at("web1").on_purpose));
}

TEST_CASE(
    "a restore that brought some hosts back leaves the others to the run that had left them, for all who "
    "ask") {
  History past;
  past.begin("deploy", plan_of("deploy"));
  past.end("deploy", 5, {{"web1", "out"}, {"web2", "out"}});
  past.begin("restore", plan_of("restore"));
  past.end("restore", 5, {{"web1", "done"}, {"web2", "out"}, {"web3", "out"}});
  CHECK(past.to_recover() == "deploy");
  const auto left = world::left_to_person(past.store(), "production", {"web1", "web2", "web3"});
  REQUIRE(left.size() == 1);
  CHECK(left.at("web2").id == "deploy");
  const auto taken = world::taken_out(past.store(), "production", {"web1", "web2", "web3"});
  REQUIRE(taken.size() == 2);
  CHECK(taken.at("web2").run_id == "deploy");
  CHECK(taken.at("web3").run_id == "restore");
  // Once that is put right, what the restore alone had in hand is left.
  past.begin("again", plan_of("restore"));
  past.end("again", 0, {{"web2", "done"}});
  CHECK(past.to_recover() == "restore");
  CHECK(world::taken_out(past.store(), "production", {"web2", "web3"}).count("web2") == 0);
}

TEST_CASE("a restore that did not come to a host leaves it to the run which had left it out") {
  History past;
  past.begin("deploy", plan_of("deploy"));
  past.drained("deploy", "as it served");
  past.end("deploy", 5, "out");
  past.begin("restore", plan_of("restore"));
  past.end("restore", 5, "untouched");
  const auto run = world::run_to_recover(past.store(), "production");
  REQUIRE(run);
  CHECK(run->id == "deploy");
}

TEST_CASE("a run that is recovered is not looked at again") {
  History past;
  past.begin("mixed", plan_of("deploy"));
  past.end("mixed", 5, "reverted", "recovered");
  CHECK(past.to_recover().empty());
}

TEST_CASE("a recovery counts for the run that it was for, once it has ended") {
  History past;
  const auto run = [&](const std::string& id) { return *past.store().run(id); };
  const auto since = [&] { return world::recoveries_of(past.store(), run("dead")).size(); };
  past.begin("before", plan_of("recover"));
  past.end("before", 0, "done");
  past.begin("dead", plan_of("deploy"));
  const auto grounds = world::grounds_of(past.store(), run("dead"));
  past.begin("mending", plan_of("recover"));
  past.begin("deploy", plan_of("deploy"));
  CHECK(since() == 0);  // it is alive: this process
  past.end("mending", 5, "out");
  CHECK(since() == 1);  // an older build: it does not say what it was for, but its title does
  CHECK(world::grounds_of(past.store(), run("dead")) != grounds);
  past.begin("of another", plan_of("recover"));
  world::note_recovered(past.store(), "of another", "deploy");
  past.end("of another", 0, "done");
  CHECK(since() == 1);
  past.begin("again", plan_of("recover"));
  world::note_recovered(past.store(), "again", "dead");
  past.did("again", "recover/drain");
  past.end("again", 5, "out");
  const auto later = world::recoveries_of(past.store(), run("dead"));
  REQUIRE(later.size() == 2);
  CHECK(later[1].plan.kind == "recover");
  CHECK(later[1].journal.ended_well("recover/drain"));
  // A record without the run is as good as none: the title tells.
  past.begin("unsaid", plan_of("recover"));
  past.store().append("unsaid", {0, {}, "", "recover", "note", R"({"key":"other","text":"dead"})"});
  past.end("unsaid", 5, "out");
  CHECK(since() == 3);
}

TEST_CASE("a recovery whose plan cannot be read is not passed over: what it gave back is not known") {
  History past;
  past.begin("dead", plan_of("deploy"));
  const auto recoveries = [&] { return world::recoveries_of(past.store(), *past.store().run("dead")); };
  CHECK(recoveries().empty());
  past.begin("newer build", plan_of("recover"), R"({"schema":9})");
  past.end("newer build", 5, "out");
  CHECK_THROWS_AS(recoveries(), base::Error);
}

TEST_CASE("a resumed deploy is for hosts that the newest run that came to them did not leave on the commit") {
  History past;
  const auto left = [&] { return world::left_behind(past.store(), plan_of("deploy")); };
  CHECK_FALSE(left().has_value());
  past.begin("first", plan_of("deploy"));
  past.end("first", 130, "untouched");
  CHECK(left() == std::vector<std::string>{"web1"});
  CHECK(world::brought_along(past.store(), plan_of("deploy")).empty());
  past.begin("second", plan_of("deploy"));
  past.end("second", 0, "done");
  CHECK(left()->empty());
  CHECK(world::brought_along(past.store(), plan_of("deploy")) == std::vector<std::string>{"web1"});
  past.begin("third", plan_of("deploy"));
  past.end("third", 1, "restored");  // as the second left it
  CHECK(left()->empty());
  past.begin("fourth", plan_of("deploy"));
  past.end("fourth", 1, "reverted");
  CHECK(left() == std::vector<std::string>{"web1"});
}

TEST_CASE("a recovery that told the run what it came to says nothing of the hosts itself, however it ended") {
  History past;
  past.begin("deploy", plan_of("deploy"));
  past.end("deploy", 5, "done", "recovered");
  past.begin("recovery", plan_of("recover"));
  const bool told = GENERATE(true, false);
  past.store().end_run(
      "recovery", "needs a person", 5,
      nlohmann::json{{"hosts", {{"web1", {{"state", "done"}}}}}, {"concluded", told}}.dump());
  CHECK(world::has_concluded(*past.store().run("recovery")) == told);
  CHECK(world::left_behind(past.store(), plan_of("deploy"))->empty() == told);
}

TEST_CASE("a run that a person settles keeps what it did to each host, and leaves nothing open") {
  History past;
  past.begin("older", plan_of("deploy"));
  past.end("older", 5, {{"web1", "failed"}, {"web2", "failed"}});
  past.begin("settled", plan_of("deploy"));
  past.end("settled", 5, {{"web1", "done"}, {"web2", "out"}, {"web3", "untouched"}});
  CHECK(past.to_recover() == "settled");
  const auto states = world::host_states(*past.store().run("settled"));
  world::settle(past.store(), *past.store().run("settled"), "ann", "web2 is rebuilt");
  const auto run = *past.store().run("settled");
  CHECK((run.outcome == "settled" && run.exit_code == 0));
  CHECK(world::host_states(run) == states);
  // An older run's hosts that this one, or the person, saw to are not gone back to.
  const auto since = world::put_right_since(past.store(), *past.store().run("older"));
  CHECK(since == std::map<std::string, std::string>{{"web1", "settled"}, {"web2", "settled"}});
  CHECK(past.to_recover().empty());
  CHECK(world::left_to_person(past.store(), "production", {"web1"}).empty());
  CHECK(world::taken_out(past.store(), "production", {"web1", "web2"}).empty());
  auto again = plan_of("deploy");
  for (const auto* host : {"web2", "web3"})
    again.stages.front().lanes.push_back({host, again.stages.front().lanes.front().nodes, {}});
  CHECK(world::left_behind(past.store(), again) == std::vector<std::string>{"web2", "web3"});
}

TEST_CASE("a run that died and is settled has the hosts where its journal leaves them") {
  History past;
  past.begin("dead", plan_of("deploy"));
  past.drained("dead", "as it served");
  past.did("dead", "drain");
  world::settle(past.store(), *past.store().run("dead"), "ann", "looked at");
  CHECK(world::host_states(*past.store().run("dead")).at("web1") == "out");
  past.begin("of another build", plan_of("deploy"), R"({"schema":9})");
  world::settle(past.store(), *past.store().run("of another build"), "ann", "looked at");
  CHECK(world::host_states(*past.store().run("of another build")).empty());
}

TEST_CASE("what was said of a run is read back from its first record, whatever stands behind it") {
  History past;
  past.begin("said", plan_of("deploy"));
  world::note_asked(past.store(), "said", R"({"vars":["pool=api"]})");
  past.store().append("said", {0, {}, "", "drain", "no such kind", "no JSON"});
  CHECK(world::asked_for(past.store(), "said") == R"({"vars":["pool=api"]})");

  past.begin("silent", plan_of("deploy"));
  CHECK(world::asked_for(past.store(), "silent").empty());
  past.drained("silent", "as it served");
  CHECK(world::asked_for(past.store(), "silent").empty());
  CHECK(world::asked_for(past.store(), "no such run").empty());

  past.begin("long", plan_of("deploy"));
  world::note_asked(past.store(), "long", std::string(256 * 1024 + 1, 'x'));
  CHECK(world::asked_for(past.store(), "long").empty());
}

TEST_CASE("a first record that says nothing of the run ends nobody who asks") {
  const auto* body =
      GENERATE("no JSON", "[]", "{}", R"({"key":"asked"})", R"({"text":7})", R"({"text":null})");
  History past;
  past.begin("hostile", plan_of("deploy"));
  past.store().append("hostile", {0, {}, "", "asked", "note", body});
  CHECK(world::asked_for(past.store(), "hostile").empty());
}

TEST_CASE("a summary that is none names no host, and a state that is no text is none") {
  const auto [summary, hosts, told] = GENERATE(table<const char*, std::size_t, std::size_t>(
      {{"no JSON", 0, 0},
       {"[]", 0, 0},
       {R"({"hosts":[]})", 0, 0},
       {R"({"hosts":{"web1":7,"web2":{"state":7},"web3":{"state":null},"web4":{"state":"out"}}})", 4, 1}}));
  store::Run run;
  run.summary_json = summary;
  CHECK(world::named_hosts(run).size() == hosts);
  CHECK(world::host_states(run).size() == told);
}

TEST_CASE("a run that is put right leaves no lock of its own behind, and nobody else's is touched") {
  History past;
  past.begin("dead", plan_of("deploy"));
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      const auto own = store::Store::open_sqlite(past.path());
      const auto lock = own->try_lock({"production/of-older-files", "deploy", "dead", ""});
      ::kill(::getpid(), SIGKILL);
    } catch (...) {
    }
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  const auto living = past.store().try_lock({"production/ledger", "deploy", "other", ""});
  REQUIRE(past.store().locks().size() == 2);
  const bool by_hand = GENERATE(true, false);
  if (by_hand)
    world::settle(past.store(), *past.store().run("dead"), "ann", "looked at");
  else
    world::end_recovered(past.store(), *past.store().run("dead"), {{}, 0, 1, "{}"});
  REQUIRE(past.store().locks().size() == 1);
  CHECK(past.store().locks().front().run_id == "other");
}
