#include "staithe/verify/runner.hpp"

#include "past.hpp"
#include "suite_run.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/digest.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/utc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>

namespace staithe::verify {
namespace {

using Clock = std::chrono::steady_clock;

base::Duration since(Clock::time_point begun) {
  return std::chrono::duration_cast<base::Duration>(Clock::now() - begun);
}

checks::Share share_of(const CheckResult& one) {
  checks::Share share;
  share.name = one.check->name;
  share.weight = weight_of(one.check->severity);
  share.judged = static_cast<double>(one.evaluated) / static_cast<double>(one.declared);
  const bool nothing =
      one.verdict == Verdict::skipped || one.verdict == Verdict::error || one.verdict == Verdict::aborted;
  if (nothing) share.judged = 0;
  share.attempts = std::max<std::uint32_t>(one.attempts_made, 1);
  share.passed = one.verdict == Verdict::fail ? 0 : 1;
  share.flips = one.past.flips;
  share.runs = one.past.runs;
  if (share.judged < 1)
    share.cause = std::string(name_of(one.verdict)) + (one.reason.empty() ? "" : ": " + one.reason);
  return share;
}

/// What is known about the system: of a pause nothing is.
bool counts(const CheckResult& one) {
  if (one.check->asks_nothing()) return false;
  return one.check->part == checks::Part::setup || one.check->part == checks::Part::steps;
}

/// The first check that counts and was not run, of a suite that was; null when there is none.
const CheckResult* not_run(const SuiteResult& suite) {
  if (suite.blocked) return nullptr;
  const auto found = std::find_if(suite.checks.begin(), suite.checks.end(), [](const auto& one) {
    return one.blocking && one.verdict == Verdict::skipped;
  });
  return found == suite.checks.end() ? nullptr : &*found;
}

Verdict verdict_of(const SuiteResult& suite) {
  if (suite.blocked) return Verdict::skipped;
  // What counts and was never asked is not known to be well, whatever the others found.
  Verdict worst = not_run(suite) != nullptr ? Verdict::error : Verdict::pass;
  for (const auto& one : suite.checks) {
    if (one.quarantined) continue;
    Verdict verdict = one.verdict;
    // What does not block only colours.
    if (!one.blocking && verdict > Verdict::degraded) verdict = Verdict::degraded;
    if (!one.blocking && verdict == Verdict::skipped) verdict = Verdict::pass;
    worst = std::max(worst, verdict);
  }
  return worst;
}

/// The state that all suites' threads share.
class Run {
 public:
  Run(const checks::SuitePlan& plan, const Options& options, Probes& probes, store::Store* history,
      base::Redactor& redactor, const std::vector<Listener*>& listeners)
      : plan_(plan),
        options_(options),
        probes_(probes),
        history_(history),
        redactor_(redactor),
        tokens_(tokens_of(plan)),
        listeners_(listeners) {
    run_.run_id = options.run_id;
    run_.release = plan.release;
    run_.environment = plan.environment;
    run_.started = store::now();
    for (const auto& suite : plan.suites) {
      run_.suites.emplace_back();
      run_.suites.back().suite = &suite;
      if (options.arguments) run_.suites.back().arguments = options.arguments(suite);
      run_.suites.back().verdict = Verdict::skipped;
    }
    redactor.hold_parts(checks::written_secrets(plan), written_);
    state_.resize(plan.suites.size(), State::waiting);
    begun_.resize(plan.suites.size(), run_begun_);
    values_["run.id"] = Captured::of_text(mark_of_run(run_.run_id, owner_of(plan)));
    values_["run.started"] = Captured::of_text(base::utc_text(run_.started));
  }

  RunResult perform() {
    if (options_.memory != nullptr)
      past_ = PastOfChecks(*options_.memory, plan_);
    else if (history_ != nullptr)
      past_ = PastOfChecks(*history_, plan_, run_.history_trouble);
    tell([&](Listener& one) { one.run_started(run_, plan_); });
    foreseen_ = probes_.foresee(plan_, options_.soft);
    schedule();
    conclude();
    if (options_.memory != nullptr) options_.memory->add(run_);
    if (history_ != nullptr) {
      try {
        history_->record_checks(records_of(run_));
      } catch (const base::Error& error) {
        run_.history_trouble = error.what();
      }
    }
    tell([&](Listener& one) { one.run_finished(run_); });
    return std::move(run_);
  }

