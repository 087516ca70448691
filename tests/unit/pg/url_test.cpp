#include "url.hpp"

#include "catch.hpp"
#include "sqlstate.hpp"

#include "staithe/base/error.hpp"
#include "staithe/pg/connection.hpp"

using staithe::base::Error;
using staithe::base::ErrorCode;
using staithe::pg::parse_url;

namespace {

std::string refusal(const std::string& url) {
  try {
    parse_url(url);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid);
    return error.what();
  }
  FAIL("was accepted: " + url);
  return {};
}

}  // namespace

TEST_CASE("a URL becomes libpq keywords") {
  const struct {
    const char* url;
    const char* conninfo;
    const char* display;
  } cases[] = {
      {"postgres://", "", "postgres:///"},
      {"postgresql://db", "host='db'", "postgres://db/"},
      {"postgres://ann@db:5433/staithe", "user='ann' host='db' port='5433' dbname='staithe'",
       "postgres://ann@db:5433/staithe"},
      {"postgres://ann:p%40ss%2Fword@db/x", "user='ann' password='p@ss/word' host='db' dbname='x'",
       "postgres://ann@db/x"},
      {"postgres://ann:it's\\@db/x", "user='ann' password='it\\'s\\\\' host='db' dbname='x'",
       "postgres://ann@db/x"},
      {"postgres://a:b@c@db/x", "user='a' password='b@c' host='db' dbname='x'", "postgres://a@db/x"},
      {"postgres://[::1]:5432/x", "host='::1' port='5432' dbname='x'", "postgres://[::1]:5432/x"},
      {"postgres://one:1,two/x", "host='one,two' port='1,' dbname='x'", "postgres://one,two:1,/x"},
      {"postgres:///x?host=/run/pg&sslmode=disable", "dbname='x' host='/run/pg' sslmode='disable'",
       "postgres:///x?host=/run/pg"},
      {"postgres://ann@db/x?user=bob&password=hidden", "host='db' dbname='x' user='bob' password='hidden'",
       "postgres://bob@db/x"},
  };
  for (const auto& one : cases) {
    INFO(one.url);
    const auto url = parse_url(one.url);
    CHECK(url.conninfo({}) == one.conninfo);
    CHECK(url.display == one.display);
    CHECK(staithe::pg::display_url(one.url) == one.display);
  }
}

TEST_CASE("the URL's own keywords win over the defaults") {
  CHECK(parse_url("postgres://db?connect_timeout=3").conninfo({{"connect_timeout", "10"}, {"x", "1"}}) ==
        "host='db' connect_timeout='3' x='1'");
}

TEST_CASE("a URL that cannot be meant is refused without repeating it") {
  for (const std::string url : {
           "mysql://ann:hunter2@db/x",
           "host=db password=hunter2",
           "postgres://ann:hunter2@db:port/x",
           "postgres://ann:hunter2@db:0/x",
           "postgres://ann:hunter2@db:70000/x",
           "postgres://ann:hunter2/more@db/x",
           "postgres://ann:12/hunter2@db/x",
           "postgres://ann:12/hunter2@db",
           "postgres://ann:12?hunter2@db/x",
           "postgres://ann:hunter2%zz@db/x",
           "postgres://ann:hunter2%4@db/x",
           "postgres://ann:hunter2%00@db/x",
           "postgres://ann:hunter2@[::1/x",
           "postgres://ann:hunter2@db/x?hunter2",
           "postgres://ann:hunter2@db/x?PASS word=hunter2",
           "postgres://ann:hunter2@db%0a/x",
       }) {
    INFO(url);
    CHECK(refusal(url).find("hunter2") == std::string::npos);
  }
  CHECK_THAT(refusal("postgres://ann:pa/ss@db/x"), ContainsSubstring("%2F"));
  CHECK_THAT(refusal(std::string("postgres://db/\0x", 16)), ContainsSubstring("NUL"));
  CHECK_THAT(refusal("postgres://" + std::string(5000, 'a')), ContainsSubstring("4096"));
}

TEST_CASE("secrets are taken out of messages") {
  const auto url = parse_url("postgres://ann:ab%2A@db/x?sslpassword=key");
  CHECK(staithe::pg::without_secrets("ab*ab* key k", url) == "****** *** k");
}

TEST_CASE("keywords put behind a URL win over its own") {
  for (const char* url : {"postgres://u:p%3F@a:1,b:2/d?host=c", "postgres://u:p%3F@a:1,b:2/d",
                          "postgres://u:p%3F@a:1,b:2/d?", "postgres://u:p%3F@a:1,b:2/d?host=c&"}) {
    const auto conninfo =
        parse_url(staithe::pg::with_keywords(url, {{"host", "/run/x y"}, {"port", "5"}})).conninfo({});
    CHECK(conninfo == "user='u' password='p?' dbname='d' host='/run/x y' port='5'");
  }
}

TEST_CASE("a server's refusal is told from what libpq says of a server that it did not hear") {
  const auto is_of_server = [](const std::string& text) {
    return staithe::pg::is_of_server({staithe::pg::connect_code(text), "postgres://u@h/d: " + text});
  };
  const std::string at = "connection to server at \"h\" (::1), port 5432 failed: ";
  for (const char* text :
       {"FATAL:  sorry, too many clients already", "FATAL:  the database system is starting up",
        "FATAL:  la base de données « d » n'existe pas", "fe_sendauth: no password supplied"})
    CHECK(is_of_server(at + text));
  for (const char* text :
       {"Connection refused  Is the server running on that host and accepting TCP/IP connections?",
        "SSL SYSCALL error: EOF detected", "could not receive data from server: Connection timed out",
        "could not receive data from server: No route to host", "could not send startup packet: Broken pipe",
        "server closed the connection unexpectedly  This probably means the server terminated abnormally"})
    CHECK_FALSE(is_of_server(at + text));
  CHECK_FALSE(is_of_server("could not translate host name \"h\" to address: Name or service not known"));
}
