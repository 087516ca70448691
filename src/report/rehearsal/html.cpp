#include "timeline.hpp"

#include "staithe/base/text.hpp"
#include "staithe/report/rehearsal.hpp"

#include <fmt/format.h>

namespace staithe::report {
namespace {

using stage::Advice;
using stage::Finding;
using stage::StatementReport;

constexpr const char* style = R"css(
:root{color-scheme:light dark;--line:#d0d7de;--back:#fff;--text:#1f2328;--dim:#59636e;--panel:#f6f8fa;--red:#cf222e;--orange:#bc4c00;--green:#1a7f37;--blue:#0969da}
@media(prefers-color-scheme:dark){:root{--line:#3d444d;--back:#0d1117;--text:#f0f6fc;--dim:#9198a1;--panel:#151b23;--red:#f85149;--orange:#db6d28;--green:#3fb950;--blue:#4493f8}}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;padding:1.5rem;max-width:78rem;background:var(--back);color:var(--text)}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}h3{font-size:1rem;margin:1rem 0 .3rem}
.good{color:var(--green)}.bad{color:var(--red)}.small{color:var(--dim);font-size:.85rem}
.finding{border:1px solid var(--line);border-left:5px solid var(--dim);border-radius:6px;padding:.6rem .9rem;margin:.6rem 0;background:var(--panel)}
.finding.error{border-left-color:var(--red)}.finding.warning{border-left-color:var(--orange)}
pre{background:var(--back);border:1px solid var(--line);border-radius:6px;padding:.6rem;overflow-x:auto;margin:.4rem 0;font-size:.85rem}
table{border-collapse:collapse;width:100%;font-size:.87rem}td,th{border:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top}th{background:var(--panel)}td.number{text-align:right;white-space:nowrap}
svg{width:100%;height:auto;background:var(--panel);border:1px solid var(--line);border-radius:6px}
svg text{font:11px system-ui,sans-serif;fill:var(--text)}svg .label{text-anchor:end}svg .label.lock{fill:var(--dim)}svg .time{text-anchor:middle;fill:var(--dim)}svg .tick{stroke:var(--line)}
rect.statement{fill:var(--blue)}rect.failed{fill:var(--red)}rect.everybody{fill:var(--red)}rect.writers{fill:var(--orange)}rect.ddl{fill:#8c959f}rect.nobody{fill:#afb8c1}rect.waiting{fill:none;stroke:var(--orange);stroke-dasharray:3 2}
.key span{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin:0 .3rem 0 1rem;vertical-align:-1px}
)css";

std::string paragraph(const std::string& css, const std::string& text) {
  return text.empty() ? std::string() : fmt::format("<p class='{}'>{}</p>\n", css, html_text(text));
}

std::string trial(const Advice& advice) {
  if (advice.verdict == Advice::Verdict::untested) return paragraph("small", advice.detail);
  const bool passed = advice.verdict == Advice::Verdict::passed;
  return fmt::format("<p class='{}'>{}{}{}</p>\n", passed ? "good" : "bad",
                     passed ? "Tried on another clone: works, " + stage::micros_text(advice.took) + "; " +
                                  stall_text(advice.worst_stall)
                            : "Tried on another clone: fails",
                     advice.detail.empty() ? "" : "; ", html_text(advice.detail));
}

std::string finding_html(const Finding& finding) {
  std::string place = finding.file;
  if (finding.line > 0) place += fmt::format(":{}", finding.line);
  std::string out =
      fmt::format("<div class='finding {}'><strong>{}</strong> {} <span class='small'>{} {}</span>\n",
                  stage::name_of(finding.severity), stage::name_of(finding.severity), html_text(finding.text),
                  html_text(place), html_text(finding.code));
  out += paragraph("", finding.advice);
  if (finding.instead && !finding.instead->sql.empty())
    out += "<pre>" + html_text(base::join(finding.instead->sql, "\n")) + "</pre>\n" + trial(*finding.instead);
  return out + "</div>\n";
}

std::string deeds(const StatementReport& one) {
  std::vector<std::string> parts;
  for (const auto& deed : one.deeds)
    parts.push_back(fmt::format("{} {}{}", stage::name_of(deed.kind), deed.object,
                                deed.detail.empty() ? "" : " (" + deed.detail + ")"));
  for (const auto& touched : one.touched)
    if (touched.inserted + touched.updated + touched.deleted > 0)
      parts.push_back(fmt::format("{}: {} inserted, {} updated ({} HOT), {} deleted", touched.table,
                                  touched.inserted, touched.updated, touched.hot, touched.deleted));
  for (const auto& effect : one.side_effects) parts.push_back(effect);
  if (one.failure) parts.push_back("FAILS: " + one.failure->message);
  if (!one.estimate.empty()) parts.push_back(one.estimate);
  std::string out;
  for (const auto& part : parts) out += html_text(part) + "<br>";
  return out;
}

std::string longest_lock(const StatementReport& one) {
  for (const auto& lock : one.locks)
    if (!lock.is_new && lock.blocks != stage::Blocks::nobody)
      return fmt::format("{}<br><span class='small'>{}, {}</span>", stage::micros_text(lock.held),
                         html_text(lock.mode), html_text(lock.object));
  return "–";
}

std::string time_cell(stage::Micros time) {
  return time.count() > 0 ? stage::micros_text(time) : "–";
}

std::string statements(const stage::RehearsalReport& report) {
  std::string out =
      "<table><tr><th>Statement</th><th>Took</th><th>Longest lock</th><th>What was "
      "done</th><th>WAL</th><th>Worst "
      "read</th><th>Worst write</th><th>Behind an open transaction</th></tr>\n";
  for (const auto& one : report.statements)
    out += fmt::format(
        "<tr><td>{}<br><span class='small'>{}:{}</span></td><td "
        "class='number'>{}</td><td>{}</td><td>{}</td><td "
        "class='number'>{}</td><td class='number'>{}</td><td class='number'>{}</td><td "
        "class='number'>{}</td></tr>\n",
        html_text(stage::short_sql(one.text, 160)), html_text(one.file), one.line,
        stage::micros_text(one.took), longest_lock(one), deeds(one), base::bytes_text(one.wal_bytes),
        time_cell(one.worst_read_stall), time_cell(one.worst_write_stall), time_cell(one.open_stall));
  return out + "</table>\n";
}

std::string violations(const stage::RehearsalReport& report) {
  std::string out;
  for (const auto& one : report.statements) {
    if (!one.failure || !one.failure->violation) continue;
    const auto& found = *one.failure->violation;
    out += fmt::format("<h2>Rows in the way</h2>\n<p>{} of {} rows of {}; {}: {}</p>\n", found.violating,
                       found.total, html_text(found.table), html_text(found.key_columns),
                       html_text(base::join(found.sample_keys, ", ")));
    for (const auto& effect : found.side_effects) out += paragraph("small", "Filling them: " + effect);
  }
  return out;
}

std::string list(const std::string& title, const std::vector<std::string>& items) {
  if (items.empty()) return {};
  std::string out = "<h2>" + html_text(title) + "</h2>\n<ul>\n";
  for (const auto& item : items) out += "<li>" + html_text(item) + "</li>\n";
  return out + "</ul>\n";
}

std::string plans(const stage::RehearsalReport& report) {
  if (report.plans.empty()) return {};
  static constexpr const char* kinds[] = {"broken", "worse", "better", "changed"};
  std::string out =
      "<h2>Statements planned before and after</h2>\n<table><tr><th></th><th>Statement</th><th>Cost "
      "before</th>"
      "<th>Cost after</th><th>How</th></tr>\n";
  for (const auto& change : report.plans)
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td class='number'>{:.6g}</td><td "
        "class='number'>{:.6g}</td><td>{}</td></tr>\n",
        kinds[static_cast<int>(change.kind)], html_text(stage::short_sql(change.query, 200)),
        change.cost_before, change.cost_after,
        html_text(change.error.empty() ? change.shape_before + " → " + change.shape_after : change.error));
  return out + "</table>\n";
}

std::string head(const std::string& verdict, bool is_good) {
  return "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
         "content='width=device-width,initial-scale=1'><title>Rehearsal: " +
         html_text(verdict) + "</title><style>" + style + "</style></head><body>\n" +
         fmt::format("<h1 class='{}'>{}</h1>\n", is_good ? "good" : "bad", html_text(verdict));
}

}  // namespace

std::string unfinished_rehearsal_html(const std::string& run_id, const std::string& verdict) {
  const auto run = run_id.empty() ? "" : "<p class='small'>Run " + html_text(run_id) + "</p>\n";
  return head(verdict, false) + run + "</body></html>\n";
}

std::string rehearsal_html(const stage::RehearsalReport& report) {
  std::string out = head(report.verdict, report.passed);
  out += fmt::format(
      "<p class='small'>Snapshot {} {}; clone of {} in {}, afterwards {}; PostgreSQL "
      "{}; statements "
      "{}, WAL "
      "{}; run {}, plan {}, migration {}{}</p>\n",
      html_text(report.snapshot), html_text(report.snapshot_taken_at), base::bytes_text(report.clone_bytes),
      stage::micros_text(report.clone_took), base::bytes_text(stage::bytes_afterwards(report)),
      html_text(stage::versions_text(report)), stage::micros_text(report.total),
      base::bytes_text(report.wal_bytes), html_text(report.run_id), report.plan_id,
      report.migration_hash.substr(0, 12),
      report.revision.empty() ? std::string() : ", " + stage::revision_text(report));
  if (!report.findings.empty()) out += "<h2>Findings</h2>\n";
  for (const auto& finding : report.findings) out += finding_html(finding);
  out += violations(report);
  out +=
      "<h2>Timeline</h2>\n<p class='key small'><span style='background:var(--red)'></span>keeps readers and "
      "writers out"
      "<span style='background:var(--orange)'></span>keeps writers out<span "
      "style='background:#8c959f'></span>keeps schema "
      "changes out<span style='background:var(--blue)'></span>a statement</p>\n";
  out += timeline_svg(report) + "<h2>Statements</h2>\n" + statements(report) + plans(report);
  std::vector<std::string> checks;
  for (const auto& check : report.checks)
    checks.push_back((check.passed ? "holds: " : "FAILS: ") + check.name +
                     (check.passed ? "" : ": " + check.detail));
  out += list("Assertions and checks", checks);
  out += list("Words and facts disagree", report.disagreements);
  out += list("Here is not production", report.differences);
  out += list("Remarks", report.remarks);
  return out + "</body></html>\n";
}

}  // namespace staithe::report
