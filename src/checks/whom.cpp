#include "names.hpp"

namespace staithe::checks {
namespace {

/// "http://user@host:80" of a URL, as far as it is known now.
std::string_view up_to_path(const Text& url) {
  const auto* start = url.empty() ? nullptr : std::get_if<std::string>(&url.pieces().front());
  if (start == nullptr) return {};
  const std::string_view text = *start;
  const auto scheme_end = text.find("://");
  return scheme_end == std::string_view::npos ? std::string_view()
                                              : text.substr(0, text.find_first_of("/?#\\", scheme_end + 3));
}

}  // namespace

bool Names::cell_says_whom(const yaml::Reader& reader, const Text& url) const {
  const auto& written = reader.node().text;
  if (cell_in(written) == nullptr) return false;
  // With other words in the cells it would ask somebody else.
  Names other = *this;
  for (const auto& name : names_in(written))
    if (cells_.count(name) > 0) other.set(name, values_.at(name).starts_with('/') ? "/x" : "x");
  const auto changed = other.expand_url(written, reader);
  return !changed || up_to_path(*changed) != up_to_path(url);
}

}  // namespace staithe::checks
