#include "watching.hpp"

#include "check_context.hpp"
#include "looking.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/origin.hpp"
#include "staithe/base/text.hpp"
#include "staithe/watch/schedule.hpp"
#include "staithe/world/check_probes.hpp"
#include "staithe/world/secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace staithe::cli {
namespace {

constexpr std::string_view usual_endpoint = "127.0.0.1:9797";
constexpr std::chrono::seconds between_questions{30};
constexpr std::chrono::seconds alert_patience{30};

const playbook::WatchSettings& settings_of(const LoadedSuites& loaded) {
  static const playbook::WatchSettings usual;
  return loaded.project ? loaded.project->env().watch : usual;
}

std::string directory_of(const LoadedSuites& loaded) {
  return loaded.project ? loaded.project->project.directory : std::string();
}

std::vector<watch::Destination> destinations_of(const LoadedSuites& loaded) {
  using Kind = playbook::AlertTarget::Kind;
  std::vector<watch::Destination> destinations;
  for (const auto& target : settings_of(loaded).alerts)
    destinations.push_back(
        {target.name.value,
         target.kind == Kind::slack ? watch::Destination::Kind::slack : watch::Destination::Kind::pagerduty,
         target.secret, target.url});
  return destinations;
}

/// Why nobody could be told there; "" when one can.
std::string trouble_with(App& app, const LoadedSuites& loaded, const watch::Destination& destination) {
  // What is said of it quotes no value, and one that is wrong may be a word of ours.
  base::Redactor unheard;
  world::Secrets secrets(unheard, directory_of(loaded));
  try {
    const auto value =
        secrets.value(destination.secret, base::Scope::lasting(alert_patience, &app.stops().soft));
    const bool is_url = value.starts_with("https://") || value.starts_with("http://");
    if (destination.kind != watch::Destination::Kind::slack) return {};
    if (!is_url)
      return fmt::format("the webhook, {}, is not a URL: it begins with neither https:// nor http://",
                         plan::shown(destination.secret));
    return base::http_place(value)
               ? ""
               : fmt::format("the webhook, {}, is a URL that names no host", plan::shown(destination.secret));
  } catch (const base::Error& error) {
    if (error.code() == base::ErrorCode::cancelled) throw;
    return error.what();
  }
}

/// An alert that cannot be sent is found now, not when it burns. `before`: those who are told already; what
/// is wrong with one of those is no reason to go on as before, and is told when something is to be sent.
void check_secrets(App& app, const LoadedSuites& loaded, const std::vector<watch::Destination>& needed,
                   const std::vector<watch::Destination>& before) {
  std::string troubles;
  for (const auto& one : needed) {
    if (std::find(before.begin(), before.end(), one) != before.end()) continue;
    if (const auto trouble = trouble_with(app, loaded, one); !trouble.empty())
      troubles += fmt::format("{}alerts for '{}' could not be sent: {}", troubles.empty() ? "" : "\n  ",
                              one.name, trouble);
  }
  if (!troubles.empty()) throw base::Error(base::ErrorCode::invalid, troubles);
}

void give_schedules(LoadedSuites& loaded, const std::vector<std::string>& named, base::Duration every) {
  for (auto& suite : loaded.plan.suites)
    if (suite.schedule.count() == 0) suite.schedule = every;
  const auto intervals = watch::intervals_of(loaded.plan);
  std::size_t watched = 0, wrong = 0;
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const bool asks = loaded.plan.suites[i].unread.empty();
    watched += asks && intervals[i].count() > 0 ? 1 : 0;
    wrong += asks ? 0 : 1;
    if (intervals[i].count() == 0 && !named.empty())
      throw UsageError(
          fmt::format("suite {} has no schedule: write 'schedule: every 5m' into it, or give --every",
                      loaded.plan.suites[i].name));
  }
  if (watched == 0)
    throw UsageError(
        fmt::format("no suite has a schedule{}: write 'schedule: every 5m' into one, or give --every",
                    wrong > 0 ? " beside those whose files are wrong" : ""));
}

