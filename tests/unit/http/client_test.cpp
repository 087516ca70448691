#include "staithe/http/client.hpp"

#include "catch.hpp"
#include "server.hpp"
#include "support/cancelled_after.hpp"
#include "support/silent_resolver.hpp"

#include "staithe/base/error.hpp"

#include <chrono>

using namespace std::chrono_literals;
using staithe::base::Error;
using staithe::base::ErrorCode;
using staithe::base::Scope;
using staithe::http::Reply;
using staithe::http::Request;
using staithe::test::cancelled_after;

namespace {

using Clock = std::chrono::steady_clock;

Request request_to(const std::string& url) {
  Request request;
  request.url = url;
  return request;
}

Scope soon() {
  return Scope::lasting(60s);
}

std::string reply_of(int status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " Word\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

Server fixed(const std::string& reply) {
  return Server([reply](const std::string&) { return reply; });
}

template <typename Work>
Error error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  return {ErrorCode::failed, "nothing was thrown"};
}

Error refused(const Request& request) {
  return error_of([&] { staithe::http::send(request, soon()); });
}

}  // namespace

TEST_CASE("A reply has its status, headers, body and peer") {
  const Server server = fixed(reply_of(503, "X-Thing:  one \r\nx-thing: two\r\n", "out of order"));
  const Reply reply = staithe::http::get(server.url("/health?x=1"), soon());
  CHECK(reply.status == 503);
  CHECK_FALSE(reply.ok());
  CHECK(reply.body == "out of order");
  CHECK_FALSE(reply.body_cut);
  REQUIRE(reply.header("X-THING") != nullptr);
  CHECK(*reply.header("X-THING") == "one");
  CHECK(reply.header("absent") == nullptr);
  CHECK(reply.peer == "127.0.0.1:" + std::to_string(server.port()));
  const auto requests = server.requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].starts_with("GET /health?x=1 HTTP/1.1\r\n"));
  CHECK_THAT(requests[0], ContainsSubstring("User-Agent: staithe\r\n"));
}

TEST_CASE("Method, headers and body are sent as they are") {
  const Server server = fixed(reply_of(200, "", "ok"));
  Request request = request_to(server.url("/hook"));
  request.method = "POST";
  request.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}};
  request.body = std::string("{\"a\":1}\0é", 10);
  CHECK(staithe::http::send(request, soon()).ok());
  request.method = "DELETE";
  request.body.clear();
  CHECK(staithe::http::send(request, soon()).ok());
  request.method = "PUT";
  CHECK(staithe::http::send(request, soon()).ok());
  const auto requests = server.requests();
  REQUIRE(requests.size() == 3);
  CHECK(requests[0].starts_with("POST /hook HTTP/1.1\r\n"));
  CHECK_THAT(requests[0], ContainsSubstring("Content-Type: application/json\r\n"));
  CHECK_THAT(requests[0], ContainsSubstring("X-Empty:\r\n"));
  CHECK(requests[0].find("Expect") == std::string::npos);
  CHECK(requests[0].substr(requests[0].size() - 10) == request_to("").body + std::string("{\"a\":1}\0é", 10));
  CHECK(requests[1].starts_with("DELETE /hook HTTP/1.1\r\n"));
  CHECK(requests[2].starts_with("PUT /hook HTTP/1.1\r\n"));
}

TEST_CASE("A body over the limit is cut, not an error") {
  const Server server = fixed(reply_of(200, "", std::string(3'000'000, 'x')));
  const Reply whole_limit = staithe::http::get(server.url(), soon());
  CHECK(whole_limit.body.size() == 1024U * 1024);
  CHECK(whole_limit.body_cut);
  CHECK(whole_limit.status == 200);
  const Server exact = fixed(reply_of(200, "", "12345"));
  Request request = request_to(exact.url());
  request.max_body_bytes = 5;
  CHECK_FALSE(staithe::http::send(request, soon()).body_cut);
  request.max_body_bytes = 4;
  const Reply cut = staithe::http::send(request, soon());
  CHECK(cut.body_cut);
  CHECK(cut.body == "1234");
}

