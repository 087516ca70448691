#include "staithe/plan/secrets.hpp"

#include <algorithm>

namespace staithe::plan {
namespace {

using Visit = std::function<void(const Text&)>;

void each_input(const std::vector<Input>& inputs, const Visit& visit) {
  for (const auto& input : inputs) visit(input.value);
}

void each_text_of(const Probe& probe, const Visit& visit) {
  if (const auto* command = std::get_if<CommandProbe>(&probe.what)) each_input(command->inputs, visit);
  const auto* http = std::get_if<HttpProbe>(&probe.what);
  if (http == nullptr) return;
  visit(http->url);
  visit(http->body);
  visit(http->contains);
  for (const auto& [name, value] : http->headers) visit(value);
}

using Look = std::function<void(const Action&)>;

void each_action(const std::vector<Action>& actions, const Look& look) {
  for (const auto& action : actions) look(action);
}

void each_action(const std::vector<Node>& nodes, const Look& look) {
  for (const auto& node : nodes) {
    if (const auto* action = std::get_if<Action>(&node)) {
      look(*action);
      continue;
    }
    const auto& bracket = std::get<Bracket>(node);
    for (const auto* part :
         {&bracket.acquire, &bracket.undo, &bracket.body, &bracket.repair, &bracket.release})
      each_action(*part, look);
  }
}

void each_action(const Plan& plan, const Look& look) {
  each_action(plan.open, look);
  for (const auto& stage : plan.stages)
    for (const auto& lane : stage.lanes) {
      each_action(lane.nodes, look);
      each_action(lane.revert, look);
    }
  each_action(plan.close, look);
  each_action(plan.notify_failure, look);
}

bool is_notice(const Action& action) {
  return std::holds_alternative<Notify>(action.effect);
}

bool holds(const std::vector<SecretRef>& secrets, const SecretRef& secret) {
  return std::find(secrets.begin(), secrets.end(), secret) != secrets.end();
}

/// Of the actions that count, each once.
std::vector<SecretRef> collected(const Plan& plan, const std::function<bool(const Action&)>& counts) {
  std::vector<SecretRef> secrets;
  const auto take = [&](const SecretRef& secret) {
    if (!holds(secrets, secret)) secrets.push_back(secret);
  };
  const auto take_all = [&](const Text& text) {
    for (const auto& piece : text.pieces())
      if (const auto* secret = std::get_if<SecretRef>(&piece)) take(*secret);
  };
  each_action(plan, [&](const Action& action) {
    if (!counts(action)) return;
    each_text(action.effect, take_all);
    if (const auto* suite = std::get_if<CheckSuite>(&action.effect))
      for (const auto& secret : suite->secrets) take(secret);
  });
  return secrets;
}

}  // namespace

void each_text(const Effect& effect, const std::function<void(const Text&)>& visit) {
  if (const auto* remote = std::get_if<RunRemote>(&effect)) each_input(remote->inputs, visit);
  if (const auto* local = std::get_if<RunLocal>(&effect)) each_input(local->inputs, visit);
  if (const auto* upload = std::get_if<UploadFile>(&effect)) visit(upload->content);
  if (const auto* probe = std::get_if<Probe>(&effect)) each_text_of(*probe, visit);
  if (const auto* notify = std::get_if<Notify>(&effect)) visit(notify->url);
}

std::vector<SecretRef> secrets_of(const Plan& plan) {
  return collected(plan, [](const Action&) { return true; });
}

std::vector<SecretRef> secrets_of_notices(const Plan& plan) {
  auto secrets = collected(plan, is_notice);
  const auto others = collected(plan, [](const Action& action) { return !is_notice(action); });
  std::erase_if(secrets, [&](const SecretRef& secret) { return holds(others, secret); });
  return secrets;
}

}  // namespace staithe::plan
