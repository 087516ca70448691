/// Any bytes as ~/.ssh/config: read, or refused with the place, and never more than that.
#include "staithe/base/error.hpp"
#include "staithe/ssh/ssh_config.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace staithe;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// Nothing of the machine: no command, no name look-up, no environment.
ssh::Sources sources(const std::string& file) {
  ssh::Sources out;
  out.user_file = file;
  out.user_file_required = true;
  out.home = "/nonexistent";
  out.local_user = "fuzz";
  out.local_uid = "1000";
  out.local_host = "here.example";
  out.environment = {{"HOME", "/nonexistent"}};
  out.match_exec = [](const std::string& command, const base::Scope&) { return command.size() % 2 == 0; };
  out.name_exists = [](const std::string& name) { return name.size() % 2 == 0; };
  return out;
}

/// Include would read, and glob, whatever the machine has.
bool includes(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte; });
  std::erase(text, '"');
  return text.find("include") != std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (includes(text)) return 0;
  static const int file = ::memfd_create("ssh_config", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  require(::ftruncate(file, 0) == 0);
  require(::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  try {
    const auto all = ssh::resolve(sources(path), "web1");
    require(!all.hostname.empty() && all.port >= 1 && all.port <= 65535);
    require(all.connect_timeout.count() >= 0 && all.server_alive_interval.count() >= 0);
    require(all.proxy_jump.empty() || ssh::parse_proxy_jump(all.proxy_jump).has_value());
    if (const auto jumps = ssh::parse_proxy_jump(text))
      for (const auto& jump : *jumps) require(!jump.host.empty() && jump.port >= 0 && jump.port <= 65535);
    (void)ssh::route(sources(path), "ops@web1");
  } catch (const base::Error& error) {
    require(error.what()[0] != '\0');
  }
  return 0;
}
