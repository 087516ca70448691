#pragma once
#include <string>
#include <string_view>

namespace staithe::report {

enum class Sync { no, yes };

/// Puts `text` in place of the file, so that a reader sees the old or the new whole: a temporary name beside
/// it, rename, and with Sync::yes on the disk when this returns. Something that is no regular file (a pipe,
/// /dev/stdout) is written to as it is. Throws base::Error.
void replace_file(const std::string& path, std::string_view text, Sync sync);

/// Whether `path` is something other than a regular file or nothing.
bool is_special(const std::string& path);

}  // namespace staithe::report
