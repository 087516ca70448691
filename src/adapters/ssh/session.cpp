#include "capture.hpp"
#include "leash.hpp"
#include "session_impl.hpp"

#include <fmt/format.h>

namespace staithe::ssh {
namespace {

using base::Error;
using base::ErrorCode;
using Clock = std::chrono::steady_clock;

/// How long output may still come after the exit status when a process left in the background holds it open.
constexpr base::Duration output_grace{300};
/// How long a stop waits for the news that the process group is gone.
constexpr base::Duration stop_grace{300};
/// How long a server without free channels is asked again: it frees them a moment after they are closed.
constexpr base::Duration channel_patience{3000};
constexpr base::Duration channel_pause{25};

}  // namespace

/// A text that is at hand whole.
class SessionImpl::TextFeed final : public Feed {
 public:
  explicit TextFeed(const Command& command) : lines_(encode_inputs(command)), payload_(command.stdin_bytes) {}

  std::string_view next() override {
    const std::string_view lines = std::string_view(lines_).substr(std::min(sent_, lines_.size()));
    if (!lines.empty()) return lines;
    return payload_.substr(std::min(sent_ - lines_.size(), payload_.size()));
  }
  void sent(std::size_t bytes) override { sent_ += bytes; }

 private:
  std::string lines_;
  std::string_view payload_;
  std::size_t sent_ = 0;
};

std::unique_ptr<Channel> SessionImpl::open_channel(Channel::Receive receive, const base::Scope& scope) {
  const auto began = Clock::now();
  link().hold_back();
  retired_.clear();
  for (;;) {
    scope.check("opening a channel");
    if (broken_ || !link().connected()) throw Error(ErrorCode::io, "connection lost: " + link().reason());
    const bool spare = spare_ != nullptr;
    auto channel = spare ? std::move(spare_) : std::make_unique<Channel>(link());
    channel->set_receiver(receive);
    const auto step = [&] {
      const int result = channel->open_session();
      // A command that has run has made the server send small answers at once.
      if (connection_.timings.first_command.count() == 0) link().quick_ack();
      return result;
    };
    int result = SSH_ERROR;
    try {
      result = link().drive(step, SSH_AGAIN, scope, "opening a channel");
    } catch (const Error&) {
      broken_ = true;  // the answer is still to come, and libssh would have nowhere to put it
      throw;
    }
    if (result == SSH_OK && !channel->closed()) return channel;
    if (spare && link().connected()) {
      spares_denied_ = true;
      continue;
    }
    const Error denied = link().failure(ErrorCode::channel_denied, "opening a channel");
    if (!link().connected() || Clock::now() - began > channel_patience) throw denied;
    channel.reset();
    base::sleep_for(channel_pause, scope);
  }
}

void SessionImpl::prepare_spare() {
  if (spare_ != nullptr || spares_denied_) return;
  spare_ = std::make_unique<Channel>(link());
  spare_->open_session();
}

void SessionImpl::feed_some(Channel& channel, Feed& feed) {
  for (;;) {
    const std::string_view bytes = feed.next();
    if (bytes.empty()) return;
    const std::size_t count = channel.write_some(bytes);
    if (count == 0) return;
    feed.sent(count);
  }
}

void SessionImpl::start(Channel& channel, const std::string& text, Feed& feed, const Command& limits,
                        const base::Scope& scope) {
  const auto step = [&] {
    const int result = channel.request_exec(text);
    if (result == SSH_AGAIN && limits.more_follow) prepare_spare();
    if (result != SSH_ERROR) feed_some(channel, feed);
    return result;
  };
  if (link().drive(step, SSH_AGAIN, scope, "starting the command") == SSH_OK) return;
  throw link().failure(ErrorCode::permission, "the server does not run commands");
}

void SessionImpl::attend(Channel& channel, Feed& feed, const Command& limits,
                         const base::SteadyTime& last_output, const base::Scope& scope) {
  while (!channel.finished() && !channel.closed()) {
    if (!link().connected()) throw Error(ErrorCode::io, "connection lost: " + link().reason());
    feed_some(channel, feed);
    base::Scope watch = scope;
    const bool silence_counts = limits.silence_timeout > base::Duration::zero();
    if (silence_counts) watch.deadline = std::min(scope.deadline, last_output + limits.silence_timeout);
    try {
      link().turn(watch, "the command");
    } catch (const Error& error) {
      if (error.code() != ErrorCode::timeout || scope.expired() || !silence_counts) throw;
      throw Error(ErrorCode::timeout, fmt::format("no output for {}", base::to_text(limits.silence_timeout)));
    }
    channel.rethrow();
  }
}

void SessionImpl::attend_closing(Channel& channel, const Clock::duration& held, const base::Scope& scope) {
  // The status is there; a stop or a deadline that comes now no longer changes what happened.
  const auto enough = Clock::now() + output_grace - held;
  while (!channel.ended() && link().connected()) {
    const base::Scope grace{std::min(scope.deadline, enough + held), nullptr};
    try {
      link().turn(grace, "the end of the output");
    } catch (const Error&) {
      break;
    }
  }
  channel.rethrow();
}

void SessionImpl::stop(Channel& channel) noexcept {
  try {
    if (!link().connected() || channel.closed()) return;
    channel.send_eof();
    const base::Scope grace = base::Scope::lasting(stop_grace);
    while (!channel.closed() && link().connected()) link().turn(grace, "the end of the command");
  } catch (const std::exception&) {
    // It has not ended yet; the leash goes on without us.
  }
}

Exit SessionImpl::perform(const std::string& text, Feed& feed, const Command& limits, const OutputSink& sink,
                          const base::Scope& scope) {
  const auto began = Clock::now();
  Capture out(limits.keep_bytes), err(limits.keep_bytes);
  base::SteadyTime last_output = began;
  Clock::duration held{};  // by the sink, which waits for who reads the output
  auto channel = open_channel(
      [&](Stream stream, std::string_view bytes) {
        const auto came = Clock::now();
        (stream == Stream::out ? out : err).add(bytes);
        if (sink) sink(stream, bytes);
        last_output = Clock::now();
        held += last_output - came;
        return bytes.size();
      },
      scope);
  try {
    start(*channel, text, feed, limits, scope);
    last_output = Clock::now();
    attend(*channel, feed, limits, last_output, scope);
    attend_closing(*channel, held, scope);
  } catch (...) {
    // Who is to stop does not wait for a reader of output.
    channel->set_receiver([](Stream, std::string_view bytes) { return bytes.size(); });
    stop(*channel);
    throw;
  }
  if (!channel->finished())
    throw Error(ErrorCode::io, "the command's exit status is lost: the server closed the channel without it");
  if (connection_.timings.first_command.count() == 0)
    connection_.timings.first_command =
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began);
  Exit exit;
  exit.status = channel->status().value_or(-1);
  exit.signal = channel->signal();
  exit.out = out.text();
  exit.err = err.text();
  exit.out_bytes = out.total();
  exit.err_bytes = err.total();
  exit.out_truncated = out.truncated();
  exit.err_truncated = err.truncated();
  channel->set_receiver(nullptr);
  if (channel->closed()) retired_.push_back(std::move(channel));
  return exit;
}

Exit SessionImpl::run(const Command& command, const OutputSink& sink, const base::Scope& scope) {
  const std::string text = leash(command);
  TextFeed feed(command);
  return perform(text, feed, command, sink, scope);
}

}  // namespace staithe::ssh
