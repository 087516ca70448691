#include "refs.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>
#include <cctype>

namespace staithe::git {
namespace {

using base::Error;
using base::ErrorCode;

constexpr std::size_t longest_line = 4096;
constexpr std::string_view peeled = "^{}";

bool all_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool is_object(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) && all_hex(text) &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) { return std::isupper(c) != 0; });
}

/// The rules of git-check-ref-format(1) that hold for a branch or tag name.
bool can_be_ref(std::string_view name) {
  constexpr std::string_view forbidden = " ~^:?*[\\";
  for (const char c : name)
    if (static_cast<unsigned char>(c) <= 0x20 || c == '\x7f' || forbidden.find(c) != std::string_view::npos)
      return false;
  for (const std::string_view part : {"..", "@{", "//"})
    if (name.find(part) != std::string_view::npos) return false;
  if (name == "@" || name.front() == '/' || name.back() == '/' || name.back() == '.') return false;
  for (const std::string& component : base::split(name, '/'))
    if (component.front() == '.' || component.ends_with(".lock")) return false;
  return true;
}

Error not_ls_remote(std::string_view line) {
  return {ErrorCode::protocol,
          "a reply that is not one of git ls-remote: '" + base::printable(line.substr(0, 80)) + "'"};
}

}  // namespace

Wanted parse_ref(std::string_view ref) {
  const std::string shown = base::printable(ref.substr(0, 200));
  if (ref.empty() || ref.size() > 1024)
    throw Error(ErrorCode::invalid, "'" + shown + "' cannot be a branch, tag or commit");
  if (ref.front() == '-')
    throw Error(ErrorCode::invalid, "'" + shown + "': a branch, tag or commit cannot begin with '-'");
  if (!can_be_ref(ref)) throw Error(ErrorCode::invalid, "'" + shown + "' cannot be a branch, tag or commit");
  Wanted wanted{std::string(ref), false, false};
  if (!all_hex(ref)) return wanted;
  wanted.is_commit = ref.size() == 40 || ref.size() == 64;
  wanted.looks_short = !wanted.is_commit && ref.size() >= 4 && ref.size() < 64;
  if (wanted.is_commit) wanted.name = base::lower(wanted.name);
  return wanted;
}

void LsRemote::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    line_ += bytes.substr(0, std::min(end, longest_line + 1));
    if (line_.size() > longest_line) throw not_ls_remote(line_);
    if (end == std::string_view::npos) return;
    take_line(line_);
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void LsRemote::take_line(std::string_view line) {
  const auto tab = line.find('\t');
  if (tab == std::string_view::npos || !is_object(line.substr(0, tab))) throw not_ls_remote(line);
  const std::string_view object = line.substr(0, tab);
  const std::string_view full = line.substr(tab + 1);
  std::string_view ref = full;
  if (ref.ends_with(peeled)) ref.remove_suffix(peeled.size());
  if (ref != "HEAD" && (!ref.starts_with("refs/") || !can_be_ref(ref))) throw not_ls_remote(line);
  if (wanted_.is_commit) {
    if (object == wanted_.name && tip_.empty()) tip_ = ref;
    return;
  }
  const std::string_view name = wanted_.name;
  const bool concerns = ref == name || (ref.starts_with("refs/heads/") && ref.substr(11) == name) ||
                        (ref.starts_with("refs/tags/") && ref.substr(10) == name);
  if (!concerns) return;
  if (!found_.emplace(full, object).second)
    throw Error(ErrorCode::protocol, "git ls-remote names " + std::string(full) + " twice");
}

std::optional<std::string> LsRemote::commit_of(const std::string& ref) const {
  // An annotated tag is an object of its own; its commit stands in the peeled line.
  for (const std::string& name : {ref + std::string(peeled), ref})
    if (const auto at = found_.find(name); at != found_.end()) return at->second;
  return std::nullopt;
}

Resolved LsRemote::commit_result() const {
  Resolved resolved;
  resolved.sha = wanted_.name;
  resolved.verified = !tip_.empty();
  return resolved;
}

Resolved LsRemote::result() const {
  if (!line_.empty()) throw Error(ErrorCode::protocol, "the reply of git ls-remote is cut short");
  if (wanted_.is_commit) return commit_result();
  const std::string& name = wanted_.name;
  const auto resolved = [](const std::string& sha, const std::string& ref, RefKind kind) {
    return Resolved{sha, ref, kind, true, {}};
  };
  if (name == "HEAD" || name.starts_with("refs/")) {
    const RefKind kind = name == "HEAD"                    ? RefKind::head
                         : name.starts_with("refs/heads/") ? RefKind::branch
                         : name.starts_with("refs/tags/")  ? RefKind::tag
                                                           : RefKind::other;
    if (const auto sha = commit_of(name)) return resolved(*sha, name, kind);
    throw Error(ErrorCode::not_found, "no " + name + " in the repository");
  }
  const std::string branch = "refs/heads/" + name;
  const std::string tag = "refs/tags/" + name;
  const auto of_branch = commit_of(branch);
  const auto of_tag = commit_of(tag);
  if (of_branch && of_tag)
    throw Error(ErrorCode::conflict, "'" + name + "' is a branch (" + branch + ", " + *of_branch +
                                         ") and a tag (" + tag + ", " + *of_tag +
                                         "): write the full name of the one you mean");
  if (of_branch) return resolved(*of_branch, branch, RefKind::branch);
  if (of_tag) return resolved(*of_tag, tag, RefKind::tag);
  if (wanted_.looks_short)
    throw Error(ErrorCode::invalid,
                "'" + name +
                    "' is no branch or tag, and a shortened commit cannot be looked up in a "
                    "remote repository: give all 40 digits");
  throw Error(ErrorCode::not_found, "no branch or tag '" + name + "' in the repository");
}

}  // namespace staithe::git
