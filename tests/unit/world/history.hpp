#pragma once
#include "actions.hpp"
#include "support/directory.hpp"

#include "staithe/plan/plan.hpp"
#include "staithe/store/store.hpp"
#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovery.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

/// Histories as the program writes them.
namespace staithe::test {

/// A history on the disk, with runs as the program writes them.
class History {
 public:
  store::Store& store() { return *store_; }
  std::string path() const { return directory_ / "state.db"; }

  /// Runs start a minute apart, in the order in which they are told.
  void begin(const std::string& id, const plan::Plan& plan) { begin(id, plan, plan::to_json(plan)); }
  void begin(const std::string& id, const plan::Plan& plan, const std::string& plan_json) {
    store::Run run;
    run.id = id;
    run.kind = plan.kind;
    run.environment = "production";
    run.service = plan.service;
    run.release = plan.release;
    run.sha = plan.sha;
    run.title = plan.title;
    run.plan_json = plan_json;
    run.started = store::Time(std::chrono::minutes(++minute_));
    store_->begin_run(run);
  }
  std::string next_id() const { return "run-" + std::to_string(minute_ + 1); }
  void drained(const std::string& id, const std::string& found) {
    store_->append(id, {0, {}, "web1", "drain", "intent", "{}"});
    store_->append(
        id,
        {0, {}, "web1", "drain", "note", nlohmann::json{{"key", world::found_key}, {"text", found}}.dump()});
  }
  void did(const std::string& id, const std::string& action) {
    store_->append(id, {0, {}, "web1", action, "intent", "{}"});
    store_->append(id, {0, {}, "web1", action, "outcome", R"({"outcome":"ok","detail":""})"});
  }
  void end(const std::string& id, int code, const std::string& state, const std::string& outcome = "ended") {
    end(id, code, {{"web1", state}}, outcome);
  }
  void end(const std::string& id, int code, const std::map<std::string, std::string>& states,
           const std::string& outcome = "ended") {
    auto hosts = nlohmann::json::object();
    for (const auto& [host, state] : states) hosts[host] = {{"state", state}, {"detail", ""}};
    store_->end_run(id, outcome, code, nlohmann::json{{"hosts", hosts}}.dump());
  }
  std::string record() {
    const auto found = world::drains_on_record(*store_, "production", {"web1"});
    return found.empty() ? "" : found.at("web1");
  }
  std::string to_recover() {
    const auto run = world::run_to_recover(*store_, "production");
    return run ? run->id : "";
  }

 private:
  test::Directory directory_;
  std::unique_ptr<store::Store> store_ = store::Store::open_sqlite(directory_ / "state.db");
  int minute_ = 0;
};

inline plan::Plan plan_of(const std::string& kind) {
  plan::Bracket bracket;
  bracket.acquire = {action("drain", plan::ChangeRotation{"web1", plan::ChangeRotation::To::drain})};
  plan::AwaitRotation serving{
      "web1", plan::AwaitRotation::Until::serving, plan::AwaitRotation::AtDeadline::fail, {}};
  if (kind != "drain")
    bracket.release = {action("ready", plan::ChangeRotation{"web1", plan::ChangeRotation::To::ready}),
                       action("serves", serving)};
  plan::Plan plan;
  plan.kind = kind;
  plan.environment = "production";
  plan.title = kind == "recover" ? "recover deploy" : kind;
  plan.service = kind == "drain" ? "" : "payments";
  plan.hosts["web1"].name = "web1";
  plan.stages.push_back({"roll", plan::Stage::Shape::rolling, 1, {{"web1", {bracket}, {}}}});
  return plan;
}

}  // namespace staithe::test
