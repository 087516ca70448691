#include "known_hosts_line.hpp"

#include "ssh_config_text.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::ssh {
namespace {

constexpr std::size_t hash_bytes = 20;

/// Cuts the next field off; fields are separated by spaces and tabs.
std::string_view take_field(std::string_view& line) {
  const auto end = std::find_if(line.begin(), line.end(), [](char c) { return c == ' ' || c == '\t'; });
  const std::string_view field(line.begin(), end);
  line.remove_prefix(field.size());
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return field;
}

/// "|1|salt|hash" in base64; false when it is not that.
bool parse_hashed(std::string_view field, KnownHostsLine& out) {
  if (!field.starts_with("|1|")) return false;
  field.remove_prefix(3);
  const auto bar = field.find('|');
  if (bar == std::string_view::npos) return false;
  auto salt = base::base64_decode(field.substr(0, bar));
  auto hash = base::base64_decode(field.substr(bar + 1));
  if (!salt || !hash || salt->size() != hash_bytes || hash->size() != hash_bytes) return false;
  out.hashed = true;
  out.salt = std::move(*salt);
  out.hash = std::move(*hash);
  return true;
}

}  // namespace

KnownHostsLine parse_known_hosts_line(std::string_view line) {
  KnownHostsLine out;
  const auto fail = [&](const char* reason) {
    out.error = reason;
    return out;
  };
  if (line.ends_with('\r')) line.remove_suffix(1);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (line.empty() || line.starts_with('#')) {
    out.blank = true;
    return out;
  }
  if (line.find('\0') != std::string_view::npos) return fail("a NUL byte");
  if (line.starts_with('@')) {
    const std::string_view marker = take_field(line);
    if (marker == "@revoked") {
      out.marker = Marker::revoked;
    } else if (marker == "@cert-authority") {
      out.marker = Marker::authority;
    } else {
      return fail("an unknown marker");
    }
    if (line.starts_with('@')) return fail("more than one marker");
  }
  out.names = take_field(line);
  if (out.names.starts_with('|') && !parse_hashed(out.names, out))
    return fail("a hashed name that is damaged");
  const std::string_view type = take_field(line);
  const std::string_view base64 = take_field(line);
  if (type.empty() || base64.empty()) return fail("the key is missing");
  if (type.find_first_not_of("0123456789") == std::string_view::npos) return fail("a key of SSH protocol 1");
  auto key = parse_key(type, base64);
  if (!key) return fail("a key that is damaged, or of another type than it says");
  out.key = std::move(*key);
  return out;
}

bool names_match(std::string_view names, std::string_view name) {
  return config::match_host_list(name, names) == 1;
}

}  // namespace staithe::ssh
