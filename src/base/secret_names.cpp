#include "staithe/base/secret_names.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace staithe::base {
namespace {

using Word = std::string_view;

bool is_upper(char c) {
  return std::isupper(static_cast<unsigned char>(c)) != 0;
}
bool is_lower(char c) {
  return std::islower(static_cast<unsigned char>(c)) != 0;
}

/// "X-CSRFToken2" as "x", "csrf", "token".
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    while (!word.empty() && is_digit(word.back())) word.pop_back();
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i], before = i > 0 ? name[i - 1] : '\0',
               next = i + 1 < name.size() ? name[i + 1] : '\0';
    if (!is_upper(c) && !is_lower(c) && !is_digit(c)) {
      end_word();
      continue;
    }
    if (is_upper(c) && (!is_upper(before) || is_lower(next))) end_word();
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  end_word();
  return words;
}

template <std::size_t n>
bool is_one_of(Word word, const Word (&words)[n]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

template <std::size_t n>
bool ends_with_any(Word word, const Word (&ends)[n]) {
  return std::any_of(std::begin(ends), std::end(ends), [&](Word end) { return word.ends_with(end); });
}

/// They end a name of something about a secret: token_type, password_expires_at.
constexpr Word about[] = {"type",    "kind", "count",      "length", "size", "expiry", "expires",
                          "expired", "ttl",  "expiration", "at",     "in",   "status", "policy",
                          "version", "left", "file",       "path",   "dir",  "name",   "field"};
/// Such a token or key says where to go on, or what belongs together.
constexpr Word of_lists[] = {"page",       "next", "continuation", "cursor",
                             "pagination", "prev", "previous",     "sync"};
constexpr Word of_order[] = {"tenant",  "partition", "idempotency", "sort",  "cache",
                             "routing", "shard",     "row",         "group", "message",
                             "object",  "surrogate", "range",       "hash",  "correlation",
                             "request", "public",    "websocket",   "dedup", "deduplication"};
constexpr Word of_doors[] = {"api",    "access",  "private",    "secret",       "auth",
                             "master", "signing", "encryption", "subscription", "session",
                             "ssh",    "client",  "functions"};
/// People leave '_' and '-' out.
constexpr Word secrets[] = {"secret",        "secrets",   "password",   "passwords",   "passwd",
                            "passphrase",    "passcode",  "apikey",     "accesskey",   "privatekey",
                            "secretkey",     "authkey",   "credential", "credentials", "cookie",
                            "cookies",       "csrf",      "xsrf",       "bearer",      "jwt",
                            "authorization", "sessionid", "sessid"};
constexpr Word of_headers[] = {"auth",    "authn",    "authz", "oauth", "authentication",
                               "session", "sessions", "sess",  "sid"};
constexpr Word of_settings[] = {"tenant", "partition", "page",     "locale",   "lang",   "language", "theme",
                                "region", "currency",  "country",  "timezone", "tz",     "consent",  "path",
                                "domain", "expires",   "samesite", "priority", "version"};

/// What is said of a secret. "default" and "changed" are passwords that people have.
constexpr Word plain_words[] = {
    "true",     "false",     "yes",      "no",        "on",          "off",       "enabled",   "disabled",
    "active",   "inactive",  "null",     "none",      "nil",         "undefined", "unknown",   "n/a",
    "set",      "unset",     "not set",  "empty",     "present",     "absent",    "missing",   "required",
    "optional", "mandatory", "valid",    "invalid",   "expired",     "revoked",   "allowed",   "denied",
    "refused",  "forbidden", "rejected", "supported", "unsupported", "accepted",  "available", "unavailable"};

/// Not as the end of another word: a bypass is none.
constexpr Word whole_secrets[] = {"pass", "pwd", "otp"};

/// A word that ends with "token", and not one of a list that goes on.
bool opens_doors(Word word, Word before) {
  const auto at = word.ends_with('s') ? word.substr(0, word.size() - 1) : word;
  if (!at.ends_with("token")) return false;
  const auto stem = at.substr(0, at.size() - Word("token").size());
  const auto kind = stem.empty() ? before : stem;
  return !is_one_of(kind, of_lists) && kind != "idempotency";
}

bool is_about(const std::vector<std::string>& words) {
  return words.empty() || (words.size() > 1 && is_one_of(words.back(), about));
}

bool says_secret(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Word before = i > 0 ? Word(words[i - 1]) : Word();
    const bool key = words[i] == "key" || words[i] == "keys";
    if (opens_doors(words[i], before) || ends_with_any(words[i], secrets) ||
        is_one_of(Word(words[i]), whole_secrets) || (key && is_one_of(before, of_doors)))
      return true;
  }
  return false;
}

