#include "status_picture.hpp"

#include "staithe/base/utc.hpp"
#include "staithe/haproxy/state.hpp"

#include <nlohmann/json.hpp>

/// What `status` tells programs.
namespace staithe::cli {
namespace {

using nlohmann::json;

json balancer_json(const world::BalancerLook& balancer) {
  auto servers = json::array();
  for (const auto& server : balancer.servers)
    servers.push_back({{"backend", server.state.ref.backend},
                       {"server", server.state.ref.server},
                       {"host", server.host},
                       {"state", world::state_in_words(server.state)},
                       {"command", haproxy::name_of(haproxy::own_state(server.state.admin))},
                       {"usable", server.state.usable()},
                       {"weight", server.state.weight},
                       {"sessions", server.stat.sessions},
                       {"queued", server.stat.queued}});
  return {{"type", "balancer"},
          {"name", balancer.name},
          {"trouble", balancer.trouble},
          {"version", balancer.info.version},
          {"pid", balancer.info.pid},
          {"level", balancer.level},
          {"uptime_s", balancer.info.uptime_seconds},
          {"servers", servers}};
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

json unjudged_json(const world::Unjudged& unjudged) {
  const auto& run = unjudged.run;
  return {{"type", "unjudged_run"},
          {"run_id", run.id},
          {"title", run.title},
          {"user", run.user},
          {"started", base::utc_text_ms(run.started)},
          {"left", unjudged.words}};
}

void write_all(Records& records, const Picture& picture) {
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

}  // namespace

void print_records(App& app, const Picture& picture) {
  Records records(app);
  write_all(records, picture);
}

void print_records(App& app, const Loaded& loaded, const Picture& picture, int code) {
  Records records(app);
  write_all(records, picture);
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

}  // namespace staithe::cli
