#include "staithe/yaml/reader.hpp"

#include "words.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace staithe::yaml {
namespace {

bool is_word(std::string_view key) {
  const auto plain = [](char c) {
    return base::is_alnum(c) || c == '_' || c == '-' || static_cast<unsigned char>(c) >= 0x80;
  };
  return !key.empty() && std::all_of(key.begin(), key.end(), plain);
}

/// The whole text as a decimal number: what other YAML readers take for octal or hexadecimal is none.
std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  return value;
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string range_text(std::int64_t min, std::int64_t max) {
  if (max == std::numeric_limits<std::int64_t>::max()) return fmt::format("{} or more", min);
  return fmt::format("from {} to {}", min, max);
}

}  // namespace

std::string path_of(std::string_view path, std::string_view key) {
  std::string whole;
  whole.reserve(path.size() + 4 + key.size());
  whole.append(path);
  if (!is_word(key)) return whole.append("[\"").append(key).append("\"]");
  if (!path.empty()) whole += '.';
  return whole.append(key);
}

std::string path_of(std::string_view path, std::size_t index) {
  std::string whole(path);
  return whole.append("[").append(std::to_string(index)).append("]");
}

Reader::Reader(const Node& node, diag::Diagnostics& diagnostics, std::string path)
    : node_(&node), diagnostics_(&diagnostics), path_(std::move(path)) {}

void Reader::error(std::string message, std::string help) const {
  diagnostics_->add(
      {diag::Severity::error, node_->position, node_->length, std::move(message), path_, std::move(help)});
}

void Reader::warning(std::string message, std::string help) const {
  diagnostics_->add(
      {diag::Severity::warning, node_->position, node_->length, std::move(message), path_, std::move(help)});
}

std::nullopt_t Reader::unfit(std::string message, std::string help) const {
  error(std::move(message), std::move(help));
  return std::nullopt;
}

std::nullopt_t Reader::expected(std::string_view what, std::string help) const {
  if (!node_->refused)
    error(fmt::format("expected {}, found {}", what, describe(node_->kind)), std::move(help));
  return std::nullopt;
}

bool Reader::is_scalar(std::string_view what) const {
  if (node_->kind == Kind::scalar && !node_->refused) return true;
  // "{{ name }}" is how the templates of other tools look, and a mapping to YAML.
  const bool braces = node_->kind == Kind::map;
  expected(what, braces ? "a text that starts with '{' needs quotes" : "");
  return false;
}

std::optional<std::string> Reader::text() const {
  if (!is_scalar("text")) return std::nullopt;
  return node_->text;
}

std::optional<std::int64_t> Reader::integer(std::int64_t min, std::int64_t max) const {
  if (!is_scalar("a whole number")) return std::nullopt;
  const auto value = whole_number(node_->text);
  if (value && node_->quoted) return unfit("expected a whole number, found text", "remove the quotes");
  if (value && *value >= min && *value <= max) return value;
  if (!value && is_digits(node_->text) && node_->text.front() == '0')
    return unfit(in_quotes(node_->text) + " has leading zeros",
                 "some programs would read it as octal: write the number without them");
  if (value || is_digits(node_->text))
    return unfit(fmt::format("{} is out of range", in_quotes(node_->text)),
                 "write a number " + range_text(min, max));
  return unfit(in_quotes(node_->text) + " is not a whole number", "write a number " + range_text(min, max));
}

std::optional<base::Duration> Reader::duration() const {
  if (!is_scalar("a duration")) return std::nullopt;
  const auto value = base::parse_duration(node_->text);
  if (value) return value;
  if (is_digits(node_->text) && node_->text.size() < 10)
    return unfit(fmt::format("the duration '{}' has no unit", node_->text),
                 fmt::format("write '{0}s' for seconds or '{0}m' for minutes", node_->text));
  return unfit(in_quotes(node_->text) + " is not a duration",
               "write it like 250ms, 30s, 5m, 1h30m or 1d; 365d at most");
}

std::optional<bool> Reader::boolean() const {
  if (!is_scalar("true or false")) return std::nullopt;
  const std::string& text = node_->text;
  if (!node_->quoted && text == "true") return true;
  if (!node_->quoted && text == "false") return false;
  if (text == "true" || text == "false")
    return unfit("expected true or false, found text", "remove the quotes");
  const std::string lower = base::lower(text);
  std::string help = "write true or false";
  if (lower == "yes" || lower == "on" || lower == "y" || lower == "true" || lower == "1") help = "write true";
  if (lower == "no" || lower == "off" || lower == "n" || lower == "false" || lower == "0")
    help = "write false";
  return unfit(in_quotes(text) + " is neither true nor false", help);
}

std::optional<std::string> Reader::choice(std::span<const std::string> choices) const {
  const std::string all = base::join(choices, ", ");
  if (!is_scalar("one of " + all)) return std::nullopt;
  if (std::find(choices.begin(), choices.end(), node_->text) != choices.end()) return node_->text;
  const auto meant = base::nearest(node_->text, choices);
  return unfit(fmt::format("{} is not one of {}", in_quotes(node_->text), all),
               meant ? fmt::format("did you mean '{}'?", *meant) : "");
}

std::optional<Amount> Reader::percent_or_count(std::uint32_t min_count) const {
  constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
  if (!is_scalar("a number or a percentage")) return std::nullopt;
  const std::string_view text = node_->text;
  const bool percent = text.ends_with('%');
  const auto value = whole_number(percent ? text.substr(0, text.size() - 1) : text);
  const std::int64_t min = percent ? 0 : min_count;
  const std::int64_t max = percent ? 100 : most;
  const std::string help =
      fmt::format("write a number, {} or more, or a percentage from 0% to 100%", min_count);
  if (!value) return unfit(in_quotes(text) + " is neither a number nor a percentage", help);
  if (*value < min || *value > max) return unfit(in_quotes(text) + " is out of range", help);
  return Amount{percent ? Amount::Unit::percent : Amount::Unit::count, static_cast<std::uint32_t>(*value)};
}

std::optional<std::vector<Reader>> Reader::list() const {
  std::vector<Reader> items;
  if (node_->refused) return std::nullopt;
  if (node_->kind != Kind::list && node_->kind != Kind::null)
    return expected("a list", node_->kind == Kind::scalar
                                  ? "write it as '[...]', or an item a line after '- '"
                                  : "put '- ' in front of each item");
  for (const auto& item : node_->items) items.emplace_back(item, *diagnostics_, path_of(path_, items.size()));
  return items;
}

bool Reader::is_map() const {
  const bool fits = node_->kind == Kind::map || node_->kind == Kind::null;
  if (!fits) expected("a mapping");
  return fits && !node_->refused;
}

std::optional<std::vector<Member>> Reader::map() const {
  if (!is_map()) return std::nullopt;
  std::vector<Member> members;
  members.reserve(node_->entries.size());
  for (const auto& entry : node_->entries) {
    const std::string path = path_of(path_, entry.key);
    members.push_back(
        {{entry.key, entry.position, entry.length, path}, Reader(entry.value, *diagnostics_, path)});
  }
  return members;
}

std::optional<std::vector<Located<std::string>>> Reader::texts() const {
  const auto items = list();
  if (!items) return std::nullopt;
  std::vector<Located<std::string>> texts;
  bool all_fit = true;
  for (const auto& item : *items) {
    if (auto text = item.text())
      texts.push_back(item.located(std::move(*text)));
    else
      all_fit = false;
  }
  if (!all_fit) return std::nullopt;
  return texts;
}

}  // namespace staithe::yaml
