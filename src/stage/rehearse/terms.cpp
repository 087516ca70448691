#include "passes.hpp"

#include "staithe/stage/rehearse.hpp"

#include <algorithm>

namespace staithe::stage {
namespace {

const PassReport* pass_of(const RehearsalReport& report, std::string_view name) {
  const auto found = std::find_if(report.passes.begin(), report.passes.end(),
                                  [&](const PassReport& pass) { return pass.name == name; });
  return found == report.passes.end() || !found->passed ? nullptr : &*found;
}

/// With somebody who ran, or nobody who could have been kept out.
bool was_under_load(const RehearsalPlan& plan, const RehearsalReport& report) {
  if (!plan.passes.load || report.statements.empty()) return false;
  if (const auto* pass = pass_of(report, "under load")) return pass->load_runs > pass->load_errors;
  return plan.settings.workload.empty() && touched_tables(report.statements).empty();
}

}  // namespace

plan::RehearsalTerms terms_of(const RehearsalPlan& plan, const RehearsalReport& report) {
  plan::RehearsalTerms terms{plan.command,      plan.settings.budgets, was_under_load(plan, report),
                             base::Duration{0}, report.asked,          report.accepted};
  if (pass_of(report, "open transaction") != nullptr) terms.open_for = plan.settings.open_transaction;
  return terms;
}

}  // namespace staithe::stage
