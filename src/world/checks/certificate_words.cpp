#include "certificate_words.hpp"

#include "staithe/checks/expectation.hpp"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

namespace staithe::world {

double days_left(double not_after) {
  return (not_after - static_cast<double>(std::time(nullptr))) / 86'400;
}

std::string standing_in_words(const http::Certificate& certificate) {
  const auto begin = checks::parse_date(certificate.not_before),
             end = checks::parse_date(certificate.not_after);
  std::string words = certificate.trusted ? "trusted" : certificate.why;
  if (!end) return words + "; no end that can be read";
  const double left = days_left(*end);
  if (left < 0) {
    const auto ago = fmt::format("expired {:.0f} days ago", std::floor(-left));
    return certificate.why == "expired" ? ago : words + "; " + ago;
  }
  if (begin && days_left(*begin) > 0)
    words += fmt::format(", but in {:.0f} days", std::ceil(days_left(*begin)));
  return words + fmt::format("; {:.0f} days left", std::floor(left));
}

}  // namespace staithe::world
