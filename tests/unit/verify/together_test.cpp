#include "flow.hpp"

#include <condition_variable>
#include <mutex>

/// Suites of one run, beside each other and after each other.
using namespace flow;
using namespace std::chrono_literals;

TEST_CASE("together: suites are run beside each other, never more than there is room for") {
  for (const std::size_t room : {std::size_t{1}, std::size_t{3}}) {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t in_hand = 0, most = 0, done = 0;
    Fake fake([&](const std::string&) -> std::pair<int, std::string> {
      std::unique_lock lock(mutex);
      most = std::max(most, ++in_hand);
      changed.notify_all();
      changed.wait_for(lock, 5s, [&] { return most >= room; });
      changed.wait_for(lock, 10ms, [&] { return most > room; });
      --in_hand;
      ++done;
      return {200, "{}"};
    });
    std::vector<std::string> suites;
    for (int i = 0; i < 8; ++i)
      suites.push_back("suite: s" + std::to_string(i) +
                       "\ntarget: http://h\nsteps:\n  - get: /\n    expect: 200\n");
    const Ran ran(suites, fake, nullptr, nullptr, nullptr, room);
    CHECK(done == 8);
    CHECK(most == room);
  }
}

TEST_CASE("together: suites that wait for one that is blocked are blocked at once") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {500, "{}"}; });
  const auto suite = [](const std::string& name, const std::string& needs) {
    return "suite: " + name + "\ntarget: http://h\n" + needs + "steps:\n  - {name: " + name +
           "1, get: /, expect: 200}\n";
  };
  // Each before the one that it waits for, so that a pause for each would be four seconds.
  std::vector<std::string> chain;
  std::string verdicts;
  for (int i = 20; i > 0; --i) {
    const auto name = "s" + std::to_string(i);
    chain.push_back(suite(name, "depends_on: [s" + std::to_string(i - 1) + "]\n"));
    verdicts += name + "1=skipped ";
  }
  chain.push_back(suite("s0", ""));
  const auto begun = std::chrono::steady_clock::now();
  const Ran ran(chain, fake);
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
  CHECK(ran.verdicts() == verdicts + "s01=fail");
}

TEST_CASE("together: a suite whose file is wrong ends with error by itself, and what needs it is blocked") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {200, "{}"}; });
  checks::SuitePlan plan;
  plan.suites.resize(2);
  plan.suites[0].name = "broken";
  plan.suites[0].unread = "checks/broken.yml:3:1: unknown key";
  plan.suites[1].name = "after";
  plan.suites[1].depends_on = {"broken"};
  base::Redactor redactor;
  verify::Options options;
  options.run_id = verify::new_run_id(store::now());
  const auto result = verify::run(plan, options, fake, nullptr, redactor, {});
  CHECK(result.suites[0].verdict == Verdict::error);
  CHECK(result.suites[0].reason == plan.suites[0].unread);
  CHECK(result.suites[1].verdict == Verdict::skipped);
  CHECK(result.verdict == Verdict::error);
  CHECK(fake.asked.empty());
}
