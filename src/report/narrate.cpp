#include "narrate.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::report {

std::string Paint::sgr(std::string_view code, std::string_view text) const {
  return on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::vector<std::string> text_lines(std::string_view text) {
  auto lines = base::split(base::printable(text), '\n');
  if (lines.empty()) lines.emplace_back();
  return lines;
}

std::string place(std::uint64_t index, std::uint64_t of) {
  return index > of ? fmt::format("{}", index) : fmt::format("{}/{}", index, of);
}

std::string label(std::string_view step, std::string_view title) {
  std::string text = one_line(title);
  if (step.empty() || text == step) return text;
  if (text.empty()) return std::string(step);
  const bool named = text.compare(0, step.size(), step) == 0 && text[step.size()] == ' ';
  return named ? text : fmt::format("{}: {}", step, text);
}

const char* word(event::Outcome outcome) noexcept {
  switch (outcome) {
    case event::Outcome::ok:
      return "ok";
    case event::Outcome::failed:
      return "FAILED";
    case event::Outcome::refused:
      return "REFUSED";
    case event::Outcome::timed_out:
      return "TIMED OUT";
    case event::Outcome::unreachable:
      return "UNREACHABLE";
    case event::Outcome::cancelled:
      return "cancelled";
    case event::Outcome::skipped:
      return "skipped";
  }
  return "FAILED";
}

std::string painted(const Paint& paint, event::Outcome outcome) {
  const auto* text = word(outcome);
  if (outcome == event::Outcome::ok) return paint.good(text);
  const bool mild = outcome == event::Outcome::cancelled || outcome == event::Outcome::skipped;
  return mild ? paint.warning(text) : paint.bad(text);
}

std::string seconds_text(base::Duration duration) {
  return base::to_text(std::chrono::duration_cast<std::chrono::seconds>(duration));
}

std::string limit_text(base::Duration duration) {
  constexpr std::chrono::seconds exact_below{10};
  return duration < exact_below ? base::to_text(duration)
                                : base::to_text(std::chrono::round<std::chrono::seconds>(duration));
}

std::string announce(const event::RunStarted& started) {
  return fmt::format("run {}: {}, plan {}, {}{}{}", started.run_id, one_line(started.title), started.plan_id,
                     count_text(started.actions, "action"),
                     started.hosts.empty() ? "" : " on " + count_text(started.hosts.size(), "host"),
                     started.deadline.count() > 0 ? ", deadline " + base::to_text(started.deadline) : "");
}

std::string batch_text(const event::BatchStarted& batch) {
  return fmt::format("batch {} of {}: {}", batch.number, batch.of, base::fold_names(batch.hosts));
}

std::string finished_text(const Paint& paint, const event::ActionFinished& finished) {
  const bool ok = finished.outcome == event::Outcome::ok;
  return fmt::format("{} {} {} {}{}{}", place(finished.index, finished.of),
                     label(finished.step, finished.title), painted(paint, finished.outcome),
                     ok ? "" : "after ", base::elapsed_text(finished.duration),
                     finished.detail.empty() ? "" : ": " + one_line(finished.detail));
}

std::string tail_text(const event::ActionFinished& finished) {
  std::string text;
  for (const auto& part : finished.output_tail)
    for (const auto& line : text_lines(part)) text += fmt::format("         | {}\n", line);
  return text;
}

std::string retried_text(const event::Retried& retried) {
  return fmt::format("attempt {} of {} failed: {}", retried.attempt, retried.of, one_line(retried.reason));
}

std::string message_text(const Paint& paint, const event::Message& message) {
  std::string text = one_line(message.text);
  switch (message.level) {
    case event::Level::info:
      return text;
    case event::Level::warning:
      return paint.warning("warning:") + " " + text;
    case event::Level::error:
      return paint.bad("error:") + " " + text;
  }
  return text;
}

std::string host_text(const Paint& paint, const event::HostFinished& host) {
  return fmt::format(
      "{} ({}) in {}{}{}", painted(paint, host.state), host.stage, base::elapsed_text(host.duration),
      host.drained.count() > 0 ? ", out of rotation for " + base::elapsed_text(host.drained) : "",
      host.detail.empty() ? "" : ": " + one_line(host.detail));
}

std::string painted(const Paint& paint, event::HostState state) {
  switch (state) {
    case event::HostState::done:
      return paint.good("ok");
    case event::HostState::failed:
      return paint.bad("FAILED");
    case event::HostState::out:
      return paint.bad("OUT");
    case event::HostState::untouched:
    case event::HostState::reverted:
    case event::HostState::restored:
      break;
  }
  return paint.warning(event::name_of(state));
}

}  // namespace staithe::report
