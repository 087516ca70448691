#include "staithe/base/origin.hpp"

#include "catch.hpp"

#include <utility>

using staithe::base::http_place;
using staithe::base::same_origin;
using staithe::base::same_target;

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
        std::pair{"http://h/", "http://h\\@evil/"}, std::pair{"http://h\\@evil/", "http://h\\@evil/"},
        std::pair{"http://h/", "http://h\\/"}, std::pair{"http://h/", "http://h:80\\evil"},
        std::pair{"nothing", "nothing"}}) {
    CAPTURE(one, other);
    CHECK_FALSE(same_origin(one, other));
    CHECK_FALSE(same_origin(other, one));
  }
}

TEST_CASE("A target is an origin and a path, whose last '/' says nothing") {
  CHECK(same_target("http://h:80/", "HTTP://H"));
  CHECK(same_target("http://h/a", "http://h/a//"));
  CHECK(same_target("", ""));
  CHECK_FALSE(same_target("http://h/a", "http://h"));
  CHECK_FALSE(same_target("http://h/a", "http://h/A"));
  CHECK_FALSE(same_target("http://h", ""));
  CHECK_FALSE(same_target("http://h", "https://h"));
}

TEST_CASE("A backslash before the path leaves open whose URL it is, and hides no password") {
  for (const char* url :
       {"http://h\\@evil/", "http://h\\evil", "https://h:1\\", "http://\\h/", "http://a\\b@h?x"}) {
    CAPTURE(url);
    CHECK_FALSE(http_place(url));
  }
  REQUIRE(http_place("http://h/a\\@b"));
  CHECK(http_place("http://h?\\@b")->authority == "h");
  CHECK(staithe::base::without_secret("http://jo:pass\\@h/x") == "http://jo:***@h/x");
  CHECK(staithe::base::without_secret("http://h/jo:pass\\@x") == "http://h/jo:pass\\@x");
}

TEST_CASE("Who logs in is no secret, and what opens an API is one") {
  using staithe::base::without_secret;
  for (const char* url : {"ssh://git@h/x", "git+ssh://git@h/x", "repository=ssh://git@h", "SSH://git@h",
                          "postgres://app@h/shop", "postgresql://app@h", "sftp://jo@h"}) {
    CAPTURE(url);
    CHECK(without_secret(url) == url);
  }
  CHECK(without_secret("ssh://git:pw@h/x") == "ssh://git:***@h/x");
  CHECK(without_secret("postgres://app:pw@h/x") == "postgres://app:***@h/x");
  CHECK(without_secret("https://ghp_abc@h/x") == "https://***@h/x");
  CHECK(without_secret("redis://abc@h/x") == "redis://***@h/x");
}
