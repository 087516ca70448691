#include "staithe/http/client.hpp"

#include "curl_handles.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/origin.hpp"
#include "staithe/base/text.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

namespace staithe::http {
namespace {

using base::Duration;
using base::Error;
using base::ErrorCode;

constexpr std::size_t most_header_bytes = 256 * 1024;
constexpr std::size_t usual_headers = 16;

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f';
  });
}

/// Headers that hold nothing of ours: another origin may know them.
bool is_for_everybody(std::string_view name) {
  const std::string_view names[] = {"Accept", "Accept-Language", "Accept-Encoding", "Content-Type",
                                    "User-Agent"};
  return std::any_of(std::begin(names), std::end(names),
                     [&](auto known) { return base::equal_ignoring_case(known, name); });
}

/// Whether a Location may lead away from where the URL does: in doubt it does.
bool leads_away(std::string_view location, std::string_view url) {
  const auto end = location.find_first_of("/?#\\");
  const bool has_scheme = location.substr(0, end).find(':') != std::string_view::npos;
  const bool relative = !has_scheme && !location.starts_with("//") && !location.starts_with('\\') &&
                        !location.starts_with("/\\");
  return !relative && !base::same_origin(location, url);
}

void check(const Request& request) {
  const auto refuse = [](std::string text) { throw Error(ErrorCode::invalid, std::move(text)); };
  if (!base::is_http_token(request.method))
    refuse("'" + base::printable(request.method) + "' cannot be an HTTP method");
  if (has_control(request.url) || request.url.find(' ') != std::string::npos)
    refuse("the URL holds spaces or control characters");
  if (!base::http_place(request.url)) refuse("a URL begins with http:// or https:// and names a host");
  for (const auto& [name, value] : request.headers) {
    if (!base::is_http_token(name)) refuse("'" + base::printable(name) + "' cannot be the name of a header");
    if (has_control(value)) refuse("the header " + name + " holds control characters");
  }
  for (const auto& rule : request.connect_to)
    if (std::count(rule.begin(), rule.end(), ':') < 3 || has_control(rule))
      refuse("'" + base::printable(rule) + "' is not HOST:PORT:TO_HOST:TO_PORT");
}

/// One request in hand. libcurl keeps pointers into it.
class Exchange {
 public:
  Exchange(const Request& request, const base::Scope& scope, CURLM* multi, CURL* easy)
      : request_(request), multi_(multi), easy_(easy) {
    curl().easy_reset(easy_);
    set_target(scope);
    set_message();
    set_limits();
  }

  Reply perform(const base::Scope& scope) {
    reply_.headers.reserve(usual_headers);
    if (curl().multi_add_handle(multi_, easy_) != CURLM_OK) fail("libcurl takes no request");
    const Attached attached{multi_, easy_};
    for (int running = 1; running > 0;) {
      check_multi(curl().multi_perform(multi_, &running));
      if (running == 0) break;
      if (scope.cancelled()) throw Error(ErrorCode::cancelled, place() + ": stopped");
      if (scope.expired())
        throw Error(code_of_failure(CURLE_OPERATION_TIMEDOUT), place() + ": no reply in time");
      wait(scope);
    }
    finish();
    return std::move(reply_);
  }

 private:
  struct Attached {
    CURLM* multi;
    CURL* easy;
    ~Attached() { curl().multi_remove_handle(multi, easy); }
  };

  template <typename Value>
  void set(CURLoption option, Value value) {
    if (const CURLcode code = curl().easy_setopt(easy_, option, value); code != CURLE_OK)
      fail(fmt::format("option {}: {}", static_cast<int>(option), curl().easy_strerror(code)));
  }

