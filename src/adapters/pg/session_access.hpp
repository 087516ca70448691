#pragma once
#include "silence.hpp"

#include <libpq-fe.h>

#include <string>

namespace staithe::pg {

/// What the rest of the room may do with a session beside its public face.
struct SessionAccess {
  static PGconn* connection(Session& session) noexcept;
  /// The session cannot be used any more: its connection is closed now.
  static void close(Session& session) noexcept;
  static SilenceWatch& silence(Session& session) noexcept;
  /// `text` without the secrets of the session's URL.
  static std::string clean(const Session& session, const std::string& text);
};

}  // namespace staithe::pg
