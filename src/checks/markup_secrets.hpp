#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace staithe::checks {

/// Of XML and HTML, well-formed or not: the texts in an element that has a secret's name, what stands in an
/// element whose attribute `name` or `key` is one, and its attribute `value` or `content`. See
/// secrets_named_in(), which has the attributes that are called so themselves.
void add_secrets_of_markup(std::string_view text, std::vector<std::string>& secrets);

}  // namespace staithe::checks
