#include "suite_run.hpp"
#include "tokens.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

/// What steps have made, and how it is removed.
namespace staithe::verify {
namespace {

using checks::Judged;
using checks::Reply;
using checks::Value;

/// What a step that did not hold has made.
struct Made {
  enum class Is {
    nothing,
    perhaps,  ///< and what it would be is not known
    found,    ///< what was answered may as well be of somebody else: that may be just what did not hold
    ours,
  };
  Is is = Is::nothing;
  std::string by;  ///< "answered 201"
};

const Value* number_of(const Reply& reply, const char* name) {
  const auto found = reply.facts.find(name);
  return found == reply.facts.end() || found->second.kind != Value::Kind::number ? nullptr : &found->second;
}

bool held_its_status(const Attempt& attempt) {
  return std::none_of(attempt.judged.begin(), attempt.judged.end(), [](const Judged& one) {
    return one.subject == "status" && one.outcome != Judged::Outcome::held;
  });
}

Made made_by_command(const Reply& reply) {
  const auto* exit = number_of(reply, "exit");
  if (exit == nullptr) return {Made::Is::perhaps, "was killed"};
  if (checks::says_no_command(reply)) return {};
  return {exit->number == 0 ? Made::Is::found : Made::Is::perhaps, "ended with " + exit->text};
}

/// Only data of the run's own is ever deleted, and of what did not hold one answer alone says that it is:
/// 201. A 200 may be a customer whom the name belongs to already, or one who was looked for; so may what a
/// command prints.
Made made_by(const checks::Check& check, const Asked& last) {
  // What only looks has made nothing, nor has what says that it does no harm and has nothing to undo.
  if (checks::is_safe(check.request) || (check.safe && check.undo.empty())) return {};
  if (last.reply.failure == Reply::Failure::ours) return {};
  if (last.silent || last.reply.failure != Reply::Failure::none)
    return {Made::Is::perhaps, "was not answered"};
  if (std::holds_alternative<checks::RunRequest>(check.request)) return made_by_command(last.reply);
  const auto* status = number_of(last.reply, "status");
  if (status == nullptr) return {};
  const auto by = "answered " + status->text;
  if (status->number == 201 && held_its_status(last.attempt)) return {Made::Is::ours, by};
  if (status->number < 400) return {Made::Is::found, by};
  // 409 tells of a thing that another one has made.
  return {status->number >= 500 ? Made::Is::perhaps : Made::Is::nothing, by};
}

/// Why there is nothing to save; "" where there is.
std::string why_not_saved(const Reply& reply, const checks::Save& saved,
                          const checks::Judge::Selected& selected) {
  if (reply.cut.count(saved.subject) > 0) return "is too large to be read whole";
  if (!selected.why.empty()) return selected.why;
  const bool absent = selected.values.empty() || selected.values.front().kind == Value::Kind::absent;
  return absent ? "is absent" : "";
}

std::string not_known(const std::string& value, const std::string& step) {
  return fmt::format("'{}' is not known: look for what may be left ('{}' was to save it)", value, step);
}

/// All that an undo asks for, which may be what every step knows of its run. The rest may be a megabyte, and
/// an undo is kept for each of thousands.
Captures needed_by(const checks::Check& undo, const Captures& values) {
  Captures kept;
  for (const auto& [name, value] : values)
    if (name.starts_with("run.") || undo.needs.count(name) > 0) kept.emplace(name, value);
  return kept;
}
Captures needed_by(const std::vector<checks::Check>& undos, const Captures& values) {
  Captures kept;
  for (const auto& undo : undos) kept.merge(needed_by(undo, values));
  return kept;
}

}  // namespace

void SuiteRun::save(const checks::Check& check, Asked& last, CheckResult& result) {
  const checks::Judge judge(last.reply, 0, cleaner(last, redactor_));
  // What can be had is kept: it is what the step has made, and what its undo removes.
  for (const auto& saved : check.save) {
    const auto selected = judge.select(saved.subject);
    if (const auto why = why_not_saved(last.reply, saved, selected); !why.empty()) {
      // What comes after would be blocked without a word about why.
      values_.erase(saved.name);
      lost_[saved.name] = not_known(saved.name, check.name);
      result.verdict = Verdict::fail;
      result.reason = fmt::format("'{}' could not be saved: {} {}", saved.name, saved.subject, why);
      result.judged.push_back(
          {Judged::Outcome::differs, saved.subject, "a value to save", "absent", "", check.position, false});
      continue;
    }
    values_[saved.name] = Captured::of(selected.values.front());
    lost_.erase(saved.name);
  }
}

/// What the step was to save is not known: an older value of the name is of something else, which must not be
/// taken for it, to be removed least of all.
void SuiteRun::lose(const checks::Check& check) {
  for (const auto& saved : check.save)
    if (values_.erase(saved.name) > 0) lost_[saved.name] = not_known(saved.name, check.name);
}

void SuiteRun::leave(const checks::Check& check, Asked& last, Attempts attempts) {
  const bool is_one_of_many = attempts == Attempts::are_many;
  // There may be thousands.
  if (check.undo.empty() && (check.save.empty() || is_one_of_many)) return;
  auto made = made_by(check, last);
  if (made.is == Made::Is::nothing) return;
  const bool over = attempts == Attempts::over;
  // One more request that held has made what the one before it has.
  if (!over && last.attempt.held) made.is = Made::Is::ours;
  // Each one makes the others be looked at again: of thousands all but these are let go, until their undo.
  constexpr std::size_t most_held = 128;
  if (!is_one_of_many || saved_.size() < most_held) hold_on(std::exchange(last.saved, {}));
  auto values = needed_by(check.undo, values_);
  std::string had, whole;
  const auto clean = cleaner(last, redactor_);
  const checks::Judge judge(last.reply, 0, clean);
  for (const auto& saved : check.save) {
    values.erase(saved.name);
    if (over) lost_[saved.name] = not_known(saved.name, check.name);
    const auto selected = judge.select(saved.subject);
    if (made.is == Made::Is::perhaps || !why_not_saved(last.reply, saved, selected).empty()) continue;
    const auto& value = selected.values.front();
    const bool is_secret = secrecy_.tokens.count(saved.name) > 0 || use_of_subject(saved.subject);
    const auto shown = is_secret ? "***" : value.shown(clean);
    values[saved.name] = Captured::of(value);
    had += fmt::format("{}{}={}", had.empty() ? ": " : ", ", saved.name, shown);
    whole += values[saved.name].json + '\n';
    if (over)
      lost_[saved.name] = fmt::format("'{}' is {} of '{}', which did not pass: look for what may be left",
                                      saved.name, shown, check.name);
  }
  // Of samples each was looked at when it came.
  if (!is_one_of_many && check.sample > 1) return;
  for (const auto& undo : check.undo)
    if (made.is == Made::Is::ours && missing(undo.needs, values).empty())
      queue(undo, values);
    else
      tell_left(undo, values, fmt::format("may be left: '{}' {} and was not undone", check.name, made.by),
                had, whole);
}

void SuiteRun::tell_left(const checks::Check& undo, const Captures& values, const std::string& text,
                         const std::string& had, const std::string& whole) {
  const bool is_first = told_left_.emplace(&undo, text).second;
  if (had.empty() ? is_first : told_left_.emplace(&undo, base::sha256_hex(text + '\n' + whole)).second)
    undos_.push_back({&undo, needed_by(undo, values), text + had});
}

void SuiteRun::queue(const checks::Check& undo, const Captures& values) {
  std::string needed;
  for (const auto& name : undo.needs) {
    const auto found = values.find(name);
    // Without a value that it needs each stands for itself: nobody knows what they are of.
    if (found == values.end()) return undos_.push_back({&undo, needed_by(undo, values)}), void();
    needed += found->second.json + '\n';
  }
  if (queued_.emplace(&undo, base::sha256_hex(needed)).second)
    undos_.push_back({&undo, needed_by(undo, values)});
}

void SuiteRun::put_right() {
  put_right_scope_ = base::Scope::lasting(suite_.cleanup_budget, options_.hard);
  for (auto undo = undos_.rbegin(); undo != undos_.rend(); ++undo) {
    const auto held = hold(undo->values);
    if (undo->why_not.empty())
      tidy(*undo->check, undo->values);
    else
      skip(*undo->check, undo->values, undo->why_not);
  }
  for (const auto& check : suite_.cleanup) tidy(check, values_);
  if (suite_.sweep && !scope_.cancelled()) sweep();
}

/// Every step is tried. One whose values were never saved has nothing to remove; where a value was lost,
/// there may be something.
void SuiteRun::tidy(const checks::Check& check, const Captures& values) {
  const auto name = missing(check.needs, values);
  const auto loser = lost_.find(name);
  if (!name.empty() && loser == lost_.end()) return;
  if (!name.empty()) return skip(check, values, "nothing was removed: " + loser->second);
  auto result = begin(check, values);
  come_to_verdict(check, values, put_right_scope_, result, [](Asked&) {});
  finish(std::move(result));
}

void SuiteRun::skip(const checks::Check& check, const Captures& values, std::string reason) {
  auto result = begin(check, values);
  result.verdict = Verdict::skipped;
  result.reason = std::move(reason);
  finish(std::move(result));
}

}  // namespace staithe::verify
