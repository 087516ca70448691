#pragma once
#include "staithe/base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The lexical rules of ssh_config: words, patterns, numbers, destinations. They follow OpenSSH's behaviour
/// to the quirk, because a file must mean the same to both.
namespace staithe::ssh::config {

/// A complaint about one line; the reader puts "FILE:LINE: " in front.
base::Error bad(std::string message);

std::string lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool is_blank(char byte) noexcept;

/// Takes the next word the way keywords and Match criteria are read: white space separates, one '=' may stand
/// for it, double quotes hold white space. nullopt at the end or at a quote that never closes.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}
  std::optional<std::string> next();
  std::string_view rest() const noexcept { return ended_ ? std::string_view{} : rest_; }

 private:
  std::string_view rest_;
  bool ended_ = false;
};

/// Splits the arguments of a line the way most settings are read: single and double quotes, backslash before
/// a quote, a backslash or a space, and '#' at the start of a word begins a comment. nullopt: a quote is not
/// closed.
std::optional<std::vector<std::string>> split_arguments(std::string_view text);

/// 1: matched; -1: matched by a negated pattern; 0: neither. `patterns` are separated by commas.
int match_list(std::string_view text, std::string_view patterns);
/// The same for host names: case does not count.
int match_host_list(std::string_view host, std::string_view patterns);

/// 0 to 65535, or the name of a TCP service; nullopt otherwise.
std::optional<int> parse_port(const std::string& text);
/// A decimal number from 0 to 2^31-1.
std::optional<int> parse_number(std::string_view text);
/// "90", "1h30m", "2w" in seconds.
std::optional<int> parse_time(std::string_view text);

/// "user@host:port" or "ssh://user@host:port"; nullopt when malformed. Port 0 and an empty user: not given.
struct Destination {
  std::string user;
  std::string host;
  int port = 0;
};
std::optional<Destination> parse_hop(std::string_view text);
/// Only the ssh:// form; nullopt when malformed. Call it when is_uri().
std::optional<Destination> parse_uri(std::string_view text);
bool is_uri(std::string_view text) noexcept;

}  // namespace staithe::ssh::config
