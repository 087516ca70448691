#pragma once
#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::checks {

/// A JSONPath query, RFC 9535 whole: names, indexes, slices, wildcards, descendants, filters and the
/// functions length, count, value, match and search, with their types checked.
class JsonPath {
 public:
  /// Throws base::Error{invalid} for what is not well formed or not valid, with the place.
  explicit JsonPath(std::string_view query);
  /// The dotted form: "items.*.id", "debits.0.href". A number is an index of a list and a name of an object;
  /// '*' is every member.
  static JsonPath dotted(std::string_view path);
  ~JsonPath();
  JsonPath(JsonPath&&) noexcept;
  JsonPath& operator=(JsonPath&&) noexcept;

  /// The nodes in the order of the document, at most 100,000 of them; they point into `document`. Throws
  /// base::Error{invalid} when there are more, or when a filter's pattern is too expensive.
  std::vector<const nlohmann::json*> find(const nlohmann::json& document) const;
  /// At most one node can come (a singular query).
  bool singular() const noexcept;

  struct Query;

 private:
  explicit JsonPath(std::unique_ptr<Query> query);
  std::unique_ptr<Query> query_;
};

}  // namespace staithe::checks
