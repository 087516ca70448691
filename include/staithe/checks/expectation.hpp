#pragma once
#include "staithe/checks/request.hpp"
#include "staithe/diag/diagnostic.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::checks {

/// One phrase: "at most 3s", "2.90 within 0.01 or 1%", "matches ^/cards/CC".
struct Matcher {
  enum class Word {
    equals,    ///< operands[0]
    one_of,    ///< inner
    at_least,  ///< operands[0], and so on
    at_most,
    over,
    under,
    range,     ///< operands[0] to operands[1]
    within,    ///< operands[0] within operands[1] and/or operands[2] percent
    matches,   ///< operands[0]: a PCRE2 pattern
    contains,  ///< operands[0]
    empty,
    absent,
    exists,
    date_ahead,   ///< operands[0] to operands[1] from now
    date_ago,     ///< operands[0] to operands[1] ago
    date_near,    ///< within operands[0] of now, either way
    count,        ///< inner[0] about how many there are
    negation,     ///< not inner[0]
    status_class  ///< operands[0]: "2xx"
  };
  Word word = Word::exists;
  std::vector<Text> operands;
  std::vector<Matcher> inner;
  std::optional<std::uint32_t> of{};  ///< "at least 19 of 20": how many there are
  /// The author wrote quotes: text and nothing else. `plain`: a number that is written so must be a number.
  /// `cell`: put in for a name, as `substituted`, but by who wrote the table: a slip in it is a mistake.
  enum class Form { plain, quoted, substituted, cell };
  Form form = Form::plain;
};

/// What must hold of one subject of a reply.
struct Expectation {
  std::string subject;  ///< "status", "header.content-type", "json.items.*.id", "json $..id"
  Matcher matcher;
  std::string wanted;  ///< the phrase as written, holes named
  diag::Position position;
};

/// Whether a subject is of a whole `sample`, and not of each of its answers.
inline bool is_of_all_samples(std::string_view subject) noexcept {
  return subject == "success" || subject == "p50" || subject == "p95" || subject == "p99";
}

/// Reads a phrase. `text` may have holes, which count as operands. Nothing comes back for a phrase that
/// cannot be meant; `why` then says so, and `help` may say more.
std::optional<Matcher> parse_matcher(const Text& text, Matcher::Form form, std::string& why,
                                     std::string& help);

/// Whether a text in which values were put in is text only because of a slip in what stands around them, of
/// which `written` has holes for the values.
bool is_slip_around(const Text& written, std::string& why, std::string& help);

/// A number with or without a unit: "3s", "2MB", "-1.5", "20". Nothing for anything else.
std::optional<Value> parse_quantity(std::string_view text);
/// A number that is too large, or too near to 0, to be held: "1e400".
bool is_beyond_numbers(std::string_view text);
std::optional<double> parse_number(std::string_view text);

/// Seconds since 1970 of an RFC 3339 time, a date (midnight UTC), an HTTP date, or a number of seconds.
std::optional<double> parse_date(std::string_view text);

}  // namespace staithe::checks
