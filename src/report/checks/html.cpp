#include "xml.hpp"

#include "staithe/base/text.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>

#include <algorithm>

/// One page that needs nothing but itself: no script, no font, no picture from elsewhere.
namespace staithe::report {
namespace {

using verify::CheckResult;
using verify::Verdict;

constexpr const char* style = R"(<style>
:root{color-scheme:light dark;font:15px/1.45 system-ui,sans-serif}
body{max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.v{font-weight:600;white-space:nowrap;padding:.05rem .45rem;border-radius:.3rem;color:#fff}
.pass{background:#1a7f37}.degraded,.tolerated{background:#9a6700}.fail{background:#cf222e}.error,.aborted{background:#8250df}.skipped{background:#6e7781}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#8881;padding:.6rem;margin:.3rem 0}
svg rect.pass{fill:#1a7f37}svg rect.degraded,svg rect.tolerated{fill:#bf8700}svg rect.fail{fill:#cf222e}svg rect.error,svg rect.aborted{fill:#8250df}svg rect.skipped{fill:#8c959f}
svg{vertical-align:middle}summary{cursor:pointer}
</style>)";

std::string badge(Verdict verdict) {
  return fmt::format("<span class=\"v {0}\">{0}</span>", name_of(verdict));
}

/// Latency as height, verdict as colour, oldest on the left; the last bar is this run.
std::string picture(const CheckResult& one) {
  constexpr double width = 4, gap = 1, height = 24;
  auto points = one.recent;
  std::reverse(points.begin(), points.end());
  points.push_back({one.verdict, static_cast<double>(one.duration.count())});
  double most = 1;
  for (const auto& point : points) most = std::max(most, point.milliseconds);
  std::string bars;
  double x = 0;
  for (const auto& point : points) {
    const double tall = std::max(2.0, height * point.milliseconds / most);
    bars += fmt::format(
        "<rect class=\"{}\" x=\"{:.0f}\" y=\"{:.1f}\" width=\"{:.0f}\" height=\"{:.1f}\"><title>{} {:.0f} "
        "ms</title></rect>",
        name_of(point.verdict), x, height - tall, width, tall, name_of(point.verdict), point.milliseconds);
    x += width + gap;
  }
  return fmt::format(
      "<svg role=\"img\" aria-label=\"the last {} runs\" width=\"{:.0f}\" height=\"{:.0f}\">{}</svg>",
      points.size(), x, height, bars);
}

std::string row(const verify::SuiteResult& suite, const CheckResult& one) {
  std::string name = xml_text(one.check->name);
  if (one.flaky) name += " <small>(flaky)</small>";
  if (one.quarantined) name += " <small>(in quarantine)</small>";
  const bool well = one.verdict == Verdict::pass && !one.flaky;
  if (!well) {
    const auto details = base::join(check_details(check_record(suite, one)), "\n");
    name = fmt::format("<details{}><summary>{}</summary><pre>{}</pre></details>",
                       one.verdict == Verdict::fail || one.verdict == Verdict::error ? " open" : "", name,
                       xml_text(details));
  }
  return fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{} ms</td><td>{}</td></tr>\n",
                     badge(one.verdict), name, name_of(one.check->severity), one.duration.count(),
                     picture(one));
}

}  // namespace

std::string check_html(const verify::RunResult& run) {
  std::string text =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">";
  text += fmt::format("<title>Checks: {}</title>{}</head><body>\n", name_of(run.verdict), style);
  text += fmt::format("<h1>Checks {}</h1>\n<p>{}", badge(run.verdict), xml_text(counts_text(run)));
  if (!run.release.empty()) text += ", release <code>" + xml_text(run.release) + "</code>";
  if (!run.environment.empty()) text += ", " + xml_text(run.environment);
  text += fmt::format(", run <code>{}</code></p>\n", xml_text(run.run_id));
  if (run.suites.empty())
    return text + "<p>The run did not end: it was killed, or it goes on.</p>\n</body></html>\n";
  if (run.interrupted) text += "<p>The run was stopped.</p>\n";
  if (!run.inconclusive.empty()) text += "<p>Inconclusive: " + xml_text(run.inconclusive) + "</p>\n";
  const bool ended =
      std::all_of(run.suites.begin(), run.suites.end(), [](const auto& one) { return one.finished; });
  if (ended) text += "<pre>" + xml_text(base::join(check_worth(run, Itemised::all), "\n")) + "</pre>\n";
  for (const auto& suite : run.suites) {
    text += fmt::format("<h2>{} {}</h2>\n", xml_text(suite.suite->name), badge(suite.verdict));
    if (!suite.suite->about.empty()) text += "<p>" + xml_text(suite.suite->about) + "</p>\n";
    if (!suite.reason.empty()) text += "<p>" + xml_text(suite.reason) + "</p>\n";
    text += "<table><tr><th>verdict</th><th>check</th><th>severity</th><th>time</th><th>history</th></tr>\n";
    for (const auto& one : suite.checks) text += row(suite, one);
    text += "</table>\n";
  }
  return text + "</body></html>\n";
}

}  // namespace staithe::report
