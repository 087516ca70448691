#pragma once
#include "parts.hpp"

#include <map>
#include <set>

namespace staithe::playbook {

/// One host of a run with everything its texts need.
struct HostSite {
  const Host* host = nullptr;
  bool stands_in = false;  ///< for hosts that nobody knows yet: every step may be meant for one
  steps::Variables variables;
  std::optional<steps::Release> release;
  bool in_rotation = false;
  bool activated = false;             ///< a step of `each` made the release live
  std::vector<std::string> commands;  ///< what will run there, for the preflight
};

/// What the lanes of a run share.
struct RunSite {
  const Environment* environment = nullptr;
  const Playbook* playbook = nullptr;
  const Service* service = nullptr;
  const steps::Files* files = nullptr;
  diag::Diagnostics* diagnostics = nullptr;
  std::string directory;
  Refs refs;
  steps::Variables variables;             ///< without a host
  std::optional<steps::Release> release;  ///< where no host is needed
  std::vector<plan::Text> notify_urls;
  std::vector<HostSite> hosts;          ///< in the order of the run
  std::vector<HostSite> brought_along;  ///< by earlier runs of the rollout, all but the last word
};

plan::Action make_action(std::string step, plan::Effect effect, std::string title, base::Duration timeout);

/// Turns sections into lanes. Findings are added; the lanes of a site with findings are incomplete.
class LaneMaker {
 public:
  explicit LaneMaker(RunSite& run) : run_(run) {}

  /// A section in which every host has its turn, without brackets.
  std::vector<plan::Lane> parallel(steps::Place place);
  /// `each`.
  std::vector<plan::Lane> rolling();
  /// A section that runs once, in one lane of this machine.
  std::vector<plan::Lane> once(steps::Place place);
  std::vector<plan::Lane> preflight(bool has_checkout, bool drains);
  std::vector<plan::Lane> cleanup();

 private:
  struct Assembly;

  bool is_meant(const steps::ParsedStep& step, const HostSite& host);
  std::optional<steps::Lowered> lower(const steps::ParsedStep& step, steps::Place place, HostSite* host,
                                      steps::Variables& variables);
  plan::Lane rolling_lane(HostSite& host);
  void take(const steps::ParsedStep& step, steps::Lowered lowered, HostSite& host, Assembly& lane);
  static std::vector<plan::Action> way_back(const Assembly& lane, const HostSite& host);
  void close(Assembly& lane, HostSite& host);
  void verify(Assembly& lane, const HostSite& host);
  std::vector<plan::Node> recaptured(const Assembly& lane, const std::vector<plan::Action>& repair);
  plan::Lane finish(Assembly lane, const HostSite& host);
  static plan::Lane cleanup_lane(const HostSite& host);
  HostSite* host_of_once(const steps::ParsedStep& step);

  RunSite& run_;
};

}  // namespace staithe::playbook
