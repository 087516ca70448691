#include "staithe/plan/secrets.hpp"

#include "staithe/base/overloaded.hpp"
#include "staithe/plan/each_action.hpp"

#include <algorithm>

namespace staithe::plan {
namespace {

using base::Overloaded;
using Visit = std::function<void(const Text&)>;

void each_input(const std::vector<Input>& inputs, const Visit& visit) {
  for (const auto& input : inputs) visit(input.value);
}

void each_text_of(const Probe& probe, const Visit& visit) {
  std::visit(Overloaded{
                 [&](const HttpProbe& http) {
                   visit(http.url);
                   visit(http.body);
                   visit(http.contains);
                   for (const auto& [name, value] : http.headers) visit(value);
                 },
                 [](const TcpProbe&) {},
                 [&](const CommandProbe& command) { each_input(command.inputs, visit); },
                 [](const FileProbe&) {},
             },
             probe.what);
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
  // No handler for whatever else there may be: a text that is not visited is a secret that nobody knows of.
  std::visit(Overloaded{
                 [&](const RunRemote& run) { each_input(run.inputs, visit); },
                 [&](const RunLocal& run) { each_input(run.inputs, visit); },
                 [&](const UploadFile& upload) { visit(upload.content); },
                 [](const ChangeRotation&) {},
                 [](const AwaitRotation&) {},
                 [](const GuardCapacity&) {},
                 [](const SurveyRotation&) {},
                 [&](const Probe& probe) { each_text_of(probe, visit); },
                 [](const Confirm&) {},
                 [&](const Notify& notify) { visit(notify.url); },
                 [](const TakeLock&) {},
                 [](const GiveLock&) {},
                 [](const RecordRelease&) {},
                 [](const CheckSuite&) {},
                 [](const RequireRehearsal&) {},
             },
             effect);
}

std::vector<SecretRef> needed_secrets_of(const Plan& plan) {
  return collected(plan, [](const Action& action) { return !is_notice(action); });
}

std::vector<SecretRef> secrets_of_notices(const Plan& plan) {
  auto secrets = collected(plan, is_notice);
  const auto needed = needed_secrets_of(plan);
  std::erase_if(secrets, [&](const SecretRef& secret) { return holds(needed, secret); });
  return secrets;
}

}  // namespace staithe::plan
