#include "staithe/watch/state.hpp"

#include "causes.hpp"
#include "kept.hpp"

#include "staithe/base/text.hpp"
#include "staithe/verify/memory.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace staithe::watch {
namespace {

using nlohmann::json;

constexpr std::size_t longest_reason = 1000, longest_title = 500;

std::optional<double> certificate_end(const verify::CheckResult& one) {
  for (const auto& judged : one.judged) {
    if (judged.subject != "days_left") continue;
    double days = 0;
    const auto* end = judged.got.data() + judged.got.size();
    if (std::from_chars(judged.got.data(), end, days).ec == std::errc())
      return static_cast<double>(one.started.time_since_epoch().count()) / 1000 + days * 86'400;
  }
  return std::nullopt;
}

/// Why a check is not well, in one line.
std::string reason_of(const verify::CheckResult& one) {
  if (!one.reason.empty()) return one.reason;
  if (one.verdict == Verdict::pass) return {};
  for (const auto& judged : one.judged)
    if (judged.outcome != checks::Judged::Outcome::held && !judged.warns) return judged.in_words();
  return one.attempts.empty() ? "" : one.attempts.back().note;
}

/// A check that was not run, or was cut off, has shown neither that it fails nor that it does not.
void count_check(CheckState& state, const CheckState& before, Time started) {
  const bool bad = state.verdict == Verdict::fail || state.verdict == Verdict::error;
  const bool cut = state.verdict == Verdict::aborted;
  state.failing = before.failing;
  state.unwell = before.unwell;
  if (state.verdict == Verdict::skipped) return;
  if (!cut) state.failing = extended(before.failing, bad, started);
  state.unwell = extended(before.unwell, bad || cut || state.verdict == Verdict::degraded, started);
}

CheckState check_of(const verify::CheckResult& one, const CheckState* before, const std::string& release) {
  CheckState state;
  state.name = one.check->name;
  state.key = one.check->key;
  state.part = name_of(one.check->part);
  state.severity = one.check->severity;
  state.verdict = one.verdict;
  state.blocking = one.blocking;
  state.quarantined = one.quarantined;
  state.flaky = one.flaky;
  state.reason = base::shortened(reason_of(one), longest_reason);
  state.position = fmt::format("{}:{}", one.check->position.file.text(), one.check->position.line);
  state.request = base::shortened(one.title, longest_title);
  state.since = one.started;
  state.duration = one.duration;
  state.certificate_end = certificate_end(one);
  state.flips = verify::flips_of(one, release);
  count_check(state, before == nullptr ? CheckState{} : *before, one.started);
  if (before == nullptr) return state;
  state.flips += before->flips;
  if (before->verdict == one.verdict) state.since = before->since;
  if (!state.certificate_end && one.verdict == Verdict::error)
    state.certificate_end = before->certificate_end;
  return state;
}

/// What a run found stands in `state`: it is counted by suite and as a whole.
void count_run(SuiteState& state) {
  ++state.runs;
  if (state.blocked) return;
  state.as_a_whole = extended(state.as_a_whole, fails_as_a_whole(state), state.started);
  if (!is_well(state.verdict)) ++state.failures;
}

}  // namespace

Streak extended(Streak before, bool goes_on, Time started) {
  if (!goes_on) return {};
  if (before.runs == 0) before.since = started;
  ++before.runs;
  return before;
}

bool is_well(Verdict verdict) noexcept {
  return verdict == Verdict::pass || verdict == Verdict::degraded || verdict == Verdict::tolerated;
}

Freshness freshness(const SuiteState& suite, base::SteadyTime now) {
  using std::chrono::duration_cast;
  Freshness found;
  if (!suite.ever_ran()) {
    const auto waited = duration_cast<base::Duration>(now - suite.known_since);
    found.stale = true;
    found.why =
        fmt::format("not run yet, waited for {}", base::elapsed_text(std::max(waited, base::Duration{0})));
    return found;
  }
  found.age = std::max(duration_cast<base::Duration>(now - suite.ended_at), base::Duration{0});
  found.stale = found.age > suite.every * 5 / 2 + suite.duration;
  if (found.stale)
    found.why = fmt::format("the last run ended {} ago, every {} was asked for",
                            base::elapsed_text(found.age), base::to_text(suite.every));
  return found;
}

SuiteState state_of(const checks::Suite& suite, base::Duration every, base::SteadyTime now) {
  SuiteState state;
  state.name = suite.name;
  state.about = suite.about;
  state.owner = suite.owner;
  state.runbook = suite.runbook;
  state.file = suite.file;
  state.severity = suite.severity;
  state.every = every;
  state.known_since = now;
  return state;
}

void take(SuiteState& state, const verify::SuiteResult& result, const verify::RunResult& run,
          base::SteadyTime ended_at) {
  std::map<std::string, CheckState> before;
  for (auto& check : state.checks) {
    const auto [known, is_new] = before.try_emplace(check.key, check);
    if (!is_new && known->second.verdict < check.verdict) known->second = std::move(check);
  }
  state.checks.clear();
  for (const auto& one : result.checks) {
    const auto found = before.find(one.check->key);
    state.checks.push_back(check_of(one, found == before.end() ? nullptr : &found->second, run.release));
  }
  state.verdict = result.verdict;
  state.reason = result.reason;
  state.blocked = result.blocked;
  state.run_id = run.run_id;
  state.release = run.release;
  state.started = result.started;
  state.duration = result.duration;
  state.finished = result.started + result.duration;
  state.ended_at = ended_at;
  state.running_since.reset();
  state.confidence = result.confidence.points;
  count_run(state);
}

