#include "staithe/base/error.hpp"

#include <fmt/format.h>

#include <system_error>

namespace staithe::base {

std::string_view name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::resolve:
      return "resolve";
    case ErrorCode::connect:
      return "connect";
    case ErrorCode::reset_before_auth:
      return "reset_before_auth";
    case ErrorCode::host_key:
      return "host_key";
    case ErrorCode::auth:
      return "auth";
    case ErrorCode::channel_denied:
      return "channel_denied";
    case ErrorCode::protocol:
      return "protocol";
    case ErrorCode::io:
      return "io";
    case ErrorCode::permission:
      return "permission";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::failed:
      return "failed";
  }
  return "failed";
}

Error::Error(ErrorCode code, std::string message) : code_(code), text_(std::move(message)) {}

Error Error::within(std::string_view context) const {
  return {code_, fmt::format("{}: {}", context, text_)};
}

Error system_error(ErrorCode code, std::string_view text, int error_number) {
  return {code, fmt::format("{}: {}", text, std::generic_category().message(error_number))};
}

}  // namespace staithe::base
