#pragma once
#include <functional>
#include <string>
#include <string_view>

/// The diagnostic log: a file for whoever looks for a defect, never what users see. Off until open(). Every
/// function may be called from any thread; writing never throws.
namespace staithe::log {

enum class Level { debug, info, warn, error, off };

/// Changes a message before it is written (redaction). When it throws, the message is dropped.
using Filter = std::function<std::string(std::string_view)>;

/// Appends to `file` (mode 0600) from now on; at 10 MiB it is renamed to NAME.1.EXT and begun anew, with two
/// old ones kept. Replaces an open log. Throws std::system_error when the file cannot be opened.
void open(const std::string& file, Level level);
void close() noexcept;
void set_filter(Filter filter);

/// For messages that cost something to build.
bool enabled(Level level) noexcept;

/// One line each, with UTC time, level and thread; control characters are escaped, over 16 KiB is cut. A full
/// disk loses lines, nothing else.
void debug(std::string_view message) noexcept;
void info(std::string_view message) noexcept;
void warn(std::string_view message) noexcept;
void error(std::string_view message) noexcept;

}  // namespace staithe::log
