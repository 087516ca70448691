#include "ssh_config_text.hpp"

#include "staithe/base/text.hpp"

#include <netdb.h>

#include <algorithm>
#include <array>
#include <climits>
#include <utility>

namespace staithe::ssh::config {
namespace {

constexpr std::string_view blanks = " \t\r\n";

char lower(char byte) noexcept {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
}
bool is_digit(char byte) noexcept {
  return byte >= '0' && byte <= '9';
}
bool is_alnum(char byte) noexcept {
  return is_digit(byte) || (lower(byte) >= 'a' && lower(byte) <= 'z');
}

std::string_view skip_blanks(std::string_view text) {
  const auto start = text.find_first_not_of(blanks);
  return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

/// Cuts "host", "[host]" or either with ":port" into its two halves; the host still has its brackets.
struct HostPort {
  std::string_view host;
  std::string_view port;
};
std::optional<HostPort> cut_port(std::string_view text) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    ++end;
  } else {
    end = std::min(text.find_first_of(":/"), text.size());
  }
  if (end == text.size()) return HostPort{text, {}};
  if (text[end] != ':') return std::nullopt;
  return HostPort{text.substr(0, end), text.substr(end + 1)};
}

std::string_view without_brackets(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') return host.substr(1, host.size() - 2);
  return host;
}

std::optional<Destination> finish(std::string user, std::string_view host_and_port) {
  const auto cut = cut_port(host_and_port);
  if (!cut || cut->host.empty()) return std::nullopt;
  Destination out{std::move(user), std::string(without_brackets(cut->host)), 0};
  if (out.host.empty()) return std::nullopt;
  if (!cut->port.empty()) {
    const auto port = parse_port(std::string(cut->port));
    if (!port || *port == 0) return std::nullopt;
    out.port = *port;
  }
  return out;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  const auto digit = [](char byte) {
    if (is_digit(byte)) return byte - '0';
    const char small = lower(byte);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = digit(text[i + 1]);
      const int low = digit(text[i + 2]);
      if (high < 0 || low < 0 || high * 16 + low == 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

/// A host inside an ssh:// address must look like a domain name; IPv6 is refused there, by OpenSSH too.
bool domain_like(std::string_view host) {
  if (host.empty() || !(is_alnum(host.front()) || host.front() == '_')) return false;
  char last = '\0';
  for (const char byte : host) {
    if (byte == '.' && last == '.') return false;
    if (!is_alnum(byte) && byte != '.' && byte != '-' && byte != '_') return false;
    last = byte;
  }
  return true;
}

}  // namespace

base::Error bad(std::string message) {
  return {base::ErrorCode::invalid, std::move(message)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char byte) { return lower(byte); });
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char left, char right) { return lower(left) == lower(right); });
}

bool is_blank(char byte) noexcept {
  return blanks.find(byte) != std::string_view::npos;
}

std::optional<std::string> Words::next() {
  if (ended_) return std::nullopt;
  const auto stop = rest_.find_first_of(" \t\r\n\"=");
  if (stop == std::string_view::npos) {
    ended_ = true;
    return std::string(rest_);
  }
  std::string word(rest_.substr(0, stop));
  if (rest_[stop] == '"') {
    const auto close = rest_.find('"', stop + 1);
    if (close == std::string_view::npos) {
      ended_ = true;
      return std::nullopt;
    }
    word += rest_.substr(stop + 1, close - stop - 1);
    rest_ = skip_blanks(rest_.substr(close + 1));
    return word;
  }
  const bool had_equals = rest_[stop] == '=';
  rest_ = skip_blanks(rest_.substr(stop + 1));
  if (!had_equals && rest_.starts_with('=')) rest_ = skip_blanks(rest_.substr(1));
  return word;
}

