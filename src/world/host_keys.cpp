#include "staithe/world/host_keys.hpp"

#include "hosts.hpp"
#include "together.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace staithe::world {
namespace {

constexpr std::size_t scans_at_once = 16;
constexpr base::Duration scan_within{20'000};
constexpr std::array<std::string_view, 3> types{"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"};

bool any_of_state(const ShownHost& host, ssh::HostKeyState state) {
  return std::any_of(host.keys.begin(), host.keys.end(),
                     [&](const ShownKey& key) { return key.state == state; });
}

/// The servers to ask, each once, those before the ones behind them.
class Scan {
 public:
  Scan(Hosts& hosts, const std::vector<std::string>& names, const base::Scope& scope)
      : hosts_(hosts), scope_(scope) {
    for (const auto& name : names) add(name);
    std::stable_sort(stops_.begin(), stops_.end(),
                     [](const Stop& a, const Stop& b) { return a.shown.bastion && !b.shown.bastion; });
  }

  std::vector<ShownHost> run() {
    std::size_t deepest = 0;
    for (const auto& stop : stops_) deepest = std::max(deepest, stop.way.jumps.size());
    for (std::size_t depth = 0; depth <= deepest; ++depth) {
      std::vector<Stop*> now;
      for (auto& stop : stops_)
        if (stop.shown.trouble.empty() && stop.way.jumps.size() == depth) now.push_back(&stop);
      together(now.size(), scans_at_once, [&](std::size_t i) { ask(*now[i]); });
    }
    std::vector<ShownHost> shown;
    for (auto& stop : stops_) shown.push_back(std::move(stop.shown));
    return shown;
  }

 private:
  struct Stop {
    ShownHost shown;
    ssh::Endpoint way;
  };

  static bool same_place(const ssh::Endpoint& a, const ssh::Endpoint& b) {
    const auto same = [](const ssh::Endpoint& one, const ssh::Endpoint& other) {
      return one.address == other.address && one.port == other.port &&
             record_name(one) == record_name(other) && one.key_records.files == other.key_records.files &&
             one.key_records.revoked == other.key_records.revoked;
    };
    return same(a, b) && std::equal(a.jumps.begin(), a.jumps.end(), b.jumps.begin(), b.jumps.end(), same);
  }

  Stop* find(const ssh::Endpoint& way) {
    const auto found = std::find_if(stops_.begin(), stops_.end(),
                                    [&](const Stop& stop) { return same_place(stop.way, way); });
    return found == stops_.end() ? nullptr : &*found;
  }

  void add(const std::string& name) {
    Stop stop;
    stop.shown.host = name;
    try {
      stop.way = hosts_.endpoint(name);
    } catch (const base::Error& error) {
      stop.shown.trouble = error.what();
      stops_.push_back(std::move(stop));
      return;
    }
    for (std::size_t hops = 0; hops < stop.way.jumps.size(); ++hops) {
      ssh::Endpoint jump = stop.way.jumps[hops];
      jump.jumps.assign(stop.way.jumps.begin(), stop.way.jumps.begin() + static_cast<std::ptrdiff_t>(hops));
      Stop bastion;
      bastion.shown.host = jump.label;
      bastion.shown.bastion = true;
      bastion.way = std::move(jump);
      if (find(bastion.way) == nullptr) keep(std::move(bastion));
    }
    // A host that another one goes through is asked once, and shown under its own name.
    if (Stop* met = find(stop.way)) {
      if (met->shown.bastion) met->shown.host = name;
      if (met->shown.bastion) return;
    }
    keep(std::move(stop));
  }

  void keep(Stop stop) {
    stop.shown.name = record_name(stop.way);
    stop.shown.file = stop.way.key_records.pin_file;
    stop.shown.hash_names = stop.way.key_records.hash_names;
    stops_.push_back(std::move(stop));
  }

  void ask(Stop& stop) {
    auto& shown = stop.shown;
    if (!stop.way.jumps.empty()) {
      ssh::Endpoint before = stop.way.jumps.back();
      before.jumps.assign(stop.way.jumps.begin(), stop.way.jumps.end() - 1);
      const auto& bastion = find(before)->shown;
      const bool asked = bastion.trouble.empty();
      if (!asked || !any_of_state(bastion, ssh::HostKeyState::ok)) {
        shown.waits = asked || bastion.waits;
        shown.trouble = fmt::format("it is behind {}, {}", bastion.host,
                                    asked ? "whose key is not on record" : "which cannot be asked");
        return;
      }
    }
    try {
      for (const auto type : types) ask_for(stop, type);
      if (shown.keys.empty()) shown.trouble = shown.host + ": shows no key of a type that staithe knows";
    } catch (const base::Error& error) {
      shown.trouble = error.what();
    }
  }

  void ask_for(Stop& stop, std::string_view type) {
    try {
      const auto key = hosts_.scan(stop.way, type, scope_.at_most(scan_within));
      const auto verdict = hosts_.judge(stop.way, key);
      stop.shown.keys.push_back({key, verdict.state, verdict.detail});
    } catch (const base::Error& error) {
      // The server has no key of this type.
      if (error.code() != base::ErrorCode::protocol) throw;
    }
  }

  Hosts& hosts_;
  const base::Scope& scope_;
  std::vector<Stop> stops_;
};

}  // namespace

bool ShownHost::known() const noexcept {
  return trouble.empty() && std::all_of(keys.begin(), keys.end(), [](const ShownKey& key) {
           return key.state == ssh::HostKeyState::ok;
         });
}

bool ShownHost::changed() const noexcept {
  return any_of_state(*this, ssh::HostKeyState::changed) || any_of_state(*this, ssh::HostKeyState::revoked);
}

std::vector<ShownHost> scan_host_keys(const plan::Plan& plan, const std::vector<std::string>& names,
                                      const Person& person, const base::Scope& scope) {
  Hosts hosts(plan, person);
  auto shown = Scan(hosts, names, scope).run();
  if (scope.cancelled()) throw base::Error(base::ErrorCode::cancelled, "stopped");
  return shown;
}

std::vector<std::string> pin_files(const std::vector<ShownHost>& hosts) {
  std::vector<std::string> files;
  for (const auto& host : hosts) {
    if (host.known() || host.waits) continue;
    if (host.file.empty())
      throw base::Error(
          base::ErrorCode::not_found,
          fmt::format("ssh_config names no known_hosts file to write the keys of {} to", host.host));
    if (std::find(files.begin(), files.end(), host.file) == files.end()) files.push_back(host.file);
  }
  return files;
}

std::vector<PinnedFile> pin_host_keys(const std::vector<ShownHost>& hosts, const base::Scope& scope) {
  for (const auto& host : hosts)
    for (const auto& key : host.keys)
      if (key.state == ssh::HostKeyState::revoked)
        throw base::Error(base::ErrorCode::host_key,
                          fmt::format("{}: {}; nothing was written", host.host, key.detail));
  // What goes into one file in one manner is written at once.
  std::map<std::tuple<std::string, bool, bool>, std::vector<ssh::Pin>> batches;
  for (const auto& host : hosts)
    for (const auto& key : host.keys)
      batches[{host.file, host.changed(), host.hash_names}].push_back({host.name, key.key});
  std::vector<PinnedFile> pinned;
  for (const auto& file : pin_files(hosts)) pinned.push_back({file, {}});
  for (auto& one : pinned)
    for (const auto& [manner, pins] : batches) {
      const auto& [file, changed, hashed] = manner;
      if (file != one.file) continue;
      const auto result = ssh::pin(file, pins, changed ? ssh::Existing::replace : ssh::Existing::keep,
                                   hashed ? ssh::Hashing::hashed : ssh::Hashing::plain, scope);
      one.result.added += result.added;
      one.result.removed += result.removed;
    }
  return pinned;
}

}  // namespace staithe::world
