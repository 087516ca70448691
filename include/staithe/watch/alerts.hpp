#pragma once
#include "staithe/watch/state.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

/// Who is told what, and when: decided here, delivered elsewhere. Pure: moments are arguments.
namespace staithe::watch {

struct Cause;

/// Something that is wrong for one reason. What is wrong only because of it is named in it, and is none
/// itself. A cause is a check that fails, or the suite as a whole. Those that are there in the run after
/// which somebody is told of the first one share an incident: when a site is down, that is one page.
struct Incident {
  enum class Kind {
    failing,   ///< checks fail run after run, or the suite as a whole
    unsteady,  ///< no run ends well, each for another reason
    degraded,  ///< longer than the suite says is bearable
    silent,    ///< no run has ended for too long
  };
  /// A cause that belongs to it.
  struct Member {
    std::string key;         ///< of the check; "": the suite as a whole
    bool due = false;        ///< somebody would have been told of it alone, too
    std::uint32_t well = 0;  ///< runs in a row since it was bad
  };
  Kind kind = Kind::failing;
  /// The same for the same cause in every process: "staithe/shop/production/payments/failing/charge"; with
  /// "#2" behind it while another one that began with that cause goes on without it.
  std::string id;
  std::string environment, suite, owner, runbook;
  Severity severity = Severity::major;
  std::string culprit;  ///< the check, when it is one
  std::string reason;
  std::string release, run_id;
  std::vector<Member> members;  ///< at first the one that it is named after leads; of failing and degraded
  std::vector<std::string> details;  ///< a line for each check that is bad; of what is over: what is not
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

/// "charge, refund and 3 more": its members, or "" when it is of the suite.
std::string names_of(const Incident& incident);

struct AlertRules {
  std::string project, environment;
  base::Duration remind{std::chrono::hours(4)};  ///< zero: never
};

class Alerts {
 public:
  explicit Alerts(AlertRules rules) : rules_(std::move(rules)) {}

  /// The names of all destinations: whom a suite means that names none.
  void know(std::vector<std::string> destinations) { everybody_ = std::move(destinations); }

  /// After a run: the suites of it, in the order of the plan, as they are now. `policies` by suite. Counts in
  /// them which of their runs no alert explains.
  std::vector<Message> after_run(const std::vector<SuiteState*>& suites,
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
  /// Incidents of suites that are watched no more end without a word to people; none does while a
  /// suite is watched whose name is a guess.
  std::vector<Message> forget_others(const std::map<std::string, const checks::Suite*>& policies, Time now);

  const std::map<std::string, Incident>& open() const noexcept { return open_; }

  /// What outlives the process.
  std::string to_json() const;
  void restore(const std::string& json);

 private:
  /// One suite whose run has ended, and what is told of it.
  struct Ended;
  bool is_open(Incident::Kind kind, const std::string& suite) const;
  Incident& opened(Incident::Kind kind, const std::string& cause, const SuiteState& suite, Time since);
  Incident& only(Incident::Kind kind, const SuiteState& suite, Time since);
  void follow(Incident::Kind kind, const std::vector<Cause>& causes, const Ended& ended);
  std::set<std::string> over(Incident::Kind kind, const std::vector<Cause>& causes, const SuiteState& suite);
  void begin(Incident::Kind kind, const std::vector<Cause>& causes, const Ended& ended);
  void unsteady(const std::vector<Cause>& causes, const Ended& ended);
  void update(Incident& incident, const Ended& ended);
  bool is_due(Incident::Kind kind, const Cause& cause, const Ended& ended) const;
  void end(Incident::Kind kind, const Ended& ended);
  void end(const std::string& id, const checks::Alert& alert, Time now, std::vector<Message>& messages);
  void tell(Message::Kind kind, Incident& incident, const checks::Alert& alert, Time now,
            std::vector<Message>& messages) const;
  std::string id_of(Incident::Kind kind, const std::string& suite, const std::string& cause = {}) const;

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
