#include "file.hpp"
#include "known_hosts_line.hpp"
#include "ssh_config_text.hpp"

#include "staithe/base/digest.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/ssh/host_key.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

namespace staithe::ssh {
namespace {

constexpr std::size_t max_pinned_bytes = 64UL << 20U;
constexpr auto lock_retry = std::chrono::milliseconds(20);

base::Error file_failure(const std::string& path, int error_number) {
  const bool denied = error_number == EACCES || error_number == EPERM || error_number == EROFS;
  return base::system_error(denied ? base::ErrorCode::permission : base::ErrorCode::io, path, error_number);
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Where the bytes really stand, so that a rename does not replace a symbolic link by a file.
std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : path;
}

/// Holds FILE.lock, and takes the file away at the end. A process that dies lets go of it.
class FileLock {
 public:
  FileLock(std::string path, const base::Scope& scope) : path_(std::move(path)) {
    for (;;) {
      fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
      if (!fd_) throw file_failure(path_, errno);
      if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) {
        // The holder before us may have removed the name after we opened it: then this is the lock of
        // nothing.
        struct stat held {};
        struct stat named {};
        if (::fstat(fd_.get(), &held) == 0 && ::stat(path_.c_str(), &named) == 0 &&
            held.st_ino == named.st_ino && held.st_dev == named.st_dev)
          return;
        continue;
      }
      if (errno != EWOULDBLOCK && errno != EINTR) throw file_failure(path_, errno);
      scope.check("the lock on a known_hosts file");
      base::sleep_for(lock_retry, scope);
    }
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() { ::unlink(path_.c_str()); }

