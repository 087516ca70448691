#include "limits.hpp"

#include <nlohmann/json.hpp>

namespace staithe::stage {
namespace {

using nlohmann::json;

/// The members, in one place for all that is done with them. `F` takes the key, what was said, and the
/// spec's.
template <class Limits, class Spec, class F>
void each(Limits& limits, Spec& spec, F&& with) {
  with("batch_time_ms", limits.batch_time, spec.batch_time);
  with("lock_timeout_ms", limits.lock_timeout, spec.lock_timeout);
  with("most_lag_ms", limits.most_lag, spec.most_lag);
  with("most_waiting", limits.most_waiting, spec.most_waiting);
  with("most_active", limits.most_active, spec.most_active);
  with("rest_percent", limits.rest_percent, spec.rest_percent);
}

std::int64_t number(base::Duration value) {
  return value.count();
}
std::int64_t number(std::uint32_t value) {
  return value;
}

}  // namespace

std::string to_json(const BackfillLimits& limits) {
  json document = json::object();
  const BackfillSpec none;
  each(limits, none, [&](const char* key, const auto& said, const auto&) {
    if (said) document[key] = number(*said);
  });
  return document.dump();
}

BackfillLimits backfill_limits(const std::string& text) {
  BackfillLimits limits;
  const auto document = json::parse(text, nullptr, false);
  if (!document.is_object()) return limits;
  const BackfillSpec none;
  each(limits, none, [&](const char* key, auto& said, const auto& now) {
    const auto found = document.find(key);
    if (found == document.end() || !found->is_number_unsigned()) return;
    using Type = std::remove_cvref_t<decltype(now)>;
    if constexpr (std::is_same_v<Type, base::Duration>)
      said = base::Duration{found->template get<std::int64_t>()};
    else
      said = found->template get<Type>();
  });
  return limits;
}

bool apply(const BackfillLimits& limits, BackfillSpec& spec) {
  bool altered = false;
  each(limits, spec, [&](const char*, const auto& said, auto& now) {
    if (!said || *said == now) return;
    now = *said;
    altered = true;
  });
  return altered;
}

}  // namespace staithe::stage