 private:
  enum class State { waiting, running, done };

  template <class Tell>
  void tell(Tell what) {
    for (auto* listener : listeners_) what(*listener);
  }

  void schedule() {
    std::vector<std::thread> threads;
    std::unique_lock lock(mutex_);
    for (;;) {
      bool left = false, ended = false;
      for (std::size_t i = 0; i < state_.size(); ++i) {
        if (state_[i] != State::waiting) continue;
        left = true;
        std::string culprit;
        if (!plan_.suites[i].unread.empty()) {
          give_up(i);
          ended = true;
          continue;
        }
        if (!may_begin(i, culprit)) {
          if (!culprit.empty()) block(i, culprit);
          ended = ended || !culprit.empty();
          continue;
        }
        if (running_ >= options_.suites_at_once) continue;
        state_[i] = State::running;
        ++running_;
        threads.emplace_back([this, i] { suite(i); });
      }
      if (ended) continue;  // which others may have waited for
      if (!left && running_ == 0) break;
      changed_.wait_for(lock, std::chrono::milliseconds(200));
      tell([](Listener& one) { one.tick(); });
    }
    lock.unlock();
    for (auto& thread : threads) thread.join();
  }

  /// False without a culprit: it must wait.
  bool may_begin(std::size_t index, std::string& culprit) const {
    for (const auto& name : plan_.suites[index].depends_on) {
      const auto found = std::find_if(plan_.suites.begin(), plan_.suites.end(),
                                      [&](const auto& one) { return one.name == name; });
      if (found == plan_.suites.end()) {
        culprit = fmt::format("blocked: needs suite '{}', which is not part of this run", name);
        return false;
      }
      const auto other = static_cast<std::size_t>(found - plan_.suites.begin());
      if (state_[other] != State::done) return false;
      const auto verdict = run_.suites[other].verdict;
      if (verdict == Verdict::pass || verdict == Verdict::degraded || verdict == Verdict::tolerated) continue;
      culprit = fmt::format("blocked: needs suite '{}', which ended with {}", name, name_of(verdict));
      return false;
    }
    return true;
  }

  SuiteResult& not_begun(std::size_t index, const std::string& reason) {
    auto& result = run_.suites[index];
    result.started = store::now();
    begun_[index] = Clock::now();
    result.reason = reason;
    return result;
  }

  /// A suite of which nobody can say whether what it would check is well.
  void give_up(std::size_t index) {
    auto& result = not_begun(index, plan_.suites[index].unread);
    result.verdict = Verdict::error;
    tell([&](Listener& one) { one.suite_started(result); });
    end(index);
  }

  void block(std::size_t index, const std::string& culprit) {
    auto& result = not_begun(index, culprit);
    result.blocked = true;
    tell([&](Listener& one) { one.suite_started(result); });
    for (const auto* part : {&plan_.suites[index].setup, &plan_.suites[index].steps})
      for (const auto& check : *part) {
        CheckResult one;
        one.check = &check;
        one.suite = plan_.suites[index].name;
        one.verdict = Verdict::skipped;
        one.reason = culprit;
        one.started = result.started;
        one.declared = declared(check);
        one.title = title_of(check.request);
        one.blocking = check.severity >= plan_.suites[index].severity;
        result.checks.push_back(std::move(one));
        tell([&](Listener& listener) { listener.check_finished(result, result.checks.back()); });
      }
    end(index);
  }

