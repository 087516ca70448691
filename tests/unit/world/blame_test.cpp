#include "catch.hpp"

#include "staithe/world/world.hpp"

using namespace staithe;

namespace {

/// What the world says of an effect that fails. Nothing listens on port 1.
struct Failing {
  plan::Plan plan;
  base::Redactor redactor;
  std::map<std::string, std::string> captures;

  Failing() {
    plan.hosts["web1"].name = "web1";
    plan.hosts["web1"].address = "127.0.0.1";
    plan.hosts["web1"].port = 1;
    plan.ssh.connect_timeout = base::Duration(2'000);
    plan.ssh.config = "/dev/null";
  }
  exec::EffectResult of(const plan::Effect& effect, const std::string& check = "true") {
    world::Settings settings;
    settings.check_command = {"/bin/sh", "-c", check};
    world::World world(plan, nullptr, redactor, settings);
    exec::Performance performance{base::Scope::lasting(base::Duration(20'000)),
                                  captures,
                                  [](auto, auto) {},
                                  [](const auto&) {},
                                  [](auto, const auto&) {},
                                  [](const auto&, const auto&) {}};
    auto result = world.perform(effect, performance);
    CHECK_FALSE(result.ok());
    return result;
  }
  static plan::Probe once(decltype(plan::Probe::what) what) {
    plan::Probe probe;
    probe.what = std::move(what);
    probe.once = true;
    return probe;
  }
};

}  // namespace

TEST_CASE(
    "a suite judges the release where it says that what it asked is not right, and not where it could not") {
  Failing failing;
  plan::CheckSuite suite;
  suite.suite = "smoke";
  for (const auto* judged : {"exit 1", "exit 6"}) {
    INFO(judged);
    CHECK(failing.of(suite, judged).tells_of_release());
  }
  for (const auto* unjudged :
       {"exit 2", "exit 3", "exit 4", "exit 70", "exit 127", "exit 143", "kill -9 $$"}) {
    INFO(unjudged);
    CHECK_FALSE(failing.of(suite, unjudged).tells_of_release());
  }
}

TEST_CASE("a host that is not heard of tells nothing of the release, an app that does not answer does") {
  Failing failing;
  CHECK_FALSE(failing.of(plan::RunRemote{"web1", "true", {}, {}, {}, true}).tells_of_release());
  CHECK_FALSE(failing.of(Failing::once(plan::FileProbe{"web1", "/srv"})).tells_of_release());
  CHECK_FALSE(failing.of(Failing::once(plan::CommandProbe{"web1", "true", {}})).tells_of_release());
  CHECK(failing.of(Failing::once(plan::CommandProbe{"", "false", {}})).tells_of_release());
  CHECK(failing.of(Failing::once(plan::TcpProbe{"127.0.0.1", 1})).tells_of_release());
  plan::HttpProbe http;
  http.url = plan::Text("http://127.0.0.1:1/health");
  CHECK(failing.of(Failing::once(http)).tells_of_release());
  // Nor does a secret that cannot be had.
  http.url.append(plan::SecretRef{plan::SecretRef::Source::env, "STAITHE_TEST_NOT_SET"});
  CHECK_FALSE(failing.of(Failing::once(http)).tells_of_release());
}

TEST_CASE("a suite is handed its secrets, and nothing is started without") {
  Failing failing;
  plan::CheckSuite suite;
  suite.suite = "smoke";
  suite.secrets = {{plan::SecretRef::Source::command, "printf 'for-%s' one-use"}};
  // It fails all the same, so that its last line is told.
  const auto told = failing.of(suite, "tr -d '\\n' | cut -c 1-36; echo $STAITHE_HANDED_SECRETS; cat; exit 1");
  CHECK(told.detail == "stdin");
  REQUIRE(told.output_tail.size() == 2);
  CHECK(told.output_tail.front() == "31 11command printf 'for-%s' one-use");
  suite.secrets = {{plan::SecretRef::Source::env, "STAITHE_TEST_NOT_SET"}};
  const auto unsent = failing.of(suite, "exit 1");
  CHECK(unsent.nothing_done);
  CHECK_FALSE(unsent.tells_of_release());
}
