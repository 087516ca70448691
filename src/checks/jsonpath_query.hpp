#pragma once
#include "jsonpath.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <variant>

/// The syntax tree of RFC 9535.
namespace staithe::checks {

struct Expression;

struct NameSelector {
  std::string name;
};
struct IndexSelector {
  std::int64_t index = 0;
};
/// Of the dotted form: a list's index or an object's member.
struct EitherSelector {
  std::string name;
  std::int64_t index = 0;
};
struct WildcardSelector {};
struct SliceSelector {
  std::optional<std::int64_t> start, end;
  std::int64_t step = 1;
};
struct FilterSelector {
  std::unique_ptr<Expression> condition;
};
using Selector = std::variant<NameSelector, IndexSelector, EitherSelector, WildcardSelector, SliceSelector,
                              FilterSelector>;

struct Segment {
  bool descendant = false;
  std::vector<Selector> selectors;
};

struct JsonPath::Query {
  bool relative = false;  ///< begins with '@'
  std::vector<Segment> segments;
  bool singular() const noexcept;
};

/// What a function argument or a side of a comparison is (RFC 9535, 2.4.1).
enum class Type { value, logical, nodes };

struct Expression {
  enum class Kind { either, both, negation, comparison, literal, query, function };
  Kind kind = Kind::literal;
  std::string name;  ///< of a comparison or a function
  nlohmann::json literal;
  JsonPath::Query query;
  std::vector<std::unique_ptr<Expression>> parts;

  Type type() const noexcept;
};

/// Throws base::Error{invalid}.
JsonPath::Query parse_jsonpath(std::string_view text);

}  // namespace staithe::checks
