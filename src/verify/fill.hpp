#pragma once
#include "staithe/checks/suite.hpp"

#include <map>
#include <string>
#include <vector>

namespace staithe::verify {

/// A value that is known by now: as text, and as JSON writes it.
struct Captured {
  std::string text, json;
  checks::Value::Kind kind = checks::Value::Kind::text;

  static Captured of(const checks::Value& value);
  static Captured of_text(std::string text);
  /// "null", "a list", "an object" or "empty" of what names nothing; "" of all else.
  std::string no_word() const;
};
using Captures = std::map<std::string, Captured, std::less<>>;

/// What is missing of the values that a check needs; "" when nothing is.
std::string missing(const std::set<std::string>& needs, const Captures& captures);

/// Puts captured values into holes; secrets stay. Of URLs see fill_url.hpp; in a JSON body a value becomes
/// part of the text or a value of its own. Throws base::Error{not_found, invalid}.
checks::Request filled(const checks::Request& request, const Captures& captures);
std::vector<checks::Expectation> filled(const std::vector<checks::Expectation>& expectations,
                                        const Captures& captures);
plan::Text filled(const plan::Text& text, const Captures& captures);

}  // namespace staithe::verify
