#include "staithe/base/url_parts.hpp"

#include "catch.hpp"

#include <string>
#include <tuple>
#include <vector>

using staithe::base::UrlWriter;

TEST_CASE("url parts: what is encoded comes back, and a lone percent sign stays") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  CHECK(staithe::base::percent_decoded(staithe::base::percent_encoded(all)) == all);
  CHECK(staithe::base::percent_encoded("a b/c%41&~") == "a%20b%2Fc%2541%26~");
  CHECK(staithe::base::percent_decoded("100%, %4") == "100%, %4");
}

TEST_CASE(
    "url parts: a secret in the authority does not end it, and a scheme may come in a piece of its own") {
  UrlWriter url;
  auto made = url.written("http://svc:");
  made += url.value("p@ss/w#rd", UrlWriter::From::secret);
  made += url.written("@127.0.0.1/a b");
  CHECK(made == "http://svc:p%40ss%2Fw%23rd@127.0.0.1/a%20b");
  UrlWriter parts;
  made = parts.value("http", UrlWriter::From::author);
  made += parts.written("://");
  made += parts.value("[::1]:18999", UrlWriter::From::author);
  made += parts.written("/x");
  CHECK(made == "http://[::1]:18999/x");
}

TEST_CASE("url parts: a value says no more than its place in the URL lets it") {
  using From = UrlWriter::From;
  const std::vector<std::tuple<std::string, std::string, std::string, std::string, std::string>> table = {
      // before it, the value, behind it; of the author, of a cell
      {"/echo?key=", "a&z=9 \xc3\xa4", "", "/echo?key=a%26z%3D9%20%C3%A4", "/echo?key=a%26z%3D9%20%C3%A4"},
      {"/echo?key=", "100%25#x", "&b=1", "/echo?key=100%2525%23x&b=1", "/echo?key=100%2525%23x&b=1"},
      {"/echo?", "a=1&b=2", "", "/echo?a=1&b=2", "/echo?a=1&b=2"},
      {"/echo?k=1&", "a=1&b=\xc3\xa4", "", "/echo?k=1&a=1&b=%C3%A4", "/echo?k=1&a=1&b=%C3%A4"},
      {"/", "v1/cards", "/7", "/v1/cards/7", "/v1%2Fcards/7"},
      {"/runs/", "a?b#c", "", "/runs/a%3Fb%23c", "/runs/a%3Fb%23c"},
      {"/v1", "/cards?full=1", "&n=2", "/v1/cards?full=1&n=2", "/v1/cards?full=1&n=2"},
      {"", "https://h.example:8443/api", "/x y", "https://h.example:8443/api/x%20y",
       "https://h.example:8443/api/x%20y"},
      {"http://", "10.0.0.1", ":5000/a b", "http://10.0.0.1:5000/a%20b", "http://10.0.0.1:5000/a%20b"},
      {"http://", "m\xc3\xbcnchen.example", "/", "http://m\xc3\xbcnchen.example/",
       "http://m\xc3\xbcnchen.example/"},
  };
  for (const auto& [before, value, behind, of_author, of_cell] : table) {
    for (const auto from : {From::author, From::cell}) {
      CAPTURE(before, value, from == From::cell);
      UrlWriter url;
      auto made = url.written(before);
      made += url.value(value, from);
      made += url.written(behind);
      CHECK(made == (from == From::author ? of_author : of_cell));
    }
  }
}
