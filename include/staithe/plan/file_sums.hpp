#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace staithe::plan {

/// A file as it was when somebody looked.
struct FileSum {
  std::string name;  ///< without its directory: a checkout may lie anywhere
  std::string sha256;
  bool operator==(const FileSum&) const = default;
};

/// The last part of a path.
std::string_view file_name(std::string_view path) noexcept;

/// A line each, as sha256sum(1) writes them.
std::string text_of(const std::vector<FileSum>& files);
/// The same for the same files in the same order: 64 hexadecimal digits.
std::string id_of(const std::vector<FileSum>& files);
/// What is otherwise in `now`, in words, such as "002.sql is another one, 003.sql is new"; "" for nothing.
/// `before` is a text_of.
std::string difference(std::string_view before, const std::vector<FileSum>& now);

}  // namespace staithe::plan
