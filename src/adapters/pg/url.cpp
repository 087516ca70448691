#include "url.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/pg/session.hpp"

#include <algorithm>
#include <optional>

namespace staithe::pg {
namespace {

constexpr std::size_t max_url_bytes = 4096;

[[noreturn]] void refuse(const std::string& why) {
  throw base::Error(base::ErrorCode::invalid,
                    "the PostgreSQL URL " + why + " (expected: postgres://user@host:port/database)");
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::string decoded(std::string_view text, const char* part) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
    if (!high || !low || (*high == 0 && *low == 0)) {
      refuse(std::string("has a '%' in its ") + part +
             " that is not followed by two hexadecimal digits; a '%' itself is %25");
    }
    out += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return out;
}

std::string encoded(std::string_view text) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = base::is_alnum(c) || c == '_' || c == '-' || c == '.';
    const auto byte = static_cast<unsigned char>(c);
    if (plain)
      out += c;
    else
      out += {'%', digits[byte >> 4U], digits[byte & 15U]};
  }
  return out;
}

/// Names and paths that go into messages: no control characters.
std::string decoded_name(std::string_view text, const char* part) {
  std::string out = decoded(text, part);
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(out.begin(), out.end(), is_control))
    refuse(std::string("has a control character in its ") + part);
  return out;
}

void check_port(std::string_view port) {
  const bool digits = !port.empty() && port.size() <= 5 &&
                      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::stoi(std::string(port)) > 65535 || std::stoi(std::string(port)) == 0) {
    refuse(
        "has a port that is not a number from 1 to 65535; a '/', '?', '@' or ':' in the password is written "
        "%2F, %3F, %40 or %3A");
  }
}

struct Hosts {
  std::string names;
  std::string ports;
};

/// host[:port][,host[:port]...]; an IPv6 address stands in brackets.
Hosts parse_hosts(std::string_view text) {
  Hosts hosts;
  bool any_port = false;
  for (;;) {
    const std::size_t comma = text.find(',');
    std::string_view one = text.substr(0, comma);
    std::string_view port;
    std::string_view name = one;
    if (!one.empty() && one.front() == '[') {
      const std::size_t close = one.find(']');
      if (close == std::string_view::npos) refuse("has an IPv6 address without ']'");
      name = one.substr(1, close - 1);
      one.remove_prefix(close + 1);
      if (!one.empty() && one.front() != ':') refuse("has something between ']' and the port");
      if (!one.empty()) port = one.substr(1);
    } else if (const std::size_t colon = one.find(':'); colon != std::string_view::npos) {
      name = one.substr(0, colon);
      port = one.substr(colon + 1);
    }
    if (!port.empty()) check_port(port), any_port = true;
    hosts.names += decoded_name(name, "host");
    hosts.ports += port;
    if (comma == std::string_view::npos) break;
    hosts.names += ',';
    hosts.ports += ',';
    text.remove_prefix(comma + 1);
  }
  if (!any_port) hosts.ports.clear();
  return hosts;
}

void parse_query(std::string_view text, Url& url) {
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) refuse("has an option without '=' after its '?'");
    const std::string keyword = decoded(pair.substr(0, equals), "options");
    const bool plain = !keyword.empty() && std::all_of(keyword.begin(), keyword.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (!plain) refuse("has an option after its '?' that is not a keyword of libpq");
    const bool secret = keyword.find("password") != std::string::npos;
    std::string value = secret ? decoded(pair.substr(equals + 1), "password")
                               : decoded_name(pair.substr(equals + 1), "options");
    if (secret) url.secrets.push_back(value);
    // As in libpq, what is said behind the '?' wins over what is said before.
    std::erase_if(url.parameters, [&](const auto& p) { return p.first == keyword; });
    url.parameters.emplace_back(keyword, std::move(value));
  }
}

std::string value_of(const Url& url, std::string_view keyword) {
  for (const auto& [name, value] : url.parameters) {
    if (name == keyword) return value;
  }
  return {};
}

std::string display_of(const Url& url) {
  const std::string user = value_of(url, "user");
  const std::string host = value_of(url, "host");
  const std::string port = value_of(url, "port");
  std::string text = "postgres://";
  if (!user.empty()) text += user + "@";
  const bool socket = !host.empty() && host.front() == '/';
  if (!socket) text += host.find(':') != std::string::npos ? "[" + host + "]" : host;
  if (!port.empty()) text += ":" + port;
  text += "/" + value_of(url, "dbname");
  if (socket) text += "?host=" + host;
  return text;
}

}  // namespace

