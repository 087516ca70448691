#pragma once
#include "staithe/base/duration.hpp"
#include "staithe/diag/diagnostic.hpp"
#include "staithe/yaml/node.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace staithe::yaml {

enum class Need { optional, required };

/// A number of things, or a share of them: "3" or "25%".
struct Amount {
  enum class Unit { count, percent };
  Unit unit = Unit::count;
  std::uint32_t value = 0;
};

/// A value and where it stands, for findings that come later ("no host is called 'web9'").
template <class T>
struct Located {
  T value;
  diag::Position position;
  std::uint32_t length = 1;
  std::string path;
};

/// "steps" and "drain" to "steps.drain"; keys that are no plain word become ["a.b"].
std::string path_of(std::string_view path, std::string_view key);
/// "steps" and 2 to "steps[2]".
std::string path_of(std::string_view path, std::size_t index);

class Mapping;
struct Member;

/// A cursor on one value that reads it as a type. What does not fit becomes a finding and nullopt; nothing
/// throws. Node and collector are referred to and must outlive it.
class Reader {
 public:
  Reader(const Node& node, diag::Diagnostics& diagnostics, std::string path = {});

  const Node& node() const noexcept { return *node_; }
  const std::string& path() const noexcept { return path_; }
  diag::Diagnostics& diagnostics() const noexcept { return *diagnostics_; }

  /// Any scalar, quoted or not, as it was written.
  std::optional<std::string> text() const;
  /// Unquoted decimal digits, perhaps after "-"; no leading zeros, no other bases.
  std::optional<std::int64_t> integer(std::int64_t min, std::int64_t max) const;
  /// As base::parse_duration reads it: a unit is required.
  std::optional<base::Duration> duration() const;
  /// Only unquoted true and false.
  std::optional<bool> boolean() const;
  std::optional<std::string> choice(std::span<const std::string> choices) const;
  /// "3" (at least `min_count`) or "25%" (0 to 100).
  std::optional<Amount> percent_or_count(std::uint32_t min_count = 0) const;
  /// The items of a list; null is an empty one.
  std::optional<std::vector<Reader>> list() const;
  /// The members of a mapping with free keys, in the order of the file; null is an empty one.
  std::optional<std::vector<Member>> map() const;
  /// Whether map() would find something to read; what it would say is said here as well.
  bool is_map() const;
  /// A list of scalars.
  std::optional<std::vector<Located<std::string>>> texts() const;

  /// A finding of the caller's own about this value.
  void error(std::string message, std::string help = {}) const;
  void warning(std::string message, std::string help = {}) const;

  template <class T>
  Located<T> located(T value) const {
    return {std::move(value), node_->position, node_->length, path_};
  }

 private:
  std::nullopt_t expected(std::string_view what, std::string help = {}) const;
  std::nullopt_t unfit(std::string message, std::string help = {}) const;
  bool is_scalar(std::string_view what) const;

  const Node* node_;
  diag::Diagnostics* diagnostics_;
  std::string path_;
};

/// One key of a mapping with free keys.
struct Member {
  Located<std::string> key;
  Reader value;
};

/// Reads a mapping with known keys. Ask for every key that there may be, then call finish(), which reports
/// the keys that were never asked for. A value that is no mapping is reported once, and then nothing more is
/// said about it; null is an empty mapping.
class Mapping {
 public:
  Mapping(const Node& node, diag::Diagnostics& diagnostics, std::string path = {});
  explicit Mapping(const Reader& reader);

  template <class T>
  using Result = std::optional<Located<T>>;

  Result<std::string> text(std::string_view key, Need need = Need::optional);
  Result<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max,
                               Need need = Need::optional);
  Result<base::Duration> duration(std::string_view key, Need need = Need::optional);
  Result<bool> boolean(std::string_view key, Need need = Need::optional);
  Result<std::string> choice(std::string_view key, std::initializer_list<std::string_view> choices,
                             Need need = Need::optional);
  Result<Amount> percent_or_count(std::string_view key, Need need = Need::optional,
                                  std::uint32_t min_count = 0);
  /// The same as choice(), answering with the value that belongs to the word.
  template <class T>
  Result<T> choice_of(std::string_view key, std::initializer_list<std::pair<std::string_view, T>> choices,
                      Need need = Need::optional) {
    const auto found = value(key, need);
    if (!found) return std::nullopt;
    std::vector<std::string> words;
    for (const auto& one : choices) words.emplace_back(one.first);
    const auto chosen = found->choice(words);
    if (!chosen) return std::nullopt;
    for (const auto& [word, meaning] : choices)
      if (word == *chosen) return found->located(meaning);
    return std::nullopt;
  }

  /// Items, members, texts: empty when the key is absent or unfit.
  std::vector<Reader> list(std::string_view key, Need need = Need::optional);
  std::vector<Member> map(std::string_view key, Need need = Need::optional);
  /// Without the key the members of one that was probably meant as it, which finish() reports: what names
  /// them is no mistake of its own.
  std::vector<Member> map_or_slip(std::string_view key);
  /// The same for a value of any other kind.
  std::optional<Reader> value_or_slip(std::string_view key);
  std::vector<Located<std::string>> texts(std::string_view key, Need need = Need::optional);
  /// A mapping with known keys of its own, which needs its own finish().
  std::optional<Mapping> mapping(std::string_view key, Need need = Need::optional);
  /// The value whatever its kind, for keys that may hold several.
  std::optional<Reader> value(std::string_view key, Need need = Need::optional);

  bool has(std::string_view key);
  /// Exactly one of these keys: its name. None or several are reported.
  std::optional<std::string> one_of(std::initializer_list<std::string_view> keys);

  /// Findings about the mapping itself, and about one key of it.
  void error(std::string message, std::string help = {}) const;
  void error_at(std::string_view key, std::string message, std::string help = {}) const;
  /// A finding about `where` that would not be there if one of these keys were. finish() takes it back when a
  /// key that nobody knows was probably meant as one of them: that slip of the pen is then all there is to
  /// say.
  void error_without(std::initializer_list<std::string_view> keys, const Reader& where, std::string message,
                     std::string help = {});
  void error_without(std::initializer_list<std::string_view> keys, std::string message,
                     std::string help = {}) {
    error_without(keys, reader_, std::move(message), std::move(help));
  }

  /// Reports every key that was not asked for, with a suggestion, and takes back what was said about the
  /// absence of the suggested key.
  void finish();

  const std::string& path() const noexcept { return reader_.path(); }
  const diag::Position& position() const noexcept { return reader_.node().position; }
  const Node& node() const noexcept { return reader_.node(); }
  /// False when the value is no mapping (which has been reported).
  bool valid() const noexcept { return valid_; }

 private:
  /// A finding, and the keys whose absence is its reason.
  struct Absence {
    std::vector<std::string> keys;
    diag::Diagnostic finding;
  };

  const Entry* entry(std::string_view key) const;
  /// Of a key that is not there: an entry that was probably meant as it.
  const Entry* slip_of(std::string_view key, bool is_map) const;
  void withdraw_absence_of(const std::string& key);

  Reader reader_;
  bool valid_ = true;
  std::vector<std::string> known_;
  std::vector<Absence> absent_;
};

}  // namespace staithe::yaml
