#include "probe_fields.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>
#include <charconv>

namespace staithe::steps {
namespace {

std::optional<std::uint16_t> port_of(std::string_view text) {
  unsigned value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  if (value == 0 || value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

/// "host:port" or "[v6]:port".
std::optional<std::pair<std::string, std::uint16_t>> split_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const auto port = port_of(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (!port || host.find_first_of(" \t\n/") != std::string_view::npos) return std::nullopt;
  return std::pair{std::string(host), *port};
}

/// Of what stands behind "http://": up to the path, without a user.
std::string_view authority_of(std::string_view rest) {
  std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const std::size_t user = authority.rfind('@');
  if (user != std::string_view::npos) authority.remove_prefix(user + 1);
  return authority;
}

/// "2001:db8::1:80": nobody can tell where the port begins.
bool is_bare_ipv6(std::string_view authority) {
  return authority.substr(0, 1) != "[" && std::count(authority.begin(), authority.end(), ':') > 1;
}

}  // namespace

void check_http_url(Lowering& at, const Template& where, const plan::Text& url) {
  if (url.empty()) return;
  const auto* start = std::get_if<std::string>(&url.pieces().front());
  if (start == nullptr) return;  // a secret, or known at run time only
  if (start->rfind("http://", 0) != 0 && start->rfind("https://", 0) != 0)
    return at.error(where, "'" + url.shown() + "' is not an http:// or https:// URL");
  const auto rest = std::string_view(*start).substr(start->find("//") + 2);
  const bool goes_on = url.pieces().size() > 1 && rest.find_first_of("/?#") == std::string_view::npos;
  const auto authority = authority_of(rest);
  if (!goes_on && (authority.empty() || authority.front() == ':'))
    return at.error(where, "'" + url.shown() + "' names no host");
  if (is_bare_ipv6(authority))
    at.error(where, "an IPv6 address stands in brackets in a URL",
             "write $(host.in_url) instead of $(host.address)");
}

HttpFields::HttpFields(yaml::Mapping& map, Template url) : url_(std::move(url)) {
  if (auto method = map.choice("method", {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}))
    method_ = method->value;
  for (const yaml::Member& member : map.map("headers")) {
    if (!base::is_http_token(member.key.value)) {
      member.value.error("'" + member.key.value + "' cannot be the name of a header");
    } else if (auto value = member.value.text()) {
      headers_.emplace_back(member.key.value, member.value.located(*value));
    }
  }
  if (auto header = map.text("header")) {
    const std::size_t colon = header->value.find(':');
    const std::string name(base::trim(std::string_view(header->value).substr(0, colon)));
    if (colon == std::string::npos || !base::is_http_token(name)) {
      map.error_at("header", "'" + header->value + "' is no header", "write it as \"Name: value\"");
    } else {
      header->value = std::string(base::trim(std::string_view(header->value).substr(colon + 1)));
      headers_.emplace_back(name, std::move(*header));
    }
  }
  if (auto body = map.text("body")) body_ = std::move(*body);
  if (auto status = map.integer("expect", 100, 599)) status_ = static_cast<std::uint16_t>(status->value);
  if (auto contains = map.text("contains")) contains_ = std::move(*contains);
  if (auto connect_to = map.text("connect_to")) connect_to_ = std::move(*connect_to);
}

plan::HttpProbe HttpFields::lower(Lowering& at) const {
  plan::HttpProbe probe;
  probe.url = at.text(url_);
  check_http_url(at, url_, probe.url);
  probe.method = method_;
  for (const auto& [name, value] : headers_) probe.headers.emplace_back(name, at.text(value));
  if (body_) probe.body = at.text(*body_);
  probe.status = status_;
  if (contains_) probe.contains = at.text(*contains_);
  if (connect_to_) {
    const auto address = at.plain(*connect_to_);
    if (address && !split_address(*address)) at.error(*connect_to_, "'" + *address + "' is not HOST:PORT");
    probe.connect_to = address.value_or("");
  }
  return probe;
}

ProbeFields::ProbeFields(Fields& fields) {
  const auto which = fields.map().one_of({"http", "tcp", "command", "file"});
  if (!which) return;
  const auto subject = fields.text(*which, yaml::Need::required);
  if (!subject) return;
  subject_ = *subject;
  if (*which == "http") {
    form_ = Form::http;
    http_.emplace(fields.map(), subject_);
  } else if (*which == "tcp") {
    form_ = Form::tcp;
  } else {
    form_ = *which == "command" ? Form::command : Form::file;
  }
}

void ProbeFields::lower_tcp(Lowering& at, plan::Probe& probe) const {
  const auto address = at.plain(subject_);
  if (!address) return;
  if (const auto parts = split_address(*address)) {
    probe.what = plan::TcpProbe{parts->first, parts->second};
  } else {
    at.error(subject_, "'" + *address + "' is not HOST:PORT", "such as $(host.address):5432");
  }
}

plan::Probe ProbeFields::lower(Lowering& at) const {
  plan::Probe probe;
  switch (form_) {
    case Form::none:
      break;
    case Form::http:
      probe.what = http_->lower(at);
      break;
    case Form::tcp:
      lower_tcp(at, probe);
      break;
    case Form::command: {
      Script script = at.shell(subject_);
      probe.what = plan::CommandProbe{at.host(), std::move(script.text), std::move(script.inputs)};
      break;
    }
    case Form::file: {
      const auto path = at.plain(subject_);
      if (path && !path->starts_with('/')) at.error(subject_, "'" + *path + "' is not an absolute path");
      probe.what = plan::FileProbe{at.host(), path.value_or("")};
      break;
    }
  }
  return probe;
}

std::string ProbeFields::title(const plan::Probe& probe) {
  if (const auto* http = std::get_if<plan::HttpProbe>(&probe.what)) {
    return http->method + " " + http->url.shown() + " is " + std::to_string(http->status);
  }
  if (const auto* tcp = std::get_if<plan::TcpProbe>(&probe.what)) {
    return tcp->address + ":" + std::to_string(tcp->port) + " accepts connections";
  }
  if (const auto* command = std::get_if<plan::CommandProbe>(&probe.what)) return headline(command->script);
  return std::get<plan::FileProbe>(probe.what).path + " is there";
}

}  // namespace staithe::steps
