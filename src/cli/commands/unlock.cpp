#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "suggest.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::cli {
namespace {

std::string text_of(const store::LockInfo& lock) {
  return base::one_line(fmt::format("{}   {} since {}: {} (run {}){}", lock.scope, lock.holder,
                                    when_text(lock.taken), lock.reason, lock.run_id,
                                    lock.abandoned ? "; its owner is gone" : ""));
}

/// The lock that is meant: the one named, or the only one of the environment.
store::LockInfo lock_meant(App& app, store::Store& store, const Loaded& loaded) {
  std::vector<store::LockInfo> locks;
  for (auto& lock : store.locks())
    if (lock.scope == loaded.environment || lock.scope.rfind(loaded.environment + "/", 0) == 0)
      locks.push_back(std::move(lock));
  const auto wanted = app.args().positionals.empty() ? "" : app.args().positionals.front();
  if (!wanted.empty())
    std::erase_if(locks, [&](const auto& lock) {
      return lock.scope != wanted && lock.scope != loaded.environment + "/" + wanted;
    });
  if (locks.size() == 1) return locks.front();
  if (locks.empty())
    throw base::Error(base::ErrorCode::not_found, wanted.empty()
                                                      ? "nothing is locked in " + loaded.environment
                                                      : wanted + " is not locked");
  std::string text = "several locks are held: name one";
  for (const auto& lock : locks) text += "\n  " + text_of(lock);
  throw base::Error(base::ErrorCode::conflict, text);
}

void tell_unlocked(App& app, const store::LockInfo& lock, const std::string& outcome) {
  if (!app.json()) return app.print(outcome + " " + text_of(lock) + "\n");
  Records(app).write({{"type", "unlock"},
                      {"scope", lock.scope},
                      {"holder", lock.holder},
                      {"run_id", lock.run_id},
                      {"abandoned", lock.abandoned},
                      {"reason", app.args().value("reason")},
                      {"outcome", outcome}});
}

/// A lock that is in use is taken away only from somebody who has typed what it locks.
bool confirmed(App& app, const store::LockInfo& lock) {
  if (app.args().has("confirm")) return app.args().value("confirm") == lock.scope;
  if (!app.may_prompt()) return false;
  app.say(text_of(lock));
  const auto typed =
      ask_line(fmt::format("Type {} to take the lock away: ", base::one_line(lock.scope)), &app.stops().soft);
  return typed && *typed == lock.scope;
}

}  // namespace

int run_unlock(App& app) {
  if (!app.args().has("reason")) throw UsageError("unlock needs --reason TEXT: it stands in the history");
  auto loaded = load(app);
  const auto store = open_store_if_there(app, loaded);
  if (!store) throw base::Error(base::ErrorCode::not_found, "nothing is locked in " + loaded.environment);
  const auto lock = lock_meant(app, *store, loaded);
  if (!lock.abandoned) {
    if (!app.args().has("force"))
      return app.fail(exit_refused, fmt::format("the holder is alive; nothing was changed\n  {}\n"
                                                "  next  wait for it, or end it; --force takes the lock away",
                                                text_of(lock)));
    if (!only_prints(app) && !confirmed(app, lock))
      return app.fail(exit_refused, fmt::format("not confirmed; nothing was changed\n"
                                                "  next  {}",
                                                confirmed_command(app, lock.scope)));
  }
  if (only_prints(app)) {
    tell_unlocked(app, lock, "would unlock");
    return exit_done;
  }
  const auto had = store->steal(lock.scope, app.args().value("reason"), store::this_process());
  if (!had) return app.fail(exit_refused, lock.scope + " is not locked any more");
  tell_unlocked(app, *had, "unlocked");
  if (lock.abandoned)
    app.say("  next  " + recover_command(app, store->run(had->run_id).value_or(store::Run{})) +
            "    look at what run " + had->run_id + " left");
  return exit_done;
}

}  // namespace staithe::cli
