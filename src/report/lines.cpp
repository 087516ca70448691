#include "summary.hpp"

#include "staithe/base/duration.hpp"
#include "staithe/base/text.hpp"
#include "staithe/report/sinks.hpp"

#include <fmt/format.h>

#include <ctime>
#include <map>

namespace staithe::report {
namespace {

using Clock = std::chrono::steady_clock;

std::string clock_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

class Lines final : public Sink {
 public:
  Lines(Output& output, LinesOptions options) : output_(output), options_(options) {}

  void on_event(const event::Event& event) noexcept override {
    time_ = event.time;
    std::visit([this](const auto& payload) { show(payload); }, event.payload);
  }

  void on_tick(Clock::time_point now) noexcept override {
    for (auto& [id, action] : running_) {
      if (now - action.said < options_.heartbeat) continue;
      action.said = now;
      const auto spent = std::chrono::duration_cast<base::Duration>(now - action.began);
      time_ = std::chrono::system_clock::now();
      line(action.started.host,
           fmt::format("still in {} {}{}, {} of {}", place(action.started.index, action.started.of),
                       action.started.title, action.progress.empty() ? "" : " (" + action.progress + ")",
                       base::elapsed_text(spent), base::to_text(action.started.timeout)));
    }
  }

 private:
  struct Running {
    event::ActionStarted started;
    Clock::time_point began, said;
    std::string progress;
  };

  static std::string place(std::uint64_t index, std::uint64_t of) { return fmt::format("{}/{}", index, of); }

  void line(const std::string& host, const std::string& text) {
    output_.write(fmt::format("{} {}{}\n", clock_text(time_), host.empty() ? "" : host + " ", text));
  }

  void show(const event::RunStarted& started) {
    started_ = started;
    line("", fmt::format("run {}: {}, plan {}, {} actions on {} hosts", started.run_id, started.title,
                         started.plan_id, started.actions, started.hosts.size()));
  }
  void show(const event::StageStarted& stage) { line("", fmt::format("stage {}", stage.stage)); }
  void show(const event::BatchStarted& batch) {
    line("", fmt::format("batch {} of {}: {}", batch.number, batch.of, base::fold_names(batch.hosts)));
  }
  void show(const event::ActionStarted& started) {
    running_[started.host + "\n" + started.action_id] = {started, Clock::now(), Clock::now(), ""};
  }
  void show(const event::Output& output) {
    if (options_.verbosity > 0) line(output.host, "| " + output.line);
  }
  void show(const event::Progress& progress) {
    const auto found = running_.find(progress.host + "\n" + progress.action_id);
    if (found != running_.end()) found->second.progress = progress.text;
  }
  void show(const event::Retried& retried) {
    line(retried.host,
         fmt::format("attempt {} of {} failed: {}", retried.attempt, retried.of, retried.reason));
  }
  void show(const event::ActionFinished& finished) {
    running_.erase(finished.host + "\n" + finished.action_id);
    const bool ok = finished.outcome == event::Outcome::ok;
    const auto head = fmt::format("{} {} ", place(finished.index, finished.of), finished.title);
    const auto detail = finished.detail.empty() ? std::string() : ": " + finished.detail;
    if (ok) {
      line(finished.host, fmt::format("{}ok {}{}", head, base::elapsed_text(finished.duration), detail));
      return;
    }
    line(finished.host,
         fmt::format("{}{} after {}{}", head,
                     finished.outcome == event::Outcome::failed ? "FAILED" : name_of(finished.outcome),
                     base::elapsed_text(finished.duration), detail));
    if (options_.verbosity > 0) return;
    for (const auto& tail : finished.output_tail) output_.write("         | " + tail + "\n");
  }
  void show(const event::HostFinished& host) {
    if (host.actions > 1 || host.state != event::HostState::done)
      line(host.host,
           fmt::format("{} ({}) in {}{}", name_of(host.state), host.stage, base::elapsed_text(host.duration),
                       host.drained.count() > 0 ? ", out for " + base::elapsed_text(host.drained) : ""));
  }
  void show(const event::Message& message) {
    const char* level = message.level == event::Level::info      ? ""
                        : message.level == event::Level::warning ? "warning: "
                                                                 : "error: ";
    line(message.host, level + message.text);
  }
  void show(const event::RunFinished& finished) { output_.write(summary(started_, finished)); }

  Output& output_;
  LinesOptions options_;
  std::chrono::system_clock::time_point time_;
  event::RunStarted started_;
  std::map<std::string, Running> running_;
};

}  // namespace

std::unique_ptr<Sink> make_lines(Output& output, LinesOptions options) {
  return std::make_unique<Lines>(output, options);
}

}  // namespace staithe::report
