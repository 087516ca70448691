#include "locks.hpp"

#include "catch.hpp"
#include "support/directory.hpp"

#include <cstdlib>
#include <filesystem>
#include <map>

using namespace staithe;

namespace {

struct Rig {
  Rig() {
    settings.run_id = "later";
    settings.in_the_way = [this] { return in_the_way; };
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  exec::EffectResult take(world::Locks& locks) {
    const std::map<std::string, std::string> captures;
    exec::Performance performance{base::Scope::lasting(std::chrono::seconds(10)), captures, {}, {},
                                  [](event::Level, const std::string&) {},        {}};
    return locks.take({"production/payments", "deploy"}, performance);
  }

  test::Directory directory;
  std::unique_ptr<store::Store> store = store::Store::open_sqlite(directory / "state.db");
  world::Settings settings;
  std::string in_the_way;
};

}  // namespace

TEST_CASE("who gets a lock without waiting looks again too: its holder may have ended just before") {
  Rig rig;
  world::Locks locks(rig.store.get(), rig.settings);
  rig.in_the_way = "web1 is out of rotation since run earlier";
  const auto refused = rig.take(locks);
  CHECK(refused.outcome == event::Outcome::refused);
  CHECK(refused.detail == rig.in_the_way);
  CHECK(rig.store->locks().empty());
  rig.in_the_way.clear();
  CHECK(rig.take(locks).ok());
  CHECK(rig.store->locks().size() == 1);
}

TEST_CASE("a lock that is given back is free when the run's end is written, not before") {
  Rig rig;
  {
    world::Locks locks(rig.store.get(), rig.settings);
    CHECK(rig.take(locks).ok());
    CHECK(locks.give({"production/payments"}).ok());
    CHECK(rig.store->locks().size() == 1);
  }
  CHECK(rig.store->locks().empty());
}
