#pragma once
#include "enum_names.hpp"
#include "json_fields.hpp"

#include "staithe/base/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cassert>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// A plan's types to JSON and back, by their lists of fields.
namespace staithe::plan {

template <class T>
void write_value(std::string& to, const T& value);
template <class T>
void read_value(const nlohmann::json& from, T& value);

inline void write_string(std::string& to, std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(),
                                 [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (plain)
    to.append("\"").append(text).append("\"");
  else
    to += nlohmann::json(text).dump();
}

/// A member that no list of fields has, with its value as JSON has it: a variant's kind.
struct Extra {
  std::string_view name;
  std::string value;
};

/// Writes an object's text at the end of `to`. Its members come sorted by name, as a parsed document would
/// have them; one that does not is put in its place by `extra`.
class WriteFields {
 public:
  explicit WriteFields(std::string& to, Extra extra = {}) : to_(to), extra_(std::move(extra)) { to_ += '{'; }

  template <class T>
  void field(std::string_view name, T& value) {
    if (!extra_.name.empty() && extra_.name < name) write_extra();
    begin(name);
    write_value(to_, value);
  }
  template <class T>
  void later(std::string_view name, T& value) {
    field(name, value);
  }
  template <class T>
  void said(std::string_view name, T& value) {
    if (value != T{}) field(name, value);
  }
  void close() {
    if (!extra_.name.empty()) write_extra();
    to_ += '}';
  }

 private:
  void begin(std::string_view name) {
    assert(last_ < name && "a list of fields is not sorted by name");
    last_ = name;
    if (to_.back() != '{') to_ += ',';
    write_string(to_, name);
    to_ += ':';
  }
  void write_extra() {
    begin(std::exchange(extra_.name, {}));
    to_ += extra_.value;
  }

  std::string& to_;
  Extra extra_;
  std::string_view last_;
};
struct ReadFields {
  const nlohmann::json& from;
  template <class T>
  void field(const char* name, T& value) {
    read_value(from.at(name), value);
  }
  template <class T>
  void later(const char* name, T& value) {
    if (from.contains(name)) field(name, value);
  }
  template <class T>
  void said(const char* name, T& value) {
    later(name, value);
  }
};

template <class V, std::size_t index = 0>
void read_alternative(const std::string& kind, const nlohmann::json& from, V& value) {
  if constexpr (index < std::variant_size_v<V>) {
    if (kind == VariantNames<V>::names[index]) {
      std::variant_alternative_t<index, V> alternative;
      read_value(from, alternative);
      value = std::move(alternative);
      return;
    }
    read_alternative<V, index + 1>(kind, from, value);
  } else {
    throw base::Error(base::ErrorCode::invalid, "not a plan: unknown kind '" + kind + "'");
  }
}

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsPair : std::false_type {};
template <class A, class B>
struct IsPair<std::pair<A, B>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};

template <class Items, class Write>
void write_list(std::string& to, const Items& items, Write write) {
  to += '[';
  for (const auto& item : items) {
    if (to.back() != '[') to += ',';
    write(item);
  }
  to += ']';
}

inline void write_text(std::string& to, const Text& text) {
  write_list(to, text.pieces(), [&](const auto& piece) {
    if (const auto* literal = std::get_if<std::string>(&piece)) return write_string(to, *literal);
    WriteFields object(to);
    if (const auto* secret = std::get_if<SecretRef>(&piece))
      object.field("secret", *secret);
    else
      object.field("capture", std::get<CaptureRef>(piece).name);
    object.close();
  });
}

inline void read_text(const nlohmann::json& from, Text& text) {
  for (const auto& piece : from) {
    if (piece.is_string()) {
      text.append(std::string_view(piece.get_ref<const std::string&>()));
    } else if (piece.contains("secret")) {
      SecretRef secret;
      read_value(piece.at("secret"), secret);
      text.append(std::move(secret));
    } else {
      text.append(CaptureRef{piece.at("capture").get<std::string>()});
    }
  }
}

/// The members of a variant are those of what it holds.
template <class T>
void write_members(WriteFields& object, const T& value) {
  if constexpr (IsVariant<T>::value)
    std::visit([&](const auto& alternative) { write_members(object, alternative); }, value);
  else
    fields(object, const_cast<T&>(value));  // NOLINT(cppcoreguidelines-pro-type-const-cast): only read
}

/// Which alternative a variant holds; nothing for other types.
template <class T>
Extra extra_of(const T& value) {
  Extra extra;
  if constexpr (IsVariant<T>::value) {
    extra.name = "kind";
    write_string(extra.value, VariantNames<T>::names[value.index()]);
  }
  return extra;
}

template <class T>
void write_value(std::string& to, const T& value) {
  if constexpr (std::is_same_v<T, Text>) {
    write_text(to, value);
  } else if constexpr (std::is_same_v<T, base::Duration>) {
    to += std::to_string(value.count());
  } else if constexpr (std::is_enum_v<T>) {
    write_string(to, EnumNames<T>::names[static_cast<std::size_t>(value)]);
  } else if constexpr (std::is_same_v<T, bool>) {
    to += value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    to += std::to_string(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    write_string(to, value);
  } else if constexpr (IsVector<T>::value) {
    write_list(to, value, [&](const auto& item) { write_value(to, item); });
  } else if constexpr (IsOptional<T>::value) {
    if (value)
      write_value(to, *value);
    else
      to += "null";
  } else if constexpr (IsPair<T>::value) {
    write_value(to.append("["), value.first);
    write_value(to.append(","), value.second);
    to += ']';
  } else if constexpr (IsMap<T>::value) {
    WriteFields object(to);
    for (const auto& [key, item] : value) object.field(key, item);
    object.close();
  } else {
    WriteFields object(to, extra_of(value));
    write_members(object, value);
    object.close();
  }
}

template <class T>
void read_value(const nlohmann::json& from, T& value) {
  if constexpr (std::is_same_v<T, Text>) {
    read_text(from, value);
  } else if constexpr (std::is_same_v<T, base::Duration>) {
    value = base::Duration(from.get<std::int64_t>());
  } else if constexpr (std::is_enum_v<T>) {
    value = enum_from<T>(from.get<std::string>());
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    value = from.get<T>();
  } else if constexpr (IsVector<T>::value) {
    value.clear();  // a default such as the strategy's batches is replaced, not added to
    for (const auto& item : from) {
      value.emplace_back();
      read_value(item, value.back());
    }
  } else if constexpr (IsOptional<T>::value) {
    value.reset();
    if (!from.is_null()) read_value(from, value.emplace());
  } else if constexpr (IsPair<T>::value) {
    read_value(from.at(0), value.first);
    read_value(from.at(1), value.second);
  } else if constexpr (IsMap<T>::value) {
    for (const auto& [key, item] : from.items()) read_value(item, value[key]);
  } else if constexpr (IsVariant<T>::value) {
    read_alternative(from.at("kind").get<std::string>(), from, value);
  } else {
    ReadFields reader{from};
    fields(reader, value);
  }
}

}  // namespace staithe::plan
