#pragma once
#include "staithe/diag/diagnostic.hpp"
#include "staithe/yaml/node.hpp"

#include <string>
#include <vector>

/// One text read, with what was found about it as "line:column message".
struct Parsed {
  explicit Parsed(const std::string& text) : root(staithe::yaml::parse(text, "f.yml", diagnostics)) {}

  std::vector<std::string> findings() const {
    std::vector<std::string> all;
    for (const auto& one : diagnostics.sorted())
      all.push_back(std::to_string(one.position.line) + ":" + std::to_string(one.position.column) + " " +
                    one.message);
    return all;
  }
  /// The only finding, or all of them.
  std::string finding() const {
    std::string text;
    for (const auto& one : findings()) text += (text.empty() ? "" : " | ") + one;
    return text;
  }
  std::string help() const {
    const auto all = diagnostics.sorted();
    return all.empty() ? "" : all.front().help;
  }
  std::string path() const {
    const auto all = diagnostics.sorted();
    return all.empty() ? "" : all.front().path;
  }

  staithe::diag::Diagnostics diagnostics;
  std::optional<staithe::yaml::Node> root;
};

inline std::string at(const staithe::diag::Position& position) {
  return std::to_string(position.line) + ":" + std::to_string(position.column);
}