/// One reading of the files, and what its runs share.
class Suites {
 public:
  Suites(App& app, LoadedSuites loaded) : app_(app), loaded_(std::move(loaded)) {}

  /// Connections and secrets are of one run: what is asked is how a customer would get through now, and a
  /// secret may have been changed since.
  verify::RunResult run(const checks::SuitePlan& part, const verify::Options& options,
                        const std::vector<verify::Listener*>& listeners) {
    world::CheckProbes probes(loaded_.survey, app_.redactor(), {}, directory_of(loaded_),
                              world::Secrets::Known::while_used);
    return verify::run(part, options, probes, nullptr, app_.redactor(), listeners);
  }

  /// A deploy has ended meanwhile: suites name the release that they expect. One thread.
  bool release_changed() {
    if (!loaded_.project) return false;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_question_) return false;
    next_question_ = now + between_questions;
    const auto release = last_good_release(app_, loaded_, app_.args().value("service"));
    return !release.empty() && release != loaded_.plan.release;
  }

 private:
  App& app_;
  LoadedSuites loaded_;
  std::chrono::steady_clock::time_point next_question_ = std::chrono::steady_clock::now() + between_questions;
};

}  // namespace

Front front_of(App& app, const LoadedSuites& loaded) {
  const auto& settings = settings_of(loaded);
  const std::string text = app.args().has("listen") ? app.args().value("listen")
                           : settings.listen        ? settings.listen->value
                                                    : std::string(usual_endpoint);
  const auto endpoint = httpd::parse_endpoint(text);
  if (!endpoint)
    throw UsageError(
        fmt::format("'{}' is not an address to listen on: write 127.0.0.1:9797 or [::1]:9797", text));
  Front front{*endpoint, ""};
  if (settings.token) {
    // The redactor hears of it when it is good: one that is short stands in words of ours too.
    base::Redactor unheard;
    world::Secrets secrets(unheard, directory_of(loaded));
    front.token = secrets.value(*settings.token, base::Scope::lasting(alert_patience, &app.stops().soft));
    if (front.token.size() < 16)
      throw base::Error(base::ErrorCode::invalid, fmt::format("the token, {}, is shorter than 16 characters",
                                                              plan::shown(*settings.token)));
    app.redactor().add(front.token);
  }
  if (front.token.empty() && !httpd::is_loopback(front.endpoint))
    throw UsageError(
        fmt::format("{} can be reached from elsewhere, where everybody could read what is checked: "
                    "name a secret, 'watch: {{token: env NAME}}', or listen on 127.0.0.1",
                    text));
  return front;
}

std::vector<AlertTrouble> alert_troubles(App& app, const LoadedSuites& loaded) {
  std::vector<AlertTrouble> found;
  for (const auto& one : destinations_of(loaded)) found.push_back({one.name, trouble_with(app, loaded, one)});
  return found;
}

std::vector<watch::Destination> told_by(const watch::Programme& programme) {
  auto all = programme.destinations;
  std::set<std::string> named;
  for (const auto& suite : programme.plan.suites) {
    if (!suite.unread.empty()) continue;  // nobody knows whom it names
    if (suite.alert.to.empty()) return all;
    named.insert(suite.alert.to.begin(), suite.alert.to.end());
  }
  std::erase_if(all, [&](const auto& one) { return named.count(one.name) == 0; });
  return all;
}

watch::Programme programme_of(App& app, LoadedSuites loaded, base::Duration every,
                              const std::function<std::unique_ptr<verify::Listener>()>& listener,
                              const std::vector<watch::Destination>& before) {
  const auto& named = app.args().positionals;
  give_schedules(loaded, named, every);
  watch::Programme programme;
  programme.plan = loaded.plan;
  programme.destinations = destinations_of(loaded);
  check_secrets(app, loaded, told_by(programme), before);
  const auto suites = std::make_shared<Suites>(app, std::move(loaded));
  programme.run = [suites, listener](const checks::SuitePlan& part, const verify::Options& options) {
    const auto log = listener();
    return suites->run(part, options, {log.get()});
  };
  programme.outdated = [suites] { return suites->release_changed(); };
  return programme;
}

}  // namespace staithe::cli
