#include "leash.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::ssh {
namespace {

using base::Error;
using base::ErrorCode;

/// MAX_ARG_STRLEN of Linux: the server passes the whole text to the login shell as one argument.
constexpr std::size_t most_bytes = 128U * 1024U - 1;

// How the leash works. The server starts the login shell as the leader of a session and a process group of
// its own; `exec sh` keeps that, so $$ below names the group. A watcher in the background reads the channel's
// input. While we live we send nothing there but names of signals for the group; when the channel or the
// connection goes, it ends, and the watcher ends the group. When the script has ended first, the server
// closes the input too: then the group's leader is gone, and what it left running on purpose is let be. (The
// number of a process group is not given to a new process while the group has members, and the watcher is
// one.) The script itself is exec'ed in the foreground: its exit status and signal are the channel's own, and
// it does not inherit the ignored SIGINT that POSIX gives to background jobs. The watcher is a grandchild, so
// that a script that waits for all its children does not wait for it. The script comes in a variable, not as
// an argument: a `pgrep -f` in it would find the watcher's command line.
constexpr std::string_view watcher =
    "({ trap \"\" TERM HUP INT\n"
    "k() { kill -$1 -$$ || kill -$1 $$; }\n"
    "while read -r s; do k \"$s\"; done\n"
    "kill -0 $$ || exit\n"
    "k TERM; sleep 3; k KILL; } <&3 3<&- >/dev/null 2>&1 &)\n"
    "exec 3<&-\n";

constexpr std::string_view opening = "exec 3<&0 </dev/null\n";

bool is_name(std::string_view name) {
  const auto letter = [](char c) { return base::is_alpha(c) || c == '_'; };
  return !name.empty() && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void refuse_nul(std::string_view text, std::string_view what) {
  if (text.find('\0') != std::string_view::npos)
    throw Error(ErrorCode::invalid, fmt::format("a NUL byte in {}", what));
}

/// Reads one line for each input. Only values with a backslash in them need decoding.
std::string reader(const Command& command) {
  if (command.inputs.empty()) return {};
  std::string text =
      "i() { IFS= read -r staithe_v <&3 || exit 125\n"
      "case $staithe_v in *\\\\*) staithe_v=$(printf %b. \"$staithe_v\"); staithe_v=${staithe_v%.};; esac; "
      "}\n";
  for (const auto& [name, value] : command.inputs) {
    if (!is_name(name)) throw Error(ErrorCode::invalid, fmt::format("'{}' cannot name an input", name));
    text += fmt::format("i; {0}=$staithe_v; export {0}\n", name);
  }
  return text + "unset staithe_v\n";
}

/// Puts the script's standard input into a file that has no name any more.
std::string intake(std::size_t size) {
  return fmt::format(
      "f=$(mktemp) && head -c {0} <&3 >\"$f\" && exec <\"$f\" || {{ rm -f \"$f\"; exit 125; }}\n"
      "s=$(wc -c <\"$f\"); rm -f \"$f\"; [ \"$s\" -eq {0} ] || exit 125; unset f s\n",
      size);
}

std::string bounded(std::string text) {
  if (text.size() > most_bytes)
    throw Error(ErrorCode::invalid, fmt::format("the script is too long to be a command: {} of at most {}",
                                                base::bytes_text(text.size()), base::bytes_text(most_bytes)));
  return text;
}

/// What runs the script, as one word of the shell.
std::string quoted_body(const Command& command) {
  return base::shell_quote("set -- \"$STAITHE_SCRIPT\"; unset STAITHE_SCRIPT\n" + std::string(opening) +
                           reader(command) +
                           (command.stdin_bytes.empty() ? "" : intake(command.stdin_bytes.size())) +
                           std::string(watcher) + "exec sh -c \"$1\"");
}

}  // namespace

std::string leash(const Command& command) {
  refuse_nul(command.script, "the script");
  static const std::string without_inputs = quoted_body({});
  const bool usual = command.inputs.empty() && command.stdin_bytes.empty();
  return bounded(base::shell_quote(command.script)
                     .insert(0, "STAITHE_SCRIPT=")
                     .append("; export STAITHE_SCRIPT; exec sh -c ")
                     .append(usual ? without_inputs : quoted_body(command))
                     .append(" staithe-leash"));
}

std::string leash(const Upload& upload) {
  refuse_nul(upload.path, "the path");
  if (upload.path.empty() || upload.path.back() == '/')
    throw Error(ErrorCode::invalid, fmt::format("'{}' cannot name a file", upload.path));
  if (upload.mode > 07777) throw Error(ErrorCode::invalid, fmt::format("mode {:o}", upload.mode));
  // A name that begins with '-' would be an option.
  const std::string path = upload.path.starts_with('/') ? upload.path : "./" + upload.path;
  const std::string directory = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
  const std::string body =
      std::string(opening) +
      fmt::format(
          "export LC_ALL=C\n"
          "[ ! -d \"$1\" ] || {{ echo \"$1: Is a directory\" >&2; exit 1; }}\n"
          "t=$1.staithe-$$\n"
          // PIPE: when the connection is gone, dash would die of telling it that a child was ended.
          "trap 'rm -f \"$t\"' EXIT; trap 'exit 143' TERM HUP; trap '' PIPE\n"
          "umask 077\n"
          "head -c {} <&3 >\"$t\" && IFS= read -r w <&3 || exit 1\n",
          upload.size) +
      std::string(watcher) +
      fmt::format(
          "h=$(sha256sum <\"$t\") || exit 1\n"
          "[ \"${{h%% *}}\" = \"$w\" ] || {{ echo \"$1: checksum differs after the transfer\" >&2; exit 1; "
          "}}\n"
          "chmod {:04o} \"$t\" && {{ sync \"$t\" 2>/dev/null || sync; }} && mv -f \"$t\" \"$1\" || exit 1\n"
          "trap - EXIT; sync \"$2\" 2>/dev/null || sync",
          upload.mode);
  return bounded(fmt::format("exec sh -c {} staithe-upload {} {}", base::shell_quote(body),
                             base::shell_quote(path), base::shell_quote(directory)));
}

std::string encode_inputs(const Command& command) {
  std::string text;
  for (const auto& [name, value] : command.inputs) {
    refuse_nul(value, fmt::format("the value of {}", name));
    for (const char c : value) {
      if (c == '\\')
        text += "\\\\";
      else if (c == '\n')
        text += "\\n";
      else
        text += c;
    }
    text += '\n';
  }
  return text;
}

std::string describe(const Exit& exit) {
  return exit.signal.empty() ? fmt::format("status {}", exit.status) : fmt::format("signal {}", exit.signal);
}

Upload Upload::of(std::string path, std::string_view bytes, unsigned mode) {
  Upload upload;
  upload.path = std::move(path);
  upload.mode = mode;
  upload.size = bytes.size();
  upload.read = [bytes](char* buffer, std::size_t capacity) mutable {
    const std::size_t count = bytes.copy(buffer, capacity);
    bytes.remove_prefix(count);
    return count;
  };
  return upload;
}

}  // namespace staithe::ssh
