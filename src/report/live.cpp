#include "columns.hpp"
#include "summary.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <system_error>

namespace staithe::report {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned most_rows = 24;

/// Left-aligned in a field; colour does not count.
std::string padded(const std::string& text, unsigned columns) {
  const unsigned width = columns_of(text);
  return width >= columns ? text : text + std::string(columns - width, ' ');
}

base::Duration between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration_cast<base::Duration>(to - from);
}

/// What has ended scrolls up; what is in hand stands below it and is drawn anew at each tick.
class Live final : public Sink {
 public:
  Live(Output& output, LiveOptions options)
      : output_(output), options_(std::move(options)), paint_(options_.color) {}

  void on_event(const event::Event& event) noexcept override {
    happened_ = event.time;
    std::visit([this](const auto& payload) { show(payload); }, event.payload);
  }

  void on_tick(Clock::time_point now) noexcept override {
    ++ticks_;
    if (running_) output_.set_status(status(now));
  }

  void finish() noexcept override { output_.set_status({}); }

  std::string problem() const override {
    return output_.failed() ? std::generic_category().message(output_.error()) : std::string();
  }

 private:
  /// A host between its first action and its end, or an action of no host's lane.
  struct Hand {
    event::ActionStarted action;
    Clock::time_point began;
    std::string progress;
  };

  void line(const std::string& host, const std::string& text) {
    output_.write((host.empty() ? "" : paint_.name(host) + " ") + text + "\n");
  }

  // ---- what happens

  void show(const event::RunStarted& started) {
    started_ = started;
    began_ = Clock::now();
    stage_began_ = happened_;
    running_ = true;
    for (const auto& host : started.hosts) name_width_ = std::max(name_width_, columns_of(host));
    line("", announce(started));
  }
  void show(const event::StageStarted& stage) {
    end_stage();
    stage_ = stage.stage;
    stage_lanes_ = stage.hosts;
    stage_began_ = happened_;
  }
  void show(const event::BatchStarted& batch) {
    rolling_ = true;
    if (batch.of > 1) line("", batch_text(batch));
  }
  void show(const event::ActionStarted& started) {
    auto hand = find(started.host);
    if (hand == hands_.end()) hand = hands_.insert(hands_.end(), Hand{});
    *hand = {started, Clock::now(), ""};
    name_width_ = std::max(name_width_, columns_of(started.host));
    if (!started.host.empty()) begun_.insert(started.host);
  }
  void show(const event::Output& output) {
    if (options_.verbosity < 1) return;
    for (const auto& text : text_lines(output.line)) line(output.host, "| " + text);
  }
  void show(const event::Progress& progress) {
    if (const auto hand = find(progress.host); hand != hands_.end()) hand->progress = one_line(progress.text);
  }
  void show(const event::Retried& retried) { line(retried.host, retried_text(retried)); }
  /// What its suite prints says it already.
  void show(const event::ChecksEnded& /*ended*/) {}
  void show(const event::ActionFinished& finished) {
    const bool ok = finished.outcome == event::Outcome::ok;
    const auto hand = find(finished.host);
    const bool alone = finished.host.empty() || (hand != hands_.end() && hand->action.alone);
    if (hand != hands_.end() && alone) hands_.erase(hand);
    // A host's actions are told by its row while they last; one of no host's lane has no row to end in.
    if (ok && options_.verbosity < 1 && !alone) return;
    if (alone && ok)
      output_.write(fmt::format("  {} {}{}   {}\n", padded(painted(paint_, finished.outcome), 9),
                                finished.host.empty() ? "" : padded(finished.host, name_width_) + "   ",
                                label(finished.step, finished.title), base::elapsed_text(finished.duration)));
    else
      line(finished.host, finished_text(paint_, finished));
    if (!ok && options_.verbosity < 1) output_.write(tail_text(finished));
  }
  void show(const event::HostFinished& host) {
    if (const auto hand = find(host.host); hand != hands_.end()) hands_.erase(hand);
    const bool done = host.state == event::HostState::done;
    done_ += done ? 1 : 0;
    ++ended_;
    if (!rolling_ && done) return;
    output_.write(fmt::format(
        "  {} {}   {}   {}{}{}\n", padded(painted(paint_, host.state), 9), padded(host.host, name_width_),
        count_text(host.actions, "action"), base::elapsed_text(host.duration),
        host.drained.count() > 0 ? "   out of rotation " + base::elapsed_text(host.drained) : "",
        done || host.detail.empty() ? "" : "   " + one_line(host.detail)));
  }
  void show(const event::Message& message) { line(message.host, message_text(paint_, message)); }
  void show(const event::RunFinished& finished) {
    end_stage();
    running_ = false;
    output_.set_status({});
    output_.write(summary(paint_, started_, finished));
  }

