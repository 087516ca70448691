#include "ways_out.hpp"

#include "catch.hpp"
#include "support/directory.hpp"

#include "staithe/playbook/project.hpp"

#include <chrono>

using namespace staithe;
using cli::Versions;

namespace ways_out {

/// A service whose newest release is v2, and a history that tells of it.
class Shop {
 public:
  Shop() {
    diag::Diagnostics diagnostics;
    auto project = playbook::load_project("staithe.yml",
                                          "staithe: 1\nproject: shop\nservices: {shop: {path: /srv/shop}}\n"
                                          "environments: {production: {hosts: {web1: {}, web2: {}}}}\n",
                                          diagnostics);
    REQUIRE(project);
    loaded_ = {std::move(*project), "production", {}};
    deploy("first", "v1");
    deploy("canary", "v2");
  }

  void deploy(const std::string& id, const std::string& release) {
    plan::Plan plan;
    plan.kind = "deploy";
    plan.environment = "production";
    plan.service = "shop";
    plan.source = "deploy.yml";
    plan.release = plan.sha = release;
    store::Run run;
    run.id = id;
    run.kind = plan.kind;
    run.environment = plan.environment;
    run.service = plan.service;
    run.release = run.sha = release;
    run.plan_json = plan::to_json(plan);
    run.started = store::Time(std::chrono::minutes(++minute_));
    store_->begin_run(run);
    store_->end_run(id, "done", 0, "{}");
    record(release, store::ReleaseState::good, id);
  }

  void record(const std::string& release, store::ReleaseState state, const std::string& run) {
    store_->record_release({"production", "shop", release, release, release, state, {}, run});
  }

  /// What goes on with a deploy of that release to both that left web2, when it ended so.
  std::string on(const std::string& release) {
    plan::Plan plan;
    plan.kind = "deploy";
    plan.environment = "production";
    plan.service = "shop";
    plan.source = "deploy.yml";
    plan.release = plan.sha = release;
    event::RunFinished ending;
    ending.hosts = {{"web1", event::HostState::done, ""}, {"web2", event::HostState::untouched, ""}};
    return cli::on_command(app_, *store_, loaded_, {}, plan, {"web2"}, &ending);
  }
  void came_to(const std::string& id, const std::string& summary) {
    store_->end_run(id, "ended", 1, summary);
  }

  /// "WHAT FOR: COMMAND", a line each.
  std::string ways(const Versions& versions, bool first = false) {
    std::string text;
    const auto out = cli::ways_out(app_, *store_, loaded_, "shop", versions, first);
    for (const auto& way : out.ways) text += way.what_for + ": " + way.command + "\n";
    for (const auto& [release, run] : out.bad) text += "bad " + release + " by " + run + "\n";
    return text;
  }

 private:
  static cli::Parsed parsed() {
    const char* words[] = {"staithe", "status"};
    return *cli::parse(2, words).parsed;
  }

  test::Directory directory_;
  std::unique_ptr<store::Store> store_ = store::Store::open_sqlite(directory_ / "state.db");
  cli::App app_{parsed()};
  cli::Loaded loaded_;
  int minute_ = 0;
};

const std::string back = "staithe rollback deploy.yml\n";

}  // namespace ways_out

using namespace ways_out;

TEST_CASE("hosts that differ are brought on or back, and all is well where they do not") {
  Shop shop;
  CHECK(shop.ways({{"v2", {"web1", "web2"}}}).empty());
  CHECK(shop.ways({{"v1", {"web2"}}, {"v2", {"web1"}}}) ==
        "bring the others to the new release: staithe deploy deploy.yml --var ref=v2 --limit web2\n"
        "or bring all back: " +
            back);
  CHECK(shop.ways({{"of nobody", {"web2"}}, {"by hand", {"web1"}}}).empty());
}

TEST_CASE("nothing is brought to a release that the history calls bad, and who runs it is brought off it") {
  Shop shop;
  shop.record("v2", store::ReleaseState::bad, "recovery");
  const auto off = "bring all back: " + back + "bad v2 by recovery\n";
  CHECK(shop.ways({{"v1", {"web2"}}, {"v2", {"web1"}}}) == off);
  CHECK(shop.ways({{"v2", {"web1", "web2"}}}) == off);
  CHECK(shop.ways({{"v1", {"web1", "web2"}}}).empty());
  // A newer one that is none takes its hosts along.
  shop.deploy("third", "v3");
  CHECK(shop.ways({{"v2", {"web2"}}, {"v3", {"web1"}}}) ==
        "bring the others to the new release: staithe deploy deploy.yml --var ref=v3 --limit web2\n"
        "or bring all back: " +
            back + "bad v2 by recovery\n");
}

TEST_CASE("while a recovery is owed neither way is open") {
  Shop shop;
  CHECK(shop.ways({{"v1", {"web2"}}, {"v2", {"web1"}}}, true).empty());
}

TEST_CASE("a release that is bad is gone on with by nobody, and one that nobody judged can be left") {
  const auto ways = [](bool behind, bool bad, bool unjudged, bool first = false) {
    const auto open = cli::open_ways({behind, bad, unjudged, first});
    return std::string(open.on ? "on " : "") + (open.back ? "back" : "");
  };
  CHECK(ways(true, false, true) == "on back");
  CHECK(ways(true, true, true) == "back");
  CHECK(ways(false, false, true) == "back");
  CHECK(ways(false, false, false).empty());
  CHECK(ways(true, false, true, true).empty());
}

TEST_CASE("a deploy is gone on with by --resume only where that goes to the hosts it left and no others") {
  Shop shop;
  CHECK(shop.on("v2") == "staithe deploy deploy.yml --var ref=v2 --resume");
  shop.came_to("canary", R"({"hosts":{"web3":{"state":"untouched"}}})");
  CHECK(shop.on("v2") == "staithe deploy deploy.yml --var ref=v2 --limit web2");
}
