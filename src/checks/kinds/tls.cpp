#include "kinds.hpp"

#include "staithe/base/text.hpp"

#include <array>

namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 10> tls_subjects{"trusted",    "names",   "days_left", "not_after",
                                                        "not_before", "subject", "issuer",    "time",
                                                        "why",        "address"};

std::optional<Request> parse_tls(Fields& fields, const yaml::Reader& value) {
  TlsRequest request;
  const auto text = fields.plain(value);
  if (!text) return std::nullopt;
  const auto address = split_address(*text);
  if (!address) {
    fields.mistake(value, "'" + *text + "' is not HOST or HOST:PORT", {});
    return std::nullopt;
  }
  request.host = Text(address->host);
  if (address->port != 0) request.port = address->port;
  if (const auto name = fields.map().value("server_name"))
    request.server_name = fields.plain(*name).value_or("");
  if (const auto ca = fields.value_or_default("ca")) request.ca_file = fields.plain(*ca).value_or("");
  if (const auto to = fields.value_or_default("connect_to")) {
    request.connect_to = fields.plain(*to).value_or("");
    const auto where = split_address(request.connect_to);
    if (!where || where->port == 0) fields.mistake(*to, "'" + request.connect_to + "' is not HOST:PORT", {});
  }
  return request;
}

}  // namespace

const Kind tls_kind{
    "tls",
    "look at a server's certificate",
    "tls: api.example.com\nexpect: {trusted: true, days_left: at least 21}",
    R"(A TLS handshake with HOST or HOST:PORT (443 when there is none), and what the certificate says. When it is
not good a second handshake, which trusts nothing, finds out why.

server_name     the name that is asked for and compared, when it is not the host's
connect_to      HOST:PORT to connect to instead
ca              a PEM file instead of the system's certificates
Expectations: trusted (chain, dates and name, wildcards included), why (in words, when it is not), names,
days_left, not_after, not_before, subject, issuer, address, time.)",
    tls_subjects,
    "trusted",
    parse_tls};

}  // namespace staithe::checks