void break_off(SuiteState& state, const std::string& trouble, Time now, base::SteadyTime ended_at) {
  for (auto& check : state.checks) {
    if (check.verdict != Verdict::skipped) check.since = now;
    check.verdict = Verdict::skipped;
    check.reason = trouble;
    check.flaky = false;
  }
  state.verdict = Verdict::error;
  state.reason = trouble;
  state.blocked = false;
  state.started = state.finished = now;
  state.ended_at = ended_at;
  count_run(state);
}

namespace {

void put(json& record, const char* name, const Streak& streak) {
  if (streak.runs > 0) record[name] = {streak.runs, streak.since.time_since_epoch().count()};
}

Streak streak_of(const json& record, const char* name) {
  if (!record.contains(name)) return {};
  const auto& kept = record.at(name);
  return {kept.at(0).get<std::uint32_t>(), Time{std::chrono::milliseconds(kept.at(1).get<std::int64_t>())}};
}

json json_of(const CheckState& one, bool in_short) {
  json record{{"key", one.key},
              {"name", one.name},
              {"part", one.part},
              {"severity", name_of(one.severity)},
              {"verdict", name_of(one.verdict)},
              {"since", one.since.time_since_epoch().count()},
              {"ms", one.duration.count()}};
  if (one.blocking) record["blocking"] = true;
  if (one.quarantined) record["quarantined"] = true;
  if (one.flips > 0) record["flips"] = one.flips;
  if (one.certificate_end) record["certificate_end"] = *one.certificate_end;
  if (!one.position.empty()) record["at"] = one.position;
  put(record, "failing", one.failing);
  put(record, "unwell", one.unwell);
  if (in_short) return record;
  if (!one.reason.empty()) record["reason"] = one.reason;
  if (!one.request.empty()) record["request"] = one.request;
  return record;
}

/// Texts are kept while half of the room is left, and of checks that there is no room for nothing is known
/// after a restart until they have run.
std::string checks_json(const std::vector<CheckState>& checks) {
  std::size_t room = most_kept;
  std::string list;
  for (const auto& one : checks) {
    const auto record =
        json_of(one, room < most_kept / 2).dump(-1, ' ', false, json::error_handler_t::replace);
    if (record.size() + 1 > room) continue;
    room -= record.size() + 1;
    list += (list.empty() ? "" : ",") + record;
  }
  return "[" + list + "]";
}

}  // namespace

std::string to_json(const SuiteState& state) {
  json record{{"verdict", name_of(state.verdict)},
              {"reason", base::shortened(state.reason, longest_reason)},
              {"blocked", state.blocked},
              {"run_id", state.run_id},
              {"release", state.release},
              {"started", state.started.time_since_epoch().count()},
              {"finished", state.finished.time_since_epoch().count()},
              {"duration", state.duration.count()},
              {"runs", state.runs},
              {"failures", state.failures},
              {"missed", state.missed},
              {"confidence", state.confidence}};
  put(record, "as_a_whole", state.as_a_whole);
  put(record, "unexplained", state.unexplained);
  auto text = record.dump(-1, ' ', false, json::error_handler_t::replace);
  text.back() = ',';
  return text + "\"checks\":" + checks_json(state.checks) + "}";
}

namespace {

CheckState check_from(const json& record) {
  CheckState one;
  one.key = record.at("key").get<std::string>();
  one.name = record.value("name", one.key);
  one.part = record.value("part", "steps");
  one.severity = severity_of(record);
  checks::parse_verdict(record.value("verdict", ""), one.verdict);
  one.blocking = record.value("blocking", false);
  one.quarantined = record.value("quarantined", false);
  one.flips = record.value("flips", std::uint64_t{0});
  one.reason = record.value("reason", "");
  one.position = record.value("at", "");
  one.request = record.value("request", "");
  one.since = time_of(record, "since");
  one.failing = streak_of(record, "failing");
  one.unwell = streak_of(record, "unwell");
  one.duration = base::Duration(record.value("ms", std::int64_t{0}));
  if (record.contains("certificate_end")) one.certificate_end = record.at("certificate_end").get<double>();
  return one;
}

}  // namespace

void restore(SuiteState& state, const std::string& text, Time now, base::SteadyTime steady) {
  try {
    const auto record = json::parse(text);
    SuiteState kept = state;
    if (!checks::parse_verdict(record.at("verdict").get<std::string>(), kept.verdict)) return;
    kept.reason = record.value("reason", "");
    kept.blocked = record.value("blocked", kept.verdict == Verdict::skipped);
    kept.run_id = record.value("run_id", "");
    kept.release = record.value("release", "");
    kept.started = time_of(record, "started");
    kept.finished = time_of(record, "finished");
    kept.duration = base::Duration(record.value("duration", std::int64_t{0}));
    kept.as_a_whole = streak_of(record, "as_a_whole");
    kept.unexplained = streak_of(record, "unexplained");
    kept.runs = record.value("runs", std::uint64_t{0});
    kept.failures = record.value("failures", std::uint64_t{0});
    kept.missed = record.value("missed", std::uint64_t{0});
    kept.confidence = record.value("confidence", 0.0);
    kept.checks.clear();
    for (const auto& one : record.at("checks")) kept.checks.push_back(check_from(one));
    kept.ended_at = steady - std::max(now - kept.finished, base::Duration{0});
    state = std::move(kept);
  } catch (const json::exception&) {
    // Written by another version, or damaged: the suite counts as not run yet.
  }
}

}  // namespace staithe::watch
