#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "suggest.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovered.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <variant>

namespace staithe::cli {
namespace {

/// What to do instead, or first.
std::string at_first(const App& app) {
  return "\n  next  " + status_command(app) + "    look again";
}

/// The run that is meant: nobody works on it, and it left something.
store::Run run_meant(App& app, store::Store& store, const Loaded& loaded) {
  const auto& id = app.args().value("settled");
  auto run = store.run(id);
  if (!run) throw base::Error(base::ErrorCode::not_found, "no run " + id);
  std::string why = world::why_not_recover(store, *run);
  if (run->environment != loaded.environment) why = "was in " + run->environment + ": name it with -e";
  if (why.empty() && !run->ended && !world::is_dead(store, *run))
    why = "is not ended, and nothing shows that it died: " + run->user;
  if (!why.empty())
    throw base::Error(base::ErrorCode::conflict,
                      base::one_line(fmt::format("run {} ({}) {}", run->id, run->title, why)));
  return std::move(*run);
}

/// Held while the run is ended, so that no recovery of it is under way: what its plan locks, and where that
/// cannot be read all that it may have locked.
std::set<std::string> scopes_of(const Loaded& loaded, const store::Run& run) {
  std::set<std::string> scopes;
  if (const auto plan = world::plan_of(run))
    for (const auto& action : plan->open)
      if (const auto* lock = std::get_if<plan::TakeLock>(&action.effect)) scopes.insert(lock->scope);
  if (!run.service.empty()) {
    scopes.insert(run.environment + "/" + run.service);
    return scopes;
  }
  scopes.insert(run.environment + "/" + loaded.project.name.value);
  for (const auto& service : loaded.project.services)
    scopes.insert(run.environment + "/" + service.name.value);
  return scopes;
}

bool confirmed(App& app, const store::Run& run) {
  if (app.args().has("confirm")) return app.args().value("confirm") == run.id;
  if (!app.may_prompt()) return false;
  const auto typed = ask_line(
      fmt::format("Nothing of this is changed. Is all as it should be? Type {} to end the run: ", run.id),
      &app.stops().soft);
  return typed && *typed == run.id;
}

void tell_run(App& app, const store::Run& run) {
  if (app.json()) return;
  app.print(base::one_line(fmt::format("run {}: {} by {} since {}", run.id, run.title, run.user,
                                       when_text(run.started))) +
            "\n");
  if (world::plan_of(run))
    app.print("  this build can read its plan: 'staithe recover' says what it left, and puts it right\n");
  else
    app.print("  its plan cannot be read by this build: what it was about to do is not known\n");
  app.print("\n");
}

/// The last of its records, or its last line.
void tell_outcome(App& app, const store::Run& run, std::string_view outcome, const std::string& text) {
  if (!app.json()) return app.print(text + "\n");
  Records(app, Records::Place::further)
      .write({{"type", "settle"},
              {"run_id", run.id},
              {"title", run.title},
              {"user", run.user},
              {"started", base::utc_text_ms(run.started)},
              {"plan_readable", world::plan_of(run).has_value()},
              {"reason", app.args().value("reason")},
              {"outcome", outcome}});
}

/// Why it cannot be ended now, or "".
std::string end_it(App& app, store::Store& store, const Loaded& loaded, const store::Run& run) {
  std::vector<store::Lock> locks;
  for (const auto& scope : scopes_of(loaded, run)) {
    auto taken = store.try_lock({scope, "run " + run.id + " is settled", run.id, ""});
    if (const auto* holder = std::get_if<store::LockInfo>(&taken)) return world::in_words(*holder);
    locks.push_back(std::move(std::get<store::Lock>(taken)));
  }
  const auto now = store.run(run.id);
  if (!now || now->outcome != run.outcome) return "another run saw to it meanwhile";
  world::settle(store, run, store::this_process(), app.args().value("reason"));
  return {};
}

}  // namespace

int run_settle(App& app) {
  if (!app.args().positionals.empty()) throw UsageError("--settled names the run: no other can be named");
  for (const char* option : {"report", "yes", "lock-wait", "expect-plan"})
    if (app.args().has(option))
      throw UsageError(fmt::format("--settled takes no --{}: it ends a run, and makes none", option));
  if (!app.args().has("reason"))
    throw UsageError("--settled needs --reason TEXT: it stands in the run's journal");
  auto loaded = load(app);
  const auto store = open_store(app, loaded);
  const auto run = run_meant(app, *store, loaded);
  tell_run(app, run);
  if (const auto unseen = print_picture(app, loaded); !unseen.empty())
    return app.fail(exit_refused, fmt::format("{} cannot be looked at; nothing was changed{}",
                                              base::fold_names(unseen), at_first(app)));
  if (only_prints(app)) {
    tell_outcome(app, run, "would settle", fmt::format("would end run {} as settled", run.id));
    return exit_done;
  }
  if (!confirmed(app, run))
    return app.fail(exit_refused, fmt::format("not confirmed; nothing was changed\n"
                                              "  next  {}    once all is as it should be",
                                              confirmed_command(app, run.id)));
  if (const auto why = end_it(app, *store, loaded, run); !why.empty())
    return app.fail(exit_refused, why + "; nothing was changed" + at_first(app));
  tell_outcome(app, run, "settled", fmt::format("run {} is settled", run.id));
  return exit_done;
}

}  // namespace staithe::cli