  void set_target(const base::Scope& scope) {
    // check() has seen that it is http or https.
    const bool secure = base::equal_ignoring_case(std::string_view(request_.url).substr(0, 5), "https");
    set(CURLOPT_URL, request_.url.c_str());
    // What the plan shows is what is asked: "/users/.." is no other path. A redirect is: see take_header().
    set(CURLOPT_PATH_AS_IS, 1L);
    // The URL itself was looked at by check(); where it leads to was not.
    if (request_.follow_redirects > 0) {
      set(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
      set(CURLOPT_FOLLOWLOCATION, 1L);
      set(CURLOPT_MAXREDIRS, static_cast<long>(request_.follow_redirects));
    }
    const Duration whole =
        std::clamp(std::min(request_.timeout, scope.left()), Duration{1}, Duration{86'400'000});
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(whole.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(std::max(request_.connect_timeout, Duration{1}).count()));
    set_proxy();
    if (secure || request_.follow_redirects > 0) trust_authorities(easy_, request_.ca_file);
    if (!request_.client_certificate.empty()) {
      set(CURLOPT_SSLCERT, request_.client_certificate.c_str());
      set(CURLOPT_SSLKEY, request_.client_key.c_str());
    }
    for (const auto& rule : request_.connect_to) connect_to_.add(rule);
    if (connect_to_.get() != nullptr) set(CURLOPT_CONNECT_TO, connect_to_.get());
  }

  void set_proxy() {
    if (request_.proxy_url.empty()) {
      if (request_.proxy == Proxy::none) set(CURLOPT_PROXY, "");
      return;
    }
    set(CURLOPT_PROXY, request_.proxy_url.c_str());
    set(CURLOPT_NOPROXY, "");
    if (!request_.proxy_credentials.empty()) set(CURLOPT_PROXYUSERPWD, request_.proxy_credentials.c_str());
    // What the proxy says of the tunnel is no part of the reply.
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  }

  /// What the proxy could not do for us says nothing of the peer; a 5xx of its own says that it, too, found
  /// nobody there, and one that has taken the connection and stays silent may be looking for it.
  ErrorCode code_of_failure(CURLcode code) const {
    if (request_.proxy_url.empty()) return code_of(code);
    long tunnel = 0;
    curl().easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (tunnel >= 500) return ErrorCode::connect;
    const bool unreachable = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_PROXY ||
                             (code == CURLE_OPERATION_TIMEDOUT && !connected());
    const bool proxys = tunnel >= 300 || (tunnel == 0 && (unreachable || left_before_tunnel(code)));
    return proxys ? ErrorCode::unavailable : code_of(code);
  }

  /// On a new connection without a tunnel, nobody but the proxy was spoken to as long as it is HTTPS.
  bool left_before_tunnel(CURLcode code) const {
    long connections = 0;
    curl().easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &connections);
    const char* scheme = nullptr;
    curl().easy_getinfo(easy_, CURLINFO_SCHEME, &scheme);
    return connections > 0 && scheme != nullptr && base::equal_ignoring_case(scheme, "https") &&
           (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING ||
            code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_PROXY);
  }

  /// To the proxy, where there is one.
  bool connected() const {
    const char* address = nullptr;
    curl().easy_getinfo(easy_, CURLINFO_PRIMARY_IP, &address);
    return address != nullptr && *address != '\0';
  }

  void set_message() {
    bool has_agent = false;
    for (const auto& [name, value] : request_.headers) {
      // "Name;" is libcurl's way to send a header without a value; "Name:" would remove it.
      const auto line = value.empty() ? name + ";" : name + ": " + value;
      headers_.add(line);
      if (is_for_everybody(name)) for_others_.add(line);
      has_agent = has_agent || base::equal_ignoring_case(name, "User-Agent");
    }
    for (auto* list : {&headers_, &for_others_}) list->add("Expect:");  // no waiting for "100 Continue"
    if (!has_agent) set(CURLOPT_USERAGENT, "staithe");
    if (request_.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (!request_.body.empty() || request_.method == "POST" || request_.method == "PUT") {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDS, request_.body.c_str());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
      const bool typed = std::any_of(
          request_.headers.begin(), request_.headers.end(),
          [](const Header& header) { return base::equal_ignoring_case(header.name, "Content-Type"); });
      if (!typed)  // libcurl would call everything a form
        for (auto* list : {&headers_, &for_others_}) list->add("Content-Type:");
      if (request_.method != "POST") set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    } else if (request_.method != "GET") {
      set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
    set(CURLOPT_HTTPHEADER, headers_.get());
  }

  void set_limits() {
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_NOSIGNAL, 1L);
    // Without this, giving up waits for the resolver's thread.
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_HTTP_VERSION, request_.version == Version::any ? static_cast<long>(CURL_HTTP_VERSION_2TLS)
                                                               : static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  }

