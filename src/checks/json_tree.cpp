#include "json_tree.hpp"

#include "whole.hpp"

#include "staithe/checks/expectation.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

namespace staithe::checks {
namespace {

using nlohmann::json;

/// Makes the tree of what nlohmann's parser calls; false ends it.
class Builder {
 public:
  explicit Builder(const InRange* in_range) : in_range_(in_range) {}

  bool null() { return add(nullptr) != nullptr; }
  bool boolean(bool value) { return add(value) != nullptr; }
  bool number_integer(json::number_integer_t value) { return add(value) != nullptr; }
  bool number_unsigned(json::number_unsigned_t value) { return add(value) != nullptr; }
  bool number_float(json::number_float_t value, const std::string& text) {
    return add(number_as_written(value, in_range_ == nullptr ? text : in_range_->original(text))) != nullptr;
  }
  bool binary(json::binary_t&) { return false; }
  bool string(std::string& text) { return add(std::move(text)) != nullptr; }
  bool start_object(std::size_t) { return enter(json::object()); }
  bool start_array(std::size_t) { return enter(json::array()); }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }
  bool key(std::string& name) {
    member_ = &(*open_.back())[name];
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) {
    beyond_numbers_ = error.id == InRange::beyond;
    return false;
  }

  bool beyond_numbers() const { return beyond_numbers_; }
  json take() { return std::move(root_); }

 private:
  /// Where it stays: a list grows no more while one of its elements is open.
  json* add(json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_object()) return &(*member_ = std::move(value));
    open_.back()->push_back(std::move(value));
    return &open_.back()->back();
  }
  bool enter(json empty) {
    open_.push_back(add(std::move(empty)));
    return true;
  }
  bool leave() {
    open_.pop_back();
    return true;
  }

  const InRange* in_range_;
  json root_;
  std::vector<json*> open_;
  json* member_ = nullptr;
  bool beyond_numbers_ = false;
};

json read(std::string_view text, const InRange* in_range, bool& beyond_numbers) {
  Builder builder(in_range);
  const bool whole = json::sax_parse(text.begin(), text.end(), &builder);
  beyond_numbers = builder.beyond_numbers();
  return whole ? builder.take() : json(json::value_t::discarded);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// As JSON writes numbers: no zero in front, digits on both sides of a point.
bool is_json_number(std::string_view text) {
  const auto take = [&](std::string_view any) {
    const bool taken = !text.empty() && any.find(text.front()) != std::string_view::npos;
    if (taken) text.remove_prefix(1);
    return taken;
  };
  const auto digits = [&] {
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    const auto count = static_cast<std::size_t>(end - text.begin());
    text.remove_prefix(count);
    return count > 0;
  };
  take("-");
  if (!take("0") && !digits()) return false;
  if (take(".") && !digits()) return false;
  if (take("eE")) {
    take("+-");
    if (!digits()) return false;
  }
  return text.empty();
}

bool is_stand_in(std::string_view text) {
  return text.starts_with("0e");
}

void write(const json& node, std::string& into) {
  if (node.is_binary()) {
    const auto& text = node.get_binary();
    into.append(text.begin(), text.end());
    return;
  }
  if (!node.is_structured()) {
    into += node.dump(-1, ' ', false, json::error_handler_t::replace);
    return;
  }
  into += node.is_array() ? '[' : '{';
  bool first = true;
  for (auto one = node.begin(); one != node.end(); ++one) {
    if (!std::exchange(first, false)) into += ',';
    if (node.is_object()) into += json(one.key()).dump(-1, ' ', false, json::error_handler_t::replace) + ":";
    write(*one, into);
  }
  into += node.is_array() ? ']' : '}';
}

/// Nothing where the parser's own comparison will do.
std::optional<std::pair<std::string, std::string>> whole_texts(const json& a, const json& b) {
  if (a.type() == b.type() && !a.is_binary()) return std::nullopt;
  auto texts = std::pair(written(a), written(b));
  if (!is_whole(texts.first) || !is_whole(texts.second)) return std::nullopt;
  return texts;
}

}  // namespace

InRange::InRange(std::string_view text) {
  text_.reserve(text.size());
  bool in_text = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = in_text ? at : std::min(text.find_first_not_of("+-.eE0123456789", at), text.size());
    const auto number = text.substr(at, end - at);
    if (is_json_number(number) && (is_stand_in(number) || is_beyond_numbers(number))) {
      text_ += "0e" + std::to_string(originals_.size());
      originals_.emplace_back(number);
      at = end;
    } else if (!number.empty()) {
      text_ += number;
      at = end;
    } else {
      if (text[at] == '"') in_text = !in_text;
      if (in_text && text[at] == '\\' && at + 1 < text.size()) text_ += text[at++];
      text_ += text[at++];
    }
  }
}

const std::string& InRange::original(const std::string& written) const {
  if (!is_stand_in(written)) return written;
  // What only begins like a stand-in was left as it is, for it is no number: "0e5-3".
  std::size_t number = 0;
  const char* const end = written.data() + written.size();
  const auto [behind, error] = std::from_chars(written.data() + 2, end, number);
  const bool stands_in = error == std::errc() && behind == end && number < originals_.size();
  return stands_in ? originals_[number] : written;
}

json read_json(std::string_view text) {
  bool beyond_numbers = false;
  auto tree = read(text, nullptr, beyond_numbers);
  if (!beyond_numbers) return tree;
  const InRange in_range(text);
  return read(in_range.text(), &in_range, beyond_numbers);
}

std::string written(const json& node) {
  std::string text;
  write(node, text);
  return text;
}

bool is_number(const json& node) {
  return node.is_number() || node.is_binary();
}

double number_of(const json& node) {
  return node.is_binary() ? std::strtod(written(node).c_str(), nullptr) : node.get<double>();
}

json number_as_written(double number, std::string_view text) {
  if (json plain = number; plain.dump() == text) return plain;
  return json::binary({text.begin(), text.end()});
}

bool same(const json& a, const json& b) {
  if (is_number(a) && is_number(b)) {
    if (const auto whole = whole_texts(a, b)) return order_of_whole(whole->first, whole->second) == 0;
    if (a.type() == b.type() && !a.is_binary()) return a == b;
    const double left = number_of(a), right = number_of(b);
    return left == right && (std::isfinite(left) || written(a) == written(b));
  }
  if (a.type() != b.type()) return false;
  if (!a.is_structured()) return a == b;
  if (a.size() != b.size()) return false;
  for (auto left = a.begin(), right = b.begin(); left != a.end(); ++left, ++right)
    if ((a.is_object() && left.key() != right.key()) || !same(*left, *right)) return false;
  return true;
}

bool is_less(const json& a, const json& b) {
  if (const auto whole = whole_texts(a, b)) return order_of_whole(whole->first, whole->second) < 0;
  if (a.type() == b.type() && !a.is_binary()) return a < b;
  return number_of(a) < number_of(b);
}

}  // namespace staithe::checks
