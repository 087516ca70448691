#pragma once
#include "staithe/base/cancel.hpp"

#include <optional>
#include <string>

namespace staithe::cli {

enum class ColorChoice { automatic, always, never };

/// What the three standard streams are, and what may be done with them.
struct Terminal {
  bool stdin_tty = false;
  bool stdout_tty = false;
  bool stderr_tty = false;
  bool dumb = false;   ///< TERM is unset or "dumb"
  bool in_ci = false;  ///< CI or JENKINS_URL is set: no redrawing

  static Terminal of_process();

  /// By --color, then NO_COLOR, CLICOLOR_FORCE, FORCE_COLOR, then the stream itself.
  bool color(ColorChoice choice, bool stream_is_tty) const;
  bool may_prompt() const { return stdin_tty && stderr_tty; }
  bool may_redraw() const { return stderr_tty && !dumb && !in_ci; }
};

/// To be called before anything is opened: the number of a standard stream that the caller closed would go to
/// the next file or socket, and what is printed with it. It reads as empty, and a write to it fails, from now
/// on.
void keep_standard_streams();

/// Columns of the terminal behind stderr; 80 when there is none.
unsigned terminal_width();
/// Rows of it; 24 when there is none.
unsigned terminal_height();

/// Writes the question to stderr and reads one line from stdin; nullopt at end of file, when
/// cancelled or at the deadline (a day, where only a canceller is given).
std::optional<std::string> ask_line(const std::string& question, const base::Scope& scope);
std::optional<std::string> ask_line(const std::string& question, const base::Cancel* cancel);
/// The same without echo.
std::optional<std::string> ask_hidden(const std::string& question, const base::Cancel* cancel);

}  // namespace staithe::cli
