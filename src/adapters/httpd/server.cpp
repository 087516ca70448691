#include "staithe/httpd/server.hpp"

#include "staithe/base/error.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <list>
#include <thread>

namespace staithe::httpd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

std::string string_of(boost::string_view text) {
  return {text.data(), text.size()};
}

asio::ip::address address_of(const Endpoint& endpoint) {
  error_code error;
  auto address = asio::ip::make_address(endpoint.address, error);
  if (error) throw base::Error(base::ErrorCode::invalid, "'" + endpoint.address + "' is no address");
  return address;
}

/// What one listener's connections share; all of it belongs to the server's thread.
class Connection;
using Connections = std::list<std::weak_ptr<Connection>>;

struct Shared {
  Handler handler;
  Limits limits;
  Connections open;  ///< oldest first
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)), buffer_(2 * shared_->limits.header_bytes) {}

  ~Connection() { shared_->open.erase(place_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void begin(Connections::iterator place) {
    place_ = place;
    read(shared_->limits.request);
  }
  void cut() { stream_.close(); }

 private:
  using Parser = http::request_parser<http::empty_body>;

  /// The deadline is for the whole head: who sends a byte a second gains nothing by it.
  void read(base::Duration patience) {
    parser_ = std::make_unique<Parser>();
    parser_->header_limit(static_cast<std::uint32_t>(shared_->limits.header_bytes));
    stream_.expires_after(patience);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) { self->took(error); });
  }

  void took(error_code error) {
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
      return refuse(http::status::request_header_fields_too_large);
    if (error == http::error::unexpected_body || error == http::error::body_limit)
      return refuse(http::status::payload_too_large);
    const bool gone = error == http::error::end_of_stream || error == http::error::partial_message;
    if (error && !gone && error.category() == http::make_error_code(http::error::bad_method).category())
      return refuse(http::status::bad_request);
    if (error) return;
    const auto& head = parser_->get();
    const bool keep = head.keep_alive();
    if (head.method() != http::verb::get && head.method() != http::verb::head) {
      Response response{405, "text/plain; charset=utf-8", "only GET and HEAD are known here\n", {}};
      response.headers.emplace_back("Allow", "GET, HEAD");
      return send(std::move(response), false, false);
    }
    send(answer(head), head.method() == http::verb::head, keep);
  }

  Response answer(const http::request<http::empty_body>& head) noexcept {
    try {
      Request request;
      const auto target = string_of(head.target());
      request.path = target.substr(0, target.find('?'));
      if (head.count(http::field::authorization) == 1)
        request.authorization = string_of(head[http::field::authorization]);
      return shared_->handler(request);
    } catch (...) {
      Response failed;
      failed.status = 500;
      return failed;
    }
  }

  void refuse(http::status status) {
    Response response;
    response.status = static_cast<int>(status);
    response.body = string_of(http::obsolete_reason(status)) + "\n";
    send(std::move(response), false, false);
  }

  void send(Response response, bool head_only, bool keep) {
    auto message = std::make_shared<http::response<http::string_body>>();
    message->result(static_cast<unsigned>(response.status));
    message->version(11);
    message->keep_alive(keep);
    message->set(http::field::content_type, response.content_type);
    message->set(http::field::cache_control, "no-store");
    message->set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) message->set(name, value);
    message->content_length(response.body.size());
    if (!head_only) message->body() = std::move(response.body);
    stream_.expires_after(shared_->limits.request);
    if (head_only) {
      auto serializer = std::make_shared<http::response_serializer<http::string_body>>(*message);
      http::async_write_header(stream_, *serializer,
                               [self = shared_from_this(), message, serializer, keep](
                                   error_code error, std::size_t) { self->sent(error, keep); });
      return;
    }
    http::async_write(stream_, *message,
                      [self = shared_from_this(), message, keep](error_code error, std::size_t) {
                        self->sent(error, keep);
                      });
  }

  void sent(error_code error, bool keep) {
    if (error) return;
    if (keep) return read(shared_->limits.idle);
    linger();
  }

  /// What the peer still sends is read for a moment: closing over it would reset the connection, and the
  /// answer with it.
  void linger() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(std::chrono::seconds(1));
    rest();
  }
  void rest() {
    stream_.async_read_some(asio::buffer(waste_), [self = shared_from_this()](error_code error, std::size_t) {
      if (!error) self->rest();
    });
  }

  beast::tcp_stream stream_;
  std::shared_ptr<Shared> shared_;
  Connections::iterator place_;
  beast::flat_buffer buffer_;
  std::unique_ptr<Parser> parser_;
  std::array<char, 1024> waste_{};
};

std::optional<std::uint16_t> port_of(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  unsigned long value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned long>(c - '0');
  }
  if (value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = port_of(text.substr(colon + 1));
  auto address = text.substr(0, colon);
  if (!port) return std::nullopt;
  const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) address = address.substr(1, address.size() - 2);
  if (address.empty() || address == "localhost") address = "127.0.0.1";
  error_code error;
  const auto parsed = asio::ip::make_address(std::string(address), error);
  if (error || parsed.is_v6() != bracketed) return std::nullopt;
  return Endpoint{std::string(address), *port};
}

bool is_loopback(const Endpoint& endpoint) {
  const auto address = address_of(endpoint);
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  return address.is_loopback();
}

class Server::Listener {
 public:
  Listener(const Endpoint& endpoint, Handler handler, Limits limits)
      : shared_(std::make_shared<Shared>()), acceptor_(io_), pause_(io_) {
    shared_->handler = std::move(handler);
    shared_->limits = limits;
    const tcp::endpoint wanted(address_of(endpoint), endpoint.port);
    error_code error;
    acceptor_.open(wanted.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(wanted, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) throw refused(endpoint, error);
    bound_ = acceptor_.local_endpoint();
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Listener() {
    asio::post(io_, [this] { io_.stop(); });
    thread_.join();
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::uint16_t port() const noexcept { return bound_.port(); }
  std::string url() const {
    const auto address = bound_.address().to_string();
    return "http://" + (bound_.address().is_v6() ? "[" + address + "]" : address) + ":" +
           std::to_string(port()) + "/";
  }

 private:
  static base::Error refused(const Endpoint& endpoint, error_code error) {
    const auto code = error == asio::error::address_in_use  ? base::ErrorCode::conflict
                      : error == asio::error::access_denied ? base::ErrorCode::permission
                                                            : base::ErrorCode::failed;
    return base::system_error(
        code, "listening on " + endpoint.address + " port " + std::to_string(endpoint.port), error.value());
  }

  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return later();
      if (shared_->open.size() >= shared_->limits.connections)
        if (const auto oldest = shared_->open.front().lock()) oldest->cut();
      const auto connection = std::make_shared<Connection>(std::move(socket), shared_);
      connection->begin(shared_->open.insert(shared_->open.end(), connection));
      accept();
    });
  }

  /// No file descriptor is left, say: trying at once would spin.
  void later() {
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }

  std::shared_ptr<Shared> shared_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  tcp::endpoint bound_;
  std::thread thread_;
};

Server::Server(const Endpoint& endpoint, Handler handler, Limits limits)
    : listener_(std::make_unique<Listener>(endpoint, std::move(handler), limits)) {}
Server::~Server() = default;

std::uint16_t Server::port() const noexcept {
  return listener_->port();
}
std::string Server::url() const {
  return listener_->url();
}

}  // namespace staithe::httpd
