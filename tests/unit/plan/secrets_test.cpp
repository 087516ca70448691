#include "staithe/plan/secrets.hpp"

#include "catch.hpp"

using namespace staithe::plan;

namespace {

Text secret(const std::string& name) {
  Text text("before ");
  text.append(SecretRef{SecretRef::Source::env, name});
  return text;
}

Action with(Effect effect) {
  Action action;
  action.effect = std::move(effect);
  return action;
}

Action running(const std::string& name) {
  RunRemote run;
  run.inputs = {{"V", secret(name)}};
  return with(run);
}

}  // namespace

TEST_CASE("the secrets of a plan are those of all its actions, each once, and apart what only notices need") {
  Plan plan;
  RunLocal local;
  local.inputs = {{"V", secret("open")}};
  plan.open = {with(local)};
  HttpProbe http;
  http.url = secret("url");
  http.body = secret("body");
  http.contains = secret("contains");
  http.headers = {{"Authorization", secret("header")}};
  CommandProbe command;
  command.inputs = {{"V", secret("command")}};
  UploadFile upload;
  upload.content = secret("upload");
  CheckSuite suite;
  suite.secrets = {{SecretRef::Source::env, "open"}, {SecretRef::Source::env, "suite"}};
  Bracket bracket;
  bracket.acquire = {running("acquire"), running("open")};
  bracket.undo = {running("undo")};
  bracket.body = {with(Probe{http}), with(Probe{command}), with(upload), with(suite)};
  bracket.repair = {running("repair")};
  bracket.release = {running("release")};
  Stage stage;
  stage.lanes = {{"web1", {bracket, running("node")}, {running("revert")}}};
  plan.stages = {stage};
  plan.close = {running("close")};
  plan.notify_failure = {with(Notify{secret("notify"), "failed"}), with(Notify{secret("open"), "failed"})};
  std::string names;
  for (const auto& ref : needed_secrets_of(plan)) names += ref.name + " ";
  CHECK(names ==
        "open acquire undo url body contains header command upload suite repair release node revert close ");
  const auto of_notices = secrets_of_notices(plan);
  REQUIRE(of_notices.size() == 1);
  CHECK(of_notices.front().name == "notify");
}
