#include "step_reader.hpp"

#include "staithe/base/origin.hpp"
#include "staithe/base/redact.hpp"
#include "staithe/base/secret_names.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/url_parts.hpp"
#include "staithe/checks/named_secrets.hpp"
#include "staithe/checks/own_words.hpp"
#include "staithe/checks/suite.hpp"

#include <algorithm>
#include <set>

/// What stands in the files though it is a secret.
namespace staithe::checks {
namespace {

const std::string* first_literal(const Text& text) {
  return text.empty() ? nullptr : std::get_if<std::string>(&text.pieces().front());
}
const std::string* whole_literal(const Text& text) {
  return text.is_literal() ? first_literal(text) : nullptr;
}

class Written {
 public:
  /// Null: whatever the suite says in clear.
  explicit Written(const OwnWords* own) : own_(own) {}

  void take(const Suite& suite) {
    take_url(suite.target);
    for (const auto& value : suite.secret_values) take_likely(value);
    for (const auto* check : all_checks(suite)) take(check->request);
  }
  void take(const Request& request) {
    if (const auto* http = std::get_if<HttpRequest>(&request)) take(*http);
    if (const auto* run = std::get_if<RunRequest>(&request)) take(*run);
    for (const auto* text : texts_of(request))
      for (const auto& piece : text->pieces())
        if (const auto* literal = std::get_if<std::string>(&piece)) take_named(*literal);
  }
  std::vector<std::string> all() const { return {found_.begin(), found_.end()}; }

 private:
  void take(std::string text) {
    if (!text.empty()) found_.insert(std::move(text));
  }
  void take_likely(std::string text) {
    if (!base::is_harmless(text) && (own_ == nullptr || !own_->have(text))) take(std::move(text));
  }
  void take_url(std::string_view url) {
    const auto password = base::secret_in_url(url);
    take(std::string(password));
    take(base::percent_decoded(password));
  }
  void take(const HttpRequest& http) {
    if (const auto* start = first_literal(http.url)) take_url(*start);
    const auto* bearer = whole_literal(http.credentials);
    if (bearer != nullptr && http.auth == HttpRequest::Auth::bearer)
      take(*bearer);
    else
      take_pair(http.credentials);
    take_pair(http.proxy_credentials);
    for (const auto& [name, value] : http.headers)
      if (const auto* text = whole_literal(value)) take_header(name, *text);
  }
  void take(const RunRequest& run) {
    for (const auto& input : run.inputs)
      if (const auto* text = whole_literal(input.value); text && base::header_names_secret(input.variable))
        take_likely(*text);
    take_named(run.command);
    take_user_of_curl(run.command);
  }
  /// USER:PASSWORD. What stands for both is no secret.
  void take_pair(const Text& text) {
    const auto* pair = whole_literal(text);
    if (pair == nullptr) return;
    const auto half = std::string(base::secret_half(*pair));
    if (*pair != half + ":" + half) take_likely(half);
  }
  void take_header(std::string_view name, std::string_view text) {
    if (base::names_cookie(name)) {
      for (auto& cookie : base::cookie_secrets(text)) take_likely(std::move(cookie));
    } else if (base::header_names_secret(name)) {
      const auto space = std::min(text.find(' '), text.size());
      const bool has_scheme = base::is_scheme(text.substr(0, space));
      take_likely(std::string(base::trim(has_scheme ? text.substr(space) : text)));
    }
  }
  void take_named(std::string_view text) {
    for (auto& secret : secrets_named_in(text)) take_likely(std::move(secret));
  }
  /// "-u USER:PASSWORD", which nothing else says to be a password.
  void take_user_of_curl(std::string_view command) {
    if (command.find("curl") == command.npos) return;
    for (const std::string_view option : {"-u", "--user", "-U", "--proxy-user"})
      for (auto at = command.find(option); at != command.npos; at = command.find(option, at + 1)) {
        const auto begin = command.find_first_not_of(" =\"'", at + option.size());
        if ((at > 0 && command[at - 1] != ' ') || begin == command.npos) continue;
        const auto pair = command.substr(begin, command.find_first_of(" \"'\n", begin) - begin);
        if (pair.find(':') != pair.npos && pair.find('$') == pair.npos)
          take_likely(std::string(base::secret_half(pair)));
      }
  }

  const OwnWords* own_;
  std::set<std::string> found_;
};

}  // namespace

std::vector<std::string> written_secrets(const SuitePlan& plan) {
  std::set<std::string> all;
  for (const auto& suite : plan.suites) {
    const OwnWords own(suite);
    Written written(&own);
    written.take(suite);
    for (auto& one : written.all()) all.insert(std::move(one));
  }
  return {all.begin(), all.end()};
}

std::string name_made_of(const Request& request, std::vector<std::string> secrets) {
  Written written(nullptr);
  written.take(request);
  for (auto& one : written.all()) secrets.push_back(std::move(one));
  auto name = base::printable(base::trim(title_of(request)));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  if (secrets.empty()) return name;
  base::Redactor redactor;
  std::vector<base::Redactor::Hold> held;
  redactor.hold_parts(secrets, held);
  return redactor.clean(name);
}

}  // namespace staithe::checks
