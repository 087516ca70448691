#include "wording.hpp"

#include "staithe/base/utc.hpp"
#include "staithe/watch/views.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::watch {
namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --warn: #9a6700; --bad: #cf222e; --dim: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --warn: #d29922; --bad: #f85149; --dim: #8b949e; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem } h2 { font-size: 1.05rem; margin: 0 }
.banner { border: 1px solid var(--line); border-left: .5rem solid; padding: .7rem 1rem; margin: 1rem 0; border-radius: .3rem }
.good { border-left-color: var(--good) } .bad { border-left-color: var(--bad) } .warn { border-left-color: var(--warn) }
.pass, .tgood { color: var(--good) } .fail, .error, .aborted, .tbad { color: var(--bad) }
.degraded, .tolerated, .stale { color: var(--warn) } .skipped, .dim { color: var(--dim) }
.verdict { font-weight: 600 }
details { border: 1px solid var(--line); border-radius: .3rem; margin: .6rem 0; padding: .5rem .8rem }
summary { cursor: pointer; display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: baseline }
summary h2 { flex: 1 }
table { border-collapse: collapse; width: 100%; margin-top: .5rem }
td, th { text-align: left; padding: .25rem .6rem .25rem 0; vertical-align: top; border-top: 1px solid var(--line) }
td.n { text-align: right; white-space: nowrap } pre { white-space: pre-wrap; margin: .3rem 0 }
)";

std::string ago(base::Duration age) {
  return base::elapsed_text(age) + " ago";
}

std::string since_text(Time since, Time now) {
  return base::elapsed_text(
      std::max(std::chrono::duration_cast<base::Duration>(now - since), base::Duration{0}));
}

void check_rows(const SuiteState& suite, Time now, std::string& out) {
  auto checks = suite.checks;
  std::stable_sort(checks.begin(), checks.end(),
                   [](const auto& a, const auto& b) { return a.verdict > b.verdict; });
  out += "<table><thead><tr><th>verdict<th>check<th>what is known<th>for<th>took</tr></thead><tbody>\n";
  for (const auto& one : checks) {
    const auto word = name_of(one.verdict);
    out +=
        fmt::format("<tr><td class=\"verdict {}\">{}{}{}<td>{}<td>{}<td>{}<td class=n>{}</tr>\n", word, word,
                    one.flaky ? " (flaky)" : "", one.quarantined ? " (quarantined)" : "", for_html(one.name),
                    one.reason.empty()
                        ? fmt::format("<span class=dim>{}</span>", for_html(one.request))
                        : for_html(one.reason) + fmt::format("<br><span class=dim>{}, {}</span>",
                                                             for_html(one.request), for_html(one.position)),
                    since_text(one.since, now), base::elapsed_text(one.duration));
  }
  out += "</tbody></table>\n";
}

void suite_part(const SuiteState& suite, const Overview& overview, std::string& out) {
  const auto fresh = freshness(suite, overview.steady);
  const bool open = fresh.stale || (suite.ever_ran() && suite.verdict != Verdict::pass);
  const auto verdict = suite.ever_ran() ? name_of(suite.verdict) : std::string_view("unknown");
  out += fmt::format("<details id=\"suite-{}\"{}><summary><h2>{}</h2><span class=\"verdict {}\">{}</span>",
                     for_html(suite.name), open ? " open" : "", for_html(suite.name), verdict, verdict);
  if (suite.ever_ran()) out += fmt::format("<span class=dim>{}</span>", ago(fresh.age));
  out += fmt::format("<span class=dim>every {}</span><span class=dim>{}</span></summary>\n",
                     base::to_text(suite.every), name_of(suite.severity));
  if (fresh.stale) out += fmt::format("<p class=\"verdict stale\">Stale: {}</p>\n", for_html(fresh.why));
  if (suite.running_since)
    out += fmt::format("<p class=dim>Running for {}.</p>\n",
                       base::elapsed_text(std::chrono::duration_cast<base::Duration>(overview.steady -
                                                                                     *suite.running_since)));
  if (!suite.about.empty()) out += fmt::format("<p>{}</p>\n", for_html(suite.about));
  if (!suite.reason.empty()) out += fmt::format("<p class=verdict>{}</p>\n", for_html(suite.reason));
  std::string facts = for_html(suite.file);
  if (!suite.release.empty()) facts += ", release " + for_html(suite.release.substr(0, 12));
  if (!suite.run_id.empty()) facts += ", run " + for_html(suite.run_id);
  if (!suite.owner.empty()) facts += ", owner " + for_html(suite.owner);
  if (suite.ever_ran() && suite.verdict != Verdict::fail)
    facts += fmt::format(", confidence {:.1f}", suite.confidence);
  // Only what a browser opens as a page: a file may say anything.
  if (suite.runbook.starts_with("https://") || suite.runbook.starts_with("http://"))
    facts += fmt::format(", <a href=\"{}\" rel=noreferrer>runbook</a>", for_html(suite.runbook));
  out += "<p class=dim>" + facts + "</p>\n";
  if (!suite.checks.empty()) check_rows(suite, overview.now, out);
  out += "</details>\n";
}

void trouble(std::string_view title, const std::string& text, std::string& out) {
  if (!text.empty())
    out += fmt::format("<div class=\"banner warn\"><b>{}</b><pre>{}</pre></div>\n", title, for_html(text));
}

}  // namespace

std::string page_html(const Overview& overview) {
  const auto health = health_of(overview);
  const auto place = overview.project + (overview.environment.empty() ? "" : " " + overview.environment);
  const auto state = health.good ? (health.verdict == Verdict::pass ? "good" : "warn") : "bad";
  const auto word =
      health.good ? (health.verdict == Verdict::pass ? "All is well" : "Well, with remarks") : "Not well";
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width\"><meta http-equiv=refresh content=15><link rel=icon "
      "href=\"data:,\"><title>{}: "
      "{}</title><style>{}</style></head>\n<body><h1>{}</h1><p class=dim>{} UTC, staithe {}. This page "
      "reloads every 15 seconds; <a href=/verify>/verify</a> and <a href=/metrics>/metrics</a> are "
      "for "
      "machines.</p>\n",
      word, for_html(place), style, for_html(place.empty() ? "Checks" : place),
      base::utc_text_ms(overview.now).substr(0, 19), for_html(overview.version));
  out += fmt::format("<div class=\"banner {}\" id=health><b>{}</b>", state, word);
  if (!health.reasons.empty()) {
    out += "<ul>";
    for (const auto& reason : health.reasons) out += "<li>" + for_html(reason);
    out += "</ul>";
  }
  out += "</div>\n";
  trouble("The files on the disk cannot be used; those read before stay in use", overview.files_trouble, out);
  trouble("Results are not kept", overview.history_trouble, out);
  trouble(overview.alerts_held ? "Alerts are held back" : "Alerts may come twice", overview.lock_trouble,
          out);
  trouble("Alerts cannot be delivered", overview.alerts_trouble, out);
  auto suites = overview.suites;
  std::stable_sort(suites.begin(), suites.end(), [&](const auto& a, const auto& b) {
    const auto rank = [&](const SuiteState& one) {
      return (is_well(one.verdict) && one.ever_ran() ? 0 : 2) +
             (freshness(one, overview.steady).stale ? 1 : 0);
    };
    return rank(a) > rank(b);
  });
  for (const auto& suite : suites) suite_part(suite, overview, out);
  return out + "</body></html>\n";
}

}  // namespace staithe::watch
