#include "catch.hpp"
#include "support/free_port.hpp"

#include "staithe/base/error.hpp"
#include "staithe/http/client.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace std::chrono_literals;
using staithe::base::Error;
using staithe::base::ErrorCode;
using staithe::base::Scope;
using staithe::http::Reply;
using staithe::http::Request;

namespace {

/// nginx with a certificate for app.test, one that has expired, and a plain port.
class Nginx {
 public:
  Nginx() {
    REQUIRE(::mkdtemp(root_.data()) != nullptr);
    make_certificates();
    const std::string at = "listen 127.0.0.1:";
    std::ofstream(file("conf"))
        << "daemon on; pid " << file("pid") << "; error_log " << file("error")
        << ";\nevents {}\nhttp { access_log off; " << temporary() << "\n server { " << at << tls
        << " ssl; ssl_certificate " << file("cert") << "; ssl_certificate_key " << file("key")
        << "; location / { return 200 'tls $host'; } location /down { return 302 http://127.0.0.1:" << plain
        << "/; } }\n server { " << at << expired << " ssl; ssl_certificate " << file("oldcert")
        << "; ssl_certificate_key " << file("oldkey") << "; }\n server { " << at << plain
        << "; return 200 plain; } }\n";
    const std::string start = "/usr/sbin/nginx -e " + file("error") + " -p " + root_ + " -c " + file("conf");
    REQUIRE(std::system(start.c_str()) == 0);  // returns when the ports are bound
  }
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  ~Nginx() {
    pid_t pid = 0;
    std::ifstream(file("pid")) >> pid;
    if (pid > 1) ::kill(pid, SIGTERM);
    for (int round = 0; round < 200 && std::filesystem::exists(file("pid")); ++round)
      std::this_thread::sleep_for(10ms);
    std::filesystem::remove_all(root_);
  }

  std::string file(const std::string& name) const { return root_ + "/" + name; }

  const std::uint16_t tls = staithe::test::free_port();
  const std::uint16_t expired = staithe::test::free_port();
  const std::uint16_t plain = staithe::test::free_port();

 private:
  void make_certificates() const {
    std::ofstream(file("ca.cnf"))
        << "[ca]\ndefault_ca=d\n[d]\nserial=serial\ndatabase=index.txt\nnew_certs_dir=.\ndefault_md=sha256\n"
           "policy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n";
    const std::string request = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    const std::string script =
        "exec 2>/dev/null; cd " + root_ + " && : > index.txt && echo 01 > serial && " + request +
        " -x509 -subj /CN=app.test -addext subjectAltName=DNS:app.test,DNS:*.wild.test -days 2 -keyout key "
        "-out cert && " +
        request +
        " -subj /CN=old.test -addext subjectAltName=DNS:old.test -keyout oldkey -out old.csr && openssl ca "
        "-batch -selfsign"
        " -config ca.cnf -keyfile oldkey -in old.csr -out oldcert -startdate 20200101000000Z -enddate "
        "20200102000000Z"
        " -notext";
    REQUIRE(std::system(script.c_str()) == 0);
  }

  std::string temporary() const {
    std::string text;
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      text += std::string(kind) + "_temp_path " + file("tmp") + "; ";
    return text;
  }

  std::string root_ = "/tmp/staithe-tls-XXXXXX";
};

Request to(const std::string& name, std::uint16_t port, const std::string& ca_file) {
  Request request;
  request.url = "https://" + name + "/";
  request.connect_to = {"::127.0.0.1:" + std::to_string(port)};
  request.ca_file = ca_file;
  return request;
}

Error refused(const Request& request) {
  try {
    staithe::http::send(request, Scope::lasting(10s));
  } catch (const Error& error) {
    return error;
  }
  return {ErrorCode::failed, "nothing was thrown"};
}

}  // namespace

