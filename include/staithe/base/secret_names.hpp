#pragma once
#include <string>
#include <string_view>
#include <vector>

/// What a name tells of the value behind it. Names are read word by word: "x-api-key", "accessToken" and
/// "CSRF_TOKEN" are two or three words each, "author" is one and has nothing to do with "auth".
namespace staithe::base {

/// Of a field, a query or a saved value: access_token, clientSecret, api_key. Not so next_page_token, which
/// says where a list goes on, and token_type.
bool names_secret(std::string_view name);
/// The same of a header or an environment variable; there a session and most keys are secrets too. Not so
/// x-tenant-key and idempotency-key.
bool header_names_secret(std::string_view name);
/// Any cookie may be what opens a session, but one whose name says that it is something else.
bool cookie_names_secret(std::string_view name);
/// The header or saved value is a cookie as a whole.
bool names_cookie(std::string_view name);

/// A word that a system says of a secret and that is none, whatever it stands under: "enabled", "required".
/// Only such words as nobody could open anything with.
bool is_plain_word(std::string_view value);
/// Four or five digits, "1200": under a secret's name as likely how many passed as a PIN, and it may stand
/// anywhere by chance. So it is hidden with its name, and not elsewhere. A one-time password has six digits.
bool is_short_number(std::string_view value);
/// Nobody could open anything with it, whatever it is: less than four bytes, a number of less than six
/// digits, a plain word.
bool is_harmless(std::string_view value);
/// What stands before what is sent: "Bearer".
bool is_scheme(std::string_view word);

/// Where a name and its value stand apart, in JSON, YAML and attributes of markup: "name" and "value".
bool gives_name(std::string_view name);
bool gives_value(std::string_view name);

/// "sid=VALUE; Path=/, lang=de": each value that is a secret by itself, of Cookie and of Set-Cookie. Of
/// "sid=a,b=c" also "a,b=c", which may be one value.
std::vector<std::string> cookie_secrets(std::string_view cookies);

}  // namespace staithe::base
