#include "catch.hpp"
#include "rig.hpp"

#include <algorithm>
#include <string>

using namespace staithe;
using event::HostState;
using test::state_of;
using namespace test::running;

TEST_CASE("what gives back is tried three times when the host cannot be reached, and the way forward once") {
  const auto name = GENERATE(std::string("undo"), std::string("back"), std::string("prove"),
                             std::string("ready"), std::string("revert-back"));
  INFO("away at " << name);
  Rig rig;
  if (name == "undo") rig.effects.fail("web1 calm");
  if (name == "back") rig.effects.fail("web1 reload");
  if (name == "revert-back") rig.effects.fail("web1 check");
  rig.effects.lose("web1 " + name, 2);
  const auto result = rig.run(test::deploy_plan(1, strategy(revert_batch)));
  CHECK(state_of(result, "web1") != HostState::out);
  CHECK(result.finished.exit_code < 5);
  const auto performed = rig.effects.performed();
  CHECK(std::count(performed.begin(), performed.end(), "web1 " + name) == 3);
}

TEST_CASE("a host that stays away is left out after three attempts, and what failed is not tried again") {
  Rig rig;
  rig.effects.fail("web1 reload");
  const bool away = GENERATE(true, false);
  if (away)
    rig.effects.lose("web1 back", 100);
  else
    rig.effects.fail("web1 back");
  const auto result = rig.run(test::deploy_plan(1, strategy(revert_batch)));
  CHECK(state_of(result, "web1") == HostState::out);
  const auto performed = rig.effects.performed();
  CHECK(std::count(performed.begin(), performed.end(), "web1 back") == (away ? 3 : 1));
}

TEST_CASE("the way forward has the attempts that the plan gives it") {
  Rig rig;
  rig.effects.lose("web1 drain", 1);
  const auto result = rig.run(test::deploy_plan(1, strategy(revert_batch)));
  CHECK(state_of(result, "web1") == HostState::restored);
}
