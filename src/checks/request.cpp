#include "staithe/checks/request.hpp"

#include "staithe/base/origin.hpp"
#include "staithe/base/overloaded.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/url_parts.hpp"

#include <fmt/format.h>

#include <type_traits>

namespace staithe::checks {
namespace {

using base::Overloaded;

std::string url_of(const HttpRequest& http) {
  const auto url = shown_url(http.url).shown();
  const bool relative = url.starts_with('/') || url.starts_with('<');
  return relative ? base::without_secret(http.target) + url : url;
}

/// Secrets as "***", holes as "$NAME": for a line that a person may paste into a shell.
std::string pasted(const Text& text) {
  std::string line;
  for (const auto& piece : text.pieces()) {
    if (const auto* literal = std::get_if<std::string>(&piece))
      line += *literal;
    else if (const auto* capture = std::get_if<plan::CaptureRef>(&piece))
      line += "$(" + capture->name + ")";
    else
      line += "***";
  }
  return line;
}

template <class Request, class Found>
void collect(Request& request, Found& found) {
  std::visit(
      [&](auto& one) {
        using T = std::remove_const_t<std::remove_reference_t<decltype(one)>>;
        if constexpr (std::is_same_v<T, HttpRequest>) {
          found.push_back(&one.url);
          for (auto& header : one.headers) found.push_back(&header.second);
          found.push_back(&one.body);
          found.push_back(&one.credentials);
          found.push_back(&one.proxy_credentials);
        } else if constexpr (std::is_same_v<T, TlsRequest> || std::is_same_v<T, TcpRequest>) {
          found.push_back(&one.host);
        } else if constexpr (std::is_same_v<T, DnsRequest>) {
          found.push_back(&one.name);
        } else if constexpr (std::is_same_v<T, SqlRequest>) {
          for (auto& argument : one.arguments) found.push_back(&argument);
        } else if constexpr (std::is_same_v<T, RunRequest>) {
          for (auto& input : one.inputs) found.push_back(&input.value);
        } else if constexpr (std::is_same_v<T, CompareRequest>) {
          for (auto& argument : one.left.arguments) found.push_back(&argument);
          for (auto& argument : one.right.arguments) found.push_back(&argument);
        }
      },
      request);
}

}  // namespace

Text shown_url(const Text& url) {
  if (url.empty() || !std::holds_alternative<std::string>(url.pieces().front())) return url;
  Text shown;
  for (const auto& piece : url.pieces()) {
    if (const auto* literal = std::get_if<std::string>(&piece))
      shown.append(std::string_view(shown.empty() ? base::without_secret(*literal) : *literal));
    else if (const auto* secret = std::get_if<plan::SecretRef>(&piece))
      shown.append(*secret);
    else
      shown.append(std::get<plan::CaptureRef>(piece));
  }
  return shown;
}

std::string title_of(const Request& request) {
  return std::visit(
      Overloaded{
          [](const HttpRequest& one) { return one.method + " " + url_of(one); },
          [](const TlsRequest& one) { return fmt::format("TLS {}:{}", one.host.shown(), one.port); },
          [](const TcpRequest& one) { return fmt::format("TCP {}:{}", one.host.shown(), one.port); },
          [](const DnsRequest& one) { return "DNS " + one.name.shown(); },
          [](const SqlRequest& one) { return fmt::format("SQL on {}: {}", one.connection, one.query); },
          [](const RunRequest& one) {
            return fmt::format("run {}: {}", one.host.empty() ? "here" : "on " + one.host, one.command);
          },
          [](const HaproxyRequest& one) { return "HAProxy backend " + one.backend; },
          [](const CompareRequest& one) {
            return fmt::format("compare {} with {} by {}", one.left.connection, one.right.connection,
                               one.key);
          },
          [](const PauseRequest& one) { return "wait " + base::to_text(one.duration); }},
      request);
}

bool is_safe(const Request& request) {
  if (const auto* http = std::get_if<HttpRequest>(&request))
    return http->method == "GET" || http->method == "HEAD";
  return !std::holds_alternative<RunRequest>(request);
}

std::string curl_line(const Request& request) {
  const auto* http = std::get_if<HttpRequest>(&request);
  if (http == nullptr) return {};
  std::string line = "curl -sS -i";
  if (http->method == "HEAD")
    line += " -I";
  else if (http->method != "GET")
    line += " -X " + http->method;
  const auto url = pasted(shown_url(http->url));
  const bool relative = url.starts_with('/') || url.starts_with("$(");
  if (base::climbs(url)) line += " --path-as-is";
  line += " " + base::shell_quote(relative ? base::without_secret(http->target) + url : url);
  if (http->auth == HttpRequest::Auth::basic) line += " -u '***'";
  if (http->auth == HttpRequest::Auth::bearer) line += " -H 'Authorization: Bearer ***'";
  for (const auto& [name, value] : http->headers)
    line += " -H " + base::shell_quote(name + ": " + pasted(value));
  if (!http->connect_to.empty()) line += " --connect-to ::" + http->connect_to;
  if (!http->proxy.empty()) line += " -x " + base::shell_quote(http->proxy);
  if (!http->proxy_credentials.empty()) line += " -U '***'";
  if (!http->ca_file.empty()) line += " --cacert " + base::shell_quote(http->ca_file);
  if (!http->client_certificate.empty()) line += " --cert " + base::shell_quote(http->client_certificate);
  if (!http->client_key.empty()) line += " --key " + base::shell_quote(http->client_key);
  if (http->follow_redirects > 0) line += fmt::format(" -L --max-redirs {}", http->follow_redirects);
  if (!http->body.empty()) line += " --data-binary " + base::shell_quote(pasted(http->body));
  return line;
}

std::vector<const Text*> texts_of(const Request& request) {
  std::vector<const Text*> found;
  collect(request, found);
  return found;
}

std::vector<Text*> texts_of(Request& request) {
  std::vector<Text*> found;
  collect(request, found);
  return found;
}

}  // namespace staithe::checks
