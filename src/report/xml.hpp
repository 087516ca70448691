#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace staithe::report {

using XmlAttributes = std::vector<std::pair<std::string_view, std::string>>;

/// Text for element content and attributes: escaped, and without what XML 1.0 cannot hold at all.
std::string xml_text(std::string_view text);
/// `<name a="b">` or, with `text`, the whole element; an empty element is closed at once.
std::string xml_open(std::string_view name, const XmlAttributes& attributes);
std::string xml_element(std::string_view name, const XmlAttributes& attributes, std::string_view text);

}  // namespace staithe::report
