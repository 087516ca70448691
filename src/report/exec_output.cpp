#include "batch.hpp"
#include "summary.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <system_error>

namespace staithe::report {
namespace {

constexpr std::size_t most_of_a_host = 1U << 20U;
constexpr std::size_t most_of_all = 64U << 20U;

/// Texts of hosts, told apart by what they say, in the order of the hosts.
class Groups {
 public:
  void add(const std::string& text, const std::string& host) {
    const auto [found, added] = places_.emplace(text, groups_.size());
    if (added) groups_.push_back({&found->first, {}});
    groups_[found->second].hosts.push_back(host);
  }

  struct Group {
    const std::string* text;
    std::vector<std::string> hosts;
  };
  const std::vector<Group>& all() const { return groups_; }

 private:
  std::map<std::string, std::size_t> places_;
  std::vector<Group> groups_;
};

class ExecOutput final : public Sink {
 public:
  ExecOutput(Output& output, Output& errors, Fold fold, Color color, int verbosity)
      : output_(output), errors_(errors), fold_(fold), paint_(color), verbosity_(verbosity) {}

  void on_event(const event::Event& event) noexcept override {
    std::visit([this](const auto& payload) { show(payload); }, event.payload);
  }

  /// A run that did not come to its end has output too.
  void finish() noexcept override { show_folded(); }
  void begin_batch() noexcept override { batch_.begin(); }
  void end_batch() noexcept override { batch_.end(); }

  std::string problem() const override {
    const int error = output_.failed() ? output_.error() : errors_.error();
    return error != 0 ? std::generic_category().message(error) : std::string();
  }

 private:
  struct Kept {
    std::string out, err;
    std::uint64_t left_out = 0;  ///< lines
  };
  struct Failure {
    event::Outcome outcome;
    std::string why;
  };

  // Machine-readable streams: nothing but what this function is given may reach stdout.
  template <class Other>
  void show(const Other& /*event*/) {}

  void show(const event::RunStarted& started) {
    started_ = started;
    hosts_ = started.hosts;
  }
  void show(const event::Output& output) {
    const auto head = prefix(output.host);
    std::string lines;
    for (const auto& text : text_lines(output.line)) {
      if (fold_ == Fold::folded)
        keep(output.host, output.is_error, text);
      else
        lines.append(head).append(text).append("\n");
    }
    if (!lines.empty()) batch_.write(output.is_error ? errors_ : output_, lines);
  }
  void show(const event::Retried& retried) {
    if (verbosity_ >= 0) batch_.write(errors_, prefix(retried.host) + retried_text(retried) + "\n");
  }
  void show(const event::Message& message) {
    if (verbosity_ >= 0 || message.level != event::Level::info)
      batch_.write(errors_, prefix(message.host) + message_text(paint_, message) + "\n");
  }
  void show(const event::ActionFinished& finished) {
    if (finished.outcome == event::Outcome::ok) return;
    failures_[finished.host] = {finished.outcome, one_line(without_last_line(finished))};
  }
  void show(const event::RunFinished& finished) {
    show_folded();
    show_failures();
    std::vector<std::string> untouched;
    std::size_t done = 0;
    for (const auto& host : finished.hosts) {
      if (host.state == event::HostState::untouched) untouched.push_back(host.name);
      done += host.state == event::HostState::done ? 1 : 0;
    }
    if (!untouched.empty())
      batch_.write(errors_, fmt::format("{} {}\n", paint_.warning("not run"), base::fold_names(untouched)));
    if (finished.exit_code == 0 && verbosity_ < 0) return;
    batch_.write(
        errors_,
        fmt::format("{}{} of {} ok in {}\n", finished.exit_code == 0 ? "" : exit_text(finished), done,
                    count_text(finished.hosts.size(), "host"), base::elapsed_text(finished.duration)));
  }