 private:
  std::string path_;
  base::UniqueFd fd_;
};

/// A temporary file that goes away unless it is renamed into its place.
class Replacement {
 public:
  explicit Replacement(std::string target) : target_(std::move(target)), path_(target_ + ".XXXXXX") {
    fd_.reset(::mkostemp(path_.data(), O_CLOEXEC));
    if (!fd_) throw file_failure(path_, errno);
    struct stat old {};
    if (::stat(target_.c_str(), &old) == 0) {
      // Owner first: chown clears mode bits. Without the right to it the file becomes ours, as with any
      // editor.
      if (::fchown(fd_.get(), old.st_uid, old.st_gid) != 0 && errno != EPERM)
        throw file_failure(path_, errno);
      if (::fchmod(fd_.get(), old.st_mode & 07777U) != 0) throw file_failure(path_, errno);
    }
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  ~Replacement() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  void commit(std::string_view content) {
    while (!content.empty()) {
      const ssize_t written = ::write(fd_.get(), content.data(), content.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) throw file_failure(path_, errno);
      content.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(fd_.get()) != 0) throw file_failure(path_, errno);
    if (::rename(path_.c_str(), target_.c_str()) != 0) throw file_failure(target_, errno);
    path_.clear();
    const base::UniqueFd directory(::open(directory_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory) ::fsync(directory.get());
  }

 private:
  std::string target_;
  std::string path_;
  base::UniqueFd fd_;
};

/// The new text of a file, worked out line by line.
class Edit {
 public:
  Edit(const std::vector<Pin>& pins, Existing existing, Hashing hashing)
      : pins_(pins), present_(pins.size(), false), existing_(existing), hashing_(hashing) {}

  /// `text` has its newline, except perhaps the last one.
  void line(std::string_view text) {
    const KnownHostsLine parsed = parse_known_hosts_line(text.substr(0, text.find('\n')));
    if (parsed.blank || !parsed.error.empty() || parsed.marker == Marker::authority) return keep(text);
    if (parsed.marker == Marker::revoked) {
      refuse_revoked(parsed);
      return keep(text);
    }
    note_present(parsed);
    if (existing_ == Existing::keep) return keep(text);
    parsed.hashed ? hashed_line(text, parsed) : plain_line(text, parsed);
  }

  void append_missing() {
    for (std::size_t i = 0; i < pins_.size(); ++i) {
      const auto same = [&](const Pin& other) {
        return other.name == pins_[i].name && other.key == pins_[i].key;
      };
      const bool repeated = std::any_of(pins_.begin(), pins_.begin() + static_cast<std::ptrdiff_t>(i), same);
      if (present_[i] || repeated) continue;
      if (!out_.empty() && !out_.ends_with('\n')) out_ += '\n';
      out_ += known_hosts_line(pins_[i], hashing_);
      ++result_.added;
    }
  }

  const std::string& text() const { return out_; }
  const PinResult& result() const { return result_; }

 private:
  void keep(std::string_view text) { out_ += text; }

  bool covers(const KnownHostsLine& line, const std::string& name) {
    if (line.hashed) return base::as_bytes(hmac_(line.salt, name)) == line.hash;
    return names_match(line.names, name);
  }

  void refuse_revoked(const KnownHostsLine& line) {
    for (const Pin& pin : pins_)
      if (pin.key == line.key && covers(line, pin.name))
        throw base::Error(base::ErrorCode::host_key,
                          fmt::format("the {} key {} of {} is revoked", type_label(pin.key.type),
                                      fingerprint(pin.key), pin.name));
  }

  void note_present(const KnownHostsLine& line) {
    for (std::size_t i = 0; i < pins_.size(); ++i)
      if (!present_[i] && pins_[i].key == line.key && covers(line, pins_[i].name)) present_[i] = true;
  }

  bool is_pinned(const std::string& name, const HostKey& key) const {
    return std::any_of(pins_.begin(), pins_.end(),
                       [&](const Pin& pin) { return pin.name == name && pin.key == key; });
  }

  void hashed_line(std::string_view text, const KnownHostsLine& line) {
    for (const Pin& pin : pins_) {
      if (!covers(line, pin.name)) continue;
      if (is_pinned(pin.name, line.key)) return keep(text);
      ++result_.removed;
      return;
    }
    keep(text);
  }

  /// Takes the pinned names off a line that holds another key; other names on it stay.
  void plain_line(std::string_view text, const KnownHostsLine& line) {
    std::vector<std::string> names = base::split(line.names, ',');
    const bool patterns = line.names.find_first_of("*?!") != std::string_view::npos;
    const auto before = names.size();
    if (!patterns)
      std::erase_if(names, [&](const std::string& listed) {
        const std::string name = config::lower(listed);
        const bool ours =
            std::any_of(pins_.begin(), pins_.end(), [&](const Pin& pin) { return pin.name == name; });
        return ours && !is_pinned(name, line.key);
      });
    if (names.size() == before) return keep(text);
    result_.removed += before - names.size();
    if (names.empty()) return;
    const auto start = static_cast<std::size_t>(line.names.data() - text.data());
    out_ += text.substr(0, start);
    out_ += base::join(names, ",");
    out_ += text.substr(start + line.names.size());
  }

  const std::vector<Pin>& pins_;
  std::vector<bool> present_;
  Existing existing_;
  Hashing hashing_;
  std::string out_;
  PinResult result_;
  base::HmacSha1 hmac_;
};

std::vector<Pin> checked(std::vector<Pin> pins) {
  for (Pin& pin : pins) {
    pin.name = config::lower(pin.name);
    const auto odd = [](char byte) { return static_cast<unsigned char>(byte) <= ' ' || byte == '\x7f'; };
    if (pin.name.empty() || pin.name.find_first_of(",*?!|#@") != std::string::npos ||
        std::any_of(pin.name.begin(), pin.name.end(), odd))
      throw base::Error(base::ErrorCode::invalid,
                        fmt::format("'{}' cannot be a name in known_hosts", pin.name));
    if (type_in_blob(pin.key.blob) != pin.key.type)
      throw base::Error(base::ErrorCode::invalid, fmt::format("the key of {} is damaged", pin.name));
  }
  return pins;
}

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw file_failure(path, errno);
}

}  // namespace

PinResult pin(const std::string& file, const std::vector<Pin>& pins, Existing existing, Hashing hashing,
              const base::Scope& scope) {
  const std::vector<Pin> wanted = checked(pins);
  const std::string path = real_path(file);
  make_directory(directory_of(path));
  const FileLock lock(path + ".lock", scope);
  const std::string old = read_regular_file(path, max_pinned_bytes).value_or("");
  Edit edit(wanted, existing, hashing);
  for (std::string_view rest = old; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size() - 1) + 1;
    edit.line(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  edit.append_missing();
  if (edit.text() != old) Replacement(path).commit(edit.text());
  return edit.result();
}

}  // namespace staithe::ssh
