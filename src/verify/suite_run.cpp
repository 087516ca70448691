#include "suite_run.hpp"

#include "spread.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

namespace staithe::verify {
namespace {

using checks::Judged;
using checks::Part;

constexpr std::size_t first_attempts = 3, last_attempts = 7;
/// After a failure that the next attempt did not have.
constexpr std::uint32_t more_requests = 5;

bool is_tidying(Part part) {
  return part == Part::cleanup || part == Part::undo || part == Part::sweep;
}

/// What another suite has saved is still what it was there: null, a list or a number.
Captured used(const plan::Text& text, const Captures& values) {
  const auto* hole =
      text.pieces().size() == 1 ? std::get_if<plan::CaptureRef>(&text.pieces().front()) : nullptr;
  const auto found = hole != nullptr ? values.find(hole->name) : values.end();
  return found != values.end() ? found->second : Captured::of_text(filled(text, values).shown());
}

/// A whole answer that did not hold, and nothing that might be tried again: a stop that comes behind it
/// changes nothing. Not so of a command, which a Ctrl-C may have reached as well, and of rows that were
/// waited for.
bool is_settled(const checks::Check& check, const Asked& last, std::uint32_t attempts) {
  return !last.cancelled && !last.cut_short && !last.attempt.unjudged &&
         last.reply.failure == checks::Reply::Failure::none && check.until.empty() && check.sample <= 1 &&
         attempts > check.retries && !std::holds_alternative<checks::RunRequest>(check.request) &&
         !std::holds_alternative<checks::CompareRequest>(check.request);
}

void keep(std::vector<Attempt>& attempts, Attempt attempt) {
  if (attempts.size() >= first_attempts + last_attempts) attempts.erase(attempts.begin() + first_attempts);
  attempts.push_back(std::move(attempt));
}

}  // namespace

SuiteRun::SuiteRun(const checks::Suite& suite, const Options& options, const Begun& begun, Captures values,
                   Probes& probes, const PastOfChecks& past, const Secrecy& secrecy, Reporting reporting)
    : suite_(suite),
      options_(options),
      probes_(probes),
      past_(past),
      secrecy_(secrecy),
      redactor_(secrecy.redactor),
      reporting_(std::move(reporting)),
      begun_(begun),
      scope_(base::Scope::lasting(suite.budget - std::min(begun.secrets, suite.budget), options.soft)),
      put_right_scope_(scope_),
      values_(std::move(values)) {}

void SuiteRun::run() {
  for (const auto& [name, text] : suite_.use) {
    try {
      values_[name] = used(text, values_);
    } catch (const base::Error&) {
      // What needs it is blocked, and says so.
    }
  }
  hold_on(hold(values_));
  std::exception_ptr broke;
  try {
    part(suite_.setup);
    part(suite_.steps);
  } catch (const std::exception&) {
    broke = std::current_exception();  // what was made is there all the same
  }
  if (scope_.cancelled()) reporting_.interrupted();
  put_right();
  if (broke) std::rethrow_exception(broke);
}

Captures SuiteRun::exported() const {
  Captures exported;
  for (const auto& name : suite_.exports)
    if (const auto found = values_.find(name); found != values_.end())
      exported[suite_.name + "." + name] = found->second;
  return exported;
}

void SuiteRun::part(const std::vector<checks::Check>& checks) {
  for (const auto& check : checks) one(check);
}

/// What was no step's is said where it was more than a tenth.
std::string SuiteRun::budget_used_up() const {
  auto text = fmt::format("budget of {} is used up", base::to_text(suite_.budget));
  if (begun_.secrets > suite_.budget / 10)
    text += fmt::format(", {} of it before the first step, by looking up secrets",
                        base::elapsed_text(begun_.secrets));
  return text;
}

std::string SuiteRun::why_not(const checks::Check& check) const {
  if (scope_.cancelled()) return "stopped before it was begun";
  if (scope_.expired()) return "the suite's " + budget_used_up();
  if (const auto value = missing(check.needs, values_); !value.empty()) {
    const auto* saver = saver_of(value, check);
    if (saver == nullptr) return fmt::format("blocked: '{}' is not known", value);
    const auto failed = failed_.find(saver);
    return fmt::format("blocked: needs '{}', which {}", saver->name,
                       failed == failed_.end() ? "did not save '" + value + "'" : failed->second);
  }
  if (const auto* stop = stop_before(check))
    return fmt::format("blocked: '{}' {} before it", stop->check->name,
                       stop->unjudged ? "was not judged" : "failed");
  return {};
}

/// Of several that save it, the last one that came before, which is of the same row.
const checks::Check* SuiteRun::saver_of(const std::string& value, const checks::Check& user) const {
  const checks::Check* saver = nullptr;
  for (const auto* part : {&suite_.setup, &suite_.steps})
    for (const auto& check : *part) {
      if (&check == &user) return saver;
      for (const auto& saved : check.save)
        if (saved.name == value) saver = &check;
    }
  return saver;
}

/// Rows do not know of each other; what stands outside the table comes after all of them.
const SuiteRun::Stop* SuiteRun::stop_before(const checks::Check& check) const {
  const auto stops = [&](const Stop& stop) { return stop.check->step != check.step; };
  if (stop_ && stops(*stop_)) return &*stop_;
  if (check.row.empty()) return first_row_stop_;
  const auto of_row = row_stops_.find(check.row);
  return of_row != row_stops_.end() && stops(of_row->second) ? &of_row->second : nullptr;
}

void SuiteRun::stop_at(const checks::Check& check, bool unjudged) {
  const Stop stop{&check, unjudged};
  if (check.row.empty()) {
    if (!stop_) stop_ = stop;
    return;
  }
  const auto [at, is_new] = row_stops_.try_emplace(check.row, stop);
  if (is_new && first_row_stop_ == nullptr) first_row_stop_ = &at->second;
}

CheckResult SuiteRun::begin(const checks::Check& check, const Captures& values) const {
  CheckResult result;
  result.check = &check;
  result.suite = suite_.name;
  result.started = store::now();
  result.declared = declared(check);
  result.past = past_.of(check);
  result.recent = past_.recent(check);
  const auto now = static_cast<double>(result.started.time_since_epoch().count()) / 1000;
  const auto& limits = suite_.flaky;
  if (check.quarantine && now < check.quarantine->until_time) {
    result.quarantine = fmt::format("until {}, {}: {}", check.quarantine->until, check.quarantine->owner,
                                    check.quarantine->reason);
  } else if (limits.quarantine == checks::Flaky::Action::automatic &&
             check.severity != checks::Severity::critical && result.past.flips >= limits.suspect) {
    // It comes back by itself: when the flips leave the window, or the check becomes another one.
    result.quarantine =
        fmt::format("{} in {} on unchanged releases", base::count_text(result.past.flips, "flip"),
                    base::count_text(result.past.runs, "run"));
  }
  result.quarantined = !result.quarantine.empty();
  result.blocking = !result.quarantined && !is_tidying(check.part) && check.severity >= suite_.severity;
  try {
    const auto request = filled(check.request, values);
    result.title = title_of(request);
    result.curl = curl_line(request);
  } catch (const base::Error&) {
    result.title = title_of(check.request);
  }
  return result;
}

void SuiteRun::one(const checks::Check& check) {
  auto result = begin(check, values_);
  if (auto reason = why_not(check); !reason.empty()) {
    const bool cut = scope_.cancelled() || scope_.expired();
    result.verdict = cut ? Verdict::aborted : Verdict::skipped;
    result.reason = std::move(reason);
    failed_.emplace(&check, cut ? "was not run" : "was skipped");
    // What comes behind it is not begun either, a second table's rows included.
    if (check.row.empty() && !stop_ && first_row_stop_ != nullptr) stop_ = *first_row_stop_;
    lose(check);
    return finish(std::move(result));
  }
  come_to_verdict(check, values_, scope_, result, [&](Asked& last) {
    if (result.verdict != Verdict::pass && result.verdict != Verdict::degraded &&
        result.verdict != Verdict::tolerated) {
      lose(check);
      return leave(check, last, Attempts::over);
    }
    save(check, last, result);
    // Queued with what is known now: a later step of the same name may save anew. What was made is there,
    // though a value of it could not be saved.
    for (const auto& undo : check.undo) queue(undo, values_);
  });
  const bool bad = result.verdict == Verdict::fail || result.verdict == Verdict::error ||
                   result.verdict == Verdict::aborted;
  if (bad) {
    failed_[&check] = result.verdict == Verdict::fail ? "failed" : "could not be judged";
    if (!check.go_on && !result.quarantined) stop_at(check, result.verdict != Verdict::fail);
  }
  finish(std::move(result));
}

void SuiteRun::come_to_verdict(const checks::Check& check, const Captures& values, const base::Scope& scope,
                               CheckResult& result, const std::function<void(Asked&)>& then) {
  reporting_.started(check);
  const auto begun = std::chrono::steady_clock::now();
  Asked last;
  attempt(check, values, scope, result, last);
  conclude(check, scope, last, result);
  hold_on(std::move(last.saved));
  told_ = std::move(last.told);
  then(last);
  result.duration = std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - begun);
}

