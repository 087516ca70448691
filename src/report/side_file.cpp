#include "side_file.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace staithe::report {
namespace {

[[noreturn]] void fail(const std::string& path, int error) {
  throw base::system_error(base::ErrorCode::io, path, error);
}

void write_all(int fd, const std::string& path, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(path, written < 0 ? errno : EIO);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void sync_directory(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const base::UniqueFd directory(
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot: the rename is done all the same.
  if (directory) ::fsync(directory.get());
}

/// What goes wrong is told of the file that was meant: of this one nobody knows.
void write_aside(const std::string& temporary, const std::string& target, std::string_view text, Sync sync) {
  constexpr mode_t permissions = 0666;
  // O_EXCL: in a directory that others write to, a link may be lying in wait.
  ::unlink(temporary.c_str());
  const base::UniqueFd file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, permissions));
  if (!file) fail(target, errno);
  write_all(file.get(), target, text);
  if (sync == Sync::yes && ::fsync(file.get()) != 0) fail(target, errno);
}

}  // namespace

bool is_special(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode);
}

void replace_file(const std::string& path, std::string_view text, Sync sync) {
  if (is_special(path)) {
    // Without O_NONBLOCK the open of a FIFO that nobody reads would never return.
    const base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) fail(path, errno);
    ::fcntl(file.get(), F_SETFL, 0);
    return write_all(file.get(), path, text);
  }
  std::error_code none;
  const auto real = std::filesystem::canonical(path, none);
  const std::string target = none ? path : real.string();
  const std::string temporary = target + "." + std::to_string(::getpid()) + ".tmp";
  try {
    write_aside(temporary, target, text, sync);
    if (::rename(temporary.c_str(), target.c_str()) != 0) fail(target, errno);
  } catch (const base::Error&) {
    ::unlink(temporary.c_str());
    throw;
  }
  if (sync == Sync::yes) sync_directory(target);
}

}  // namespace staithe::report