TEST_CASE("A path is asked for as it is written, and a redirect to a relative one from where it stands") {
  const Server server([](const std::string& request) {
    if (request.starts_with("GET /a/b/old ")) return reply_of(302, "Location: ../new\r\n", "");
    return reply_of(200, "", "here");
  });
  for (const std::string path : {"/base/users/..", "/base/./x/../../y", "/a//b/"}) {
    CAPTURE(path);
    CHECK(staithe::http::send(request_to(server.url(path)), soon()).status == 200);
    CHECK(server.requests().back().starts_with("GET " + path + " HTTP"));
  }
  Request request = request_to(server.url("/a/b/old"));
  request.follow_redirects = 1;
  CHECK(staithe::http::send(request, soon()).body == "here");
  CHECK(server.requests().back().starts_with("GET /a/new HTTP"));
}

TEST_CASE("The dots of a redirect are taken out, also where those of the first path were written") {
  for (const std::string from : {"/a/old", "/a/x/../old"})
    for (const auto& [location, wanted] : {std::pair{"x/../y", "/a/y"}, std::pair{"/a/../b/./c", "/b/c"},
                                           std::pair{"/../b?q=/../", "/b?q=/../"}}) {
      const Server server([&, location = location](const std::string& request) {
        return request.starts_with("GET " + from + " ")
                   ? reply_of(302, "Location: " + std::string(location) + "\r\n", "")
                   : reply_of(200, "", "here");
      });
      CAPTURE(from, location);
      Request request = request_to(server.url(from));
      request.follow_redirects = 1;
      CHECK(staithe::http::send(request, soon()).body == "here");
      CHECK(server.requests().front().starts_with("GET " + from + " HTTP"));
      CHECK(server.requests().back().starts_with("GET " + std::string(wanted) + " HTTP"));
    }
}

TEST_CASE("Redirects are followed as often as allowed, and the last reply counts") {
  const Server server([](const std::string& request) {
    if (request.starts_with("GET /a ")) return reply_of(302, "Location: /b\r\nX-First: 1\r\n", "moved");
    if (request.starts_with("GET /loop ")) return reply_of(302, "Location: /loop\r\n", "");
    if (request.starts_with("GET /file ")) return reply_of(302, "Location: file:///etc/passwd\r\n", "");
    return reply_of(200, "X-Last: 1\r\n", "here");
  });
  Request request = request_to(server.url("/a"));
  CHECK(staithe::http::send(request, soon()).status == 302);
  request.follow_redirects = 2;
  const Reply reply = staithe::http::send(request, soon());
  CHECK(reply.status == 200);
  CHECK(reply.body == "here");
  CHECK(reply.redirects == 1);
  CHECK(reply.header("X-First") == nullptr);
  CHECK(reply.header("X-Last") != nullptr);
  request.url = server.url("/loop");
  CHECK(refused(request).code() == ErrorCode::protocol);
  request.url = server.url("/file");
  CHECK(refused(request).code() == ErrorCode::protocol);
  CHECK_THAT(std::string(refused(request).what()),
             ContainsSubstring("redirects to where nobody may be sent"));
}

TEST_CASE(
    "Another host that a redirect leads to gets none of our own headers, nor does who comes behind it") {
  const Server other([](const std::string& request) {
    if (request.starts_with("GET /there ")) return reply_of(302, "Location: /further\r\n", "");
    return reply_of(200, "", "there");
  });
  for (const std::string& there :
       {other.url("/there"), other.url("/there").substr(std::string("http:").size())}) {
    const auto before = other.requests().size();
    const Server server([&](const std::string& request) {
      if (request.starts_with("GET /a ")) return reply_of(302, "Location: /b\r\n", "");
      return reply_of(302, "Location: " + there + "\r\n", "");
    });
    Request request = request_to(server.url("/a"));
    request.headers = {{"X-Api-Key", "k3y"}, {"Cookie", "k3y"}, {"Accept", "text/plain"}};
    request.follow_redirects = 3;
    CHECK(staithe::http::send(request, soon()).body == "there");
    CHECK_THAT(server.requests().at(1), ContainsSubstring("X-Api-Key: k3y"));
    REQUIRE(other.requests().size() == before + 2);
    for (auto at = before; at < before + 2; ++at) {
      CHECK(other.requests()[at].find("k3y") == std::string::npos);
      CHECK_THAT(other.requests()[at], ContainsSubstring("Accept: text/plain"));
    }
  }
}