  void suite(std::size_t index) {
    const auto& suite = plan_.suites[index];
    auto& result = run_.suites[index];
    Captures values;
    {
      const std::lock_guard lock(mutex_);
      result.started = store::now();
      result.checks.reserve(suite.setup.size() + suite.steps.size() + suite.cleanup.size());
      begun_[index] = Clock::now();
      values = values_;
      tell([&](Listener& one) { one.suite_started(result); });
    }
    Reporting reporting;
    reporting.started = [&](const checks::Check& check) {
      const std::lock_guard lock(mutex_);
      tell([&](Listener& one) { one.check_started(suite, check); });
    };
    reporting.finished = [&](CheckResult one) {
      const std::lock_guard lock(mutex_);
      result.checks.push_back(std::move(one));
      tell([&](Listener& listener) { listener.check_finished(result, result.checks.back()); });
    };
    reporting.interrupted = [&] {
      const std::lock_guard lock(mutex_);
      auto so_far = run_;
      so_far.interrupted = true;
      for (auto& one : so_far.suites) one.verdict = verdict_of(one);
      tell([&](Listener& one) { one.interrupted(so_far); });
    };
    const auto foreseen = foreseen_.find(suite.name);
    const Begun begun{run_.started, foreseen == foreseen_.end() ? base::Duration{0} : foreseen->second};
    SuiteRun run(suite, options_, begun, values, probes_, past_,
                 {redactor_, tokens_.at(suite.name), plan_.project.empty() ? "" : owner_of(plan_),
                  checks::OwnWords(suite)},
                 reporting);
    std::string broke;
    try {
      run.run();
    } catch (const std::exception&) {
      broke = "not all of it was run: an error in staithe itself";  // the others go on
    }
    const std::lock_guard lock(mutex_);
    for (auto& [name, value] : run.exported()) values_[name] = value;
    result.verdict = verdict_of(result);
    if (!broke.empty()) {
      result.verdict = std::max(result.verdict, Verdict::error);
      result.reason = std::move(broke);
    }
    const bool tells = std::any_of(result.checks.begin(), result.checks.end(), [](const auto& one) {
      return one.blocking && one.verdict == Verdict::error;
    });
    if (const auto* one = not_run(result);
        one != nullptr && result.verdict == Verdict::error && !tells && result.reason.empty())
      result.reason = fmt::format("'{}' was not judged: {}", one->check->name, one->reason);
    --running_;
    end(index);
  }

  void end(std::size_t index) {
    auto& result = run_.suites[index];
    if (result.verdict == Verdict::skipped && result.reason.empty()) result.verdict = verdict_of(result);
    // The wall clock may jump; how long something took is the steady one's.
    result.duration = since(begun_[index]);
    result.finished = true;
    std::vector<checks::Share> shares;
    for (const auto& one : result.checks)
      if (counts(one)) shares.push_back(share_of(one));
    result.confidence = checks::score(shares);
    state_[index] = State::done;
    tell([&](Listener& one) { one.suite_finished(result); });
    changed_.notify_all();
  }

  void conclude() {
    run_.duration = since(run_begun_);
    run_.interrupted = options_.soft != nullptr && options_.soft->requested();
    std::vector<checks::Share> shares;
    double quarantined = 0, whole = 0;
    for (const auto& suite : run_.suites) {
      run_.verdict = std::max(run_.verdict, suite.verdict);
      for (const auto& one : suite.checks) {
        if (!counts(one)) continue;
        shares.push_back(share_of(one));
        whole += shares.back().weight;
        quarantined += one.quarantined ? shares.back().weight : 0;
      }
    }
    run_.confidence = checks::score(shares);
    run_.inconclusive = why_inconclusive(whole > 0 ? quarantined / whole : 0);
    run_.proposals = proposals(run_);
  }

  std::string why_inconclusive(double quarantined) const {
    if (run_.verdict == Verdict::fail) return {};
    for (const auto& suite : run_.suites)
      for (const auto& one : suite.checks) {
        if (!one.blocking) continue;
        if (one.verdict == Verdict::error || one.verdict == Verdict::aborted ||
            one.verdict == Verdict::skipped)
          return fmt::format("'{}' of {} was not judged: {}", one.check->name, suite.suite->name,
                             one.reason.empty() ? name_of(one.verdict) : one.reason);
      }
    if (quarantined > 0.1) return fmt::format("{:.0f} % of the checks are in quarantine", 100 * quarantined);
    if (run_.confidence.coverage < options_.least_coverage)
      return fmt::format("only {:.0f} % of what is declared was judged", 100 * run_.confidence.coverage);
    return {};
  }

