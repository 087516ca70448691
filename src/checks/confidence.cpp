#include "staithe/checks/confidence.hpp"

#include "staithe/base/count_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace staithe::checks {
namespace {

constexpr double prior_flips = 1, prior_good = 19;

double away_from_zero(double value) {
  constexpr double tiny = 1e-30;
  return std::abs(value) > tiny ? value : tiny;
}

/// Lentz's continued fraction (Numerical Recipes, 6.4).
double beta_fraction(double a, double b, double x) {
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double h = d;
  for (int m = 1; m < 400; ++m) {
    const double m2 = 2.0 * m;
    double step = m * (b - m) * x / ((a - 1 + m2) * (a + m2));
    d = 1 / away_from_zero(1 + step * d);
    c = away_from_zero(1 + step / c);
    h *= d * c;
    step = -(a + m) * (a + b + m) * x / ((a + m2) * (a + 1 + m2));
    d = 1 / away_from_zero(1 + step * d);
    c = away_from_zero(1 + step / c);
    h *= d * c;
    if (std::abs(d * c - 1) < 1e-12) break;
  }
  return h;
}

/// std::lgamma writes the sign of gamma to a variable of the whole process, and several suites end at once.
double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

}  // namespace

double beta_quantile(double p, double a, double b) {
  double low = 0, high = 1;
  while (high - low > 1e-15) {
    const double middle = (low + high) / 2;
    (incomplete_beta(a, b, middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// With q the share of good ones, at least k of n are good with the chance I_q(k, n - k + 1).
double would_notice_below(std::uint64_t enough, std::uint64_t samples, double confidence) {
  if (enough == 0) return 1;
  const auto k = static_cast<double>(std::min(enough, samples));
  return 1 - beta_quantile(1 - confidence, k, static_cast<double>(samples) - k + 1);
}

FlakeRate flake_rate(std::uint64_t flips, std::uint64_t runs) {
  const double a = prior_flips + static_cast<double>(flips);
  const double b = prior_good + static_cast<double>(runs - std::min(flips, runs));
  return {a / (a + b), beta_quantile(0.90, a, b)};
}

double repeat_chance(std::uint64_t again, std::uint64_t retried) {
  return (3 + static_cast<double>(std::min(again, retried))) / (10 + static_cast<double>(retried));
}

double chance_real(std::uint64_t failures, double flake, double repeats, double breaks) {
  const double noise =
      flake * std::pow(repeats, static_cast<double>(std::max<std::uint64_t>(failures, 1) - 1));
  return breaks / (breaks + (1 - breaks) * noise);
}

Score score(std::span<const Share> shares) {
  Score total;
  double weights = 0;
  for (const auto& share : shares) weights += share.weight;
  if (weights <= 0) return total;
  const auto lose = [&](double part, const Share& share, const auto& cause) {
    if (part > 0) total.lost.push_back({100 * part / weights, share.name, cause()});
  };
  std::map<std::pair<std::uint64_t, std::uint64_t>, double> flakes;  // most checks have the same history
  for (const auto& share : shares) {
    const auto [known, is_new] = flakes.try_emplace({share.flips, share.runs});
    if (is_new) known->second = flake_rate(share.flips, share.runs).upper90;
    const double flake = known->second;
    const double passed =
        share.attempts == 0 ? 0 : static_cast<double>(share.passed) / static_cast<double>(share.attempts);
    const double judged = share.weight * share.judged;
    total.coverage += judged;
    total.points += 100 * judged * passed * (1 - flake) / weights;
    lose(share.weight - judged, share, [&] {
      return share.cause.empty() ? fmt::format("{:.0f} % of it was judged", 100 * share.judged) : share.cause;
    });
    lose(judged * (1 - passed), share,
         [&] { return fmt::format("passed {} of {} attempts", share.passed, share.attempts); });
    lose(judged * passed * flake, share, [&] {
      return share.runs == 0
                 ? std::string("no history: a flake rate of 5 % is assumed")
                 : base::count_text(share.flips, "flip") + " in " + base::count_text(share.runs, "run");
    });
  }
  total.coverage /= weights;  // once: a sum of shares of a whole need not be 1
  std::stable_sort(total.lost.begin(), total.lost.end(),
                   [](const Lost& a, const Lost& b) { return a.points > b.points; });
  return total;
}

}  // namespace staithe::checks
