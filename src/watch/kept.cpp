#include "kept.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace staithe::watch {

Severity severity_of(const nlohmann::json& record) {
  const auto word = record.value("severity", std::string());
  if (word == "critical") return Severity::critical;
  return word == "minor" ? Severity::minor : Severity::major;
}

Time time_of(const nlohmann::json& record, const char* key) {
  return Time{std::chrono::milliseconds(record.value(key, std::int64_t{0}))};
}

}  // namespace staithe::watch
