#include "catch.hpp"

#include "staithe/world/survey.hpp"

using namespace staithe::world;

namespace {

const std::string v1 = "111111111111aaaa", v2 = "222222222222bbbb", v3 = "333333333333cccc";

ReleaseThere release(const std::string& sha, double staged, bool good = true) {
  return {sha.substr(0, 12), sha, staged, good};
}

HostLook host(const std::string& name, const std::string& live, std::vector<ReleaseThere> releases,
              const std::vector<std::string>& served = {}) {
  HostLook look;
  for (const auto& sha : served) look.served.push_back(sha.substr(0, 12));
  look.host = name;
  look.current = live.substr(0, 12);
  look.releases = std::move(releases);
  return look;
}

}  // namespace

TEST_CASE("a rollback goes to the newest good release before the live one") {
  const std::vector<ReleaseThere> all{release(v3, 30), release(v2, 20), release(v1, 10)};
  const std::vector<HostLook> hosts{host("web1", v3, all), host("web2", v3, all)};
  CHECK(rollback_target(hosts, "", {}).sha == v2);
  CHECK(rollback_target(hosts, "", {v2.substr(0, 12)}).sha == v1);

  SECTION("never forward again after a rollback") {
    const std::vector<HostLook> back{host("web1", v2, all), host("web2", v2, all)};
    CHECK(rollback_target(back, "", {}).sha == v1);
    const std::vector<HostLook> oldest{host("web1", v1, all)};
    CHECK(rollback_target(oldest, "", {}).release.empty());
    CHECK_FALSE(rollback_target(oldest, "", {}).refusal.empty());
  }
  SECTION("a half-done rollout goes back to what the others run") {
    const std::vector<HostLook> mixed{host("web1", v3, all), host("web2", v2, all)};
    CHECK(rollback_target(mixed, "", {}).sha == v2);
  }
}

TEST_CASE("a rollback goes to what was live before, not to what was rolled back") {
  const std::string v4 = "444444444444dddd";
  const std::vector<ReleaseThere> all{release(v4, 40), release(v3, 30), release(v2, 20), release(v1, 10)};
  SECTION("after v3 was rolled back and v4 deployed") {
    const std::vector<HostLook> hosts{host("web1", v4, all, {v1, v2, v4}),
                                      host("web2", v4, all, {v1, v2, v4})};
    const auto target = rollback_target(hosts, "", {});
    CHECK(target.sha == v2);
    CHECK(target.why == "served web[1-2] before");
    CHECK(rollback_target(hosts, "", {v2.substr(0, 12)}).sha == v1);
  }
  SECTION("after a canary: to what the others run") {
    const std::vector<HostLook> hosts{host("web1", v4, all, {v1, v2, v4}), host("web2", v2, all, {v1, v2}),
                                      host("web3", v2, all, {v1, v2})};
    const auto target = rollback_target(hosts, "", {});
    CHECK(target.sha == v2);
    CHECK(target.why == "served web1 before, live on web[2-3]");
  }
  SECTION("an older one that was deployed again was before the one that came after it") {
    CHECK(rollback_target({host("web1", v1, all, {v1, v2, v3, v1})}, "", {}).sha == v3);
  }
  SECTION("the list of a host that was killed before it switched, or was switched by hand") {
    CHECK(rollback_target({host("web1", v2, all, {v1, v2, v4})}, "", {}).sha == v1);
    CHECK(rollback_target({host("web1", v3, all, {v1, v2})}, "", {}).sha == v2);
  }
  SECTION("what was staged before the list was begun comes last in it") {
    CHECK(rollback_target({host("web1", v4, all, {v2, v4})}, "", {}).sha == v2);
    CHECK(rollback_target({host("web1", v2, all, {v2})}, "", {}).sha == v1);
    CHECK(rollback_target({host("web1", v1, all, {v1})}, "", {}).release.empty());
  }
}

TEST_CASE("a release counts only when every host holds it and it was good there") {
  const std::vector<HostLook> hosts{
      host("web1", v3, {release(v3, 30), release(v2, 20), release(v1, 10)}),
      host("web2", v3, {release(v3, 30), release(v2, 20, false), release(v1, 10)})};
  CHECK(rollback_target(hosts, "", {}).sha == v1);
  const auto refused = rollback_target(hosts, v2.substr(0, 7), {});
  CHECK(refused.release.empty());
  CHECK(refused.refusal.find("on web2") != std::string::npos);
  CHECK(refused.refusal.find("web1") != std::string::npos);

  const std::vector<HostLook> new_host{hosts[0], host("web3", v3, {release(v3, 31)})};
  CHECK(rollback_target(new_host, "", {}).release.empty());
}

