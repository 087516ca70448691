#include "staithe/stage/rehearsal_report.hpp"

#include <nlohmann/json.hpp>

namespace staithe::stage {
namespace {

using nlohmann::json;

json lock_json(const LockSpan& lock) {
  return {{"object", lock.object},
          {"mode", lock.mode},
          {"blocks", name_of(lock.blocks)},
          {"new", lock.is_new},
          {"seen", !lock.not_seen},
          {"waited_us", lock.waited.count()},
          {"from_us", lock.from.count()},
          {"held_us", lock.held.count()},
          {"held_in_production_us", lock.in_production.count()}};
}

json deed_json(const Deed& deed) {
  return {
      {"what", name_of(deed.kind)}, {"object", deed.object}, {"detail", deed.detail}, {"rows", deed.rows}};
}

json touched_json(const Touched& touched) {
  return {{"table", touched.table},     {"read", touched.read},       {"inserted", touched.inserted},
          {"updated", touched.updated}, {"deleted", touched.deleted}, {"hot", touched.hot}};
}

json violation_json(const Violation& violation) {
  return {{"kind", violation.kind},
          {"table", violation.table},
          {"column", violation.column},
          {"constraint", violation.constraint},
          {"expression", violation.expression},
          {"violating", violation.violating},
          {"total", violation.total},
          {"key_columns", violation.key_columns},
          {"sample_keys", violation.sample_keys},
          {"first_key", violation.first_key},
          {"last_key", violation.last_key},
          {"time_column", violation.time_column},
          {"newest_violating", violation.newest_violating},
          {"newest_row", violation.newest_row},
          {"histogram", violation.histogram},
          {"backfill",
           {{"set", violation.backfill_set},
            {"where", violation.backfill_where},
            {"why", violation.backfill_why}}},
          {"side_effects", violation.side_effects}};
}

json failure_json(const Failure& failure) {
  return {{"sqlstate", failure.sqlstate},
          {"message", failure.message},
          {"detail", failure.detail},
          {"hint", failure.hint},
          {"violation", failure.violation ? violation_json(*failure.violation) : json()}};
}

template <class Items, class Make>
json list(const Items& items, Make make) {
  json out = json::array();
  for (const auto& item : items) out.push_back(make(item));
  return out;
}

json statement_json(const StatementReport& one) {
  json out{{"file", one.file},
           {"line", one.line},
           {"sql", one.text},
           {"began_us", one.began.count()},
           {"took_us", one.took.count()},
           {"rows", one.rows},
           {"wal_bytes", one.wal_bytes},
           {"temp_bytes", one.temp_bytes},
           {"size_change_bytes", one.size_change_bytes},
           {"peak_bytes", one.peak_bytes},
           {"locks", list(one.locks, lock_json)},
           {"deeds", list(one.deeds, deed_json)},
           {"touched", list(one.touched, touched_json)},
           {"side_effects", one.side_effects},
           {"failure", one.failure ? failure_json(*one.failure) : json()},
           {"worst_read_stall_us", one.worst_read_stall.count()},
           {"worst_write_stall_us", one.worst_write_stall.count()},
           {"times_rows", one.times_rows},
           {"production", one.estimate}};
  out["open_transaction"] =
      one.open_measured ? json{{"waited_us", one.open_wait.count()}, {"stall_us", one.open_stall.count()}}
                        : json();
  return out;
}

json stall_json(const Stall& stall) {
  return {{"load", stall.load},
          {"writes", stall.writes},
          {"at_us", stall.at.count()},
          {"lasted_us", stall.lasted.count()},
          {"error", stall.error}};
}

json pass_json(const PassReport& pass) {
  return {{"name", pass.name},
          {"took_us", pass.took.count()},
          {"passed", pass.passed},
          {"error", pass.error},
          {"load_runs", pass.load_runs},
          {"load_errors", pass.load_errors},
          {"stalls", list(pass.stalls, stall_json)}};
}

const char* verdict_name(Advice::Verdict verdict) {
  switch (verdict) {
    case Advice::Verdict::passed:
      return "passed";
    case Advice::Verdict::failed:
      return "failed";
    case Advice::Verdict::untested:
      break;
  }
  return "untested";
}

json finding_json(const Finding& finding) {
  json out{{"severity", name_of(finding.severity)},
           {"code", finding.code},
           {"file", finding.file},
           {"line", finding.line},
           {"object", finding.object},
           {"text", finding.text},
           {"advice", finding.advice},
           {"gate", finding.gate},
           {"instead", nullptr}};
  if (finding.instead)
    out["instead"] = {{"code", finding.instead->code},
                      {"sql", finding.instead->sql},
                      {"verdict", verdict_name(finding.instead->verdict)},
                      {"detail", finding.instead->detail},
                      {"took_us", finding.instead->took.count()},
                      {"worst_stall_us", finding.instead->worst_stall.count()}};
  return out;
}

json plan_json(const PlanChange& change) {
  static constexpr const char* kinds[] = {"broken", "worse", "better", "changed"};
  return {{"query", change.query},
          {"calls", change.calls},
          {"kind", kinds[static_cast<int>(change.kind)]},
          {"cost_before", change.cost_before},
          {"cost_after", change.cost_after},
          {"shape_before", change.shape_before},
          {"shape_after", change.shape_after},
          {"error", change.error}};
}

json check_json(const CheckReport& check) {
  return {{"name", check.name}, {"passed", check.passed}, {"detail", check.detail}};
}

json down_json(const DownReport& down) {
  return {{"passed", down.passed},
          {"error", down.error},
          {"took_us", down.took.count()},
          {"schema_difference", down.schema_difference},
          {"data_difference", down.data_difference}};
}

}  // namespace

std::string to_json(const RehearsalReport& report) {
  const json document{
      {"type", "rehearsal"},
      {"plan_id", report.plan_id},
      {"run_id", report.run_id},
      {"migration", report.migration_hash},
      {"revision", report.revision.empty() ? json() : json(report.revision)},
      {"altered", report.is_altered},
      {"unknown_files", report.has_unknown},
      {"snapshot",
       {{"database", report.snapshot},
        {"taken_at", report.snapshot_taken_at},
        {"origin", report.snapshot_origin},
        {"lsn", report.snapshot_lsn},
        {"masked", report.masked},
        {"partial", report.partial}}},
      {"server_version", report.server_version},
      {"production_version", report.production_version},
      {"started", report.started},
      {"took_ms", report.took.count()},
      {"clone",
       {{"took_us", report.clone_took.count()},
        {"bytes", report.clone_bytes},
        {"bytes_after", bytes_afterwards(report)}}},
      {"verdict", report.verdict},
      {"passed", report.passed},
      {"statements", list(report.statements, statement_json)},
      {"passes", list(report.passes, pass_json)},
      {"findings", list(report.findings, finding_json)},
      {"plans",
       {{"compared", report.plans_compared},
        {"skipped", report.plans_skipped},
        {"changes", list(report.plans, plan_json)}}},
      {"accepted", {{"partial", report.accepted.partial}, {"masked", report.accepted.masked}}},
      {"production_asked", report.asked},
      {"checks", list(report.checks, check_json)},
      {"down", report.down ? down_json(*report.down) : json()},
      {"disagreements", report.disagreements},
      {"differences", report.differences},
      {"remarks", report.remarks},
      {"left_invalid", report.left_invalid},
      {"total_us", report.total.count()},
      {"wal_bytes", report.wal_bytes},
      {"temp_bytes", report.temp_bytes}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace staithe::stage
