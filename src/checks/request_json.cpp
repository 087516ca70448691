#include "request_json.hpp"

#include <nlohmann/json.hpp>

#include <type_traits>

namespace staithe::checks {
namespace {

using nlohmann::json;

const char* name_of(HttpRequest::Auth auth) {
  return auth == HttpRequest::Auth::basic ? "basic" : auth == HttpRequest::Auth::bearer ? "bearer" : "none";
}
const char* name_of(HttpRequest::Encoding encoding) {
  return encoding == HttpRequest::Encoding::json   ? "json"
         : encoding == HttpRequest::Encoding::form ? "form"
                                                   : "raw";
}

/// What is as it is unless said otherwise is left out.
void add(json& to, const char* name, const std::string& text) {
  if (!text.empty()) to[name] = text;
}

json fields(const HttpRequest& one) {
  json made{{"kind", "http"}, {"method", one.method}, {"url", one.url.shown()}};
  add(made, "target", one.target);
  for (const auto& [name, value] : one.headers)
    made["headers"].push_back({{"name", name}, {"value", value.shown()}});
  if (!one.body.empty()) made["body"] = {{"text", one.body.shown()}, {"encoding", name_of(one.encoding)}};
  if (one.auth != HttpRequest::Auth::none)
    made["auth"] = {{"scheme", name_of(one.auth)}, {"credentials", one.credentials.shown()}};
  if (one.follow_redirects > 0) made["follow"] = one.follow_redirects;
  add(made, "connect_to", one.connect_to);
  add(made, "ca", one.ca_file);
  add(made, "certificate", one.client_certificate);
  add(made, "key", one.client_key);
  return made;
}

json fields(const TlsRequest& one) {
  json made{{"kind", "tls"}, {"host", one.host.shown()}, {"port", one.port}};
  add(made, "server_name", one.server_name);
  add(made, "connect_to", one.connect_to);
  add(made, "ca", one.ca_file);
  return made;
}

json fields(const TcpRequest& one) {
  return {{"kind", "tcp"}, {"host", one.host.shown()}, {"port", one.port}};
}

json fields(const DnsRequest& one) {
  return {{"kind", "dns"}, {"name", one.name.shown()}};
}

json fields(const SqlRequest& one) {
  json made{{"kind", "sql"}, {"connection", one.connection}, {"query", one.query}};
  for (const auto& argument : one.arguments) made["args"].push_back(argument.shown());
  return made;
}

json fields(const RunRequest& one) {
  json made{{"kind", "run"}, {"command", one.command}};
  add(made, "host", one.host);
  for (const auto& input : one.inputs) made["env"][input.variable] = input.value.shown();
  return made;
}

json fields(const HaproxyRequest& one) {
  json made{{"kind", "haproxy"}, {"backend", one.backend}};
  if (!one.balancers.empty()) made["balancers"] = one.balancers;
  return made;
}

json fields(const CompareRequest& one) {
  return {{"kind", "compare"},
          {"left", fields(one.left)},
          {"right", fields(one.right)},
          {"key", one.key},
          {"ignore_newer_than_ms", one.allowance.count()}};
}

json fields(const PauseRequest& one) {
  return {{"kind", "wait"}, {"for_ms", one.duration.count()}};
}

}  // namespace

json json_of(const Request& request) {
  return std::visit([](const auto& one) { return fields(one); }, request);
}

}  // namespace staithe::checks
