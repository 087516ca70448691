/// libpq's functions, which load the library when the first of them is called. Why, and where they come from:
/// cmake/libpq.cmake.
#include "staithe/base/error.hpp"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <openssl/ssl.h>

namespace staithe::pg {
namespace {

/// Of the interface that libpq-fe.h declares, in every release since 2006.
constexpr const char* file = "libpq.so.5";

base::Error unusable() {
  const char* reason = ::dlerror();
  return {base::ErrorCode::unavailable,
          std::string("libpq cannot be loaded: ") + (reason == nullptr ? "" : reason)};
}

/// Stays loaded to the end of the process, because other threads may be inside.
void* library() {
  static void* const loaded = [] {
    void* handle = ::dlopen(file, RTLD_LAZY | RTLD_LOCAL);
    if (handle == nullptr) throw unusable();
    return handle;
  }();
  return loaded;
}

/// Throws base::Error{unavailable}, so that making a connection fails; what comes later has been found by
/// then.
template <typename Function>
Function* find(Function*, const char* name) {
  void* const found = ::dlsym(library(), name);
  if (found == nullptr) throw unusable();
  return reinterpret_cast<Function*>(found);
}

}  // namespace

extern "C" {
#include "libpq_forwards.inc"

// What Wire asks of a connection's TLS, in the library that libpq has brought.
int SSL_pending(const SSL* tls) {
  static const auto real = find(&::SSL_pending, "SSL_pending");
  return real(tls);
}
int SSL_read(SSL* tls, void* into, int size) {
  static const auto real = find(&::SSL_read, "SSL_read");
  return real(tls, into, size);
}
int SSL_write(SSL* tls, const void* bytes, int size) {
  static const auto real = find(&::SSL_write, "SSL_write");
  return real(tls, bytes, size);
}
int SSL_get_error(const SSL* tls, int result) {
  static const auto real = find(&::SSL_get_error, "SSL_get_error");
  return real(tls, result);
}
long SSL_ctrl(SSL* tls, int command, long number, void* more) {
  static const auto real = find(&::SSL_ctrl, "SSL_ctrl");
  return real(tls, command, number, more);
}
}

}  // namespace staithe::pg
