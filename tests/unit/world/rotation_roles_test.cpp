#include "rotation_roles.hpp"

#include "catch.hpp"

using namespace staithe;
using Names = std::set<std::string>;
using Change = plan::ChangeRotation;

namespace {

plan::Action act(plan::Effect effect) {
  plan::Action action;
  action.effect = std::move(effect);
  return action;
}

plan::Action change(Change::To to) {
  return act(Change{"web1", to});
}

plan::Action guard() {
  return act(plan::GuardCapacity{"web1", {2, false}});
}

/// A deploy's way through a host.
plan::Bracket taken() {
  plan::Bracket bracket;
  bracket.acquire = {guard(), change(Change::To::drain), change(Change::To::maint)};
  bracket.undo = {change(Change::To::undo)};
  bracket.repair = {change(Change::To::prove)};
  bracket.release = {change(Change::To::prove), change(Change::To::ready)};
  return bracket;
}

/// What becomes of web1, whatever the plan is called.
world::RotationRoles roles(std::vector<plan::Node> nodes) {
  plan::Plan plan;
  plan.kind = GENERATE(as<std::string>{}, "deploy", "run", "drain", "restore", "recover");
  plan.stages = {{"roll", plan::Stage::Shape::rolling, 1, {{"web1", std::move(nodes), {taken()}}}}};
  auto found = world::rotation_roles(plan);
  CHECK((found.guards.empty() || found.guards.at("web1") == plan::Amount{2, false}));
  return found;
}

}  // namespace

TEST_CASE("a deploy takes a host out and lets it in again") {
  const auto found = roles({taken()});
  CHECK(found.guards.size() == 1);
  CHECK(found.restored.empty());
  CHECK(found.let_in.empty());
  CHECK(found.left_out.empty());
}

TEST_CASE("an operator's drain leaves its host out") {
  auto bracket = taken();
  bracket.release.clear();
  const auto found = roles({bracket});
  CHECK(found.left_out == Names{"web1"});
  CHECK(found.let_in.empty());
}

TEST_CASE("a restore lets in what it has not taken out, and so does its recovery") {
  const auto found = roles({guard(), change(Change::To::prove), change(Change::To::ready)});
  CHECK(found.restored == Names{"web1"});
  CHECK(found.let_in == Names{"web1"});
  CHECK(found.left_out.empty());
  // Proven already: no guard is asked.
  const auto rest = roles({change(Change::To::ready)});
  CHECK(rest.restored.empty());
  CHECK(rest.let_in == Names{"web1"});
}

TEST_CASE("a recovery that only lets in what a deploy had taken out is no restore") {
  auto bracket = taken();
  std::erase_if(bracket.acquire, [](const auto& action) {
    return !std::holds_alternative<plan::GuardCapacity>(action.effect);
  });
  const auto found = roles({bracket});
  CHECK(found.restored.empty());
  CHECK(found.let_in == Names{"web1"});
  CHECK(found.left_out.empty());
}
