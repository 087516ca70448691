#include "jsonpath.hpp"

#include "json_tree.hpp"
#include "jsonpath_query.hpp"
#include "pattern.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace staithe::checks {
namespace {

using nlohmann::json;
using Nodes = std::vector<const json*>;

constexpr std::size_t most_nodes = 100'000;

/// A value, or nothing: what a comparison or a function argument has.
using Operand = std::optional<json>;

class Finder {
 public:
  explicit Finder(const json& root) : root_(root) {}

  Nodes find(const JsonPath::Query& query, const json& current) {
    Nodes nodes{query.relative ? &current : &root_};
    for (const auto& segment : query.segments) {
      Nodes next;
      for (const auto* node : nodes) {
        if (segment.descendant)
          descend(*node, segment, next);
        else
          select(*node, segment, next);
      }
      nodes = std::move(next);
    }
    return nodes;
  }

 private:
  void add(Nodes& nodes, const json& node) {
    // Every node is charged, also those in between: a query cannot grow without end.
    if (++charged_ > most_nodes)
      throw base::Error(base::ErrorCode::invalid, "the path finds more than 100000 nodes");
    nodes.push_back(&node);
  }

  void descend(const json& node, const Segment& segment, Nodes& found) {
    select(node, segment, found);
    if (node.is_structured())
      for (const auto& child : node) descend(child, segment, found);
  }

  void select(const json& node, const Segment& segment, Nodes& found) {
    for (const auto& selector : segment.selectors)
      std::visit([&](const auto& one) { apply(one, node, found); }, selector);
  }

  void apply(const NameSelector& selector, const json& node, Nodes& found) {
    if (!node.is_object()) return;
    if (const auto member = node.find(selector.name); member != node.end()) add(found, *member);
  }
  void apply(const IndexSelector& selector, const json& node, Nodes& found) {
    if (!node.is_array()) return;
    const auto size = static_cast<std::int64_t>(node.size());
    const auto index = selector.index < 0 ? size + selector.index : selector.index;
    if (index >= 0 && index < size) add(found, node[static_cast<std::size_t>(index)]);
  }
  void apply(const EitherSelector& selector, const json& node, Nodes& found) {
    if (node.is_array())
      apply(IndexSelector{selector.index}, node, found);
    else
      apply(NameSelector{selector.name}, node, found);
  }
  void apply(const WildcardSelector& /*selector*/, const json& node, Nodes& found) {
    if (node.is_structured())
      for (const auto& child : node) add(found, child);
  }

  /// RFC 9535, 2.3.4.2.2.
  void apply(const SliceSelector& slice, const json& node, Nodes& found) {
    if (!node.is_array() || slice.step == 0) return;
    const auto size = static_cast<std::int64_t>(node.size());
    const auto normal = [&](std::int64_t index) { return index >= 0 ? index : size + index; };
    if (slice.step > 0) {
      const auto from = std::clamp<std::int64_t>(normal(slice.start.value_or(0)), 0, size);
      const auto to = std::clamp<std::int64_t>(normal(slice.end.value_or(size)), 0, size);
      for (auto i = from; i < to; i += std::min(slice.step, size))
        add(found, node[static_cast<std::size_t>(i)]);
      return;
    }
    const auto from = std::clamp<std::int64_t>(slice.start ? normal(*slice.start) : size - 1, -1, size - 1);
    const auto to = std::clamp<std::int64_t>(slice.end ? normal(*slice.end) : -1, -1, size - 1);
    for (auto i = from; i > to; i += std::max(slice.step, -size - 1))
      add(found, node[static_cast<std::size_t>(i)]);
  }

  void apply(const FilterSelector& filter, const json& node, Nodes& found) {
    if (!node.is_structured()) return;
    for (const auto& child : node)
      if (holds(*filter.condition, child)) add(found, child);
  }

  bool holds(const Expression& expression, const json& current) {
    const auto part = [&](const auto& one) { return holds(*one, current); };
    switch (expression.kind) {
      case Expression::Kind::either:
        return std::any_of(expression.parts.begin(), expression.parts.end(), part);
      case Expression::Kind::both:
        return std::all_of(expression.parts.begin(), expression.parts.end(), part);
      case Expression::Kind::negation:
        return !holds(*expression.parts.front(), current);
      case Expression::Kind::comparison:
        return compare(expression.name, value(*expression.parts[0], current),
                       value(*expression.parts[1], current));
      case Expression::Kind::query:
        return !find(expression.query, current).empty();
      case Expression::Kind::function:
        return matches(expression, current);
      case Expression::Kind::literal:
        return false;
    }
    return false;
  }

