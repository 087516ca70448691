#include "tokens.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace staithe::verify {
namespace {

using plan::Text;

/// Without case, '-' and '_': "X-Api-Key" as "xapikey".
std::string squeezed(std::string_view name) {
  std::string made;
  for (const char c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      made += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return made;
}

template <std::size_t n>
bool has_any(std::string_view name, const std::array<std::string_view, n>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](auto word) { return name.find(word) != std::string_view::npos; });
}

bool names_secret(std::string_view name) {
  constexpr std::array<std::string_view, 13> words{
      "token",      "secret",        "password",   "passwd", "passphrase", "apikey", "accesskey",
      "privatekey", "authorization", "credential", "cookie", "csrf",       "bearer"};
  return has_any(squeezed(name), words);
}

bool header_names_secret(std::string_view name) {
  constexpr std::array<std::string_view, 3> words{"auth", "session", "jwt"};
  const auto plain = squeezed(name);
  const bool key = plain.ends_with("key") && plain.find("idempotency") == std::string::npos;
  return key || names_secret(name) || has_any(plain, words);
}

/// The name that a literal ends with when a value comes next: "…&access_token=", "…\"password\":\"".
std::string_view name_before_value(std::string_view literal) {
  bool assigned = false;
  while (!literal.empty() && std::string_view(" '\"=:").find(literal.back()) != std::string_view::npos) {
    assigned = assigned || literal.back() == '=' || literal.back() == ':';
    literal.remove_suffix(1);
  }
  if (!assigned) return {};
  std::size_t begin = literal.size();
  const auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  };
  while (begin > 0 && is_word(literal[begin - 1])) --begin;
  return literal.substr(begin);
}

void add_all(const Text& text, TokenNames& names) {
  for (const auto& piece : text.pieces())
    if (const auto* hole = std::get_if<plan::CaptureRef>(&piece)) names.insert(hole->name);
}

void add_named(const Text& text, TokenNames& names) {
  std::string_view before;
  for (const auto& piece : text.pieces()) {
    if (const auto* hole = std::get_if<plan::CaptureRef>(&piece); hole != nullptr && names_secret(before))
      names.insert(hole->name);
    const auto* literal = std::get_if<std::string>(&piece);
    before = literal != nullptr ? name_before_value(*literal) : std::string_view();
  }
}

void add(const checks::Check& check, TokenNames& names) {
  if (const auto* http = std::get_if<checks::HttpRequest>(&check.request)) {
    add_all(http->credentials, names);
    add_all(http->proxy_credentials, names);
    for (const auto& [name, value] : http->headers)
      if (header_names_secret(name)) add_all(value, names);
    add_named(http->url, names);
    add_named(http->body, names);
  } else if (const auto* run = std::get_if<checks::RunRequest>(&check.request)) {
    for (const auto& input : run->inputs)
      if (header_names_secret(input.variable)) add_all(input.value, names);
  }
  for (const auto& undo : check.undo) add(undo, names);
}

TokenNames own_tokens(const checks::Suite& suite) {
  TokenNames names;
  for (const auto* part : {&suite.setup, &suite.steps, &suite.cleanup})
    for (const auto& check : *part) add(check, names);
  for (const auto& neighbour : suite.neighbours)
    if (neighbour.probe) add(*neighbour.probe, names);
  if (suite.sweep) add(suite.sweep->list, names), add(suite.sweep->each, names);
  // They tell runs and things apart.
  std::erase_if(names,
                [](const auto& name) { return name.starts_with("run.") || name.starts_with("item."); });
  return names;
}

/// What `names` are made of, in this suite and in those that it has them from; true when there was more.
bool spread(const checks::Suite& suite, std::map<std::string, TokenNames>& all) {
  auto& names = all[suite.name];
  bool more = false;
  for (const auto& [name, text] : suite.use) {
    if (names.count(name) == 0) continue;
    const auto before = names.size();
    add_all(text, names);
    more = more || names.size() > before;
  }
  for (const auto& name : TokenNames(names)) {
    const auto dot = name.find('.');
    if (dot == std::string::npos) continue;
    const auto other = all.find(name.substr(0, dot));
    if (other != all.end()) more = other->second.insert(name.substr(dot + 1)).second || more;
  }
  return more;
}

}  // namespace

std::map<std::string, TokenNames> tokens_of(const checks::SuitePlan& plan) {
  std::map<std::string, TokenNames> all;
  for (const auto& suite : plan.suites) all[suite.name] = own_tokens(suite);
  for (bool more = true; more;) {
    more = false;
    for (const auto& suite : plan.suites) more = spread(suite, all) || more;
  }
  return all;
}

}  // namespace staithe::verify
