#include "staithe/base/error.hpp"
#include "staithe/world/secrets.hpp"

#include <fmt/format.h>

#include <charconv>

/// From a run to the suites of checks that it starts: a secret that can be had only once (a pipe, a command
/// that hands out a password for one use) is looked up once. "KEY-BYTES VALUE-BYTES\n", the key, the value,
/// and so on: a value may hold anything.
namespace staithe::world {
namespace {

base::Error malformed() {
  return {base::ErrorCode::protocol, "the secrets that were handed on cannot be read"};
}

std::string_view taken(std::string_view& from, std::size_t bytes) {
  if (bytes > from.size()) throw malformed();
  const auto text = from.substr(0, bytes);
  from.remove_prefix(bytes);
  return text;
}

/// A number and the one character behind it.
std::size_t taken_number(std::string_view& from, char end) {
  const auto text = taken(from, from.find(end));
  std::size_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) throw malformed();
  from.remove_prefix(1);
  return number;
}

}  // namespace

std::string Secrets::newest(const plan::SecretRef& ref, const base::Scope& scope, const Renewal& renewal) {
  const auto key = plan::shown(ref);
  const auto of = [&](unsigned renewals) {
    return renewals == 0 ? key : fmt::format("{}\n{}", key, renewals);
  };
  (void)value(ref, scope);
  unsigned renewals = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto& age = ages_[key];
    renewals = age.renewals;
    const bool is_old = std::chrono::steady_clock::now() - age.looked_up > renewal.older_than;
    if (ref.source != plan::SecretRef::Source::command || !is_old) return known_.at(of(renewals));
  }
  try {
    // Who comes here meanwhile waits for the same search.
    auto renewed = value(ref, of(renewals + 1), scope.at_most(renewal.within), Failure::forgotten);
    const std::lock_guard lock(mutex_);
    ages_[key] = {renewals + 1, std::chrono::steady_clock::now()};
    return renewed;
  } catch (const base::Error& error) {
    if (scope.cancelled()) throw;
    renewal.say(redactor_.clean(error.what()));
    const std::lock_guard lock(mutex_);
    ages_[key].looked_up = std::chrono::steady_clock::now();
    return known_.at(of(renewals));
  }
}

std::string Secrets::handed_on(const std::vector<plan::SecretRef>& refs, const base::Scope& scope,
                               const Renewal& renewal) {
  std::string all;
  for (const auto& ref : refs) {
    const auto key = plan::shown(ref);
    const auto secret = newest(ref, scope, renewal);
    all += fmt::format("{} {}\n{}{}", key.size(), secret.size(), key, secret);
  }
  return all;
}

void Secrets::take_over(std::string_view handed) {
  const std::lock_guard lock(mutex_);
  while (!handed.empty()) {
    const auto key_bytes = taken_number(handed, ' ');
    const auto value_bytes = taken_number(handed, '\n');
    const auto key = taken(handed, key_bytes);
    const auto secret = taken(handed, value_bytes);
    tell(secret);
    known_.emplace(key, secret);
    ages_.try_emplace(std::string(key), Age{0, std::chrono::steady_clock::now()});
  }
}

}  // namespace staithe::world
