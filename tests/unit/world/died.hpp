#pragma once
#include "actions.hpp"

#include "staithe/world/recovery.hpp"

/// A deploy to one host, and what its journal says of it.
namespace staithe::test::died {

inline plan::Action remote(const std::string& id, bool alters = false) {
  return action(id, plan::RunRemote{"web1", id, {}, "", {}, false}, alters);
}

/// guard, drain | activate, reload, health | prove, ready; then a check. As a deploy has it.
inline plan::Plan deploy() {
  plan::Bracket bracket;
  bracket.acquire = {action("guard", plan::GuardCapacity{"web1", {1, false}}),
                     action("drain", plan::ChangeRotation{"web1", plan::ChangeRotation::To::drain})};
  bracket.undo = {action("undo", plan::ChangeRotation{"web1", plan::ChangeRotation::To::undo})};
  bracket.body = {remote("prepare"), remote("activate", true), remote("reload", true), remote("health")};
  bracket.repair = {remote("back", true), remote("reload-back", true)};
  bracket.release = {action("prove", plan::ChangeRotation{"web1", plan::ChangeRotation::To::prove}),
                     action("ready", plan::ChangeRotation{"web1", plan::ChangeRotation::To::ready})};
  bracket.on_failure = plan::Bracket::OnFailure::repair;
  plan::Bracket revert = bracket;
  for (auto* part : {&revert.acquire, &revert.undo, &revert.release})
    for (auto& each : *part) each.id = "revert-" + each.id;
  revert.body = {remote("revert-back", true)};
  revert.repair.clear();
  plan::Plan plan;
  plan.kind = "deploy";
  plan.open = {action("lock", plan::TakeLock{"production/payments", "deploy"})};
  plan.close = {action("unlock", plan::GiveLock{"production/payments"})};
  plan.stages.push_back(
      {"roll", plan::Stage::Shape::rolling, 1, {{"web1", {bracket, remote("check")}, {revert}}}});
  return plan;
}

struct Story {
  world::JournalView journal;
  Story& ok(const std::vector<std::string>& ids) {
    for (const auto& id : ids) journal.actions[id] = {true, true, "ok", false, {}};
    return *this;
  }
  Story& begun(const std::string& id) {
    journal.actions[id].begun = true;
    return *this;
  }
  Story& found(const std::string& id, const std::string& text) {
    journal.actions[id].notes[world::found_key] = text;
    return *this;
  }
  world::Left left() const { return world::assess(deploy(), journal).front().left; }
  plan::Plan recovery() const { return world::recovery_plan(deploy(), world::assess(deploy(), journal)); }
};

inline std::vector<std::string> ids(const std::vector<plan::Action>& actions) {
  std::vector<std::string> names;
  for (const auto& each : actions) names.push_back(each.id);
  return names;
}

}  // namespace staithe::test::died
