#include "staithe/playbook/files.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/unique_fd.hpp"

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace staithe::playbook {
namespace {

constexpr std::size_t max_text_bytes = 1024 * 1024;

/// A regular file, seen through memory: its size costs nothing.
class MappedFile {
 public:
  MappedFile(const std::string& path, std::string& why) {
    const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat facts {};
    if (!file || ::fstat(file.get(), &facts) != 0) {
      why = path + ": " + std::generic_category().message(errno);
      return;
    }
    if (!S_ISREG(facts.st_mode)) {
      why = path + " is not a file";
      return;
    }
    size_ = static_cast<std::size_t>(facts.st_size);
    good_ = size_ == 0;
    if (good_) return;
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
    good_ = data_ != MAP_FAILED;
    if (!good_) why = path + ": " + std::generic_category().message(errno);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (good_ && size_ > 0) ::munmap(data_, size_);
  }

  bool good() const { return good_; }
  std::string_view bytes() const {
    return size_ == 0 ? std::string_view() : std::string_view(static_cast<const char*>(data_), size_);
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
  bool good_ = false;
};

std::optional<std::string> read_text(const std::string& path, std::string& why) {
  const MappedFile file(path, why);
  if (!file.good()) return std::nullopt;
  if (file.bytes().size() > max_text_bytes) {
    why = path + " is larger than 1 MiB";
    return std::nullopt;
  }
  return std::string(file.bytes());
}

std::optional<std::string> digest(const std::string& path, std::string& why) {
  const MappedFile file(path, why);
  if (!file.good()) return std::nullopt;
  return base::sha256_hex(file.bytes());
}

std::vector<std::string> matching(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0)
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      struct stat facts {};
      if (::stat(found.gl_pathv[i], &facts) == 0 && S_ISREG(facts.st_mode))
        paths.emplace_back(found.gl_pathv[i]);
    }
  ::globfree(&found);
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::optional<std::string> find_project(const std::string& directory) {
  std::string at = directory;
  for (;;) {
    const std::string candidate = at == "/" ? "/staithe.yml" : at + "/staithe.yml";
    if (::access(candidate.c_str(), F_OK) == 0) return candidate;
    if (at.empty() || at == "/") return std::nullopt;
    const std::size_t slash = at.rfind('/');
    if (slash == std::string::npos) return std::nullopt;
    at = slash == 0 ? "/" : at.substr(0, slash);
  }
}

steps::Files disk_files() {
  return {read_text, digest, matching};
}

}  // namespace staithe::playbook
