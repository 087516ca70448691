#include "staithe/haproxy/found.hpp"

#include "text_scan.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <array>

/// The text is one line of version, then for each balancer and each of its servers a line of words:
///   staithe-found 1
///   balancer edge1 10969 1795206976
///   server api/web1 admin=0 op=2 weight=50 file=100 checked agent follows tracks
/// (the last four only where they hold; file is the weight by the balancer's file, which older versions do
/// not write). A balancer's name is percent-encoded, because it is a person's choice.
namespace staithe::haproxy {
namespace {

using base::Error;
using base::ErrorCode;

constexpr std::string_view heading = "staithe-found 1";

struct Flag {
  std::string_view word;
  bool FoundServer::*member;
};
constexpr std::array<Flag, 4> flags{{{"checked", &FoundServer::checked},
                                     {"agent", &FoundServer::agent},
                                     {"follows", &FoundServer::follows},
                                     {"tracks", &FoundServer::tracks}}};

std::string encoded(std::string_view name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '%') {
      text += c;
    } else {
      text += {'%', digits[byte >> 4U], digits[byte & 15U]};
    }
  }
  return text;
}

std::string decoded(std::string_view text) {
  std::string name;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      name += text[at];
      continue;
    }
    const auto byte =
        text.size() - at > 2 ? number_in<std::uint8_t>(text.substr(at + 1, 2), 16) : std::nullopt;
    if (!byte) throw Error(ErrorCode::invalid, "the recorded balancer state has a broken name");
    name += static_cast<char>(*byte);
    at += 2;
  }
  return name;
}

[[noreturn]] void refuse(std::string_view line) {
  throw Error(ErrorCode::invalid,
              "the recorded balancer state cannot be read: '" + base::printable(line.substr(0, 200)) + "'");
}

template <class Number>
Number value_of(std::string_view word, std::string_view key, std::string_view line) {
  if (!word.starts_with(key)) refuse(line);
  const auto value = number_in<Number>(word.substr(key.size()));
  if (!value) refuse(line);
  return *value;
}

FoundServer server_in(const std::vector<std::string_view>& fields, std::string_view line) {
  if (fields.size() < 5) refuse(line);
  FoundServer server;
  server.ref = parse_ref(fields[1]);
  server.admin = value_of<std::uint32_t>(fields[2], "admin=", line);
  const auto op = value_of<std::uint32_t>(fields[3], "op=", line);
  if (op > 3) refuse(line);
  server.op = static_cast<Op>(op);
  server.weight = value_of<std::uint32_t>(fields[4], "weight=", line);
  if (server.weight > 256) refuse(line);
  std::size_t at = 5;
  if (constexpr std::string_view key = "file="; at < fields.size() && fields[at].starts_with(key))
    server.file_weight = value_of<std::uint32_t>(fields[at++], key, line);
  if (server.file_weight.value_or(0) > 256) refuse(line);
  for (const auto& flag : flags)
    if (at < fields.size() && fields[at] == flag.word) {
      server.*flag.member = true;
      ++at;
    }
  if (at != fields.size()) refuse(line);
  return server;
}

}  // namespace

bool FoundServer::was_ready() const noexcept {
  return (admin & (admin_bit::any_maint | admin_bit::any_drain)) == 0 && weight > 0;
}

std::string to_text(const Found& found) {
  std::string text = std::string(heading) + '\n';
  for (const auto& balancer : found.balancers) {
    text += "balancer " + encoded(balancer.balancer) + ' ' + std::to_string(balancer.pid) + ' ' +
            std::to_string(balancer.started) + '\n';
    for (const auto& server : balancer.servers) {
      text += "server " + to_text(server.ref) + " admin=" + std::to_string(server.admin) +
              " op=" + std::to_string(static_cast<unsigned>(server.op)) +
              " weight=" + std::to_string(server.weight);
      if (server.file_weight) text += " file=" + std::to_string(*server.file_weight);
      for (const auto& flag : flags)
        if (server.*flag.member) text += ' ' + std::string(flag.word);
      text += '\n';
    }
  }
  return text;
}

Found parse_found(std::string_view text) {
  Found found;
  const bool ended = text.find('\n') != std::string_view::npos;
  if (const auto first = take_line(text); !ended || first != heading) refuse(first);
  while (!text.empty()) {
    // A half-written record must not pass for a shorter one.
    const bool whole = text.find('\n') != std::string_view::npos;
    const auto line = take_line(text);
    const auto fields = words(line);
    if (!whole || fields.empty()) refuse(line);
    if (fields[0] == "balancer" && fields.size() == 4) {
      found.balancers.push_back({decoded(fields[1]),
                                 value_of<std::uint64_t>(fields[2], "", line),
                                 value_of<std::uint64_t>(fields[3], "", line),
                                 {}});
    } else if (fields[0] == "server" && !found.balancers.empty()) {
      found.balancers.back().servers.push_back(server_in(fields, line));
    } else {
      refuse(line);
    }
  }
  return found;
}

}  // namespace staithe::haproxy
