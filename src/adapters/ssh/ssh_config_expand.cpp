#include "ssh_config_expand.hpp"

#include "ssh_config_text.hpp"

#include "staithe/base/digest.hpp"

#include <fmt/format.h>
#include <pwd.h>

#include <vector>

namespace staithe::ssh::config {
namespace {

/// %C: what ControlPath uses to name a connection. Source: ssh_config(5), "Hash of %l%h%p%r%j".
std::string connection_hash(const Tokens& tokens) {
  const auto digest = base::sha1(tokens.sources->local_host + tokens.hostname + tokens.port + tokens.user);
  std::string out;
  for (const auto byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

std::string home_of(const std::string& user) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16384);
  if (getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    throw bad(fmt::format("no user '{}' on this machine", user));
  return found->pw_dir;
}

}  // namespace

std::string Tokens::value(char token) const {
  switch (token) {
    case 'C':
      return connection_hash(*this);
    case 'L':
      return sources->local_host.substr(0, sources->local_host.find('.'));
    case 'd':
      return sources->home;
    case 'h':
      return hostname;
    case 'i':
      return sources->local_uid;
    case 'k':
      return key_alias;
    case 'l':
      return sources->local_host;
    case 'n':
      return original;
    case 'p':
      return port;
    case 'r':
      return user;
    case 'u':
      return sources->local_user;
    default:
      throw bad(fmt::format("unknown token %{}", token));
  }
}

std::string expand(std::string_view text, const Tokens& tokens, std::string_view allowed,
                   Environment environment) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (environment == Environment::expanded && text.substr(i).starts_with("${")) {
      const auto close = text.find('}', i);
      if (close == std::string_view::npos) throw bad(fmt::format("'${{' without '}}' in '{}'", text));
      const std::string name(text.substr(i + 2, close - i - 2));
      const std::string* found = variable(*tokens.sources, name);
      if (!found) throw bad(fmt::format("the environment variable '{}' is not set", name));
      out += *found;
      i = close;
      continue;
    }
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (++i == text.size())
      throw bad(fmt::format("'%' at the end of '{}'; write '%%' for a percent sign", text));
    if (text[i] == '%') {
      out += '%';
    } else if (allowed.find(text[i]) == std::string_view::npos) {
      throw bad(fmt::format("unknown token '%{}' in '{}'", text[i], text));
    } else {
      out += tokens.value(text[i]);
    }
  }
  return out;
}

std::string expand_tilde(std::string_view path, const Sources& sources) {
  if (!path.starts_with('~')) return std::string(path);
  const auto slash = path.find('/');
  const std::string user(path.substr(1, slash == std::string_view::npos ? slash : slash - 1));
  std::string out = user.empty() ? sources.home : home_of(user);
  if (!out.ends_with('/')) out += '/';
  if (slash != std::string_view::npos) out += path.substr(slash + 1);
  return out;
}

const std::string* variable(const Sources& sources, const std::string& name) {
  const auto found = sources.environment.find(name);
  return found == sources.environment.end() ? nullptr : &found->second;
}

}  // namespace staithe::ssh::config