Url parse_url(std::string_view text) {
  if (text.size() > max_url_bytes) refuse("is longer than 4096 bytes");
  if (text.find('\0') != std::string_view::npos) refuse("has a NUL byte in it");
  if (text.starts_with("postgresql://")) {
    text.remove_prefix(13);
  } else if (text.starts_with("postgres://")) {
    text.remove_prefix(11);
  } else {
    refuse("does not begin with postgres://");
  }
  Url url;
  const std::size_t authority_end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, authority_end);
  std::string_view rest = text.substr(authority_end);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user_info = authority.substr(0, at);
    const std::size_t colon = user_info.find(':');
    const std::string user = decoded_name(user_info.substr(0, colon), "user");
    if (!user.empty()) url.parameters.emplace_back("user", user);
    if (colon != std::string_view::npos && colon + 1 < user_info.size()) {
      url.secrets.push_back(decoded(user_info.substr(colon + 1), "password"));
      url.parameters.emplace_back("password", url.secrets.back());
    }
    authority.remove_prefix(at + 1);
  }
  const Hosts hosts = parse_hosts(authority);
  if (!hosts.names.empty()) url.parameters.emplace_back("host", hosts.names);
  if (!hosts.ports.empty()) url.parameters.emplace_back("port", hosts.ports);
  if (!rest.empty() && rest.front() == '/') {
    const std::size_t query = rest.find('?');
    const std::string_view database = rest.substr(1, query == std::string_view::npos ? query : query - 1);
    if (database.find_first_of("/@") != std::string_view::npos) {
      // Most likely the tail of a password with a bare '/' in it: it must not become a name that is shown.
      refuse("has a '/' or '@' in its database name; in the password they are written %2F and %40");
    }
    if (!database.empty()) url.parameters.emplace_back("dbname", decoded_name(database, "database name"));
    rest = query == std::string_view::npos ? std::string_view{} : rest.substr(query);
  }
  if (!rest.empty()) parse_query(rest.substr(1), url);
  url.display = display_of(url);
  return url;
}

bool Url::has(std::string_view keyword) const {
  return std::any_of(parameters.begin(), parameters.end(), [&](const auto& p) { return p.first == keyword; });
}

std::string Url::conninfo(const std::vector<std::pair<std::string, std::string>>& extra) const {
  std::string text;
  const auto add = [&text](const std::string& keyword, const std::string& value) {
    if (!text.empty()) text += ' ';
    text += keyword + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += '\'';
  };
  for (const auto& [keyword, value] : parameters) add(keyword, value);
  for (const auto& [keyword, value] : extra) {
    if (!has(keyword)) add(keyword, value);
  }
  return text;
}

std::string without_secrets(std::string text, const Url& url) {
  for (const std::string& secret : url.secrets) {
    if (secret.empty()) continue;
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

std::string with_keywords(std::string_view url,
                          const std::vector<std::pair<std::string, std::string>>& keywords) {
  std::string out(url);
  for (const auto& [keyword, value] : keywords) {
    const bool first = out.ends_with('?') || out.ends_with('&');
    out += (out.find('?') == std::string::npos ? "?" : first ? "" : "&") + keyword + "=" + encoded(value);
  }
  return out;
}

std::string with_database(std::string_view url, const std::string& database) {
  (void)parse_url(url);  // what cannot be meant is refused here, as everywhere
  const std::size_t authority = url.find("://") + 3;
  const std::size_t path = std::min(url.find_first_of("/?", authority), url.size());
  const std::size_t query = std::min(url.find('?', path), url.size());
  std::string out(url.substr(0, path));
  out += '/';
  out += encoded(database);
  char separator = '?';
  for (std::size_t at = query + 1; at < url.size();) {
    const std::size_t end = std::min(url.find('&', at), url.size());
    const auto part = url.substr(at, end - at);
    if (!part.starts_with("dbname=")) {
      out += separator;
      out += part;
      separator = '&';
    }
    at = end + 1;
  }
  return out;
}

std::string database_of(std::string_view url) {
  std::string name;
  for (const auto& [keyword, value] : parse_url(url).parameters)
    if (keyword == "dbname") name = value;
  return name;
}

}  // namespace staithe::pg
