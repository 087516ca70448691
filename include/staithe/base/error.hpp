#pragma once
#include <exception>
#include <string>
#include <string_view>

namespace staithe::base {

/// What kind of thing went wrong: what a caller may decide on. The text is for people.
enum class ErrorCode {
  cancelled,          ///< the caller's stop was asked for
  timeout,            ///< a deadline passed
  resolve,            ///< a name has no address
  connect,            ///< no connection to the peer
  reset_before_auth,  ///< the peer closed before authentication; worth another try
  host_key,           ///< unknown, changed or revoked host key
  auth,               ///< no way to authenticate was accepted
  channel_denied,     ///< the peer has no channel left; worth another try
  protocol,           ///< a reply that cannot be understood
  io,                 ///< reading or writing failed
  permission,         ///< the peer refused: not enough rights
  not_found,          ///< the thing named does not exist
  conflict,           ///< the thing is in a state that forbids the action
  invalid,            ///< an argument that cannot be meant
  unavailable,        ///< a tool or a facility that is needed is missing
  failed,             ///< anything else
};

/// Machine name of a code, e.g. "host_key". Stable: it stands in JSON.
std::string_view name_of(ErrorCode code) noexcept;

/// Thrown by adapters; caught in world::perform and in cli::run. Carries a chain of contexts, outermost
/// first: "web1: connect: connection refused".
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message);

  ErrorCode code() const noexcept { return code_; }
  const char* what() const noexcept override { return text_.c_str(); }

  /// The same error seen from one level further out: `context` is put in front.
  Error within(std::string_view context) const;

 private:
  ErrorCode code_;
  std::string text_;
};

/// "TEXT: No such file or directory" with the text of `error_number` (an errno value).
Error system_error(ErrorCode code, std::string_view text, int error_number);

}  // namespace staithe::base
