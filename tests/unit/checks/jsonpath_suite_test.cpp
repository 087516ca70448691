#include "catch.hpp"
#include "jsonpath.hpp"

#include "staithe/base/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <optional>

/// Every case of the public JSONPath Compliance Test Suite, which lies beside this file whole and unaltered.
using nlohmann::json;
using staithe::checks::JsonPath;

namespace {

using Nodes = std::vector<const json*>;

json suite() {
  std::ifstream file(STAITHE_SOURCE_DIR "/tests/unit/checks/jsonpath_suite/cts.json");
  REQUIRE(file.good());
  return json::parse(file).at("tests");
}

/// Nothing for a query that is refused, as RFC 9535 wants it: before there is a document.
std::optional<JsonPath> accepted(const std::string& query) {
  try {
    return JsonPath(query);
  } catch (const staithe::base::Error& error) {
    CHECK(error.code() == staithe::base::ErrorCode::invalid);
    return std::nullopt;
  }
}

/// Where RFC 9535 leaves an order open there are several, of which one must come.
std::vector<json> alternatives(const json& one, const char* single, const char* several) {
  if (one.contains(single)) return {one.at(single)};
  return one.at(several).get<std::vector<json>>();
}

json values_of(const Nodes& nodes) {
  auto list = json::array();
  for (const auto* node : nodes) list.push_back(*node);
  return list;
}

/// The very nodes that the normalized paths name, not only their equals.
bool are_at(const Nodes& nodes, const json& paths, const json& document) {
  return std::equal(nodes.begin(), nodes.end(), paths.begin(), paths.end(),
                    [&](const json* node, const json& path) {
                      return JsonPath(path.get<std::string>()).find(document) == Nodes{node};
                    });
}

void check_answer(const json& one, const JsonPath& query) {
  const auto& document = one.at("document");
  const auto nodes = query.find(document);
  const auto values = alternatives(one, "result", "results");
  CAPTURE(values_of(nodes).dump());
  CHECK(std::find(values.begin(), values.end(), values_of(nodes)) != values.end());
  const auto paths = alternatives(one, "result_paths", "results_paths");
  CHECK(std::any_of(paths.begin(), paths.end(),
                    [&](const json& list) { return are_at(nodes, list, document); }));
}

}  // namespace

TEST_CASE("jsonpath: the public compliance suite") {
  std::size_t answered = 0, refused = 0;
  for (const auto& one : suite()) {
    const auto selector = one.at("selector").get<std::string>();
    CAPTURE(one.at("name").get<std::string>(), selector);
    const auto query = accepted(selector);
    if (one.value("invalid_selector", false)) {
      CHECK_FALSE(query);
      ++refused;
      continue;
    }
    CHECK(query);
    if (query) check_answer(one, *query);
    ++answered;
  }
  // The suite is there whole: half a file would pass as well.
  CHECK(answered == 442);
  CHECK(refused == 245);
}
