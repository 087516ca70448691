#include "catch.hpp"

#include "staithe/base/error.hpp"
#include "staithe/plan/json_text.hpp"
#include "staithe/plan/plan.hpp"

#include <nlohmann/json.hpp>

using namespace staithe;
using namespace std::chrono_literals;

namespace {

plan::Text text_with_holes() {
  plan::Text text("token=\"\xc2\xa3 ");
  text.append(plan::SecretRef{plan::SecretRef::Source::command, "pass show x"});
  text.append(plan::CaptureRef{"version"});
  text.append(plan::SecretRef{plan::SecretRef::Source::file, "/etc/key"});
  return text;
}

/// At least one of each alternative, every field different from its default.
std::vector<plan::Effect> every_effect() {
  using Change = plan::ChangeRotation;
  using Await = plan::AwaitRotation;
  plan::HttpProbe http;
  http.url = text_with_holes();
  http.method = "POST";
  http.headers = {{"X-Token", text_with_holes()}};
  http.body = plan::Text("body");
  http.status = 204;
  http.contains = plan::Text("yes");
  http.connect_to = "10.0.0.1:80";
  std::vector<plan::Effect> effects{
      plan::RunRemote{"web1", "make\n'it'", {{"TOKEN", text_with_holes()}}, "version", 5s, true},
      plan::RunLocal{"make", {{"TOKEN", plan::Text("x")}}, "out"},
      plan::RunLocal{"git describe", {}, "", true},
      plan::UploadFile{"web1", "/etc/x", 0600, "etc/x", "aa11", {}},
      plan::UploadFile{"web1", "/etc/y", 0755, "", "", text_with_holes()},
      plan::GuardCapacity{"web1", {50, true}},
      plan::SurveyRotation{"web1"},
      plan::Probe{http, 250ms, 3s, 4, true},
      plan::Probe{plan::TcpProbe{"10.0.0.1", 5432}, 1s, 2s, 1, false},
      plan::Probe{plan::CommandProbe{"web1", "true", {{"A", plan::Text("b")}}}, 1s, 2s, 1, false},
      plan::Probe{plan::FileProbe{"web1", "/run/ready"}, 1s, 2s, 1, false},
      plan::Confirm{"Go on?"},
      plan::Notify{text_with_holes(), "done"},
      plan::TakeLock{"production/web", "deploy"},
      plan::GiveLock{"production/web"},
      plan::RecordRelease{"web1", "web", "9d1f3c2ab4e5", "9d1f3c2ab4e500", plan::RecordRelease::State::good},
      plan::CheckSuite{"smoke",
                       "web1",
                       true,
                       {"quick", "all"},
                       "degraded",
                       "web1",
                       "9d1f3c2ab4e500",
                       "0123456789ab",
                       {"up: GET http://10.0.0.1/   expect status 200"},
                       {{plan::SecretRef::Source::env, "SMOKE_TOKEN"}}},
      plan::RequireRehearsal{{{"001.sql", "ab12"}, {"002.sql", "cd34"}},
                             std::string(40, 'a'),
                             "staging",
                             24h,
                             {"make migrate",
                              {500ms, 60s, 1000, std::nullopt},
                              true,
                              2s,
                              false,
                              {{"app.users"}, {"app.users.email"}}},
                             "staithe stage rehearse"}};
  for (const auto to : {Change::To::drain, Change::To::maint, Change::To::close_sessions, Change::To::prove,
                        Change::To::ready, Change::To::undo})
    effects.emplace_back(Change{"web1", to});
  for (const auto until : {Await::Until::calm, Await::Until::proven, Await::Until::serving})
    for (const auto at :
         {Await::AtDeadline::fail, Await::AtDeadline::close_sessions, Await::AtDeadline::go_on})
      effects.emplace_back(Await{"web1", until, at, 2s});
  effects.emplace_back(Await{"web1", Await::Until::serving, Await::AtDeadline::fail, 2s, true});
  return effects;
}

plan::Action action(std::string id, plan::Effect effect) {
  return {std::move(id), "run", "title \xc2\xa3", std::move(effect), 7s, 3, 11s, true};
}

plan::Plan full_plan() {
  plan::Plan plan;
  plan.kind = "deploy";
  plan.title = "deploy web";
  plan.source = "playbooks/deploy.yml";
  plan.project = "web";
  plan.environment = "production";
  plan.service = "web";
  plan.ref = "main";
  plan.sha = std::string(40, 'a');
  plan.release = std::string(12, 'a');
  plan.is_protected = true;
  plan.hosts["web1"] = {"web1",
                        "10.0.0.1",
                        "deploy",
                        2222,
                        {"keys/a", "~/.ssh/b"},
                        "bastion",
                        {{{"api", "web1"}}, "10.0.0.1", 5000}};
  plan.balancers = {{"edge1", "/run/haproxy.sock", "/run/master.sock", "lb1"}};
  plan.ssh = {"hosts/known_hosts", "hosts/config", 4s, 3};
  plan.strategy = {{{1, false}, {50, true}},
                   2,
                   plan::Strategy::Window::lockstep,
                   {10, true},
                   plan::Strategy::OnFailure::revert_all,
                   30min};
  plan.open = {action("open/1", plan::TakeLock{"production/web", "deploy"})};
  plan.close = {action("close/1", plan::GiveLock{"production/web"})};
  plan.notify_failure = {action("failure/1", plan::Notify{plan::Text("http://x/"), "failed"})};
  plan::Bracket bracket;
  bracket.name = "rotation";
  std::size_t number = 0;
  for (auto& effect : every_effect()) {
    auto& part = number % 5 == 0   ? bracket.acquire
                 : number % 5 == 1 ? bracket.undo
                 : number % 5 == 2 ? bracket.body
                 : number % 5 == 3 ? bracket.repair
                                   : bracket.release;
    part.push_back(action("roll/web1/" + std::to_string(++number), std::move(effect)));
  }
  bracket.on_failure = plan::Bracket::OnFailure::repair;
  plan::Lane lane{"web1", {bracket, action("roll/web1/check", plan::Confirm{"?"})}, {bracket}};
  using Shape = plan::Stage::Shape;
  for (const auto shape : {Shape::gather, Shape::parallel, Shape::rolling, Shape::once})
    plan.stages.push_back({"stage", shape, 5, {lane}});
  return plan;
}

}  // namespace

