#include "process.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <pwd.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

namespace staithe::store {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "?";
}

/// The inode of the pid namespace: in another container the same number is another process.
std::string pid_namespace() {
  char target[64] = {};
  const ssize_t size = ::readlink("/proc/self/ns/pid", target, sizeof target - 1);
  return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : "?";
}

struct ProcStat {
  char state = '?';
  std::string start;  ///< clock ticks since boot
};

/// Empty start: not there, or not to be seen. proc(5): the name in parentheses may itself hold any byte.
ProcStat stat_of(long pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t close = text.rfind(')');
  if (close == std::string::npos || close + 2 >= text.size()) return {};
  const auto fields = base::split(std::string_view(text).substr(close + 2), ' ');
  constexpr std::size_t start_field = 22 - 3;  // field 3, the state, is the first one here
  if (fields.size() <= start_field) return {};
  return {fields[0].empty() ? '?' : fields[0][0], fields[start_field]};
}

std::string machine_prefix() {
  static const std::string prefix =
      first_line("/proc/sys/kernel/random/boot_id") + "|" + pid_namespace() + "|" + host_name() + "|";
  return prefix;
}

}  // namespace

Time now() {
  return std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now());
}

std::string process_identity() {
  return machine_prefix() + std::to_string(::getpid()) + "|" + stat_of(::getpid()).start;
}

Owner owner_of(std::string_view identity) {
  const std::string here = machine_prefix();
  if (!identity.starts_with(here)) return Owner::unknown;
  const auto parts = base::split(identity.substr(here.size()), '|');
  if (parts.size() != 2) return Owner::unknown;
  long pid = 0;
  const auto [end, failed] = std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), pid);
  if (failed != std::errc{} || end != parts[0].data() + parts[0].size() || pid <= 0) return Owner::unknown;
  const ProcStat stat = stat_of(pid);
  if (!stat.start.empty()) {
    const bool ended = stat.state == 'Z' || stat.state == 'X';
    return ended || stat.start != parts[1] ? Owner::gone : Owner::running;
  }
  // /proc may hide other users' processes (hidepid); the signal check does not.
  return ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH ? Owner::gone : Owner::unknown;
}

std::string random_token() {
  unsigned char bytes[16];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) {
    throw base::system_error(base::ErrorCode::failed, "getrandom", errno);
  }
  std::string text;
  for (const unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

long long boottime_ms() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return static_cast<long long>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000;
}

std::string this_process() {
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  const bool known =
      ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  const std::string user = known ? entry.pw_name : "uid " + std::to_string(::geteuid());
  return user + "@" + host_name() + " pid " + std::to_string(::getpid());
}

}  // namespace staithe::store
