#pragma once
#include "session_access.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace staithe::pg {

/// The bytes of an idle session, under libpq: in plain or through its TLS. libpq has nothing in its buffers
/// as long as it is idle, and must not be called before the server is ready for a query again.
class Wire {
 public:
  /// Throws base::Error{unavailable} for an encryption that cannot be shared (GSSAPI).
  explicit Wire(Session& session);

  /// Bytes that are there now; 0 when none are. Throws base::Error{io} at the end of the stream.
  std::size_t read(std::span<char> into);
  /// How many bytes were taken; 0 when none can be now.
  std::size_t write(std::string_view bytes);

  int fd() const noexcept { return fd_; }
  /// Bytes wait inside TLS, which poll does not see.
  bool has_pending() const noexcept;
  const std::string& where() const noexcept { return session_.where(); }

  [[noreturn]] void lost(const std::string& why);

 private:
  std::size_t read_tls(std::span<char> into);
  std::size_t write_tls(std::string_view bytes);

  Session& session_;
  int fd_;
  void* tls_;  ///< SSL*, null for a connection in plain
};

/// Takes the messages of a server apart as their bytes come. Payloads of CopyData are passed on in pieces,
/// other messages whole.
class MessageReader {
 public:
  struct Handler {
    std::function<void(std::string_view piece)> data;
    std::function<void(char type, std::string_view body)> message;
  };

  /// Throws base::Error{protocol} for a message that cannot be.
  void feed(std::string_view bytes, const Handler& handler);

 private:
  static constexpr std::size_t header_bytes = 5;
  void begin_message(const Handler& handler);

  char header_[header_bytes]{};
  std::size_t have_ = 0;  ///< bytes of the header
  char type_ = 0;
  std::size_t left_ = 0;  ///< bytes of the body still to come
  std::string body_;      ///< of a message that is passed on whole
};

/// The fields of an ErrorResponse.
Refusal refusal_from(std::string_view body);
/// "COPY 42" to 42.
std::uint64_t rows_from(std::string_view tag);
/// A frontend message: type, length, body and a NUL when `terminated`.
enum class Body { plain, terminated };
std::string frontend_message(char type, std::string_view body, Body form);

}  // namespace staithe::pg
