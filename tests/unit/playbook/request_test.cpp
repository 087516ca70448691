#include "golden.hpp"

#include "staithe/plan/plan.hpp"

using namespace staithe;

namespace {

struct Outcome {
  std::optional<plan::Plan> plan;
  std::string findings;
};

playbook::Project project_of(const std::string& text, diag::Diagnostics& diagnostics) {
  auto project = playbook::load_project("staithe.yml", text, diagnostics);
  INFO(diag::render(diagnostics));
  REQUIRE(project);
  return std::move(*project);
}

std::string good() {
  return golden::read(golden::data() / "good.yml");
}

Outcome make(const std::string& playbook_text, const playbook::Request& request,
             const std::string& project_text = good()) {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(project_text, diagnostics);
  const auto book = playbook::load_playbook("p.yml", playbook_text, diagnostics);
  REQUIRE(book);
  Outcome outcome;
  outcome.plan = playbook::make_plan(project, *book, request, {"main", golden::sha, ""},
                                     playbook::disk_files(), diagnostics);
  outcome.findings = diag::render(diagnostics);
  return outcome;
}

std::string first_script(const Outcome& outcome) {
  INFO(outcome.findings);
  REQUIRE(outcome.plan);
  for (const plan::Node& node : outcome.plan->stages.back().lanes.at(0).nodes) {
    return std::get<plan::RunRemote>(std::get<plan::Action>(node).effect).script;
  }
  return "";
}

const std::string echo = "playbook: x\nhosts: app\nvars: {color: playbook}\neach:\n  - run: echo $(color)\n";

}  // namespace

TEST_CASE("variables: each layer wins over the ones below it") {
  const std::string base =
      "staithe: 1\nproject: x\nservices: {s: {reload: service}}\n"
      "environments:\n  e:\n";
  const std::string hosts = "    hosts: {h: {groups: [g, parent]HOST}}\n";
  const std::string book = "playbook: x\nhosts: h\neach:\n  - run: echo $(reload)\n";
  const auto with = [&](const std::string& env, const std::string& group, const std::string& host) {
    std::string text = base;
    if (!env.empty()) text += "    vars: {reload: " + env + "}\n";
    if (!group.empty())
      text += "    groups: {g: {vars: {reload: " + group +
              "}}, parent: {children: [g], vars: {reload: parent}}}\n";
    std::string line = hosts;
    line.replace(line.find("HOST"), 4, host.empty() ? "" : ", vars: {reload: " + host + "}");
    return text + line;
  };
  CHECK(first_script(make(book, {}, with("", "", ""))) == "echo service");
  CHECK(first_script(make(book, {}, with("environment", "", ""))) == "echo environment");
  CHECK(first_script(make(book, {}, with("environment", "group", ""))) == "echo group");
  CHECK(first_script(make(book, {}, with("environment", "group", "host"))) == "echo host");

  playbook::Request request;
  CHECK(first_script(make(echo, request)) == "echo playbook");
  request.var_files = {{"vars.yml", "color: file\n"}};
  CHECK(first_script(make(echo, request)) == "echo file");
  request.vars = {{"color", "flag $(host)"}};
  CHECK(first_script(make(echo, request)) == "echo 'flag $(host)'");
}

TEST_CASE("--var: a name that nothing uses is a mistake") {
  playbook::Request request;
  request.vars = {{"colour", "red"}};
  CHECK_THAT(make(echo, request).findings, ContainsSubstring("did you mean 'color'?"));
  request.vars = {{"sha", "0"}};
  CHECK_THAT(make(echo, request).findings, ContainsSubstring("set by staithe itself"));
  request.vars = {{"1x", "0"}};
  CHECK_THAT(make(echo, request).findings, ContainsSubstring("cannot be the name"));
  request.vars = {{"only_here", "x y"}};
  CHECK(first_script(make("playbook: x\nhosts: app\neach:\n  - run: echo $(only_here)\n", request)) ==
        "echo 'x y'");
}

