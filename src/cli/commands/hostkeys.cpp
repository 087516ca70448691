#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "suggest.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/world/host_keys.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::cli {
namespace {

constexpr base::Duration scan_patience{120'000};
constexpr base::Duration pin_patience{10'000};

struct Scanned {
  plan::Plan plan;
  std::vector<world::ShownHost> hosts;

  bool any_trouble() const {
    return std::any_of(hosts.begin(), hosts.end(), [](const auto& host) { return !host.trouble.empty(); });
  }
  bool any_changed() const {
    return std::any_of(hosts.begin(), hosts.end(), [](const auto& host) { return host.changed(); });
  }
  bool all_known() const {
    return std::all_of(hosts.begin(), hosts.end(), [](const auto& host) { return host.known(); });
  }
};

Scanned scan(App& app, Loaded& loaded) {
  Scanned scanned;
  scanned.plan = survey_plan(app, loaded, base::join(app.args().positionals, ","));
  scanned.hosts = world::scan_host_keys(scanned.plan, hosts_meant(app, loaded), person_of(app),
                                        base::Scope::lasting(scan_patience, &app.stops().soft));
  return scanned;
}

std::string_view word(ssh::HostKeyState state) {
  switch (state) {
    case ssh::HostKeyState::ok:
      return "known";
    case ssh::HostKeyState::unknown:
      return "unknown";
    case ssh::HostKeyState::changed:
      return "CHANGED";
    case ssh::HostKeyState::revoked:
      return "REVOKED";
    case ssh::HostKeyState::needs_authority:
      return "authority";
  }
  return "";
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lowered;
}

void show(App& app, const Scanned& scanned) {
  if (app.json()) {
    Records records(app);
    for (const auto& host : scanned.hosts) {
      auto keys = nlohmann::json::array();
      for (const auto& key : host.keys)
        keys.push_back({{"type", key.key.type},
                        {"fingerprint", ssh::fingerprint(key.key)},
                        {"state", lower(word(key.state))},
                        {"detail", key.detail}});
      records.write({{"type", "host_keys"},
                     {"host", host.host},
                     {"name", host.name},
                     {"trouble", host.trouble},
                     {"keys", keys}});
    }
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& host : scanned.hosts) {
    if (!host.trouble.empty()) rows.push_back({host.host, "-", "cannot be asked: " + host.trouble});
    for (const auto& key : host.keys)
      rows.push_back({host.host, std::string(word(key.state)), std::string(ssh::type_label(key.key.type)),
                      ssh::fingerprint(key.key)});
  }
  app.print(aligned(rows));
  for (const auto& host : scanned.hosts)
    for (const auto& key : host.keys)
      if (key.state == ssh::HostKeyState::changed || key.state == ssh::HostKeyState::revoked)
        app.say(fmt::format("{}: {}", host.host, key.detail));
}

int refuse_replacement(App& app, const Scanned& scanned) {
  std::vector<std::string> names;
  for (const auto& host : scanned.hosts)
    if (host.changed()) names.push_back(host.host);
  return app.fail(exit_refused,
                  fmt::format("the keys of {} differ from those on record: somebody may sit in between. "
                              "Nothing was written.\n"
                              "  next  compare the fingerprints with the hosts' own "
                              "(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then add --replace",
                              base::fold_names(names)));
}

}  // namespace

int run_hostkeys_scan(App& app) {
  auto loaded = load(app);
  const auto scanned = scan(app, loaded);
  show(app, scanned);
  return scanned.any_trouble() ? exit_failed : exit_done;
}

int run_hostkeys_verify(App& app) {
  auto loaded = load(app);
  const auto scanned = scan(app, loaded);
  show(app, scanned);
  if (!scanned.any_trouble() && scanned.all_known()) return exit_done;
  if (!scanned.all_known() && !app.quiet())
    app.say(fmt::format(
        "  next  staithe hostkeys pin{}    once the fingerprints are compared with the hosts' own",
        same_place(app)));
  const bool differs = std::any_of(scanned.hosts.begin(), scanned.hosts.end(),
                                   [](const auto& host) { return host.trouble.empty() && !host.known(); });
  return differs ? exit_refused : exit_failed;
}

int run_hostkeys_pin(App& app) {
  auto loaded = load(app);
  const auto scanned = scan(app, loaded);
  show(app, scanned);
  if (scanned.any_trouble())
    return app.fail(exit_refused, "not every host could be asked; nothing was written");
  if (scanned.all_known()) {
    app.say("every key is on record already");
    return exit_done;
  }
  if (scanned.any_changed() && !app.args().has("replace")) return refuse_replacement(app, scanned);
  const auto file = world::pin_file(scanned.plan);
  if (only_prints(app)) {
    app.say(fmt::format("these keys would be written to {}; nothing was written", file));
    return exit_done;
  }
  if (!app.args().has("yes")) {
    if (!app.may_prompt())
      return app.fail(exit_refused, "--yes is needed when not running interactively; nothing was written");
    const auto answer = ask_line(fmt::format("Write these keys to {}? [y/N] ", file), &app.stops().soft);
    if (!answer || (*answer != "y" && *answer != "yes"))
      return app.fail(exit_refused, "not confirmed; nothing was written");
  }
  const auto result = world::pin_host_keys(scanned.plan, scanned.hosts,
                                           base::Scope::lasting(pin_patience, &app.stops().soft));
  app.say(fmt::format("{}: {} added, {} removed", file, result.added, result.removed));
  return exit_done;
}

}  // namespace staithe::cli