  /// A stage whose hosts all did the same is one line; a rolling one has told each host.
  void end_stage() {
    const auto took = std::max(happened_ - stage_began_, std::chrono::system_clock::duration::zero());
    if (!rolling_ && done_ > 0)
      output_.write(fmt::format("  {} {}   {}   {}\n", padded(paint_.good("ok"), 9), stage_,
                                count_text(done_, "host"),
                                base::elapsed_text(std::chrono::duration_cast<base::Duration>(took))));
    rolling_ = false;
    done_ = ended_ = stage_lanes_ = 0;
    stage_.clear();
    begun_.clear();
  }

  std::vector<Hand>::iterator find(const std::string& host) {
    return std::find_if(hands_.begin(), hands_.end(),
                        [&](const Hand& hand) { return hand.action.host == host; });
  }

  // ---- what is drawn

  std::vector<std::string> status(Clock::time_point now) {
    // The last column stays free: some terminals wrap as soon as it is written.
    const unsigned columns = std::max(options_.columns ? options_.columns() : 80U, 2U) - 1;
    const unsigned rows = options_.rows ? options_.rows() : 24U;
    const unsigned room = std::clamp(rows > 4 ? rows - 4 : 1U, 1U, most_rows);
    std::vector<std::string> lines;
    for (const auto& hand : hands_) {
      if (lines.size() + 1 >= room && hands_.size() > room) {
        lines.push_back(
            elide_middle(fmt::format("  ....      and {} more", hands_.size() - lines.size()), columns));
        break;
      }
      lines.push_back(row(hand, now, columns));
    }
    if (const auto waiting = queued(); !waiting.empty())
      lines.push_back(elide_middle(fmt::format("  {} {}   queued", padded("", 9), waiting), columns));
    lines.push_back(elide_middle(foot(now), columns));
    return lines;
  }

  /// The action's own words give way first when the terminal is narrow.
  std::string row(const Hand& hand, Clock::time_point now, unsigned columns) const {
    const auto& action = hand.action;
    static constexpr std::array<std::string_view, 4> pulse{".", "..", "...", "...."};
    const auto head = fmt::format("  {:<9} {}   {}  ", pulse[ticks_ % pulse.size()],
                                  padded(action.host, name_width_), place(action.index, action.of));
    const auto tail =
        fmt::format("   {} of {}", seconds_text(between(hand.began, now)), limit_text(action.timeout));
    auto middle = label(action.step, action.title);
    if (!hand.progress.empty()) middle += ": " + hand.progress;
    const unsigned fixed = columns_of(head) + columns_of(tail);
    constexpr unsigned least = 8;
    if (fixed + least > columns) return elide_middle(head + middle + tail, columns);
    return head + elide_middle(middle, columns - fixed) + tail;
  }

  /// Hosts of a rolling stage that are not begun, folded.
  std::string queued() const {
    if (!rolling_) return {};
    std::vector<std::string> left;
    for (const auto& host : started_.hosts)
      if (begun_.count(host) == 0) left.push_back(host);
    return base::fold_names(left);
  }

  std::string foot(Clock::time_point now) const {
    std::string text;
    if (!stage_.empty())
      text = stage_lanes_ > 1 || rolling_
                 ? fmt::format("[{} {}/{} hosts]  ", stage_, std::min(ended_, stage_lanes_), stage_lanes_)
                 : fmt::format("[{}]  ", stage_);
    text += fmt::format("{}  plan {}   ", seconds_text(between(began_, now)), started_.plan_id);
    std::vector<std::string> hosts;
    for (const auto& hand : hands_)
      if (!hand.action.host.empty()) hosts.push_back(hand.action.host);
    if (!rolling_ || hosts.empty()) return text + "Ctrl-C once to stop";
    return text + "Ctrl-C once to stop after " + base::fold_names(hosts);
  }

  Output& output_;
  LiveOptions options_;
  Paint paint_;
  event::RunStarted started_;
  std::string stage_;
  std::uint64_t stage_lanes_ = 0;
  std::uint64_t done_ = 0;   ///< hosts of the stage that ended well
  std::uint64_t ended_ = 0;  ///< and all that ended
  bool rolling_ = false;
  bool running_ = false;
  Clock::time_point began_;
  std::chrono::system_clock::time_point happened_, stage_began_;  ///< as the events say
  std::vector<Hand> hands_;                                       ///< in the order in which they began
  std::set<std::string> begun_;                                   ///< hosts of the stage
  unsigned name_width_ = 4;
  std::size_t ticks_ = 0;
};

}  // namespace

std::unique_ptr<Sink> make_live(Output& output, LiveOptions options) {
  return std::make_unique<Live>(output, std::move(options));
}

}  // namespace staithe::report