TEST_CASE("--limit, --parallel, --max-failures and --deadline narrow a run") {
  playbook::Request request;
  request.limit = "web[2-3],lb1";
  request.parallel = 4;
  request.max_failures = plan::Amount{50, true};
  request.deadline = base::Duration(90'000);
  const Outcome outcome = make(echo, request);
  REQUIRE(outcome.plan);
  CHECK(outcome.plan->stages.back().lanes.size() == 2);
  CHECK(outcome.plan->hosts.size() == 2);
  CHECK(outcome.plan->strategy.parallel == 4);
  CHECK(outcome.plan->strategy.max_failures == plan::Amount{50, true});
  CHECK(outcome.plan->strategy.deadline == base::Duration(90'000));
  request.limit = "lb1";
  CHECK_THAT(make(echo, request).findings, ContainsSubstring("leaves none of the playbook's hosts"));
  request.limit = "web7";
  CHECK_THAT(make(echo, request).findings, ContainsSubstring("--limit: no host or group is called 'web7'"));
}

TEST_CASE(
    "what ends a rollout marks it good where its earlier runs had brought it, and does nothing else there") {
  playbook::Request request;
  request.limit = "web3";
  const playbook::Refs refs{"main", std::string(40, 'a'), ""};
  diag::Diagnostics diagnostics;
  const auto project = project_of(good(), diagnostics);
  const auto plan_with = [&] {
    return *playbook::make_plan(project, playbook::default_playbook(), request, refs, {}, diagnostics);
  };
  const auto alone = plan_with();
  request.brought_along = {"web1", "web2"};
  const auto plan = plan_with();
  INFO(diag::render(diagnostics));
  CHECK(plan::target_hosts(plan) == std::vector<std::string>{"web3"});
  CHECK(plan::brought_along(plan) == std::vector<std::string>{"web1", "web2"});
  CHECK(plan::brought_along(plan::from_json(plan::to_json(plan))) == plan::brought_along(plan));
  std::vector<std::string> cleaned;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    if (plan.stages[i].name != "cleanup")
      CHECK(plan.stages[i].lanes.size() == alone.stages[i].lanes.size());
    else
      for (const auto& lane : plan.stages[i].lanes) cleaned.push_back(lane.host);
  }
  CHECK(cleaned == std::vector<std::string>{"web3", "web1", "web2"});
  CHECK(plan.hosts.count("web1") == 1);
}

TEST_CASE("the environment is the one that is named, or the only one") {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(good(), diagnostics);
  CHECK(playbook::choose_environment(project, "", diagnostics) != nullptr);
  CHECK(playbook::choose_environment(project, "prodution", diagnostics) == nullptr);
  CHECK_THAT(diag::render(diagnostics), ContainsSubstring("did you mean 'production'?"));
}

TEST_CASE("a project without an environment is told once, and nobody is to choose one") {
  for (const char* text : {"staithe: 1\nproject: shop\nenvironments: {}\n", "staithe: 1\nproject: shop\n",
                           "staithe: 1\nproject: shop\nenvironmets: {}\n"}) {
    diag::Diagnostics diagnostics;
    const auto project = playbook::load_project("staithe.yml", text, diagnostics);
    REQUIRE(project);
    CHECK(playbook::choose_environment(*project, "", diagnostics) == nullptr);
    const auto told = diag::render(diagnostics);
    INFO(told);
    CHECK(diagnostics.count(diag::Severity::error) == 1);
    CHECK(told.find("-e") == std::string::npos);
  }
}

TEST_CASE("what must be resolved: the service's repository and the variable ref") {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(good(), diagnostics);
  playbook::Request request;
  const playbook::Playbook standard = playbook::default_playbook();
  auto wanted = playbook::ref_to_resolve(project, standard, request, diagnostics);
  REQUIRE(wanted);
  CHECK(wanted->repository == "git@git.example.com:payments.git");
  CHECK(wanted->ref == "HEAD");
  request.vars = {{"ref", "v2"}};
  wanted = playbook::ref_to_resolve(project, standard, request, diagnostics);
  REQUIRE(wanted);
  CHECK(wanted->ref == "v2");
  const auto book = playbook::load_playbook("p.yml", echo, diagnostics);
  CHECK_FALSE(playbook::ref_to_resolve(project, *book, {}, diagnostics));
  CHECK(diagnostics.empty());
}

TEST_CASE("a rollback leaves out everything before the rolling part and asks that the release is there") {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(good(), diagnostics);
  const auto plan = playbook::make_rollback_plan(project, playbook::default_playbook(), {},
                                                 {"", golden::sha, ""}, playbook::disk_files(), diagnostics);
  INFO(diag::render(diagnostics));
  REQUIRE(plan);
  CHECK(plan->kind == "rollback");
  std::string stages;
  for (const plan::Stage& stage : plan->stages) stages += stage.name + " ";
  CHECK(stages == "preflight roll cleanup ");
  const std::string text = plan::render(*plan, plan::Detail::full);
  CHECK_THAT(text, ContainsSubstring("is not staged here"));
  CHECK_THAT(text, !ContainsSubstring("git fetch"));
}

TEST_CASE("exec runs a command as it is, on every selected host") {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(good(), diagnostics);
  const auto plan = playbook::make_exec_plan(project, {}, "app & !web2", "echo $(date)",
                                             std::chrono::minutes(5), diagnostics);
  REQUIRE(plan);
  REQUIRE(plan->stages.size() == 1);
  CHECK(plan->stages[0].at_once == 32);
  REQUIRE(plan->stages[0].lanes.size() == 2);
  const auto& action = std::get<plan::Action>(plan->stages[0].lanes[1].nodes.at(0));
  CHECK(std::get<plan::RunRemote>(action.effect).script == "echo $(date)");
  CHECK(action.id == "exec/web3/1");
  CHECK_FALSE(playbook::make_exec_plan(project, {}, "nobody", "true", std::chrono::minutes(5), diagnostics));
  CHECK_FALSE(playbook::make_exec_plan(project, {}, "app", " ", std::chrono::minutes(5), diagnostics));
  CHECK_FALSE(playbook::make_exec_plan(project, {}, "", "true", std::chrono::minutes(5), diagnostics));
}

TEST_CASE("what exec does at a time, and the failures that stop it, are the plan's") {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(good(), diagnostics);
  const auto text = [&](const playbook::Request& request) {
    const auto plan =
        playbook::make_exec_plan(project, request, "app", "true", std::chrono::minutes(5), diagnostics);
    REQUIRE(plan);
    CHECK(plan::from_json(plan::to_json(*plan)) == *plan);
    return plan::render(*plan, plan::Detail::full);
  };
  CHECK_THAT(text({}), ContainsSubstring("Stage exec (3 hosts at once)"));
  playbook::Request request;
  request.parallel = 1;
  request.max_failures = plan::Amount{50, true};
  CHECK_THAT(text(request), ContainsSubstring("Stage exec (3 hosts, 1 at a time; over 50% failures: stop)"));
}

TEST_CASE("an operator's drain heeds --max-failures") {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(good(), diagnostics);
  playbook::Request request;
  request.max_failures = plan::Amount{1, false};
  playbook::RotationRequest rotation;
  rotation.selection = "web1";
  const auto plan = playbook::make_rotation_plan(project, request, rotation, diagnostics);
  REQUIRE(plan);
  CHECK(plan->strategy.max_failures == plan::Amount{1, false});
  rotation.selection = "";
  CHECK_FALSE(playbook::make_rotation_plan(project, request, rotation, diagnostics));
}

TEST_CASE("an operator's drain can be undone half-way, and a restore proves the host") {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(good(), diagnostics);
  playbook::RotationRequest drain;
  drain.selection = "web1";
  drain.reason = "disk";
  auto plan = playbook::make_rotation_plan(project, {}, drain, diagnostics);
  INFO(diag::render(diagnostics));
  REQUIRE(plan);
  CHECK(plan->title == "drain web1: disk");
  CHECK(plan->hosts.at("web1").servers.names == std::vector<plan::ServerRef>{{"api", "web1"}});
  const auto& bracket = std::get<plan::Bracket>(plan->stages.back().lanes.at(0).nodes.at(0));
  CHECK(bracket.acquire.size() == 5);
  CHECK(bracket.undo.size() == 2);
  CHECK(bracket.release.empty());
  drain.rotation = playbook::Rotation::restore;
  plan = playbook::make_rotation_plan(project, {}, drain, diagnostics);
  REQUIRE(plan);
  CHECK(plan->stages.size() == 1);
  const auto& nodes = plan->stages[0].lanes[0].nodes;
  REQUIRE(nodes.size() == 5);
  // The proof takes a server out where it serves: that is asked for first.
  const auto* guard = std::get_if<plan::GuardCapacity>(&std::get<plan::Action>(nodes[0]).effect);
  REQUIRE(guard != nullptr);
  CHECK((guard->host == "web1" && guard->min_available.value == 1));
  drain.selection = "lb1";
  CHECK_FALSE(playbook::make_rotation_plan(project, {}, drain, diagnostics));
  CHECK_THAT(diag::render(diagnostics), ContainsSubstring("stands for no server"));
}

TEST_CASE("a deadline bounds an operator's drain, and never a restore") {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(good(), diagnostics);
  playbook::Request request;
  request.deadline = std::chrono::minutes(1);
  playbook::RotationRequest rotation;
  rotation.selection = "web1";
  const auto drain = playbook::make_rotation_plan(project, request, rotation, diagnostics);
  rotation.rotation = playbook::Rotation::restore;
  const auto restore = playbook::make_rotation_plan(project, request, rotation, diagnostics);
  REQUIRE((drain && restore));
  CHECK(drain->strategy.deadline == std::chrono::minutes(1));
  CHECK(restore->strategy.deadline == base::Duration::zero());
}

TEST_CASE("every action of a plan has an id of its own") {
  diag::Diagnostics diagnostics;
  const playbook::Project project = project_of(good(), diagnostics);
  const auto plan = playbook::make_plan(project, playbook::default_playbook(), {}, {"main", golden::sha, ""},
                                        playbook::disk_files(), diagnostics);
  REQUIRE(plan);
  std::vector<std::string> ids;
  const auto add = [&](const std::vector<plan::Action>& actions) {
    for (const plan::Action& action : actions) ids.push_back(action.id);
  };
  const auto add_nodes = [&](const std::vector<plan::Node>& nodes) {
    for (const plan::Node& node : nodes) {
      if (const auto* action = std::get_if<plan::Action>(&node)) {
        ids.push_back(action->id);
        continue;
      }
      const auto& bracket = std::get<plan::Bracket>(node);
      for (const auto* part :
           {&bracket.acquire, &bracket.undo, &bracket.body, &bracket.repair, &bracket.release})
        add(*part);
    }
  };
  add(plan->open);
  add(plan->close);
  for (const plan::Stage& stage : plan->stages) {
    for (const plan::Lane& lane : stage.lanes) {
      add_nodes(lane.nodes);
      add_nodes(lane.revert);
    }
  }
  std::sort(ids.begin(), ids.end());
  CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  CHECK(std::find(ids.begin(), ids.end(), "") == ids.end());
  CHECK(std::find(ids.begin(), ids.end(), "roll/web1/repair-2") != ids.end());
  CHECK(plan::id_of(*plan).size() == 12);
}

TEST_CASE("a secret's value, name aside, is nowhere in a plan") {
  ::setenv("TOKEN", "s3cr3t-value", 1);
  const Outcome outcome = make(
      "playbook: x\nhosts: app\neach:\n  - run: {command: \"login $(secret.token)\", env: {PW: "
      "$(secret.token)}}\n"
      "  - wait: {http: \"http://$(host.address)/$(secret.token)\"}\n",
      {});
  REQUIRE(outcome.plan);
  const std::string json = plan::to_json(*outcome.plan);
  CHECK(json.find("s3cr3t-value") == std::string::npos);
  CHECK(json.find("TOKEN") != std::string::npos);
}
