#include "json_tree.hpp"
#include "jsonpath_query.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace staithe::checks {
namespace {

constexpr std::int64_t largest_index = 9007199254740991;  // I-JSON: 2^53 - 1
constexpr int deepest = 50;

struct Function {
  std::string_view name;
  std::vector<Type> takes;
  Type gives;
};
const std::array<Function, 5>& functions() {
  static const std::array<Function, 5> all{{{"length", {Type::value}, Type::value},
                                            {"count", {Type::nodes}, Type::value},
                                            {"value", {Type::nodes}, Type::value},
                                            {"match", {Type::value, Type::value}, Type::logical},
                                            {"search", {Type::value, Type::value}, Type::logical}}};
  return all;
}
const Function* find_function(std::string_view name) {
  for (const auto& function : functions())
    if (function.name == name) return &function;
  return nullptr;
}

/// A recursive descent over the grammar of RFC 9535, appendix A.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  JsonPath::Query whole() {
    if (!take('$')) fail("a query begins with '$'");
    auto query = segments();
    if (at_ != text_.size()) fail("nothing more is expected");
    return query;
  }

 private:
  using Up = std::unique_ptr<Expression>;

  [[noreturn]] void fail(std::string_view what) const {
    throw base::Error(base::ErrorCode::invalid,
                      fmt::format("{} at character {} of '{}'", what, at_ + 1, text_));
  }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void blanks() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  static bool digit(char c) { return c >= '0' && c <= '9'; }

  JsonPath::Query segments() {
    JsonPath::Query query;
    for (;;) {
      const std::size_t before = at_;
      blanks();
      Segment segment;
      if (take("..")) {
        segment.descendant = true;
        if (peek() == '[')
          bracketed(segment);
        else
          shorthand(segment);
      } else if (take('.')) {
        shorthand(segment);
      } else if (peek() == '[') {
        bracketed(segment);
      } else {
        at_ = before;  // blanks after the last segment belong to nobody
        return query;
      }
      query.segments.push_back(std::move(segment));
    }
  }

  void shorthand(Segment& segment) {
    if (take('*')) {
      segment.selectors.emplace_back(WildcardSelector{});
      return;
    }
    const std::size_t begin = at_;
    while (at_ < text_.size() && name_char(at_ > begin)) {
      const auto length = base::utf8_sequence(text_.substr(at_));
      if (length == 0) fail("bytes that are not UTF-8");
      at_ += length;
    }
    if (at_ == begin) fail("a name or '*' is expected");
    segment.selectors.emplace_back(NameSelector{std::string(text_.substr(begin, at_ - begin))});
  }

  bool name_char(bool digits_too) const {
    const char c = text_[at_];
    return base::is_alpha(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80 || (digits_too && digit(c));
  }

  void bracketed(Segment& segment) {
    if (++depth_ > deepest) fail("nested too deeply");
    take('[');
    do {
      blanks();
      segment.selectors.push_back(selector());
      blanks();
    } while (take(','));
    if (!take(']')) fail("']' is expected");
    --depth_;
  }

  Selector selector() {
    if (take('*')) return WildcardSelector{};
    if (peek() == '"' || peek() == '\'') return NameSelector{quoted()};
    if (take('?')) {
      blanks();
      FilterSelector filter;
      filter.condition = disjunction();
      return filter;
    }
    std::optional<std::int64_t> start;
    if (peek() == '-' || digit(peek())) start = integer();
    const std::size_t before = at_;
    blanks();
    if (!take(':')) {
      at_ = before;
      if (!start) fail("a name, an index, a slice, '*' or '?' is expected");
      return IndexSelector{*start};
    }
    SliceSelector slice;
    slice.start = start;
    blanks();
    if (peek() == '-' || digit(peek())) slice.end = integer();
    const std::size_t after = at_;
    blanks();
    if (!take(':')) {
      at_ = after;
      return slice;
    }
    const std::size_t colon = at_;
    blanks();
    if (peek() == '-' || digit(peek()))
      slice.step = integer();
    else
      at_ = colon;
    return slice;
  }

  std::int64_t integer() {
    const std::size_t begin = at_;
    take('-');
    const std::size_t digits = at_;
    while (digit(peek())) ++at_;
    const auto word = text_.substr(begin, at_ - begin);
    const bool leading_zero = text_[digits] == '0' && at_ - digits > 1;
    if (at_ == digits || leading_zero || word == "-0") fail("that is not a whole number");
    std::int64_t value = 0;
    const auto result = std::from_chars(word.data(), word.data() + word.size(), value);
    if (result.ec != std::errc() || value > largest_index || value < -largest_index)
      fail("the number is out of range");
    return value;
  }

  std::string quoted() {
    const char quote = text_[at_++];
    std::string value;
    for (;;) {
      if (at_ >= text_.size()) fail("the quotes are not closed");
      const char c = text_[at_];
      if (c == quote) {
        ++at_;
        return value;
      }
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character");
      if (c == '\\') {
        ++at_;
        escape(quote, value);
        continue;
      }
      const auto length = base::utf8_sequence(text_.substr(at_));
      if (length == 0) fail("bytes that are not UTF-8");
      value += text_.substr(at_, length);
      at_ += length;
    }
  }

  void escape(char quote, std::string& value) {
    const char c = peek();
    constexpr std::string_view plain = "bfnrt/\\", meant = "\b\f\n\r\t/\\";
    if (c == quote) {
      value += c;
      ++at_;
    } else if (c == 'u') {
      ++at_;
      unicode(value);
    } else if (const auto found = plain.find(c); c != '\0' && found != std::string_view::npos) {
      value += meant[found];
      ++at_;
    } else {
      fail("an unknown escape");
    }
  }

  std::uint32_t hex4() {
    std::uint32_t code = 0;
    const auto word = text_.substr(at_, 4);
    const auto result = std::from_chars(word.data(), word.data() + word.size(), code, 16);
    if (word.size() != 4 || result.ptr != word.data() + 4) fail("four hexadecimal digits are expected");
    at_ += 4;
    return code;
  }

  void unicode(std::string& value) {
    std::uint32_t code = hex4();
    if (code >= 0xDC00 && code <= 0xDFFF) fail("half of a surrogate pair");
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (!take("\\u")) fail("half of a surrogate pair");
      const auto low = hex4();
      if (low < 0xDC00 || low > 0xDFFF) fail("half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
    }
    const auto add = [&](std::uint32_t byte) {
      value += static_cast<char>(static_cast<unsigned char>(byte));
    };
    if (code < 0x80) {
      add(code);
    } else if (code < 0x800) {
      add(0xC0 | (code >> 6U));
      add(0x80 | (code & 0x3FU));
    } else if (code < 0x10000) {
      add(0xE0 | (code >> 12U));
      add(0x80 | ((code >> 6U) & 0x3FU));
      add(0x80 | (code & 0x3FU));
    } else {
      add(0xF0 | (code >> 18U));
      add(0x80 | ((code >> 12U) & 0x3FU));
      add(0x80 | ((code >> 6U) & 0x3FU));
      add(0x80 | (code & 0x3FU));
    }
  }

  static Up make(Expression::Kind kind) {
    auto made = std::make_unique<Expression>();
    made->kind = kind;
    return made;
  }

  Up disjunction() {
    return chain(Expression::Kind::either, "||", [this] { return conjunction(); });
  }
  Up conjunction() {
    return chain(Expression::Kind::both, "&&", [this] { return basic(); });
  }

  template <class Next>
  Up chain(Expression::Kind kind, std::string_view sign, Next next) {
    Up first = next();
    std::size_t before = at_;
    blanks();
    if (!take(sign)) {
      at_ = before;
      return first;
    }
    Up all = make(kind);
    all->parts.push_back(std::move(first));
    do {
      blanks();
      all->parts.push_back(next());
      before = at_;
      blanks();
    } while (take(sign));
    at_ = before;
    return all;
  }

  Up basic() {
    if (++depth_ > deepest) fail("nested too deeply");
    Up result = negatable();
    --depth_;
    return result;
  }

  Up negatable() {
    const bool negated = take('!');
    blanks();
    Up inner;
    if (take('(')) {
      blanks();
      inner = disjunction();
      blanks();
      if (!take(')')) fail("')' is expected");
    } else {
      inner = test_or_comparison(negated);
    }
    if (!negated) return inner;
    Up negation = make(Expression::Kind::negation);
    negation->parts.push_back(std::move(inner));
    return negation;
  }

  Up test_or_comparison(bool negated) {
    Up left = operand();
    const std::size_t before = at_;
    blanks();
    for (const std::string_view sign : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (negated || !take(sign)) continue;
      blanks();
      Up right = operand();
      comparable(*left);
      comparable(*right);
      Up comparison = make(Expression::Kind::comparison);
      comparison->name = std::string(sign);
      comparison->parts.push_back(std::move(left));
      comparison->parts.push_back(std::move(right));
      return comparison;
    }
    at_ = before;
    if (left->kind == Expression::Kind::literal) fail("a literal by itself is not a condition");
    if (left->kind == Expression::Kind::function && left->type() == Type::value)
      fail(left->name + "() must be compared with something");
    return left;
  }

  void comparable(const Expression& side) const {
    if (side.kind == Expression::Kind::query && !side.query.singular())
      fail("a query that may find several nodes cannot be compared");
    if (side.kind == Expression::Kind::function && side.type() != Type::value)
      fail(side.name + "() cannot be compared");
  }

  Up operand() {
    if (peek() == '@' || peek() == '$') return query();
    if (peek() == '"' || peek() == '\'') {
      Up literal = make(Expression::Kind::literal);
      literal->literal = quoted();
      return literal;
    }
    if (peek() == '-' || digit(peek())) return number();
    const std::size_t begin = at_;
    while ((peek() >= 'a' && peek() <= 'z') || (at_ > begin && (digit(peek()) || peek() == '_'))) ++at_;
    const auto word = text_.substr(begin, at_ - begin);
    if (peek() == '(') return call(word);
    Up literal = make(Expression::Kind::literal);
    if (word == "true" || word == "false")
      literal->literal = word == "true";
    else if (word != "null")
      fail("a query, a literal or a function is expected");
    return literal;
  }

  Up query() {
    Up made = make(Expression::Kind::query);
    const bool relative = text_[at_++] == '@';
    made->query = segments();
    made->query.relative = relative;
    return made;
  }

  /// JSON's numbers, and -0 as well.
  Up number() {
    const std::size_t begin = at_;
    take('-');
    const std::size_t digits = at_;
    while (digit(peek())) ++at_;
    if (at_ == digits || (text_[digits] == '0' && at_ - digits > 1)) fail("that is no number");
    const auto fraction = [&] {
      const std::size_t first = at_;
      while (digit(peek())) ++at_;
      if (at_ == first) fail("that is no number");
    };
    bool whole = true;
    if (take('.')) {
      fraction();
      whole = false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (!take('+')) take('-');
      fraction();
      whole = false;
    }
    Up literal = make(Expression::Kind::literal);
    const auto word = text_.substr(begin, at_ - begin);
    std::int64_t exact = 0;
    if (whole && std::from_chars(word.data(), word.data() + word.size(), exact).ec == std::errc()) {
      literal->literal = exact;
    } else {
      double value = 0;
      if (std::from_chars(word.data(), word.data() + word.size(), value).ec != std::errc())
        fail("the number is out of range");
      literal->literal = number_as_written(value, word);
    }
    return literal;
  }

  Up call(std::string_view name) {
    const auto* function = find_function(name);
    if (function == nullptr) fail(fmt::format("no function is called '{}'", name));
    Up made = make(Expression::Kind::function);
    made->name = std::string(name);
    take('(');
    blanks();
    if (!take(')')) {
      do {
        blanks();
        made->parts.push_back(argument());
        blanks();
      } while (take(','));
      if (!take(')')) fail("')' is expected");
    }
    if (made->parts.size() != function->takes.size())
      fail(fmt::format("{}() takes {} arguments", name, function->takes.size()));
    for (std::size_t i = 0; i < made->parts.size(); ++i) check_argument(*made->parts[i], function->takes[i]);
    return made;
  }

  /// No standard function takes a condition, so an argument is an operand.
  Up argument() { return operand(); }

  void check_argument(const Expression& argument, Type wanted) const {
    const bool is_query = argument.kind == Expression::Kind::query;
    const bool fits =
        wanted == Type::nodes
            ? is_query
            : argument.kind == Expression::Kind::literal || (is_query && argument.query.singular()) ||
                  (argument.kind == Expression::Kind::function && argument.type() == Type::value);
    if (!fits) fail("an argument of the wrong type");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Type Expression::type() const noexcept {
  if (kind == Kind::literal) return Type::value;
  if (kind == Kind::query) return Type::nodes;
  if (kind != Kind::function) return Type::logical;
  const auto* function = find_function(name);
  return function == nullptr ? Type::value : function->gives;
}

bool JsonPath::Query::singular() const noexcept {
  for (const auto& segment : segments) {
    if (segment.descendant || segment.selectors.size() != 1) return false;
    const auto& selector = segment.selectors.front();
    if (!std::holds_alternative<NameSelector>(selector) && !std::holds_alternative<IndexSelector>(selector) &&
        !std::holds_alternative<EitherSelector>(selector))
      return false;
  }
  return true;
}

JsonPath::Query parse_jsonpath(std::string_view text) {
  return Parser(text).whole();
}

}  // namespace staithe::checks
