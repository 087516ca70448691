#include "catch.hpp"
#include "secret_refs.hpp"

#include "staithe/base/redact.hpp"
#include "staithe/world/check_probes.hpp"

#include <cstdlib>
#include <string>
#include <vector>

using namespace staithe;
using plan::SecretRef;
using std::chrono::milliseconds;

namespace {

checks::Suite suite_with(const std::string& name, milliseconds budget,
                         const std::vector<SecretRef>& secrets) {
  checks::Suite suite;
  suite.name = name;
  suite.budget = budget;
  for (const auto& secret : secrets) {
    plan::Text text;
    text.append(secret);
    suite.use.emplace_back("value", text);
  }
  return suite;
}

SecretRef command(const std::string& line) {
  return {SecretRef::Source::command, line};
}

}  // namespace

TEST_CASE("many secrets of one suite that hang take nothing of those of others, and no more than their own") {
  std::vector<SecretRef> hanging;
  for (int i = 0; i < 9; ++i) hanging.push_back(command("sleep 30; echo " + std::to_string(i)));
  ::setenv("STAITHE_AHEAD_OF_ALL", "known-ahead-of-all", 1);
  checks::SuitePlan suites;
  suites.suites = {suite_with("hangs", milliseconds(4000), hanging),
                   suite_with("free", milliseconds(8000), {test::env("STAITHE_AHEAD_OF_ALL")}),
                   suite_with("quick", milliseconds(8000), {command("echo printed-at-once")})};
  const plan::Plan nothing;
  base::Redactor redactor;
  world::CheckProbes probes{nothing, redactor, {}};
  auto foreseen = probes.foresee(suites, nullptr);
  CHECK(redactor.clean("known-ahead-of-all printed-at-once") == "*** ***");
  CHECK(foreseen["free"] < milliseconds(1000));
  CHECK(foreseen["quick"] < milliseconds(3000));
  CHECK(foreseen["hangs"] >= milliseconds(3500));
  CHECK(foreseen["hangs"] < milliseconds(4600));
}

TEST_CASE("a suite whose secret waits for its turn has not spent that time") {
  checks::SuitePlan suites;
  for (int i = 0; i < 8; ++i)
    suites.suites.push_back(suite_with("hangs" + std::to_string(i), milliseconds(2000),
                                       {command("sleep 30; echo " + std::to_string(i))}));
  suites.suites.push_back(suite_with("last", milliseconds(9000), {command("echo printed-after-all")}));
  const plan::Plan nothing;
  base::Redactor redactor;
  world::CheckProbes probes{nothing, redactor, {}};
  auto foreseen = probes.foresee(suites, nullptr);
  CHECK(redactor.clean("printed-after-all") == "***");
  CHECK(foreseen["last"] < milliseconds(1500));
}