  Operand value(const Expression& expression, const json& current) {
    if (expression.kind == Expression::Kind::literal) return expression.literal;
    if (expression.kind == Expression::Kind::query) {
      const auto nodes = find(expression.query, current);
      return nodes.size() == 1 ? Operand(*nodes.front()) : std::nullopt;
    }
    if (expression.name == "length") return length(value(*expression.parts.front(), current));
    const auto nodes = find(expression.parts.front()->query, current);
    if (expression.name == "count") return json(nodes.size());
    return nodes.size() == 1 ? Operand(*nodes.front()) : std::nullopt;
  }

  static Operand length(const Operand& of) {
    if (!of) return std::nullopt;
    if (of->is_string()) return json(base::code_points(of->get_ref<const std::string&>()));
    if (of->is_structured()) return json(of->size());
    return std::nullopt;
  }

  /// RFC 9535, 2.3.5.2.2: nothing equals nothing; only numbers and only texts have an order.
  static bool compare(std::string_view sign, Operand left, Operand right) {
    const bool equal = left && right ? same(*left, *right) : !left && !right;
    if (sign == "==") return equal;
    if (sign == "!=") return !equal;
    if (equal && (sign == "<=" || sign == ">=")) return true;
    if (!left || !right) return false;
    if (sign.front() == '>') std::swap(left, right);
    if (is_number(*left) && is_number(*right)) return is_less(*left, *right);
    return left->is_string() && right->is_string() && *left < *right;
  }

  bool matches(const Expression& call, const json& current) {
    const auto text = value(*call.parts[0], current);
    const auto source = value(*call.parts[1], current);
    if (!text || !source || !text->is_string() || !source->is_string()) return false;
    try {
      const auto extent = call.name == "match" ? Pattern::Extent::whole : Pattern::Extent::anywhere;
      const Pattern pattern(from_iregexp(source->get_ref<const std::string&>()), extent);
      const auto found = pattern.find(text->get_ref<const std::string&>());
      if (found != Pattern::Found::too_expensive) return found == Pattern::Found::yes;
    } catch (const base::Error&) {
      return false;  // RFC 9535, 2.4.6: what is no I-Regexp matches nothing
    }
    throw base::Error(base::ErrorCode::invalid, "the pattern in the path's filter is too expensive");
  }

  const json& root_;
  std::size_t charged_ = 0;
};

}  // namespace

JsonPath::JsonPath(std::string_view query) : query_(std::make_unique<Query>(parse_jsonpath(query))) {}
JsonPath::JsonPath(std::unique_ptr<Query> query) : query_(std::move(query)) {}
JsonPath::~JsonPath() = default;
JsonPath::JsonPath(JsonPath&&) noexcept = default;
JsonPath& JsonPath::operator=(JsonPath&&) noexcept = default;

JsonPath JsonPath::dotted(std::string_view path) {
  auto query = std::make_unique<Query>();
  if (path.empty()) return JsonPath(std::move(query));
  auto parts = base::split(path, '.');
  for (auto& part : parts) {
    Segment segment;
    std::int64_t index = 0;
    const auto result = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = result.ec == std::errc() && result.ptr == part.data() + part.size();
    if (part.empty()) throw base::Error(base::ErrorCode::invalid, "a part of the path is empty");
    if (part == "*")
      segment.selectors.emplace_back(WildcardSelector{});
    else if (is_index)
      segment.selectors.emplace_back(EitherSelector{part, index});
    else
      segment.selectors.emplace_back(NameSelector{std::move(part)});
    query->segments.push_back(std::move(segment));
  }
  return JsonPath(std::move(query));
}

std::vector<const json*> JsonPath::find(const json& document) const {
  return Finder(document).find(*query_, document);
}

bool JsonPath::singular() const noexcept {
  return query_->singular();
}

}  // namespace staithe::checks
