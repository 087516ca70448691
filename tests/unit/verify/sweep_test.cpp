#include "flow.hpp"

using namespace flow;
using namespace std::chrono_literals;

namespace {

const std::string sweeping = head(R"(steps:
  - get: /runs/1
    expect: 200
sweep:
  older_than: 1h
  list: /runs
  each: {delete: /runs/$(item.id)}
)");

std::string mark(const std::string& run_id) {
  return verify::mark_of_run(run_id, "shop/");
}

std::vector<std::string> removed(const Fake& fake) {
  std::vector<std::string> ids;
  for (const auto& one : fake.asked)
    if (one.rfind("DELETE", 0) == 0) ids.push_back(one.substr(21));
  return ids;
}

}  // namespace

TEST_CASE("flow: the sweep removes what another run has marked as its own, long ago, and nothing else") {
  const auto a = mark("20200101t000000-aaaaaa"), b = mark("20200101t000000-bbbbbb"),
             c = mark("20200101t000000-cccccc"), d = mark("20200101t000000-dddddd"),
             e = mark("20200101t000000-eeeeee");
  // A customer, however old; one that a check has written a note about; what looks like a mark, and the mark
  // of another project; what is young.
  const std::string list = R"({"runs":[{"id":")" + a + R"("},
    {"id":"customer","created_at":"2020-01-01T00:00:00Z"},{"id":"y"},
    {"id":"touched","note":"asked by )" +
                           a + R"("},
    {"id":"20200101t000000-aaaaaa"},{"id":"20200101t000000-aaaaaa000000"},{"id":")" +
                           verify::mark_of_run("20200101t000000-aaaaaa", "other/production") + R"("},
    {"id":")" + a + R"(a"},{"id":"1)" +
                           a + R"("},{"id":")" + mark("20209901t000000-aaaaaa") + R"("},
    {"id":"17","name":"smoke )" +
                           c + R"("},{"id":18,"run_id":")" + d + R"("},
    {"id":"young","run":")" +
                           e + R"(","created_at":"2999-01-01T00:00:00Z"},
    {"id":"old","run":")" + e +
                           R"(","created_at":"2020-01-01T00:00:09Z"},
    {"id":")" + mark("29990101t000000-aaaaaa") +
                           R"("},")" + b + R"(","customer"]})";
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    return {title.rfind("GET http://h/runs", 0) == 0 ? 200 : 204, list};
  });
  const Ran ran({sweeping}, fake);
  CHECK(removed(fake) == std::vector<std::string>{a, "17", "18", "old", b});
  const auto& swept = ran.of("sweep: what is left of killed runs");
  CHECK(swept.verdict == Verdict::pass);
  CHECK_THAT(swept.attempts.back().note,
             ContainsSubstring("5 removed, 0 could not be removed, 10 not ours, 2 too young"));
}

TEST_CASE("flow: without a project nothing is swept, for its marks would be everybody's") {
  Fake fake([&](const std::string&) -> std::pair<int, std::string> {
    return {200, R"([")" + verify::mark_of_run("20200101t000000-aaaaaa", "/") + R"("])"};
  });
  const Ran ran({sweeping}, fake, nullptr, nullptr, nullptr, 8, "");
  CHECK(fake.asked == std::vector<std::string>{"GET http://h/runs/1"});
  const auto& swept = ran.of("sweep: what is left of killed runs");
  CHECK(swept.verdict == Verdict::skipped);
  CHECK_THAT(swept.reason, ContainsSubstring("nothing is swept: there is no staithe.yml"));
  CHECK(ran.result.verdict == Verdict::pass);
}

TEST_CASE("flow: a sweep that cannot remove is degraded, and says how many are left and why") {
  const auto a = mark("20200101t000000-aaaaaa"), b = mark("20200101t000000-bbbbbb");
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    std::this_thread::sleep_for(3ms);
    if (title.rfind("GET", 0) == 0) return {200, R"(["somebody's", ")" + a + R"(", ")" + b + R"("])"};
    return {title.find(a) != std::string::npos ? 500 : 204, ""};
  });
  const Ran ran({sweeping}, fake);
  const auto& swept = ran.of("sweep: what is left of killed runs");
  CHECK(swept.verdict == Verdict::degraded);
  CHECK_THAT(swept.reason, ContainsSubstring("1 removed, 1 could not be removed, 1 not ours; " + a));
  CHECK_THAT(swept.reason, ContainsSubstring("status: wanted 2xx, got 500"));
  CHECK(swept.duration >= 9ms);
  CHECK(ran.result.verdict == Verdict::degraded);
}
