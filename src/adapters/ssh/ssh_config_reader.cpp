#include "file.hpp"
#include "ssh_config_expand.hpp"
#include "ssh_config_settings.hpp"
#include "ssh_config_text.hpp"

#include "staithe/base/text.hpp"
#include "staithe/base/unique_fd.hpp"

#include <fmt/format.h>
#include <glob.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace staithe::ssh::config {
namespace {

constexpr int max_depth = 16;                         // as OpenSSH
constexpr std::size_t max_file_bytes = 4UL << 20U;    // no file written by a person comes near
constexpr std::size_t max_total_bytes = 32UL << 20U;  // includes that include each other in a wide tree

enum class Ownership { any, checked };
enum class Missing { is_empty, is_error };

/// A group that holds nobody but its owner (Debian's user private groups) may write.
bool private_group(const struct stat& info, const std::string& user) {
  group entry{};
  group* found = nullptr;
  std::array<char, 16384> buffer{};
  if (getgrgid_r(info.st_gid, &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return false;
  if (user != entry.gr_name) return false;
  for (char** member = entry.gr_mem; *member; ++member)
    if (user != *member) return false;
  return true;
}

void check_owner(const struct stat& info, const std::string& path, const Sources& sources) {
  const bool own = info.st_uid == 0 || info.st_uid == ::getuid();
  const bool group_writes = (info.st_mode & S_IWGRP) != 0 && !private_group(info, sources.local_user);
  if (own && !group_writes && (info.st_mode & S_IWOTH) == 0) return;
  throw base::Error(
      base::ErrorCode::permission,
      fmt::format("{}: others can write this file; it must belong to you or root, mode 0644 at most", path));
}

/// nullopt: there is no such file.
std::optional<std::string> slurp(const std::string& path, Ownership ownership, const Sources& sources) {
  const base::UniqueFd fd = open_to_read(path);
  if (!fd) return std::nullopt;
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw base::system_error(base::ErrorCode::io, path, errno);
  if (ownership == Ownership::checked) check_owner(info, path, sources);
  return read_all_of(fd.get(), path, max_file_bytes);
}

std::vector<std::string> glob_of(const std::string& pattern) {
  glob_t found{};
  const int status = ::glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<std::string> out;
  for (std::size_t i = 0; status == 0 && i < found.gl_pathc; ++i) out.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (status != 0 && status != GLOB_NOMATCH) throw bad(fmt::format("cannot look for {}", pattern));
  return out;
}

class Reader {
 public:
  Reader(Settings& settings, Pass& pass) : settings_(settings), pass_(pass) {}

  void file(const std::string& path, Ownership ownership, bool from_user, Missing missing) {
    if (path.empty()) return;
    from_user_ = from_user;
    bool active = true;
    if (!read(path, ownership, 0, active, Exec::run) && missing == Missing::is_error)
      throw base::Error(base::ErrorCode::not_found, fmt::format("{}: no such file", path));
  }

 private:
  bool read(const std::string& path, Ownership ownership, int depth, bool& active, Exec counts) {
    if (depth > max_depth) throw bad(fmt::format("{}: files include each other without end", path));
    ConfigFiles once;
    ConfigFiles& files = pass_.sources->files != nullptr ? *pass_.sources->files : once;
    // What was read as anybody's file has not been checked.
    const std::string key = ownership == Ownership::checked ? path : path + " (unchecked)";
    const std::string* content = files.content(key, [&] { return slurp(path, ownership, *pass_.sources); });
    if (content == nullptr) return false;
    total_ += content->size();
    if (total_ > max_total_bytes)
      throw bad(fmt::format("{}: the files included are larger than {} bytes", path, max_total_bytes));
    std::size_t number = 0;
    for (std::size_t start = 0; start < content->size();) {
      const auto end = std::min(content->find('\n', start), content->size());
      ++number;
      place_ = {&path, number};
      try {
        line(std::string_view(*content).substr(start, end - start), depth, active, counts);
      } catch (const base::Error& error) {
        // What was thrown inside an included file already names its place.
        if (placed_) throw;
        placed_ = true;
        throw base::Error(error.code(), fmt::format("{}:{}: {}", path, number, error.what()));
      }
      start = end + 1;
    }
    return true;
  }

  void line(std::string_view text, int depth, bool& active, Exec counts) {
    if (text.find('\0') != std::string_view::npos) throw bad("a NUL byte");
    while (!text.empty() && (is_blank(text.back()) || text.back() == '\f')) text.remove_suffix(1);
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos || text[first] == '#') return;  // most lines of Debian's file
    Words words(text);
    auto keyword = words.next();
    if (keyword && keyword->empty()) keyword = words.next();
    if (!keyword || keyword->empty() || keyword->starts_with('#')) return;
    Line parsed;
    parsed.keyword = lower(*keyword);
    parsed.rest = words.rest();
    parsed.from_user = from_user_;
    parsed.active = active;
    dispatch(parsed, depth, active, counts);
  }

  void dispatch(Line& parsed, int depth, bool& active, Exec counts) {
    if (parsed.active && !parsed.rest.empty() && is_unheard(parsed.keyword))
      settings_.unheard.try_emplace(parsed.keyword,
                                    Said{std::string(parsed.rest), place_.text(), parsed.from_user});
    if (!is_heeded(parsed.keyword)) return refuse_unknown(parsed.keyword);
    if (parsed.rest.empty()) throw bad(fmt::format("a value is missing after {}", parsed.keyword));
    auto split = split_arguments(parsed.rest);
    if (!split) throw bad("a quote is not closed");
    parsed.words = std::move(*split);
    if (parsed.keyword == "host") {
      active = host_holds(parsed.words) && counts == Exec::run;
    } else if (parsed.keyword == "match") {
      active = match_holds(settings_, parsed.rest, pass_, counts) && counts == Exec::run;
    } else if (parsed.keyword == "include") {
      include(parsed.words, depth, active, counts);
    } else {
      apply(settings_, parsed, *pass_.sources);
    }
  }

  bool host_holds(const std::vector<std::string>& patterns) const {
    const std::string& host = pass_.final_host ? *pass_.final_host : pass_.original;
    bool matched = false;
    for (const std::string& pattern : patterns) {
      if (pattern.empty()) throw bad("an empty pattern after host");
      const bool negated = pattern.starts_with('!');
      if (!base::wildcard_match(std::string_view(pattern).substr(negated ? 1 : 0), host)) continue;
      if (negated) return false;
      matched = true;
    }
    return matched;
  }

  void include(const std::vector<std::string>& patterns, int depth, bool& active, Exec counts) {
    const bool before = active;
    for (const std::string& pattern : patterns) {
      for (const std::string& path : files_of(pattern)) {
        read(path, Ownership::checked, depth + 1, active, before ? counts : Exec::skip);
        // A Host or Match inside the file ends with the file.
        active = before;
      }
    }
  }

  std::vector<std::string> files_of(const std::string& pattern) const {
    const Sources& sources = *pass_.sources;
    if (pattern.empty()) throw bad("an empty value after include");
    if (pattern.starts_with('~') && !from_user_) throw bad("'~' in the system's configuration");
    std::string full = pattern;
    if (pattern.starts_with('~')) {
      try {
        full = expand_tilde(pattern, sources);
      } catch (const base::Error&) {
        return {};  // no such user: matches nothing, as with glob(3)
      }
    } else if (!pattern.starts_with('/')) {
      const auto slash = sources.system_file.rfind('/');
      const std::string system_directory =
          slash == std::string::npos ? "/etc/ssh" : sources.system_file.substr(0, slash);
      full = fmt::format("{}/{}", from_user_ ? sources.home + "/.ssh" : system_directory, pattern);
    }
    if (sources.files == nullptr) return glob_of(full);
    return sources.files->paths(full, [&] { return glob_of(full); });
  }

  static bool is_heeded(std::string_view keyword) {
    return keyword == "host" || keyword == "match" || keyword == "include" || is_setting(keyword);
  }

  /// As ssh: a misspelt ProxyJump must not become a direct connection. Also where no block counts.
  void refuse_unknown(std::string_view keyword) const {
    if (is_idle(keyword) || match_list(keyword, lower(settings_.ignore_unknown.value_or(""))) == 1) return;
    throw bad(
        fmt::format("'{}' is no keyword of ssh_config; ssh refuses it too, unless IgnoreUnknown names it",
                    base::printable(keyword)));
  }

  struct Place {
    const std::string* path = nullptr;
    std::size_t line = 0;

    std::string text() const { return fmt::format("{}:{}", *path, line); }
  };

  Settings& settings_;
  Pass& pass_;
  Place place_;  ///< of the line in hand
  std::size_t total_ = 0;
  bool from_user_ = true;
  bool placed_ = false;
};

}  // namespace

void read_files(Settings& settings, Pass& pass) {
  const Sources& sources = *pass.sources;
  Reader reader(settings, pass);
  // A file that a person names is that person's business; the usual place must not be writable by others.
  reader.file(sources.user_file, sources.user_file_required ? Ownership::any : Ownership::checked, true,
              sources.user_file_required ? Missing::is_error : Missing::is_empty);
  reader.file(sources.system_file, Ownership::any, false, Missing::is_empty);
}

void read_option(Settings& settings, const std::string& option, const Sources& sources) {
  Words words(option);
  auto keyword = words.next();
  if (keyword && keyword->empty()) keyword = words.next();
  Line line;
  line.keyword = lower(keyword.value_or(""));
  line.rest = words.rest();
  auto split = split_arguments(line.rest);
  if (!is_setting(line.keyword) || line.rest.empty() || !split)
    throw bad(fmt::format("ssh option '{}': unknown or without a value", option));
  line.words = std::move(*split);
  try {
    apply(settings, line, sources);
  } catch (const base::Error& error) {
    throw error.within(fmt::format("ssh option '{}'", option));
  }
}

}  // namespace staithe::ssh::config
