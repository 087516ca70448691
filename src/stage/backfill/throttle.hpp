#pragma once
#include "lag_clock.hpp"

#include "staithe/stage/backfill.hpp"

#include <chrono>
#include <string>

namespace staithe::stage {

/// Why a backfill should rest now; "" when it should not.
class Throttle {
 public:
  explicit Throttle(const BackfillSpec& spec) : spec_(spec) {}
  std::string reason(pg::Session& session, const base::Scope& scope);

 private:
  std::string look(pg::Session& session, const base::Scope& scope);

  const BackfillSpec& spec_;
  LagClock lag_;
  std::chrono::steady_clock::time_point looked_{};
  std::string last_;
};

}  // namespace staithe::stage
