#include "json_archive.hpp"

#include "staithe/base/error.hpp"
#include "staithe/plan/json_text.hpp"
#include "staithe/plan/plan.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace staithe::plan {

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_inside(std::string_view text) {
  auto quoted = json_string(text);
  quoted.pop_back();
  quoted.erase(0, 1);
  return quoted;
}

std::string to_json(const Plan& plan) {
  std::string text;
  WriteFields document(text, {"schema", "1"});
  write_members(document, plan);
  document.close();
  return text;
}

Plan from_json(std::string_view text) {
  try {
    const auto document = nlohmann::json::parse(text);
    if (document.at("schema") != 1)
      throw base::Error(base::ErrorCode::invalid, "a plan of an unknown schema version");
    Plan plan;
    ReadFields reader{document};
    fields(reader, plan);
    return plan;
  } catch (const nlohmann::json::exception& error) {
    throw base::Error(base::ErrorCode::invalid, std::string("not a plan: ") + error.what());
  }
}

}  // namespace staithe::plan
