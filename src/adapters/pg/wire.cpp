#include "wire.hpp"

#include "sqlstate.hpp"

#include "staithe/base/error.hpp"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <system_error>

namespace staithe::pg {
namespace {

using base::Error;
using base::ErrorCode;

/// What a server sends beside CopyData during a copy is short; anything else is no PostgreSQL.
constexpr std::size_t longest_message = 1024UL * 1024;

/// ETIMEDOUT comes after tcp_user_timeout.
std::string said_of(int error) {
  return std::generic_category().message(error) +
         (error == ETIMEDOUT ? ": the server was silent for 20s" : "");
}

std::uint32_t big_endian(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

Wire::Wire(Session& session)
    : session_(session),
      fd_(PQsocket(SessionAccess::connection(session))),
      tls_(PQsslStruct(SessionAccess::connection(session), "OpenSSL")) {
  PGconn* connection = SessionAccess::connection(session);
  if (fd_ < 0) throw Error(ErrorCode::io, session.where() + ": the connection is lost");
  const bool other_encryption = PQsslInUse(connection) != 0 && tls_ == nullptr;
  if (other_encryption || PQgssEncInUse(connection) != 0)
    throw Error(ErrorCode::unavailable,
                session.where() +
                    ": rows cannot be copied through GSSAPI encryption; put gssencmode=disable into the URL");
}

bool Wire::has_pending() const noexcept {
  return tls_ != nullptr && SSL_pending(static_cast<SSL*>(tls_)) > 0;
}

void Wire::lost(const std::string& why) {
  const std::string where = session_.where();
  throw Error(ErrorCode::io, where + ": connection lost: " + why);
}

std::size_t Wire::read(std::span<char> into) {
  if (tls_ != nullptr) return read_tls(into);
  const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0) lost("the server closed it");
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
  lost(said_of(errno));
}

std::size_t Wire::write(std::string_view bytes) {
  if (tls_ != nullptr) return write_tls(bytes);
  const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (put >= 0) return static_cast<std::size_t>(put);
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
  // The server may have said why before it hung up: that is read next, and then the end is noticed.
  if (errno == EPIPE || errno == ECONNRESET) return 0;
  lost(said_of(errno));
}

std::size_t Wire::read_tls(std::span<char> into) {
  auto* tls = static_cast<SSL*>(tls_);
  const int got = SSL_read(tls, into.data(), static_cast<int>(std::min<std::size_t>(into.size(), INT_MAX)));
  if (got > 0) return static_cast<std::size_t>(got);
  const int why = SSL_get_error(tls, got);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return 0;
  lost("the server closed it");
}

std::size_t Wire::write_tls(std::string_view bytes) {
  auto* tls = static_cast<SSL*>(tls_);
  SSL_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const int put =
      SSL_write(tls, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX)));
  if (put > 0) return static_cast<std::size_t>(put);
  const int why = SSL_get_error(tls, put);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return 0;
  lost("the server closed it");
}

void MessageReader::feed(std::string_view bytes, const Handler& handler) {
  while (!bytes.empty()) {
    if (have_ < header_bytes) {
      const std::size_t take = std::min(header_bytes - have_, bytes.size());
      std::memcpy(header_ + have_, bytes.data(), take);
      have_ += take;
      bytes.remove_prefix(take);
      if (have_ < header_bytes) return;
      begin_message(handler);
      continue;
    }
    const std::string_view piece = bytes.substr(0, left_);
    bytes.remove_prefix(piece.size());
    left_ -= piece.size();
    if (type_ == 'd')
      handler.data(piece);
    else
      body_ += piece;
    if (left_ > 0) return;
    have_ = 0;
    if (type_ != 'd') handler.message(type_, body_);
  }
}

void MessageReader::begin_message(const Handler& handler) {
  type_ = header_[0];
  const std::uint32_t length = big_endian(header_ + 1);
  if (length < 4 || (type_ != 'd' && length > longest_message))
    throw Error(ErrorCode::protocol, "the server sent a message that PostgreSQL does not have");
  left_ = length - 4;
  body_.clear();
  if (left_ > 0) return;
  have_ = 0;
  if (type_ != 'd') handler.message(type_, {});
}

Refusal refusal_from(std::string_view body) {
  Refusal refusal;
  while (!body.empty() && body.front() != '\0') {
    const char code = body.front();
    body.remove_prefix(1);
    const std::size_t end = std::min(body.find('\0'), body.size());
    const std::string value(body.substr(0, end));
    body.remove_prefix(std::min(end + 1, body.size()));
    switch (code) {
      case 'C':
        refusal.sqlstate = value;
        break;
      case 'M':
        refusal.message = value;
        break;
      case 'D':
        refusal.detail = value;
        break;
      case 'H':
        refusal.hint = value;
        break;
      case 'W':
        refusal.context = value;
        break;
      case 's':
        refusal.schema = value;
        break;
      case 't':
        refusal.table = value;
        break;
      case 'c':
        refusal.column = value;
        break;
      case 'd':
        refusal.data_type = value;
        break;
      case 'n':
        refusal.constraint = value;
        break;
      case 'P':
        std::from_chars(value.data(), value.data() + value.size(), refusal.position);
        break;
      default:
        break;
    }
  }
  return refusal;
}

std::uint64_t rows_from(std::string_view tag) {
  std::uint64_t rows = 0;
  for (const char c : tag)
    if (c >= '0' && c <= '9') rows = rows * 10 + static_cast<std::uint64_t>(c - '0');
  return rows;
}

std::string frontend_message(char type, std::string_view body, Body form) {
  const std::size_t length = 4 + body.size() + (form == Body::terminated ? 1 : 0);
  std::string message(1, type);
  for (int shift = 24; shift >= 0; shift -= 8) message += static_cast<char>(length >> shift & 0xff);
  message += body;
  if (form == Body::terminated) message += '\0';
  return message;
}

}  // namespace staithe::pg
