#include "summary.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <ctime>
#include <map>
#include <system_error>

namespace staithe::report {
namespace {

using Clock = std::chrono::steady_clock;

/// The time of day as it is written before each line; a second's is made once.
class ClockText {
 public:
  const std::string& of(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    if (text_.empty() || seconds != seconds_) {
      std::tm local{};
      localtime_r(&seconds, &local);
      text_ = fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
      seconds_ = seconds;
    }
    return text_;
  }

 private:
  std::time_t seconds_ = 0;
  std::string text_;
};

class Lines final : public Sink {
 public:
  Lines(Output& output, LinesOptions options) : output_(output), options_(options), paint_(options.color) {}

  void on_event(const event::Event& event) noexcept override {
    time_ = event.time;
    std::visit([this](const auto& payload) { show(payload); }, event.payload);
  }

  void on_tick(Clock::time_point now) noexcept override {
    if (options_.verbosity < 0) return;
    std::vector<Running*> due;
    for (auto& [id, action] : running_)
      if (now - action.said >= options_.heartbeat) due.push_back(&action);
    if (due.empty()) return;
    time_ = std::chrono::system_clock::now();
    for (auto* action : due) action->said = now;
    constexpr std::size_t most_lines = 4;
    if (due.size() > most_lines) return tell_many(due, now);
    for (const auto* action : due) line(action->started.host, "still in " + state_of(*action, now));
  }

  std::string problem() const override {
    return output_.failed() ? std::generic_category().message(output_.error()) : std::string();
  }

 private:
  struct Running {
    event::ActionStarted started;
    Clock::time_point began, said;
    std::string progress;
  };

  void line(const std::string& host, const std::string& text) {
    std::string line = clock_.of(time_) + ' ';
    if (!host.empty()) line.append(host) += ' ';
    output_.write(line.append(text) += '\n');
  }
  bool silent() const { return options_.verbosity < 0; }

  static std::string state_of(const Running& action, Clock::time_point now) {
    const auto& started = action.started;
    const auto spent = std::chrono::duration_cast<base::Duration>(now - action.began);
    return fmt::format("{} {}{}, {} of {}", place(started.index, started.of),
                       label(started.step, started.title),
                       action.progress.empty() ? "" : " (" + action.progress + ")", seconds_text(spent),
                       limit_text(started.timeout));
  }

  /// With many hosts in hand one line for all, and the one that has been at it longest.
  void tell_many(const std::vector<Running*>& due, Clock::time_point now) {
    std::vector<std::string> hosts;
    const Running* longest = due.front();
    for (const auto* action : due) {
      if (!action->started.host.empty()) hosts.push_back(action->started.host);
      if (action->began < longest->began) longest = action;
    }
    line("", fmt::format("still at work on {}; longest: {} {}", base::fold_names(hosts),
                         longest->started.host, state_of(*longest, now)));
  }

  void show(const event::RunStarted& started) {
    started_ = started;
    if (!silent()) line("", announce(started));
  }
  void show(const event::StageStarted& stage) {
    if (!silent()) line("", paint_.head("stage " + stage.stage));
  }
  void show(const event::BatchStarted& batch) {
    if (!silent()) line("", batch_text(batch));
  }
  void show(const event::ActionStarted& started) {
    running_[started.host + "\n" + started.action_id] = {started, Clock::now(), Clock::now(), ""};
  }
  void show(const event::Output& output) {
    if (options_.verbosity < 1) return;
    for (const auto& text : text_lines(output.line)) line(output.host, "| " + text);
  }
  void show(const event::Progress& progress) {
    const auto found = running_.find(progress.host + "\n" + progress.action_id);
    if (found != running_.end()) found->second.progress = one_line(progress.text);
  }
  void show(const event::Retried& retried) {
    if (!silent()) line(retried.host, retried_text(retried));
  }
  /// What its suite prints says it already.
  void show(const event::ChecksEnded& /*ended*/) {}
  void show(const event::ActionFinished& finished) {
    running_.erase(finished.host + "\n" + finished.action_id);
    const bool ok = finished.outcome == event::Outcome::ok;
    said_[finished.host] = ok ? std::string() : finished.detail;
    if (silent() && ok) return;
    line(finished.host, finished_text(paint_, finished));
    // Shown already, line by line, when output is.
    if (!ok && options_.verbosity < 1) output_.write(tail_text(finished));
  }
  void show(const event::HostFinished& host) {
    const bool done = host.state == event::HostState::done;
    // A lane of one action has said it all.
    if (silent() ? done : done && host.actions <= 1) return;
    auto told = host;
    if (said_[host.host] == host.detail) told.detail.clear();  // by the line before
    line(host.host, host_text(paint_, told));
  }
  void show(const event::Message& message) {
    if (!silent() || message.level != event::Level::info) line(message.host, message_text(paint_, message));
  }
  void show(const event::RunFinished& finished) {
    if (!silent() || finished.exit_code != 0) output_.write(summary(paint_, started_, finished));
  }

  Output& output_;
  LinesOptions options_;
  Paint paint_;
  std::chrono::system_clock::time_point time_;
  ClockText clock_;
  event::RunStarted started_;
  std::map<std::string, Running> running_;
  std::map<std::string, std::string> said_;  // of each host's newest action, where that failed
};

}  // namespace

std::unique_ptr<Sink> make_lines(Output& output, LinesOptions options) {
  return std::make_unique<Lines>(output, options);
}

}  // namespace staithe::report
