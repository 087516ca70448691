#include "commands.hpp"
#include "exit_codes.hpp"
#include "version.hpp"
#include "watch_log.hpp"
#include "watching.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"
#include "staithe/watch/routes.hpp"
#include "staithe/world/secrets.hpp"

#include <fmt/format.h>

#include <atomic>
#include <set>

namespace staithe::cli {
namespace {

/// Two that watch the same would both alert, and each would forget what the other knows.
std::optional<store::Lock> only_one(store::Store& store, const std::string& environment, int& code,
                                    App& app) {
  auto result = store.try_lock({environment + "/watch", "watch", "", ""});
  if (auto* lock = std::get_if<store::Lock>(&result)) return std::move(*lock);
  const auto& holder = std::get<store::LockInfo>(result);
  code = app.fail(exit_refused, fmt::format("{} is already being watched by {}; nothing was started",
                                            environment, holder.holder));
  return std::nullopt;
}

/// SIGHUP means the watcher while there is one.
class HangUp {
 public:
  HangUp(App& app, watch::Watcher& watcher) : app_(app) {
    app_.on_hang_up([&watcher] { watcher.reload(); });
  }
  ~HangUp() { app_.on_hang_up(nullptr); }
  HangUp(const HangUp&) = delete;
  HangUp& operator=(const HangUp&) = delete;

 private:
  App& app_;
};

/// Files that are wrong beside others: these are watched all the same. A file that is in use and has become
/// wrong is another matter, for what was read before goes on. One thread at a time.
class LeftOut {
 public:
  bool has(const std::string& file) const { return files_.count(file) > 0; }

  void tell(App& app, const LoadedSuites& loaded) const {
    if (loaded.unread.empty()) return;
    diag::Diagnostics all;
    for (const auto& one : loaded.unread) take_over(one.found, all);
    const auto consequence = app.consequence();
    app.mistakes_mean("what is wrong is not watched; the other suites are");
    print_findings(app, all);
    app.mistakes_mean(consequence);
  }

  void remember(const checks::SuitePlan& plan) {
    files_.clear();
    for (const auto& suite : plan.suites)
      if (!suite.unread.empty()) files_.insert(suite.file);
  }

 private:
  std::set<std::string> files_;
};

constexpr const char* go_on = "the files read before stay in use";

/// What is wrong with the files, in words, for /verify and the log; findings have been printed on stderr, and
/// whatever else it is is said there too.
watch::Programme in_words(App& app, const std::function<watch::Programme()>& read) {
  const auto told = [&](const char* what) {
    auto text = app.redactor().clean(what);
    app.say(fmt::format("staithe: {}; {}", text, go_on));
    return text;
  };
  try {
    return read();
  } catch (const FilesWrong& wrong) {
    if (*wrong.what() == '\0')
      throw base::Error(base::ErrorCode::invalid, app.redactor().clean(wrong.findings()));
    throw base::Error(base::ErrorCode::invalid, told(wrong.what()));
  } catch (const base::Error& error) {
    throw base::Error(error.code(), told(error.what()));
  } catch (const UsageError& error) {
    throw base::Error(base::ErrorCode::invalid, told(error.what()));
  }
}

watch::Settings settings_of(App& app, const LoadedSuites& loaded, store::Store* store, WatchLog& log) {
  watch::Settings settings;
  settings.version = version;
  settings.soft = &app.stops().soft;
  settings.hard = &app.stops().hard;
  settings.store = store;
  settings.log = [&log](const watch::Note& note) { log.note(note); };
  settings.ways.clean = [&app](const std::string& text) { return app.redactor().clean(text); };
  const auto directory = loaded.project ? loaded.project->project.directory : std::string();
  settings.ways.secret = [&app, directory](const plan::SecretRef& ref, const base::Scope& scope) {
    return world::Secrets(app.redactor(), directory, world::Secrets::Known::while_used).value(ref, scope);
  };
  if (!loaded.project) return settings;
  settings.project = loaded.project->project.name.value;
  settings.at_once = loaded.project->env().watch.at_once;
  settings.remind = loaded.project->env().watch.remind;
  return settings;
}

/// Zero: as each suite's schedule says.
base::Duration period_of(App& app) {
  if (app.args().has("report"))
    throw UsageError(
        "watch writes no --report, because it never ends: its log on standard output has every run");
  const auto every = app.duration("every", base::Duration{0});
  if (app.args().has("every") && every < std::chrono::seconds(1)) throw UsageError("--every is at least 1s");
  return every;
}

}  // namespace

int run_watch(App& app) {
  const auto every = period_of(app);
  // The files are looked at first: a mistake in them is no reason to take a lock.
  LeftOut left_out;
  auto loaded = load_suites(app, app.args().positionals, "", [](const std::string&) { return true; });
  left_out.tell(app, loaded);
  const auto front = front_of(app, loaded);
  std::unique_ptr<store::Store> store;
  std::optional<store::Lock> lock;
  if (loaded.project) {
    store = open_store(app, *loaded.project);
    int code = exit_done;
    lock = only_one(*store, loaded.project->environment, code, app);
    if (!lock) return code;
  }
  WatchLog log(app);
  std::vector<watch::Destination> told;  // one reading at a time
  const auto made_of = [&](LoadedSuites read) {
    auto programme = programme_of(
        app, std::move(read), every, [&log] { return log.listener(); }, told);
    told = told_by(programme);
    left_out.remember(programme.plan);
    return programme;
  };
  auto service = watch::ServiceManager::from_environment();
  auto settings = settings_of(app, loaded, store.get(), log);
  settings.service = &service;
  if (lock) settings.lock = &*lock;
  const auto environment = loaded.project ? loaded.project->environment : std::string();
  std::atomic<bool> lost{false};
  settings.lock_lost = [&app, &lost] {
    lost = true;
    app.stops().exit_code = exit_refused;
    app.stops().soft.request();
  };
  settings.read = [&] {
    return in_words(app, [&] {
      return made_of(load_suites(app, app.args().positionals, "",
                                 [&](const std::string& file) { return left_out.has(file); }));
    });
  };
  auto first = made_of(std::move(loaded));
  app.mistakes_mean(go_on);
  std::optional<watch::Watcher> running;
  auto& watcher = running.emplace(std::move(first), std::move(settings));
  std::optional<httpd::Server> server;
  server.emplace(front.endpoint, [&](const httpd::Request& request) {
    return watch::answer(request, front.token, [&] { return watcher.overview(); });
  });
  const auto watched = watcher.overview().suites.size();
  log.note({"watching", {{"suites", std::to_string(watched)}, {"url", server->url()}}});
  if (!app.quiet())
    app.say(
        fmt::format("Watching {}; {} shows their state.", base::count_text(watched, "suite"), server->url()));
  {
    const HangUp hang_up(app, watcher);
    watcher.run();
  }
  // Said last: whoever has stopped reading what is said keeps nothing going.
  server.reset();
  if (lost)
    app.fail(exit_refused,
             fmt::format("{} is watched by another one from now on, or its lock was taken away; "
                         "this watch ends",
                         environment));
  return app.stops().exit_code.load();
}

}  // namespace staithe::cli
