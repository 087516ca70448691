#include "staithe/checks/filter.hpp"

#include <algorithm>
#include <map>
#include <set>

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

/// What of one suite is wanted, and what that needs of others.
class Thinning {
 public:
  Thinning(Suite& suite, const Filter& filter, std::set<std::string> exported)
      : suite_(suite), filter_(filter), needed_(std::move(exported)) {}

  void run() {
    const auto wanted = [&](const Check& check) { return is_wanted(check, filter_); };
    if (std::any_of(suite_.steps.begin(), suite_.steps.end(), wanted))
      needed_.insert(suite_.exports.begin(), suite_.exports.end());
    thin_out();
    const bool sets_up = std::any_of(suite_.setup.begin(), suite_.setup.end(),
                                     [&](const auto& check) { return saves(check); });
    // A setup is made for whatever is left: it is kept whole, and so is the cleanup.
    if (suite_.steps.empty() && !sets_up) suite_.setup.clear();
    if (suite_.steps.empty() && suite_.setup.empty()) return;
    for (const auto* part : {&suite_.setup, &suite_.cleanup})
      for (const auto& check : *part) need(check);
  }

  /// By suite.
  std::map<std::string, std::set<std::string>> of_others() const {
    std::map<std::string, std::set<std::string>> found;
    for (const auto& name : needed_) {
      add_foreign(name, found);
      for (const auto& [used, text] : suite_.use)
        for (const auto& piece : text.pieces())
          if (const auto* hole = std::get_if<plan::CaptureRef>(&piece); used == name && hole != nullptr)
            add_foreign(hole->name, found);
    }
    return found;
  }

 private:
  bool saves(const Check& check) const {
    return std::any_of(check.save.begin(), check.save.end(),
                       [&](const Save& save) { return needed_.count(save.name) > 0; });
  }
  void need(const Check& check) {
    needed_.insert(check.needs.begin(), check.needs.end());
    for (const auto& undo : check.undo) need(undo);
  }
  /// From the last to the first: what is kept needs what came before it.
  void thin_out() {
    std::vector<Check> kept;
    for (auto check = suite_.steps.rbegin(); check != suite_.steps.rend(); ++check) {
      if (!is_wanted(*check, filter_) && !saves(*check)) continue;
      need(*check);
      kept.push_back(std::move(*check));
    }
    std::reverse(kept.begin(), kept.end());
    suite_.steps = std::move(kept);
  }
  /// "signup.user"
  void add_foreign(const std::string& name, std::map<std::string, std::set<std::string>>& found) const {
    const auto dot = name.find('.');
    if (dot != std::string::npos && contains(suite_.depends_on, name.substr(0, dot)))
      found[name.substr(0, dot)].insert(name.substr(dot + 1));
  }

  Suite& suite_;
  const Filter& filter_;
  std::set<std::string> needed_;
};

/// Those that need others come before these.
void add_before_needed(std::vector<Suite>& suites, Suite& suite, std::vector<Suite*>& order) {
  if (std::find(order.begin(), order.end(), &suite) != order.end()) return;
  for (auto& other : suites)
    if (contains(other.depends_on, suite.name)) add_before_needed(suites, other, order);
  order.push_back(&suite);
}

/// Nothing is left of what had brought them along: what they would judge nobody has asked for.
void leave_out_unneeded(std::vector<Suite>& suites) {
  const auto is_needed = [&](const Suite& suite) {
    return std::any_of(suites.begin(), suites.end(),
                       [&](const Suite& one) { return contains(one.depends_on, suite.name); });
  };
  for (bool more = true; more;) {
    const auto unneeded = std::find_if(
        suites.begin(), suites.end(), [&](const Suite& suite) { return suite.brought && !is_needed(suite); });
    more = unneeded != suites.end();
    if (more) suites.erase(unneeded);
  }
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
  std::vector<Suite*> order;
  for (auto& suite : plan.suites) add_before_needed(plan.suites, suite, order);
  std::map<std::string, std::set<std::string>> exported;
  for (auto* suite : order) {
    Thinning thinning(*suite, filter, exported[suite->name]);
    thinning.run();
    for (const auto& [name, values] : thinning.of_others())
      exported[name].insert(values.begin(), values.end());
  }
  std::erase_if(plan.suites, [](const Suite& suite) { return suite.steps.empty() && suite.setup.empty(); });
  // What was asked for by its name may well stand in one of those.
  if (filter.only.empty()) leave_out_unneeded(plan.suites);
  // A suite that was left out on purpose blocks nothing, unless its values are used.
  for (auto& suite : plan.suites)
    std::erase_if(suite.depends_on, [&](const std::string& name) {
      return exported[name].empty() && std::none_of(plan.suites.begin(), plan.suites.end(),
                                                    [&](const Suite& one) { return one.name == name; });
    });
  return unknown;
}

}  // namespace staithe::checks
