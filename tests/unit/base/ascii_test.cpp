#include "staithe/base/ascii.hpp"

#include "catch.hpp"

using namespace staithe;

TEST_CASE("letters and digits are those of ASCII, and only they have a case") {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    CAPTURE(byte);
    CHECK(base::is_alnum(c) ==
          ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z')));
    CHECK(base::lower(c) == (byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : c));
  }
  CHECK(base::lower("Content-TYPE \xc3\x84") == "content-type \xc3\x84");
  CHECK(base::equal_ignoring_case("Content-Type", "content-TYPE"));
  CHECK_FALSE(base::equal_ignoring_case("Content-Type", "Content-Typ"));
  CHECK_FALSE(base::equal_ignoring_case("@", "`"));
}

TEST_CASE("a token of HTTP is what RFC 9110 lets stand in one") {
  for (const auto* good : {"GET", "X-Request-Id", "!#$%&'*+-.^_`|~09azAZ"}) CHECK(base::is_http_token(good));
  for (const auto* bad : {"", "a b", "a:", "a\"", "(a)", "a,b", "a/b", "\xc3\xa4", "a\x7f"})
    CHECK_FALSE(base::is_http_token(bad));
}
