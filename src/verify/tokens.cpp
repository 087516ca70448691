#include "tokens.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/redact.hpp"
#include "staithe/base/secret_names.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::verify {
namespace {

using plan::Text;

/// The name that a literal ends with when a value comes next: "…&access_token=", "…\"password\":\"".
std::string_view name_before_value(std::string_view literal) {
  bool assigned = false;
  while (!literal.empty() && std::string_view(" '\"=:").find(literal.back()) != std::string_view::npos) {
    assigned = assigned || literal.back() == '=' || literal.back() == ':';
    literal.remove_suffix(1);
  }
  if (!assigned) return {};
  std::size_t begin = literal.size();
  const auto is_word = [](char c) { return base::is_alnum(c) || c == '_' || c == '-'; };
  while (begin > 0 && is_word(literal[begin - 1])) --begin;
  return literal.substr(begin);
}

/// True when that was not known.
bool insert(const std::string& name, TokenUse use, TokenNames& names) {
  const auto [known, is_new] = names.try_emplace(name, use);
  auto& so_far = known->second;
  const TokenUse all{.halves = so_far.halves || use.halves,
                     .cookie = so_far.cookie || use.cookie,
                     .sent = so_far.sent || use.sent};
  const bool more = all != so_far;
  so_far = all;
  return is_new || more;
}

bool add_all(const Text& text, TokenUse use, TokenNames& names) {
  bool more = false;
  for (const auto& piece : text.pieces())
    if (const auto* hole = std::get_if<plan::CaptureRef>(&piece))
      more = insert(hole->name, use, names) || more;
  return more;
}

/// Calls `add` with each hole and the name that stands before it, or "".
template <class Add>
void each_named(const Text& text, Add add) {
  std::string_view before;
  for (const auto& piece : text.pieces()) {
    if (const auto* hole = std::get_if<plan::CaptureRef>(&piece)) add(*hole, before);
    const auto* literal = std::get_if<std::string>(&piece);
    before = literal != nullptr ? name_before_value(*literal) : std::string_view();
  }
}

void add_named(const Text& text, TokenNames& names) {
  each_named(text, [&](const auto& hole, std::string_view name) {
    if (base::names_secret(name)) insert(hole.name, {.sent = true}, names);
  });
}

/// "sid=$(sid); lang=$(lang)", or a cookie as it was saved.
void add_cookies(const Text& text, TokenNames& names) {
  each_named(text, [&](const auto& hole, std::string_view name) {
    if (name.empty())
      insert(hole.name, {.cookie = true, .sent = true}, names);
    else if (base::cookie_names_secret(name))
      insert(hole.name, {.sent = true}, names);
  });
}

/// "json.session.access_token", "header.set-cookie", "json $.keys[0]['secret']", "xml //token/text()".
std::string_view last_part(std::string_view subject) {
  if (subject.ends_with("/text()")) subject.remove_suffix(std::string_view("/text()").size());
  const auto is_word = [](char c) { return base::is_alnum(c) || c == '_' || c == '-'; };
  while (!subject.empty() && !is_word(subject.back())) subject.remove_suffix(1);
  auto begin = subject.size();
  while (begin > 0 && is_word(subject[begin - 1])) --begin;
  return subject.substr(begin);
}

void add(const checks::Check& check, TokenNames& names) {
  for (const auto& saved : check.save) {
    const auto use = use_of_subject(saved.subject);
    if (base::names_secret(saved.written()) || use)
      insert(saved.name, {.cookie = base::names_cookie(saved.written()) || (use && use->cookie)}, names);
  }
  if (const auto* http = std::get_if<checks::HttpRequest>(&check.request)) {
    const bool is_pair = http->auth == checks::HttpRequest::Auth::basic;
    add_all(http->credentials, {.halves = is_pair, .sent = true}, names);
    add_all(http->proxy_credentials, {.halves = true, .sent = true}, names);
    for (const auto& [name, value] : http->headers)
      if (base::names_cookie(name))
        add_cookies(value, names);
      else if (base::header_names_secret(name))
        add_all(value, {.sent = true}, names);
    add_named(http->url, names);
    add_named(http->body, names);
  } else if (const auto* run = std::get_if<checks::RunRequest>(&check.request)) {
    for (const auto& input : run->inputs)
      if (base::header_names_secret(input.variable)) add_all(input.value, {.sent = true}, names);
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
  for (const auto& [name, text] : suite.use)
    if (base::names_secret(name)) insert(name, {.cookie = base::names_cookie(name)}, names);
  // They tell runs and things apart.
  std::erase_if(
      names, [](const auto& one) { return one.first.starts_with("run.") || one.first.starts_with("item."); });
  return names;
}

/// What `names` are made of, in this suite and in those that it has them from; true when there was more.
bool spread(const checks::Suite& suite, std::map<std::string, TokenNames>& all) {
  auto& names = all[suite.name];
  bool more = false;
  for (const auto& [name, text] : suite.use)
    if (const auto known = names.find(name); known != names.end())
      more = add_all(text, TokenUse(known->second), names) || more;
  for (const auto& [name, use] : TokenNames(names)) {
    const auto dot = name.find('.');
    if (dot == std::string::npos) continue;
    const auto other = all.find(name.substr(0, dot));
    if (other != all.end()) more = insert(name.substr(dot + 1), use, other->second) || more;
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

/// An index, and what people call that which a name is of: "tokens.0", "password.value".
bool names_nothing(std::string_view part) {
  static constexpr std::string_view plain[] = {"value", "values", "text", "data", "raw", "plain", "content"};
  return std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; }) ||
         std::find(std::begin(plain), std::end(plain), part) != std::end(plain);
}

std::optional<TokenUse> use_of_subject(std::string_view subject) {
  const bool is_header = subject.starts_with("header.");
  auto field = last_part(subject);
  while (names_nothing(field) && field.data() > subject.data()) {
    subject = subject.substr(0, static_cast<std::size_t>(field.data() - subject.data()));
    field = last_part(subject);
  }
  const auto before = subject.substr(0, static_cast<std::size_t>(field.data() - subject.data()));
  // "session.id" is what "sessionid" is.
  const bool together = field == "id" && base::names_secret(std::string(last_part(before)) + "id");
  if (!together && !(is_header ? base::header_names_secret(field) : base::names_secret(field))) return {};
  return TokenUse{.cookie = base::names_cookie(field)};
}

std::vector<std::string> secrets_in(std::string_view token, TokenUse use) {
  std::vector<std::string> secrets{std::string(token)};
  const auto add = [&](std::string_view part) {
    if (!part.empty() && part != token) secrets.emplace_back(part);
  };
  if (use.halves) add(base::secret_half(token));
  if (use.cookie)
    for (const auto& value : base::cookie_secrets(token)) add(value);
  const auto add_pair = [&](std::string_view encoded) {
    const auto pair = base::base64_decode(encoded);
    if (!pair || pair->find(':') == std::string::npos) return;
    add(*pair);
    add(base::secret_half(*pair));
  };
  if (const auto blank = token.find(' '); blank != std::string_view::npos) {
    const auto scheme = base::lower(token.substr(0, blank));
    const auto rest = base::trim(token.substr(blank));
    if (base::is_scheme(scheme)) add(rest);
    if (scheme == "basic") add_pair(rest);
  }
  return secrets;
}

}  // namespace staithe::verify
