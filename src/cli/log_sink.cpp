#include "log_sink.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/log/log.hpp"

#include <fmt/format.h>

namespace staithe::cli {
namespace {

/// "web1 roll/web1/7" or, for what belongs to no host, "open/1".
std::string place(const std::string& host, const std::string& action_id) {
  return host.empty() ? action_id : fmt::format("{} {}", host, action_id);
}

class LogSink final : public report::Sink {
 public:
  void on_event(const event::Event& event) noexcept override {
    try {
      std::visit([](const auto& payload) { write(payload); }, event.payload);
    } catch (const std::exception&) {
      // Out of memory: a line less in the log is nothing to stop a run for.
    }
  }

 private:
  static void write(const event::RunStarted& started) {
    log::info(fmt::format("run {}: {} {}, plan {}, release {} {}, {} on {}", started.run_id, started.kind,
                          started.title, started.plan_id, started.release, started.sha,
                          base::count_text(started.actions, "action"), base::join(started.hosts, " ")));
  }
  static void write(const event::StageStarted& stage) {
    log::info(fmt::format("stage {} on {}", stage.stage, base::count_text(stage.hosts, "host")));
  }
  static void write(const event::BatchStarted& batch) {
    log::info(fmt::format("batch {} of {}: {}", batch.number, batch.of, base::join(batch.hosts, " ")));
  }
  static void write(const event::ActionStarted& action) {
    log::info(fmt::format("{} begins: {}, {}; at most {} ms", place(action.host, action.action_id),
                          action.kind, action.title, action.timeout.count()));
  }
  static void write(const event::Output& output) {
    for (const auto& line : base::split(output.line, '\n'))
      log::debug(fmt::format("{} {}: {}", place(output.host, output.action_id),
                             output.is_error ? "stderr" : "stdout", line));
  }
  static void write(const event::Progress& progress) {
    log::debug(fmt::format("{} {} {}/{} {}", place(progress.host, progress.action_id), progress.text,
                           progress.done, progress.total, progress.unit));
  }
  static void write(const event::Retried& retried) {
    log::warn(fmt::format("{} attempt {} of {} failed: {}", place(retried.host, retried.action_id),
                          retried.attempt, retried.of, retried.reason));
  }
  static void write(const event::ChecksEnded& ended) {
    for (const auto& check : ended.checks)
      log::info(fmt::format("{} {}: {}: {} in {} ms{}", place(ended.host, ended.action_id), check.suite,
                            check.name, check.verdict, check.duration.count(),
                            check.reason.empty() ? "" : ": " + check.reason));
  }
  static void write(const event::ActionFinished& action) {
    const auto text = fmt::format("{} ended: {} after {} ms{}{}", place(action.host, action.action_id),
                                  event::name_of(action.outcome), action.duration.count(),
                                  action.detail.empty() ? "" : ": ", action.detail);
    if (action.outcome == event::Outcome::ok)
      log::info(text);
    else
      log::error(text);
  }
  static void write(const event::HostFinished& host) {
    log::info(fmt::format("{} is {} after {} in {} ms, out for {} ms{}{}", host.host,
                          event::name_of(host.state), host.stage, host.duration.count(), host.drained.count(),
                          host.detail.empty() ? "" : ": ", host.detail));
  }
  static void write(const event::Message& message) {
    const auto text = message.host.empty() ? message.text : message.host + ": " + message.text;
    if (message.level == event::Level::info)
      log::info(text);
    else
      log::warn(text);
  }
  static void write(const event::RunFinished& finished) {
    std::string hosts;
    for (const auto& host : finished.hosts)
      hosts += fmt::format(" {}={}", host.name, event::name_of(host.state));
    log::info(fmt::format("{}, exit {} after {} ms:{}", finished.verdict, finished.exit_code,
                          finished.duration.count(), hosts));
    if (!finished.failure.empty())
      log::error(fmt::format("{} {}: {}", finished.failed_host, finished.failed_action, finished.failure));
  }
};

}  // namespace

std::unique_ptr<report::Sink> make_log_sink() {
  return std::make_unique<LogSink>();
}

}  // namespace staithe::cli
