#pragma once
#include "staithe/base/duration.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A small HTTP/1.1 server that shows things: GET and HEAD.
namespace staithe::httpd {

struct Request {
  std::string path;           ///< without the query, as it was sent
  std::string authorization;  ///< the header's value; "" without one
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Called on the server's one thread: it must not block. What it throws becomes a 500 without details.
using Handler = std::function<Response(const Request&)>;

struct Limits {
  std::size_t header_bytes = std::size_t{8} * 1024;
  std::size_t connections = 64;  ///< one more, and the oldest is closed
  base::Duration request{
      10'000};  ///< for a request to come in, and for its answer to be taken, byte by byte or not
  base::Duration idle{60'000};  ///< the same of a later request on a connection that is kept
};

struct Endpoint {
  std::string address;  ///< numeric, without brackets
  std::uint16_t port = 0;
};
/// "127.0.0.1:9797", "[::1]:9797", "localhost:9797" (127.0.0.1), ":9797" (127.0.0.1); names are not looked
/// up.
std::optional<Endpoint> parse_endpoint(std::string_view text);
/// 127.0.0.0/8, ::1, and 127.0.0.0/8 written as IPv6.
bool is_loopback(const Endpoint& endpoint);

class Server {
 public:
  /// Listens at once; port 0 takes a free one. Throws base::Error{conflict} for an address in use, {invalid},
  /// {permission}, {failed}.
  Server(const Endpoint& endpoint, Handler handler, Limits limits = {});
  /// Cuts what is under way.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const noexcept;
  /// "http://127.0.0.1:9797/".
  std::string url() const;

 private:
  class Listener;
  std::unique_ptr<Listener> listener_;
};

}  // namespace staithe::httpd
