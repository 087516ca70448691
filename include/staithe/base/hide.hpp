#pragma once
#include <string>

namespace staithe::base {

/// A line of a file, or of what is said of it, with as many '*' in place of what is a secret there, so that
/// columns stay true: in each URL, and what is written behind the name of a secret, in a
/// header, a body, a query or `auth`. Not what only names it: `env TOKEN`, `json.token`, $(secret.token).
/// A URL ends at a space or a quotation mark, or where the text does.
std::string hide_written_secrets(std::string text);

}  // namespace staithe::base
