#pragma once
#include "staithe/diag/diagnostic.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::yaml {

/// What a file may hold; more is refused.
constexpr std::size_t max_file_bytes = 1024 * 1024;
constexpr std::size_t max_depth = 50;
constexpr std::size_t max_nodes = 100'000;

enum class Kind { null, scalar, list, map };

/// For messages: "nothing", "text", "a list", "a mapping".
std::string_view describe(Kind kind) noexcept;

struct Entry;

/// One value of a file. Scalars are kept as the text that was written: what it means (a number, a duration)
/// is the reader's business, so "010" and "yes" never change on the way.
struct Node {
  Kind kind = Kind::null;
  diag::Position position;   ///< of a null value after a key: the key's
  std::uint32_t length = 1;  ///< code points of it on its first line
  std::string text;          ///< of a scalar; of a null as it is written, "" when nothing is
  bool quoted = false;       ///< a scalar in quotes or a block scalar: text for certain
  /// Already reported (an alias, a tag): readers treat it as absent and say nothing more about it.
  bool refused = false;
  std::vector<Node> items;     ///< of a list
  std::vector<Entry> entries;  ///< of a map, in the order of the file, each key once

  /// The value of a key of a map; nullptr when there is none.
  const Node* find(std::string_view key) const noexcept;
};

struct Entry {
  std::string key;
  diag::Position position;  ///< of the key
  std::uint32_t length = 1;
  Node value;
};

/// Reads one document, strictly, and registers the text as the source of `file`. Every deviation is reported:
/// syntax, unclosed quotes, duplicate keys, several documents, anchors, aliases, merge keys, tags, keys that
/// are no text, tabs as indentation, bytes that are no text, and the limits above.
/// Returns nothing when the structure could not be read at all; after other mistakes the tree comes
/// nevertheless, so that the rest of the file can be judged in the same run. An empty file is a null node.
std::optional<Node> parse(std::string_view text, const std::string& file, diag::Diagnostics& diagnostics);

/// parse() of a file. Throws base::Error (not_found, permission, io) when it cannot be read.
std::optional<Node> load(const std::string& file, diag::Diagnostics& diagnostics);

}  // namespace staithe::yaml
