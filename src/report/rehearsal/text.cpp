#include "staithe/base/text.hpp"

#include "side_file.hpp"
#include "timeline.hpp"

#include "staithe/report/rehearsal.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::report {
namespace {

using stage::Advice;
using stage::Finding;
using stage::Severity;
using stage::StatementReport;

constexpr std::size_t shown_locks = 4;
constexpr std::size_t shown_sql = 90;

struct Colours {
  const char *red = "", *yellow = "", *green = "", *bold = "", *dim = "", *end = "";
};
Colours paint_of(Color color) {
  if (color == Color::off) return {};
  return {"\033[31m", "\033[33m", "\033[32m", "\033[1m", "\033[2m", "\033[0m"};
}

std::string severity_text(Severity severity, const Colours& paint) {
  const char* colour = severity == Severity::error     ? paint.red
                       : severity == Severity::warning ? paint.yellow
                                                       : paint.dim;
  return fmt::format("{}{}{}", colour, stage::name_of(severity), paint.end);
}

std::string trial_text(const Advice& advice) {
  if (advice.verdict == Advice::Verdict::untested) return {};
  std::string out = advice.verdict == Advice::Verdict::passed
                        ? "tried on another clone: works, " + stage::micros_text(advice.took) + ", " +
                              stall_text(advice.worst_stall)
                        : "tried on another clone: FAILS";
  if (!advice.detail.empty()) out += "; " + advice.detail;
  return out;
}

std::string finding_text(const Finding& finding, const Colours& paint) {
  std::string place = finding.file;
  if (finding.line > 0) place += fmt::format(":{}", finding.line);
  std::string out = fmt::format("{}{}{}: {} [{}]\n", place, place.empty() ? "" : ": ",
                                severity_text(finding.severity, paint), finding.text, finding.code);
  if (!finding.advice.empty()) out += "    " + finding.advice + "\n";
  if (!finding.instead) return out;
  for (const auto& line : finding.instead->sql) out += "      " + line + "\n";
  if (const auto trial = trial_text(*finding.instead); !trial.empty()) out += "    " + trial + "\n";
  return out;
}

std::string violation_text(const stage::Violation& violation) {
  std::string out;
  if (!violation.sample_keys.empty())
    out += fmt::format("      {} of some of them: {}\n", violation.key_columns,
                       base::join(violation.sample_keys, ", "));
  if (!violation.histogram.empty()) {
    out += "      where they are, in ten parts of the key range:";
    for (const auto part : violation.histogram) out += fmt::format(" {}", part);
    out += "\n";
  }
  for (const auto& effect : violation.side_effects) out += "      filling them: " + effect + "\n";
  return out;
}

std::string statement_text(const StatementReport& one, const Colours& paint) {
  std::string out = fmt::format("  {:>8}  {}:{}  {}\n", stage::micros_text(one.took), one.file, one.line,
                                stage::short_sql(one.text, shown_sql));
  std::size_t locks = 0;
  for (const auto& lock : one.locks) {
    if (lock.is_new || lock.blocks == stage::Blocks::nobody || ++locks > shown_locks) continue;
    out += fmt::format(
        "            {} on {} held {}{}{}, blocks {}\n", lock.mode, lock.object,
        stage::micros_text(lock.held), lock.not_seen ? " (by the manual: too short to be seen)" : "",
        lock.waited.count() > 1000 ? ", after " + stage::micros_text(lock.waited) + " in the queue" : "",
        stage::name_of(lock.blocks));
  }
  for (const auto& deed : one.deeds)
    out += fmt::format("            {} {}{}\n", stage::name_of(deed.kind), deed.object,
                       deed.detail.empty() ? "" : " (" + deed.detail + ")");
  for (const auto& touched : one.touched)
    if (touched.inserted + touched.updated + touched.deleted > 0)
      out += fmt::format("            {}: {} inserted, {} updated ({} HOT), {} deleted\n", touched.table,
                         touched.inserted, touched.updated, touched.hot, touched.deleted);
  std::vector<std::string> costs;
  if (one.wal_bytes > 65536) costs.push_back("WAL " + base::bytes_text(one.wal_bytes));
  if (one.temp_bytes > 0) costs.push_back("temporary files " + base::bytes_text(one.temp_bytes));
  if (one.peak_bytes > 65536)
    costs.push_back("disk " + base::bytes_text(one.peak_bytes) + " more at its peak");
  if (one.worst_read_stall.count() > 0)
    costs.push_back("worst read under load " + stage::micros_text(one.worst_read_stall));
  if (one.worst_write_stall.count() > 0)
    costs.push_back("worst write under load " + stage::micros_text(one.worst_write_stall));
  if (one.open_measured)
    costs.push_back("behind an open transaction: waited " + stage::micros_text(one.open_wait) + ", others " +
                    stage::micros_text(one.open_stall));
  if (!costs.empty()) out += "            " + base::join(costs, "; ") + "\n";
  if (!one.estimate.empty()) out += "            " + one.estimate + "\n";
  for (const auto& effect : one.side_effects) out += "            " + effect + "\n";
  if (one.failure) {
    out += fmt::format("            {}FAILS{} {} {}\n", paint.red, paint.end, one.failure->sqlstate,
                       one.failure->message);
    if (!one.failure->detail.empty()) out += "            " + one.failure->detail + "\n";
    if (one.failure->violation) out += violation_text(*one.failure->violation);
  }
  return out;
}

std::string lines(const std::string& title, const std::vector<std::string>& items) {
  if (items.empty()) return {};
  std::string out = "\n" + title + "\n";
  for (const auto& item : items) out += "  " + item + "\n";
  return out;
}

std::string rest(const stage::RehearsalReport& report) {
  std::string out;
  if (report.plans_compared + report.plans_skipped > 0)
    out +=
        fmt::format("\n{} statements planned before and after, {} changed; {} could not be planned before\n",
                    report.plans_compared, report.plans.size(), report.plans_skipped);
  for (const auto& check : report.checks)
    out += fmt::format("\n{} {}{}", check.passed ? "holds " : "FAILS ", check.name,
                       check.passed ? "" : ": " + check.detail);
  if (!report.checks.empty()) out += "\n";
  if (report.down && report.down->passed)
    out += "\nThe down scripts bring back the schema and the rows as they were, in " +
           stage::micros_text(report.down->took) + "\n";
  out += lines("Words and facts disagree:", report.disagreements);
  out += lines("Here is not production:", report.differences);
  out += lines("Remarks:", report.remarks);
  return out;
}

}  // namespace

