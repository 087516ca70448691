#pragma once
#include "staithe/base/cancel.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Programs on this machine.
namespace staithe::proc {

enum class Stream { out, err, channel };

/// Gets every byte as it comes, on the thread that called run(). When it throws, the process group is killed
/// and the exception is passed on.
using OutputSink = std::function<void(Stream, std::string_view bytes)>;

/// What to run: `argv`, or when that is empty `script` by `sh -c`.
struct Command {
  std::vector<std::string> argv;  ///< argv[0] without a slash is looked up in PATH
  std::string script;
  /// Added to the inherited environment. The place for secret values: they never stand in argv.
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> unset;  ///< variables that are not inherited
  std::string directory;           ///< empty: the current one
  std::string input;               ///< standard input; empty: /dev/null
  /// Not empty: the program gets one more pipe to write to, and this variable holds the number of its
  /// descriptor. What it writes there goes to the sink alone, as Stream::channel; Exit keeps nothing of it.
  std::string channel_variable;
  std::size_t keep_bytes = 64 * 1024;  ///< how much of each stream Exit keeps: half head, half tail
  base::Duration term_grace{2000};     ///< between SIGTERM and SIGKILL
};

/// How a program ended.
struct Exit {
  int status = -1;  ///< 0..255; -1 when a signal ended it
  int signal = 0;   ///< the signal that ended it, or 0
  std::string out;  ///< kept standard output; "\n… N bytes left out …\n" stands where it was cut
  std::string err;  ///< kept standard error, likewise
  std::uint64_t out_bytes = 0;  ///< written in all
  std::uint64_t err_bytes = 0;
  base::Duration duration{0};
  bool left_running = false;  ///< a descendant still held an output pipe when listening stopped

  bool ok() const noexcept { return status == 0; }
  /// "exit status 3" or "killed by SIGKILL".
  std::string text() const;
};

/// "SIGTERM"; "signal 40" for one without a name.
std::string signal_name(int number);

/// Runs a program in a session and process group of its own (it cannot prompt on the terminal) and blocks
/// until it has ended and its output is read; output that a descendant holds open is given 300 ms. Callable
/// from any thread.
///
/// When the scope is cancelled or expires the whole group gets SIGTERM, after `term_grace` SIGKILL, and
/// Error{cancelled} or Error{timeout} is thrown once the program is gone. A program that dies by SIGTERM,
/// SIGHUP or SIGINT while the scope may be cancelled is held for 250 ms before it is judged: whoever aborts a
/// job often signals children first. Error{not_found}: no such program or directory; Error{permission}: not
/// executable; Error{invalid}: a NUL byte or a bad variable name; Error{failed}: it could not be started.
Exit run(const Command& command, const OutputSink& sink, const base::Scope& scope);
Exit run(const Command& command, const base::Scope& scope);

/// The full path of a program as run() would find it, or empty.
std::string find_program(const std::string& name);

}  // namespace staithe::proc