std::optional<std::vector<std::string>> split_arguments(std::string_view text) {
  std::vector<std::string> out;
  std::size_t i = 0;
  while (i < text.size()) {
    if (text[i] == ' ' || text[i] == '\t') {
      ++i;
      continue;
    }
    if (text[i] == '#') break;
    std::string word;
    char quote = '\0';
    for (; i < text.size(); ++i) {
      const char byte = text[i];
      const char after = i + 1 < text.size() ? text[i + 1] : '\0';
      if (byte == '\\' &&
          (after == '\'' || after == '"' || after == '\\' || (quote == '\0' && after == ' '))) {
        word += after;
        ++i;
      } else if (quote == '\0' && (byte == ' ' || byte == '\t')) {
        break;
      } else if (quote == '\0' && (byte == '"' || byte == '\'')) {
        quote = byte;
      } else if (quote != '\0' && byte == quote) {
        quote = '\0';
      } else {
        word += byte;
      }
    }
    if (quote != '\0') return std::nullopt;
    out.push_back(std::move(word));
  }
  return out;
}

int match_list(std::string_view text, std::string_view patterns) {
  int result = 0;
  while (!patterns.empty()) {
    const auto comma = patterns.find(',');
    std::string_view pattern = patterns.substr(0, comma);
    patterns = comma == std::string_view::npos ? std::string_view{} : patterns.substr(comma + 1);
    const bool negated = pattern.starts_with('!');
    if (negated) pattern.remove_prefix(1);
    if (!base::wildcard_match(pattern, text)) continue;
    if (negated) return -1;
    result = 1;
  }
  return result;
}

int match_host_list(std::string_view host, std::string_view patterns) {
  return match_list(lower(host), lower(patterns));
}

std::optional<int> parse_number(std::string_view text) {
  // strtonum(3), which OpenSSH uses, lets white space and a plus sign pass.
  text = skip_blanks(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.size() > 12) return std::nullopt;
  long long value = 0;
  for (const char byte : text) {
    if (!is_digit(byte)) return std::nullopt;
    value = value * 10 + (byte - '0');
  }
  if (value > INT_MAX) return std::nullopt;
  return static_cast<int>(value);
}

std::optional<int> parse_port(const std::string& text) {
  if (const auto number = parse_number(text)) {
    if (*number <= 65535) return number;
    return std::nullopt;
  }
  servent entry{};
  servent* found = nullptr;
  std::array<char, 2048> buffer{};
  if (getservbyname_r(text.c_str(), "tcp", &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    return std::nullopt;
  // The port is a 16-bit number in network order inside an int.
  const auto raw = static_cast<unsigned>(found->s_port);
  return static_cast<int>(((raw & 0xffU) << 8U) | ((raw >> 8U) & 0xffU));
}

std::optional<int> parse_time(std::string_view text) {
  if (text.empty()) return std::nullopt;
  long long total = 0;
  while (!text.empty()) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = digits == 0 ? std::nullopt : parse_number(text.substr(0, digits));
    if (!number) return std::nullopt;
    text.remove_prefix(digits);
    long long unit = 1;
    if (!text.empty()) {
      switch (lower(text.front())) {
        case 's':
          break;
        case 'm':
          unit = 60;
          break;
        case 'h':
          unit = 3600;
          break;
        case 'd':
          unit = 86400;
          break;
        case 'w':
          unit = 604800;
          break;
        default:
          return std::nullopt;
      }
      text.remove_prefix(1);
    }
    total += *number * unit;
    if (total > INT_MAX) return std::nullopt;
  }
  return static_cast<int>(total);
}

bool is_uri(std::string_view text) noexcept {
  return text.starts_with("ssh://");
}

std::optional<Destination> parse_uri(std::string_view text) {
  text.remove_prefix(std::string_view("ssh://").size());
  std::string user;
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    const std::string_view name = text.substr(0, at);
    const auto decoded = percent_decoded(name.substr(0, name.find(';')));
    if (!decoded || decoded->empty()) return std::nullopt;
    user = *decoded;
    text.remove_prefix(at + 1);
  }
  // A path has no meaning for a login, but a lone slash at the end may stand.
  if (text.ends_with('/')) text.remove_suffix(1);
  auto out = finish(std::move(user), text);
  if (out && !domain_like(out->host)) return std::nullopt;
  return out;
}

std::optional<Destination> parse_hop(std::string_view text) {
  if (is_uri(text)) return parse_uri(text);
  std::string user;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    if (at == 0) return std::nullopt;
    user = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  return finish(std::move(user), text);
}

}  // namespace staithe::ssh::config
