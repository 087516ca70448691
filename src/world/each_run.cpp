#include "each_run.hpp"

#include <utility>

namespace staithe::world {
namespace {

constexpr std::size_t runs_at_once = 100;

}  // namespace

store::HistoryFilter of_environment(const std::string& environment) {
  store::HistoryFilter filter;
  filter.environment = environment;
  filter.other_than = "exec";
  return filter;
}

bool takes_hosts(const store::Run& run) {
  return run.kind != "recover" && run.kind != "exec";
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): it is changed
void each_run(store::Store& store, store::HistoryFilter filter,
              const std::function<bool(const store::Run&)>& visit) {
  for (;;) {
    const auto runs = store.history(filter, runs_at_once);
    for (const auto& run : runs)
      if (!visit(run)) return;
    if (runs.size() < runs_at_once) return;
    filter.behind = {runs.back().started, runs.back().id};
  }
}

}  // namespace staithe::world