std::vector<base::Redactor::Hold> SuiteRun::hold(const Captures& values) const {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : values) {
    checks::Value whole;
    whole.kind = value.kind;
    whole.text = value.text;
    FoundSecrets found(secrecy_.own);
    secrecy_.keep(name, whole, found);
    secrecy_.tell(name, whole, found);
    secrets.insert(secrets.end(), found.all().begin(), found.all().end());
  }
  return secrecy_.hold(secrets);
}

void SuiteRun::hold_on(std::vector<base::Redactor::Hold> held) {
  std::move(held.begin(), held.end(), std::back_inserter(saved_));
}

void SuiteRun::attempt(const checks::Check& check, const Captures& values, const base::Scope& scope,
                       CheckResult& result, Asked& last) {
  const std::uint32_t most = 1 + check.retries;
  Spread spread;
  bool failed = false;
  const auto one_of_many = [&](Asked& one) { leave(check, one, Attempts::are_many); };
  for (std::uint32_t number = 1;; ++number) {
    last = ask(check, values, probes_, secrecy_, scope, one_of_many);
    result.attempts_made = number;
    if (most > 1) spread.add(last);
    const bool held = last.attempt.held;
    failed = failed || (!held && !last.attempt.unjudged);
    const bool ours = last.attempt.unjudged && last.reply.failure == checks::Reply::Failure::ours;
    keep(result.attempts, last.attempt);
    if (held || last.cancelled || number >= most || (ours)) break;
    leave(check, last, Attempts::go_on);
    if (base::sleep_for(check.retry_after, scope) != base::Woke::ready) break;
  }
  // What could not be judged says nothing of the system, so a pass after it is none that wavered.
  result.flaky = last.attempt.held && failed;
  if (result.flaky && may_be_balanced(check)) look_around(check, values, scope, spread, result, last);
  result.samples = last.samples;
  result.samples_good = last.samples_good;
}

