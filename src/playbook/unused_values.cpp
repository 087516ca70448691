#include "unused_values.hpp"

#include "layers.hpp"

#include "staithe/base/text.hpp"
#include "staithe/steps/substitute.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace staithe::playbook {
namespace {

/// What a run captures is no variable yet, and known all the same.
bool is_captured(const Playbook* playbook, const std::string& name) {
  if (playbook == nullptr) return false;
  for (const auto* section :
       {&playbook->before, &playbook->stage, &playbook->prepare, &playbook->each, &playbook->after})
    for (const auto& step : *section)
      if (step.step != nullptr && step.step->captures() == name) return true;
  return false;
}

class Judge {
 public:
  Judge(const Project& project, const Environment& environment, const Playbook* playbook,
        const Request& request, diag::Diagnostics& diagnostics)
      : project_(project),
        environment_(environment),
        playbook_(playbook),
        request_(request),
        diagnostics_(diagnostics) {
    for (const auto& finding : diagnostics.sorted()) told_.insert(finding.cause);
  }

  /// The variables as every host, and a step without one, would have them with this service.
  void add_views(const Service* service) {
    Layers layers(project_, environment_, service, playbook_, request_);
    diag::Diagnostics told_elsewhere;
    layers.prepare(told_elsewhere);
    layers.set_release(Refs{"", std::string(40, '0'), ""});
    if (!environment_.knows_hosts()) return (void)views_.emplace_back("", layers.for_unknown_host());
    views_.emplace_back("", layers.for_run());
    for (const Host& host : environment_.hosts) views_.emplace_back(host.name.value, layers.for_host(host));
  }

  /// `is_meant`: whether the entries are for the host of that name; "" stands for no host.
  template <class IsMeant>
  void entries(const VariableEntries& entries, diag::Severity severity, const IsMeant& is_meant) {
    for (const VariableEntry& entry : entries)
      if (!entry.is_literal) value(entry.value, severity, is_meant);
  }

  /// A value that is wrong for all of them is a mistake; what only some can read may be meant for those.
  template <class IsMeant>
  void value(const Text& text, diag::Severity severity, const IsMeant& is_meant) {
    std::vector<steps::Problem> least;  // a host lacks nothing that every host has
    bool any = false;
    for (const auto& [host, variables] : views_) {
      if (environment_.knows_hosts() && !is_meant(host)) continue;
      std::vector<steps::Problem> problems;
      (void)steps::expand_text(text.value, variables, problems);
      std::erase_if(problems, [&](const steps::Problem& problem) { return is_excused(problem); });
      if (problems.empty()) return;
      if (!std::exchange(any, true) || problems.size() < least.size()) least = std::move(problems);
    }
    for (const steps::Problem& problem : least)
      if (!is_told(text, problem)) report(text, severity, problem);
  }

 private:
  /// What is captured, or what a host may have that nobody knows yet.
  bool is_excused(const steps::Problem& problem) const {
    return problem.is_warning || (!problem.missing.empty() && is_captured(playbook_, problem.missing));
  }

  /// Where the value is used the mistake stands already, and says that it is this value's.
  bool is_told(const Text& text, const steps::Problem& problem) const {
    const auto& inner = problem.source.position;
    return told_.count(inner.file.empty() ? text.position : inner) > 0;
  }

  void report(const Text& text, diag::Severity severity, const steps::Problem& problem) {
    diag::Diagnostic finding;
    finding.severity = severity;
    finding.position = text.position;
    finding.length = text.length;
    finding.path = text.path;
    finding.message = problem.message;
    finding.help = problem.help;
    diagnostics_.add(std::move(finding));
  }

  const Project& project_;
  const Environment& environment_;
  const Playbook* playbook_;
  const Request& request_;
  diag::Diagnostics& diagnostics_;
  std::set<diag::Position> told_;  ///< values whose mistakes stand where they are used
  std::vector<std::pair<std::string, steps::Variables>> views_;
};

void judge_service(Judge& judge, const Service& service) {
  const auto anywhere = [](const std::string&) { return true; };
  for (const auto* text : {&service.repository, &service.path, &service.reload, &service.health,
                           &service.release_url, &service.address, &service.port})
    if (*text) judge.value(**text, diag::Severity::warning, anywhere);
}

}  // namespace

void check_unused_values(const Project& project, const Environment& environment, const Playbook* playbook,
                         const Request& request, diag::Diagnostics& diagnostics) {
  if (environment.hosts.empty() && environment.knows_hosts()) return;
  const bool named = playbook != nullptr && playbook->service;
  Judge all(project, environment, playbook, request, diagnostics);
  for (const Service& service : project.services) {
    if (named && service.name.value != playbook->service->value) continue;
    Judge one(project, environment, playbook, request, diagnostics);
    one.add_views(&service);
    judge_service(one, service);
    all.add_views(&service);
  }
  if (project.services.empty() || !named) all.add_views(nullptr);
  const auto anywhere = [](const std::string&) { return true; };
  // Another playbook may set what these lack.
  const auto warning = diag::Severity::warning;
  all.entries(project.vars, warning, anywhere);
  all.entries(environment.vars, warning, anywhere);
  for (const Group& group : environment.groups)
    all.entries(group.vars, warning, [&](const std::string& name) {
      const Host* host = environment.find_host(name);
      return host != nullptr && environment.is_member(*host, group.name.value);
    });
  for (const Host& host : environment.hosts)
    all.entries(host.vars, warning, [&](const std::string& name) { return name == host.name.value; });
  if (playbook != nullptr) all.entries(playbook->vars, diag::Severity::error, anywhere);
}

}  // namespace staithe::playbook
