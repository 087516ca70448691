#pragma once
#include "staithe/haproxy/state.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What was found before a drain: what must be given back, also by another process after a crash. Pure.
namespace staithe::haproxy {

struct FoundServer {
  ServerRef ref;
  std::uint32_t admin = 0;
  Op op = Op::stopped;
  std::uint32_t weight = 0;
  bool checked = false;
  bool agent = false;    ///< its agent check was on
  bool follows = false;  ///< tracks another of these servers, so it is never commanded itself
  bool tracks = false;   ///< tracks any server: its health cannot be commanded
  /// Its weight by the balancer's file; none in records of older versions.
  std::optional<std::uint32_t> file_weight{};
  bool operator==(const FoundServer&) const = default;

  /// Nobody but health had kept visitors away.
  bool was_ready() const noexcept;
};

struct FoundBalancer {
  std::string balancer;
  std::uint64_t pid = 0;
  std::uint64_t started = 0;
  std::vector<FoundServer> servers;
  bool operator==(const FoundBalancer&) const = default;
};

struct Found {
  std::vector<FoundBalancer> balancers;
  bool operator==(const Found&) const = default;
};

/// A few lines of text, stable over versions of staithe; parse_found throws base::Error{invalid} on anything
/// that to_text could not have written.
std::string to_text(const Found& found);
Found parse_found(std::string_view text);

}  // namespace staithe::haproxy