  void wait(const base::Scope& scope) {
    curl_waitfd stop{};
    if (scope.cancel != nullptr) stop = {scope.cancel->fd(), CURL_WAIT_POLLIN, 0};
    const auto rest = std::clamp(scope.left(), Duration{1}, Duration{1'000});
    check_multi(curl().multi_poll(multi_, &stop, scope.cancel != nullptr ? 1 : 0,
                                  static_cast<int>(rest.count()), nullptr));
  }

  void finish() {
    int left = 0;
    const CURLMsg* message = curl().multi_info_read(multi_, &left);
    if (message == nullptr || message->msg != CURLMSG_DONE) fail("libcurl ended without a result");
    const CURLcode code = message->data.result;
    if (too_many_headers_ || is_header_line_too_large(code))
      throw Error(ErrorCode::protocol, place() + ": the reply's header is too large");
    if (leads_too_far_)
      throw Error(ErrorCode::protocol,
                  place() + ": it redirects to another origin, to which nothing was sent again");
    if (code != CURLE_OK && !(reply_.body_cut && code == CURLE_WRITE_ERROR)) throw failure(code);
    long number = 0;
    curl().easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &number);
    reply_.status = static_cast<int>(number);
    constexpr int proxy_authentication_required = 407;
    if (!request_.proxy_url.empty() && reply_.status == proxy_authentication_required)
      throw Error(ErrorCode::unavailable, place() + ": the proxy wants a password, or another one (407)");
    curl().easy_getinfo(easy_, CURLINFO_REDIRECT_COUNT, &number);
    reply_.redirects = static_cast<int>(number);
    curl_off_t microseconds = 0;
    curl().easy_getinfo(easy_, CURLINFO_TOTAL_TIME_T, &microseconds);
    reply_.duration = Duration{microseconds / 1000};
    reply_.milliseconds = static_cast<double>(microseconds) / 1000;
    curl().easy_getinfo(easy_, CURLINFO_HTTP_VERSION, &number);
    reply_.version = number == CURL_HTTP_VERSION_1_0 ? "1.0" : number == CURL_HTTP_VERSION_2_0 ? "2" : "1.1";
    const char* address = nullptr;
    curl().easy_getinfo(easy_, CURLINFO_PRIMARY_IP, &address);
    curl().easy_getinfo(easy_, CURLINFO_PRIMARY_PORT, &number);
    const std::string_view ip = address != nullptr ? address : "";
    const bool bracketed = ip.find(':') != std::string_view::npos;
    reply_.peer = bracketed ? fmt::format("[{}]:{}", ip, number) : fmt::format("{}:{}", ip, number);
  }

  /// libcurl keeps a line of a header whole, up to a limit of its own, and before 8.6 says of what is longer
  /// that there is no memory.
  bool is_header_line_too_large(CURLcode code) const {
    bool is_limit = code == CURLE_OUT_OF_MEMORY;
#if LIBCURL_VERSION_NUM >= 0x080600
    is_limit = is_limit || code == CURLE_TOO_LARGE;
#endif
    curl_off_t first_byte = 0;
    curl().easy_getinfo(easy_, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
    return is_limit && first_byte > 0 && reply_.body.empty();
  }

  Error failure(CURLcode code) const {
    const std::string detail = error_[0] != '\0' ? error_.data() : curl().easy_strerror(code);
    // libcurl says "unsupported protocol" of a URL, and of a peer that does not speak HTTP. Our own URL was
    // looked at: it is the peer that sends us to file: or from https to http.
    if (code == CURLE_UNSUPPORTED_PROTOCOL && detail.starts_with("Protocol "))
      return {ErrorCode::protocol,
              place() + ": it redirects to where nobody may be sent: " + base::printable(detail)};
    return {code_of_failure(code), place() + ": " + words_of(code, detail)};
  }

  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) noexcept {
    auto& reply = static_cast<Exchange*>(self)->reply_;
    const std::size_t total = size * count;
    const std::size_t room = static_cast<Exchange*>(self)->request_.max_body_bytes - reply.body.size();
    try {
      reply.body.append(bytes, std::min(total, room));
    } catch (...) {
      return 0;
    }
    reply.body_cut = total > room;
    return reply.body_cut ? 0 : total;
  }

  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) noexcept {
    auto& exchange = *static_cast<Exchange*>(self);
    try {
      return exchange.take_header({bytes, size * count}) ? size * count : 0;
    } catch (...) {
      return 0;
    }
  }

