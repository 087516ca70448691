#pragma once
#include "staithe/watch/alerts.hpp"
#include "staithe/watch/state.hpp"

#include <string>
#include <vector>

/// What those see who ask a watch how things are: data in, text out.
namespace staithe::watch {

/// Everything that is known at one moment.
struct Overview {
  std::string version, project, environment;
  Time now{};
  base::SteadyTime steady{};
  base::SteadyTime heartbeat{};  ///< the scheduler's last turn
  std::vector<SuiteState> suites;
  std::vector<Incident> incidents;
  std::string files_trouble;    ///< why the files on the disk are not those in use; "" when they are
  Time files_read{};            ///< when those in use were read
  std::string history_trouble;  ///< why the last results were not kept
  std::string lock_trouble;     ///< why it may be that another one watches too
  bool alerts_held = false;     ///< because of that; not for ever
  std::uint64_t alerts_sent = 0, alerts_failed = 0;  ///< attempts that failed
  std::size_t alerts_waiting = 0;
  std::string alerts_trouble;  ///< of the last attempt that failed, until one succeeds
  double processor_seconds = 0;
};

/// The scheduler takes a turn at least once a second; this long without one, nothing else can be believed.
constexpr base::Duration longest_turn{15'000};

/// Whether customers are served, as far as anybody knows.
struct Health {
  bool good = false;
  /// The worst that is known; none while a suite has not been run yet and the others are well.
  std::optional<Verdict> verdict;
  bool stale = false;                ///< something is not known
  std::vector<std::string> reasons;  ///< why it is not good
};
Health health_of(const Overview& overview);

/// GET /verify: one JSON object.
std::string verify_json(const Overview& overview);
/// GET /metrics, Prometheus' text format, version 0.0.4.
std::string metrics_text(const Overview& overview);
/// GET /: a page that needs nothing but itself.
std::string page_html(const Overview& overview);

}  // namespace staithe::watch