  const checks::SuitePlan& plan_;
  const Options& options_;
  Probes& probes_;
  store::Store* history_;
  base::Redactor& redactor_;
  std::vector<base::Redactor::Hold> written_;  ///< in the suites, word for word
  const std::map<std::string, TokenNames> tokens_;
  const std::vector<Listener*>& listeners_;
  PastOfChecks past_;
  std::mutex mutex_;
  std::condition_variable changed_;
  RunResult run_;
  std::vector<State> state_;
  const Clock::time_point run_begun_ = Clock::now();
  std::vector<Clock::time_point> begun_;
  Foreseen foreseen_;
  std::size_t running_ = 0;
  Captures values_;
};

}  // namespace

std::size_t RunResult::count(Verdict wanted) const {
  std::size_t found = 0;
  for (const auto& suite : suites)
    for (const auto& one : suite.checks) found += one.verdict == wanted ? 1 : 0;
  return found;
}

std::string counts_text(const RunResult& run) {
  std::string text;
  for (const auto verdict : {Verdict::pass, Verdict::tolerated, Verdict::degraded, Verdict::skipped,
                             Verdict::aborted, Verdict::error, Verdict::fail})
    if (const auto count = run.count(verdict); count > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name_of(verdict));
  std::size_t apart = 0;
  for (const auto& suite : run.suites)
    for (const auto& one : suite.checks) apart += one.quarantined ? 1 : 0;
  if (apart > 0) text += fmt::format(" ({} of them in quarantine)", apart);
  return text.empty() ? "nothing was run" : text;
}

RunResult run(const checks::SuitePlan& plan, const Options& options, Probes& probes, store::Store* history,
              base::Redactor& redactor, const std::vector<Listener*>& listeners) {
  return Run(plan, options, probes, history, redactor, listeners).perform();
}

std::string new_run_id(Time now) {
  const auto utc = base::utc(now);
  std::string tail;
  for (const char byte : base::random_bytes(3))
    tail += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return fmt::format("{:04}{:02}{:02}t{:02}{:02}{:02}-{}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, tail);
}

Time began(std::string_view run_id) {
  std::tm utc{};
  const std::string text(run_id.substr(0, 15));
  const char* end = text.size() == 15 ? ::strptime(text.c_str(), "%Y%m%dt%H%M%S", &utc) : nullptr;
  if (end == nullptr || *end != '\0') return {};
  return Time{std::chrono::seconds(::timegm(&utc))};
}

std::string owner_of(const checks::SuitePlan& plan) {
  return plan.project + "/" + plan.environment;
}

std::string mark_of_run(std::string_view run_id, std::string_view owner) {
  constexpr std::size_t digits = 6;
  return std::string(run_id) + base::sha256_hex(fmt::format("run {} of {}", run_id, owner)).substr(0, digits);
}

std::string mark_in(std::string_view text, std::string_view owner) {
  constexpr std::string_view id = "ddddddddtdddddd-xxxxxx", shape = "ddddddddtdddddd-xxxxxxxxxxxx";
  const auto fits = [&](char wanted, char c) {
    if (wanted == 'd') return base::is_digit(c);
    if (wanted == 'x') return base::is_digit(c) || (c >= 'a' && c <= 'f');
    return wanted == c;
  };
  for (std::size_t at = 0; at + shape.size() <= text.size(); ++at) {
    const auto candidate = text.substr(at, shape.size());
    const auto end = at + shape.size();
    if ((at > 0 && base::is_alnum(text[at - 1])) || (end < text.size() && base::is_alnum(text[end])))
      continue;
    if (std::equal(shape.begin(), shape.end(), candidate.begin(), fits) && began(candidate) != Time{} &&
        candidate == mark_of_run(candidate.substr(0, id.size()), owner))
      return std::string(candidate);
  }
  return {};
}

}  // namespace staithe::verify
