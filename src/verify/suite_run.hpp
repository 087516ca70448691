#pragma once
#include "asking.hpp"
#include "past.hpp"

#include "staithe/base/redact.hpp"
#include "staithe/verify/runner.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>

namespace staithe::verify {

class Spread;

/// What a suite's run tells while it goes on.
struct Reporting {
  std::function<void(const checks::Check&)> started;
  std::function<void(CheckResult)> finished;
  std::function<void()> interrupted;
};

/// What came before a suite's first step.
struct Begun {
  Time run;                   ///< when the whole run began
  base::Duration secrets{0};  ///< of the suite's budget: so long its secrets were looked up
};

/// One suite from its setup to its sweep, in one thread.
class SuiteRun {
 public:
  SuiteRun(const checks::Suite& suite, const Options& options, const Begun& begun, Captures values,
           Probes& probes, const PastOfChecks& past, const Secrecy& secrecy, Reporting reporting);

  /// Blocks until everything is cleaned up.
  void run();
  /// After run(): what the suite exports, under "suite.name".
  Captures exported() const;

 private:
  struct Undo {
    const checks::Check* check;
    Captures values;
    std::string why_not{};  ///< it cannot be asked: what may be left
  };

  /// A failed check after which nothing more is begun, but its step for other hosts.
  struct Stop {
    const checks::Check* check;
    bool unjudged;  ///< nobody knows whether it fails
  };

  void part(const std::vector<checks::Check>& checks);
  void one(const checks::Check& check);
  void put_right();
  void lose(const checks::Check& check);
  /// Of an attempt that did not hold: what it has made is there all the same. It is put right where it is the
  /// run's own for certain, and told of otherwise.
  enum class Attempts {
    are_many,  ///< one request of an attempt that makes many
    go_on,
    over,
  };
  void leave(const checks::Check& check, Asked& last, Attempts attempts);
  /// Once for all attempts of which no more is known than `text`; `had` is what this one was answered with
  /// besides, as it is shown, and `whole` the same as it is.
  void tell_left(const checks::Check& undo, const Captures& values, const std::string& text,
                 const std::string& had, const std::string& whole);
  /// Once where two attempts have made the same.
  void queue(const checks::Check& undo, const Captures& values);
  void tidy(const checks::Check& check, const Captures& values);
  void skip(const checks::Check& check, const Captures& values, std::string reason);
  struct Swept {
    std::size_t removed = 0, left = 0, foreign = 0, young = 0;
    std::string why;  ///< of the first that is left
  };
  void sweep();
  void sweep_item(const checks::Value& item, Swept& swept);
  void tell(const Swept& swept, CheckResult& result) const;
  std::string why_not(const checks::Check& check) const;
  /// The step that saves the value; null for none.
  const checks::Check* saver_of(const std::string& value, const checks::Check& user) const;
  const Stop* stop_before(const checks::Check& check) const;
  void stop_at(const checks::Check& check, bool unjudged);
  std::string budget_used_up() const;
  CheckResult begin(const checks::Check& check, const Captures& values) const;
  /// What is done with the last reply belongs to the check, and takes of its time.
  void come_to_verdict(const checks::Check& check, const Captures& values, const base::Scope& scope,
                       CheckResult& result, const std::function<void(Asked&)>& then);
  /// The secrets in the values.
  std::vector<base::Redactor::Hold> hold(const Captures& values) const;
  void hold_on(std::vector<base::Redactor::Hold> held);
  void attempt(const checks::Check& check, const Captures& values, const base::Scope& scope,
               CheckResult& result, Asked& last);
  void look_around(const checks::Check& check, const Captures& values, const base::Scope& scope,
                   Spread& spread, CheckResult& result, Asked& last);
  void conclude(const checks::Check& check, const base::Scope& scope, Asked& last, CheckResult& result);
  /// False when a stop kept it from being known whether it is tolerated.
  bool tolerate(const checks::Check& check, const Asked& last, CheckResult& result);
  std::string evidence(const checks::Tolerance& tolerance, const Asked& last, std::string& against,
                       bool& cut);
  std::optional<Attempt> probe_neighbour(const checks::Neighbour& neighbour);
  void save(const checks::Check& check, Asked& last, CheckResult& result);
  void finish(CheckResult result);

  const checks::Suite& suite_;
  const Options& options_;
  Probes& probes_;
  const PastOfChecks& past_;
  const Secrecy secrecy_;
  const base::Redactor& redactor_;
  Reporting reporting_;
  Begun begun_;
  base::Scope scope_;
  base::Scope put_right_scope_;
  Captures values_;
  std::vector<base::Redactor::Hold> saved_;  ///< of values_
  std::vector<base::Redactor::Hold> told_;   ///< of the check in hand, until it is reported
  std::vector<Undo> undos_;
  /// By what they would remove, of those that are asked and of those that are only told of: of samples there
  /// are thousands.
  std::set<std::pair<const checks::Check*, std::string>> queued_, told_left_;
  std::optional<Stop> stop_;               ///< of all that comes behind it
  std::map<std::string, Stop> row_stops_;  ///< of what comes behind it in the same row
  const Stop* first_row_stop_ = nullptr;
  std::map<const checks::Check*, std::string> failed_;  ///< what became of it
  /// Names that were to be saved and are not known, or not known to be ours: what is said of them.
  std::map<std::string, std::string> lost_;
  std::map<std::string, Attempt> neighbours_;
};

}  // namespace staithe::verify
