#include "staithe/base/digest.hpp"

#include "catch.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

using namespace staithe::base;

TEST_CASE("digests give the values of their standards", "[base][digest]") {
  CHECK(base64(as_bytes(sha1("abc"))) == "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
  CHECK(base64(as_bytes(sha256("abc"))) == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  HmacSha1 hmac;
  // RFC 2202, cases 1, 2 and 3, through one object.
  CHECK(base64(as_bytes(hmac(std::string(20, '\x0b'), "Hi There"))) == "thcxhlUFcmTii8C2+zeMjvFGvgA=");
  CHECK(base64(as_bytes(hmac("Jefe", "what do ya want for nothing?"))) == "7/zfauXrL6LSdBbV8YTfnCWafHk=");
  CHECK(base64(as_bytes(hmac(std::string(20, '\xaa'), std::string(50, '\xdd')))) ==
        "El1zQrmsEc2Ro5r0iqF7T2PxddM=");
  CHECK_THROWS_AS(hmac(std::string(65, 'x'), ""), Error);
}

TEST_CASE("random bytes differ", "[base][digest]") {
  CHECK(random_bytes(16).size() == 16);
  CHECK(random_bytes(16) != random_bytes(16));
}