TEST_CASE("a release that is named is found by its beginning") {
  const std::vector<HostLook> hosts{
      host("web1", v3, {release(v3, 30), release(v1, 10), release("1111ffff0000eeee", 5)})};
  CHECK(rollback_target(hosts, "333333", {}).sha == v3);
  CHECK(rollback_target(hosts, "11111", {}).sha == v1);
  CHECK(rollback_target(hosts, "1111", {}).refusal.find("may mean") != std::string::npos);
  CHECK(rollback_target(hosts, "333", {}).release.empty());
  CHECK(rollback_target(hosts, "abcdef", {}).refusal.find("no host has") != std::string::npos);
}

TEST_CASE("versions are told apart by what the app says, else by what is live") {
  auto one = host("web1", v2, {release(v2, 20)});
  auto two = one;
  two.host = "web2";
  one.running = v2;  // the whole commit
  CHECK(versions({one, two}).size() == 1);
  two.running = v1;
  const auto differ = versions({one, two});
  REQUIRE(differ.size() == 2);
  CHECK(differ.at(v1) == std::vector<std::string>{"web2"});
  // The release is there and goes live next, but the app still runs the one before.
  auto between = host("web3", v2, {release(v2, 20), release(v1, 10)});
  between.running = v1;
  CHECK(running_release(between) == between.releases.back().id);
  between.running = v1.substr(0, 8);
  CHECK(versions({one, between}).count(between.releases.back().id) == 1);
  between.running = "1.0";
  CHECK(running_release(between) == "1.0");
}

TEST_CASE("an app that runs another release than the live one says so by its commit only") {
  auto between = host("web1", v2, {release(v2, 20), release(v1, 10)});
  CHECK_FALSE(runs_another(between));  // it was not asked
  for (const std::string& said : {v2, v2.substr(0, 12), v2.substr(0, 8), std::string("1.0"),
                                  std::string("main"), std::string("1718000000")}) {
    between.running = said;
    CHECK_FALSE(runs_another(between));
  }
  for (const std::string& said : {v1, v1.substr(0, 8), std::string(40, 'f')}) {
    between.running = said;
    CHECK(runs_another(between));
  }
  between.current.clear();
  CHECK_FALSE(runs_another(between));
}

TEST_CASE("a host that cannot be asked for its releases runs what the others run, if its app says so") {
  const std::string sha = "387e4744f364e1497ae90000000000000000beef";
  auto one = host("web1", sha, {release(sha, 20)});
  one.running = sha;
  HostLook deaf;
  deaf.host = "web3";
  deaf.trouble = "web3: connection refused";
  deaf.running = sha;
  const auto same = versions({one, deaf});
  REQUIRE(same.size() == 1);
  CHECK(same.at("387e4744f364") == std::vector<std::string>{"web1", "web3"});
  deaf.running = sha.substr(0, 8);
  CHECK(versions({one, deaf}).size() == 1);
  // The beginning is the same, and the commit is not.
  deaf.running = "387e4744f364ffffffffffffffffffffffffffff";
  CHECK(versions({one, deaf}).size() == 2);
  // What lies on no host that answers is called as its release would be.
  deaf.running = "9999999999990000000000000000000000000000";
  CHECK(versions({one, deaf}).count("999999999999") == 1);
}

TEST_CASE("a server's state is said by its bits") {
  staithe::haproxy::ServerState state;
  state.op = staithe::haproxy::Op::running;
  state.weight = 100;
  state.check = 6;
  CHECK(state_in_words(state) == "up");
  state.admin = staithe::haproxy::admin_bit::forced_drain;
  CHECK(state_in_words(state) == "drain, up");
  state.admin = staithe::haproxy::admin_bit::forced_maint | staithe::haproxy::admin_bit::forced_drain;
  CHECK(state_in_words(state) == "maint");
  state.admin = staithe::haproxy::admin_bit::config_disabled;  // a memory of the file only
  state.op = staithe::haproxy::Op::stopped;
  CHECK(state_in_words(state) == "DOWN");
}
