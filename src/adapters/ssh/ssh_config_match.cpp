#include "ssh_config_expand.hpp"
#include "ssh_config_settings.hpp"
#include "ssh_config_text.hpp"

#include <fmt/format.h>

namespace staithe::ssh::config {
namespace {

/// The state of one Match line: `host` and `user` are what would be used if the files ended here.
struct Criteria {
  const Settings& settings;
  Pass& pass;
  std::string host;
  std::string user;
};

bool command_succeeds(const Criteria& at, const std::string& argument) {
  const Sources& sources = *at.pass.sources;
  Tokens tokens;
  tokens.sources = &sources;
  tokens.original = at.pass.original;
  tokens.hostname = at.host;
  tokens.port = std::to_string(at.settings.port.value_or(22));
  tokens.user = at.user;
  tokens.key_alias = at.settings.host_key_alias.value_or(at.host);
  const std::string command = expand(argument, tokens, all_tokens, Environment::ignored);
  if (!sources.match_exec) throw bad("Match exec cannot be run here: " + command);
  return sources.match_exec(command, *at.pass.scope);
}

/// One criterion with an argument. nullopt: it is a command that need not be run any more.
std::optional<bool> holds(const Criteria& at, const std::string& name, const std::string& argument,
                          bool run) {
  if (name == "host") return match_host_list(at.host, argument) == 1;
  if (name == "originalhost") return match_host_list(at.pass.original, argument) == 1;
  if (name == "user") return match_list(at.user, argument) == 1;
  if (name == "localuser") return match_list(at.pass.sources->local_user, argument) == 1;
  if (name == "tagged") return match_list(at.settings.tag.value_or(""), argument) == 1;
  if (name == "exec") {
    if (!run) return std::nullopt;
    return command_succeeds(at, argument);
  }
  throw bad(fmt::format("Match {} is not supported", name));
}

}  // namespace

bool match_holds(const Settings& settings, std::string_view criteria, Pass& pass, Exec exec) {
  const Criteria at{settings, pass,
                    pass.final_host ? *pass.final_host : target_host(settings, *pass.sources, pass.original),
                    settings.user.value_or(pass.sources->local_user)};
  Words words(criteria);
  bool result = true;
  int attributes = 0;
  while (const auto word = words.next()) {
    if (word->empty() || word->starts_with('#')) break;
    const bool negated = word->starts_with('!');
    const std::string name = lower(word->substr(negated ? 1 : 0));
    if (name == "all") {
      const auto after = words.next();
      if (attributes > 1 || (after && !after->empty() && !after->starts_with('#')))
        throw bad("'all' cannot be combined with other Match criteria");
      return result && !negated;
    }
    ++attributes;
    if (name == "canonical" || name == "final") {
      if (name == "final") pass.wants_final = true;
      if (pass.final_host.has_value() == negated) result = false;
      continue;
    }
    const auto argument = words.next();
    if (!argument || argument->empty() || argument->starts_with('#'))
      throw bad(fmt::format("Match {} needs a value", name));
    const auto held = holds(at, name, *argument, result && exec == Exec::run);
    if (held && *held == negated) result = false;
  }
  if (attributes == 0) throw bad("Match needs at least one criterion");
  return result;
}

}  // namespace staithe::ssh::config
