#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "suggest.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/world/host_keys.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace staithe::cli {
namespace {

constexpr base::Duration scan_patience{120'000};
constexpr base::Duration pin_patience{10'000};

struct Scanned {
  std::vector<world::ShownHost> hosts;

  /// Other than that a bastion's key must be written down first.
  bool any_trouble() const {
    return std::any_of(hosts.begin(), hosts.end(),
                       [](const auto& host) { return !host.trouble.empty() && !host.waits; });
  }
  bool any_waits() const {
    return std::any_of(hosts.begin(), hosts.end(), [](const auto& host) { return host.waits; });
  }
  bool any_changed() const {
    return std::any_of(hosts.begin(), hosts.end(), [](const auto& host) { return host.changed(); });
  }
  bool all_known() const {
    return std::all_of(hosts.begin(), hosts.end(), [](const auto& host) { return host.known(); });
  }
};

Scanned scan(App& app, Loaded& loaded) {
  const auto plan = survey_plan(app, loaded, base::join(app.args().positionals, ","));
  return {world::scan_host_keys(plan, hosts_meant(app, loaded), person_of(app),
                                base::Scope::lasting(scan_patience, &app.stops().soft))};
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

void show(App& app, const Scanned& scanned) {
  if (app.json()) {
    Records records(app);
    for (const auto& host : scanned.hosts) {
      auto keys = nlohmann::json::array();
      for (const auto& key : host.keys)
        keys.push_back({{"type", key.key.type},
                        {"fingerprint", ssh::fingerprint(key.key)},
                        {"state", base::lower(word(key.state))},
                        {"detail", key.detail}});
      records.write({{"type", "host_keys"},
                     {"host", host.host},
                     {"bastion", host.bastion},
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

/// What is behind a bastion whose key is not on record cannot be asked before that is written down.
void say_what_waits(App& app, const Scanned& scanned) {
  std::vector<std::string> names;
  for (const auto& host : scanned.hosts)
    if (host.waits && !host.bastion) names.push_back(host.host);
  if (names.empty() || app.quiet()) return;
  app.say(
      fmt::format("  next  staithe hostkeys pin{} {}    writes the bastion's key down first, once it is "
                  "compared, then asks what is behind it",
                  same_place(app), base::join(names, " ")));
}

int run_hostkeys_scan(App& app) {
  auto loaded = load(app);
  const auto scanned = scan(app, loaded);
  show(app, scanned);
  say_what_waits(app, scanned);
  return scanned.any_trouble() || scanned.any_waits() ? exit_failed : exit_done;
}

int run_hostkeys_verify(App& app) {
  auto loaded = load(app);
  const auto scanned = scan(app, loaded);
  show(app, scanned);
  if (!scanned.any_trouble() && scanned.all_known()) return exit_done;
  if (!scanned.all_known() && !app.quiet())
    app.say(fmt::format(
        "  next  staithe hostkeys pin{}{}    once the fingerprints are compared with the hosts' own",
        scanned.any_changed() ? " --replace" : "", same_place(app)));
  const bool differs = std::any_of(scanned.hosts.begin(), scanned.hosts.end(),
                                   [](const auto& host) { return host.trouble.empty() && !host.known(); });
  return differs ? exit_refused : exit_failed;
}

namespace {

/// Whether the person wants the keys written; the code to end with when not.
std::optional<int> not_wanted(App& app, const std::string& files) {
  if (app.args().has("yes")) return std::nullopt;
  if (!app.may_prompt())
    return app.fail(exit_refused, "--yes is needed when not running interactively; nothing was written");
  const auto answer = ask_line(fmt::format("Write these keys to {}? [y/N] ", files), &app.stops().soft);
  if (answer && (*answer == "y" || *answer == "yes")) return std::nullopt;
  return app.fail(exit_refused, "not confirmed; nothing was written");
}

/// Writes down what was scanned; the code to end with, nullopt when hosts behind a bastion are still to be
/// asked.
std::optional<int> pin_scanned(App& app, const Scanned& scanned) {
  if (scanned.any_trouble())
    return app.fail(exit_refused, "not every host could be asked; nothing was written");
  if (scanned.all_known()) {
    app.say("every key is on record already");
    return exit_done;
  }
  if (scanned.any_changed() && !app.args().has("replace")) return refuse_replacement(app, scanned);
  const auto files = base::join(world::pin_files(scanned.hosts), " and ");
  if (only_prints(app)) {
    app.say(fmt::format("these keys would be written to {}; nothing was written", files));
    say_what_waits(app, scanned);
    return exit_done;
  }
  if (const auto code = not_wanted(app, files)) return code;
  const auto pinned =
      world::pin_host_keys(scanned.hosts, base::Scope::lasting(pin_patience, &app.stops().soft));
  std::size_t changes = 0;
  for (const auto& [file, result] : pinned) {
    app.say(fmt::format("{}: {} added, {} removed", file, result.added, result.removed));
    changes += result.added + result.removed;
  }
  if (!scanned.any_waits()) return exit_done;
  if (changes == 0) return app.fail(exit_refused, "the bastion's key is on record, and still not taken");
  return std::nullopt;
}

/// What an earlier scan has not shown.
Scanned only_new(Scanned scanned, const Scanned& before) {
  const auto old = [&](const world::ShownHost& host) {
    return std::any_of(before.hosts.begin(), before.hosts.end(), [&](const world::ShownHost& one) {
      return !one.waits && one.host == host.host && one.name == host.name;
    });
  };
  auto& hosts = scanned.hosts;
  hosts.erase(std::remove_if(hosts.begin(), hosts.end(), old), hosts.end());
  return scanned;
}

}  // namespace

int run_hostkeys_pin(App& app) {
  auto loaded = load(app);
  auto scanned = scan(app, loaded);
  for (;;) {
    show(app, scanned);
    if (const auto code = pin_scanned(app, scanned)) return *code;
    scanned = only_new(scan(app, loaded), scanned);
  }
}

}  // namespace staithe::cli
