#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/checks/request.hpp"

namespace staithe::verify {

/// The one door of the checks to the outside. Called from several threads at once.
class Probes {
 public:
  virtual ~Probes() = default;
  /// Asks, and never throws for what the other side did or did not do: that is a Reply::Failure. Texts of
  /// `request` hold secrets but no captures any more. Blocks no longer than the scope.
  virtual checks::Reply perform(const checks::Request& request, const base::Scope& scope) = 0;
};

}  // namespace staithe::verify
