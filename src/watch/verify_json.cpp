#include "wording.hpp"

#include "staithe/base/utc.hpp"
#include "staithe/watch/views.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::watch {
namespace {

using nlohmann::json;

double seconds(base::Duration duration) {
  return static_cast<double>(duration.count()) / 1000;
}

json json_of(const CheckState& one) {
  json record{
      {"check", one.name},    {"verdict", name_of(one.verdict)},       {"severity", name_of(one.severity)},
      {"reason", one.reason}, {"since", base::utc_text_ms(one.since)}, {"at", one.position}};
  if (one.quarantined) record["quarantined"] = true;
  if (!one.blocking) record["blocking"] = false;
  return record;
}

json json_of(const SuiteState& suite, base::SteadyTime now) {
  const auto fresh = freshness(suite, now);
  json record{{"name", suite.name},
              {"severity", name_of(suite.severity)},
              {"every_s", seconds(suite.every)},
              {"stale", fresh.stale}};
  if (fresh.stale) record["why"] = fresh.why;
  if (suite.running_since)
    record["running_s"] = seconds(std::chrono::duration_cast<base::Duration>(now - *suite.running_since));
  if (!suite.ever_ran()) {
    record["verdict"] = nullptr;
    return record;
  }
  record["verdict"] = name_of(suite.verdict);
  if (!suite.reason.empty()) record["reason"] = suite.reason;
  record["run_id"] = suite.run_id;
  record["release"] = suite.release;
  record["started"] = base::utc_text_ms(suite.started);
  record["finished"] = base::utc_text_ms(suite.finished);
  record["age_s"] = seconds(fresh.age);
  // It says how far to believe that all is well.
  record["confidence"] = suite.verdict == Verdict::fail ? json(nullptr) : json(suite.confidence);
  record["checks"] = suite.checks.size();
  auto bad = json::array();
  for (const auto& one : suite.checks)
    if (one.verdict != Verdict::pass) bad.push_back(json_of(one));
  record["not_passed"] = bad;
  return record;
}

bool counts_as_failed(const CheckState& one) {
  return !one.quarantined &&
         (one.verdict == Verdict::fail || one.verdict == Verdict::error || one.verdict == Verdict::aborted);
}

}  // namespace

Health health_of(const Overview& overview) {
  Health health;
  const auto turn = std::chrono::duration_cast<base::Duration>(overview.steady - overview.heartbeat);
  if (turn > longest_turn) {
    health.stale = true;
    health.reasons.push_back(fmt::format("the scheduler has not moved for {}", base::elapsed_text(turn)));
  }
  if (overview.suites.empty()) {
    health.stale = true;
    health.reasons.emplace_back("no suite is watched");
  }
  bool unknown = false;
  for (const auto& suite : overview.suites) {
    const auto fresh = freshness(suite, overview.steady);
    if (fresh.stale) {
      health.stale = true;
      health.reasons.push_back(fmt::format("{}: {}", suite.name, fresh.why));
    }
    if (!suite.ever_ran()) {
      unknown = true;
      continue;
    }
    health.verdict = std::max(health.verdict.value_or(suite.verdict), suite.verdict);
    if (is_well(suite.verdict)) continue;
    std::string names;
    for (const auto& one : suite.checks)
      if (one.blocking && counts_as_failed(one)) names += (names.empty() ? "" : ", ") + one.name;
    health.reasons.push_back(fmt::format("{}: {}{}", suite.name, name_of(suite.verdict),
                                         !names.empty()         ? ": " + names
                                         : suite.reason.empty() ? ""
                                                                : ": " + suite.reason));
  }
  if (unknown && health.verdict && is_well(*health.verdict)) health.verdict.reset();
  health.good = health.reasons.empty();
  return health;
}

std::string verify_json(const Overview& overview) {
  const auto health = health_of(overview);
  json failed = json::array(), suites = json::array();
  std::size_t degraded = 0, tolerated = 0, skipped = 0, quarantined = 0;
  double oldest = 0;
  for (const auto& suite : overview.suites) {
    suites.push_back(json_of(suite, overview.steady));
    if (suite.ever_ran()) oldest = std::max(oldest, seconds(freshness(suite, overview.steady).age));
    for (const auto& one : suite.checks) {
      if (counts_as_failed(one) && one.blocking) failed.push_back(suite.name + "/" + one.name);
      degraded += one.verdict == Verdict::degraded ? 1 : 0;
      tolerated += one.verdict == Verdict::tolerated ? 1 : 0;
      skipped += one.verdict == Verdict::skipped ? 1 : 0;
      quarantined += one.quarantined ? 1 : 0;
    }
  }
  json record{{"good", health.good},
              {"verdict", health.verdict ? json(name_of(*health.verdict)) : json(nullptr)},
              {"stale", health.stale},
              {"age_s", oldest},
              {"failed", failed},
              {"reasons", health.reasons},
              {"degraded", degraded},
              {"tolerated", tolerated},
              {"skipped", skipped},
              {"quarantined", quarantined},
              {"project", overview.project},
              {"environment", overview.environment},
              {"time", base::utc_text_ms(overview.now)},
              {"suites", suites}};
  auto incidents = json::array();
  for (const auto& one : overview.incidents)
    if (one.told)
      incidents.push_back({{"id", one.id},
                           {"since", base::utc_text_ms(one.since)},
                           {"reason", one.reason},
                           {"culprit", one.culprit}});
  record["incidents"] = incidents;
  if (!overview.files_trouble.empty()) record["files"] = overview.files_trouble;
  if (!overview.history_trouble.empty()) record["history"] = overview.history_trouble;
  if (!overview.lock_trouble.empty()) {
    record["lock"] = overview.lock_trouble;
    record["alerts_held"] = overview.alerts_held;
  }
  if (!overview.alerts_trouble.empty()) record["alerts"] = overview.alerts_trouble;
  return record.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace staithe::watch