  bool take_header(std::string_view line) {
    header_bytes_ += line.size();
    too_many_headers_ = header_bytes_ > most_header_bytes;
    if (too_many_headers_) return false;
    if (line.starts_with("HTTP/")) {  // of each reply in a row of redirects, the last is kept
      take_status(line);
      reply_.headers.clear();
      reply_.body.clear();
    } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
      reply_.headers.push_back(
          {std::string(line.substr(0, colon)), std::string(base::trim(line.substr(colon + 1)))});
      const auto& header = reply_.headers.back();
      // RFC 3986, 5.2.4: of a reference the dots are taken out, which libcurl before 8 does not do on its
      // own.
      if (is_redirect_ && base::equal_ignoring_case(header.name, "Location")) set(CURLOPT_PATH_AS_IS, 0L);
      // libcurl itself keeps back Authorization and Cookie only.
      if (base::equal_ignoring_case(header.name, "Location") && leads_away(header.value, request_.url)) {
        set(CURLOPT_HTTPHEADER, for_others_.get());
        leads_too_far_ = request_.follow_redirects > 0 && is_redirect_ && (has_body_ || changes_);
        return !leads_too_far_;
      }
    }
    return true;
  }

  /// 301 to 303 are followed without the body, and POST as GET; all others, 307 and 308 above all, would have
  /// it sent again.
  void take_status(std::string_view line) {
    const auto blank = line.find(' ');
    const auto status = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1, 3);
    is_redirect_ = status.starts_with('3');
    if (status == "301" || status == "302" || status == "303") {
      has_body_ = false;
      changes_ = changes_ && request_.method != "POST";
    }
  }

  std::string place() const {
    return request_.method + " " + origin_of(request_.url);
  }
  [[noreturn]] void fail(const std::string& text) const {
    throw Error(ErrorCode::failed, place() + ": " + text);
  }
  void check_multi(CURLMcode code) const {
    if (code != CURLM_OK) fail(curl().multi_strerror(code));
  }

  const Request& request_;
  Reply reply_;
  List headers_, for_others_;
  List connect_to_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::size_t header_bytes_ = 0;
  bool too_many_headers_ = false;
  bool is_redirect_ = false;                ///< the reply whose headers come now
  bool has_body_ = !request_.body.empty();  ///< what would be sent to where a redirect leads
  bool changes_ = request_.method != "GET" && request_.method != "HEAD";  ///< what is followed, by its method
  bool leads_too_far_ = false;
  CURLM* multi_;
  CURL* easy_;
};

}  // namespace

const std::string* Reply::header(std::string_view name) const noexcept {
  for (const auto& header : headers)
    if (base::equal_ignoring_case(header.name, name)) return &header.value;
  return nullptr;
}

std::string origin_of(std::string_view url) {
  const auto place = base::http_place(url);
  if (!place) return "(no URL)";
  return (place->secure ? "https://" : "http://") + base::printable(place->authority);
}

struct Session::Handles {
  Multi multi = new_multi();
  Easy easy = new_easy();
};

Session::Session() : handles_((initialise(), std::make_unique<Handles>())) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Reply Session::send(const Request& request, const base::Scope& scope) {
  check(request);
  scope.check("an HTTP request");
  return Exchange(request, scope, handles_->multi.get(), handles_->easy.get()).perform(scope);
}

Reply send(const Request& request, const base::Scope& scope) {
  return Session().send(request, scope);
}

Reply get(const std::string& url, const base::Scope& scope) {
  Request request;
  request.url = url;
  return send(request, scope);
}

}  // namespace staithe::http
