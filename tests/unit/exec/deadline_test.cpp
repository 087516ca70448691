#include "catch.hpp"
#include "fake_effects.hpp"

#include "staithe/event/exit_codes.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

using namespace staithe;
using event::HostState;
using exec::Verdict;
using test::state_of;

namespace {

using OnFailure = plan::Strategy::OnFailure;

/// Takes its time over what the clock says: between the deadline and the end of what is in hand nothing may
/// begin.
struct SlowLog final : event::EventSink {
  test::EventLog log;
  void on_event(const event::Event& event) noexcept override {
    log.on_event(event);
    if (std::holds_alternative<event::Message>(event.payload))
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
};

/// What the deadline finds in hand.
enum class Meets {
  what_goes_forward,  ///< it is told, and cuts that
  what_gives_back,    ///< it is told, and cuts nothing
  nothing_bound,      ///< it is not even told
};

/// As long as a busy machine may need.
constexpr base::Duration patience{60'000};
/// As long as is waited for what is not to come.
constexpr base::Duration a_while{300};

/// A run whose deadline passes while a chosen action is performed.
struct LateRun {
  test::FakeEffects effects;
  test::FakeJournal journal;
  SlowLog log;
  exec::Stops stops;
  bool was_cut = false;  ///< the deadline ended that action
  std::string soft_at;   ///< a person stops the run while that action is performed

  static plan::Plan plan(std::size_t hosts, OnFailure on_failure) {
    plan::Strategy strategy;
    strategy.on_failure = on_failure;
    strategy.deadline = std::chrono::hours(1);
    return test::deploy_plan(hosts, strategy);
  }

  exec::RunResult run(const plan::Plan& plan, const std::string& late_at,
                      Meets meets = Meets::what_goes_forward) {
    effects.on_perform = [&, late_at, meets](const std::string& name, exec::Performance& performance) {
      if (name == soft_at) stops.soft.request();
      if (name == late_at) pass(performance, meets);
    };
    return exec::run(plan, {"run1", {}}, effects, journal, log, stops);
  }

  /// The same between that record of the journal and whatever comes next.
  exec::RunResult run_late_after(const plan::Plan& plan, const std::string& record) {
    journal.on_record = [&, record](const std::string& written) {
      if (written == record) pass();
    };
    return exec::run(plan, {"run1", {}}, effects, journal, log, stops);
  }

  bool told() const {
    const auto events = log.log.events();
    return std::any_of(events.begin(), events.end(), [](const auto& event) {
      const auto* message = std::get_if<event::Message>(&event.payload);
      return message != nullptr && message->text.starts_with("the run's deadline of 1h has passed");
    });
  }

 private:
  void pass(exec::Performance& performance, Meets meets) {
    stops.late.request();
    if (meets != Meets::nothing_bound) await_told();
    const auto wait = meets == Meets::what_goes_forward ? patience : a_while;
    was_cut =
        base::wait_for(-1, 0, base::Scope::lasting(wait, performance.scope.cancel)) == base::Woke::cancelled;
  }
  void pass() {
    stops.late.request();
    await_told();
  }
  /// A clock that does not tell fails the test by what it then lets happen.
  void await_told() const {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!told() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  }
};

/// As a deploy's lanes do: what follows is for the history only.
void ends_with_restore(plan::Lane& lane) {
  plan::Action record;
  record.id = "roll/" + lane.host + "/record";
  record.effect = plan::RecordRelease{lane.host, "payments", "r1", "r1", plan::RecordRelease::State::live};
  lane.nodes.back() = record;
}

/// In a process that gets no thread more: what `check` returns.
int without_threads(const std::function<int()>& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr rlimit alone{1, 1};
    constexpr uid_t nobody = 65534;  // the limit does not hold for root
    const bool limited = (::getuid() != 0 || ::setuid(nobody) == 0) && ::setrlimit(RLIMIT_NPROC, &alone) == 0;
    ::_exit(limited ? check() : 100);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("whatever action the run's deadline meets, nobody is left drained and nothing else is begun") {
  const auto policy = GENERATE(OnFailure::revert_batch, OnFailure::revert_all);
  const auto at = GENERATE(std::string("drain"), std::string("calm"), std::string("prepare"),
                           std::string("activate"), std::string("reload"), std::string("health"),
                           std::string("prove"), std::string("ready"), std::string("check"));
  INFO("late at " << at << " with policy " << static_cast<int>(policy));
  LateRun late;
  const bool on_its_way_back = at == "prove" || at == "ready";
  const auto result = late.run(LateRun::plan(3, policy), "web2 " + at,
                               on_its_way_back ? Meets::what_gives_back : Meets::what_goes_forward);
  CHECK(late.told());
  CHECK(late.was_cut != on_its_way_back);
  CHECK(result.verdict == (policy == OnFailure::revert_all ? Verdict::failed : Verdict::needs_person));
  CHECK(result.finished.deadline == std::chrono::hours(1));
  CHECK(result.finished.failure.starts_with("the run's deadline of 1h has passed"));
  CHECK(state_of(result, "web1") ==
        (policy == OnFailure::revert_all ? HostState::reverted : HostState::done));
  const bool untaken = at == "drain" || at == "calm" || at == "prepare";
  CHECK(state_of(result, "web2") == (untaken ? HostState::restored : HostState::reverted));
  CHECK(state_of(result, "web3") == HostState::untouched);
  CHECK_FALSE(late.effects.did("web3 drain"));
  CHECK_FALSE(late.effects.did("after"));
  CHECK(late.effects.performed().back() == "unlock");
}

TEST_CASE("what the deadline kept from beginning has altered nothing") {
  const auto policy = GENERATE(OnFailure::stop, OnFailure::revert_batch);
  const auto record =
      GENERATE(std::string("outcome roll/web1/prepare ok"), std::string("intent roll/web1/activate"));
  INFO("late after " << record << " with policy " << static_cast<int>(policy));
  LateRun late;
  const auto result = late.run_late_after(LateRun::plan(2, policy), record);
  CHECK(state_of(result, "web1") == HostState::restored);
  CHECK_FALSE(late.effects.did("web1 activate"));
  CHECK_FALSE(late.effects.did("web1 back"));
  CHECK(late.effects.did("web1 undo"));
  CHECK(result.finished.exit_code == 1);
  // The intent that may stand there is not what a recovery goes by.
  const auto records = late.journal.records();
  CHECK(std::count(records.begin(), records.end(), "not begun roll/web1/activate timed_out") == 1);
}

TEST_CASE("steps behind the roll that the deadline left no time for have failed") {
  const auto policy = GENERATE(OnFailure::stop, OnFailure::revert_batch);
  LateRun late;
  const auto result = late.run_late_after(LateRun::plan(1, policy), "outcome roll/web1/check ok");
  CHECK(state_of(result, "web1") == (policy == OnFailure::stop ? HostState::done : HostState::reverted));
  CHECK(result.finished.failed_action == "after");
  CHECK(result.finished.exit_code == (policy == OnFailure::stop ? 5 : 1));
  CHECK_FALSE(late.effects.did("after"));
}

TEST_CASE("a release is not bad for a deadline that left no time for what is behind the roll") {
  auto plan = LateRun::plan(1, OnFailure::revert_batch);
  plan::Action record;
  record.id = "roll/web1/record-bad";
  record.effect = plan::RecordRelease{"web1", "payments", "r1", "r1", plan::RecordRelease::State::bad};
  auto& lane = plan.stages[1].lanes[0];
  std::get<plan::Bracket>(lane.revert.front()).body.push_back(record);
  LateRun late;
  const auto result = late.run_late_after(plan, "outcome roll/web1/check ok");
  CHECK(state_of(result, "web1") == HostState::reverted);
  CHECK_FALSE(late.effects.did("record"));
}

TEST_CASE("a release is not bad for a deadline that ended what was in hand") {
  auto plan = LateRun::plan(1, OnFailure::revert_batch);
  plan::Action record;
  record.id = "roll/web1/record-bad";
  record.effect = plan::RecordRelease{"web1", "payments", "r1", "r1", plan::RecordRelease::State::bad};
  std::get<plan::Bracket>(plan.stages[1].lanes[0].nodes.front()).repair.push_back(record);
  LateRun late;
  CHECK(state_of(late.run(plan, "web1 health"), "web1") == HostState::reverted);
  CHECK_FALSE(late.effects.did("record"));
}

TEST_CASE("what the deadline ended is in the journal as an action that took too long") {
  LateRun late;
  late.run(LateRun::plan(2, OnFailure::revert_batch), "web1 reload");
  const auto records = late.journal.records();
  CHECK(std::count(records.begin(), records.end(), "outcome roll/web1/reload timed_out") == 1);
}

TEST_CASE("with policy stop the deadline leaves an altered host out for a person, an unaltered one in") {
  LateRun altered;
  const auto out = altered.run(LateRun::plan(2, OnFailure::stop), "web1 reload");
  CHECK(state_of(out, "web1") == HostState::out);
  CHECK(out.finished.exit_code == 5);
  LateRun drained;
  const auto back = drained.run(LateRun::plan(2, OnFailure::stop), "web1 calm");
  CHECK(state_of(back, "web1") == HostState::restored);
  CHECK(back.finished.exit_code == 1);
}

TEST_CASE("a batch that had ended when the deadline passes stays, unless all are to be reverted") {
  const auto policy = GENERATE(OnFailure::stop, OnFailure::revert_batch, OnFailure::revert_all);
  auto plan = LateRun::plan(3, policy);
  LateRun late;
  const auto result = late.run(plan, "web1 ready", Meets::what_gives_back);
  // The rest of the host's own steps is not done either: it is not approved, and so not a batch that ended
  // well.
  CHECK(state_of(result, "web1") == (policy == OnFailure::stop ? HostState::failed : HostState::reverted));
  for (auto& lane : plan.stages[1].lanes) ends_with_restore(lane);
  LateRun ended;
  const auto whole = ended.run(plan, "web1 ready", Meets::what_gives_back);
  CHECK(state_of(whole, "web1") == (policy == OnFailure::revert_all ? HostState::reverted : HostState::done));
  CHECK(state_of(whole, "web2") == HostState::untouched);
  CHECK(ended.effects.did("record"));
  CHECK(whole.finished.failed_host.empty());
  CHECK(whole.finished.failed_action == "roll");
  CHECK(whole.finished.exit_code == (policy == OnFailure::revert_all ? 1 : 5));
}

TEST_CASE("a batch that had ended stays, though a failure in it was allowed") {
  const auto policy = GENERATE(OnFailure::stop, OnFailure::revert_batch, OnFailure::revert_all);
  auto plan = LateRun::plan(3, policy);
  plan.strategy.batches = {{2, false}};
  plan.strategy.max_failures = {1, false};
  LateRun late;
  late.effects.fail("web2 health");
  const bool repaired = policy != OnFailure::stop;
  const auto result =
      late.run_late_after(plan, repaired ? "outcome roll/web2/ready ok" : "outcome roll/web2/health failed");
  CHECK(state_of(result, "web1") ==
        (policy == OnFailure::revert_all ? HostState::reverted : HostState::done));
  CHECK(state_of(result, "web2") == (repaired ? HostState::reverted : HostState::out));
  CHECK(state_of(result, "web3") == HostState::untouched);
  CHECK_FALSE(late.effects.did("web3 drain"));
}

TEST_CASE("a batch with more failures than allowed is reverted, also when the deadline has passed by then") {
  auto plan = LateRun::plan(3, OnFailure::revert_batch);
  plan.strategy.batches = {{2, false}};
  LateRun late;
  late.effects.fail("web2 health");
  const auto result = late.run_late_after(plan, "outcome roll/web2/ready ok");
  CHECK(state_of(result, "web1") == HostState::reverted);
  CHECK(state_of(result, "web2") == HostState::reverted);
}

TEST_CASE("a host that a signal lets finish stays, also when the deadline passes before its end") {
  const auto policy = GENERATE(OnFailure::stop, OnFailure::revert_batch, OnFailure::revert_all);
  auto plan = LateRun::plan(3, policy);
  plan.strategy.batches = {{3, false}};
  for (auto& lane : plan.stages[1].lanes) ends_with_restore(lane);
  LateRun late;
  late.soft_at = "web1 health";
  const auto result = late.run(plan, "web1 ready", Meets::what_gives_back);
  CHECK(result.verdict == Verdict::interrupted);
  CHECK(result.finished.deadline == base::Duration::zero());
  CHECK(state_of(result, "web1") == HostState::done);
  CHECK(state_of(result, "web2") == HostState::untouched);
  CHECK(late.effects.last("web1 drain (revert)") == -1);
}

TEST_CASE("a late run has failed, however many failures are allowed") {
  LateRun late;
  auto plan = LateRun::plan(3, OnFailure::revert_all);
  plan.strategy.max_failures = {100, true};
  const auto result = late.run(plan, "web3 reload");
  CHECK(state_of(result, "web1") == HostState::reverted);
  CHECK_FALSE(late.effects.did("after"));
  CHECK(result.finished.exit_code == 1);
}

TEST_CASE("a repair and a revert are not bound by the run's deadline") {
  const auto at = GENERATE(std::string("back"), std::string("health-back"), std::string("revert-reload"));
  LateRun late;
  const bool reverts = at == "revert-reload";
  late.effects.fail(reverts ? "web1 check" : "web1 health");
  const auto result = late.run(LateRun::plan(1, OnFailure::revert_batch), "web1 " + at,
                               reverts ? Meets::nothing_bound : Meets::what_gives_back);
  CHECK_FALSE(late.was_cut);
  CHECK(late.told() != reverts);
  CHECK(result.finished.deadline == base::Duration::zero());
  CHECK(state_of(result, "web1") == HostState::reverted);
}

TEST_CASE("a deadline that passes before the roll leaves every host as it was") {
  LateRun late;
  const auto result = late.run(LateRun::plan(2, OnFailure::revert_batch), "web1 checkout");
  CHECK(late.was_cut);
  CHECK(result.finished.exit_code == 1);
  CHECK_FALSE(late.effects.did("web1 drain"));
  LateRun looking;
  auto plan = LateRun::plan(1, OnFailure::revert_batch);
  plan.stages.insert(
      plan.stages.begin(),
      {"preflight", plan::Stage::Shape::gather, 16, {{"web1", {test::action("pre/web1", "web1 look")}, {}}}});
  CHECK(looking.run(plan, "web1 look").finished.exit_code == 4);
}

TEST_CASE("a deadline that passes behind the roll reverts as a failure there does; a cleanup goes on") {
  LateRun late;
  const auto result = late.run(LateRun::plan(2, OnFailure::revert_batch), "after");
  CHECK(late.was_cut);
  CHECK(state_of(result, "web1") == HostState::reverted);
  LateRun tidying;
  auto plan = LateRun::plan(1, OnFailure::revert_batch);
  plan.stages.pop_back();
  plan.stages.push_back({"cleanup",
                         plan::Stage::Shape::parallel,
                         16,
                         {{"web1", {test::action("cleanup/web1", "web1 clean")}, {}}}});
  const auto tidied = tidying.run(plan, "web1 clean", Meets::nothing_bound);
  CHECK_FALSE(tidying.was_cut);
  CHECK_FALSE(tidying.told());
  CHECK(tidied.verdict == Verdict::done);
  // The one that was on its way back when the deadline passed was the last: all is done.
  LateRun last;
  CHECK(last.run(plan, "web1 check").finished.exit_code == 1);
}

TEST_CASE("a deadline that passes while the locks are given back is not told") {
  LateRun late;
  const auto result = late.run(LateRun::plan(1, OnFailure::revert_batch), "unlock", Meets::nothing_bound);
  CHECK_FALSE(late.told());
  CHECK(result.verdict == Verdict::done);
}

TEST_CASE("lanes in parallel are cut by the deadline and the others are not begun") {
  auto plan = LateRun::plan(3, OnFailure::revert_batch);
  plan.stages.resize(1);
  plan.stages[0].at_once = 1;
  LateRun late;
  const auto result = late.run(plan, "web2 checkout");
  CHECK(state_of(result, "web1") == HostState::done);
  CHECK(state_of(result, "web2") == HostState::failed);
  CHECK(state_of(result, "web3") == HostState::untouched);
  CHECK_FALSE(late.effects.did("web3 checkout"));
  CHECK(result.finished.exit_code == 1);
}

TEST_CASE("a signal is heard also where a run has a deadline, and before it") {
  LateRun late;
  late.effects.on_perform = [&](const std::string& name, exec::Performance& performance) {
    if (name != "web1 calm") return;
    late.stops.soft.request();
    base::wait_for(-1, 0, base::Scope::lasting(patience, performance.scope.cancel));
  };
  const auto result = exec::run(LateRun::plan(2, OnFailure::revert_batch), {"run1", {}}, late.effects,
                                late.journal, late.log, late.stops);
  CHECK(result.verdict == Verdict::interrupted);
  CHECK(result.finished.deadline == base::Duration::zero());
  CHECK(state_of(result, "web1") == HostState::restored);
  LateRun abandoned;
  abandoned.effects.on_perform = [&](const std::string& name, exec::Performance& performance) {
    if (name != "web1 reload") return;
    abandoned.stops.soft.request();
    abandoned.stops.hard.request();
    base::wait_for(-1, 0, base::Scope::lasting(patience, performance.scope.cancel));
  };
  const auto left = exec::run(LateRun::plan(2, OnFailure::revert_batch), {"run1", {}}, abandoned.effects,
                              abandoned.journal, abandoned.log, abandoned.stops);
  CHECK(state_of(left, "web1") == HostState::out);
}

TEST_CASE("a deadline counts from the moment when the locks are held") {
  LateRun late;
  auto plan = LateRun::plan(1, OnFailure::revert_batch);
  plan.strategy.deadline = base::Duration(2'000);
  late.effects.on_perform = [&](const std::string& name, exec::Performance& performance) {
    if (name == "lock") base::wait_for(-1, 0, base::Scope::lasting(base::Duration(2'500), nullptr));
    if (name == "web1 checkout")
      late.was_cut =
          base::wait_for(-1, 0, base::Scope::lasting(base::Duration(60'000), performance.scope.cancel)) ==
          base::Woke::cancelled;
  };
  const auto result = exec::run(plan, {"run1", {}}, late.effects, late.journal, late.log, late.stops);
  CHECK(late.effects.did("web1 checkout"));
  CHECK(late.was_cut);
  CHECK(result.finished.failure.starts_with("the run's deadline of 2s has passed"));
}

TEST_CASE("a run whose deadline has no thread to wait for it is refused, and gives its locks back") {
  const int said = without_threads([]() noexcept {
    LateRun late;
    const auto result = late.run(LateRun::plan(1, OnFailure::revert_batch), "");
    const bool told = result.finished.failure.starts_with("no thread to wait for the run's deadline");
    const bool closed = late.effects.performed() == std::vector<std::string>{"lock", "unlock"};
    return told && closed ? result.finished.exit_code : 101;
  });
  CHECK(said == event::exit_refused);
}
