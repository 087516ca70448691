#include "staithe/world/secrets.hpp"

#include "staithe/base/error.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace staithe::world {
namespace {

constexpr std::size_t longest_secret = 64 * 1024;

/// One trailing newline belongs to the file or the command, not to the secret.
std::string without_newline(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string from_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw base::system_error(base::ErrorCode::not_found, "secret file " + path, errno);
  std::string text(longest_secret + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > longest_secret)
    throw base::Error(base::ErrorCode::invalid, "secret file " + path + " is larger than 64 KiB");
  return without_newline(std::move(text));
}

std::string from_command(const std::string& script, const std::string& directory, const base::Scope& scope) {
  proc::Command command;
  command.script = script;
  command.directory = directory;
  command.keep_bytes = longest_secret;
  const auto exit = proc::run(command, scope);
  // Its output is the secret: the message may show neither stream.
  if (!exit.ok())
    throw base::Error(base::ErrorCode::failed,
                      fmt::format("the command of secret '{}' ended with {}", script, exit.text()));
  return without_newline(exit.out);
}

std::string unset(const std::string& variable) {
  return fmt::format("the secret's environment variable {} is not set", variable);
}

std::string empty(const plan::SecretRef& ref) {
  switch (ref.source) {
    case plan::SecretRef::Source::env:
      return fmt::format("the secret's environment variable {} is set, but empty", ref.name);
    case plan::SecretRef::Source::file:
      return fmt::format("secret file {} is empty", ref.name);
    case plan::SecretRef::Source::command:
      return fmt::format("the command of secret '{}' printed nothing", ref.name);
  }
  return {};
}

}  // namespace

void Secrets::tell(std::string_view secret) {
  if (known_for_ == Known::for_good)
    redactor_.add(secret);
  else
    holds_.push_back(redactor_.hold(secret));
}

void Secrets::tell_redactor(std::string_view secret) {
  const std::lock_guard lock(mutex_);
  if (told_.emplace(secret).second) tell(secret);
}

void Secrets::tell_half(std::string_view credentials) {
  const auto half = base::secret_half(credentials);
  const std::lock_guard lock(mutex_);
  if (!told_.emplace(":" + std::string(half)).second) return;
  if (known_for_ == Known::for_good)
    redactor_.add_part(half);
  else
    holds_.push_back(redactor_.hold_part(half));
}

std::string Secrets::value(const plan::SecretRef& ref, const base::Scope& scope) {
  const std::lock_guard lock(mutex_);
  const auto key = plan::shown(ref);
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  auto value = look_up(ref, scope);
  // Nobody's secret is nothing: a variable of a job that was not filled would go out as an empty password.
  if (value.empty()) throw base::Error(base::ErrorCode::invalid, empty(ref));
  tell(value);
  return known_.emplace(key, std::move(value)).first->second;
}

std::vector<std::string> Secrets::look_up_all(const std::vector<plan::SecretRef>& refs,
                                              base::Duration each_within, const base::Cancel* stop) {
  std::vector<std::string> findings;
  for (const auto& ref : refs) {
    try {
      (void)value(ref, base::Scope::lasting(each_within, stop));
    } catch (const base::Error& error) {
      if (error.code() == base::ErrorCode::cancelled) throw;
      findings.push_back(redactor_.clean(error.what()));
    }
  }
  return findings;
}

std::string Secrets::lacks(const plan::SecretRef& ref, const std::string& directory) {
  if (ref.source == plan::SecretRef::Source::command) return {};
  if (ref.source == plan::SecretRef::Source::env) {
    const char* value = std::getenv(ref.name.c_str());
    return value == nullptr ? unset(ref.name) : *value == '\0' ? empty(ref) : "";
  }
  const auto path = std::filesystem::path(directory) / ref.name;
  if (const std::ifstream file(path, std::ios::binary); !file)
    return base::system_error(base::ErrorCode::not_found, "secret file " + path.string(), errno).what();
  return {};
}

std::string Secrets::look_up(const plan::SecretRef& ref, const base::Scope& scope) const {
  switch (ref.source) {
    case plan::SecretRef::Source::env: {
      const char* value = std::getenv(ref.name.c_str());
      if (value == nullptr) throw base::Error(base::ErrorCode::not_found, unset(ref.name));
      return value;
    }
    case plan::SecretRef::Source::file:
      return from_file(std::filesystem::path(directory_) / ref.name);
    case plan::SecretRef::Source::command:
      return from_command(ref.name, directory_, scope);
  }
  return {};
}

std::string Secrets::fill(const plan::Text& text, const Captures& captures, const base::Scope& scope) {
  std::string filled;
  for (const auto& piece : text.pieces()) {
    if (const auto* literal = std::get_if<std::string>(&piece)) {
      filled += *literal;
    } else if (const auto* secret = std::get_if<plan::SecretRef>(&piece)) {
      filled += value(*secret, scope);
    } else {
      const auto& name = std::get<plan::CaptureRef>(piece).name;
      const auto found = captures.find(name);
      if (found == captures.end())
        throw base::Error(base::ErrorCode::not_found, fmt::format("nothing was captured as '{}'", name));
      filled += found->second;
    }
  }
  return filled;
}

std::vector<std::pair<std::string, std::string>> Secrets::fill(const std::vector<plan::Input>& inputs,
                                                               const Captures& captures,
                                                               const base::Scope& scope) {
  std::vector<std::pair<std::string, std::string>> filled;
  for (const auto& input : inputs) filled.emplace_back(input.variable, fill(input.value, captures, scope));
  return filled;
}

}  // namespace staithe::world
