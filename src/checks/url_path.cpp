#include "url_path.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

namespace staithe::checks {

using UrlPart = base::UrlCursor::Part;

void UrlPath::value(const std::string& name, std::string_view text) {
  // One that a URL begins with, or a part of a host, may be left out.
  if (!text.empty())
    filled_ = name;
  else if (cursor_.part() == UrlPart::path)
    empty_ = name;
  pass(text, true);
}

void UrlPath::hidden() {
  cursor_.pass_hidden();
  known_ = false;
}

std::optional<UrlPath::Trouble> UrlPath::trouble() {
  if (cursor_.part() == UrlPart::path) end_segment();
  return trouble_;
}

void UrlPath::pass(std::string_view text, bool of_value) {
  const auto name = filled_;
  for (const char c : cursor_.leave_start(text)) {
    const bool in_path = cursor_.part() == UrlPart::path;
    cursor_.put(c);
    if (in_path && (c == '/' || cursor_.part() == UrlPart::query)) {
      end_segment();
      if (of_value) filled_ = name;
    } else if (in_path) {
      segment_ += c;
    } else if (!of_value) {
      filled_.clear();
    }
  }
}

void UrlPath::end_segment() {
  if (known_ && !trouble_) {
    if (!empty_.empty() && segment_.empty())
      trouble_ = {empty_, "is empty"};
    else if (!filled_.empty() && base::climbs(segment_))
      trouble_ = {filled_, fmt::format("makes \"{}\" of it", base::printable(segment_))};
  }
  segment_.clear();
  filled_.clear();
  empty_.clear();
  known_ = true;
}

}  // namespace staithe::checks
