#include "status_picture.hpp"

#include "exit_codes.hpp"
#include "out_words.hpp"
#include "suggest.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/haproxy/state.hpp"
#include "staithe/world/past_runs.hpp"

#include <fmt/format.h>

#include <algorithm>

/// What `status` tells: where it is looked for, and what it comes to.
namespace staithe::cli {
namespace {

constexpr base::Duration status_patience{60'000};

/// A host that runs no service (a balancer's) has nothing to say here. One that runs two is asked for each.
std::vector<world::HostWish> wishes_for(App& app, Loaded& loaded, Picture& picture) {
  std::vector<world::HostWish> wishes;
  const auto services = services_meant(app, loaded);
  for (const auto* service : services) {
    for (auto& wish : wishes_of(sites_of_service(app, loaded, *service, picture.hosts))) {
      if (wish.path.empty()) continue;
      wishes.push_back(std::move(wish));
      picture.services.push_back(service->name.value);
    }
  }
  if (!services.empty()) return wishes;
  for (const auto& host : picture.hosts) wishes.push_back({host, "", ""});
  picture.services.resize(wishes.size());
  return wishes;
}

/// Who took out what: of hosts that are out, and of those that are in and should not be.
void add_taken(App& app, store::Store& store, const Loaded& loaded, Picture& picture) {
  std::set<std::string> seated;
  for (const auto& balancer : picture.survey.balancers)
    for (const auto& server : balancer.servers)
      if (!server.host.empty()) seated.insert(server.host);
  auto taken = world::taken_out(store, loaded.environment, {seated.begin(), seated.end()});
  // A drain that is taken up again after a reload of one balancer finds the others' servers out: what counts
  // is what the first of ours had found.
  std::set<std::string> ours;
  for (const auto& [host, by] : taken) ours.insert(host);
  for (auto& [host, found] : world::drains_on_record(store, loaded.environment, ours))
    taken.at(host).found = std::move(found);
  picture.lapsed = lapsed(taken, picture.survey.balancers);
  std::erase_if(taken, [&](const auto& known) { return picture.out.count(known.first) == 0; });
  picture.taken = std::move(taken);
  std::map<std::string, std::vector<std::string>> again;  // by run
  for (const auto& [host, once] : picture.lapsed)
    if (once.taken.on_purpose) again[once.taken.run_id].push_back(host);
  for (const auto& [run, hosts] : again)
    picture.drain.push_back(drain_command(app, loaded, asked_of(store, run), hosts,
                                          reason_of(picture.lapsed.at(hosts.front()).taken)));
}

void add_state(App& app, store::Store& store, const Loaded& loaded, Picture& picture) {
  add_taken(app, store, loaded, picture);
  picture.unfinished = store.unfinished(loaded.environment);
  picture.failed = world::left_failed(store, loaded.environment);
  std::erase_if(picture.failed, [&](const auto& left) {
    return std::find(picture.hosts.begin(), picture.hosts.end(), left.first) == picture.hosts.end();
  });
  const bool first = !picture.unfinished.empty() || !picture.to_recover().empty();
  for (const auto& [service, versions] : picture.versions) {
    auto out = ways_out(app, store, loaded, service, versions, first);
    if (!out.bad.empty()) picture.bad[service] = std::move(out.bad);
    picture.ways.insert(picture.ways.end(), out.ways.begin(), out.ways.end());
    if (out.unjudged) picture.unjudged.push_back(std::move(*out.unjudged));
  }
  for (auto& task : world::unjudged_tasks(store, loaded.environment)) {
    if (!first) picture.ways.push_back(way_out(app, store, loaded, task));
    picture.unjudged.push_back(std::move(task));
  }
  picture.restore = restore_commands(app, loaded, store, picture.to_restore());
  for (auto& lock : store.locks())
    if (lock.scope.rfind(loaded.environment + "/", 0) == 0 || lock.scope == loaded.environment)
      picture.locks.push_back(std::move(lock));
}

}  // namespace

bool Picture::differ() const {
  return std::any_of(versions.begin(), versions.end(),
                     [](const auto& service) { return service.second.size() > 1; });
}

bool Picture::is_bad(const std::string& service, const std::string& release) const {
  const auto known = bad.find(service);
  return known != bad.end() && known->second.count(release) > 0;
}

bool Picture::under_way(const std::string& service) const {
  return std::any_of(unfinished.begin(), unfinished.end(), [&](const auto& run) {
    return run.owner != store::Owner::gone && (service.empty() || run.service == service);
  });
}

bool Picture::is_open(const world::LeftFailed& left) const {
  return !under_way(left.run.service);
}

bool Picture::trouble() const {
  for (const auto& host : survey.hosts)
    if (!host.trouble.empty() || !host.running_trouble.empty()) return true;
  for (const auto& balancer : survey.balancers)
    if (!balancer.trouble.empty()) return true;
  return !survey.notes.empty();
}

std::vector<std::string> Picture::distrusted() const {
  std::set<std::string> names;
  for (const auto& host : survey.hosts)
    if (!host.trouble.empty() && host.code == base::ErrorCode::host_key) names.insert(host.host);
  return {names.begin(), names.end()};
}

std::map<std::string, std::string> Picture::to_restore() const {
  std::map<std::string, std::string> left;
  for (const auto& host : out) {
    const auto found = taken.find(host);
    if (found == taken.end() || !found->second.in_hand)
      left.emplace(host, found == taken.end() ? "" : found->second.run_id);
  }
  for (const auto& [host, once] : lapsed) left.emplace(host, once.taken.run_id);
  return left;
}

std::vector<std::string> Picture::run_another() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < survey.hosts.size(); ++i)
    if (world::runs_another(survey.hosts[i]) && !under_way(services[i]))
      names.push_back(survey.hosts[i].host);
  return names;
}

