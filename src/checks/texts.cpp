#include "staithe/checks/texts.hpp"

#include "json_tree.hpp"

#include "staithe/base/text.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace staithe::checks {
namespace {

using nlohmann::json;
using NamedTexts = std::vector<std::pair<std::string, std::string>>;
using OfInterest = bool (*)(std::string_view);

constexpr std::size_t most_read = 256 * 1024;
constexpr unsigned deepest_text = 4;
constexpr std::size_t digits_of_password = 6;

bool may_be_json(std::string_view text) {
  text = base::trim(text);
  return !text.empty() && (text.front() == '{' || text.front() == '[' || text.front() == '"');
}

/// How JSON writes it between its quotes; some programs escape '/' and all that is beyond ASCII as well.
enum class Escapes { what_must_be, all };
std::string in_json(const std::string& text, Escapes escapes) {
  const bool all = escapes == Escapes::all;
  const auto quoted = json(text).dump(-1, ' ', all, json::error_handler_t::replace);
  std::string made;
  for (const char c : std::string_view(quoted).substr(1, quoted.size() - 2)) {
    if (all && c == '/') made += '\\';
    made += c;
  }
  return made;
}

/// Takes what the parser meets, so that no tree is made of what only is to be looked through.
class Gatherer {
 public:
  Gatherer(OfInterest of_interest, NamedTexts& texts) : of_interest_(of_interest), texts_(texts) {}

  /// Where a text breaks off, what came before has been met.
  void read(std::string_view text) {
    if (json::sax_parse(text.begin(), text.end(), this) || !beyond_numbers_) return;
    const InRange in_range(text);
    Gatherer again(of_interest_, texts_);
    again.text_depth_ = text_depth_;
    again.in_range_ = &in_range;
    (void)json::sax_parse(in_range.text(), &again);
  }

  // What nlohmann's parser calls; false ends it.
  bool null() { return plain(); }
  bool boolean(bool) { return plain(); }
  bool number_integer(json::number_integer_t number) { return this->number(std::to_string(number)); }
  bool number_unsigned(json::number_unsigned_t number) { return this->number(std::to_string(number)); }
  bool number_float(json::number_float_t, const std::string& text) {
    return number(in_range_ == nullptr ? text : in_range_->original(text));
  }
  bool binary(json::binary_t&) { return plain(); }
  bool string(std::string& text) {
    const auto name = name_of_value();
    if (of_interest_ == nullptr || !name.empty()) take(name, text);
    look_into(name, text);
    return true;
  }
  bool start_object(std::size_t) { return enter(); }
  bool start_array(std::size_t) { return enter(); }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }
  bool key(std::string& name) {
    if (within_ == 0 && of_interest_ != nullptr && of_interest_(name)) name_ = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) {
    beyond_numbers_ = error.id == InRange::beyond;
    return false;
  }

 private:
  /// Of the member of interest that the next value is or lies in; "" for none.
  std::string name_of_value() { return within_ > 0 ? name_ : std::exchange(name_, {}); }
  bool plain() {
    (void)name_of_value();
    return true;
  }
  /// In a text in a text also as it is written there.
  void take(const std::string& name, const std::string& text) {
    texts_.emplace_back(name, text);
    for (const auto escapes : {Escapes::what_must_be, Escapes::all}) {
      auto written = text;
      for (unsigned depth = 1; depth < text_depth_; ++depth) {
        auto again = in_json(written, depth == 1 ? escapes : Escapes::what_must_be);
        if (again == written) break;
        texts_.emplace_back(name, again);
        written = std::move(again);
      }
    }
  }
  /// Not in a list or an object of interest: there it counts something.
  bool number(std::string text) {
    const bool lies_within = within_ > 0;
    const auto name = name_of_value();
    if (lies_within || name.empty()) return true;
    if (text.size() >= digits_of_password) texts_.emplace_back(name, std::move(text));
    return true;
  }
  bool enter() {
    ++depth_;
    if (within_ == 0 && !name_.empty()) within_ = depth_;
    return true;
  }
  bool leave() {
    if (within_ == depth_) {
      within_ = 0;
      name_.clear();
    }
    --depth_;
    return true;
  }
  /// What lies in a text of interest is of interest, whatever it is called.
  void look_into(const std::string& name, std::string_view text) {
    if (text_depth_ == deepest_text || !may_be_json(text)) return;
    const auto before = texts_.size();
    Gatherer inner(name.empty() ? of_interest_ : nullptr, texts_);
    inner.text_depth_ = text_depth_ + 1;
    inner.read(text.substr(0, most_read));
    if (name.empty()) return;
    for (auto i = before; i < texts_.size(); ++i) texts_[i].first = name;
  }

  OfInterest of_interest_;  ///< null: everything is
  NamedTexts& texts_;
  std::string name_;
  std::size_t depth_ = 0,
              within_ = 0;  ///< how deep that is which has the name; 0: it comes next, or none does
  unsigned text_depth_ = 0;
  const InRange* in_range_ = nullptr;
  bool beyond_numbers_ = false;
};

NamedTexts gathered(const Value& value, OfInterest of_interest) {
  NamedTexts texts;
  // Of facts, whose text is what people read.
  for (const auto& item : value.items)
    for (auto& found : gathered(item, of_interest)) texts.push_back(std::move(found));
  const bool is_tree = value.kind == Value::Kind::list || value.kind == Value::Kind::object;
  if (!value.items.empty()) return texts;
  if (is_tree)
    Gatherer(of_interest, texts).read(value.text);
  else if (value.kind == Value::Kind::text && may_be_json(value.text))
    Gatherer(of_interest, texts).read(std::string_view(value.text).substr(0, most_read));
  return texts;
}

}  // namespace

std::vector<std::string> texts_in(const Value& value) {
  std::vector<std::string> texts;
  for (auto& found : gathered(value, nullptr)) texts.push_back(std::move(found.second));
  return texts;
}

NamedTexts named_texts_in(const Value& value, OfInterest of_interest) {
  return gathered(value, of_interest);
}

}  // namespace staithe::checks
