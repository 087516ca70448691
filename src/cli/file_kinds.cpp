#include "file_kinds.hpp"

#include "unread_suites.hpp"

#include "staithe/base/text.hpp"
#include "staithe/yaml/node.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>
#include <vector>

namespace staithe::cli {
namespace {

bool is_section(std::string_view key) {
  constexpr std::array<std::string_view, 5> sections{"before", "stage", "prepare", "each", "after"};
  return std::find(sections.begin(), sections.end(), key) != sections.end();
}

bool is_near(const std::string& key, const std::vector<std::string>& keys) {
  return base::nearest(key, keys).has_value();
}

/// Sections are short words: what is near one may well be another tool's ("stages").
bool is_of_playbook(const std::string& key) {
  return is_section(key) || is_near(key, {"playbook"});
}

template <class Is>
bool any_key(const yaml::Node& node, const Is& is) {
  return std::any_of(node.entries.begin(), node.entries.end(),
                     [&](const yaml::Entry& entry) { return is(entry.key); });
}

/// Who writes lists of plays elsewhere may write one here: that is a mistake, and no other tool's.
bool is_playbook(const yaml::Node& root) {
  return any_key(root, is_of_playbook) ||
         std::any_of(root.items.begin(), root.items.end(),
                     [](const yaml::Node& item) { return any_key(item, is_of_playbook); });
}

bool is_taken_unasked(const std::string& path) {
  return std::filesystem::path(path).filename() == "deploy.yml";
}

/// The file that is taken unasked is not passed over where its keys may be meant for a playbook: the built-in
/// one would do less than what stands there.
bool may_be_meant(const yaml::Node& root, const std::string& path) {
  return is_taken_unasked(path) &&
         any_key(root, [](const std::string& key) { return key == "service" || key == "steps"; });
}

bool is_hollow(const yaml::Node& root) {
  return root.kind == yaml::Kind::scalar || (root.entries.empty() && root.items.empty());
}

/// What stands before the ':' of a line that begins at the margin; "" for other lines.
std::string key_of(std::string_view line) {
  if (line.empty() || std::string_view(" \t#%{}[],").find(line.front()) != std::string_view::npos) return {};
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return {};
  const auto key = base::trim(line.substr(0, colon));
  const bool quoted =
      key.size() > 2 && (key.front() == '"' || key.front() == '\'') && key.back() == key.front();
  return std::string(quoted ? key.substr(1, key.size() - 2) : key);
}

bool looks_of_another_tool(const std::string& text) {
  bool any = false;
  for (const auto& line : base::split(text, '\n')) {
    const bool is_item = line.starts_with("- ");
    const auto key = key_of(is_item ? std::string_view(line).substr(2) : std::string_view(line));
    if (!key.empty() && is_of_playbook(key)) return false;
    any = any || is_item || !key.empty();
  }
  return any;
}

}  // namespace

FileKind kind_of(const std::string& text, const std::string& path, diag::Diagnostics& diagnostics) {
  diag::Diagnostics own;
  const auto root = yaml::parse(text, path, own);
  if (!root) {
    take_over(own, diagnostics);
    return FileKind::unreadable;
  }
  if (root->find("staithe") != nullptr || root->find("environments") != nullptr) return FileKind::project;
  if (any_key(*root, is_section) || root->find("playbook") != nullptr) return FileKind::playbook;
  const auto is_of_suite = [](const std::string& key) { return is_near(key, {"suite", "steps"}); };
  return any_key(*root, is_of_suite) ? FileKind::suite : FileKind::playbook;
}

bool is_of_another_tool(const std::string& text, const std::string& path) {
  diag::Diagnostics unheard;
  const auto root = yaml::parse(text, path, unheard);
  // Nobody runs another one unasked: what has nothing in it may wait there, as a mark or to be written.
  if (root && root->kind != yaml::Kind::scalar && is_hollow(*root) && !is_taken_unasked(path)) return true;
  if (!root || is_hollow(*root)) return looks_of_another_tool(text);
  return !is_playbook(*root) && !may_be_meant(*root, path);
}

bool has_words_of_playbook(const std::string& text, const std::string& path) {
  diag::Diagnostics unheard;
  const auto root = yaml::parse(text, path, unheard);
  return !root || is_playbook(*root);
}

}  // namespace staithe::cli
