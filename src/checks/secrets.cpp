#include "staithe/checks/suite.hpp"

#include <algorithm>

namespace staithe::checks {
namespace {

class Collector {
 public:
  void take(const plan::SecretRef& secret) {
    if (std::find(secrets_.begin(), secrets_.end(), secret) == secrets_.end()) secrets_.push_back(secret);
  }
  void take(const Text& text) {
    for (const auto& piece : text.pieces())
      if (const auto* secret = std::get_if<plan::SecretRef>(&piece)) take(*secret);
  }
  void take(const Check& check) {
    for (const auto* text : texts_of(check.request)) take(*text);
    if (const auto* sql = std::get_if<SqlRequest>(&check.request)) take(sql->url);
    if (const auto* compare = std::get_if<CompareRequest>(&check.request)) {
      take(compare->left.url);
      take(compare->right.url);
    }
    take(check.undo);
  }
  void take(const std::vector<Check>& checks) {
    for (const auto& check : checks) take(check);
  }
  void take(const Suite& suite) {
    for (const auto* part : {&suite.setup, &suite.steps, &suite.cleanup}) take(*part);
    for (const auto& [name, value] : suite.use) take(value);
    for (const auto& neighbour : suite.neighbours)
      if (neighbour.probe) take(*neighbour.probe);
    if (!suite.sweep) return;
    take(suite.sweep->list);
    take(suite.sweep->each);
  }
  std::vector<plan::SecretRef> all() { return std::move(secrets_); }

 private:
  std::vector<plan::SecretRef> secrets_;
};

}  // namespace

std::vector<plan::SecretRef> secrets_of(const SuitePlan& plan) {
  Collector collector;
  for (const auto& suite : plan.suites) collector.take(suite);
  return collector.all();
}

}  // namespace staithe::checks
