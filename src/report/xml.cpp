#include "xml.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::report {
namespace {

std::string tag(std::string_view name, const XmlAttributes& attributes) {
  std::string text = "<" + std::string(name);
  for (const auto& [key, value] : attributes) text += " " + std::string(key) + "=\"" + xml_text(value) + "\"";
  return text;
}

}  // namespace

std::string xml_text(std::string_view text) {
  std::string escaped;
  const std::string clean = base::printable(text);
  for (std::string_view rest = clean; !rest.empty();) {
    const std::string_view glyph = rest.substr(0, std::max<std::size_t>(base::utf8_sequence(rest), 1));
    rest.remove_prefix(glyph.size());
    // U+FFFE and U+FFFF are good UTF-8 and no XML.
    if (glyph == "\xEF\xBF\xBE" || glyph == "\xEF\xBF\xBF") continue;
    if (glyph == "&")
      escaped += "&amp;";
    else if (glyph == "<")
      escaped += "&lt;";
    else if (glyph == ">")
      escaped += "&gt;";
    else if (glyph == "\"")
      escaped += "&quot;";
    else
      escaped += glyph;
  }
  return escaped;
}

std::string xml_open(std::string_view name, const XmlAttributes& attributes) {
  return tag(name, attributes) + ">";
}

std::string xml_element(std::string_view name, const XmlAttributes& attributes, std::string_view text) {
  if (text.empty()) return tag(name, attributes) + "/>";
  return xml_open(name, attributes) + xml_text(text) + "</" + std::string(name) + ">";
}

}  // namespace staithe::report
