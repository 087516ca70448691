#include "staithe/diag/render.hpp"

#include <nlohmann/json.hpp>

namespace staithe::diag {

std::string to_json(const Diagnostic& diagnostic) {
  // Ordered, so that a record reads like the finding it is.
  const nlohmann::ordered_json record{
      {"type", "diagnostic"},
      {"severity", name_of(diagnostic.severity)},
      {"file", diagnostic.position.file.text()},
      {"line", diagnostic.position.line},
      {"column", diagnostic.position.column},
      {"length", diagnostic.length},
      {"message", diagnostic.message},
      {"path", diagnostic.path},
      {"help", diagnostic.help},
  };
  return record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string to_json_lines(const Diagnostics& diagnostics) {
  std::string lines;
  for (const auto& diagnostic : diagnostics.sorted()) lines += to_json(diagnostic) + '\n';
  return lines;
}

}  // namespace staithe::diag
