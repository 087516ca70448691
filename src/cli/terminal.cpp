#include "terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace staithe::cli {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

void print(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Turns echo off for its lifetime.
class NoEcho {
 public:
  NoEcho() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~NoEcho() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

}  // namespace

Terminal Terminal::of_process() {
  const char* term = std::getenv("TERM");
  Terminal terminal;
  terminal.stdin_tty = ::isatty(STDIN_FILENO) == 1;
  terminal.stdout_tty = ::isatty(STDOUT_FILENO) == 1;
  terminal.stderr_tty = ::isatty(STDERR_FILENO) == 1;
  terminal.dumb = term == nullptr || *term == '\0' || std::string_view(term) == "dumb";
  terminal.in_ci = is_set("CI") || is_set("JENKINS_URL");
  return terminal;
}

bool Terminal::color(ColorChoice choice, bool stream_is_tty) const {
  if (choice != ColorChoice::automatic) return choice == ColorChoice::always;
  if (is_set("NO_COLOR")) return false;
  if (is_set("CLICOLOR_FORCE") || is_set("FORCE_COLOR")) return true;
  return stream_is_tty && !dumb;
}

void keep_standard_streams() {
  // The lowest free number is the one that is missing.
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) == -1) (void)::open("/dev/null", O_RDONLY);
}

unsigned terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

unsigned terminal_height() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
  return 24;
}

std::optional<std::string> ask_line(const std::string& question, const base::Cancel* cancel) {
  return ask_line(question, base::Scope::lasting(std::chrono::hours(24), cancel));
}

std::optional<std::string> ask_line(const std::string& question, const base::Scope& scope) {
  constexpr std::size_t longest = 4096;
  print(question);
  std::string line;
  while (line.size() < longest) {
    if (base::wait_for(STDIN_FILENO, POLLIN, scope) != base::Woke::ready) return std::nullopt;
    char byte = 0;
    if (::read(STDIN_FILENO, &byte, 1) != 1) return std::nullopt;
    if (byte == '\n') return line;
    line += byte;
  }
  return std::nullopt;
}

std::optional<std::string> ask_hidden(const std::string& question, const base::Cancel* cancel) {
  std::optional<std::string> line;
  {
    const NoEcho quiet;
    line = ask_line(question, cancel);
  }
  print("\n");
  return line;
}

}  // namespace staithe::cli
