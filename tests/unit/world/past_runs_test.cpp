#include "staithe/world/past_runs.hpp"

#include "catch.hpp"

#include "staithe/plan/plan.hpp"
#include "staithe/world/recovery.hpp"
#include "staithe/world/survey.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>

using namespace staithe;

namespace {

/// A history on the disk, with runs as the program writes them.
class History {
 public:
  History() {
    std::string pattern = (std::filesystem::temp_directory_path() / "staithe-past-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    store_ = store::Store::open_sqlite(directory_ + "/state.db");
  }
  History(const History&) = delete;
  History& operator=(const History&) = delete;
  ~History() {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  store::Store& store() { return *store_; }

  /// Runs start a minute apart, in the order in which they are told.
  void begin(const std::string& id, const plan::Plan& plan) {
    store::Run run;
    run.id = id;
    run.kind = plan.kind;
    run.environment = "production";
    run.service = plan.service;
    run.plan_json = plan::to_json(plan);
    run.started = store::Time(std::chrono::minutes(++minute_));
    store_->begin_run(run);
  }
  void drained(const std::string& id, const std::string& found) {
    store_->append(id, {0, {}, "web1", "drain", "intent", "{}"});
    store_->append(
        id,
        {0, {}, "web1", "drain", "note", nlohmann::json{{"key", world::found_key}, {"text", found}}.dump()});
  }
  void did(const std::string& id, const std::string& action) {
    store_->append(id, {0, {}, "web1", action, "intent", "{}"});
    store_->append(id, {0, {}, "web1", action, "outcome", R"({"outcome":"ok","detail":""})"});
  }
  void end(const std::string& id, int code, const std::string& state, const std::string& outcome = "ended") {
    const nlohmann::json summary{{"hosts", {{"web1", {{"state", state}, {"detail", ""}}}}}};
    store_->end_run(id, outcome, code, summary.dump());
  }
  std::string record() {
    const auto found = world::drains_on_record(*store_, "production", {"web1"});
    return found.empty() ? "" : found.at("web1");
  }
  std::string to_recover() {
    const auto run = world::run_to_recover(*store_, "production");
    return run ? run->id : "";
  }

 private:
  std::string directory_;
  std::unique_ptr<store::Store> store_;
  int minute_ = 0;
};

plan::Action action(const std::string& id, plan::Effect effect) {
  plan::Action made;
  made.id = id;
  made.effect = std::move(effect);
  return made;
}

plan::Plan plan_of(const std::string& kind) {
  plan::Bracket bracket;
  bracket.acquire = {action("drain", plan::ChangeRotation{"web1", plan::ChangeRotation::To::drain})};
  plan::AwaitRotation serving{
      "web1", plan::AwaitRotation::Until::serving, plan::AwaitRotation::AtDeadline::fail, {}};
  if (kind != "drain")
    bracket.release = {action("ready", plan::ChangeRotation{"web1", plan::ChangeRotation::To::ready}),
                       action("serves", serving)};
  plan::Plan plan;
  plan.kind = kind;
  plan.service = kind == "drain" ? "" : "payments";
  plan.hosts["web1"].name = "web1";
  plan.stages.push_back({"roll", plan::Stage::Shape::rolling, 1, {{"web1", {bracket}, {}}}});
  return plan;
}

}  // namespace

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
  CHECK(world::left_to_person(past.store(), "production").at("web1").id == "left");
  past.begin("restored", plan_of("restore"));
  past.end("restored", 0, "done");
  CHECK(past.to_recover().empty());
  CHECK(world::left_to_person(past.store(), "production").empty());
  CHECK(world::put_right_since(past.store(), *left).at("web1") == "restored");
}

TEST_CASE("a restore that failed keeps no release away, except where a run had left the host to a person") {
  History past;
  const bool by_a_deploy = GENERATE(true, false);
  past.begin("first", plan_of(by_a_deploy ? "deploy" : "drain"));
  past.end("first", by_a_deploy ? 5 : 0, by_a_deploy ? "out" : "done");
  past.begin("restore", plan_of("restore"));
  past.end("restore", 5, "out");
  const auto left = world::left_to_person(past.store(), "production");
  CHECK(left.size() == (by_a_deploy ? 1U : 0U));
  if (by_a_deploy) CHECK(left.at("web1").id == "first");
}

TEST_CASE("a run that is recovered is not looked at again") {
  History past;
  past.begin("mixed", plan_of("deploy"));
  past.end("mixed", 5, "reverted", "recovered");
  CHECK(past.to_recover().empty());
}

TEST_CASE("a recovery counts for the runs before it once it has ended") {
  History past;
  const auto since = [&] { return world::recoveries_since(past.store(), *past.store().run("dead")); };
  past.begin("before", plan_of("recover"));
  past.end("before", 0, "done");
  past.begin("dead", plan_of("deploy"));
  past.begin("mending", plan_of("recover"));
  past.begin("deploy", plan_of("deploy"));
  past.end("deploy", 0, "done");
  CHECK(since().empty());  // it is alive: this process
  past.end("mending", 5, "out");
  CHECK(since() == std::vector<std::string>{"mending"});
}

TEST_CASE("a run under way is neither dead nor in the way, and said when nothing else is to be recovered") {
  History past;
  past.begin("alive", plan_of("deploy"));
  CHECK_FALSE(world::is_dead(past.store(), *past.store().run("alive")));
  CHECK_FALSE(world::in_the_way(past.store(), "production", "payments", {"web1"}).has_value());
  CHECK_THROWS(world::run_to_recover(past.store(), "production"));
}

TEST_CASE("a process that cannot be looked at is dead once its lock is nobody's") {
  History past;
  auto plan = plan_of("drain");
  plan.open = {action("open/1", plan::TakeLock{"production/payments", "drain"})};
  past.begin("far", plan);
  auto run = *past.store().run("far");
  run.owner = store::Owner::unknown;
  CHECK_FALSE(world::is_dead(past.store(), run));  // it may wait for its lock
  past.did("far", "open/1");
  CHECK(world::is_dead(past.store(), run));
  const auto held = past.store().try_lock({"production/payments", "drain", "far", ""});
  REQUIRE(std::holds_alternative<store::Lock>(held));
  CHECK_FALSE(world::is_dead(past.store(), run));
}
