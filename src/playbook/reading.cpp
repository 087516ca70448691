#include "reading.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"
#include "staithe/steps/variables.hpp"

#include <algorithm>
#include <array>

namespace staithe::playbook {
namespace {

constexpr std::array reserved{"host", "n", "environment", "service", "project", "sha", "release", "raw"};

}  // namespace

bool is_reserved(std::string_view name) {
  return std::find(reserved.begin(), reserved.end(), name) != reserved.end();
}

void report(const Text& at, diag::Diagnostics& diagnostics, std::string message, std::string help) {
  diag::Diagnostic finding;
  finding.position = at.position;
  finding.length = at.length;
  finding.message = std::move(message);
  finding.path = at.path;
  finding.help = std::move(help);
  diagnostics.add(std::move(finding));
}

void report(const Text& at, diag::Diagnostics& diagnostics, const std::vector<steps::Problem>& problems) {
  for (const steps::Problem& problem : problems) {
    diag::Diagnostic finding;
    finding.severity = problem.is_warning ? diag::Severity::warning : diag::Severity::error;
    finding.position = at.position;
    finding.length = at.length;
    finding.message = problem.message;
    finding.path = at.path;
    finding.help = problem.help;
    finding.cause = problem.source.position;
    diagnostics.add(std::move(finding));
  }
}

void report_key(const yaml::Member& member, std::string message, std::string help) {
  report(member.key, member.value.diagnostics(), std::move(message), std::move(help));
}

VariableEntries read_variables(const std::vector<yaml::Member>& members) {
  VariableEntries entries;
  for (const yaml::Member& member : members) {
    if (!steps::Variables::is_name(member.key.value)) {
      report_key(member, "'" + member.key.value + "' cannot be the name of a variable",
                 "use letters, digits, '_' and '-'; begin with a letter");
      continue;
    }
    if (is_reserved(member.key.value)) {
      report_key(member, "'" + member.key.value + "' is set by staithe itself", "choose another name");
      continue;
    }
    const bool empty = member.value.node().kind == yaml::Kind::null;
    if (empty) {
      report_key(member, "variable '" + member.key.value + "' has no value", "write \"\" for an empty one");
      continue;
    }
    if (auto text = member.value.text()) {
      entries.push_back({member.key, member.value.located(std::move(*text)), false});
    }
  }
  return entries;
}

VariableEntries read_variables(yaml::Mapping& map, std::string_view key) {
  return read_variables(map.map_or_slip(key));
}

std::optional<plan::SecretRef> parse_secret(std::string_view text) {
  text = base::trim(text);
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view kind = text.substr(0, blank);
  plan::SecretRef secret;
  secret.name = std::string(base::trim(text.substr(blank + 1)));
  if (secret.name.empty()) return std::nullopt;
  if (kind == "env") {
    secret.source = plan::SecretRef::Source::env;
    const bool good = std::all_of(secret.name.begin(), secret.name.end(),
                                  [](char c) { return base::is_alnum(c) || c == '_'; });
    if (!good) return std::nullopt;
  } else if (kind == "file") {
    secret.source = plan::SecretRef::Source::file;
  } else if (kind == "command") {
    secret.source = plan::SecretRef::Source::command;
  } else {
    return std::nullopt;
  }
  return secret;
}

std::optional<plan::SecretRef> read_secret(const yaml::Reader& value, std::string_view text) {
  auto secret = parse_secret(text);
  if (!secret) {
    value.error("a secret is named, never written down", "write 'env NAME', 'file PATH' or 'command …'");
  }
  return secret;
}

std::vector<SecretEntry> read_secrets(yaml::Mapping& map) {
  std::vector<SecretEntry> secrets;
  for (const yaml::Member& member : map.map("secrets")) {
    const auto text = member.value.text();
    if (!text) continue;
    if (!steps::Variables::is_name(member.key.value)) {
      report_key(member, "'" + member.key.value + "' cannot be the name of a secret");
      continue;
    }
    if (auto secret = read_secret(member.value, *text)) secrets.push_back({member.key, std::move(*secret)});
  }
  return secrets;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {};
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string resolve_path(const std::string& directory, const std::string& path) {
  const bool is_free = directory.empty() || path.empty() || path.front() == '/' || path.rfind("~/", 0) == 0;
  if (is_free) return path;
  return directory == "/" ? "/" + path : directory + "/" + path;
}

}  // namespace staithe::playbook