  /// The detail of a command quotes its last line, which is shown as output: it would part equal failures.
  static std::string without_last_line(const event::ActionFinished& finished) {
    if (finished.exit_status && *finished.exit_status != 0)
      return fmt::format("exit status {}", *finished.exit_status);
    for (const auto& line : finished.output_tail)
      if (const auto quoted = ": " + line; finished.detail.ends_with(quoted))
        return finished.detail.substr(0, finished.detail.size() - quoted.size());
    return finished.detail;
  }

  static std::string exit_text(const event::RunFinished& finished) {
    return fmt::format("exit {} ({}): ", finished.exit_code, one_line(finished.verdict));
  }

  std::string prefix(const std::string& host) const {
    return host.empty() ? "" : paint_.name(host + ":") + " ";
  }

  void keep(const std::string& host, bool is_error, const std::string& text) {
    auto& kept = kept_[host];
    const std::size_t size = text.size() + 1;
    if (kept.out.size() + kept.err.size() + size > most_of_a_host || total_ + size > most_of_all) {
      ++kept.left_out;
      return;
    }
    total_ += size;
    (is_error ? kept.err : kept.out).append(text).append("\n");
  }

  /// Hosts that have output, the run's first and in its order.
  std::vector<std::string> hosts_with_output() const {
    std::vector<std::string> hosts;
    for (const auto& host : hosts_)
      if (kept_.count(host) != 0) hosts.push_back(host);
    for (const auto& [host, kept] : kept_)
      if (std::find(hosts_.begin(), hosts_.end(), host) == hosts_.end()) hosts.push_back(host);
    return hosts;
  }

  void show_folded() {
    Groups out;
    Groups err;
    Groups left_out;
    for (const auto& host : hosts_with_output()) {
      const auto& kept = kept_[host];
      if (!kept.out.empty()) out.add(kept.out, host);
      if (!kept.err.empty()) err.add(kept.err, host);
      if (kept.left_out > 0) left_out.add(count_text(kept.left_out, "line"), host);
    }
    write_groups(output_, out, "");
    write_groups(errors_, err, ", stderr");
    for (const auto& group : left_out.all())
      batch_.write(errors_,
                   fmt::format("{} {} more of {} left out: only 1 MiB of a host is kept, 64 MiB of all\n",
                               paint_.warning("warning:"), *group.text, base::fold_names(group.hosts)));
    kept_.clear();
  }

  void write_groups(Output& output, const Groups& groups, std::string_view remark) {
    for (const auto& group : groups.all()) {
      const auto head = fmt::format("--- {} ({}{})", base::fold_names(group.hosts),
                                    count_text(group.hosts.size(), "host"), remark);
      batch_.write(output, paint_.head(head) + "\n" + *group.text);
    }
  }

  void show_failures() {
    Groups groups;
    const auto add = [&](const std::string& host) {
      const auto found = failures_.find(host);
      if (found == failures_.end()) return;
      const auto& [outcome, why] = found->second;
      // Folded with others it stands once in front of them all.
      const bool names_it = !host.empty() && why.starts_with(host + ": ");
      groups.add(painted(paint_, outcome) + "\n" + (names_it ? why.substr(host.size() + 2) : why), host);
    };
    add("");
    for (const auto& host : hosts_) add(host);
    for (const auto& group : groups.all()) {
      const auto parts = base::split(*group.text, '\n');
      const auto hosts = base::fold_names(group.hosts);
      batch_.write(errors_, fmt::format("{}{}{}: {}\n", parts[0], hosts.empty() ? "" : " ", hosts,
                                        parts.size() > 1 ? parts[1] : std::string()));
    }
  }

  Output& output_;
  Output& errors_;
  Batch batch_;
  Fold fold_;
  Paint paint_;
  int verbosity_;
  event::RunStarted started_;
  std::vector<std::string> hosts_;
  std::map<std::string, Kept> kept_;
  std::size_t total_ = 0;
  std::map<std::string, Failure> failures_;
};

}  // namespace

std::unique_ptr<Sink> make_exec(Output& output, Output& errors, Fold fold, Color color, int verbosity) {
  return std::make_unique<ExecOutput>(output, errors, fold, color, verbosity);
}

}  // namespace staithe::report
