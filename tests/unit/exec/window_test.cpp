#include "catch.hpp"
#include "fake_effects.hpp"

#include <condition_variable>
#include <mutex>

using namespace staithe;

namespace {

/// Hosts in hand, and whether web3 had its turn while web1 was still being reloaded.
struct Watch {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> in_hand, begun;
  std::size_t most_in_hand = 0;
  std::vector<std::string> order;
  bool third_began_meanwhile = false;
  std::size_t side_by_side = 1;  ///< hosts that are to begin together

  /// web1 waits so long for web3, once those have begun that begin with it.
  void see(const std::string& name, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex);
    const auto host = name.substr(0, name.find(' '));
    if (name.ends_with(" drain")) {
      in_hand.insert(host);
      begun.insert(host);
      order.push_back(host);
      most_in_hand = std::max(most_in_hand, in_hand.size());
      changed.notify_all();
    }
    if (name.ends_with(" check")) in_hand.erase(host);
    if (name != "web1 reload") return;
    changed.wait_for(lock, std::chrono::seconds(60), [&] { return begun.size() >= side_by_side; });
    third_began_meanwhile = changed.wait_for(lock, patience, [&] { return begun.count("web3") > 0; });
  }
};

void roll(Watch& watch, plan::Strategy::Window window, std::vector<plan::Amount> batches,
          std::uint32_t parallel, std::chrono::milliseconds patience) {
  plan::Strategy strategy;
  strategy.window = window;
  strategy.batches = std::move(batches);
  strategy.parallel = parallel;
  test::FakeEffects effects;
  effects.on_perform = [&](const std::string& name, exec::Performance&) { watch.see(name, patience); };
  test::FakeJournal journal;
  test::EventLog log;
  exec::Stops stops;
  const auto result = exec::run(test::deploy_plan(4, strategy), {"run1", {}}, effects, journal, log, stops);
  CHECK(result.finished.exit_code == 0);
}

constexpr plan::Amount all{100, true};
using Window = plan::Strategy::Window;

}  // namespace

TEST_CASE("sliding: the next host begins when one ends, and never more than are to be in hand") {
  Watch watch;
  roll(watch, Window::sliding, {all}, 2, std::chrono::seconds(10));
  CHECK(watch.third_began_meanwhile);
  CHECK(watch.most_in_hand == 2);
}

TEST_CASE("lockstep: the next hosts begin when all in hand have ended") {
  Watch watch;
  watch.side_by_side = 2;
  roll(watch, Window::lockstep, {all}, 2, std::chrono::milliseconds(200));
  CHECK_FALSE(watch.third_began_meanwhile);
  CHECK(watch.most_in_hand == 2);
  CHECK(watch.order.size() == 4);
}

TEST_CASE("a batch, such as the canary, has ended before the next begins, whatever the window") {
  const auto window = GENERATE(Window::sliding, Window::lockstep);
  Watch watch;
  roll(watch, window, {{1, false}, all}, 3, std::chrono::milliseconds(200));
  CHECK_FALSE(watch.third_began_meanwhile);
  CHECK(watch.order.front() == "web1");
  CHECK(watch.order.size() == 4);
}
