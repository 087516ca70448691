#include "staithe/ssh/revoked_keys.hpp"

#include "file.hpp"
#include "wire.hpp"

#include "staithe/base/digest.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace staithe::ssh {
namespace {

constexpr std::size_t max_revoked_bytes = 64UL << 20U;

/// PROTOCOL.krl of OpenSSH: the first bytes, and the kinds of sections.
constexpr std::string_view list_magic("SSHKRL\n\0", 8), list_name = "SSHKRL";
constexpr char certificates = 1;
constexpr char explicit_keys = 2;
constexpr char fingerprints_sha1 = 3;
constexpr char fingerprints_sha256 = 5;

constexpr std::string_view certificate_suffix = "-cert-v01@openssh.com";

base::Error not_understood(std::string what) {
  return {base::ErrorCode::invalid, std::move(what)};
}

std::string_view taken(std::string_view& bytes, std::size_t count) {
  if (bytes.size() < count) throw not_understood("the list is cut short");
  const auto part = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return part;
}

std::string_view string_of(std::string_view& bytes) {
  const auto text = take_string(bytes);
  if (!text) throw not_understood("the list is cut short");
  return *text;
}

void strings_into(std::set<std::string>& strings, std::string_view body) {
  while (!body.empty()) strings.emplace(string_of(body));
}

}  // namespace

RevokedKeys RevokedKeys::load(const std::string& file) {
  try {
    if (const auto content = read_regular_file(file, max_revoked_bytes)) return of(*content, file);
    throw base::Error(base::ErrorCode::not_found, "there is no such file");
  } catch (const base::Error& error) {
    RevokedKeys none;
    none.file_ = file;
    none.problem_ = error.what();
    return none;
  }
}

RevokedKeys RevokedKeys::of(std::string_view bytes, const std::string& file) {
  RevokedKeys keys;
  keys.file_ = file;
  try {
    if (bytes.starts_with(list_name))
      keys.read_list(bytes);
    else
      keys.read_lines(bytes);
  } catch (const base::Error& error) {
    keys.problem_ = error.what();
  }
  return keys;
}

/// "TYPE BASE64 [COMMENT]"; one line that is something else may have been the stolen key, as ssh sees it too.
void RevokedKeys::read_lines(std::string_view text) {
  const auto word = [](std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    const auto found = line.substr(0, line.find_first_of(" \t\r"));
    line.remove_prefix(found.size());
    return found;
  };
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty() || line.starts_with('#')) continue;
    const auto type = word(line);
    auto key = parse_key(type, word(line));
    if (!key || type.ends_with(certificate_suffix))
      throw not_understood(fmt::format("line {} is no public key", number));
    blobs_.insert(std::move(key->blob));
  }
}

void RevokedKeys::read_list(std::string_view bytes) {
  constexpr std::size_t numbers = 24;  // version of the list, date, flags
  const bool known = taken(bytes, list_magic.size()) == list_magic && read_number(taken(bytes, 4)) == 1;
  if (!known) throw not_understood("the list is of a version that is not known");
  taken(bytes, numbers);
  string_of(bytes);  // reserved
  string_of(bytes);  // comment
  while (!bytes.empty()) {
    const char type = taken(bytes, 1).front();
    read_section(type, string_of(bytes));
  }
}

void RevokedKeys::read_section(char type, std::string_view body) {
  switch (type) {
    case certificates:
      return;  // no server is taken at its certificate
    case explicit_keys:
      return strings_into(blobs_, body);
    case fingerprints_sha1:
      return strings_into(sha1_, body);
    case fingerprints_sha256:
      return strings_into(sha256_, body);
    default:
      throw not_understood("the list has a part that staithe does not know, such as a signature");
  }
}

std::string RevokedKeys::refusal(const HostKey& key) const {
  if (!problem_.empty())
    return fmt::format("RevokedHostKeys cannot be used, so no key is taken: {}{}",
                       problem_.starts_with(file_) ? "" : file_ + ": ", problem_);
  const bool revoked =
      blobs_.count(key.blob) > 0 ||
      (!sha1_.empty() && sha1_.count(std::string(base::as_bytes(base::sha1(key.blob)))) > 0) ||
      (!sha256_.empty() && sha256_.count(std::string(base::as_bytes(base::sha256(key.blob)))) > 0);
  if (!revoked) return {};
  return fmt::format("the {} key {} is revoked by {}", type_label(key.type), fingerprint(key), file_);
}

}  // namespace staithe::ssh
