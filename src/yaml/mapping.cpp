#include "words.hpp"

#include "staithe/base/text.hpp"
#include "staithe/yaml/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::yaml {

Mapping::Mapping(const Node& node, diag::Diagnostics& diagnostics, std::string path)
    : Mapping(Reader(node, diagnostics, std::move(path))) {}

Mapping::Mapping(const Reader& reader) : reader_(reader) {
  valid_ = reader_.is_map();
  known_.reserve(48);  // a step of a suite asks for nearly so many
}

const Entry* Mapping::entry(std::string_view key) const {
  for (const auto& entry : reader_.node().entries)
    if (entry.key == key) return &entry;
  return nullptr;
}

bool Mapping::has(std::string_view key) {
  known_.emplace_back(key);
  return valid_ && entry(key) != nullptr;
}

std::optional<Reader> Mapping::value(std::string_view key, Need need) {
  if (has(key)) return Reader(entry(key)->value, reader_.diagnostics(), path_of(path(), key));
  if (valid_ && need == Need::required) error_without({key}, fmt::format("missing key '{}'", key));
  return std::nullopt;
}

namespace {

/// The value of a reader's answer, with where it stands.
template <class T>
std::optional<Located<T>> locate(const Reader& reader, std::optional<T> value) {
  if (!value) return std::nullopt;
  return reader.located(std::move(*value));
}

}  // namespace

Mapping::Result<std::string> Mapping::text(std::string_view key, Need need) {
  const auto found = value(key, need);
  return found ? locate(*found, found->text()) : std::nullopt;
}

Mapping::Result<std::int64_t> Mapping::integer(std::string_view key, std::int64_t min, std::int64_t max,
                                               Need need) {
  const auto found = value(key, need);
  return found ? locate(*found, found->integer(min, max)) : std::nullopt;
}

Mapping::Result<base::Duration> Mapping::duration(std::string_view key, Need need) {
  const auto found = value(key, need);
  return found ? locate(*found, found->duration()) : std::nullopt;
}

Mapping::Result<bool> Mapping::boolean(std::string_view key, Need need) {
  const auto found = value(key, need);
  return found ? locate(*found, found->boolean()) : std::nullopt;
}

Mapping::Result<std::string> Mapping::choice(std::string_view key,
                                             std::initializer_list<std::string_view> choices, Need need) {
  const auto found = value(key, need);
  if (!found) return std::nullopt;
  return locate(*found, found->choice(std::vector<std::string>(choices.begin(), choices.end())));
}

Mapping::Result<Amount> Mapping::percent_or_count(std::string_view key, Need need, std::uint32_t min_count) {
  const auto found = value(key, need);
  return found ? locate(*found, found->percent_or_count(min_count)) : std::nullopt;
}

std::vector<Reader> Mapping::list(std::string_view key, Need need) {
  const auto found = value(key, need);
  return found ? found->list().value_or(std::vector<Reader>{}) : std::vector<Reader>{};
}

std::vector<Member> Mapping::map(std::string_view key, Need need) {
  const auto found = value(key, need);
  return found ? found->map().value_or(std::vector<Member>{}) : std::vector<Member>{};
}

const Entry* Mapping::slip_of(std::string_view key, bool is_map) const {
  const std::vector<std::string> wanted{std::string(key)};
  for (const auto& entry : reader_.node().entries) {
    const bool known = std::find(known_.begin(), known_.end(), entry.key) != known_.end();
    if (!known && (entry.value.kind == Kind::map) == is_map && base::nearest(entry.key, wanted))
      return &entry;
  }
  return nullptr;
}

std::vector<Member> Mapping::map_or_slip(std::string_view key) {
  if (has(key) || !valid_) return map(key);
  const auto* meant = slip_of(key, true);
  if (meant == nullptr) return {};
  return Reader(meant->value, reader_.diagnostics(), path_of(path(), meant->key))
      .map()
      .value_or(std::vector<Member>{});
}

std::optional<Reader> Mapping::value_or_slip(std::string_view key) {
  if (has(key) || !valid_) return value(key);
  const auto* meant = slip_of(key, false);
  if (meant == nullptr) return std::nullopt;
  return Reader(meant->value, reader_.diagnostics(), path_of(path(), meant->key));
}

std::vector<Located<std::string>> Mapping::texts(std::string_view key, Need need) {
  const auto found = value(key, need);
  return found ? found->texts().value_or(std::vector<Located<std::string>>{})
               : std::vector<Located<std::string>>{};
}

std::optional<Mapping> Mapping::mapping(std::string_view key, Need need) {
  const auto found = value(key, need);
  if (!found) return std::nullopt;
  Mapping inner(*found);
  if (!inner.valid()) return std::nullopt;
  return inner;
}

std::optional<std::string> Mapping::one_of(std::initializer_list<std::string_view> keys) {
  std::vector<std::string> present;
  std::vector<std::string> all;
  for (const auto key : keys) {
    all.emplace_back(key);
    if (has(key)) present.emplace_back(key);
  }
  if (present.size() == 1) return present.front();
  if (!valid_) return std::nullopt;
  if (present.empty())
    error_without(keys, fmt::format("missing key: one of {} is needed", base::join(all, ", ")));
  else
    error_at(present[1], fmt::format("'{}' cannot stand beside '{}'", present[1], present[0]),
             "use exactly one of " + base::join(all, ", "));
  return std::nullopt;
}

void Mapping::error(std::string message, std::string help) const {
  reader_.error(std::move(message), std::move(help));
}

void Mapping::error_at(std::string_view key, std::string message, std::string help) const {
  const Entry* found = entry(key);
  if (found == nullptr) return error(std::move(message), std::move(help));
  reader_.diagnostics().add({diag::Severity::error, found->position, found->length, std::move(message),
                             path_of(path(), key), std::move(help)});
}

void Mapping::error_without(std::initializer_list<std::string_view> keys, const Reader& where,
                            std::string message, std::string help) {
  absent_.push_back({{keys.begin(), keys.end()},
                     {diag::Severity::error, where.node().position, where.node().length, std::move(message),
                      where.path(), std::move(help)}});
  reader_.diagnostics().add(absent_.back().finding);
}

void Mapping::withdraw_absence_of(const std::string& key) {
  for (const auto& [keys, finding] : absent_)
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) reader_.diagnostics().withdraw(finding);
}

void Mapping::finish() {
  if (!valid_) return;
  const auto unused = [this] {
    std::vector<std::string> keys;
    for (const auto& key : known_)
      if (entry(key) == nullptr) keys.push_back(key);
    return keys;
  };
  for (const auto& entry : reader_.node().entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    // A key that stands there already is hardly what was meant.
    const auto meant = base::nearest(entry.key, unused());
    std::vector<std::string> known;  // each once, in the order in which they were asked for
    for (const auto& key : known_)
      if (std::find(known.begin(), known.end(), key) == known.end()) known.push_back(key);
    std::string help;
    if (meant) {
      help = fmt::format("did you mean '{}'?", *meant);
      withdraw_absence_of(*meant);
    } else if (const auto beside = base::nearest(entry.key, known)) {
      help = fmt::format("'{}' stands here already; is this a part of it?", *beside);
    } else {
      help = known.empty() ? "nothing can stand here" : "known keys: " + base::join(known, ", ");
    }
    reader_.diagnostics().add({diag::Severity::error, entry.position, entry.length,
                               fmt::format("unknown key {}", in_quotes(entry.key)), path(), std::move(help)});
  }
}

}  // namespace staithe::yaml
