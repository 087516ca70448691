#include "staithe/world/journal.hpp"

#include "actions.hpp"
#include "catch.hpp"
#include "support/directory.hpp"

#include "staithe/world/recovery.hpp"

using namespace staithe;
using event::Outcome;
using test::action;

namespace {

/// One run's journal on the disk, read back as a recovery does.
class Written {
 public:
  Written() {
    store::Run run;
    run.id = "run1";
    run.kind = "deploy";
    run.environment = "production";
    run.started = store::Time(std::chrono::minutes(1));
    store_->begin_run(run);
  }
  Written& begun(const std::string& id) {
    journal_.intent("web1", id);
    return *this;
  }
  Written& ended(const std::string& id, Outcome outcome = Outcome::ok) {
    journal_.outcome("web1", id, {outcome, "", {}, {}, {}, false});
    return *this;
  }
  Written& ended(const std::string& id, const exec::EffectResult& result) {
    journal_.outcome("web1", id, result);
    return *this;
  }
  Written& noted(const std::string& id, const std::string& text) {
    journal_.note("web1", id, "found", text);
    return *this;
  }
  Written& keeps_secret(const std::string& value) {
    redactor_.add(value);
    return *this;
  }
  Written& not_begun(const std::string& id) {
    journal_.not_begun("web1", id,
                       {Outcome::timed_out, "the run's deadline of 1h has passed", {}, {}, {}, false});
    return *this;
  }
  world::JournalView read() { return world::read_journal(*store_, "run1"); }

 private:
  test::Directory directory_;
  std::unique_ptr<store::Store> store_ = store::Store::open_sqlite(directory_ / "state.db");
  base::Redactor redactor_;
  world::StoreJournal journal_{*store_, "run1", redactor_};
};

/// A task on a host that nothing was drained for: what it began decides.
plan::Plan task() {
  plan::Plan plan;
  plan.kind = "run";
  const plan::RunRemote command{"web1", "systemctl restart app", {}, "", {}, false};
  plan.stages.push_back(
      {"roll", plan::Stage::Shape::rolling, 1, {{"web1", {action("a", command, true)}, {}}}});
  return plan;
}

}  // namespace

TEST_CASE("an action that was announced and not begun leaves a host to nobody") {
  const auto left = [](const world::JournalView& journal) {
    return world::assess(task(), journal).at(0).left;
  };
  CHECK(left(Written().begun("a").read()) == world::Left::altered);
  CHECK(left(Written().begun("a").ended("a", Outcome::timed_out).read()) == world::Left::altered);
  CHECK(left(Written().begun("a").not_begun("a").read()) == world::Left::untouched);
  CHECK(left(Written().not_begun("a").read()) == world::Left::untouched);
}

TEST_CASE("what recovery acts on is what was found, whatever else is secret") {
  Written written;
  written.keeps_secret("staging-web").begun("a").noted("a", "server staging-web/web1 admin=0");
  CHECK(written.read().actions.at("a").notes.at("found") == "server staging-web/web1 admin=0");
}

TEST_CASE("what no release is bad for is not held against it after a crash either") {
  const auto blameless = [](exec::EffectResult result) {
    return Written().begun("a").ended("a", result).read().actions.at("a").blameless;
  };
  exec::EffectResult failed{Outcome::failed, "exit status 1", 1, {}, {}, true};
  CHECK_FALSE(blameless(failed));
  CHECK_FALSE(blameless({Outcome::timed_out, "not healthy within 20s", {}, {}, {}, false}));
  CHECK(blameless({Outcome::cancelled, "stopped", {}, {}, {}, false}));
  CHECK(blameless({Outcome::unreachable, "connection refused", {}, {}, {}, false}));
  failed.own_fault = true;
  CHECK(blameless(failed));
  CHECK_FALSE(blameless({}));
}

TEST_CASE("what was not begun is as it was before, not as if it had never been") {
  Written lived;
  lived.begun("a").ended("a", Outcome::failed).begun("a").not_begun("a");
  CHECK(lived.read().begun("a"));
  CHECK(lived.read().actions.at("a").outcome == "failed");
  // One that was in hand when the process died is in hand.
  Written died;
  died.begun("a").begun("a").not_begun("a");
  CHECK(died.read().begun("a"));
  CHECK_FALSE(died.read().actions.at("a").ended);
  // And one that is begun after all is begun.
  CHECK(Written().begun("a").not_begun("a").begun("a").ended("a").read().ended_well("a"));
}
