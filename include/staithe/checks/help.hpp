#pragma once
#include <string_view>
#include <vector>

namespace staithe::checks {

/// What the manual says of one kind of check.
struct KindHelp {
  std::string_view name;
  std::string_view summary;  ///< one line
  std::string_view example;  ///< YAML: one step
  std::string_view manual;   ///< plain text
};

/// In the order of the manual.
std::vector<KindHelp> kind_help();

}  // namespace staithe::checks
