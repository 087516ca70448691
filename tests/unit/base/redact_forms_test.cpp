#include "catch.hpp"

#include "staithe/base/redact.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <string>

using staithe::base::base64;
using staithe::base::Redactor;

TEST_CASE("A secret of hexadecimal digits is replaced in any case, with the dashes of a UUID and without") {
  Redactor redactor;
  redactor.add("6F9619FF-8B86-D011-b42d-00cf4fc964ff");
  redactor.add_part("0123456789abcdef0123456789ABCDEF");
  for (const char* text : {"6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
                           "6F9619FF8B86D011b42d00cf4fc964ff", "0123456789ABCDEF0123456789abcdef",
                           "01234567-89AB-CDEF-0123-456789abcdef"}) {
    CAPTURE(text);
    CHECK(redactor.clean(std::string("id=") + text + ";") == "id=***;");
  }
  // Words and numbers are what they are.
  redactor.add("deadline");
  redactor.add("123456789012");
  redactor.add("cafe");
  CHECK(redactor.clean("DEADLINE 1234-56789012 CAFE") == "DEADLINE 1234-56789012 CAFE");
}

TEST_CASE("A secret in UTF-16 is replaced in base64 and as numbers") {
  const std::string secret = "hunter22 p\xC3\xA4ss\xF0\x9F\x94\x91";
  const std::u16string wide = u"hunter22 p\u00E4ss\U0001F511";
  for (const bool little : {true, false}) {
    std::string bytes;
    for (const char16_t unit : wide) {
      const char low = static_cast<char>(unit & 0xFF), high = static_cast<char>(unit >> 8);
      bytes += little ? std::string{low, high} : std::string{high, low};
    }
    std::string hex, spaced;
    for (const char byte : bytes) {
      hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
      spaced += fmt::format("{:02X} ", static_cast<unsigned char>(byte));
    }
    Redactor redactor;
    redactor.add(secret);
    // Half of a first or a last byte may stay.
    CHECK(redactor.clean(hex).size() <= 3 + 4);
    CHECK(redactor.clean(spaced).size() <= 3 + 8);
    for (std::size_t before = 0; before < 3; ++before) {
      CAPTURE(little, before);
      const auto encoded = base64(std::string(before, 'x') + bytes + "yz");
      CHECK(redactor.clean(encoded).size() <= 3 + 12);
    }
  }
}