TEST_CASE("every effect is read back from its JSON as it was") {
  std::vector<bool> seen(std::variant_size_v<plan::Effect>, false);
  for (const auto& effect : every_effect()) {
    seen.at(effect.index()) = true;
    plan::Plan plan;
    plan.open = {action("open/1", effect)};
    INFO(plan::to_json(plan));
    CHECK(plan::from_json(plan::to_json(plan)) == plan);
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    INFO("alternative " << i);
    CHECK(seen[i]);
  }
}

TEST_CASE("a whole plan is read back as it was, with its id") {
  const auto plan = full_plan();
  const auto again = plan::from_json(plan::to_json(plan));
  CHECK(again == plan);
  CHECK(plan::to_json(again) == plan::to_json(plan));
  CHECK(plan::id_of(again) == plan::id_of(plan));
}

TEST_CASE("the text is what the document that it stands for would print") {
  auto plan = full_plan();
  plan.title = "\"web\\1\"\tf\u00fcr \u00e4lle\n\x01\x7f";
  plan.hosts["a \"quoted\" name"] = {};
  plan.open.clear();
  for (const auto& effect : every_effect()) plan.open.push_back(action("open/1", effect));
  const auto text = plan::to_json(plan);
  CHECK(text == nlohmann::json::parse(text).dump());
  plan.title = "no UTF-8: \xff";
  CHECK_THROWS(plan::to_json(plan));
}

TEST_CASE("the id is the beginning of a digest of the JSON, and everything is in it") {
  const auto plan = full_plan();
  const auto id = plan::id_of(plan);
  CHECK(id.size() == 12);
  CHECK(id.find_first_not_of("0123456789abcdef") == std::string::npos);
  // Of the empty plan, once and for all: a change of the format changes what --expect-plan was given.
  CHECK(plan::id_of(plan::Plan{}) == "1171989fad0b");
  const auto differs = [&](auto change) {
    auto other = plan;
    change(other);
    return plan::id_of(other) != id;
  };
  CHECK(differs([](plan::Plan& p) { p.is_protected = false; }));
  CHECK(differs([](plan::Plan& p) { p.hosts["web1"].port = 22; }));
  CHECK(differs([](plan::Plan& p) { p.strategy.parallel = 9; }));
  CHECK(differs([](plan::Plan& p) { p.strategy.deadline = 31min; }));
  CHECK(differs([](plan::Plan& p) { p.open[0].attempts = 9; }));
  CHECK(differs([](plan::Plan& p) { p.open[0].timeout = 9s; }));
  CHECK(differs([](plan::Plan& p) { p.stages[0].lanes[0].revert.clear(); }));
  CHECK(differs([](plan::Plan& p) {
    std::get<plan::Bracket>(p.stages[2].lanes[0].nodes[0]).on_failure = plan::Bracket::OnFailure::keep;
  }));
}

