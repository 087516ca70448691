#include "rotation_detail.hpp"

#include "staithe/base/text.hpp"
#include "staithe/haproxy/capacity.hpp"
#include "staithe/haproxy/rotation.hpp"

#include <algorithm>
#include <set>

/// The look before anything is changed.
namespace staithe::haproxy {

using base::Error;
using base::ErrorCode;
using base::Scope;
using Severity = Finding::Severity;

namespace {

/// What should be known about one server before it is drained.
void survey_server(const std::string& balancer, const ServerState& state, const ServerStat& stat,
                   std::vector<Finding>& findings) {
  const auto add = [&](Severity severity, std::string text) {
    findings.push_back({severity, balancer, to_text(state.ref), std::move(text)});
  };
  if ((state.admin & admin_bit::no_address) != 0) {
    add(Severity::warning, "its name has no address");
  } else if (own_state(state.admin) == Own::maint) {
    add(Severity::warning, "is in maintenance already: it is left so, before and after");
  } else if (own_state(state.admin) == Own::drain) {
    add(Severity::warning, "is drained already: it will be drained again afterwards");
  } else if (state.in_maint() || state.in_drain()) {
    add(Severity::warning, "is out because the server that it tracks is");
  } else if (state.weight == 0) {
    add(Severity::warning, "has weight 0: it takes no visitors, now or afterwards");
  } else if (!state.usable()) {
    add(Severity::warning, "is " + (stat.status.empty() ? "not serving" : stat.status));
  }
  if (!state.checked() && !stat.tracked)
    add(Severity::warning, "has no health check that is on: HAProxy cannot prove that it came back");
  if (state.agent_on()) add(Severity::note, "its agent check is switched off while it is out");
  if (!stat.cookie.empty()) add(Severity::note, "its visitors are bound by cookie: maintenance moves them");
}

}  // namespace

std::vector<Finding> Rotation::survey(const Scope& scope) {
  std::vector<Finding> findings;
  for (auto& place : places_) {
    try {
      if (place.socket == nullptr) throw Error(ErrorCode::not_found, place.lost);
      survey_place(place, scope, findings);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;
      findings.push_back({Severity::error, place.name, "", error.what()});
    }
  }
  return findings;
}

void Rotation::survey_place(Place& place, const Scope& scope, std::vector<Finding>& findings) {
  const auto level = patiently(scope, [&] { return place.socket->level(scope); });
  if (level != "admin")
    findings.push_back({Severity::error, place.name, "",
                        "the socket has level " + level + ", and draining needs level admin"});
  const auto all = place.socket->snapshot({}, scope);
  if (all.info.stopping)
    findings.push_back({Severity::error, place.name, "", "this HAProxy process is stopping"});
  for (const auto& ref : place.refs) {
    const auto* state = all.state(ref);
    const auto* stat = all.stat(ref);
    if (state == nullptr || stat == nullptr) {
      findings.push_back({Severity::error, place.name, to_text(ref), "there is no such server"});
    } else {
      survey_server(place.name, *state, *stat, findings);
    }
  }
  const auto closure = with_followers(all, place.refs);
  for (std::size_t at = place.refs.size(); at < closure.size(); ++at)
    findings.push_back({Severity::warning, place.name, to_text(closure[at]),
                        "tracks a server of this host and goes out with it"});
  for (auto& finding : overlooked(place.name, all, place.refs)) findings.push_back(std::move(finding));
  if (!place.socket->has_master()) return;
  for (const auto& worker : place.socket->workers(scope))
    if (worker.old)
      findings.push_back({Severity::note, place.name, "",
                          "old worker " + std::to_string(worker.pid) +
                              " from before a reload still runs; its sessions are waited for too"});
}

}  // namespace staithe::haproxy
