#pragma once
#include "staithe/base/cancel.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// HTTP requests and TCP probes.
namespace staithe::http {

struct Header {
  std::string name;
  std::string value;
};

enum class Proxy { none, from_environment };
/// `any`: HTTP/2 where the server offers it by TLS.
enum class Version { http1, any };

struct Request {
  std::string method = "GET";
  std::string url;  ///< http or https only
  std::vector<Header> headers;
  std::string body;
  base::Duration timeout{10'000};  ///< for everything; the scope's deadline holds too
  base::Duration connect_timeout{5'000};
  std::size_t max_body_bytes = 1024 * 1024;  ///< what is longer is cut, see Reply::body_cut
  /// How many redirects to follow. An https request is never redirected to http; another origin (scheme, host
  /// or port) that it is redirected to gets no header of ours but Accept, Accept-…, Content-Type and
  /// User-Agent, nor does who comes after it, and never the body: a redirect that would send it there again
  /// is an Error with protocol.
  int follow_redirects = 0;
  /// "HOST:PORT:TO_HOST:TO_PORT" as curl --connect-to: where HOST:PORT is asked for, connect to the other
  /// while name, Host header and certificate check stay. Empty HOST, PORT: any; empty TO_…: unchanged. IPv6
  /// in brackets.
  std::vector<std::string> connect_to;
  std::string ca_file;  ///< PEM bundle instead of the system's. Verification cannot be turned off.
  std::string client_certificate, client_key;  ///< PEM files, our own
  Proxy proxy = Proxy::none;                   ///< a probe must not go through a proxy; a webhook may have to
  /// "http://HOST:PORT" of the proxy to go through, whatever `proxy` and the environment say; "" for theirs.
  std::string proxy_url;
  std::string proxy_credentials;  ///< "USER:PASSWORD" for it, as Basic; "" for none
  Version version = Version::http1;
};

struct Reply {
  int status = 0;
  std::vector<Header> headers;  ///< of the last reply when redirects were followed; values trimmed
  std::string body;
  bool body_cut = false;  ///< max_body_bytes reached: the transfer was ended there
  int redirects = 0;
  std::string peer;  ///< "127.0.0.1:8080", whom we really spoke to
  base::Duration duration{0};
  double milliseconds = 0;  ///< the same, finer
  std::string version;      ///< "1.1", "2"

  bool ok() const noexcept { return status >= 200 && status < 300; }
  /// Value of the first header with that name in any case, or nullptr.
  const std::string* header(std::string_view name) const noexcept;
};

/// Sends one request and blocks until the reply is there. Any status is a Reply. A connection of its own each
/// time (a probe must not learn from an old one). Callable from any thread; cancellation is felt within 50
/// ms. Expects SIGPIPE to be ignored.
///
/// Throws Error with timeout, cancelled, resolve, connect, auth (TLS: the peer's certificate is not good),
/// invalid (method, URL or header cannot be meant), protocol, io, unavailable (the proxy cannot be reached,
/// or does not let us through). The text names method, scheme, host and port only: user info, path and query
/// of a URL may be secret.
Reply send(const Request& request, const base::Scope& scope);
Reply get(const std::string& url, const base::Scope& scope);

/// Many requests in a row: connections are kept and used again, and certificates of authorities are read
/// once. As send() otherwise, and cheaper by far. For one thread at a time; probes that must not meet an old
/// connection take a session of their own.
class Session {
 public:
  Session();
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  Reply send(const Request& request, const base::Scope& scope);

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

/// What a server's certificate says, and whether it can be trusted for its name.
struct Certificate {
  bool trusted = false;
  std::string why;  ///< in words, when it is not: "expired", "it is for other names"
  std::string subject, issuer;
  std::vector<std::string> names;
  std::string not_before, not_after;  ///< as OpenSSL prints them: "Nov 20 10:00:00 2026 GMT"
  std::string peer;
  base::Duration duration{0};  ///< of the handshake that was judged
};
struct CertificateRequest {
  std::string host;
  std::uint16_t port = 443;
  std::string server_name;  ///< "" for the host
  std::string connect_to;   ///< HOST:PORT to connect to instead; "" for none
  std::string ca_file;      ///< PEM bundle instead of the system's
  base::Duration timeout{10'000};
};
/// A handshake as strict as send()'s, and when that fails one that trusts nothing, to say why. Throws Error
/// with resolve, connect, timeout, cancelled, protocol (no TLS there), invalid.
Certificate certificate_of(const CertificateRequest& request, const base::Scope& scope);

/// scheme://host:port of a URL, without what may be secret in it; "(no URL)" when there is none.
std::string origin_of(std::string_view url);

}  // namespace staithe::http
