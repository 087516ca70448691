#include "catch.hpp"
#include "history.hpp"

#include "staithe/world/past_runs.hpp"

#include <string>
#include <vector>

using namespace staithe;
using test::History;
using HostNames = std::vector<std::string>;

namespace rollout {

plan::Plan plan_of(const std::string& sha, const HostNames& hosts, const std::string& kind = "deploy") {
  auto plan = test::plan_of(kind);
  plan.sha = plan.release = sha;
  const auto nodes = plan.stages.front().lanes.front().nodes;
  plan.stages.front().lanes.clear();
  for (const auto& host : hosts) plan.stages.front().lanes.push_back({host, nodes, {}});
  return plan;
}

const HostNames four{"web1", "web2", "web3", "web4"};

struct Fleet {
  History past;

  void run(const std::string& sha, const std::map<std::string, std::string>& states,
           const std::string& kind = "deploy") {
    HostNames hosts;
    for (const auto& [host, state] : states) hosts.push_back(host);
    const auto id = past.next_id();
    past.begin(id, plan_of(sha, hosts, kind));
    past.end(id, 0, states);
  }
  void failed(const std::string& sha, const std::string& host, bool altered) {
    const auto id = past.next_id();
    past.begin(id, plan_of(sha, {host}));
    nlohmann::json known{{"state", "failed"}, {"detail", ""}};
    if (!altered) known[world::as_it_was_key] = true;
    past.store().end_run(id, "failed", 1, nlohmann::json{{"hosts", {{host, known}}}}.dump());
  }
  void all_on(const std::string& sha) {
    run(sha, {{"web1", "done"}, {"web2", "done"}, {"web3", "done"}, {"web4", "done"}});
  }
  HostNames left(const std::string& sha) {
    return world::left_behind(past.store(), plan_of(sha, four)).value_or(HostNames{"none"});
  }
};

}  // namespace rollout

using namespace rollout;

TEST_CASE("a resumed deploy goes to no host that a run of another commit has come to since") {
  Fleet fleet;
  const std::string kind = GENERATE("deploy", "rollback");
  fleet.all_on("v2");
  fleet.run("v3", {{"web1", "done"}, {"web2", "done"}, {"web3", "done"}, {"web4", "failed"}}, kind);
  CHECK(fleet.left("v2") == HostNames{"none"});
  // The operator left web3 and web4 out.
  fleet.run("v2", {{"web1", "done"}, {"web2", "untouched"}});
  CHECK(fleet.left("v2") == HostNames{"web2"});
  CHECK(world::brought_along(fleet.past.store(), plan_of("v2", four)) == HostNames{"web1"});
}

TEST_CASE("a run of another commit that left a host as it was ends no rollout there") {
  Fleet fleet;
  const std::string as_it_was = GENERATE("untouched", "restored", "reverted");
  fleet.run("v2", {{"web1", "done"}, {"web2", "untouched"}, {"web3", "untouched"}});
  fleet.run("v3", {{"web1", as_it_was}, {"web2", as_it_was}});
  CHECK(fleet.left("v2") == HostNames{"web2", "web3"});
  CHECK(world::brought_along(fleet.past.store(), plan_of("v2", four)) == HostNames{"web1"});
}

TEST_CASE("a run that failed before it altered anything ends no rollout of another commit") {
  Fleet fleet;
  const bool altered = GENERATE(false, true);
  fleet.run("v2", {{"web1", "done"}, {"web2", "failed"}});
  fleet.failed("v3", "web2", altered);
  CHECK(fleet.left("v2") == (altered ? HostNames{} : HostNames{"web2"}));
  // It was for the host all the same.
  CHECK(fleet.left("v3") == HostNames{"web2"});
}

TEST_CASE("what is left of a rollout is told with a run that is about to end, for all its hosts") {
  Fleet fleet;
  fleet.run("v2", {{"web1", "done"}, {"web4", "untouched"}});
  event::RunFinished ending;
  ending.hosts = {{"web2", event::HostState::done, ""}, {"web3", event::HostState::reverted, ""}};
  const auto plan = plan_of("v2", {"web2", "web3"});
  CHECK(world::left_of_rollout(fleet.past.store(), plan, &ending) == HostNames{"web3", "web4"});
  CHECK(world::left_of_rollout(fleet.past.store(), plan) == HostNames{"web4"});
}
