#include "incident_json.hpp"

#include "kept.hpp"

namespace staithe::watch {
namespace {

using nlohmann::json;
using Kind = Incident::Kind;

/// Of more it is not kept which they are: after a restart those that fail then are taken for them.
constexpr std::size_t most_members = 1000;

}  // namespace

json json_of(const Incident& one) {
  json record{{"kind", name_of(one.kind)},
              {"id", one.id},
              {"environment", one.environment},
              {"suite", one.suite},
              {"owner", one.owner},
              {"runbook", one.runbook},
              {"severity", name_of(one.severity)},
              {"culprit", one.culprit},
              {"reason", one.reason},
              {"release", one.release},
              {"run_id", one.run_id},
              {"details", one.details},
              {"blocked", one.blocked},
              {"since", one.since.time_since_epoch().count()},
              {"runs", one.runs},
              {"told", one.told},
              {"told_to", one.told_to},
              {"last_told", one.last_told.time_since_epoch().count()}};
  if (one.members.empty() || one.members.size() > most_members) return record;
  auto& members = record["members"] = json::array();
  for (const auto& member : one.members) members.push_back({member.key, member.due, member.well});
  return record;
}

Incident incident_of(const json& record) {
  Incident one;
  const auto kind = record.at("kind").get<std::string>();
  one.kind = kind == "silent"     ? Kind::silent
             : kind == "degraded" ? Kind::degraded
             : kind == "unsteady" ? Kind::unsteady
                                  : Kind::failing;
  one.id = record.at("id").get<std::string>();
  one.suite = record.at("suite").get<std::string>();
  one.environment = record.value("environment", "");
  one.owner = record.value("owner", "");
  one.runbook = record.value("runbook", "");
  one.severity = severity_of(record);
  one.culprit = record.value("culprit", "");
  one.reason = record.value("reason", "");
  one.release = record.value("release", "");
  one.run_id = record.value("run_id", "");
  one.details = record.value("details", std::vector<std::string>{});
  one.blocked = record.value("blocked", std::vector<std::string>{});
  one.since = time_of(record, "since");
  one.last_told = time_of(record, "last_told");
  one.runs = record.value("runs", 0U);
  one.told = record.value("told", false);
  one.told_to = record.value("told_to", std::vector<std::string>{});
  for (const auto& member : record.value("members", json::array()))
    one.members.push_back(
        {member.at(0).get<std::string>(), member.at(1).get<bool>(), member.at(2).get<std::uint32_t>()});
  return one;
}

}  // namespace staithe::watch
