#pragma once
#include "staithe/base/text.hpp"
#include "staithe/ssh/host_key.hpp"

#include <string>

namespace config_support {

namespace base = staithe::base;
namespace ssh = staithe::ssh;

inline std::string wire(const std::string& text) {
  std::string out;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(text.size() >> shift & 0xffU);
  return out + text;
}

/// A key that is well formed, and different for every number.
inline ssh::HostKey key(int number, const std::string& type = "ssh-ed25519") {
  std::string point(32, static_cast<char>(number));
  point[1] = static_cast<char>(number >> 8);
  return {type, wire(type) + wire(point)};
}

inline std::string text_of(const ssh::HostKey& one) {
  return one.type + " " + base::base64(one.blob);
}

}  // namespace config_support
