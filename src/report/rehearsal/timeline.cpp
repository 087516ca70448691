#include "timeline.hpp"

#include "xml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace staithe::report {
namespace {

using stage::Blocks;
using stage::LockSpan;
using stage::Micros;
using stage::StatementReport;

constexpr double label_width = 330, chart_width = 850, row_height = 18, gap = 4;
constexpr std::size_t rows_drawn = 120, label_length = 46;
constexpr double most_ticks = 9;

const char* class_of(Blocks blocks) {
  switch (blocks) {
    case Blocks::everybody:
      return "everybody";
    case Blocks::writers:
      return "writers";
    case Blocks::ddl:
      return "ddl";
    case Blocks::nobody:
      break;
  }
  return "nobody";
}

/// Between two ticks, in microseconds: 1, 2 or 5 of some power of ten; of minutes where it is long.
double step_of(double span) {
  constexpr double minute = 60e6, is_long = 10e6;
  const double least = span / most_ticks;
  const double unit = least > is_long ? minute : 1;
  const double power = unit * std::pow(10, std::floor(std::log10(least / unit)));
  for (const double times : {1.0, 2.0, 5.0})
    if (times * power >= least) return std::max(1.0, times * power);
  return std::max(1.0, 10 * power);
}

/// A chart that grows downwards.
class Chart {
 public:
  explicit Chart(Micros span) : span_(std::max<double>(1, static_cast<double>(span.count()))) {}

  void row(const std::string& label, const std::string& css) {
    y_ += row_height + gap;
    body_ += fmt::format("<text class='label {}' x='{}' y='{:.0f}'>{}</text>\n", css, label_width - 8,
                         y_ + row_height * 0.72, html_text(stage::short_sql(label, label_length)));
  }

  void bar(Micros from, Micros lasted, const std::string& css, const std::string& tip) {
    const double begin = x(from);
    const double width = std::max(2.0, x(from + lasted) - begin);
    body_ += fmt::format(
        "<rect class='{}' x='{:.1f}' y='{:.0f}' width='{:.1f}' height='{:.0f}' "
        "rx='2'><title>{}</title></rect>\n",
        css, begin, y_, std::min(width, label_width + chart_width - begin), row_height, html_text(tip));
  }

  std::string finish() const {
    const double height = y_ + row_height + 30;
    std::string out =
        fmt::format("<svg viewBox='0 0 {:.0f} {:.0f}' role='img' xmlns='http://www.w3.org/2000/svg'>\n",
                    label_width + chart_width + 20, height);
    const double step = step_of(span_);
    for (double passed = 0; passed <= span_; passed += step) {
      const Micros at{static_cast<Micros::rep>(passed)};
      out += fmt::format(
          "<line class='tick' x1='{0:.1f}' x2='{0:.1f}' y1='16' y2='{1:.0f}'/><text class='time' x='{0:.1f}' "
          "y='12'>{2}</text>\n",
          x(at), height - 20, passed <= 0 ? std::string("0") : stage::micros_text(at));
    }
    return out + body_ + "</svg>\n";
  }

 private:
  double x(Micros at) const {
    return label_width + chart_width * std::min(1.0, static_cast<double>(at.count()) / span_);
  }

  double span_;
  double y_ = 4;
  std::string body_;
};

/// Locks that somebody could wait for, the strongest of each object.
std::vector<const LockSpan*> locks_drawn(const StatementReport& statement) {
  std::map<std::string, const LockSpan*> strongest;
  for (const auto& lock : statement.locks) {
    if (lock.is_new || lock.blocks == Blocks::nobody) continue;
    auto& one = strongest[lock.object];
    if (one == nullptr || static_cast<int>(one->blocks) < static_cast<int>(lock.blocks)) one = &lock;
  }
  std::vector<const LockSpan*> out;
  for (const auto& [object, lock] : strongest) out.push_back(lock);
  return out;
}

std::string measured(const stage::RehearsalReport& report) {
  Micros span{1};
  for (const auto& one : report.statements) {
    span = std::max(span, one.began + one.took);
    for (const auto* lock : locks_drawn(one)) span = std::max(span, lock->from + lock->held);
  }
  Chart chart(span);
  std::size_t rows = 0;
  for (const auto& one : report.statements) {
    if (rows++ > rows_drawn) break;
    chart.row(fmt::format("{}:{} {}", one.file.substr(one.file.rfind('/') + 1), one.line, one.text),
              "statement");
    chart.bar(one.began, one.took, one.failure ? "failed" : "statement",
              fmt::format("{}\n{}", one.text, stage::micros_text(one.took)));
    for (const auto* lock : locks_drawn(one)) {
      ++rows;
      chart.row(fmt::format("{} {}", lock->object, lock->mode), "lock");
      if (lock->waited.count() > 0)
        chart.bar(lock->from - lock->waited, lock->waited, "waiting", "waited in the queue");
      chart.bar(lock->from, lock->held, class_of(lock->blocks),
                fmt::format("{} on {}\nheld {}, keeps out {}", lock->mode, lock->object,
                            stage::micros_text(lock->held), stage::name_of(lock->blocks)));
    }
  }
  return chart.finish();
}

std::string loaded(const stage::PassReport& pass) {
  Micros span{1};
  std::map<std::string, std::vector<const stage::Stall*>> by_load;
  for (const auto& stall : pass.stalls) {
    by_load[stall.load].push_back(&stall);
    span = std::max(span, stall.at + stall.lasted);
  }
  if (by_load.empty()) return "<p>No statement of the workload took longer than 10 ms.</p>\n";
  Chart chart(std::max(span, pass.took));
  for (const auto& [load, stalls] : by_load) {
    chart.row(load, "statement");
    for (const auto* stall : stalls)
      chart.bar(stall->at, stall->lasted,
                stall->error.empty() ? (stall->writes ? "writers" : "everybody") : "failed",
                fmt::format("{} {}{}", load, stage::micros_text(stall->lasted),
                            stall->error.empty() ? "" : "\n" + stall->error));
  }
  return chart.finish();
}

}  // namespace

std::string html_text(const std::string& text) {
  return xml_text(text);
}

std::string stall_text(stage::Micros stall) {
  return stall.count() == 0 ? "no stall over 10 ms under load"
                            : "worst stall under load " + stage::micros_text(stall);
}

std::string timeline_svg(const stage::RehearsalReport& report) {
  std::string out = "<h3>Statements and their locks</h3>\n" + measured(report);
  for (const auto& pass : report.passes) {
    if (pass.name == "measure" || pass.name == "open transaction") continue;
    out +=
        fmt::format("<h3>Stalls of the workload: {}</h3>\n<p class='small'>{} statements, {} failed</p>\n{}",
                    html_text(pass.name == "advice" ? "with what is advised" : pass.name), pass.load_runs,
                    pass.load_errors, loaded(pass));
  }
  return out;
}

}  // namespace staithe::report
