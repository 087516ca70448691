#include "file.hpp"

#include "staithe/base/error.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace staithe::ssh {

base::UniqueFd open_to_read(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd && errno != ENOENT && errno != ENOTDIR)
    throw base::system_error(errno == EACCES ? base::ErrorCode::permission : base::ErrorCode::io, path,
                             errno);
  return fd;
}

std::string read_all_of(int fd, const std::string& path, std::size_t limit_bytes) {
  std::string out;
  std::vector<char> buffer(65536);
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0) return out;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw base::system_error(base::ErrorCode::io, path, errno);
    out.append(buffer.data(), static_cast<std::size_t>(got));
    if (out.size() > limit_bytes)
      throw base::Error(base::ErrorCode::invalid, fmt::format("{}: larger than {} bytes", path, limit_bytes));
  }
}

std::optional<std::string> read_regular_file(const std::string& path, std::size_t limit_bytes) {
  const base::UniqueFd fd = open_to_read(path);
  if (!fd) return std::nullopt;
  return read_all_of(fd.get(), path, limit_bytes);
}

}  // namespace staithe::ssh
