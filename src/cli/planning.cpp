#include "planning.hpp"

#include "exit_codes.hpp"
#include "file_kinds.hpp"
#include "playbook_files.hpp"
#include "ssh_files.hpp"
#include "suggest.hpp"
#include "ways_out.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/git/resolve.hpp"
#include "staithe/plan/secrets.hpp"
#include "staithe/playbook/files.hpp"
#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovered.hpp"
#include "staithe/world/secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

constexpr base::Duration resolve_patience{60'000};
constexpr base::Duration lock_poll{250};

std::pair<std::string, std::string> key_and_value(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(fmt::format("--var takes KEY=VALUE, not '{}'", text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

plan::Amount amount_of(std::string text, std::string_view option) {
  const auto said = text;
  plan::Amount amount;
  if (!text.empty() && text.back() == '%') {
    amount.percent = true;
    text.pop_back();
  }
  if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != std::string::npos)
    throw UsageError(fmt::format("--{} takes a number or a percentage, not '{}'", option, said));
  amount.value = static_cast<std::uint32_t>(std::stoul(text));
  if (amount.percent && amount.value > 100)
    throw UsageError(fmt::format("--{} is at most 100%, not {}%", option, amount.value));
  return amount;
}

std::vector<std::string> hosts_in(const event::RunFinished& finished, event::HostState state) {
  std::vector<std::string> hosts;
  for (const auto& host : finished.hosts)
    if (host.state == state) hosts.push_back(host.name);
  return hosts;
}

/// Whether a recovery has something with which to bring a host back to the release before.
bool reverts(const plan::Plan& plan) {
  return std::any_of(plan.stages.begin(), plan.stages.end(), [](const plan::Stage& stage) {
    return std::any_of(stage.lanes.begin(), stage.lanes.end(),
                       [](const plan::Lane& lane) { return !lane.revert.empty(); });
  });
}

/// What to run next where hosts are left out, or not as they are meant to be.
void advise_out(const App& app, const Loaded& loaded, const Asked& asked, const plan::Plan& plan,
                const event::RunFinished& finished, std::vector<std::string>& next) {
  const auto recover = recover_command(app);
  auto out = hosts_in(finished, event::HostState::out);
  std::vector<std::string> kept_out;
  for (const auto& host : finished.hosts)
    if (host.kept_out && std::erase(out, host.name) > 0) kept_out.push_back(host.name);
  if (!kept_out.empty())
    next.push_back(restore_command(app, loaded, asked, kept_out) + "    once whoever took it out agrees");
  if (!out.empty()) {
    const auto restore = restore_command(app, loaded, asked, out);
    if (plan.kind == "restore") {
      next.push_back(restore + "    again, once it is well");
    } else {
      next.push_back(fmt::format("{}    bring the release before back and give {} back", recover,
                                 base::fold_names(out)));
      next.push_back(restore + "    give back as it is");
    }
  }
  const auto failed = hosts_in(finished, event::HostState::failed);
  const bool half_changed = std::any_of(finished.hosts.begin(), finished.hosts.end(), [](const auto& host) {
    return host.state == event::HostState::failed && host.altered;
  });
  if (plan.kind == "recover" && !failed.empty())
    next.push_back(recover + "    again, once the cause is fixed");
  else if (half_changed && reverts(plan) && out.empty() && finished.exit_code == event::exit_needs_person)
    next.push_back(
        fmt::format("{}    bring {} back to the release before", recover, base::fold_names(failed)));
}

/// None of the run's hosts has got it, and those of earlier runs of the rollout have.
bool left_mixed(const plan::Plan& plan, const event::RunFinished& finished) {
  return finished.exit_code == event::exit_needs_person && !plan::brought_along(plan).empty();
}

/// Of a host that somebody else keeps out: as it is but for that.
bool has_it(const event::RunFinished::Host& host) {
  return host.kept_out.value_or(host.state) == event::HostState::done;
}

/// What a recovery is for: it comes before the hosts that are left, and a deploy would be refused until then.
bool left_to_recover(const plan::Plan& plan, const event::RunFinished& finished) {
  return std::any_of(finished.hosts.begin(), finished.hosts.end(), [&](const auto& host) {
    const bool out = host.state == event::HostState::out && !host.kept_out;
    return out || (host.state == event::HostState::failed && host.altered && reverts(plan));
  });
}

/// What to run next where some hosts have got what was meant and others have not.
void advise_mixed(const App& app, store::Store& store, const Loaded& loaded, const Asked& asked,
                  const plan::Plan& plan, const event::RunFinished& finished, bool bad,
                  std::vector<std::string>& next) {
  const auto done = hosts_in(finished, event::HostState::done);
  if (plan.kind == "drain" && !done.empty())
    next.push_back(restore_command(app, loaded, asked, done) + "    give back what was drained");
  std::vector<std::string> left;
  for (const auto& host : finished.hosts)
    if (!has_it(host)) left.push_back(host.name);
  // Where all were brought back, the release before them would be an older one.
  if (left.size() == finished.hosts.size() && !left_mixed(plan, finished)) return;
  Standing standing;
  standing.unjudged = !done.empty();
  standing.behind = (!done.empty() && !left.empty()) || left_mixed(plan, finished);
  standing.bad = bad;
  standing.first = left_to_recover(plan, finished);
  const auto open = open_ways(standing);
  if (open.on && (plan.kind == "deploy" || plan.kind == "rollback" || plan.kind == "run"))
    next.push_back(on_command(app, store, loaded, asked, plan, left, &finished) +
                   "    go on with the hosts that are left");
  if (open.back && (plan.kind == "deploy" || (plan.kind == "rollback" && bad)))
    next.push_back(rollback_command(app, loaded, asked, plan) + "    bring every host to the release before");
}

/// Where the files say which servers stand for the host.
std::string servers_declared(const Loaded& loaded, const plan::Plan& plan, const std::string& name) {
  const auto* host = loaded.env().find_host(name);
  const auto* service = loaded.project.find_service(plan.service);
  for (const auto* spec :
       {host == nullptr ? nullptr : &host->servers, service == nullptr ? nullptr : &service->servers}) {
    if (spec == nullptr || spec->form == playbook::ServersSpec::Form::unsaid) continue;
    const auto* first = !spec->names.empty()     ? &spec->names.front()
                        : !spec->by_host.empty() ? &spec->by_host.front().first
                                                 : nullptr;
    if (first == nullptr) break;
    return fmt::format("'servers', {}:{}, is to name them as HAProxy does", first->position.file.text(),
                       first->position.line);
  }
  return "'servers' of a service or a host says which stand for it";
}

std::vector<std::string> advice(const App& app, store::Store& store, const Loaded& loaded, Asked asked,
                                const plan::Plan& plan, const event::RunFinished& finished, bool bad) {
  std::vector<std::string> next;
  if (finished.exit_code == 0) return next;
  // What failed was put right on the way: nothing is left to recover.
  if (plan.kind == "recover" && world::put_right(plan, finished) && !finished.but_for_others)
    return {status_command(app) + "    see what runs where"};
  // What ran out of time once would do so again.
  const auto more_time = finished.deadline.count() > 0 ? base::to_text(2 * finished.deadline) : std::string();
  if (!more_time.empty()) asked.deadline = more_time;
  advise_out(app, loaded, asked, plan, finished, next);
  advise_mixed(app, store, loaded, asked, plan, finished, bad, next);
  if (!next.empty() || plan.kind == "exec") return next;
  // What keeps servers out may be a person's doing, or what a run left that nobody has looked at.
  if (finished.wrong_servers)
    next.push_back("man staithe.yml    " + servers_declared(loaded, plan, finished.failed_host));
  else if (finished.failed_kind == "guard" || finished.failed_kind == "survey")
    next.push_back(status_command(app) + "    see which servers are out, and who took them out");
  next.push_back(more_time.empty() ? again_command(app) + "    again, once the cause is fixed"
                                   : again_command(app, more_time) + "    again, with more time");
  return next;
}

/// What cannot be read may have been meant otherwise: as another file, or as a host.
std::string read_playbook(const Loaded& loaded, const std::string& path) {
  try {
    return read_text(path);
  } catch (const FilesWrong& wrong) {
    const auto& environment = loaded.env();
    const auto groups = environment.group_names();
    const bool is_host = environment.find_host(path) != nullptr ||
                         std::find(groups.begin(), groups.end(), path) != groups.end();
    auto help = meant_file(loaded.project.directory, path);
    if (is_host) help = fmt::format("hosts are named with --limit {}", shell_word(path));
    throw FilesWrong(help.empty() ? std::string(wrong.what()) : fmt::format("{} ({})", wrong.what(), help));
  }
}

/// The one of the command line, or the project's own; "" for the built-in one. That one knows nothing of what
/// a project does between checkout and reload: it must not stand in for a playbook that is there.
std::string playbook_named(App& app, const Loaded& loaded) {
  std::error_code none;
  if (!app.args().positionals.empty()) {
    const auto& named = app.args().positionals.front();
    return named == built_in_playbook && !fs::exists(named, none) ? std::string() : named;
  }
  auto path = own_playbook(loaded.project.directory);
  if (path.empty()) return {};
  const bool passed_over = is_of_another_tool(read_text(path), path);
  // What is passed over was perhaps meant: who wants to hear little hears of that.
  if (passed_over || (!app.quiet() && !app.json()))
    app.say(fmt::format("Playbook {}{}, as none is named", base::printable(path),
                        passed_over ? " is another tool's: the built-in one" : ""));
  return passed_over ? std::string() : path;
}

/// Where staithe.yml names the secret; nullptr when a playbook does.
const playbook::SecretEntry* entry_of(const Loaded& loaded, const plan::SecretRef& secret) {
  const auto is_it = [&](const playbook::SecretEntry& entry) { return entry.source == secret; };
  const auto find = [&](const std::vector<playbook::SecretEntry>& entries) {
    const auto found = std::find_if(entries.begin(), entries.end(), is_it);
    return found == entries.end() ? nullptr : &*found;
  };
  for (const auto& environment : loaded.project.environments)
    if (environment.name.value == loaded.environment)
      if (const auto* entry = find(environment.secrets)) return entry;
  return find(loaded.project.secrets);
}

/// A file that nobody named stands in the way, and may be another tool's after all. Not said of what is meant
/// to be a playbook: the built-in one would do less.
void say_way_without(App& app, const std::string& path) {
  app.say(fmt::format("Nobody named {}: 'staithe {} {}' goes without it", base::printable(path),
                      app.args().command->name, built_in_playbook));
}

}  // namespace

playbook::Request request_of(App& app) {
  playbook::Request request;
  const auto& args = app.args();
  request.environment = args.value("environment");
  request.service = args.value("service");
  request.limit = args.value("limit");
  for (const auto& text : args.all("var")) request.vars.push_back(key_and_value(text));
  for (const auto& path : args.all("var-file")) request.var_files.emplace_back(path, read_text(path));
  if (args.has("parallel")) {
    request.parallel = app.number("parallel", 1);
    if (*request.parallel == 0) throw UsageError("--parallel is at least 1");
  }
  if (args.has("deadline")) {
    request.deadline = app.duration("deadline", base::Duration{0});
    if (*request.deadline == base::Duration::zero()) throw UsageError("--deadline is more than nothing");
  }
  if (args.has("max-failures")) request.max_failures = amount_of(args.value("max-failures"), "max-failures");
  return request;
}

playbook::Playbook load_playbook_of(App& app, Loaded& loaded) {
  check_ssh_config(loaded, loaded.env(), loaded.diagnostics);
  const auto path = playbook_named(app, loaded);
  if (path.empty()) return playbook::default_playbook();
  const auto text = read_playbook(loaded, path);
  const bool is_unasked = app.args().positionals.empty() && !has_words_of_playbook(text, path);
  try {
    refuse_other_kinds(path, text);
    auto playbook = playbook::load_playbook(path, text, loaded.diagnostics);
    // What else a plan would find wrong with another tool's file is of no use to anybody.
    if (is_unasked || !playbook) stop_on_errors(app, loaded.diagnostics);
    if (!playbook) throw FilesWrong();
    return std::move(*playbook);
  } catch (const FilesWrong&) {
    if (is_unasked) say_way_without(app, path);
    throw;
  }
}

playbook::Refs resolve_refs(App& app, Loaded& loaded, const playbook::Playbook& playbook,
                            const playbook::Request& request) {
  const auto wanted = playbook::ref_to_resolve(loaded.project, playbook, request, loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  if (!wanted) return {};
  const auto resolved = git::resolve({wanted->repository, {}}, wanted->ref,
                                     base::Scope::lasting(resolve_patience, &app.stops().soft));
  if (!app.quiet() && !app.json())
    app.say(fmt::format(
        "Release {} -> {}{}", wanted->ref, resolved.sha,
        resolved.subject.empty() ? "" : fmt::format(" \"{}\"", base::printable(resolved.subject))));
  return {wanted->ref, resolved.sha, resolved.subject};
}

plan::Plan require_plan(App& app, Loaded& loaded, std::optional<plan::Plan> plan) {
  stop_on_errors(app, loaded.diagnostics);
  if (!plan) throw FilesWrong();
  // As every path of a plan: from the directory of staithe.yml, wherever the person stands.
  if (!plan->source.empty())
    plan->source = fs::proximate(plan->source, fs::current_path() / loaded.project.directory).string();
  return std::move(*plan);
}

Earlier resting_on(const std::string& environment, const std::string& service, const std::string& ended) {
  Earlier earlier;
  earlier.in_the_way = [environment, service, ended](store::Store& now) -> std::string {
    if (world::ended_runs(now, environment, service) == ended) return {};
    return "another run ended since this was planned; next: the same command again, which looks again";
  };
  return earlier;
}

void await_locks(App& app, store::Store* store, const plan::Plan& plan) {
  const auto wait = app.duration("lock-wait", base::Duration{0});
  if (store == nullptr || only_prints(app) || wait == base::Duration::zero()) return;
  const auto scope = base::Scope::lasting(wait, &app.stops().soft);
  bool said = false;
  for (const auto& action : plan.open) {
    const auto* lock = std::get_if<plan::TakeLock>(&action.effect);
    while (lock != nullptr) {
      const auto holder = store->lock_info(lock->scope);
      if (!holder || holder->abandoned) break;
      if (!std::exchange(said, true)) app.say("waiting: " + world::in_words(*holder));
      const auto woke = base::sleep_for(lock_poll, scope);
      if (woke == base::Woke::cancelled) throw base::Error(base::ErrorCode::cancelled, "stopped");
      if (scope.expired()) throw base::Error(base::ErrorCode::conflict, world::in_words(*holder));
    }
  }
}

void warn_of_secrets(Loaded& loaded, const plan::Plan& plan) {
  warn_of_secrets(loaded, plan::needed_secrets_of(plan),
                  plan.kind == "recover" ? "what needs it would fail" : "a run here would be refused");
  warn_of_secrets(loaded, plan::secrets_of_notices(plan), "a run here would notify nobody with it");
}

void warn_of_secrets(Loaded& loaded, const std::vector<plan::SecretRef>& secrets, const std::string& help) {
  for (const auto& secret : secrets) {
    const auto why = world::Secrets::lacks(secret, loaded.project.directory);
    if (why.empty()) continue;
    const auto* entry = entry_of(loaded, secret);
    loaded.diagnostics.warning(entry == nullptr ? diag::Position{} : entry->name.position, why,
                               entry == nullptr ? "" : entry->name.path, help);
  }
}

int run_loaded(App& app, Loaded& loaded, const plan::Plan& plan, Earlier earlier,
               std::optional<Asked> asked) {
  if (only_prints(app)) warn_of_secrets(loaded, plan);
  print_warnings(app, loaded.diagnostics);
  RunRequest request{plan, loaded, std::move(earlier)};
  if (!asked) asked = asked_of(app, loaded);
  request.asked = *asked;
  request.advise = [&app, &plan, &loaded, &asked](store::Store& store, const event::RunFinished& finished,
                                                  const std::vector<std::string>& untidied, bool bad) {
    const auto said = without_secrets(*asked, app.redactor());
    auto next = advice(app, store, loaded, said, plan, finished, bad);
    if (!untidied.empty())
      next.push_back(rest_command(app, loaded, said, plan, untidied) +
                     "    the same release again, which is marked good then");
    return next;
  };
  // A recovery may find that nothing is left to do on any host.
  if (plan.is_protected && !plan::target_hosts(plan).empty())
    request.question =
        fmt::format("{} in {}, which is protected, on {}. Go on?", plan.title, plan.environment,
                    base::count_text(plan::target_hosts(plan).size(), "host"));
  return run_plan(app, request);
}

}  // namespace staithe::cli
