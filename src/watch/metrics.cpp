#include "staithe/base/text.hpp"
#include "staithe/watch/views.hpp"

#include <fmt/format.h>

#include <iterator>
#include <map>

namespace staithe::watch {
namespace {

/// A label's value: backslash, quote and line end are escaped, bytes that are not UTF-8 replaced.
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
std::string label(std::string_view value) {
  std::string escaped;
  for (const char c : base::printable(value)) {
    if (c == '\\')
      escaped += "\\\\";
    else if (c == '"')
      escaped += "\\\"";
    else if (c == '\n')
      escaped += "\\n";
    else
      escaped += c;
  }
  return escaped;
}

double seconds_of(Time time) {
  return static_cast<double>(time.time_since_epoch().count()) / 1000;
}
double seconds_of(base::Duration duration) {
  return static_cast<double>(duration.count()) / 1000;
}

class Writer {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  void sample(std::string_view labels, double value) {
    if (labels.empty())
      fmt::format_to(std::back_inserter(text_), "{} {}\n", name_, value);
    else
      fmt::format_to(std::back_inserter(text_), "{}{{{}}} {}\n", name_, labels, value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string_view name_;
  std::string text_;
};

/// Most checks are of this part: it goes without saying.
constexpr std::string_view usual_part = "steps";

std::string of_suite(const SuiteState& suite) {
  return fmt::format("suite=\"{}\"", label(suite.name));
}
std::string of_check(const SuiteState& suite, const CheckState& check) {
  const auto name = fmt::format("suite=\"{}\",check=\"{}\"", label(suite.name), label(check.name));
  // A step and its setup may have one name: without this they would be one series, which Prometheus refuses.
  return check.part.empty() || check.part == usual_part
             ? name
             : fmt::format("{},part=\"{}\"", name, label(check.part));
}

/// Checks by their labels. Where several have the same, as undos of samples do, the worst: Prometheus refuses
/// a series that is there twice.
std::map<std::string, const CheckState*> checks_of(const Overview& overview) {
  std::map<std::string, const CheckState*> checks;
  for (const auto& suite : overview.suites)
    for (const auto& check : suite.checks) {
      auto& known = checks[of_check(suite, check)];
      if (known == nullptr || known->verdict < check.verdict) known = &check;
    }
  return checks;
}

void check_families(const Overview& overview, Writer& out) {
  const auto each = [checks = checks_of(overview)](auto visit) {
    for (const auto& [labels, check] : checks) visit(labels, *check);
  };
  out.family("verify_check_verdict", "gauge", "1 for the verdict that the check has now.");
  each([&](const auto& labels, const auto& check) {
    out.sample(fmt::format("{},verdict=\"{}\"", labels, name_of(check.verdict)), 1);
  });
  out.family("verify_check_duration_seconds", "gauge", "What the check took in the last run.");
  each([&](const auto& labels, const auto& check) { out.sample(labels, seconds_of(check.duration)); });
  out.family("verify_check_flips_total", "counter",
             "How often it failed and then held on an unchanged release.");
  each([&](const auto& labels, const auto& check) { out.sample(labels, static_cast<double>(check.flips)); });
  out.family("verify_cert_expiry_timestamp_seconds", "gauge",
             "When the certificate of a check of days_left ends, to a day.");
  each([&](const auto& labels, const auto& check) {
    if (check.certificate_end) out.sample(labels, *check.certificate_end);
  });
}

void suite_families(const Overview& overview, Writer& out) {
  const auto each = [&](auto value) {
    for (const auto& suite : overview.suites) value(suite);
  };
  out.family("verify_suite_verdict", "gauge", "1 for the verdict that the suite has now.");
  each([&](const auto& suite) {
    if (suite.ever_ran())
      out.sample(fmt::format("{},verdict=\"{}\"", of_suite(suite), name_of(suite.verdict)), 1);
  });
  out.family("verify_suite_stale", "gauge", "1 when no run has ended for too long, or none ever did.");
  each([&](const auto& suite) {
    out.sample(of_suite(suite), freshness(suite, overview.steady).stale ? 1 : 0);
  });
  out.family("verify_last_run_timestamp_seconds", "gauge", "When the last run of the suite ended.");
  each([&](const auto& suite) {
    if (suite.ever_ran()) out.sample(of_suite(suite), seconds_of(suite.finished));
  });
  out.family("verify_suite_interval_seconds", "gauge", "How often the suite is run.");
  each([&](const auto& suite) { out.sample(of_suite(suite), seconds_of(suite.every)); });
  out.family("verify_suite_duration_seconds", "gauge", "What the last run of the suite took.");
  each([&](const auto& suite) { out.sample(of_suite(suite), seconds_of(suite.duration)); });
  out.family("verify_suite_runs_total", "counter", "Runs that ended.");
  each([&](const auto& suite) { out.sample(of_suite(suite), static_cast<double>(suite.runs)); });
  out.family("verify_suite_failures_total", "counter", "Runs that failed or could not be judged.");
  each([&](const auto& suite) { out.sample(of_suite(suite), static_cast<double>(suite.failures)); });
  out.family("verify_suite_missed_total", "counter", "Runs left out because the one before was not done.");
  each([&](const auto& suite) { out.sample(of_suite(suite), static_cast<double>(suite.missed)); });
}

}  // namespace

std::string metrics_text(const Overview& overview) {
  Writer out;
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help, double value) {
    out.family(name, type, help);
    out.sample({}, value);
  };
  out.family("staithe_build_info", "gauge", "The version, as a label.");
  out.sample(fmt::format("version=\"{}\"", label(overview.version)), 1);
  one("verify_good", "gauge", "1 when /verify answers 200.", health_of(overview).good ? 1 : 0);
  suite_families(overview, out);
  check_families(overview, out);
  one("staithe_watch_heartbeat_age_seconds", "gauge", "Since the scheduler's last turn.",
      seconds_of(std::chrono::duration_cast<base::Duration>(overview.steady - overview.heartbeat)));
  one("staithe_watch_files_good", "gauge", "0 when the files on the disk could not be taken into use.",
      overview.files_trouble.empty() ? 1 : 0);
  one("staithe_watch_files_read_timestamp_seconds", "gauge", "When the files in use were read.",
      seconds_of(overview.files_read));
  one("staithe_watch_history_good", "gauge", "0 when the last results could not be kept.",
      overview.history_trouble.empty() ? 1 : 0);
  one("staithe_watch_lock_good", "gauge", "0 when another one may be watching too.",
      overview.lock_trouble.empty() ? 1 : 0);
  one("staithe_watch_alerts_held", "gauge", "1 while alerts wait for that to be known.",
      overview.alerts_held ? 1 : 0);
  std::size_t open = 0;
  for (const auto& incident : overview.incidents) open += incident.told ? 1 : 0;
  one("staithe_watch_incidents", "gauge", "Incidents that somebody was told of and that go on.",
      static_cast<double>(open));
  one("staithe_watch_alerts_sent_total", "counter", "Alerts that were delivered.",
      static_cast<double>(overview.alerts_sent));
  one("staithe_watch_alert_failures_total", "counter", "Attempts to deliver an alert that failed.",
      static_cast<double>(overview.alerts_failed));
  one("staithe_watch_alerts_waiting", "gauge", "Alerts that are not delivered yet.",
      static_cast<double>(overview.alerts_waiting));
  one("process_cpu_seconds_total", "counter", "Processor time of this process.", overview.processor_seconds);
  return out.take();
}

}  // namespace staithe::watch
