#include "reading.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::playbook {
namespace {

/// A file is named as seen from staithe.yml; who resolves the secret is somewhere else.
void place(plan::SecretRef& secret, const std::string& directory) {
  if (secret.source == plan::SecretRef::Source::file) secret.name = resolve_path(directory, secret.name);
}

/// "env URL", or {url: env URL}.
std::optional<Database> read_database(const yaml::Reader& value) {
  if (value.node().kind == yaml::Kind::scalar) {
    auto secret = read_secret(value, value.node().text);
    return secret ? std::optional(Database{std::move(*secret), value.node().position}) : std::nullopt;
  }
  yaml::Mapping fields(value);
  std::optional<Database> database;
  if (const auto url = fields.value("url", yaml::Need::required)) {
    const auto text = url->text();
    auto secret = text ? read_secret(*url, *text) : std::nullopt;
    if (secret) database = Database{std::move(*secret), url->node().position};
  }
  fields.finish();
  return database;
}

void read_limits(yaml::Mapping& map, SnapshotDefaults& snapshot) {
  auto limits = map.mapping("limits");
  if (!limits) return;
  const auto read = [&](std::string_view key, base::Duration& into) {
    if (const auto time = limits->duration(key)) into = time->value;
  };
  read("lock_wait", snapshot.lock_wait);
  read("blocked", snapshot.blocked);
  read("replication_lag", snapshot.replication_lag);
  read("longest_snapshot", snapshot.longest_snapshot);
  limits->finish();
}

void read_snapshot(const yaml::Reader& value, const std::string& directory, SnapshotDefaults& snapshot) {
  constexpr std::int64_t most_kept = 100;
  constexpr std::int64_t most_jobs = 32;
  yaml::Mapping fields(value);
  if (const auto masks = fields.text("masks")) snapshot.masks = resolve_path(directory, masks->value);
  if (const auto key = fields.value("mask_key")) {
    if (const auto text = key->text()) snapshot.mask_key = read_secret(*key, *text);
    if (snapshot.mask_key) place(*snapshot.mask_key, directory);
  }
  if (const auto flag = fields.boolean("require_masks")) snapshot.require_masks = flag->value;
  if (const auto flag = fields.boolean("keep_live")) snapshot.keep_live = flag->value;
  if (const auto flag = fields.boolean("keep_grants")) snapshot.keep_grants = flag->value;
  if (const auto keep = fields.integer("keep", 1, most_kept))
    snapshot.keep = static_cast<std::uint32_t>(keep->value);
  if (const auto jobs = fields.integer("jobs", 1, most_jobs))
    snapshot.jobs = static_cast<std::uint32_t>(jobs->value);
  if (const auto owner = fields.text("owner")) snapshot.owner = owner->value;
  for (const auto& member : fields.map("roles"))
    if (const auto role = member.value.text())
      snapshot.roles.emplace_back(member.key, *role == "drop" ? std::string() : *role);
  for (const auto& table : fields.texts("leave_out")) snapshot.leave_out.push_back(table.value);
  read_limits(fields, snapshot);
  fields.finish();
}

/// Any name is a database's that checks may ask. One that is a slip away from a key that is missing is a
/// slip: a snapshot would be told that there is no source.
std::optional<std::string> meant(const std::string& name, const std::vector<yaml::Member>& members) {
  for (const std::string key : {"source", "target", "snapshot"}) {
    const bool there = std::any_of(members.begin(), members.end(),
                                   [&](const auto& member) { return member.key.value == key; });
    if (!there && base::edit_distance(name, key) == 1) return key;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Databases> read_databases(yaml::Mapping& map, const std::string& directory) {
  if (!map.has("databases")) return std::nullopt;
  Databases databases;
  const auto members = map.map("databases");
  for (const auto& member : members) {
    databases.position = member.key.position;
    if (const auto key = meant(member.key.value, members)) {
      const auto& slip = member.key;
      member.value.diagnostics().add(
          {diag::Severity::error, slip.position, slip.length, fmt::format("unknown key '{}'", slip.value),
           slip.path,
           fmt::format("did you mean '{}'? A database that only checks ask needs another name", *key)});
      continue;
    }
    if (member.key.value == "snapshot") {
      read_snapshot(member.value, directory, databases.snapshot);
      continue;
    }
    auto database = read_database(member.value);
    if (!database) continue;
    databases.named.emplace_back(member.key.value, database->url);
    place(database->url, directory);
    if (member.key.value == "source")
      databases.source = std::move(*database);
    else if (member.key.value == "target")
      databases.target = std::move(*database);
  }
  return databases;
}

}  // namespace staithe::playbook