TEST_CASE("A certificate is checked against name, issuer and time") {
  const Nginx nginx;
  const std::string ca = nginx.file("cert");
  const Reply reply = staithe::http::send(to("app.test", nginx.tls, ca), Scope::lasting(10s));
  CHECK(reply.body == "tls app.test");
  CHECK(reply.peer == "127.0.0.1:" + std::to_string(nginx.tls));

  const Error untrusted = refused(to("app.test", nginx.tls, ""));
  CHECK(untrusted.code() == ErrorCode::auth);
  CHECK_THAT(untrusted.what(), ContainsSubstring("GET https://app.test: "));
  CHECK(refused(to("other.test", nginx.tls, ca)).code() == ErrorCode::auth);
  const Error expired = refused(to("old.test", nginx.expired, nginx.file("oldcert")));
  CHECK(expired.code() == ErrorCode::auth);
  CHECK_THAT(expired.what(), ContainsSubstring("expired"));
  CHECK(refused(to("app.test", nginx.plain, ca)).code() == ErrorCode::protocol);
  CHECK(refused(to("app.test", nginx.tls, "/no/such/file")).code() == ErrorCode::not_found);
}

TEST_CASE("An https request is not led to http") {
  const Nginx nginx;
  Request request = to("app.test", nginx.tls, nginx.file("cert"));
  request.url += "down";
  CHECK(staithe::http::send(request, Scope::lasting(10s)).status == 302);
  request.follow_redirects = 3;
  CHECK(refused(request).code() == ErrorCode::protocol);
}

TEST_CASE("tls: what a certificate says, and in words why it is not trusted") {
  const Nginx nginx;
  const auto look = [&](const std::string& name, std::uint16_t port, const std::string& authority) {
    staithe::http::CertificateRequest request;
    request.host = "127.0.0.1";
    request.port = port;
    request.server_name = name;
    request.ca_file = authority;
    return staithe::http::certificate_of(request, Scope::lasting(10s));
  };
  const auto good = look("app.test", nginx.tls, nginx.file("cert"));
  CHECK(good.trusted);
  CHECK(good.why.empty());
  CHECK(good.names == std::vector<std::string>{"app.test", "*.wild.test"});
  CHECK(good.peer == "127.0.0.1:" + std::to_string(nginx.tls));
  CHECK(good.not_after.find("GMT") != std::string::npos);
  CHECK(look("a.wild.test", nginx.tls, nginx.file("cert")).trusted);

  // A wildcard stands for one label only.
  const auto deeper = look("b.a.wild.test", nginx.tls, nginx.file("cert"));
  CHECK_FALSE(deeper.trusted);
  CHECK(deeper.why == "it is for other names than b.a.wild.test");
  CHECK(deeper.names.size() == 2);
  const auto stranger = look("app.test", nginx.tls, "");
  CHECK_FALSE(stranger.trusted);
  CHECK(stranger.why == "signed by itself");
  const auto old = look("old.test", nginx.expired, nginx.file("oldcert"));
  CHECK_FALSE(old.trusted);
  CHECK(old.why == "expired");
  CHECK(old.not_after.find("2020") != std::string::npos);

  try {
    look("app.test", nginx.plain, "");
    FAIL("no TLS is spoken there");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::protocol);
    CHECK_THAT(error.what(), ContainsSubstring("it does not speak TLS there"));
  }
}

TEST_CASE("tls: a session keeps connections, and each request has its own answer and its own failure") {
  const Nginx nginx;
  staithe::http::Session session;
  Request request;
  request.url = "https://app.test:" + std::to_string(nginx.tls) + "/";
  request.connect_to = {"::127.0.0.1:" + std::to_string(nginx.tls)};
  request.ca_file = nginx.file("cert");
  request.version = staithe::http::Version::any;
  for (int i = 0; i < 3; ++i) CHECK(session.send(request, Scope::lasting(10s)).body == "tls app.test");
  Request bad = request;
  bad.ca_file.clear();
  CHECK_THROWS_AS(session.send(bad, Scope::lasting(10s)), Error);
  bad.method = "NO SUCH";
  CHECK_THROWS_AS(session.send(bad, Scope::lasting(10s)), Error);
  CHECK(session.send(request, Scope::lasting(10s)).status == 200);
}
