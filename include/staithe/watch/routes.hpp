#pragma once
#include "staithe/httpd/server.hpp"
#include "staithe/watch/views.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace staithe::watch {

/// The answer to one request. `token`: what a bearer must show, "" for nobody needs to.
httpd::Response answer(const httpd::Request& request, const std::string& token,
                       const std::function<Overview()>& overview);

/// Whether an Authorization header shows the token: compared in a time that says nothing about where they
/// differ.
bool shows_token(std::string_view authorization, std::string_view token);

}  // namespace staithe::watch
