#include "staithe/base/error.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/yaml/node.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace staithe::yaml {
namespace {

base::ErrorCode code_of(int error_number) {
  if (error_number == ENOENT || error_number == ENOTDIR) return base::ErrorCode::not_found;
  if (error_number == EACCES || error_number == EPERM) return base::ErrorCode::permission;
  return base::ErrorCode::io;
}

}  // namespace

std::optional<Node> load(const std::string& file, diag::Diagnostics& diagnostics) {
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw base::system_error(code_of(errno), file, errno);
  std::string text;
  std::array<char, 65536> buffer;
  // One byte over the limit is enough for parse() to see that there is too much.
  while (text.size() <= max_file_bytes) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw base::system_error(code_of(errno), file, errno);
    if (got == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return parse(text, file, diagnostics);
}

}  // namespace staithe::yaml
