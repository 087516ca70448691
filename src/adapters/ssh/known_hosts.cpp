#include "staithe/ssh/known_hosts.hpp"

#include "file.hpp"
#include "known_hosts_line.hpp"
#include "ssh_config_text.hpp"

#include "staithe/base/digest.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace staithe::ssh {
namespace {

constexpr std::size_t max_file_bytes = 64UL << 20U;
constexpr std::size_t bytes_of_short_line = 128;
/// A name is looked up for the order of algorithms and again for the verdict; beyond this many names the
/// memory starts afresh.
constexpr std::size_t max_remembered = 4096;

struct Entry {
  Marker marker = Marker::none;
  bool hashed = false;
  std::size_t file = 0;
  std::size_t line = 0;
  std::string names;  ///< patterns; or the raw salt when hashed
  std::string hash;
  HostKey key;
};

}  // namespace

struct KnownHosts::Data {
  std::vector<std::string> files;
  std::vector<Entry> entries;
  std::vector<BadLine> bad_lines;
  /// Entries by each name that stands in them as it is, in small letters; the others must be tried one by
  /// one.
  std::unordered_map<std::string, std::vector<std::size_t>> named;
  std::vector<std::size_t> tried;

  std::mutex mutex;  ///< guards remembered
  std::unordered_map<std::string, std::vector<std::size_t>> remembered;

  void index(std::size_t position);
  std::vector<std::size_t> search(const std::string& name) const;
  std::vector<const Entry*> matching(const std::string& name);
  Verdict look_up(const std::string& name, const HostKey& key);
  Verdict verdict(HostKeyState state, const Entry& entry, std::string detail) const;
};

KnownHosts::KnownHosts() : data_(std::make_unique<Data>()) {}
KnownHosts::KnownHosts(KnownHosts&&) noexcept = default;
KnownHosts& KnownHosts::operator=(KnownHosts&&) noexcept = default;
KnownHosts::~KnownHosts() = default;

KnownHosts KnownHosts::load(const std::vector<std::string>& files) {
  KnownHosts out;
  for (const std::string& file : files)
    if (const auto content = read_regular_file(file, max_file_bytes)) out.add_text(*content, file);
  return out;
}

void KnownHosts::add_text(std::string_view text, const std::string& file) {
  data_->files.push_back(file);
  data_->remembered.clear();
  data_->entries.reserve(data_->entries.size() + text.size() / bytes_of_short_line);
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    KnownHostsLine line = parse_known_hosts_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.blank) continue;
    if (!line.error.empty()) {
      data_->bad_lines.push_back({file, number, std::move(line.error)});
      continue;
    }
    Entry entry;
    entry.marker = line.marker;
    entry.hashed = line.hashed;
    entry.file = data_->files.size() - 1;
    entry.line = number;
    entry.names = line.hashed ? std::move(line.salt) : std::string(line.names);
    entry.hash = std::move(line.hash);
    entry.key = std::move(line.key);
    data_->entries.push_back(std::move(entry));
    data_->index(data_->entries.size() - 1);
  }
}

void KnownHosts::Data::index(std::size_t position) {
  const Entry& entry = entries[position];
  if (entry.hashed || entry.names.find_first_of("*?!") != std::string::npos) {
    tried.push_back(position);
    return;
  }
  for (const std::string& name : base::split(config::lower(entry.names), ',')) {
    auto& positions = named[name];
    if (positions.empty() || positions.back() != position) positions.push_back(position);
  }
}

/// In the order of the files.
std::vector<std::size_t> KnownHosts::Data::search(const std::string& name) const {
  std::vector<std::size_t> positions;
  if (const auto found = named.find(config::lower(name)); found != named.end()) positions = found->second;
  std::optional<base::HmacSha1> hmac;  // made when the first hashed line asks: it costs more than many lines
  for (const std::size_t position : tried) {
    const Entry& entry = entries[position];
    if (entry.hashed && !hmac) hmac.emplace();
    const bool match = entry.hashed ? base::as_bytes((*hmac)(entry.names, name)) == entry.hash
                                    : names_match(entry.names, name);
    if (match) positions.push_back(position);
  }
  std::sort(positions.begin(), positions.end());
  return positions;
}

