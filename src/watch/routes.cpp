#include "staithe/watch/routes.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/digest.hpp"

namespace staithe::watch {
namespace {

/// The page runs nothing and loads nothing.
constexpr const char* page_policy =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

}  // namespace

bool shows_token(std::string_view authorization, std::string_view token) {
  constexpr std::string_view scheme = "bearer ";
  if (!base::equal_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return false;
  // Digests have one length, and where they differ says nothing about the token.
  const auto shown = base::sha256(authorization.substr(scheme.size()));
  const auto wanted = base::sha256(token);
  unsigned differs = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) differs |= static_cast<unsigned>(shown[i] ^ wanted[i]);
  return differs == 0 && !token.empty();
}

httpd::Response answer(const httpd::Request& request, const std::string& token,
                       const std::function<Overview()>& overview) {
  httpd::Response response;
  if (!token.empty() && !shows_token(request.authorization, token)) {
    response.status = 401;
    response.body = "a bearer token is needed\n";
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"staithe\"");
    return response;
  }
  if (request.path == "/verify") {
    const auto now = overview();
    response.status = health_of(now).good ? 200 : 503;
    response.content_type = "application/json";
    response.body = verify_json(now);
  } else if (request.path == "/metrics") {
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = metrics_text(overview());
  } else if (request.path == "/") {
    response.content_type = "text/html; charset=utf-8";
    response.body = page_html(overview());
    response.headers.emplace_back("Content-Security-Policy", page_policy);
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
  } else {
    response.status = 404;
    response.body = "there are /, /verify and /metrics\n";
  }
  return response;
}

}  // namespace staithe::watch
