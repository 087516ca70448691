/// Any bytes as a known_hosts file: every line is counted once, and no key is taken for another.
#include "staithe/base/text.hpp"
#include "staithe/ssh/known_hosts.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace staithe;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// A key that no corpus can hold by chance: nothing may call it known.
const ssh::HostKey& stranger() {
  static const ssh::HostKey key{
      "ssh-ed25519",
      *base::base64_decode("AAAAC3NzaC1lZDI1NTE5AAAAIJGnrOM8vzpGAGmF2Ip3bqv3qv8lN4uT3hUY0q8e1bYd")};
  return key;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ssh::KnownHosts hosts;
  hosts.add_text(text, "known_hosts");
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  require(hosts.size() + hosts.bad_lines().size() <= lines);
  for (const auto& bad : hosts.bad_lines())
    require(bad.line >= 1 && bad.line <= lines && !bad.reason.empty());
  for (const int port : {22, 2222}) {
    const auto types = hosts.known_key_types("web1.example", port);
    const auto verdict = hosts.check("web1.example", port, {}, stranger());
    require(!verdict.ok() && !verdict.detail.empty());
    if (verdict.state == ssh::HostKeyState::changed) require(!types.empty() && verdict.line >= 1);
    for (const auto& type : types) require(!type.empty() && base::printable(type) == type);
  }
  // The same bytes as a bare key.
  if (const auto type = ssh::type_in_blob(text))
    require(ssh::parse_key(*type, base::base64(text)) == ssh::HostKey{*type, std::string(text)});
  return 0;
}