bool says_session(const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(),
                     [](const auto& word) { return is_one_of(Word(word), of_headers); });
}

/// Of Set-Cookie, and no cookies: Max-Age, SameSite.
bool is_attribute(const std::vector<std::string>& words) {
  static constexpr Word attributes[] = {"maxage", "samesite", "expires", "path", "domain", "priority"};
  return is_one_of(Word(join(words, "")), attributes);
}

/// "sid=a,b=c": where several Set-Cookie may have been made one text, nobody can tell whether a comma with
/// NAME= behind it ends the value. `end`: a value may end here.
struct Piece {
  std::string_view text;
  bool end;
};
std::vector<Piece> pieces_of(std::string_view part) {
  std::vector<Piece> pieces;
  for (std::size_t from = 0; from <= part.size();) {
    const auto comma = std::min(part.find(',', from), part.size());
    pieces.push_back({part.substr(from, comma - from), true});
    from = comma + 1;
  }
  for (std::size_t i = 0; i + 1 < pieces.size(); ++i)
    pieces[i].end = pieces[i + 1].text.find('=') != std::string_view::npos;
  return pieces;
}

std::string unquoted(std::string_view value) {
  value = trim(value);
  if (value.size() > 1 && value.starts_with('"') && value.ends_with('"'))
    value = value.substr(1, value.size() - 2);
  return std::string(value);
}

/// What stands between two ';', by both readings: each value up to where it may end, and the first one up to
/// the end.
void add_secrets_of(std::string_view part, std::vector<std::string>& found) {
  const auto pieces = pieces_of(part);
  const char* const end = part.data() + part.size();
  bool first = true;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto equals = pieces[i].text.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = trim(pieces[i].text.substr(0, equals));
    if (is_attribute(words_of(name)) || !cookie_names_secret(name)) continue;
    const char* const value = pieces[i].text.data() + equals + 1;
    auto last = i;
    while (!pieces[last].end) ++last;
    const char* const until = pieces[last].text.data() + pieces[last].text.size();
    found.push_back(unquoted({value, static_cast<std::size_t>(until - value)}));
    if (std::exchange(first, false) && until != end)
      found.push_back(unquoted({value, static_cast<std::size_t>(end - value)}));
  }
}

}  // namespace

bool names_secret(std::string_view name) {
  const auto words = words_of(name);
  return !is_about(words) && says_secret(words);
}

bool header_names_secret(std::string_view name) {
  const auto words = words_of(name);
  if (is_about(words)) return false;
  const Word before = words.size() > 1 ? Word(words[words.size() - 2]) : Word();
  return says_secret(words) || (words.back() == "key" && !is_one_of(before, of_order)) || says_session(words);
}

bool cookie_names_secret(std::string_view name) {
  const auto words = words_of(name);
  return words.empty() || says_secret(words) || says_session(words) ||
         std::none_of(words.begin(), words.end(),
                      [](const auto& word) { return is_one_of(word, of_settings); });
}

bool names_cookie(std::string_view name) {
  const auto words = words_of(name);
  return !words.empty() && (words.back() == "cookie" || words.back() == "cookies");
}

bool is_plain_word(std::string_view value) {
  return is_one_of(Word(lower(trim(value))), plain_words);
}

bool is_short_number(std::string_view value) {
  constexpr std::size_t digits_of_password = 6;
  constexpr std::size_t shortest_secret = 4;
  return value.size() >= shortest_secret && value.size() < digits_of_password &&
         std::all_of(value.begin(), value.end(), is_digit);
}

bool is_harmless(std::string_view value) {
  constexpr std::size_t shortest_token = 4, digits_of_password = 6;
  const bool is_number = std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  return value.size() < (is_number ? digits_of_password : shortest_token) || is_plain_word(value);
}

bool is_scheme(std::string_view word) {
  static constexpr Word schemes[] = {"bearer", "basic", "token"};
  return is_one_of(Word(lower(word)), schemes);
}

bool gives_name(std::string_view name) {
  static constexpr Word names[] = {"name", "key", "id", "property"};
  return is_one_of(Word(lower(name)), names);
}

bool gives_value(std::string_view name) {
  static constexpr Word names[] = {"value", "content"};
  return is_one_of(Word(lower(name)), names);
}

std::vector<std::string> cookie_secrets(std::string_view cookies) {
  std::vector<std::string> found;
  for (const auto& part : split(cookies, ';')) add_secrets_of(part, found);
  return found;
}

}  // namespace staithe::base
