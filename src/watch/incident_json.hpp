#pragma once
#include "staithe/watch/alerts.hpp"

#include <nlohmann/json.hpp>

namespace staithe::watch {

nlohmann::json json_of(const Incident& incident);
/// Throws nlohmann::json::exception for what is no incident.
Incident incident_of(const nlohmann::json& record);

}  // namespace staithe::watch
