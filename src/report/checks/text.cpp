#include "staithe/base/text.hpp"

#include "staithe/report/checks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::report {
namespace {

using verify::CheckResult;
using verify::Verdict;

std::string_view word_of(const CheckResult& one) {
  switch (one.verdict) {
    case Verdict::pass:
      return one.flaky ? "ok~" : "ok";
    case Verdict::skipped:
      return "skip";
    case Verdict::tolerated:
      return "tol";
    case Verdict::degraded:
      return "warn";
    case Verdict::aborted:
      return "ABRT";
    case Verdict::error:
      return "ERR";
    case Verdict::fail:
      return "FAIL";
  }
  return "";
}

std::string_view color_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "32";
    case Verdict::skipped:
      return "2";
    case Verdict::tolerated:
    case Verdict::degraded:
      return "33";
    case Verdict::aborted:
    case Verdict::error:
      return "35";
    case Verdict::fail:
      return "1;31";
  }
  return "0";
}

constexpr std::size_t most_named = 3;

/// "charge [web1]: json.amount: wanted 100, got 10000; ": a deploy that a suite stops has the last line for
/// its reason, so what failed stands in it, and then what could not be judged.
std::string culprits_text(const verify::RunResult& run) {
  std::string text;
  std::size_t count = 0;
  for (const auto verdict : {Verdict::fail, Verdict::error})
    for (const auto& suite : run.suites)
      for (const auto& one : suite.checks) {
        if (one.verdict != verdict || !one.blocking || ++count > most_named) continue;
        const auto reason = check_reason(one);
        text += fmt::format("{}{}{}{}; ", one.check->name,
                            verdict == Verdict::error ? " could not be judged" : "",
                            reason.empty() ? "" : ": ", reason);
      }
  if (count > most_named) text += fmt::format("and {} others; ", count - most_named);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

class CheckText final : public verify::Listener {
 public:
  CheckText(Output& output, CheckTextOptions options) : output_(output), options_(options) {}

  void run_started(const verify::RunResult& run, const checks::SuitePlan& plan) noexcept override {
    several_ = plan.suites.size() > 1;
    begun_ = said_ = std::chrono::steady_clock::now();
    if (options_.verbosity < 0) return;
    write(fmt::format("Checks {}{}{}   plan {}\n", run.run_id,
                      run.release.empty() ? "" : "   release " + run.release,
                      run.environment.empty() ? "" : "   " + run.environment, checks::id_of(plan)));
    if (!run.history_trouble.empty()) write("History: " + run.history_trouble + "\n");
  }

  void check_started(const checks::Suite& /*suite*/, const checks::Check& check) noexcept override {
    waiting_ = check.name;
  }

  void check_finished(const verify::SuiteResult& suite, const CheckResult& one) noexcept override {
    waiting_.clear();
    const bool well = one.verdict == Verdict::pass && !one.flaky;
    if (options_.verbosity < 0 && well) return;
    const auto elapsed =
        std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - begun_);
    auto word = fmt::format("{:<4}", word_of(one));
    if (options_.color == Color::on) word = fmt::format("\033[{}m{}\033[0m", color_of(one.verdict), word);
    std::string line =
        fmt::format("{}{}{}", several_ ? suite.suite->name + ": " : "", one.check->name,
                    one.verdict == Verdict::skipped ? "" : fmt::format("   {} ms", one.duration.count()));
    if (one.quarantined) line += "   (in quarantine)";
    if (const auto more = more_of(one); !more.empty()) line += "   " + more;
    // The colours are ours, and would not be left in what is made printable.
    write(fmt::format("{:>7}  {}  {}\n", base::elapsed_text(elapsed), word, base::printable(line)));
    if (options_.verbosity > 0 && one.verdict == Verdict::pass)
      for (const auto& judged : one.judged)
        write(base::printable(
                  fmt::format("               {} {} ({})", judged.subject, judged.got, judged.wanted)) +
              "\n");
  }

  void tick() noexcept override {
    const auto now = std::chrono::steady_clock::now();
    if (waiting_.empty() || options_.verbosity < 0 || now - said_ < options_.heartbeat) return;
    const auto elapsed = std::chrono::duration_cast<base::Duration>(now - begun_);
    write(fmt::format("{:>7}  ...   waiting for '{}'\n", base::elapsed_text(elapsed),
                      base::printable(waiting_)));
  }

  void message(const std::string& text) noexcept override { write(text + "\n"); }

  void run_finished(const verify::RunResult& run) noexcept override {
    std::string text;
    for (const auto& suite : run.suites)
      for (const auto& one : suite.checks) {
        const bool tell = one.verdict == Verdict::fail || one.verdict == Verdict::error ||
                          one.verdict == Verdict::degraded ||
                          (one.verdict == Verdict::aborted && one.attempts_made > 0);
        if (!tell) continue;
        text += fmt::format("\n{}  {}: {}   {}\n", word_of(one), suite.suite->name, one.check->name,
                            name_of(one.check->severity));
        for (const auto& line : check_details(check_record(suite, one)))
          text += "      " + base::printable(line) + "\n";
      }
    text += "\n";
    for (const auto& suite : run.suites) {
      if (!several_ && options_.verbosity < 0 && run.verdict == Verdict::pass) break;
      text += fmt::format("{:<10} {}{}\n", name_of(suite.verdict), suite.suite->name,
                          suite.reason.empty() ? "" : "   " + suite.reason);
    }
    const auto itemised = options_.verbosity > 0 ? Itemised::all : Itemised::most;
    for (const auto& line : check_worth(run, itemised)) text += base::printable(line) + "\n";
    for (const auto& line : run.proposals) text += "quarantine    " + base::printable(line) + "\n";
    if (!run.history_trouble.empty()) text += "history       not kept: " + run.history_trouble + "\n";
    if (!run.inconclusive.empty()) text += "inconclusive  " + base::printable(run.inconclusive) + "\n";
    auto verdict = std::string(name_of(run.verdict));
    if (options_.color == Color::on)
      verdict = fmt::format("\033[{}m{}\033[0m", color_of(run.verdict), verdict);
    text += fmt::format("{}: {}{} in {}\n", verdict, base::printable(culprits_text(run)), counts_text(run),
                        base::elapsed_text(run.duration));
    write(text);
  }

 private:
  static std::string more_of(const CheckResult& one) {
    auto reason = check_reason(one);
    if (!one.flaky || one.verdict == Verdict::fail || one.verdict == Verdict::error) return reason;
    return fmt::format("passed on attempt {}{}{}", one.attempts_made, reason.empty() ? "" : "; ", reason);
  }

  void write(const std::string& text) noexcept {
    said_ = std::chrono::steady_clock::now();
    output_.write(text);
  }

  Output& output_;
  CheckTextOptions options_;
  bool several_ = false;
  std::string waiting_;
  std::chrono::steady_clock::time_point begun_{}, said_{};
};

}  // namespace

std::unique_ptr<verify::Listener> make_check_text(Output& output, CheckTextOptions options) {
  return std::make_unique<CheckText>(output, options);
}

}  // namespace staithe::report
