#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace staithe::checks {

/// What stands under a secret's name in a text of any kind, or of none that can be read: a URL or a form
/// (name=value, also decoded), JSON that breaks off or is a part of something else ("name": "value", and each
/// text in a list or an object of that name), XML (an element, an attribute) and HTML (a field that has the
/// name, with its value). Of the first 256 KiB. Takes time that grows with the text, and no faster.
std::vector<std::string> secrets_named_in(std::string_view text);

}  // namespace staithe::checks
