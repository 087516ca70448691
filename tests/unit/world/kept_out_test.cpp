#include "catch.hpp"
#include "history.hpp"

#include "staithe/event/event.hpp"
#include "staithe/world/recovered.hpp"
#include "staithe/world/survey.hpp"

/// A host that somebody else keeps out of rotation is nothing that a run left.
using namespace staithe;
using test::History;
using test::plan_of;

namespace {

constexpr const char* found_in_service =
    "staithe-found 1\nbalancer lb1 100 1000\nserver api/web1 admin=0 op=2 weight=100 checked\n";

/// A deploy that ended with web1 in somebody else's hand, and with web2 in its own.
void end_kept_out(History& past, bool web2_left) {
  past.begin("run", plan_of("deploy"));
  past.drained("run", found_in_service);
  auto summary = nlohmann::json::parse(
      R"({"hosts":{"web1":{"state":"out","detail":"","kept_out":true},"web2":{"state":"done","detail":""}}})");
  if (web2_left)
    summary["hosts"]["web2"]["state"] = "out";
  else
    summary["but_for_others"] = 0;
  past.store().end_run("run", "needs a person", 5, summary.dump());
}

}  // namespace

TEST_CASE("a run whose host somebody else keeps out left nothing to recover, and nothing in a deploy's way") {
  History past;
  past.begin("before", plan_of("deploy"));
  past.drained("before", found_in_service);
  past.end("before", 5, "out");
  end_kept_out(past, false);
  const auto run = *past.store().run("run");
  CHECK(world::kept_out_by_others(run) == std::set<std::string>{"web1"});
  CHECK(world::is_only_kept_out(run));
  CHECK(world::why_not_recover(past.store(), run) == "ended: needs a person; it left nothing to put right");
  // It had taken the host out of service and given it back: what keeps it away is not ours, nor an older
  // run's.
  CHECK(world::taken_out(past.store(), "production", {"web1"}).empty());
  // What the run before had left is still to be seen to, for no run has ended well there.
  CHECK(past.to_recover() == "before");
}

TEST_CASE("where it left another host itself, that is to be recovered, and the kept one is not in its way") {
  History past;
  end_kept_out(past, true);
  CHECK_FALSE(world::is_only_kept_out(*past.store().run("run")));
  CHECK(past.to_recover() == "run");
  const auto left = world::left_to_person(past.store(), "production", {"web1", "web2"});
  CHECK(left.count("web1") == 0);
  CHECK(left.count("web2") == 1);
}

TEST_CASE(
    "a recovery that gave back what somebody else keeps out has put it right, on the release it is on") {
  plan::Plan recovery;
  recovery.stages.push_back({"recover", plan::Stage::Shape::rolling, 1, {{"web1", {}, {}}}});
  event::RunFinished finished;
  finished.exit_code = 5;
  finished.but_for_others = 0;
  finished.hosts = {{"web1", event::HostState::out, "", {}, false, event::HostState::done}};
  CHECK(world::put_right(recovery, finished));
  world::Aftermath aftermath;
  aftermath.hosts.resize(1);
  aftermath.hosts[0].left.host = "web1";
  aftermath.hosts[0].left.left = world::Left::out_done;
  CHECK(world::conclude(aftermath, finished).on_new == 1);

  finished.but_for_others = 1;
  finished.failed_host = "web1";
  finished.hosts[0].kept_out = event::HostState::reverted;
  CHECK(world::put_right(recovery, finished));
  CHECK(world::conclude(aftermath, finished).on_new == 0);
  // Stopped before it had come to all.
  finished.but_for_others = 130;
  CHECK_FALSE(world::put_right(recovery, finished));
}
