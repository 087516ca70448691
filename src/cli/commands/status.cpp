#include "commands.hpp"
#include "exit_codes.hpp"
#include "out_words.hpp"
#include "status_picture.hpp"
#include "suggest.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/duration.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

/// What `status` tells people.
namespace staithe::cli {
namespace {

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
  for (const auto& way : picture.ways) next.push_back({way.command, way.what_for});
  // No run tells how its release was made.
  const bool amiss = picture.differ() || !picture.bad.empty();
  if (amiss && picture.ways.empty() && !left && picture.unfinished.empty())
    next.push_back({rollback_command(app), "bring all back"});
  if (const auto hosts = picture.run_another(); !left && !hosts.empty())
    next.push_back(
        {exec_command(app, hosts), "see why another release is live there than the one that runs"});
  for (const auto& command : picture.drain) next.push_back({command, "take out again"});
  for (const auto& command : picture.restore) next.push_back({command, "give back as it is"});
  for (std::size_t i = 0; i < next.size(); ++i)
    app.print(fmt::format("{} {}    {}\n", i == 0 ? "Next:" : "     ", next[i][0], next[i][1]));
}

}  // namespace

std::vector<std::string> print_picture(App& app, Loaded& loaded) {
  const auto picture = take_picture(app, loaded);
  if (app.json()) {
    print_records(app, picture);
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
    print_records(app, loaded, picture, code);
    return code;
  }
  print_text(app, picture);
  print_next(app, picture);
  return code;
}

}  // namespace staithe::cli
