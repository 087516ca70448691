#pragma once
#include <string>
#include <string_view>

namespace staithe::base {

/// RFC 3986's percent-encoding of every byte but ASCII letters, digits, "-._~" and those of `allowed`. A '%'
/// is a byte like others.
std::string percent_encoded(std::string_view text, std::string_view allowed = {});
/// The way back; a '%' that begins no escape stays.
std::string percent_decoded(std::string_view text);

/// What may stand bare in one piece of a path. Without ';': some servers cut a segment there before they
/// look for "..".
inline constexpr std::string_view in_url_segment = "$&'()*+,=:@!";
/// What may stand bare in a value of a query, which '&', '=', '+', '?' and '#' would end or change.
inline constexpr std::string_view in_url_value = ":/,@";

/// A whole URL or path that came with a value: what RFC 3986 has no place for is encoded, what is an escape
/// already stays one.
std::string url_reference(std::string_view text);

/// A path with a segment "." or "..", or what a server may take for one: escaped once or twice, or with '\',
/// ';', '?' or '#' for a slash.
bool climbs(std::string_view path);

/// Where in a URL the next character will stand, as it is written from left to right. What begins with
/// neither '/' nor SCHEME:// is a part of a scheme, or nothing that anybody asks for. A fragment counts as
/// part of the query.
class UrlCursor {
 public:
  enum class Part { start, host, path, query };

  void pass(std::string_view text);
  /// Past what nobody here can see.
  void pass_hidden();
  /// The same in two steps, for who looks at each character: leaves the start and gives what is behind
  /// "SCHEME://"; then one by one.
  std::string_view leave_start(std::string_view text);
  void put(char c);

  Part part() const { return part_; }
  /// Behind the '=' of a parameter.
  bool in_value() const { return in_value_; }
  /// Of the path; '\0' before it.
  char last() const { return last_; }
  bool has_host() const { return has_host_; }
  /// Right behind "HOST:".
  bool at_port() const { return at_port_; }

 private:
  Part part_ = Part::start;
  bool in_value_ = false, has_host_ = false, at_port_ = false;
  char last_ = '\0';
};

/// How an author's own text and the values that the author has named come into a URL, from left to right. A
/// value says no more than its place lets it:
///
/// - where the URL begins, or inside a host, it stands as it is, for it is the author who says whom to ask;
/// - right behind a host or other text of the path, one that begins with '/' goes on as a path, with a query;
/// - so does one of the author's right behind another value whose '/' it continues: "https://HOST/api/" and
///   "items?all=1" are two parts of one URL;
/// - elsewhere in the path it is a piece of it: '?', '#' and '%' are encoded, in a cell of a table '/' too;
/// - behind NAME= it is one value; elsewhere behind '?' it is a query or a part of one, "a=1&b=2".
///
/// What a system has answered has stricter rules: verify/fill_url.hpp.
class UrlWriter {
 public:
  /// Behind the host blanks, control characters and what is beyond ASCII are encoded; all else says what it
  /// says.
  std::string written(std::string_view text);
  /// A secret inside of "USER:PASSWORD@HOST" is encoded too, but for ':' and brackets, which a host may have.
  enum class From { author, cell, secret };
  std::string value(std::string_view text, From from);
  /// A cell with a '?' or '#' right behind a value that ends with '/': whether that is a piece of the path or
  /// the rest of it with a query nobody could tell.
  bool is_unclear(std::string_view text, From from) const {
    return from == From::cell && continues_value_ && text.find_first_of("?#") != std::string_view::npos;
  }
  /// Past what nobody here can see.
  void pass_hidden() {
    cursor_.pass_hidden();
    continues_value_ = false;
  }

 private:
  std::string put(std::string_view text);
  std::string placed(std::string_view text, From from);

  UrlCursor cursor_;
  bool continues_value_ = false;  ///< the last value ends with '/', in the path
};

}  // namespace staithe::base
