#include "rehearse/workload.hpp"

#include "staithe/stage/backfill.hpp"
#include "staithe/stage/clone.hpp"

#include <algorithm>

namespace staithe::stage {

class BesideLoad::Impl {
 public:
  Impl(const std::string& url, const std::string& table, const base::Scope& scope)
      : workload_(url, loads_for(url, table, scope), scope) {}

  Stalls finish() {
    Stalls worst;
    for (const auto& sample : workload_.finish()) {
      auto& stall = workload_.loads()[sample.load].writes ? worst.write : worst.read;
      stall = std::max(stall, sample.lasted);
    }
    worst.runs = workload_.runs();
    return worst;
  }

 private:
  static std::vector<ReadyLoad> loads_for(const std::string& url, const std::string& table,
                                          const base::Scope& scope) {
    pg::Session session(url, {clone_session("workload"), std::chrono::seconds(10), pg::usual_silence}, scope);
    std::vector<std::string> remarks;
    return ready_loads(session, automatic_loads(session, {table}, scope), remarks, scope);
  }

  Workload workload_;
};

BesideLoad::BesideLoad(const std::string& url, const std::string& table, const base::Scope& scope)
    : impl_(std::make_unique<Impl>(url, table, scope)) {}
BesideLoad::BesideLoad(BesideLoad&&) noexcept = default;
BesideLoad::~BesideLoad() = default;

BesideLoad::Stalls BesideLoad::finish() {
  return impl_->finish();
}

}  // namespace staithe::stage
