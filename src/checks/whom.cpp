#include "names.hpp"

#include "staithe/base/origin.hpp"

namespace staithe::checks {
namespace {

/// "http://user@host:80" of a URL, as far as it is known now.
std::string_view whom_of(const Text& url) {
  const auto* start = url.empty() ? nullptr : std::get_if<std::string>(&url.pieces().front());
  return start == nullptr ? std::string_view() : base::up_to_path(*start);
}

}  // namespace

bool Names::cell_says_whom(const yaml::Reader& reader, const Text& url) const {
  const auto& written = reader.node().text;
  if (cell_in(written) == nullptr) return false;
  // With other words in the cells it would ask somebody else. With two: one may be the very word of a cell.
  for (const std::string word : {"x", "y"}) {
    Names other = *this;
    for (const auto& name : names_in(written))
      if (cells_.count(name) > 0) other.set(name, values_.at(name).starts_with('/') ? "/" + word : word);
    const auto changed = other.expand_url(written, reader);
    if (!changed || whom_of(*changed) != whom_of(url)) return true;
  }
  return false;
}

}  // namespace staithe::checks
