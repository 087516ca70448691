#include "teller.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {

void Teller::tell(event::Payload payload) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    sink_.on_event({std::chrono::system_clock::now(), ++seq_, run_id_, std::move(payload)});
  } catch (const std::exception&) {
    // No memory for an event: the run goes on unheard.
  }
}

void Teller::message(event::Level level, std::string text) noexcept {
  tell(event::Message{level, "", std::move(text)});
}

Telling::Telling(Teller& teller, std::string host, std::string step, std::string title, std::uint64_t index,
                 std::uint64_t of, base::Duration limit, Talk talk)
    : teller_(teller), began_(std::chrono::steady_clock::now()) {
  started_.action_id = (host.empty() ? std::string("run") : host) + "/" + std::to_string(index);
  started_.host = std::move(host);
  started_.kind = "stage";
  started_.step = std::move(step);
  started_.title = std::move(title);
  started_.index = index;
  started_.of = of;
  started_.timeout = limit;
  if (talk == Talk::always) announce();
}

void Telling::announce() noexcept {
  told_ = true;
  teller_.tell(started_);
}

Telling::~Telling() {
  if (!ended_) end(event::Outcome::failed);
}

void Telling::progress(std::uint64_t done, std::uint64_t total, const std::string& unit,
                       std::string text) noexcept {
  if (told_)
    teller_.tell(event::Progress{started_.host, started_.action_id, std::move(text), done, total, unit});
}

void Telling::retried(std::string reason, std::uint32_t attempt, std::uint32_t of) noexcept {
  if (!told_) announce();
  teller_.tell(event::Retried{started_.host, started_.action_id, std::move(reason), attempt, of});
}

void Telling::end(event::Outcome outcome, std::string detail) noexcept {
  ended_ = true;
  if (!told_ && outcome != event::Outcome::failed) return;
  if (!told_) announce();
  event::ActionFinished finished;
  finished.host = started_.host;
  finished.action_id = started_.action_id;
  finished.kind = started_.kind;
  finished.step = started_.step;
  finished.title = started_.title;
  finished.index = started_.index;
  finished.of = started_.of;
  finished.outcome = outcome;
  finished.detail = std::move(detail);
  finished.duration = std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - began_);
  teller_.tell(std::move(finished));
}

std::string rate_text(std::uint64_t done, std::uint64_t total, base::Duration spent) {
  const double seconds = std::max(0.001, static_cast<double>(spent.count()) / 1000.0);
  const double rate = static_cast<double>(done) / seconds;
  std::string text = base::bytes_text(done);
  if (total > 0) text += " of " + base::bytes_text(std::max(done, total));
  text += fmt::format(", {}/s", base::bytes_text(static_cast<unsigned long long>(rate)));
  if (total > done && rate > 0) {
    const auto left = static_cast<long long>(static_cast<double>(total - done) / rate);
    text += fmt::format(", {} left", base::to_text(std::chrono::seconds(left)));
  }
  return text;
}

}  // namespace staithe::stage
