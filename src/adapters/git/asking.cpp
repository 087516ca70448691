#include "asking.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace staithe::git {
namespace {

using base::Error;
using base::ErrorCode;
using Environment = std::vector<std::pair<std::string, std::string>>;

std::string inherited(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool holds(const Environment& environment, std::string_view name) {
  return std::any_of(environment.begin(), environment.end(),
                     [&](const auto& entry) { return entry.first == name; });
}

/// One more setting of git's configuration, behind those that the environment holds already.
void add_config(Environment& environment, const std::string& key, const std::string& value) {
  const auto count = std::find_if(environment.begin(), environment.end(),
                                  [](const auto& entry) { return entry.first == "GIT_CONFIG_COUNT"; });
  const std::string before = count != environment.end() ? count->second : inherited("GIT_CONFIG_COUNT");
  int number = 0;
  std::from_chars(before.data(), before.data() + before.size(), number);
  const std::string index = std::to_string(number);
  environment.emplace_back("GIT_CONFIG_KEY_" + index, key);
  environment.emplace_back("GIT_CONFIG_VALUE_" + index, value);
  const std::string next = std::to_string(number + 1);
  if (const auto again = std::find_if(environment.begin(), environment.end(),
                                      [](const auto& entry) { return entry.first == "GIT_CONFIG_COUNT"; });
      again != environment.end())
    again->second = next;
  else
    environment.emplace_back("GIT_CONFIG_COUNT", next);
}

struct Reason {
  std::string_view text;
  ErrorCode code;
};
/// What git, ssh and libcurl say; the first that is found counts.
constexpr std::array<Reason, 19> reasons{{
    {"Host key verification failed", ErrorCode::host_key},
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", ErrorCode::host_key},
    {"Authentication failed", ErrorCode::auth},
    {"could not read Username", ErrorCode::auth},
    {"could not read Password", ErrorCode::auth},
    {"Permission denied (", ErrorCode::auth},
    {"certificate", ErrorCode::auth},
    {"Could not resolve host", ErrorCode::resolve},
    {"unable to look up", ErrorCode::resolve},
    {"Connection refused", ErrorCode::connect},
    {"Connection timed out", ErrorCode::connect},
    {"No route to host", ErrorCode::connect},
    {"Failed to connect", ErrorCode::connect},
    {"Connection reset", ErrorCode::connect},
    {"unable to connect", ErrorCode::connect},
    {"does not appear to be a git repository", ErrorCode::not_found},
    {"not found", ErrorCode::not_found},
    {"repository not exported", ErrorCode::not_found},
    {"dubious ownership", ErrorCode::permission},
}};

/// The line of git's standard error that says most: the first "fatal:" one, else the last.
std::string told_by(const std::string& standard_error) {
  std::string told;
  for (const auto& line : base::split(base::printable(standard_error), '\n')) {
    const std::string_view text = base::trim(line);
    if (text.empty()) continue;
    told = text;
    if (text.starts_with("fatal: ")) return told.substr(7);
  }
  return told.empty() ? "git said nothing" : told;
}

}  // namespace

Environment environment_of(const Repository& repository, const Remote& remote) {
  Environment environment = repository.environment;
  const auto unless_given = [&](const char* name, const char* value) {
    if (!holds(environment, name) && std::getenv(name) == nullptr) environment.emplace_back(name, value);
  };
  environment.emplace_back("GIT_TERMINAL_PROMPT", "0");
  environment.emplace_back("LC_ALL", "C");  // the reasons below are looked for in English
  environment.emplace_back("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
  // The program has no terminal, so ssh cannot ask there either.
  unless_given("GIT_ASKPASS", "");  // else a graphical SSH_ASKPASS would be asked
  unless_given("SSH_ASKPASS_REQUIRE", "never");
  if (!remote.user.empty() || !remote.password.empty()) {
    // git-remote-https gets the URL as an argument, so the password must not be in it.
    environment.emplace_back("STAITHE_GIT_USER", remote.user);
    environment.emplace_back("STAITHE_GIT_PASSWORD", remote.password);
    add_config(environment, "credential.helper", "");
    add_config(environment, "credential.helper",
               "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' "
               "\"$STAITHE_GIT_USER\" \"$STAITHE_GIT_PASSWORD\"; }; f");
  }
  return environment;
}

/// ssh's own line says why; git's "fatal: Could not read from remote repository." follows it.
Error failure(std::string_view subcommand, const Remote& remote, const proc::Exit& exit) {
  ErrorCode code = ErrorCode::failed;
  std::string told = told_by(exit.err);
  for (const auto& reason : reasons) {
    if (exit.err.find(reason.text) == std::string::npos) continue;
    code = reason.code;
    for (const auto& line : base::split(base::printable(exit.err), '\n'))
      if (told.find(reason.text) == std::string::npos && line.find(reason.text) != std::string::npos)
        told = base::trim(line);
    break;
  }
  std::string text =
      "git " + std::string(subcommand) + " " + display_url(remote.url) + ": " + told.substr(0, 500);
  if (exit.signal != 0) text += " (" + exit.text() + ")";
  return {code, std::move(text)};
}

}  // namespace staithe::git
