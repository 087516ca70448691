#include "archive.hpp"

#include "staithe/base/error.hpp"
#include "staithe/store/store.hpp"

#include <algorithm>
#include <set>

namespace staithe::watch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::hours between_prunings{1};
constexpr std::size_t kept_records = 500;

}  // namespace

std::string Archive::load(const checks::SuitePlan& plan) {
  if (store_ == nullptr) return {};
  try {
    memory_.load(*store_, plan);
    unread_ = false;
    return {};
  } catch (const base::Error& error) {
    unread_ = true;
    return error.what();
  }
}

bool Archive::keep(const Records& results, const checks::SuitePlan& in_use) {
  prune(results, in_use);
  store_->record_checks(results);
  if (!unread_) return false;
  memory_.load(*store_, in_use);
  unread_ = false;
  return true;
}

void Archive::prune(const Records& results, const checks::SuitePlan& in_use) {
  std::set<std::string> suites;
  for (const auto& one : results) suites.insert(one.suite);
  for (const auto& suite : in_use.suites) {
    if (suites.count(suite.name) == 0) continue;
    auto& last = pruned_[suite.name];
    if (last != base::SteadyTime{} && Clock::now() - last < between_prunings) continue;
    // Also when it fails: what is to be kept comes first, when this is tried again.
    last = Clock::now();
    store_->prune_checks(environment_, suite.name,
                         std::max<std::size_t>(kept_records, 2 * std::size_t{suite.flaky.window}));
  }
}

}  // namespace staithe::watch
