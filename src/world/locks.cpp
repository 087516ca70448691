#include "locks.hpp"

#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/world/past_runs.hpp"

#include <fmt/format.h>

#include <ctime>

namespace staithe::world {
namespace {

std::string clock_text(store::Time time) {
  const auto utc = base::utc(time);
  return fmt::format("{:02}:{:02}:{:02} UTC", utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

std::string in_words(const store::LockInfo& info) {
  return base::one_line(fmt::format("{} is locked by {} since {}: {} (run {})", info.scope, info.holder,
                                    clock_text(info.taken), info.reason, info.run_id));
}

exec::EffectResult Locks::take(const plan::TakeLock& effect, exec::Performance& performance) {
  const auto scope = base::Scope::lasting(settings_.lock_wait, performance.scope.cancel);
  const auto waiting = [&](const store::LockInfo& info) {
    performance.message(event::Level::info, "waiting: " + in_words(info));
  };
  const store::LockRequest request{effect.scope, effect.reason, settings_.run_id, ""};
  auto result =
      settings_.lock_wait.count() > 0 ? store_->lock(request, scope, waiting) : store_->try_lock(request);
  if (auto* holder = std::get_if<store::LockInfo>(&result))
    return not_done(event::Outcome::refused, in_words(*holder));
  auto& lock = std::get<store::Lock>(result);
  if (lock.reclaimed_from())
    performance.message(
        event::Level::warning,
        fmt::format("took the lock over from {} (run {}), which died with it; 'staithe recover' "
                    "looks at what it left",
                    lock.reclaimed_from()->holder, lock.reclaimed_from()->run_id));
  // What was looked at before is not what is there now: a run that held the lock then may have ended while
  // this one connected to its hosts. Refusing gives the lock back.
  if (settings_.in_the_way)
    if (auto why = settings_.in_the_way(); !why.empty())
      return not_done(event::Outcome::refused, std::move(why));
  const std::lock_guard guard(mutex_);
  held_.insert_or_assign(effect.scope, std::move(lock));
  return done();
}

exec::EffectResult Locks::give(const plan::GiveLock& effect) {
  const std::lock_guard guard(mutex_);
  return held_.count(effect.scope) > 0 ? done() : done("was not held");
}

std::string Locks::lost() {
  const std::lock_guard guard(mutex_);
  for (const auto& [scope, lock] : held_)
    if (lock.lost()) return scope;
  return {};
}

}  // namespace staithe::world
