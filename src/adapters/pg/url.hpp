#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace staithe::pg {

/// A connection URL taken apart. libpq quotes what it cannot parse in its messages, passwords included, so
/// it is never given the URL itself.
/// Grammar: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
struct Url {
  std::vector<std::pair<std::string, std::string>> parameters;  ///< libpq's keywords, decoded
  std::vector<std::string> secrets;                             ///< values that no message may contain
  std::string display;                                          ///< without secrets

  /// keyword='value' pairs for libpq; `extra` ones are put behind, so that the URL's own come first.
  std::string conninfo(const std::vector<std::pair<std::string, std::string>>& extra) const;
  bool has(std::string_view keyword) const;
};

/// Strict. Throws base::Error{invalid}; the text repeats nothing of the URL.
Url parse_url(std::string_view text);

/// `url` with these keywords of libpq, which win over its own. What parse_url() refuses it refuses after that
/// too.
std::string with_keywords(std::string_view url,
                          const std::vector<std::pair<std::string, std::string>>& keywords);

/// `text` with every secret in it replaced by "***".
std::string without_secrets(std::string text, const Url& url);

}  // namespace staithe::pg
