#pragma once
#include "staithe/base/duration.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace staithe::ssh {

enum class Stream { out, err };

/// Receives output as it arrives, in pieces of any size. Called in the thread that runs the command. What it
/// throws ends the command as a stop would, and comes out of run().
using OutputSink = std::function<void(Stream, std::string_view bytes)>;

/// A POSIX shell script for a host. It runs as `sh -c SCRIPT` under a leash: a small shell on the host that
/// ends the script's whole process group (TERM, after 3 s KILL) when the connection or the channel goes.
struct Command {
  std::string script;
  /// Environment variables of the script. The values travel on standard input, never in a command line.
  /// Names are [A-Za-z_][A-Za-z0-9_]*; values hold any byte but NUL.
  std::vector<std::pair<std::string, std::string>> inputs;
  /// What the script reads on its standard input (it passes through an unlinked file in the host's TMPDIR);
  /// empty: /dev/null.
  std::string stdin_bytes;
  /// The channel of the next command is asked for while this one runs, which saves that one a round trip.
  bool more_follow = true;
  base::Duration silence_timeout{0};     ///< longest time without output; zero: no limit
  std::size_t keep_bytes = 64U * 1024U;  ///< of each stream: what fits of head and tail stays in Exit
};

/// How a command ended and what it said.
struct Exit {
  int status = -1;     ///< exit status; -1 when a signal ended the script
  std::string signal;  ///< "KILL", "TERM"…: the signal that ended the script; empty when it exited
  /// Head and tail of each stream, raw; between them, when truncated, a line says how much is missing.
  std::string out, err;
  std::uint64_t out_bytes = 0, err_bytes = 0;  ///< all that came
  bool out_truncated = false, err_truncated = false;

  bool ok() const noexcept { return status == 0; }
};

/// "status 3" or "signal KILL".
std::string describe(const Exit& exit);

/// The exact text that the server is asked to execute for `command`. It holds the script and the names of
/// the inputs, never their values. Throws base::Error{invalid}: a NUL byte, a bad input name, or a script too
/// long for one argument of a Linux process (128 KiB, quoting included).
std::string leash(const Command& command);

/// A file to be written on a host.
struct Upload {
  std::string path;        ///< absolute, or relative to the login directory; the directory must exist
  unsigned mode = 0644;    ///< permission bits
  std::uint64_t size = 0;  ///< exactly what `read` will give
  /// The next bytes, at most `capacity`; 0 before `size` bytes have come means that the source is shorter
  /// than was said, which fails the upload. May throw.
  std::function<std::size_t(char* buffer, std::size_t capacity)> read;
  std::function<void(std::uint64_t sent_bytes)> progress;  ///< may be null

  /// An upload of a text that outlives it.
  static Upload of(std::string path, std::string_view bytes, unsigned mode = 0644);
};

/// The exact text that the server is asked to execute for `upload`.
std::string leash(const Upload& upload);

}  // namespace staithe::ssh
