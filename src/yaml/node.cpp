#include "staithe/yaml/node.hpp"

namespace staithe::yaml {

std::string_view describe(Kind kind) noexcept {
  switch (kind) {
    case Kind::null:
      return "nothing";
    case Kind::scalar:
      return "text";
    case Kind::list:
      return "a list";
    case Kind::map:
      return "a mapping";
  }
  return "nothing";
}

const Node* Node::find(std::string_view key) const noexcept {
  for (const auto& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

}  // namespace staithe::yaml