std::vector<const Entry*> KnownHosts::Data::matching(const std::string& name) {
  std::vector<const Entry*> out;
  {
    const std::lock_guard lock(mutex);
    if (const auto found = remembered.find(name); found != remembered.end()) {
      for (const std::size_t index : found->second) out.push_back(&entries[index]);
      return out;
    }
  }
  std::vector<std::size_t> indexes = search(name);
  for (const std::size_t index : indexes) out.push_back(&entries[index]);
  const std::lock_guard lock(mutex);
  if (remembered.size() >= max_remembered) remembered.clear();
  remembered.emplace(name, std::move(indexes));
  return out;
}

Verdict KnownHosts::Data::verdict(HostKeyState state, const Entry& entry, std::string detail) const {
  return {state, files[entry.file], entry.line, std::move(detail)};
}

/// The order of the answers is OpenSSH's: a revoked key is refused whatever else the files say.
Verdict KnownHosts::Data::look_up(const std::string& name, const HostKey& key) {
  const Entry* other = nullptr;
  const Entry* same = nullptr;
  const Entry* authority = nullptr;
  for (const Entry* entry : matching(name)) {
    switch (entry->marker) {
      case Marker::revoked:
        if (entry->key == key)
          return verdict(
              HostKeyState::revoked, *entry,
              fmt::format("the {} key {} of {} is revoked", type_label(key.type), fingerprint(key), name));
        break;
      case Marker::authority:
        if (!authority) authority = entry;
        break;
      case Marker::none:
        if (entry->key == key) {
          if (!same) same = entry;
        } else if (!other || (other->key.type != key.type && entry->key.type == key.type)) {
          // The entry of the same type says most about what changed.
          other = entry;
        }
        break;
    }
  }
  if (same) return verdict(HostKeyState::ok, *same, {});
  if (other)
    return verdict(HostKeyState::changed, *other,
                   fmt::format("the host key of {} has changed: it shows {} {}, known is {} {}", name,
                               type_label(key.type), fingerprint(key), type_label(other->key.type),
                               fingerprint(other->key)));
  if (authority)
    return verdict(
        HostKeyState::needs_authority, *authority,
        fmt::format("{} is known by a certificate authority only, which staithe does not verify; pin its "
                    "{} key {} if it is right",
                    name, type_label(key.type), fingerprint(key)));
  Verdict out;
  out.detail =
      fmt::format("no key of {} is known; it shows {} {}", name, type_label(key.type), fingerprint(key));
  return out;
}

Verdict KnownHosts::check(std::string_view host, int port, std::string_view alias, const HostKey& key) const {
  if (!alias.empty()) return data_->look_up(config::lower(alias), key);
  Verdict full = data_->look_up(known_hosts_name(host, port), key);
  const bool undecided = full.state == HostKeyState::unknown || full.state == HostKeyState::needs_authority;
  if (!undecided || port == 22 || port == 0) return full;
  Verdict bare = data_->look_up(known_hosts_name(host, 22), key);
  // Another server may listen on port 22 of that host: only a yes, and a key known to be stolen, count here.
  if (bare.state == HostKeyState::ok || bare.state == HostKeyState::revoked) return bare;
  return full;
}

std::vector<std::string> KnownHosts::known_key_types(std::string_view host, int port,
                                                     std::string_view alias) const {
  const auto types_of = [this](const std::string& name) {
    std::vector<std::string> out;
    for (const Entry* entry : data_->matching(name))
      if (entry->marker == Marker::none && std::find(out.begin(), out.end(), entry->key.type) == out.end())
        out.push_back(entry->key.type);
    return out;
  };
  if (!alias.empty()) return types_of(config::lower(alias));
  auto out = types_of(known_hosts_name(host, port));
  if (out.empty() && port != 22 && port != 0) out = types_of(known_hosts_name(host, 22));
  return out;
}

const std::vector<BadLine>& KnownHosts::bad_lines() const noexcept {
  return data_->bad_lines;
}
std::size_t KnownHosts::size() const noexcept {
  return data_->entries.size();
}

}  // namespace staithe::ssh
