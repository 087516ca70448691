#include "commands.hpp"
#include "exit_codes.hpp"
#include "lapsed.hpp"
#include "looking.hpp"
#include "out_words.hpp"
#include "planning.hpp"
#include "status_records.hpp"
#include "suggest.hpp"
#include "ways_out.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/world/faults.hpp"
#include "staithe/world/past_runs.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace staithe::cli {
namespace {

using nlohmann::json;

constexpr base::Duration status_patience{60'000};

/// Everything that status tells, gathered before a line of it is printed.
struct Picture {
  world::Survey survey;
  std::vector<std::string> hosts;                ///< in the order of the inventory
  std::map<std::string, world::TakenOut> taken;  ///< by host
  std::set<std::string> out;                     ///< hosts that some server of theirs is out by command
  std::map<std::string, Lapsed> lapsed;          ///< hosts that are not out where a run had taken them
  bool no_state = false;                         ///< what runs did could not be read
  std::vector<store::LockInfo> locks;
  std::vector<store::Run> unfinished;
  std::map<std::string, world::LeftFailed> failed;  ///< by host
  std::vector<Way> ways;                            ///< off releases that differ or are bad, and the like
  std::vector<world::Unjudged> unjudged;            ///< runs whose end is missing
  std::vector<std::string> drain;                   ///< what takes those out again that were to stay out
  std::vector<std::string> restore;                 ///< what gives to_restore() back
  std::vector<std::string> services;         ///< of each of the survey's hosts, in its order; "" for none
  std::map<std::string, Versions> versions;  ///< by service
  std::map<std::string, std::map<std::string, std::string>>
      bad;  ///< by service: releases there that are, each with the run that found so

  bool differ() const {
    return std::any_of(versions.begin(), versions.end(),
                       [](const auto& service) { return service.second.size() > 1; });
  }

  bool is_bad(const std::string& service, const std::string& release) const {
    const auto known = bad.find(service);
    return known != bad.end() && known->second.count(release) > 0;
  }

  /// Some run is, of any service where none is named.
  bool under_way(const std::string& service = {}) const {
    return std::any_of(unfinished.begin(), unfinished.end(), [&](const auto& run) {
      return run.owner != store::Owner::gone && (service.empty() || run.service == service);
    });
  }

  /// While its service is being worked on, what becomes of the host is not known yet.
  bool is_open(const world::LeftFailed& left) const { return !under_way(left.run.service); }

  bool trouble() const {
    for (const auto& host : survey.hosts)
      if (!host.trouble.empty() || !host.running_trouble.empty()) return true;
    for (const auto& balancer : survey.balancers)
      if (!balancer.trouble.empty()) return true;
    return !survey.notes.empty();
  }

  /// Hosts whose key is not known, or not the one on record.
  std::vector<std::string> distrusted() const {
    std::set<std::string> names;
    for (const auto& host : survey.hosts)
      if (!host.trouble.empty() && host.code == base::ErrorCode::host_key) names.insert(host.host);
    return {names.begin(), names.end()};
  }

  /// Hosts that are out and that no run has in hand, each with the run that took it, "" for none of ours.
  std::map<std::string, std::string> to_restore() const {
    std::map<std::string, std::string> left;
    for (const auto& host : out) {
      const auto found = taken.find(host);
      if (found == taken.end() || !found->second.in_hand)
        left.emplace(host, found == taken.end() ? "" : found->second.run_id);
    }
    for (const auto& [host, once] : lapsed) left.emplace(host, once.taken.run_id);
    return left;
  }

  bool died() const {
    return std::any_of(unfinished.begin(), unfinished.end(),
                       [](const auto& run) { return run.owner == store::Owner::gone; });
  }

  /// The runs that left something, those that died first.
  std::vector<store::Run> to_recover() const {
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

  /// Somebody has to come: a run left a host out or half changed, or died, or nobody judged what it brought,
  /// or hosts run different releases or a bad one, or visitors come to one that is meant to be out.
  bool needs_person() const {
    if (!lapsed.empty()) return true;
    for (const auto& host : out) {
      const auto found = taken.find(host);
      if (found != taken.end() && !found->second.in_hand && !found->second.on_purpose) return true;
    }
    for (const auto& [host, left] : failed)
      if (is_open(left)) return true;
    for (const auto& [run, words] : unjudged)
      if (run.exit_code == exit_needs_person && !under_way(run.service)) return true;
    // While a deploy is under way versions differ as a matter of course.
    return ((differ() || !bad.empty()) && !under_way()) || died();
  }
};

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

std::vector<world::HostLook> hosts_with(const Picture& picture, const std::string& service) {
  std::vector<world::HostLook> hosts;
  for (std::size_t i = 0; i < picture.survey.hosts.size(); ++i)
    if (picture.services[i] == service) hosts.push_back(picture.survey.hosts[i]);
  return hosts;
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
  for (const auto& [service, versions] : picture.versions) {
    auto out = ways_out(app, store, loaded, service, versions);
    if (!out.bad.empty()) picture.bad[service] = std::move(out.bad);
    picture.ways.insert(picture.ways.end(), out.ways.begin(), out.ways.end());
    if (out.unjudged) picture.unjudged.push_back(std::move(*out.unjudged));
  }
  for (auto& task : world::unjudged_tasks(store, loaded.environment)) {
    picture.ways.push_back(way_out(app, store, loaded, task));
    picture.unjudged.push_back(std::move(task));
  }
  picture.restore = restore_commands(app, loaded, store, picture.to_restore());
  for (auto& lock : store.locks())
    if (lock.scope.rfind(loaded.environment + "/", 0) == 0 || lock.scope == loaded.environment)
      picture.locks.push_back(std::move(lock));
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

std::string whose(const Picture& picture, const std::string& host) {
  const auto found = picture.taken.find(host);
  if (found == picture.taken.end()) return picture.no_state ? "by whom is not known" : not_ours;
  return by_whom(found->second);
}

/// A line that may hold what somebody else has written: into the state, or on a host.
void say_line(App& app, const std::string& line) {
  app.print(base::one_line(line) + "\n");
}

void print_balancer(App& app, const world::BalancerLook& balancer) {
  if (!balancer.trouble.empty()) {
    say_line(app, fmt::format("{}   CANNOT BE LOOKED AT: {}", balancer.name, balancer.trouble));
    app.print("\n");
    return;
  }
  say_line(app, fmt::format("{}   HAProxy {}, pid {}, level {}, up {}{}", balancer.name,
                            balancer.info.version, balancer.info.pid, balancer.level,
                            base::elapsed_text(std::chrono::seconds(balancer.info.uptime_seconds)),
                            balancer.info.stopping ? ", STOPPING" : ""));
  std::vector<std::vector<std::string>> rows;
  for (const auto& backend : balancer.backends) {
    const bool any = std::any_of(balancer.servers.begin(), balancer.servers.end(), [&](const auto& server) {
      return server.state.ref.backend == backend.ref.backend;
    });
    if (!any) continue;
    std::size_t usable = 0, all = 0;
    std::vector<std::vector<std::string>> servers;
    for (const auto& server : balancer.servers) {
      if (server.state.ref.backend != backend.ref.backend) continue;
      ++all;
      usable += server.state.usable() ? 1 : 0;
      const auto& name = server.state.ref.server;
      const auto host = server.host.empty() || server.host == name ? "" : " (" + server.host + ")";
      servers.push_back(
          {"  " + name + host, world::state_in_words(server.state),
           base::count_text(server.stat.sessions, "session"),
           fmt::format("weight {}{}", server.state.weight, server.stat.backup ? ", backup" : "")});
    }
    rows.push_back({backend.ref.backend, fmt::format("{} of {} usable", usable, all),
                    base::count_text(backend.sessions, "session"),
                    backend.queued > 0 ? fmt::format("{} queued", backend.queued) : ""});
    rows.insert(rows.end(), servers.begin(), servers.end());
  }
  app.print(aligned(rows, 2) + "\n");
}

std::string running_text(const world::HostLook& host) {
  if (!host.running_trouble.empty()) return "does not say what runs: " + host.running_trouble;
  if (host.running.empty()) return "";
  const auto runs = world::running_release(host);
  return runs == host.current ? "runs it" : "RUNS " + runs;
}

void print_releases(App& app, const Picture& picture, const std::string& service) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& host : hosts_with(picture, service)) {
    if (!host.trouble.empty()) {
      rows.push_back({host.host, "CANNOT BE LOOKED AT: " + host.trouble});
      continue;
    }
    const auto* live = host.find(host.current);
    // What a host has for good may have failed elsewhere since.
    const auto good = picture.is_bad(service, host.current) ? "bad"
                      : live == nullptr                     ? ""
                      : live->good                          ? "good"
                                                            : "never proved good";
    rows.push_back({host.host, host.current.empty() ? "no release" : host.current, good, running_text(host)});
  }
  const auto& versions = picture.versions.at(service);
  app.print((picture.versions.size() > 1 ? "Releases of " + service : "Releases") + "\n" + aligned(rows, 2));
  if (versions.size() > 1) {
    std::string differ;
    for (const auto& [id, hosts] : versions)
      differ += fmt::format("{}{} on {}", differ.empty() ? "" : "; ", id, base::fold_names(hosts));
    say_line(app, "  VERSIONS DIFFER: " + differ);
  }
  if (const auto bad = picture.bad.find(service); bad != picture.bad.end())
    for (const auto& [id, run] : bad->second)
      say_line(app, fmt::format("  BAD: {}, as run {} found", id, run));
  app.print("\n");
}

void print_state(App& app, const Picture& picture) {
  // One that some balancer lets in again is told below, with who had taken it out.
  for (const auto& host : picture.out)
    if (picture.lapsed.count(host) == 0)
      say_line(app, fmt::format("Out of rotation: {}   {}", host, whose(picture, host)));
  for (const auto& [host, once] : picture.lapsed) say_line(app, "NOT OUT: " + in_words(host, once));
  for (const auto& [host, left] : picture.failed)
    say_line(app, fmt::format("FAILED: {}   {}; left so by {}, run {}, {}: {}", host, left.words,
                              left.run.user, left.run.id, when_text(left.run.started), left.run.title));
  for (const auto& [run, words] : picture.unjudged)
    say_line(app, fmt::format("UNFINISHED: run {}   {}; {} by {}, {}", run.id, words, run.title, run.user,
                              when_text(run.started)));
  for (const auto& lock : picture.locks)
    say_line(app, fmt::format("Locked: {}   by {} since {}: {} (run {}){}", lock.scope, lock.holder,
                              when_text(lock.taken), lock.reason, lock.run_id,
                              lock.abandoned ? "; its owner is GONE" : ""));
  for (const auto& run : picture.unfinished)
    say_line(app, fmt::format("{}: run {}   {} by {} since {}",
                              run.owner == store::Owner::gone ? "DIED" : "Under way", run.id, run.title,
                              run.user, when_text(run.started)));
  for (const auto& note : picture.survey.notes) say_line(app, "Note: " + note);
}

json host_json(const world::HostLook& host, const std::string& service, const Picture& picture) {
  auto releases = json::array();
  for (const auto& release : host.releases)
    releases.push_back({{"id", release.id}, {"sha", release.sha}, {"good", release.good}});
  json record{{"type", "host"},          {"host", host.host},
              {"service", service},      {"trouble", host.trouble},
              {"current", host.current}, {"bad", picture.is_bad(service, host.current)},
              {"running", host.running}, {"running_trouble", host.running_trouble},
              {"releases", releases},    {"out", picture.out.count(host.host) > 0}};
  if (const auto left = picture.failed.find(host.host);
      left != picture.failed.end() &&
      (left->second.run.service.empty() || left->second.run.service == service))
    record["failed"] = {{"run_id", left->second.run.id},
                        {"user", left->second.run.user},
                        {"title", left->second.run.title},
                        {"since", base::utc_text_ms(left->second.run.started)},
                        {"left", left->second.words}};
  const auto taken = picture.taken.find(host.host);
  const auto lapsed = picture.lapsed.find(host.host);
  const bool let_in = lapsed != picture.lapsed.end();
  if (taken == picture.taken.end() && !let_in) return record;
  const auto& by = let_in ? lapsed->second.taken : taken->second;
  record["taken_out"] = {{"run_id", by.run_id},
                         {"user", by.user},
                         {"title", by.title},
                         {"since", base::utc_text_ms(by.when)},
                         {"in_hand", by.in_hand},
                         {"on_purpose", by.on_purpose},
                         {"let_in", let_in ? lapsed->second.let_in : std::vector<std::string>()}};
  return record;
}

/// All but the last record of `status`.
void print_json(Records& records, const Picture& picture) {
  for (const auto& balancer : picture.survey.balancers) records.write(balancer_json(balancer));
  for (std::size_t i = 0; i < picture.survey.hosts.size(); ++i)
    records.write(host_json(picture.survey.hosts[i], picture.services[i], picture));
  for (const auto& lock : picture.locks)
    records.write({{"type", "lock"},
                   {"scope", lock.scope},
                   {"holder", lock.holder},
                   {"reason", lock.reason},
                   {"run_id", lock.run_id},
                   {"taken", base::utc_text_ms(lock.taken)},
                   {"abandoned", lock.abandoned}});
  for (const auto& unjudged : picture.unjudged) records.write(unjudged_json(unjudged));
  for (const auto& run : picture.unfinished)
    records.write({{"type", "unfinished_run"},
                   {"run_id", run.id},
                   {"title", run.title},
                   {"user", run.user},
                   {"started", base::utc_text_ms(run.started)},
                   {"died", run.owner == store::Owner::gone}});
}

void print_json(App& app, const Loaded& loaded, const Picture& picture, int code) {
  Records records(app);
  print_json(records, picture);
  Versions all;
  for (const auto& [service, versions] : picture.versions)
    for (const auto& [id, hosts] : versions) all[id].insert(all[id].end(), hosts.begin(), hosts.end());
  std::vector<std::string> failed;
  for (const auto& [host, left] : picture.failed) failed.push_back(host);
  records.write({{"type", "status"},
                 {"environment", loaded.environment},
                 {"out", picture.out},
                 {"services", picture.versions},
                 {"versions", all},
                 {"bad", picture.bad},
                 {"failed", failed},
                 {"notes", picture.survey.notes},
                 {"exit_code", code}});
}

void print_text(App& app, const Picture& picture) {
  for (const auto& balancer : picture.survey.balancers) print_balancer(app, balancer);
  for (const auto& [service, versions] : picture.versions) print_releases(app, picture, service);
  print_state(app, picture);
}

void print_next(App& app, const Picture& picture) {
  std::vector<std::vector<std::string>> next;
  const auto to_recover = picture.to_recover();
  const bool left = !to_recover.empty();
  for (const auto& run : to_recover) next.push_back({recover_command(app, run), "put right what a run left"});
  if (const auto hosts = picture.distrusted(); !hosts.empty())
    next.push_back(
        {"staithe hostkeys scan" + same_place(app) + words(hosts), "compare their keys with the hosts' own"});
  if (!left && picture.unfinished.empty()) {
    for (const auto& way : picture.ways) next.push_back({way.command, way.what_for});
    const bool amiss = picture.differ() || !picture.bad.empty();
    if (amiss && picture.ways.empty()) next.push_back({rollback_command(app), "bring all back"});
  }
  for (const auto& command : picture.drain) next.push_back({command, "take out again"});
  for (const auto& command : picture.restore) next.push_back({command, "give back as it is"});
  for (std::size_t i = 0; i < next.size(); ++i)
    app.print(fmt::format("{} {}    {}\n", i == 0 ? "Next:" : "     ", next[i][0], next[i][1]));
}

}  // namespace

std::vector<std::string> print_picture(App& app, Loaded& loaded) {
  const auto picture = take_picture(app, loaded);
  if (app.json()) {
    Records records(app);
    print_json(records, picture);
  } else {
    print_text(app, picture);
  }
  std::vector<std::string> unseen;
  for (const auto& balancer : picture.survey.balancers)
    if (!balancer.trouble.empty()) unseen.push_back(balancer.name);
  return unseen;
}

int run_status(App& app) {
  auto loaded = load(app);
  const auto picture = take_picture(app, loaded);
  const int code = picture.needs_person() ? exit_needs_person : picture.trouble() ? exit_failed : exit_done;
  if (app.json()) {
    print_json(app, loaded, picture, code);
    return code;
  }
  print_text(app, picture);
  print_next(app, picture);
  return code;
}

}  // namespace staithe::cli