TEST_CASE("A backslash makes no other host look like the origin that a redirect comes from") {
  const Server other([](const std::string&) { return reply_of(200, "", "there"); });
  std::string own;
  const auto disguised = [&] { return own + "\\@127.0.0.1:" + std::to_string(other.port()) + "/there"; };
  const Server server(
      [&](const std::string&) { return reply_of(307, "Location: " + disguised() + "\r\n", ""); });
  own = server.url("");
  Request request = request_to(server.url("/a"));
  request.headers = {{"X-Api-Key", "k3y"}};
  request.follow_redirects = 1;
  CHECK(staithe::http::send(request, soon()).body == "there");
  CHECK(other.requests().at(0).find("k3y") == std::string::npos);
  request.method = "POST";
  request.body = "password=hunter22";
  CHECK(refused(request).code() == ErrorCode::protocol);
  CHECK(other.requests().size() == 1);
  // Nor is such a one asked at all.
  CHECK(refused(request_to(disguised())).code() == ErrorCode::invalid);
  CHECK(other.requests().size() == 1);
}

TEST_CASE("The port that a scheme means is no other origin when a redirect writes it down") {
  const Server server([&](const std::string& request) {
    if (request.starts_with("GET /a ")) return reply_of(302, "Location: http://shop.example:80/b\r\n", "");
    return reply_of(200, "", "there");
  });
  Request request = request_to("http://Shop.example/a");
  request.connect_to = {"::127.0.0.1:" + std::to_string(server.port())};
  request.headers = {{"X-Api-Key", "k3y"}};
  request.follow_redirects = 1;
  CHECK(staithe::http::send(request, soon()).body == "there");
  CHECK_THAT(server.requests().at(1), ContainsSubstring("X-Api-Key: k3y"));
}

TEST_CASE("A redirect never takes a body to another origin") {
  const Server other([](const std::string&) { return reply_of(200, "", "there"); });
  const auto server_with = [&](int status) {
    return [&other, status](const std::string& request) {
      if (request.find(" /a ") != std::string::npos) return reply_of(307, "Location: /b\r\n", "");
      return reply_of(status, "Location: " + other.url("/there") + "\r\n", "");
    };
  };
  for (const char* method : {"POST", "PUT", "DELETE"})
    for (const int status : {307, 308}) {
      const Server server(server_with(status));
      Request request = request_to(server.url("/a"));
      request.method = method;
      request.body = "password=hunter22";
      request.follow_redirects = 3;
      const auto error = refused(request);
      CHECK(error.code() == ErrorCode::protocol);
      CHECK_THAT(error.what(),
                 ContainsSubstring("redirects to another origin, to which nothing was sent again"));
      CHECK_THAT(server.requests().at(1), ContainsSubstring("hunter22"));
      CHECK(other.requests().empty());
    }
  // Nor what would be changed there, though there is no body to it.
  for (const char* method : {"DELETE", "PUT", "PATCH"})
    for (const int status : {302, 303, 307}) {
      const Server away([&](const std::string&) {
        return reply_of(status, "Location: " + other.url("/there") + "\r\n", "");
      });
      Request request = request_to(away.url("/a"));
      request.method = method;
      request.follow_redirects = 3;
      CHECK(refused(request).code() == ErrorCode::protocol);
      CHECK(other.requests().empty());
    }
  const Server server(server_with(303));
  Request request = request_to(server.url("/a"));
  request.method = "POST";
  request.body = "password=hunter22";
  request.follow_redirects = 3;
  CHECK(staithe::http::send(request, soon()).body == "there");
  CHECK(other.requests().at(0).starts_with("GET /there "));
  CHECK(other.requests().at(0).find("hunter22") == std::string::npos);
  // Who is not followed is heard.
  const Server made(
      [&](const std::string&) { return reply_of(307, "Location: " + other.url("/there") + "\r\n", ""); });
  request.url = made.url("/a");
  request.follow_redirects = 0;
  CHECK(staithe::http::send(request, soon()).status == 307);
}

TEST_CASE("connect_to changes the address and nothing else") {
  const Server server = fixed(reply_of(200, "", "ok"));
  Request request = request_to("http://www.shop.example/");
  request.connect_to = {"www.shop.example:80:127.0.0.1:" + std::to_string(server.port())};
  const Reply reply = staithe::http::send(request, soon());
  CHECK(reply.ok());
  CHECK(reply.peer == "127.0.0.1:" + std::to_string(server.port()));
  CHECK_THAT(server.requests().at(0), ContainsSubstring("Host: www.shop.example\r\n"));
  request.connect_to = {"nonsense"};
  CHECK(refused(request).code() == ErrorCode::invalid);
}