/// One bad host behind a balancer fails every so often: whether the failure was that, some more requests
/// tell.
void SuiteRun::look_around(const checks::Check& check, const Captures& values, const base::Scope& scope,
                           Spread& spread, CheckResult& result, Asked& last) {
  std::uint32_t made = 0, good = 0;
  while (made < more_requests && !scope.cancelled() && !scope.expired()) {
    auto more = ask(check, values, probes_, secrecy_, scope,
                    [&](Asked& one) { leave(check, one, Attempts::are_many); });
    leave(check, more, Attempts::go_on);
    if (more.cancelled || more.attempt.unjudged) break;
    if (!more.attempt.held && (scope.cancelled() || scope.expired())) break;  // it may have been cut
    spread.add(more);
    ++made;
    good += more.attempt.held ? 1 : 0;
  }
  if (made == 0) return;
  auto got = fmt::format("{} of {} more requests good", good, made);
  const auto culprit = spread.culprit();
  if (!culprit.empty()) got += "; all that failed came from " + culprit;
  last.attempt.note += "; " + got;
  result.attempts.back().note = last.attempt.note;
  if (good == made) return;
  // One good answer among many bad ones is no working system, unless one bad host explains the others.
  const bool fails = made == more_requests && (good == 0 || (culprit.empty() && 2 * good <= made));
  Judged again{Judged::Outcome::differs, "again", "as good as the last attempt", got, "",
               check.position,           !fails};
  if (fails) last.attempt.held = false;
  (fails ? last.attempt.judged : last.warnings).push_back(std::move(again));
}

