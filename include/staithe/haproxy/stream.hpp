#pragma once
#include "staithe/base/cancel.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace staithe::haproxy {

/// One byte stream to an admin socket; the transport is somebody else's (unix, TCP, forwarded by SSH).
/// Used by one thread at a time. Every call throws base::Error{timeout, cancelled, io}.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void write_all(std::string_view bytes, const base::Scope& scope) = 0;
  /// Says that nothing more will be written; reading goes on.
  virtual void close_write() = 0;
  /// At least one byte, or "" at the end of the stream.
  virtual std::string read_some(const base::Scope& scope) = 0;
};

/// Opens a fresh connection each time it is called; throws base::Error{connect} when nobody answers.
using Dial = std::function<std::unique_ptr<Stream>(const base::Scope&)>;

Dial dial_unix(std::string path);
/// `host` may be a name: every address is tried.
Dial dial_tcp(std::string host, std::uint16_t port);

}  // namespace staithe::haproxy
