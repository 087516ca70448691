#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/checks/request.hpp"
#include "staithe/checks/suite.hpp"

#include <functional>
#include <map>
#include <string>

namespace staithe::verify {

/// By suite: how long its own secrets were looked up, which is taken off its budget. Not how long it waited
/// for those of others.
using Foreseen = std::map<std::string, base::Duration, std::less<>>;

/// The one door of the checks to the outside. Called from several threads at once.
class Probes {
 public:
  virtual ~Probes() = default;
  /// Asks, and never throws for what the other side did or did not do: that is a Reply::Failure. Texts of
  /// `request` hold secrets but no captures any more. Blocks no longer than the scope.
  virtual checks::Reply perform(const checks::Request& request, const base::Scope& scope) = 0;
  /// Called once, before anything of that plan is asked: a reply may show a secret that is sent only later,
  /// so all of them are made known now. One that cannot be had is no matter yet: what needs it will say so.
  /// Blocks for some seconds at most, and for none of them longer than the budgets of the suites that need
  /// it.
  virtual Foreseen foresee(const checks::SuitePlan& /*plan*/, const base::Cancel* /*stop*/) { return {}; }
};

}  // namespace staithe::verify
