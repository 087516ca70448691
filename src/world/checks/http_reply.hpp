#pragma once
#include "staithe/checks/request.hpp"
#include "staithe/http/client.hpp"

#include <cstddef>

namespace staithe::world {

/// So much of a body is read, in bytes.
inline constexpr std::size_t largest_http_body = 4 * 1024 * 1024;

/// What can be expected of an answer of HTTP: its facts, its body and what of it was not read.
checks::Reply reply_of(http::Reply answer);

}  // namespace staithe::world
