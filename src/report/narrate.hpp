#pragma once
#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/event/event.hpp"
#include "staithe/report/sinks.hpp"

#include <string>
#include <string_view>
#include <vector>

/// Events in words: what the sinks for people say in the same way.
namespace staithe::report {

/// Colour for words that say the same without it.
class Paint {
 public:
  explicit Paint(Color color) : on_(color == Color::on) {}

  std::string good(std::string_view text) const { return sgr("32", text); }
  std::string bad(std::string_view text) const { return sgr("1;31", text); }
  std::string warning(std::string_view text) const { return sgr("33", text); }
  std::string name(std::string_view text) const { return sgr("36", text); }
  std::string head(std::string_view text) const { return sgr("1", text); }

 private:
  std::string sgr(std::string_view code, std::string_view text) const;

  bool on_;
};

/// Text of any origin without control characters: all of it on one line, or line by line.
using base::one_line;
std::vector<std::string> text_lines(std::string_view text);

using base::count_text;
/// "4/6"; "7" for an action beyond the lane, such as a repair.
std::string place(std::uint64_t index, std::uint64_t of);
/// "drain web1", "upload: app.conf to /etc/app.conf": the step's kind unless the title begins with it.
std::string label(std::string_view step, std::string_view title);
/// "ok", "FAILED", "TIMED OUT": capitals for what needs attention.
const char* word(event::Outcome outcome) noexcept;
std::string painted(const Paint& paint, event::Outcome outcome);
/// Whole seconds for clocks that tick: "30s", "5m".
std::string seconds_text(base::Duration duration);
/// A time that something may take, which may be what is left of a longer one: seconds are enough from ten on.
std::string limit_text(base::Duration duration);

std::string announce(const event::RunStarted& started);
std::string batch_text(const event::BatchStarted& batch);
/// "4/6 run: systemctl reload web FAILED after 47.0s: exit status 1"
std::string finished_text(const Paint& paint, const event::ActionFinished& finished);
/// The last lines of a command that failed, indented; "" for none.
std::string tail_text(const event::ActionFinished& finished);
std::string retried_text(const event::Retried& retried);
std::string message_text(const Paint& paint, const event::Message& message);
/// "OUT (roll) in 1m03s, out of rotation for 41.0s: exit status 1"
std::string host_text(const Paint& paint, const event::HostFinished& host);
/// Words for a host's state in its own line: "ok", "reverted", "OUT".
std::string painted(const Paint& paint, event::HostState state);

}  // namespace staithe::report