void SuiteRun::conclude(const checks::Check& check, const base::Scope& scope, Asked& last,
                        CheckResult& result) {
  auto& attempt = last.attempt;
  result.judged = attempt.judged;
  result.judged.insert(result.judged.end(), last.warnings.begin(), last.warnings.end());
  const auto seen = std::count_if(result.judged.begin(), result.judged.end(),
                                  [](const Judged& one) { return one.outcome != Judged::Outcome::unjudged; });
  result.evaluated = std::min(result.declared, static_cast<std::size_t>(seen) + last.of_each);
  if (check.asks_nothing()) result.evaluated = result.declared;
  result.reason = attempt.reason;
  const bool open = !attempt.held && !is_settled(check, last, result.attempts_made);
  if (last.cancelled || (scope.cancelled() && open)) {
    result.verdict = Verdict::aborted;
    result.reason = "stopped";
  } else if ((scope.expired() || last.cut_short) && open) {
    result.verdict = Verdict::aborted;
    result.reason = "the " + (&scope == &put_right_scope_ ? fmt::format("budget of {} is used up",
                                                                        base::to_text(suite_.cleanup_budget))
                                                          : budget_used_up());
  } else if (attempt.unjudged) {
    result.verdict = Verdict::error;
  } else if (!attempt.held) {
    result.verdict = Verdict::fail;
    result.evaluated = result.declared;
    if (!tolerate(check, last, result)) {
      result.verdict = Verdict::aborted;
      result.reason = "stopped before it was known whether it is tolerated";
    }
  } else if (result.judged.empty() && !check.asks_nothing()) {
    result.verdict = Verdict::error;
    result.reason = "nothing was judged";
  } else if (held_of_nothing(result.judged)) {
    result.verdict = Verdict::error;
    result.reason = nothing_judged(result.judged);
  } else {
    const auto broken = [](const Judged& one) { return one.warns && one.outcome != Judged::Outcome::held; };
    const auto first = std::find_if(result.judged.begin(), result.judged.end(), broken);
    result.verdict = first == result.judged.end() ? Verdict::pass : Verdict::degraded;
    if (first != result.judged.end())
      result.reason = first->outcome == Judged::Outcome::unjudged
                          ? fmt::format("{}: {}", first->subject, first->why)
                          : fmt::format("{} {}, wanted {}", first->subject, first->got, first->wanted);
  }
}

void SuiteRun::finish(CheckResult result) {
  // What only this reply has let out is in nothing that comes later but by chance, where the redactor knows
  // the newest ones for a while.
  const auto told = std::exchange(told_, {});
  if (redactor_.knows_none()) return reporting_.finished(std::move(result));
  const auto clean = [this](std::string& text) { text = redactor_.clean(text); };
  const auto clean_all = [&](std::vector<Judged>& judged) {
    for (auto& one : judged) {
      clean(one.got);
      clean(one.why);
      clean(one.wanted);
    }
  };
  for (auto* text : {&result.reason, &result.title, &result.curl}) clean(*text);
  clean_all(result.judged);
  for (auto& attempt : result.attempts) {
    clean(attempt.note);
    clean(attempt.reason);
    clean_all(attempt.judged);
  }
  reporting_.finished(std::move(result));
}

}  // namespace staithe::verify
