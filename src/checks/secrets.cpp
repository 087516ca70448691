#include "step_reader.hpp"

#include "staithe/base/text.hpp"
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

std::vector<plan::SecretRef> secrets_of(const SuitePlan& plan) {
  Collector collector;
  for (const auto& suite : plan.suites) collector.take(suite);
  return collector.all();
}

std::optional<plan::SecretRef> read_secret(const yaml::Reader& reader) {
  const auto text = reader.text();
  if (!text) return std::nullopt;
  using Source = plan::SecretRef::Source;
  constexpr std::pair<std::string_view, Source> sources[] = {
      {"env ", Source::env}, {"file ", Source::file}, {"command ", Source::command}};
  for (const auto& [word, source] : sources)
    if (text->rfind(word, 0) == 0)
      return plan::SecretRef{source, std::string(base::trim(text->substr(word.size())))};
  reader.error("a secret is named, never written", "write 'env NAME', 'file PATH' or 'command …'");
  return std::nullopt;
}

}  // namespace staithe::checks
