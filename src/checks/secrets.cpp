#include "staithe/base/origin.hpp"
#include "staithe/base/redact.hpp"
#include "staithe/base/secret_names.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/url_parts.hpp"
#include "staithe/checks/suite.hpp"

#include <algorithm>

namespace staithe::checks {
namespace {

void add(const std::vector<Check>& checks, std::vector<const Check*>& all) {
  for (const auto& check : checks) {
    all.push_back(&check);
    add(check.undo, all);
  }
}

void add(const Suite& suite, std::vector<const Check*>& all) {
  for (const auto* part : {&suite.setup, &suite.steps, &suite.cleanup}) add(*part, all);
  for (const auto& neighbour : suite.neighbours)
    if (neighbour.probe) all.push_back(&*neighbour.probe);
  if (suite.sweep) all.insert(all.end(), {&suite.sweep->list, &suite.sweep->each});
}

class Collector {
 public:
  void take(const plan::SecretRef& secret) {
    if (std::find(secrets_.begin(), secrets_.end(), secret) == secrets_.end()) secrets_.push_back(secret);
  }
  void take(const Text& text) {
    for (const auto& piece : text.pieces())
      if (const auto* secret = std::get_if<plan::SecretRef>(&piece)) take(*secret);
  }
  void take(const Request& request) {
    for (const auto* text : texts_of(request)) take(*text);
    if (const auto* sql = std::get_if<SqlRequest>(&request)) take(sql->url);
    if (const auto* compare = std::get_if<CompareRequest>(&request)) {
      take(compare->left.url);
      take(compare->right.url);
    }
  }
  void take(const Suite& suite) {
    for (const auto* check : all_checks(suite)) take(check->request);
    for (const auto& [name, value] : suite.use) take(value);
  }
  std::vector<plan::SecretRef> all() { return std::move(secrets_); }

 private:
  std::vector<plan::SecretRef> secrets_;
};

/// What stands in the files though it is a secret, each once.
class Written {
 public:
  void take(std::string text) {
    if (!text.empty() && std::find(found_.begin(), found_.end(), text) == found_.end())
      found_.push_back(std::move(text));
  }
  void take_url(std::string_view url) {
    const auto password = base::secret_in_url(url);
    take(std::string(password));
    take(base::percent_decoded(password));
  }
  void take(const HttpRequest& http) {
    if (const auto* start = first_literal(http.url)) take_url(*start);
    if (const auto* bearer = whole_literal(http.credentials);
        bearer && http.auth == HttpRequest::Auth::bearer)
      take(*bearer);
    else
      take_pair(http.credentials);
    take_pair(http.proxy_credentials);
    for (const auto& [name, value] : http.headers)
      if (const auto* text = whole_literal(value)) take_header(name, *text);
  }
  std::vector<std::string> all() { return std::move(found_); }

 private:
  static const std::string* first_literal(const Text& text) {
    return text.empty() ? nullptr : std::get_if<std::string>(&text.pieces().front());
  }
  static const std::string* whole_literal(const Text& text) {
    return text.is_literal() ? first_literal(text) : nullptr;
  }
  /// USER:PASSWORD
  void take_pair(const Text& text) {
    if (const auto* pair = whole_literal(text)) take(std::string(base::secret_half(*pair)));
  }
  void take_header(std::string_view name, std::string_view text) {
    if (base::names_cookie(name)) {
      for (auto& cookie : base::cookie_secrets(text)) take(std::move(cookie));
    } else if (base::header_names_secret(name) && !base::is_plain_word(text)) {
      const auto space = std::min(text.find(' '), text.size());
      const bool has_scheme = base::is_scheme(text.substr(0, space));
      take(std::string(base::trim(has_scheme ? text.substr(space) : text)));
    }
  }

  std::vector<std::string> found_;
};

}  // namespace

std::vector<const Check*> all_checks(const SuitePlan& plan) {
  std::vector<const Check*> all;
  for (const auto& suite : plan.suites) add(suite, all);
  return all;
}

std::vector<const Check*> all_checks(const Suite& suite) {
  std::vector<const Check*> all;
  add(suite, all);
  return all;
}

std::vector<plan::SecretRef> secrets_of(const Request& request) {
  Collector collector;
  collector.take(request);
  return collector.all();
}

std::vector<plan::SecretRef> secrets_of(const Suite& suite) {
  Collector collector;
  collector.take(suite);
  return collector.all();
}

base::Duration longest_budget(const SuitePlan& plan, const plan::SecretRef& secret) {
  base::Duration longest{0};
  for (const auto& suite : plan.suites) {
    const auto needed = secrets_of(suite);
    if (std::find(needed.begin(), needed.end(), secret) != needed.end())
      longest = std::max(longest, suite.budget);
  }
  return longest;
}

std::vector<std::string> written_secrets(const SuitePlan& plan) {
  Written written;
  for (const auto& suite : plan.suites) written.take_url(suite.target);
  for (const auto* check : all_checks(plan))
    if (const auto* http = std::get_if<HttpRequest>(&check->request)) written.take(*http);
  return written.all();
}

std::vector<plan::SecretRef> secrets_of(const SuitePlan& plan) {
  Collector collector;
  for (const auto& suite : plan.suites) collector.take(suite);
  return collector.all();
}

}  // namespace staithe::checks
