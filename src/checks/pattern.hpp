#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace staithe::checks {

/// A PCRE2 pattern, with limits: one that backtracks without end is neither a match nor none.
class Pattern {
 public:
  /// Where a match must stand: anywhere, or be the whole text.
  enum class Extent { anywhere, whole };
  enum class Found { yes, no, too_expensive, bad_text };

  /// Throws base::Error{invalid} with the reason and the place.
  explicit Pattern(std::string_view source, Extent extent = Extent::anywhere);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  Found find(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

/// An I-Regexp (RFC 9485) as PCRE2 understands it: a dot matches no line end, classes stay as they are, '^'
/// at the beginning of an alternative and '$' at its end are anchors.
std::string from_iregexp(std::string_view source);

}  // namespace staithe::checks
