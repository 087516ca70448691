#include "curl_handles.hpp"

#include "staithe/base/text.hpp"

#include <sys/stat.h>

namespace staithe::http {
namespace {

using base::Error;
using base::ErrorCode;

/// Where Debian keeps the authorities by hash.
constexpr const char* authorities = "/etc/ssl/certs";

bool has_authorities() {
  struct stat found {};
  return ::stat(authorities, &found) == 0 && S_ISDIR(found.st_mode);
}

}  // namespace

void initialise() {
  static const CURLcode code = curl().global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw Error(ErrorCode::unavailable, "libcurl cannot be used");
}

Multi new_multi() {
  Multi multi(curl().multi_init());
  if (!multi) throw std::bad_alloc();
  return multi;
}

Easy new_easy() {
  Easy easy(curl().easy_init());
  if (!easy) throw std::bad_alloc();
  return easy;
}

void trust_authorities(CURL* easy, const std::string& ca_file) {
  const char* const none = nullptr;
  if (!ca_file.empty()) {
    curl().easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
    curl().easy_setopt(easy, CURLOPT_CAPATH, none);
  } else if (has_authorities()) {
    curl().easy_setopt(easy, CURLOPT_CAINFO, none);
    curl().easy_setopt(easy, CURLOPT_CAPATH, authorities);
  }
}

std::string words_of(CURLcode code, std::string_view detail) {
  // OpenSSL's, of a first record that is none.
  const bool no_tls =
      code == CURLE_SSL_CONNECT_ERROR && detail.find("wrong version number") != std::string_view::npos;
  return (no_tls ? "it does not speak TLS there: " : "") + base::printable(detail);
}

ErrorCode code_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return ErrorCode::resolve;
    case CURLE_COULDNT_CONNECT:
      return ErrorCode::connect;
    case CURLE_OPERATION_TIMEDOUT:
      return ErrorCode::timeout;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return ErrorCode::auth;
    case CURLE_SSL_CERTPROBLEM:  // our own, which cannot be read
    case CURLE_SSL_CACERT_BADFILE:
      return ErrorCode::not_found;
    case CURLE_URL_MALFORMAT:
      return ErrorCode::invalid;
    case CURLE_UNSUPPORTED_PROTOCOL:  // of its status line, for URLs are looked at before
    case CURLE_SSL_CONNECT_ERROR:     // the peer speaks something else
    case CURLE_GOT_NOTHING:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR:
#if LIBCURL_VERSION_NUM >= 0x080600  // Debian 13's: a header of too many lines
    case CURLE_TOO_LARGE:
#endif
      return ErrorCode::protocol;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return ErrorCode::io;
    default:
      return ErrorCode::failed;
  }
}

}  // namespace staithe::http
