#include "checks_doctor.hpp"

#include "check_context.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "watching.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/world/secrets.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>

namespace staithe::cli {
namespace {

constexpr base::Duration doctor_patience{30'000};

/// One thing that was looked at.
struct Looked {
  std::string type, name;
  std::string fact;     ///< when it is well
  std::string trouble;  ///< "" when it is well
  std::string next{};
};

std::string trouble_when(App& app, const std::function<void()>& look) {
  try {
    look();
    return {};
  } catch (const base::Error& error) {
    if (error.code() == base::ErrorCode::cancelled) throw;
    return app.redactor().clean(error.what());
  } catch (const UsageError& error) {
    return error.what();
  }
}

Looked suites_looked_at(const LoadedSuites& loaded) {
  std::size_t checks = 0, scheduled = 0;
  for (const auto& suite : loaded.plan.suites) {
    checks += suite.setup.size() + suite.steps.size();
    scheduled += suite.schedule.count() > 0 ? 1 : 0;
  }
  return {
      "suites", "suites",
      fmt::format("{}, {}; {} of them on a schedule", base::count_text(loaded.plan.suites.size(), "suite"),
                  base::count_text(checks, "check"), scheduled),
      ""};
}

/// Those of staithe.yml under their names; suites have names of their own for theirs.
void add_secrets(App& app, const LoadedSuites& loaded, std::vector<Looked>& looks) {
  const auto& project = loaded.project->project;
  world::Secrets secrets(app.redactor(), project.directory);
  std::vector<plan::SecretRef> seen;
  const auto add = [&](const plan::SecretRef& ref, const std::string& name, const std::string& fact) {
    const auto look_up = [&] {
      (void)secrets.value(ref, base::Scope::lasting(doctor_patience, &app.stops().soft));
    };
    looks.push_back({"secret", name, fact, trouble_when(app, look_up), "what needs it could not be judged"});
    seen.push_back(ref);
  };
  for (const auto* entries : {&project.secrets, &loaded.project->env().secrets})
    for (const auto& entry : *entries) add(entry.source, entry.name.value, plan::shown(entry.source));
  for (const auto& suite : loaded.plan.suites)
    for (const auto& ref : checks::secrets_of({{}, {}, {suite}}))
      if (std::find(seen.begin(), seen.end(), ref) == seen.end())
        add(ref, plan::shown(ref), "of suite " + suite.name);
}

std::vector<Looked> looks_of(App& app, const LoadedSuites& loaded) {
  std::vector<Looked> looks{suites_looked_at(loaded)};
  add_secrets(app, loaded, looks);
  for (const auto& one : alert_troubles(app, loaded))
    looks.push_back({"alert", one.name, "can be told", app.redactor().clean(one.why),
                     "staithe watch would not start where a suite alerts it"});
  looks.push_back({"watch", "watch", "may listen", trouble_when(app, [&] { (void)front_of(app, loaded); }),
                   "staithe watch would not start"});
  looks.push_back({"state", "state", "can be read",
                   trouble_when(app, [&] { (void)open_store_if_there(app, *loaded.project); }),
                   "checks would have no history, and staithe watch would not start"});
  return looks;
}

void show_looked(App& app, const Looked& look) {
  const auto name = look.type == look.name ? look.name : look.type + " " + look.name;
  app.print(look.trouble.empty() ? fmt::format("{}   {}\n", name, look.fact)
                                 : fmt::format("{}\n  error: {}\n    next  {}\n", name,
                                               base::one_line(look.trouble), look.next));
}

}  // namespace

bool has_only_checks(const Loaded& loaded) {
  const auto& here = loaded.env();
  return here.hosts.empty() && here.balancers.empty() && !suite_files(loaded.project.directory).empty();
}

namespace {

bool is_well(const std::vector<Looked>& looks) {
  return std::all_of(looks.begin(), looks.end(), [](const auto& one) { return one.trouble.empty(); });
}

void show(App& app, const std::vector<Looked>& looks, Records::Place place) {
  if (!app.json()) {
    for (const auto& one : looks) show_looked(app, one);
    return;
  }
  Records records(app, place);
  for (const auto& one : looks)
    records.write({{"type", one.type},
                   {"name", one.name},
                   {"fact", one.trouble.empty() ? one.fact : ""},
                   {"trouble", one.trouble}});
}

}  // namespace

int doctor_of_checks(App& app) {
  const auto looks = looks_of(app, load_suites(app, {}, ""));
  show(app, looks, Records::Place::first);
  const bool well = is_well(looks);
  if (!app.json())
    app.print(well ? "Nothing stands in the way of checks. `staithe check` asks what they ask.\n"
                   : "Errors stand in the way.\n");
  return well ? exit_done : exit_failed;
}

bool doctor_of_checks_too(App& app, Loaded project, plan::Plan survey) {
  LoadedSuites loaded;
  loaded.project = std::move(project);
  loaded.survey = std::move(survey);
  // Before the first deploy there is no release that suites could speak of.
  Rolled rolled{"", app.args().value("service")};
  rolled.release = last_good_release(app, loaded, rolled.service);
  if (rolled.release.empty()) rolled.release.assign(40, '0');
  loaded.plan = read_suites(app, loaded, {}, rolled);
  stop_on_errors(app, loaded.diagnostics);
  const auto looks = looks_of(app, loaded);
  show(app, looks, Records::Place::further);
  return is_well(looks);
}

}  // namespace staithe::cli