TEST_CASE("A proxy of the environment is used only when that was asked for") {
  const Server server = fixed(reply_of(200, "", "direct"));
  const Server proxy = fixed(reply_of(200, "", "by proxy"));
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  Request request = request_to(server.url());
  CHECK(staithe::http::send(request, soon()).body == "direct");
  request.proxy = staithe::http::Proxy::from_environment;
  CHECK(staithe::http::send(request, soon()).body == "by proxy");
  ::unsetenv("http_proxy");
}

TEST_CASE("Errors have their code and tell nothing secret") {
  const Server garbage = fixed("SSH-2.0-OpenSSH_9.2\r\n");
  const std::string at = "http://user:hunter2@127.0.0.1:";
  Error error = refused(request_to(at + std::to_string(garbage.port()) + "/token/s3cret?key=s3cret"));
  CHECK(error.code() != ErrorCode::cancelled);
  const std::string text = error.what();
  CHECK(text.starts_with("GET http://127.0.0.1:" + std::to_string(garbage.port()) + ": "));
  CHECK(text.find("hunter2") == std::string::npos);
  CHECK(text.find("s3cret") == std::string::npos);

  std::uint16_t closed = 0;
  { closed = fixed("").port(); }
  CHECK(refused(request_to("http://127.0.0.1:" + std::to_string(closed))).code() == ErrorCode::connect);
  CHECK(refused(request_to("http://no-such-name.invalid/")).code() == ErrorCode::resolve);
  CHECK(refused(request_to("ftp://127.0.0.1/")).code() == ErrorCode::invalid);
  CHECK(refused(request_to("http:///path")).code() == ErrorCode::invalid);
  CHECK(refused(request_to("http://127.0.0.1/a b")).code() == ErrorCode::invalid);

  Request request = request_to(garbage.url());
  request.headers = {{"X", "a\r\nInjected: 1"}};
  CHECK(refused(request).code() == ErrorCode::invalid);
  request.headers = {{"X: y", "a"}};
  CHECK(refused(request).code() == ErrorCode::invalid);
  request.headers.clear();
  request.method = "GET /x";
  CHECK(refused(request).code() == ErrorCode::invalid);
}

TEST_CASE("Broken replies are refused") {
  CHECK(refused(request_to(fixed("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort").url())).code() ==
        ErrorCode::protocol);
  std::string endless = "HTTP/1.1 200 OK\r\n";
  for (int index = 0; index < 20000; ++index) endless += "X-Filler: 0123456789abcdef\r\n";
  const Server filler = fixed(endless + "\r\n");
  const Error error = refused(request_to(filler.url()));
  CHECK(error.code() == ErrorCode::protocol);
  // Ours, or libcurl 8's, which counts the lines.
  CHECK_THAT(error.what(), ContainsSubstring("too large") || ContainsSubstring("Too many"));
}

TEST_CASE("A server that says nothing is waited for no longer than allowed") {
  const Server silent = fixed("");
  Request request = request_to(silent.url());
  request.timeout = 150ms;
  auto before = Clock::now();
  CHECK(refused(request).code() == ErrorCode::timeout);
  request.timeout = 10s;
  CHECK(error_of([&] { staithe::http::send(request, Scope::lasting(150ms)); }).code() == ErrorCode::timeout);
  CHECK(Clock::now() - before < 8s);
}

TEST_CASE("Cancelling is felt at once, in a reply and in a lookup") {
  const Server silent = fixed("");
  CHECK(cancelled_after([&](const Scope& scope) { staithe::http::get(silent.url(), scope); }) < 50ms);
  CHECK(cancelled_after([](const Scope& scope) { staithe::http::get("http://silent.test/", scope); }) < 50ms);
}

TEST_CASE("The origin of a URL holds nothing secret") {
  using staithe::http::origin_of;
  CHECK(origin_of("https://u:p@host:8443/path?query#part") == "https://host:8443");
  CHECK(origin_of("HTTP://host") == "http://host");
  CHECK(origin_of("http://a@b:c@host?x") == "http://host");
  CHECK(origin_of("http://[::1]:80/") == "http://[::1]:80");
  CHECK(origin_of("https://hooks.example/T0/secret") == "https://hooks.example");
  CHECK(origin_of("file:///etc/passwd") == "(no URL)");
  CHECK(origin_of("nonsense") == "(no URL)");
}
