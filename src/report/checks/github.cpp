#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/report/checks.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace staithe::report {
namespace {

using verify::CheckResult;
using verify::Verdict;

// GitHub shows no more of a kind for one step.
constexpr std::size_t most = 10;
// It takes 1 MiB of a step, with what others write.
constexpr std::size_t longest_table = std::size_t{700} * 1024;

std::string escaped(std::string_view text, bool property) {
  std::string out;
  for (const char c : base::printable(text)) {
    if (c == '%')
      out += "%25";
    else if (c == '\r')
      out += "%0D";
    else if (c == '\n')
      out += "%0A";
    else if (property && c == ':')
      out += "%3A";
    else if (property && c == ',')
      out += "%2C";
    else
      out += c;
  }
  return out;
}

/// Text in a cell of a table in Markdown: nothing in it is a mark of Markdown's or HTML's.
std::string in_table(std::string_view text) {
  std::string out;
  for (const char c : base::printable(text)) {
    if (c == '\n')
      out += ' ';
    else if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else if (std::string_view("|\\`_[]*~$").find(c) != std::string_view::npos)
      out += std::string("\\") + c;
    else
      out += c;
  }
  return out;
}

class CheckGithub final : public verify::Listener {
 public:
  CheckGithub(Output& output, std::string summary, Trouble trouble)
      : output_(output), summary_(std::move(summary)), trouble_(std::move(trouble)) {}

  void run_finished(const verify::RunResult& run) noexcept override {
    try {
      const std::vector<Verdict> bad{Verdict::fail, Verdict::error, Verdict::aborted};
      const auto is_bad = [&](const CheckResult& one) {
        return std::find(bad.begin(), bad.end(), one.verdict) != bad.end();
      };
      annotate(run, "error", [&](const CheckResult& one) { return is_bad(one) && !one.quarantined; });
      annotate(run, "warning", [&](const CheckResult& one) {
        return one.verdict == Verdict::degraded || one.verdict == Verdict::tolerated ||
               (is_bad(one) && one.quarantined);
      });
      if (!summary_.empty()) summarise(run);
    } catch (const std::exception& error) {
      output_.write(
          fmt::format("::warning::the summary was not written: {}\n", escaped(error.what(), false)));
      if (trouble_) trouble_(error.what());
    }
  }

 private:
  template <class Wanted>
  void annotate(const verify::RunResult& run, const char* kind, Wanted wanted) {
    std::vector<std::pair<const verify::SuiteResult*, const CheckResult*>> found;
    for (const auto& suite : run.suites)
      for (const auto& one : suite.checks)
        if (wanted(one)) found.emplace_back(&suite, &one);
    const auto weight = [](const CheckResult& one) { return std::pair{one.check->severity, one.verdict}; };
    std::stable_sort(found.begin(), found.end(),
                     [&](const auto& a, const auto& b) { return weight(*a.second) > weight(*b.second); });
    const std::size_t shown = found.size() > most ? most - 1 : found.size();
    for (std::size_t i = 0; i < shown; ++i) {
      const auto& one = *found[i].second;
      output_.write(
          fmt::format("::{} file={},line={},title={}::{}\n", kind,
                      escaped(one.check->position.file.text(), true), one.check->position.line,
                      escaped(fmt::format("{}{}: {}", name_of(one.verdict),
                                          one.quarantined ? " in quarantine" : "", one.check->name),
                              true),
                      escaped(base::join(check_details(check_record(*found[i].first, one)), "\n"), false)));
    }
    if (found.size() > shown) output_.write(fmt::format("::{}::and {} more\n", kind, found.size() - shown));
  }

  /// Behind what others have written there.
  void summarise(const verify::RunResult& run) const {
    const base::UniqueFd file(::open(summary_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    if (!file) throw base::system_error(base::ErrorCode::io, summary_, errno);
    Output output(file.get());
    output.write(summary_of(run));
    if (output.failed())
      throw base::system_error(base::ErrorCode::io, summary_ + ": not all was written", output.error());
  }

  static std::string summary_of(const verify::RunResult& run) {
    auto text = fmt::format("### Checks: {}\n\n", name_of(run.verdict));
    if (!run.release.empty()) text += "Release " + in_table(run.release) + "\n\n";
    text += "| suite | check | verdict | ms | |\n|---|---|---|---|---|\n";
    // What did not pass first: of a summary that is too large GitHub shows nothing.
    std::size_t bytes = 0, left = 0;
    for (const bool passed : {false, true})
      for (const auto& suite : run.suites)
        for (const auto& one : suite.checks) {
          if ((one.verdict == Verdict::pass) != passed) continue;
          const auto row =
              fmt::format("| {} | {} | {} | {} | {} |\n", suite.suite->name, in_table(one.check->name),
                          name_of(one.verdict), one.duration.count(), in_table(check_reason(one)));
          bytes += row.size();
          if (bytes > longest_table)
            ++left;
          else
            text += row;
        }
    if (left > 0) text += fmt::format("\nand {} more\n", left);
    text += "\n";
    for (const auto& line : check_worth(run)) text += "- " + in_table(line) + "\n";
    return text;
  }

  Output& output_;
  std::string summary_;
  Trouble trouble_;
};

}  // namespace

std::unique_ptr<verify::Listener> make_check_github(Output& output, std::string summary_path,
                                                    Trouble trouble) {
  return std::make_unique<CheckGithub>(output, std::move(summary_path), std::move(trouble));
}

}  // namespace staithe::report
