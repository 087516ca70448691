#include "staithe/world/secrets.hpp"

#include "secret_file.hpp"
#include "together.hpp"

#include "staithe/base/elapsed.hpp"
#include "staithe/base/error.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

namespace staithe::world {
namespace {

constexpr std::size_t longest_output = 64 * 1024;
/// Commands that are run beside each other: most wait for a server.
constexpr std::size_t ahead_at_once = 8;

/// One trailing newline belongs to the file or the command, not to the secret.
std::string without_newline(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string from_command(const std::string& script, const std::string& directory, const base::Scope& scope) {
  proc::Command command;
  command.script = script;
  command.directory = directory;
  command.keep_bytes = longest_output;
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

/// One thread that looks a secret up, and those that wait for it.
struct Secrets::Search {
  base::Cancel ended;  // used for its descriptor
  std::optional<base::Error> failure;
};

/// However a search ends, whoever waits for it goes on.
class Secrets::EndOfSearch {
 public:
  EndOfSearch(Secrets& secrets, const std::string& key, Search& search)
      : secrets_(secrets), key_(key), search_(search) {}
  EndOfSearch(const EndOfSearch&) = delete;
  EndOfSearch& operator=(const EndOfSearch&) = delete;
  ~EndOfSearch() {
    {
      const std::lock_guard lock(secrets_.mutex_);
      secrets_.searches_.erase(key_);
    }
    search_.ended.request();
  }

 private:
  Secrets& secrets_;
  const std::string& key_;
  Search& search_;
};

std::string Secrets::value(const plan::SecretRef& ref, const base::Scope& scope) {
  return value(ref, plan::shown(ref), scope, Failure::forgotten);
}

std::string Secrets::value(const plan::SecretRef& ref, const std::string& key, const base::Scope& scope,
                           Failure failure) {
  for (;;) {
    std::shared_ptr<Search> search;
    bool is_mine = false;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = known_.find(key); found != known_.end()) return found->second;
      if (const auto found = lacking_.find(key); found != lacking_.end()) throw base::Error(found->second);
      auto& under_way = searches_[key];
      is_mine = under_way == nullptr;
      if (is_mine) under_way = std::make_shared<Search>();
      search = under_way;
    }
    if (is_mine) return search_for(ref, key, scope, failure, *search);
    if (base::wait_for(search->ended.fd(), POLLIN, scope) != base::Woke::ready)
      scope.check(("waiting for " + key).c_str());
    const std::lock_guard lock(mutex_);
    if (search->failure) throw base::Error(*search->failure);
  }
}

std::string Secrets::search_for(const plan::SecretRef& ref, const std::string& key, const base::Scope& scope,
                                Failure kept, Search& search) {
  const EndOfSearch end(*this, key, search);
  try {
    auto value = look_up(ref, scope);
    // Nobody's secret is nothing: a variable of a job that was not filled would go out as an empty password.
    if (value.empty()) throw base::Error(base::ErrorCode::invalid, empty(ref));
    const std::lock_guard lock(mutex_);
    tell(value);
    ages_.try_emplace(key, Age{0, std::chrono::steady_clock::now()});
    return known_.emplace(key, std::move(value)).first->second;
  } catch (const base::Error& error) {
    const std::lock_guard lock(mutex_);
    if (kept == Failure::kept && !scope.cancelled()) lacking_.emplace(key, error);
    // That this one was stopped or late says nothing to those who wait: one of them tries.
    if (!scope.cancelled() && !scope.expired()) search.failure = error;
    throw;
  }
}

std::vector<std::string> Secrets::look_up_all(const std::vector<plan::SecretRef>& refs,
                                              base::Duration each_within, const base::Cancel* stop,
                                              Failure failure) {
  std::vector<std::string> findings;
  for (const auto& ref : refs) {
    try {
      (void)value(ref, plan::shown(ref), base::Scope::lasting(each_within, stop), failure);
    } catch (const base::Error& error) {
      if (error.code() == base::ErrorCode::cancelled) throw;
      findings.push_back(redactor_.clean(error.what()));
    }
  }
  return findings;
}

void Secrets::look_ahead(std::vector<Ahead>& ahead, const base::Cancel* stop) {
  const auto begun = std::chrono::steady_clock::now();
  together(ahead.size(), ahead_at_once, [&](std::size_t i) {
    auto& one = ahead[i];
    one.begun = one.ended = base::since(begun);
    if (one.begun >= one.within) return;
    try {
      (void)value(one.ref, base::Scope::lasting(one.within - one.begun, stop));
    } catch (const base::Error&) {
      // Who needs it hears of it.
    }
    one.ended = base::since(begun);
  });
}

std::optional<std::string> Secrets::known(const plan::Text& text) {
  const std::lock_guard lock(mutex_);
  std::string filled;
  for (const auto& piece : text.pieces()) {
    const auto* secret = std::get_if<plan::SecretRef>(&piece);
    if (const auto* literal = std::get_if<std::string>(&piece)) filled += *literal;
    if (std::holds_alternative<plan::CaptureRef>(piece)) return std::nullopt;
    if (secret == nullptr) continue;
    const auto found = known_.find(plan::shown(*secret));
    if (found == known_.end()) return std::nullopt;
    filled += found->second;
  }
  return filled;
}

std::string Secrets::lacks(const plan::SecretRef& ref, const std::string& directory) {
  if (ref.source == plan::SecretRef::Source::command) return {};
  if (ref.source == plan::SecretRef::Source::env) {
    const char* value = std::getenv(ref.name.c_str());
    return value == nullptr ? unset(ref.name) : *value == '\0' ? empty(ref) : "";
  }
  return unreadable(std::filesystem::path(directory) / ref.name);
}

std::string Secrets::look_up(const plan::SecretRef& ref, const base::Scope& scope) const {
  switch (ref.source) {
    case plan::SecretRef::Source::env: {
      const char* value = std::getenv(ref.name.c_str());
      if (value == nullptr) throw base::Error(base::ErrorCode::not_found, unset(ref.name));
      return value;
    }
    case plan::SecretRef::Source::file:
      return without_newline(read_secret_file(std::filesystem::path(directory_) / ref.name, scope));
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
