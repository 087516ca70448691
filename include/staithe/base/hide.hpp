#pragma once
#include <string>

namespace staithe::base {

/// A text with as many '*' in place of what is a secret in each URL in it, so that columns stay true. A URL
/// ends at a space or a quotation mark, or where the text does; what is filled in later, $(NAME), stays.
std::string hide_secrets_in_urls(std::string text);

/// Of a line of a file, or of a path in it, also what is written behind the name of a secret, in a header, a
/// body, a query or `auth`. Not what only names it: `env TOKEN`, `json.token`, $(secret.token). For sentences
/// it is not: they speak of secrets ("a token: ...").
std::string hide_written_secrets(std::string text);

}  // namespace staithe::base