TEST_CASE("a plan of an older build is read: fields that came later have their defaults") {
  plan::RequireRehearsal effect;
  effect.files = {{"0042.sql", "abc"}};
  effect.environment = "staging";
  effect.sha = "later";
  plan::Plan plan;
  plan.open = {action("open/1", effect)};
  auto document = nlohmann::json::parse(plan::to_json(plan));
  auto& written = document["open"][0]["effect"];
  auto& fields = written.contains("files") ? written : written.begin().value();
  for (const auto* later : {"open_for", "asked"}) REQUIRE(fields.at("terms").erase(later) == 1);
  CHECK(std::get<plan::RequireRehearsal>(plan::from_json(document.dump()).open.at(0).effect) == effect);
  for (const auto* later : {"sha", "terms", "rehearse"}) REQUIRE(fields.erase(later) == 1);
  fields["command"] = "staithe stage rehearse";  // what was there then
  const auto read = plan::from_json(document.dump());
  effect.sha.clear();
  CHECK(std::get<plan::RequireRehearsal>(read.open.at(0).effect) == effect);
  fields.erase("files");
  CHECK_THROWS_AS(plan::from_json(document.dump()), base::Error);
}

TEST_CASE("what to_json could not have written is refused") {
  const auto json = plan::to_json(full_plan());
  const auto refused = [](const std::string& text) {
    try {
      (void)plan::from_json(text);
    } catch (const base::Error& error) {
      return error.code() == base::ErrorCode::invalid;
    }
    return false;
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    auto text = json;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  CHECK(refused(""));
  CHECK(refused("[]"));
  CHECK(refused("{}"));
  CHECK(refused(json.substr(0, json.size() / 2)));
  CHECK(refused(with("\"lockstep\"", "\"locksteps\"")));
  CHECK(refused(with("\"run_remote\"", "\"run_somewhere\"")));
  CHECK(refused(with("\"project\":\"web\"", "\"project\":7")));
  CHECK(refused(with("\"sha\":", "\"shb\":")));
  CHECK_FALSE(refused(json));
}

TEST_CASE("a plan's text shows holes instead of values, and ends with its id") {
  const auto plan = full_plan();
  const auto text = plan::render(plan, plan::Detail::full);
  CHECK(text.find("<secret command pass show x>") != std::string::npos);
  CHECK(text.find("<version: known at run time>") != std::string::npos);
  CHECK(text.find("/etc/x") != std::string::npos);
  CHECK(text.rfind("Plan id " + plan::id_of(plan) + "\n") != std::string::npos);
  CHECK(text_with_holes().shown() ==
        "token=\"\xc2\xa3 <secret command pass show x><version: known at run time><secret file /etc/key>");
}

TEST_CASE("batches add up to the hosts, and none is empty") {
  plan::Strategy strategy;
  for (const auto& batches : std::vector<std::vector<plan::Amount>>{
           {{1, false}}, {{1, false}, {100, true}}, {{1, true}}, {{30, true}, {2, false}}, {{500, false}}}) {
    strategy.batches = batches;
    for (std::size_t hosts = 0; hosts < 30; ++hosts) {
      std::size_t sum = 0;
      for (const auto size : plan::batch_sizes(strategy, hosts)) {
        CHECK(size > 0);
        sum += size;
      }
      CHECK(sum == hosts);
    }
  }
}

TEST_CASE("a text becomes a string of JSON that reads back as it was") {
  for (const std::string text : {"", "plain", "a \"b\" \\ c\n\t\x01\x7f \xc2\xa3", "</script>"}) {
    CHECK(nlohmann::json::parse(plan::json_string(text)) == text);
    CHECK(plan::json_string(text) == "\"" + plan::json_inside(text) + "\"");
  }
  CHECK(nlohmann::json::parse(plan::json_string("\xff")) == "\xef\xbf\xbd");
}
