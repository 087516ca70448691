#include "secret_file.hpp"

#include "staithe/base/error.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace staithe::world {
namespace {

using base::ErrorCode;

constexpr std::size_t longest_secret = 64 * 1024;

base::Error wrong(const std::string& path, int error_number) {
  return base::system_error(ErrorCode::not_found, "secret file " + path, error_number);
}

}  // namespace

std::string read_secret_file(const std::string& path, const base::Scope& scope) {
  // Without blocking: an open of a pipe that nobody writes to would hear neither a stop nor the time.
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file) throw wrong(path, errno);
  std::string text;
  char buffer[4096];
  while (text.size() <= longest_secret) {
    if (base::wait_for(file.get(), POLLIN, scope) != base::Woke::ready)
      scope.check(("secret file " + path).c_str());
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count == 0) return text;
    if (count > 0)
      text.append(buffer, static_cast<std::size_t>(count));
    else if (errno != EINTR && errno != EAGAIN)
      throw wrong(path, errno);
  }
  throw base::Error(ErrorCode::invalid, "secret file " + path + " is larger than 64 KiB");
}

std::string unreadable(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return wrong(path, errno).what();
  if (S_ISDIR(found.st_mode)) return wrong(path, EISDIR).what();
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0) return wrong(path, errno).what();
  return {};
}

}  // namespace staithe::world