std::string rehearsal_text(const stage::RehearsalReport& report, Color color) {
  const Colours paint = paint_of(color);
  std::string out = fmt::format("{}{}{}{}\n", paint.bold, report.passed ? paint.green : paint.red,
                                report.verdict, paint.end);
  out += fmt::format("  snapshot {}{}{}, cloned in {} ({}); PostgreSQL {}\n", report.snapshot,
                     report.snapshot_taken_at.empty() ? "" : ", taken " + report.snapshot_taken_at,
                     report.masked.empty() ? ""
                                           : fmt::format(", {} column{} masked", report.masked.size(),
                                                         report.masked.size() == 1 ? "" : "s"),
                     stage::micros_text(report.clone_took), base::bytes_text(report.clone_bytes),
                     stage::versions_text(report));
  out += fmt::format("  statements {}, WAL {}; {} before, {} afterwards; the rehearsal took {}\n",
                     stage::micros_text(report.total), base::bytes_text(report.wal_bytes),
                     base::bytes_text(report.clone_bytes), base::bytes_text(stage::bytes_afterwards(report)),
                     base::elapsed_text(report.took));
  if (!report.revision.empty()) out += "  " + stage::revision_text(report) + "\n";
  if (!report.findings.empty()) out += "\n";
  for (const auto& finding : report.findings) out += finding_text(finding, paint);
  out += "\nStatements:\n";
  for (const auto& one : report.statements) out += statement_text(one, paint);
  out += rest(report);
  return out;
}

void write_rehearsal(const std::string& path, const std::string& text) {
  replace_file(path, text, Sync::no);
}

}  // namespace staithe::report
