#include "staithe/report/output.hpp"

#include "behind.hpp"
#include "columns.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace staithe::report {
namespace {

/// Rows that `line` takes now. A terminal made narrower after the drawing has wrapped it.
unsigned rows_of(std::string_view line, unsigned columns) {
  const unsigned width = columns_of(line);
  return columns == 0 || width == 0 ? 1 : (width + columns - 1) / columns;
}

using Clock = std::chrono::steady_clock;

}  // namespace

Output::Output(int fd) : fd_(fd) {}
Output::~Output() {
  write_through();
}

void Output::write_behind(std::size_t most_bytes, std::function<std::string(std::size_t)> gap) {
  // A terminal says that it has room when it has some, and blocks who writes more. Its mode belongs to all
  // who have it open, so it is opened once more.
  if (::isatty(fd_) == 1)
    patient_.reset(
        ::open(fmt::format("/proc/self/fd/{}", fd_).c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  careful_ = true;
  behind_ = std::make_unique<Behind>([this](std::string_view text) { write_now(text); }, std::move(gap),
                                     most_bytes);
}

void Output::write_through() {
  if (!behind_) return;
  give_up_at_ = (Clock::now() + std::chrono::seconds(2)).time_since_epoch().count();
  behind_.reset();
  careful_ = false;
  give_up_at_ = 0;
  patient_.reset();
}

bool Output::late() const noexcept {
  const auto end = give_up_at_.load();
  return end != 0 && Clock::now().time_since_epoch().count() > end;
}

bool Output::may_send() noexcept {
  for (;;) {
    const bool last = late();
    pollfd room{fd_, POLLOUT, 0};
    if (::poll(&room, 1, last ? 0 : 200) != 0) return true;
    if (last) return false;
  }
}

void Output::send(std::string_view bytes) noexcept {
  while (!bytes.empty() && error_ == 0) {
    if (careful_ && !may_send()) {
      error_ = ETIMEDOUT;
      return;
    }
    // A pipe that has room has it for this much at least: the write does not block.
    const auto written = ::write(patient_ ? patient_.get() : fd_, bytes.data(),
                                 careful_ ? std::min<std::size_t>(bytes.size(), PIPE_BUF) : bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN && patient_ && !late()) {
      // There is room, but not for this: looking on at once would take a processor.
      ::poll(nullptr, 0, 20);
      continue;
    }
    if (written <= 0) {
      error_ = written < 0 ? errno : EIO;
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
    cut_ = !bytes.empty();
  }
}

/// Moves the cursor to where the status begins; `clear` takes away what is there.
std::string Output::erasure(bool clear) const {
  if (shown_.empty()) return {};
  winsize size{};
  const unsigned columns = ::ioctl(fd_, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
  unsigned rows = 0;
  for (const auto& line : shown_) rows += rows_of(line, columns);
  // With wrapped rows the new lines would not overwrite the old ones.
  return fmt::format("\r\x1b[{}A{}", rows, clear || rows != shown_.size() ? "\x1b[J" : "");
}

void Output::write(std::string_view text) noexcept {
  if (text.empty()) return;
  if (behind_)
    behind_->add(text);
  else
    write_now(text);
}

void Output::write_now(std::string_view text) noexcept {
  const std::lock_guard lock(mutex_);
  if (goes_on_ && error_ != 0) {
    error_ = 0;
    if (cut_) send("\n");
    if (error_ == 0) cut_ = false;
  }
  if (status_.empty() && shown_.empty()) {
    mid_line_ = text.back() != '\n';
    send(text);
    return;
  }
  std::string bytes = erasure(true);
  bytes += text;
  mid_line_ = text.back() != '\n';
  shown_.clear();
  if (may_show()) {
    shown_ = status_;
    for (const auto& line : shown_) bytes += line + "\n";
  }
  send(bytes);
}

void Output::set_status(std::vector<std::string> lines) noexcept {
  const std::lock_guard lock(mutex_);
  status_ = std::move(lines);
  if (!may_show()) {
    send(erasure(true));
    shown_.clear();
    return;
  }
  if (status_ == shown_) return;
  // Line over line, not cleared first: that would flicker.
  std::string bytes = erasure(false);
  for (const auto& line : status_) bytes += line + "\x1b[K\n";
  if (shown_.size() > status_.size()) bytes += "\x1b[J";
  shown_ = status_;
  send(bytes);
}

Output::Pause::Pause(Output& output) noexcept : output_(output) {
  const std::lock_guard lock(output_.mutex_);
  ++output_.paused_;
  output_.send(output_.erasure(true));
  output_.shown_.clear();
}

Output::Pause::~Pause() {
  // The next drawing shows it again: the sink draws five times a second.
  const std::lock_guard lock(output_.mutex_);
  --output_.paused_;
}

}  // namespace staithe::report
