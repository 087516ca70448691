#pragma once
#include "staithe/base/unique_fd.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace staithe::ssh {

/// Opens a file for reading; an empty UniqueFd says that there is none. Throws base::Error{permission, io}.
/// A FIFO or a terminal in the place of a file cannot block.
base::UniqueFd open_to_read(const std::string& path);

/// Everything that `fd` gives. Throws base::Error{io}, or {invalid} when it is more than `limit_bytes`.
std::string read_all_of(int fd, const std::string& path, std::size_t limit_bytes);

/// The content of a file; nullopt when there is none.
std::optional<std::string> read_regular_file(const std::string& path, std::size_t limit_bytes);

}  // namespace staithe::ssh
