#pragma once
#include "staithe/watch/state.hpp"

#include <map>
#include <string>
#include <vector>

/// Who is told what, and when: decided here, delivered elsewhere. Pure: moments are arguments.
namespace staithe::watch {

/// Something that is wrong for one reason. What is wrong only because of it is named in it, and is none
/// itself.
struct Incident {
  enum class Kind {
    failing,   ///< runs of the suite fail, or cannot be judged
    degraded,  ///< longer than the suite says is bearable
    silent,    ///< no run has ended for too long
  };
  Kind kind = Kind::failing;
  /// The same for the same cause in every process: "staithe/production/payments/failing".
  std::string id;
  std::string environment, suite, owner, runbook;
  Severity severity = Severity::major;
  std::string culprit;  ///< the check, when it is one
  std::string reason;
  std::string release, run_id;
  std::vector<std::string> details;  ///< a line for each check that failed
  std::vector<std::string> blocked;  ///< suites that were not run because of it
  Time since{};
  std::uint32_t runs = 0;  ///< in a row
  bool told = false;
  Time last_told{};
  std::vector<std::string>
      told_to;  ///< names of destinations: they are told of its end, whoever `to` says then
};

struct Message {
  enum class Kind { fired, reminder, recovered };
  Kind kind = Kind::fired;
  Incident incident;
  Time time{};
  std::vector<std::string> to;  ///< names of destinations; empty: all that there are
  bool notice = true;           ///< of `recovered`: people want to hear it; a pager is told anyway
  /// Of one that waits for a destination: how often that said no, through restarts, and a mark of the address
  /// that did. Another address has refused nothing yet.
  std::uint32_t refusals = 0;
  std::string refused_by{};
};

/// "fired", "reminder", "recovered". Stable: they stand in the log.
std::string_view name_of(Message::Kind kind) noexcept;
std::string_view name_of(Incident::Kind kind) noexcept;

struct AlertRules {
  std::string environment;
  base::Duration remind{std::chrono::hours(4)};  ///< zero: never
};

class Alerts {
 public:
  explicit Alerts(AlertRules rules) : rules_(std::move(rules)) {}

  /// The names of all destinations: whom a suite means that names none.
  void know(std::vector<std::string> destinations) { everybody_ = std::move(destinations); }

  /// After a run: the suites of it, in the order of the plan, as they are now. `policies` by suite.
  std::vector<Message> after_run(const std::vector<const SuiteState*>& suites,
                                 const std::map<std::string, const checks::Suite*>& policies, Time now);
  /// Between runs: what has gone silent, and what to remind of. `silent` are stale suites, each with why,
  /// grouped by the one that keeps the others waiting.
  struct Silence {
    const SuiteState* suite = nullptr;
    std::string why;
    std::vector<std::string> waiting;  ///< others that wait for it
  };
  std::vector<Message> between_runs(const std::vector<Silence>& silent,
                                    const std::map<std::string, const checks::Suite*>& policies, Time now);
  /// Incidents of suites that are watched no more end without a word to people.
  std::vector<Message> forget_others(const std::map<std::string, const checks::Suite*>& policies, Time now);

  const std::map<std::string, Incident>& open() const noexcept { return open_; }

  /// What outlives the process.
  std::string to_json() const;
  void restore(const std::string& json);

 private:
  Incident& incident(Incident::Kind kind, const SuiteState& suite, Time now);
  void failing(const SuiteState& suite, const std::vector<const SuiteState*>& suites,
               const checks::Suite& policy, Time now, std::vector<Message>& messages);
  void degraded(const SuiteState& suite, const checks::Suite& policy, Time now,
                std::vector<Message>& messages);
  void end(Incident::Kind kind, const std::string& suite, const checks::Alert& alert, Time now,
           std::vector<Message>& messages);
  void tell(Message::Kind kind, Incident& incident, const checks::Alert& alert, Time now,
            std::vector<Message>& messages) const;
  std::string id_of(Incident::Kind kind, const std::string& suite) const;

  AlertRules rules_;
  std::vector<std::string> everybody_;
  std::map<std::string, Incident> open_;
};

/// What a Slack-compatible webhook takes: {"text": …}.
std::string slack_body(const Message& message, const std::string& project);
/// An event of PagerDuty's Events API v2; a reminder triggers again under the same dedup_key.
std::string pagerduty_body(const Message& message, const std::string& project,
                           const std::string& routing_key);
/// The message as one or a few lines for people.
std::string text_of(const Message& message, const std::string& project);

}  // namespace staithe::watch