bool Picture::died() const {
  return std::any_of(unfinished.begin(), unfinished.end(),
                     [](const auto& run) { return run.owner == store::Owner::gone; });
}

std::vector<store::Run> Picture::to_recover() const {
  std::vector<store::Run> runs;
  const auto add = [&](store::Run run) {
    const bool known = std::any_of(runs.begin(), runs.end(), [&](const auto& r) { return r.id == run.id; });
    if (!known) runs.push_back(std::move(run));
  };
  for (const auto& run : unfinished)
    if (run.owner == store::Owner::gone && run.kind != "recover") add(run);
  if (runs.empty() && died()) add({});  // only a recovery: what it was for is looked for
  const auto add_left = [&](const world::TakenOut& by) {
    store::Run run;
    run.id = by.run_id;
    if (!by.in_hand && !by.on_purpose) add(std::move(run));
  };
  for (const auto& [host, by] : taken) add_left(by);
  for (const auto& [host, once] : lapsed) add_left(once.taken);
  for (const auto& [host, left] : failed)
    if (is_open(left)) add(left.run);
  return runs;
}

bool Picture::needs_person() const {
  if (!lapsed.empty()) return true;
  for (const auto& host : out) {
    const auto found = taken.find(host);
    if (found != taken.end() && !found->second.in_hand && !found->second.on_purpose) return true;
  }
  for (const auto& [host, left] : failed)
    if (is_open(left)) return true;
  if (!run_another().empty()) return true;
  for (const auto& [run, words] : unjudged)
    if (run.exit_code == exit_needs_person && !under_way(run.service)) return true;
  // While a deploy is under way versions differ as a matter of course.
  return ((differ() || !bad.empty()) && !under_way()) || died();
}

std::vector<world::HostLook> hosts_with(const Picture& picture, const std::string& service) {
  std::vector<world::HostLook> hosts;
  for (std::size_t i = 0; i < picture.survey.hosts.size(); ++i)
    if (picture.services[i] == service) hosts.push_back(picture.survey.hosts[i]);
  return hosts;
}

Picture take_picture(App& app, Loaded& loaded) {
  Picture picture;
  const auto plan = survey_plan(app, loaded, base::join(app.args().positionals, ","));
  picture.hosts = hosts_meant(app, loaded);
  const auto wishes = wishes_for(app, loaded, picture);
  picture.survey = world::look(plan, wishes, world::Look::both, person_of(app),
                               base::Scope::lasting(status_patience, &app.stops().soft));
  for (const auto& balancer : picture.survey.balancers)
    for (const auto& server : balancer.servers)
      if (!server.host.empty() && haproxy::own_state(server.state.admin) != haproxy::Own::ready)
        picture.out.insert(server.host);
  for (const auto& service : picture.services)
    if (picture.versions.count(service) == 0)
      picture.versions[service] = world::versions(hosts_with(picture, service));
  bool known = false;
  try {
    const auto store = open_store_if_there(app, loaded);
    if (store) add_state(app, *store, loaded, picture);
    known = store != nullptr;
  } catch (const base::Error& error) {
    if (error.code() == base::ErrorCode::cancelled) throw;
    // What the balancers and hosts say is worth being shown all the same.
    picture.no_state = true;
    picture.survey.notes.push_back(fmt::format(
        "the state cannot be read ({}): who took hosts out, locks and runs are not shown", error.what()));
  }
  if (!known && !picture.out.empty())
    picture.restore = {
        restore_command(app, loaded, asked_of(app, loaded), {picture.out.begin(), picture.out.end()})};
  return picture;
}

}  // namespace staithe::cli
