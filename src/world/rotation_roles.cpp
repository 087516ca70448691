#include "rotation_roles.hpp"

#include <algorithm>

namespace staithe::world {
namespace {

using To = plan::ChangeRotation::To;

bool drains(const plan::Action& action) {
  const auto* change = std::get_if<plan::ChangeRotation>(&action.effect);
  return change != nullptr && change->to == To::drain;
}

bool brings_in(const plan::Action& action) {
  const auto* change = std::get_if<plan::ChangeRotation>(&action.effect);
  return change != nullptr && (change->to == To::prove || change->to == To::ready);
}

/// One lane on its way forward; what puts right a failure begins where that has left the host.
class LaneReader {
 public:
  LaneReader(RotationRoles& roles, const std::string& host) : roles_(roles), host_(host) {}

  void read(const plan::Action& action) {
    if (guards(action)) roles_.restored.insert(host_);
    follow(action);
  }
  void read(const plan::Bracket& bracket) {
    for (const auto& action : bracket.acquire) {
      guards(action);
      follow(action);
    }
    for (const auto* part : {&bracket.body, &bracket.release})
      for (const auto& action : *part) follow(action);
    const auto any = [](const auto& actions, auto what) {
      return std::any_of(actions.begin(), actions.end(), what);
    };
    if (any(bracket.acquire, drains) && !any(bracket.release, brings_in)) roles_.left_out.insert(host_);
  }

 private:
  bool guards(const plan::Action& action) {
    const auto* guard = std::get_if<plan::GuardCapacity>(&action.effect);
    if (guard != nullptr) roles_.guards.emplace(guard->host, guard->min_available);
    return guard != nullptr;
  }
  void follow(const plan::Action& action) {
    taken_out_ = taken_out_ || drains(action);
    if (!taken_out_ && brings_in(action)) roles_.let_in.insert(host_);
  }

  RotationRoles& roles_;
  const std::string& host_;
  bool taken_out_ = false;
};

}  // namespace

RotationRoles rotation_roles(const plan::Plan& plan) {
  RotationRoles roles;
  for (const auto& stage : plan.stages)
    for (const auto& lane : stage.lanes) {
      LaneReader reader(roles, lane.host);
      for (const auto& node : lane.nodes) std::visit([&](const auto& one) { reader.read(one); }, node);
    }
  return roles;
}

}  // namespace staithe::world
