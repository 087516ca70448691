#include "staithe/base/hide.hpp"

#include "catch.hpp"

#include <chrono>

using staithe::base::hide_written_secrets;

TEST_CASE("hide: what stands behind the name of a secret, in a file as people write it") {
  const auto hidden = [](const char* text, const char* shown) {
    CAPTURE(text);
    CHECK(hide_written_secrets(text) == shown);
  };
  hidden("headers: {Authorization: \"Bearer hunter77\", a: b}",
         "headers: {Authorization: \"Bearer ********\", a: b}");
  hidden("  X-Api-Key: p\xC3\xA4ssword # old", "  X-Api-Key: ******** # old");
  hidden("auth: basic jo:hunter22", "auth: basic jo:********");
  hidden("auth: bearer hunter22", "auth: bearer ********");
  hidden("json: {\"password\": \"hunter22\", user: jo}", "json: {\"password\": \"********\", user: jo}");
  hidden("get: /x?api_key=hunter22&a=b", "get: /x?api_key=********&a=b");
  hidden("run: PGPASSWORD=hunter22 psql", "run: PGPASSWORD=******** psql");
  hidden("'token=hunter22' is not known", "'token=********' is not known");
  hidden("password: hunter$(x)", "password: ******$(x)");
  hidden("target: http://jo:hunter22@h, token: hunter33", "target: http://jo:********@h, token: ********");
}

TEST_CASE("hide: a secret ends where the file says that it does") {
  const auto hidden = [](const char* text, const char* shown) {
    CAPTURE(text);
    CHECK(hide_written_secrets(text) == shown);
  };
  hidden("password: hun,ter22rest", "password: *************");
  hidden("password: hun}ter22]re\"st # old", "password: *************** # old");
  hidden("{password: hunter22,a: b}", "{password: ********,a: b}");
  hidden("password: 'it''s4secret'", "password: '************'");
  hidden(R"(password: "hun\"ter22rest" # x)", R"(password: "**************" # x)");
  hidden(R"({"password":12345678,"a":1})", R"({"password":********,"a":1})");
  hidden("run: curl -H X-Api-Key:hunter22 http://h", "run: curl -H X-Api-Key:******** http://h");
  hidden("run: curl -H \"X-Api-Key: hunter22\" http://h", "run: curl -H \"X-Api-Key: ********\" http://h");
}

TEST_CASE("hide: what stands in a long line is looked at once") {
  const auto repeated = [](std::string_view text) {
    std::string all;
    while (all.size() < 400'000) all += text;
    return all;
  };
  const auto begun = std::chrono::steady_clock::now();
  for (const char* text : {"token: env ", "token: $(", "token: 1 # ", "token: \"", "token: '' ", "token: {",
                           "token='", "//", "http://a:b@", "X-Key:a,"}) {
    CAPTURE(text);
    CHECK(hide_written_secrets(repeated(text)).size() >= 400'000);
  }
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(20));
}

TEST_CASE("hide: what only names a secret, is said of one or has another name stays") {
  for (const char* text : {"secrets: {token: env TOKEN}",
                           "save: {token: json.access_token}",
                           "expect: {json.token: exists}",
                           "token: $(secret.token)",
                           "key: id_ed25519",
                           "password: required",
                           "max_tokens: 4096",
                           "next_page_token: hunter22",
                           "auth: basic jo:$(p)",
                           "password:",
                           "token: {a: hunter22}",
                           "token: header X-Auth",
                           "secret_file: /etc/pw",
                           "password_file: ./pw.txt",
                           "token_name: session",
                           "password: ''",
                           "key: value",
                           "'token' is not known",
                           ":",
                           "=",
                           ""}) {
    CAPTURE(text);
    CHECK(hide_written_secrets(text) == text);
  }
}

TEST_CASE("Secrets of the URLs in a text are hidden, and everything keeps its column") {
  CHECK(hide_written_secrets("- http: {get: \"https://jo:p\xC3\xA4ss@h/x\", to: 'redis://abc@h'} # a:b@c") ==
        "- http: {get: \"https://jo:****@h/x\", to: 'redis://***@h'} # a:b@c");
  CHECK(hide_written_secrets("a=http://h/,b=http://jo:pass@h") == "a=http://h/,b=http://jo:****@h");
  CHECK(hide_written_secrets("http://jo:first@h,https://jo:next@h") == "http://jo:*****@h,https://jo:****@h");
  CHECK(hide_written_secrets("target: http//jo:pass@h/x") == "target: http//jo:****@h/x");
  CHECK(hide_written_secrets("http://jo:pre$(x)fix@h") == "http://jo:***$(x)***@h");
  for (const char* text : {"url: https://jo:$(password)@h/", "// see a@b", "http//h/a@b", "https://h/a:b@c",
                           "://", "a:// b@", "jo:pass@h", "ssh://git@h/x http://h", ""}) {
    CAPTURE(text);
    CHECK(hide_written_secrets(text) == text);
  }
}
