#include "staithe/checks/confidence.hpp"

#include "catch.hpp"

#include <cmath>

using namespace staithe::checks;

namespace {

double percent(double value, int decimals) {
  const double factor = std::pow(10, decimals);
  return std::round(100 * value * factor) / factor;
}

std::vector<Share> twenty(std::uint64_t runs) {
  std::vector<Share> shares;
  for (int i = 0; i < 20; ++i) {
    Share share;
    share.name = std::to_string(i);
    share.weight = i < 4 ? 5 : i < 10 ? 3 : 1;
    share.runs = runs;
    shares.push_back(share);
  }
  return shares;
}

double points(const std::vector<Share>& shares) {
  const auto total = score(shares);
  double lost = 0;
  for (const auto& one : total.lost) lost += one.points;
  CHECK(std::abs(total.points + lost - 100) < 1e-6);  // every lost point is accounted for
  return std::round(total.points * 10) / 10;
}

}  // namespace

// The numbers are those of a reference model that was written and checked apart from this program.
TEST_CASE("confidence: what a run would have noticed") {
  const std::pair<std::uint64_t, double> table[] = {{1, 95},  {2, 78},  {3, 63}, {5, 45},  {10, 26},
                                                    {20, 14}, {30, 10}, {59, 5}, {100, 3}, {299, 1}};
  for (const auto& [samples, share] : table) CHECK(percent(would_notice_below(samples, samples), 0) == share);
}

TEST_CASE("confidence: flake rates from histories") {
  const std::tuple<std::uint64_t, std::uint64_t, double, double> table[] = {
      {0, 0, 5.00, 11.41},  {0, 20, 2.50, 5.73},  {0, 100, 0.83, 1.92}, {0, 500, 0.19, 0.44},
      {1, 100, 1.67, 3.23}, {2, 400, 0.71, 1.27}, {5, 100, 5.00, 7.65}};
  for (const auto& [flips, runs, mean, upper] : table) {
    CHECK(percent(flake_rate(flips, runs).mean, 2) == mean);
    CHECK(percent(flake_rate(flips, runs).upper90, 2) == upper);
  }
}

TEST_CASE("confidence: whether a failure is real") {
  const std::tuple<std::uint64_t, std::uint64_t, double, double, double, double> table[] = {
      {0, 500, .3, 92.2, 97.5, 99.2},
      {2, 400, .3, 80.6, 93.3, 97.9},
      {5, 100, .3, 40.7, 69.6, 88.4},
      {5, 100, .8, 40.7, 46.2, 51.8}};
  for (const auto& [flips, runs, repeats, one, two, three] : table) {
    const auto flake = flake_rate(flips, runs).upper90;
    CHECK(percent(chance_real(1, flake, repeats), 1) == one);
    CHECK(percent(chance_real(2, flake, repeats), 1) == two);
    CHECK(percent(chance_real(3, flake, repeats), 1) == three);
  }
}

TEST_CASE("confidence: how often a flaky failure repeats is assumed until it was seen") {
  CHECK(repeat_chance(0, 0) == 0.3);
  CHECK(percent(repeat_chance(8, 10), 0) == 55);
  CHECK(percent(repeat_chance(800, 1000), 0) == 80);
  CHECK(percent(repeat_chance(0, 90), 0) == 3);
}

TEST_CASE("confidence: the score of twenty checks, and where its points went") {
  CHECK(points(twenty(600)) == 99.6);
  CHECK(points(twenty(0)) == 88.6);
  auto second_attempt = twenty(600);
  second_attempt[0].attempts = 2;
  CHECK(points(second_attempt) == 94.4);
  CHECK(score(second_attempt).lost.front().name == "0");
  CHECK(score(second_attempt).lost.front().cause == "passed 1 of 2 attempts");
  auto tolerated = twenty(600);
  tolerated[0].judged = 0.5;
  CHECK(points(tolerated) == 94.4);
  auto blocked = twenty(600);
  for (int i = 4; i < 10; ++i) blocked[static_cast<std::size_t>(i)].judged = 0;
  const auto all_judged = twenty(600);
  for (std::size_t checks = 1; checks <= all_judged.size(); ++checks)
    CHECK(score(std::span(all_judged).first(checks)).coverage == 1);
  CHECK(points(blocked) == 62.3);
  CHECK(percent(score(blocked).coverage, 1) == 62.5);
  auto flaky = twenty(600);
  flaky[0].flips = 8;
  flaky[0].runs = 100;
  CHECK(points(flaky) == 98.6);
  auto once = twenty(1);
  once[0].flips = 1;
  std::string causes;
  for (const auto& lost : score(once).lost) causes += lost.cause + "\n";
  CHECK(causes.find("1 flip in 1 run\n") != std::string::npos);
  CHECK(causes.find("0 flips in 1 run\n") != std::string::npos);
}
