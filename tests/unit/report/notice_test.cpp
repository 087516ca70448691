#include "catch.hpp"

#include "staithe/checks/confidence.hpp"
#include "staithe/checks/suite.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <string>
#include <vector>

using namespace staithe;
using verify::Verdict;

namespace {

/// The chance that a check holds when each request fails with the chance `share`: all that can come, one by
/// one.
double chance_to_hold(std::uint32_t enough, std::uint32_t samples, double share) {
  double chance = 0;
  for (std::uint32_t outcome = 0; outcome < (1U << samples); ++outcome) {
    const int good = std::popcount(outcome);
    if (static_cast<std::uint32_t>(good) < enough) continue;
    chance += std::pow(1 - share, good) * std::pow(share, static_cast<int>(samples) - good);
  }
  return chance;
}

/// A run that passed, of checks that made so many requests.
struct Passed {
  void add(const std::string& name, std::uint32_t samples, const std::string& success = {}) {
    text += fmt::format("  - {{name: {}, get: /, sample: {}, expect: {{status: 200{}}}}}\n", name, samples,
                        success.empty() ? "" : ", success: " + success);
  }
  std::vector<std::string> lines() const {
    diag::Diagnostics diagnostics;
    const auto suite = checks::load_suite("s.yml", text, {}, diagnostics);
    for (const auto& finding : diagnostics.sorted()) UNSCOPED_INFO(finding.message);
    REQUIRE(suite);
    verify::RunResult run;
    run.suites.emplace_back();
    run.suites[0].suite = &*suite;
    for (const auto& check : suite->steps) {
      auto& one = run.suites[0].checks.emplace_back();
      one.check = &check;
      one.verdict = Verdict::pass;
      one.blocking = true;
      one.samples = one.samples_good = check.sample;
    }
    std::vector<std::string> found;
    bool in = false;
    for (const auto& line : report::check_worth(run)) {
      in = line.starts_with("would notice") || (in && line.starts_with("  "));
      if (in) found.push_back(line);
    }
    return found;
  }

  std::string text = "suite: s\ntarget: http://h\nsteps:\n";
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("would notice: at the share that is told, and not below it, 95 of 100 faults are noticed") {
  for (std::uint32_t samples = 1; samples <= 12; ++samples)
    for (std::uint32_t enough = 1; enough <= samples; ++enough) {
      const auto share = checks::would_notice_below(enough, samples);
      CHECK(std::abs(chance_to_hold(enough, samples, share) - 0.05) < 1e-9);
      CHECK(chance_to_hold(enough, samples, share + 0.001) < 0.05);
      CHECK(chance_to_hold(enough, samples, share - 0.001) > 0.05);
    }
  for (const std::uint64_t samples : {1U, 2U, 20U, 299U, 10'000U})
    CHECK(std::abs(checks::would_notice_below(samples, samples) -
                   (1 - std::pow(0.05, 1 / static_cast<double>(samples)))) < 1e-9);
  CHECK(checks::would_notice_below(0, 20) == 1);
}

TEST_CASE("would notice: what a check bears is in the line, and what others asked more often") {
  Passed same;
  same.add("a", 1);
  same.add("b", 1);
  CHECK(same.lines() ==
        Lines{"would notice  a fault in 95 % or more of requests (95 %): 1 request of each check"});
  Passed relaxed;
  relaxed.add("a", 20, "at least 19 of 20");
  CHECK(relaxed.lines() == Lines{"would notice  a fault in 22 % or more of requests (95 %): 20 requests of "
                                 "each check, of which 19 must "
                                 "be good"});
  Passed mixed;
  for (const char* name : {"a", "b", "c"}) mixed.add(name, 1);
  mixed.add("often", 20);
  mixed.add("relaxed", 20, "at least 18 of 20");
  mixed.add("anything", 20, "at least 0");
  CHECK(mixed.lines() ==
        Lines{"would notice  nothing, for all may fail: 20 requests of 'anything', of which 0 must be good",
              "              a fault in 95 % or more of requests (95 %): 1 request of each of 3 checks",
              "              a fault in 28 % or more of requests (95 %): 20 requests of 'relaxed', of which "
              "18 must be good",
              "              a fault in 14 % or more of requests (95 %): 20 requests of 'often'"});
}
