#include "staithe/base/origin.hpp"

#include "catch.hpp"

#include <utility>

using staithe::base::same_origin;

TEST_CASE("An origin is a scheme, a host and a port, which may be the usual one") {
  for (const auto& [one, other] :
       {std::pair{"http://127.0.0.1/a", "http://127.0.0.1:80/b"},
        std::pair{"https://Api.example:443?x", "HTTPS://api.example/"},
        std::pair{"http://u:p@h:0080/", "http://h:"}, std::pair{"http://[::1]/", "http://[::1]:80/x"}}) {
    CAPTURE(one, other);
    CHECK(same_origin(one, other));
    CHECK(same_origin(other, one));
  }
  for (const auto& [one, other] :
       {std::pair{"http://h/", "https://h/"}, std::pair{"http://h/", "http://h:443/"},
        std::pair{"https://h/", "https://h:80/"}, std::pair{"http://h/", "http://h.evil/"},
        std::pair{"http://h/", "http://h@evil/"}, std::pair{"http://h/", "http://h%5C@evil/"},
        std::pair{"http://[::1]/", "http://[::2]/"}, std::pair{"http://h/", "//h/"},
        std::pair{"nothing", "nothing"}}) {
    CAPTURE(one, other);
    CHECK_FALSE(same_origin(one, other));
    CHECK_FALSE(same_origin(other, one));
  }
}
