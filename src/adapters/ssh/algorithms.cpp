#include "algorithms.hpp"

#include "staithe/base/text.hpp"
#include "staithe/ssh/host_key.hpp"

#include <algorithm>
#include <initializer_list>

namespace staithe::ssh {
namespace {

using Names = std::vector<std::string>;

// AES-GCM costs a third less CPU than libssh's first choice, chacha20, and half of AES-CTR with a MAC.
const Names default_ciphers = {"aes128-gcm@openssh.com",
                               "aes256-gcm@openssh.com",
                               "chacha20-poly1305@openssh.com",
                               "aes256-ctr",
                               "aes192-ctr",
                               "aes128-ctr"};
// The others are libssh's own: it tells them to nobody, and a setting may add to them.
const Names default_macs = {"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256",
                            "hmac-sha2-512"};
const Names default_key_exchanges = {"curve25519-sha256",
                                     "curve25519-sha256@libssh.org",
                                     "ecdh-sha2-nistp256",
                                     "ecdh-sha2-nistp384",
                                     "ecdh-sha2-nistp521",
                                     "diffie-hellman-group18-sha512",
                                     "diffie-hellman-group16-sha512",
                                     "diffie-hellman-group-exchange-sha256",
                                     "diffie-hellman-group14-sha256"};
const Names default_signatures = {"ssh-ed25519-cert-v01@openssh.com",
                                  "ecdsa-sha2-nistp521-cert-v01@openssh.com",
                                  "ecdsa-sha2-nistp384-cert-v01@openssh.com",
                                  "ecdsa-sha2-nistp256-cert-v01@openssh.com",
                                  "rsa-sha2-512-cert-v01@openssh.com",
                                  "rsa-sha2-256-cert-v01@openssh.com",
                                  "ssh-ed25519",
                                  "ecdsa-sha2-nistp521",
                                  "ecdsa-sha2-nistp384",
                                  "ecdsa-sha2-nistp256",
                                  "sk-ssh-ed25519@openssh.com",
                                  "sk-ecdsa-sha2-nistp256@openssh.com",
                                  "rsa-sha2-512",
                                  "rsa-sha2-256"};
const Names default_host_keys = {"ssh-ed25519",         "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                 "ecdsa-sha2-nistp521", "rsa-sha2-512",        "rsa-sha2-256"};
/// Proved with SHA-1: only where a file asks for it by name.
constexpr std::string_view outdated = "ssh-rsa";

bool holds(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void append(Names& names, const Names& more) {
  for (const auto& name : more)
    if (!holds(names, name)) names.push_back(name);
}

std::string_view type_of(std::string_view algorithm) {
  return algorithm.starts_with("rsa-sha2-") ? outdated : algorithm;
}

std::string chosen(const std::string& setting, const Names& defaults) {
  return base::join(listed(setting, defaults), ",");
}

}  // namespace

std::vector<std::string> listed(std::string_view setting, const std::vector<std::string>& defaults) {
  if (setting.empty()) return defaults;
  const char how = setting.front();
  const bool changes = how == '+' || how == '-' || how == '^';
  const auto named = base::split(setting.substr(changes ? 1 : 0), ',');
  Names names;
  if (how == '-') {
    std::copy_if(defaults.begin(), defaults.end(), std::back_inserter(names), [&](const std::string& name) {
      return std::none_of(named.begin(), named.end(),
                          [&](const std::string& pattern) { return base::wildcard_match(pattern, name); });
    });
    return names;
  }
  if (how == '+') append(names, defaults);
  append(names, named);
  if (how == '^') append(names, defaults);
  return names;
}

std::string ciphers_of(const Algorithms& wish) {
  return chosen(wish.ciphers, default_ciphers);
}
std::string macs_of(const Algorithms& wish) {
  return chosen(wish.macs, default_macs);
}
std::string key_exchanges_of(const Algorithms& wish) {
  return chosen(wish.key_exchanges, default_key_exchanges);
}
std::string signatures_of(const Algorithms& wish) {
  return chosen(wish.signatures, default_signatures);
}

std::string host_key_algorithms_of(const Algorithms& wish, const std::vector<std::string>& known,
                                   std::string_view only_type) {
  Names names = listed(wish.host_keys, default_host_keys);
  if (!only_type.empty()) {
    // Somebody looks at the keys; which of them a session takes is another question.
    append(names, default_host_keys);
    names.erase(std::remove_if(names.begin(), names.end(),
                               [&](const std::string& name) { return type_of(name) != only_type; }),
                names.end());
  }
  names.erase(std::remove_if(names.begin(), names.end(),
                             [](const std::string& name) {
                               return name != outdated && !holds(default_host_keys, name);
                             }),
              names.end());
  const bool own_order = !wish.host_keys.empty() && wish.host_keys[0] != '+' && wish.host_keys[0] != '-';
  if (!own_order)
    std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
      const auto place = [&](const std::string& name) {
        return std::find(known.begin(), known.end(), type_of(name)) - known.begin();
      };
      return place(a) < place(b);
    });
  return base::join(names, ",");
}

}  // namespace staithe::ssh
