#include "staithe/checks/filter.hpp"

#include <algorithm>

namespace staithe::checks {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool is_wanted(const Check& check, const Filter& filter) {
  if (filter.critical && check.severity != Severity::critical) return false;
  if (!filter.only.empty() && !contains(filter.only, check.name) && !contains(filter.only, check.step))
    return false;
  return filter.tags.empty() || std::any_of(check.tags.begin(), check.tags.end(),
                                            [&](const auto& tag) { return contains(filter.tags, tag); });
}

/// From the last to the first: what is kept needs what came before it.
void thin_out(Suite& suite, const Filter& filter) {
  std::set<std::string> needed(suite.exports.begin(), suite.exports.end());
  bool any = false;
  const auto keep = [&](Check& check, bool wanted) {
    const bool saves = std::any_of(check.save.begin(), check.save.end(),
                                   [&](const Save& save) { return needed.count(save.name) > 0; });
    if (!wanted && !saves) return false;
    needed.insert(check.needs.begin(), check.needs.end());
    return true;
  };
  for (const auto& check : suite.steps) any = any || is_wanted(check, filter);
  if (!any) needed.clear();
  std::vector<Check> kept;
  for (auto check = suite.steps.rbegin(); check != suite.steps.rend(); ++check)
    if (keep(*check, is_wanted(*check, filter))) kept.push_back(std::move(*check));
  std::reverse(kept.begin(), kept.end());
  suite.steps = std::move(kept);
  // A setup is made for whatever is left: it is kept whole, and so is the cleanup.
  if (suite.steps.empty()) suite.setup.clear();
}

}  // namespace

std::vector<std::string> select(SuitePlan& plan, const Filter& filter) {
  std::vector<std::string> unknown;
  for (const auto& name : filter.only) {
    const auto has = [&](const Check& check) { return check.name == name || check.step == name; };
    const bool known = std::any_of(plan.suites.begin(), plan.suites.end(), [&](const Suite& suite) {
      return std::any_of(suite.steps.begin(), suite.steps.end(), has);
    });
    if (!known) unknown.push_back(name);
  }
  if (!filter.critical && filter.tags.empty() && filter.only.empty()) return unknown;
  for (auto& suite : plan.suites) thin_out(suite, filter);
  std::erase_if(plan.suites, [](const Suite& suite) { return suite.steps.empty(); });
  for (auto& suite : plan.suites)
    std::erase_if(suite.depends_on, [&](const std::string& name) {
      // A suite that was left out on purpose blocks nothing, unless its values are used.
      const bool used = std::any_of(suite.use.begin(), suite.use.end(), [&](const auto& use) {
        return use.second.shown().find("<" + name + ".") != std::string::npos;
      });
      return !used && std::none_of(plan.suites.begin(), plan.suites.end(),
                                   [&](const Suite& one) { return one.name == name; });
    });
  return unknown;
}

}  // namespace staithe::checks
