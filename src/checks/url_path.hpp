#pragma once
#include "staithe/base/url_parts.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace staithe::checks {

/// Whether what an author has named asks for another place than its author wrote: a value that is empty where
/// it is all of a segment, "/users/$(id)", or one that climbs, alone or with what stands beside it. As for
/// what was saved, see verify/fill_url.hpp. To be told, from left to right, what a URL is made of.
class UrlPath {
 public:
  struct Trouble {
    std::string name;  ///< whose value it is
    std::string why;
  };

  void written(std::string_view text) { pass(text, false); }
  /// As it stands in the URL.
  void value(const std::string& name, std::string_view text);
  /// What nobody knows yet; it has a rule of its own where it is filled in.
  void hidden();
  /// The first one, once all was told.
  std::optional<Trouble> trouble();

 private:
  void pass(std::string_view text, bool of_value);
  void end_segment();

  base::UrlCursor cursor_;
  std::string segment_;  ///< as far as it is made
  std::string filled_;   ///< the last value that has something in it
  std::string empty_;    ///< the last one that has nothing
  bool known_ = true;    ///< nothing in it is hidden
  std::optional<Trouble> trouble_;
};

}  // namespace staithe::checks
