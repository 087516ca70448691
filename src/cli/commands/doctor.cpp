#include "checking.hpp"
#include "checks_doctor.hpp"
#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "suggest.hpp"

#include "staithe/base/text.hpp"
#include "staithe/world/checkup.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::cli {
namespace {

using Severity = world::Advice::Severity;

constexpr base::Duration look_patience{120'000};

std::string_view word(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "";
}

Severity severity_of(haproxy::Finding::Severity severity) {
  switch (severity) {
    case haproxy::Finding::Severity::note:
      return Severity::note;
    case haproxy::Finding::Severity::warning:
      return Severity::warning;
    case haproxy::Finding::Severity::error:
      return Severity::error;
  }
  return Severity::error;
}

std::vector<world::CheckupWish> checkup_wishes(App& app, Loaded& loaded, const plan::Plan& plan) {
  std::vector<world::CheckupWish> wishes;
  const auto meant = hosts_meant(app, loaded);
  for (const auto& site : sites_of_all(app, loaded, meant))
    wishes.push_back({site.host, site.path, site.preflight, "", site.reload});
  for (const auto& balancer : plan.balancers)
    for (auto& wish : wishes)
      if (wish.host == balancer.on) wish.socket = balancer.socket;
  return wishes;
}

template <class Span>
std::string milliseconds(Span span) {
  return fmt::format("{} ms", std::chrono::duration_cast<std::chrono::milliseconds>(span).count());
}

/// "root, agent; ssh-ed25519, curve25519-sha256, aes256-gcm@openssh.com; connect 1 ms, …"
std::string facts_of(const world::Checkup& checkup) {
  const auto& negotiated = checkup.negotiated;
  auto text = fmt::format(
      "user {}, key from {}\n"
      "  host key {}, {}, {}\n"
      "  connect {}, handshake {}, login {}, shell {}",
      checkup.user, negotiated.identity, negotiated.host_key_type, negotiated.key_exchange,
      negotiated.cipher_out, milliseconds(checkup.timings.connect), milliseconds(checkup.timings.handshake),
      milliseconds(checkup.timings.authentication), milliseconds(checkup.shell));
  if (checkup.disk_known) text += fmt::format("\n  {} free", base::bytes_text(checkup.free_bytes));
  if (checkup.clock_known)
    text += fmt::format("{}clock {:+} ms (within {} ms)", checkup.disk_known ? ", " : "\n  ",
                        checkup.clock_ahead.count(), checkup.clock_margin.count());
  if (!checkup.socket_means.empty()) text += "\n  admin socket by " + checkup.socket_means;
  return text;
}

void print_advice(App& app, Severity severity, const std::string& text, const std::string& next) {
  app.print(fmt::format("  {}: {}\n", word(severity), text));
  if (!next.empty()) app.print(fmt::format("    next  {}\n", next));
}

void show_host(App& app, const world::Checkup& checkup) {
  const auto advice = world::judge(checkup, same_place(app));
  app.print(fmt::format("{}   {}\n", checkup.host, checkup.trouble.empty() ? facts_of(checkup) : "no login"));
  for (const auto& one : advice) print_advice(app, one.severity, one.text, one.next);
}

/// What to do about a balancer that does not answer: when nobody gets on its host, that comes first.
std::string next_for(const world::BalancerLook& balancer, const plan::Plan& plan,
                     const std::vector<world::Checkup>& checkups) {
  for (const auto& declared : plan.balancers)
    for (const auto& checkup : checkups)
      if (declared.name == balancer.name && declared.on == checkup.host && !checkup.trouble.empty())
        return fmt::format("its socket is reached through {}: see there", checkup.host);
  return "is HAProxy up, and does the socket's 'level admin' and mode let you in?";
}

void show_balancer(App& app, const world::BalancerLook& balancer, const std::string& next) {
  if (!balancer.trouble.empty()) {
    app.print(balancer.name + "\n");
    print_advice(app, Severity::error, balancer.trouble, next);
    return;
  }
  app.print(fmt::format("{}   HAProxy {}, pid {}, level {}\n", balancer.name, balancer.info.version,
                        balancer.info.pid, balancer.level));
  for (const auto& finding : balancer.findings)
    print_advice(app, severity_of(finding.severity),
                 (finding.subject.empty() ? "" : finding.subject + ": ") + finding.text, "");
}

nlohmann::json host_json(const world::Checkup& checkup, const std::string& place) {
  auto advice = nlohmann::json::array();
  for (const auto& one : world::judge(checkup, place))
    advice.push_back({{"severity", word(one.severity)}, {"text", one.text}, {"next", one.next}});
  const auto count = [](auto span) {
    return std::chrono::duration_cast<std::chrono::microseconds>(span).count();
  };
  return {{"type", "host"},
          {"host", checkup.host},
          {"trouble", checkup.trouble},
          {"user", checkup.user},
          {"identity", checkup.negotiated.identity},
          {"host_key_type", checkup.negotiated.host_key_type},
          {"key_exchange", checkup.negotiated.key_exchange},
          {"cipher", checkup.negotiated.cipher_out},
          {"server", checkup.negotiated.server_banner},
          {"connect_us", count(checkup.timings.connect)},
          {"handshake_us", count(checkup.timings.handshake)},
          {"authentication_us", count(checkup.timings.authentication)},
          {"shell_us", count(checkup.shell)},
          {"free_bytes", checkup.free_bytes},
          {"clock_ahead_ms", checkup.clock_ahead.count()},
          {"socket_means", checkup.socket_means},
          {"findings", advice}};
}

nlohmann::json balancer_json(const world::BalancerLook& balancer) {
  auto findings = nlohmann::json::array();
  for (const auto& finding : balancer.findings)
    findings.push_back({{"severity", word(severity_of(finding.severity))},
                        {"subject", finding.subject},
                        {"text", finding.text}});
  return {{"type", "balancer"},
          {"name", balancer.name},
          {"trouble", balancer.trouble},
          {"level", balancer.level},
          {"version", balancer.info.version},
          {"findings", findings}};
}

bool is_well(const world::Checkup& checkup) {
  const auto advice = world::judge(checkup, "");
  return std::none_of(advice.begin(), advice.end(),
                      [](const auto& one) { return one.severity == Severity::error; });
}

bool is_well(const world::BalancerLook& balancer) {
  return balancer.trouble.empty() &&
         std::none_of(balancer.findings.begin(), balancer.findings.end(), [](const auto& finding) {
           return finding.severity == haproxy::Finding::Severity::error;
         });
}

/// Where nothing should go wrong, two runs may: those that keep their locks elsewhere. "" where all is well.
std::string risk_of_locks(const Loaded& loaded) {
  const auto& environment = loaded.env();
  if (!environment.is_protected || environment.state.kind != playbook::StateStore::Kind::sqlite) return {};
  return "runs from another checkout or machine take no notice of the locks here, in a SQLite file";
}

void tell_of_locks(App& app, const Loaded& loaded) {
  const auto risk = risk_of_locks(loaded);
  if (risk.empty()) return;
  const auto path = state_path(loaded);
  if (app.json()) {
    const nlohmann::json finding{{"severity", "note"}, {"subject", ""}, {"text", risk}};
    Records(app, Records::Place::further)
        .write({{"type", "locks"}, {"path", path}, {"findings", nlohmann::json::array({finding})}});
    return;
  }
  app.print("locks   " + path + "\n");
  print_advice(app, Severity::note, risk,
               "'state: postgres env NAME' in staithe.yml, for all who deploy there");
}

}  // namespace

int run_doctor(App& app) {
  auto loaded = load(app);
  if (app.args().positionals.empty() && has_only_checks(loaded)) return doctor_of_checks(app);
  const auto plan = survey_plan(app, loaded, base::join(app.args().positionals, ","));
  const auto scope = base::Scope::lasting(look_patience, &app.stops().soft);
  const auto checkups = world::examine(plan, checkup_wishes(app, loaded, plan), person_of(app), scope);
  const auto balancers = world::look(plan, {}, world::Look::balancers, person_of(app), scope);
  if (app.json()) {
    Records records(app);
    for (const auto& checkup : checkups) records.write(host_json(checkup, same_place(app)));
    for (const auto& balancer : balancers.balancers) records.write(balancer_json(balancer));
  } else {
    for (const auto& checkup : checkups) show_host(app, checkup);
    for (const auto& balancer : balancers.balancers)
      show_balancer(app, balancer, next_for(balancer, plan, checkups));
    for (const auto& note : balancers.notes) app.print("warning: " + note + "\n");
  }
  tell_of_locks(app, loaded);
  bool well = std::all_of(checkups.begin(), checkups.end(), [](const auto& one) { return is_well(one); }) &&
              std::all_of(balancers.balancers.begin(), balancers.balancers.end(),
                          [](const auto& one) { return is_well(one); });
  const bool has_suites = app.args().positionals.empty() && !suite_files(loaded.project.directory).empty();
  if (has_suites) well = doctor_of_checks_too(app, std::move(loaded), plan) && well;
  if (!app.json())
    app.print(!well        ? "Errors stand in the way.\n"
              : has_suites ? "Nothing stands in the way of a deploy, nor of checks.\n"
                           : "Nothing stands in the way of a deploy.\n");
  return well ? exit_done : exit_failed;
}

}  // namespace staithe::cli
