#include "looking.hpp"

#include "version.hpp"

#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/playbook/selection.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>
#include <filesystem>

namespace staithe::cli {
world::Person person_of(App& app) {
  world::Person person;
  if (app.may_prompt())
    person.passphrase = [&app](const std::string& file) {
      return ask_hidden(fmt::format("Passphrase of {}: ", file), &app.stops().soft);
    };
  return person;
}

plan::Plan survey_plan(App& app, Loaded& loaded, const std::string& selection) {
  auto plan = playbook::make_survey_plan(loaded.project, request_of(app), selection, loaded.diagnostics);
  return playbook::located(require_plan(app, loaded, std::move(plan)), loaded.project.directory);
}

std::vector<std::string> hosts_meant(App& app, Loaded& loaded) {
  std::vector<std::string> meant;
  for (const auto& host : loaded.env().hosts) meant.push_back(host.name.value);
  const auto keep = [&](const std::string& selection, const char* what) {
    if (selection.empty()) return;
    const auto chosen = playbook::select(loaded.env(), {selection, {}, 1, ""}, loaded.diagnostics, what);
    stop_on_errors(app, loaded.diagnostics);
    std::erase_if(meant, [&](const auto& host) {
      return std::find(chosen->begin(), chosen->end(), host) == chosen->end();
    });
  };
  keep(base::join(app.args().positionals, ","), "hosts");
  keep(app.args().value("limit"), "--limit");
  if (meant.empty()) throw UsageError("no host is left of those that were named");
  return meant;
}

std::vector<world::HostWish> wishes_of(const std::vector<playbook::Site>& sites) {
  std::vector<world::HostWish> wishes;
  for (const auto& site : sites) wishes.push_back({site.host, site.path, site.release_url});
  return wishes;
}

const playbook::Service* service_of(App& app, Loaded& loaded) {
  const auto* service =
      playbook::choose_service(loaded.project, app.args().value("service"), loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  return service;
}

std::vector<const playbook::Service*> services_meant(App& app, Loaded& loaded) {
  if (const auto* only = service_of(app, loaded); only != nullptr) return {only};
  std::vector<const playbook::Service*> services;
  for (const auto& service : loaded.project.services) services.push_back(&service);
  return services;
}

std::vector<playbook::Site> sites_of_service(App& app, Loaded& loaded, const playbook::Service& service,
                                             const std::vector<std::string>& hosts) {
  const auto serves = playbook::hosts_of(loaded.env(), service);
  std::vector<std::string> running;
  for (const auto& host : hosts)
    if (std::find(serves.begin(), serves.end(), host) != serves.end()) running.push_back(host);
  auto sites =
      playbook::sites_of(loaded.project, service, nullptr, request_of(app), running, loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  return sites;
}

std::vector<playbook::Site> sites_of_all(App& app, Loaded& loaded, const std::vector<std::string>& hosts) {
  const auto* service = service_of(app, loaded);
  std::vector<playbook::Site> known;
  if (service != nullptr) known = sites_of_service(app, loaded, *service, hosts);
  std::vector<playbook::Site> sites;
  for (const auto& host : hosts) {
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const auto& site) { return site.host == host; });
    if (found != known.end()) {
      sites.push_back(*found);
    } else {
      sites.emplace_back();
      sites.back().host = host;
    }
  }
  return sites;
}

std::unique_ptr<store::Store> open_store_if_there(App& app, const Loaded& loaded) {
  if (loaded.env().state.kind == playbook::StateStore::Kind::sqlite) {
    const auto path = state_path(loaded);
    std::error_code trouble;
    const bool there = std::filesystem::exists(path, trouble);
    // The directory is for its owner only: nobody else can tell whether it is there.
    if (trouble)
      throw base::Error(
          trouble == std::errc::permission_denied ? base::ErrorCode::permission : base::ErrorCode::io,
          fmt::format("{}: {}", path, trouble.message()));
    if (!there) return nullptr;
  }
  return open_store(app, loaded);
}

std::string when_text(store::Time time) {
  const auto utc = base::utc(time);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string aligned(std::vector<std::vector<std::string>> rows, std::size_t indent) {
  for (auto& row : rows)
    for (auto& cell : row) cell = base::one_line(cell);
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    // The last column of a row may be a sentence: it pushes nothing.
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      widths[i] = std::max(widths[i], base::code_points(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] + 2 - base::code_points(row[i]), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

Records::Records(App& app, Place place) : app_(app) {
  if (place == Place::further) return;
  write({{"type", "version"}, {"tool", "staithe"}, {"version", version}, {"schema", "1.0"}});
}

void Records::write(const nlohmann::json& record) {
  const auto text = record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  app_.print(app_.redactor().clean(text) + "\n");
}

}  // namespace staithe::cli
