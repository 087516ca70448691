#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// How far a verdict can be believed: three statements, and a number made of them. Pure arithmetic.
namespace staithe::checks {

/// What share of requests must fail for fewer than `enough` of `samples` to be good, with the given
/// confidence; where all must be, that is 1 - (1-c)^(1/n). 1 when `enough` is 0: nothing would be noticed.
double would_notice_below(std::uint64_t enough, std::uint64_t samples, double confidence = 0.95);

/// The share of runs in which a check is wrong by itself, from flips on unchanged releases. Beta(1, 19)
/// beforehand: 5 %, which is assumed.
struct FlakeRate {
  double mean = 0;
  double upper90 = 0;  ///< with 90 % it is no more than that
};
FlakeRate flake_rate(std::uint64_t flips, std::uint64_t runs);

/// The chance that a flaky failure comes again at once, from how often one did: Beta(3, 7) beforehand, 30 %,
/// which is assumed. `again` of `retried` attempts that followed one failed too.
double repeat_chance(std::uint64_t again, std::uint64_t retried);

/// The chance that a check that failed `failures` of `failures` attempts found a real fault. `repeats`: the
/// chance that a flaky failure comes again at once. `breaks`: the share of deploys that break this check.
double chance_real(std::uint64_t failures, double flake, double repeats = 0.3, double breaks = 0.05);

/// One check's part in the confidence of a run that passed.
struct Share {
  std::string name;
  double weight = 1;
  double judged = 1;  ///< of its assertions, 0 to 1
  std::uint64_t passed = 1, attempts = 1;
  std::uint64_t flips = 0, runs = 0;
  std::string cause;  ///< why less than all was judged
};

struct Lost {
  double points = 0;
  std::string name;
  std::string cause;
};

struct Score {
  double points = 0;       ///< 0 to 100
  double coverage = 0;     ///< weighted share of the assertions that were judged, 0 to 1
  std::vector<Lost> lost;  ///< where the rest went, most first; sums to 100 - points
};
Score score(std::span<const Share> shares);

/// Quantile of the beta distribution, by bisection over the regularised incomplete beta function.
double beta_quantile(double p, double a, double b);

}  // namespace staithe::checks
