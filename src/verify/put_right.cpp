#include "suite_run.hpp"

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

/// What a step has made when it was answered so.
struct Made {
  enum class Is { nothing, perhaps, something };
  Is is = Is::nothing;
  std::string by;  ///< "answered 201"
};

Made made_by(const checks::Request& request, const Reply& reply) {
  // What only looks may have found a thing that is not ours: that may be just what did not hold.
  if (reply.failure != Reply::Failure::none || checks::is_safe(request)) return {};
  const auto fact = [&](const char* name) {
    const auto found = reply.facts.find(name);
    return found == reply.facts.end() || found->second.kind != Value::Kind::number ? nullptr : &found->second;
  };
  // 409 tells of a thing that another one has made.
  if (const auto* status = fact("status"))
    return {status->number < 400    ? Made::Is::something
            : status->number >= 500 ? Made::Is::perhaps
                                    : Made::Is::nothing,
            "answered " + status->text};
  if (const auto* exit = fact("exit"))
    return {exit->number == 0 ? Made::Is::something : Made::Is::nothing, "ended with " + exit->text};
  return {};
}

/// Why there is nothing to save; "" where there is.
std::string why_not_saved(const Reply& reply, const checks::Save& saved,
                          const checks::Judge::Selected& selected) {
  if (reply.cut.count(saved.subject) > 0) return "is too large to be read whole";
  if (!selected.why.empty()) return selected.why;
  const bool absent = selected.values.empty() || selected.values.front().kind == Value::Kind::absent;
  return absent ? "is absent" : "";
}

}  // namespace

void SuiteRun::save(const checks::Check& check, Asked& last, CheckResult& result) {
  const checks::Judge judge(last.reply, 0, cleaner(last, redactor_));
  // What can be had is kept: it is what the step has made, and what its undo removes.
  for (const auto& saved : check.save) {
    const auto selected = judge.select(saved.subject);
    left_.erase(saved.name);
    if (const auto why = why_not_saved(last.reply, saved, selected); !why.empty()) {
      // What comes after would be blocked without a word about why.
      values_.erase(saved.name);
      lost_[saved.name] = check.name;
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
    if (values_.erase(saved.name) > 0) lost_[saved.name] = check.name;
}

void SuiteRun::leave(const checks::Check& check, Asked& last, Attempts attempts) {
  if (check.save.empty() && check.undo.empty()) return;
  const auto made = made_by(check.request, last.reply);
  if (made.is == Made::Is::nothing) return;
  hold_on(std::exchange(last.saved, {}));
  const bool over = attempts == Attempts::over;
  auto values = values_;
  const checks::Judge judge(last.reply, 0, cleaner(last, redactor_));
  for (const auto& saved : check.save) {
    const auto selected = judge.select(saved.subject);
    const bool had = made.is == Made::Is::something && why_not_saved(last.reply, saved, selected).empty();
    values.erase(saved.name);
    if (had) values[saved.name] = Captured::of(selected.values.front());
    if (!over) continue;
    left_.erase(saved.name);
    lost_.erase(saved.name);
    if (had)
      left_[saved.name] = values[saved.name];
    else
      lost_[saved.name] = check.name;
  }
  for (const auto& undo : check.undo) {
    if (made.is == Made::Is::something && missing(undo.needs, values).empty())
      queue(undo, values);
    else if (over)
      undos_.push_back(
          {&undo, values, fmt::format("may be left: '{}' {} and was not undone", check.name, made.by)});
  }
}

void SuiteRun::queue(const checks::Check& undo, const Captures& values) {
  const auto is_known = [&](const Undo& one) {
    return one.check == &undo && one.why_not.empty() &&
           std::all_of(undo.needs.begin(), undo.needs.end(), [&](const std::string& name) {
             const auto there = one.values.find(name), here = values.find(name);
             return there != one.values.end() && here != values.end() &&
                    there->second.json == here->second.json;
           });
  };
  if (std::none_of(undos_.begin(), undos_.end(), is_known)) undos_.push_back({&undo, values});
}

void SuiteRun::put_right() {
  put_right_scope_ = base::Scope::lasting(suite_.cleanup_budget, options_.hard);
  for (auto undo = undos_.rbegin(); undo != undos_.rend(); ++undo) {
    if (undo->why_not.empty())
      tidy(*undo->check, undo->values);
    else
      skip(*undo->check, undo->values, undo->why_not);
  }
  auto values = values_;
  for (const auto& [name, value] : left_) values.insert_or_assign(name, value);
  for (const auto& check : suite_.cleanup) tidy(check, values);
  if (suite_.sweep && !scope_.cancelled()) sweep();
}

/// Every step is tried. One whose values were never saved has nothing to remove; where a value was lost,
/// there may be something.
void SuiteRun::tidy(const checks::Check& check, const Captures& values) {
  const auto name = missing(check.needs, values);
  const auto loser = lost_.find(name);
  if (!name.empty() && loser == lost_.end()) return;
  if (!name.empty())
    return skip(check, values,
                fmt::format("nothing was removed: '{}' is not known: look for what may be left ('{}' was "
                            "to save it)",
                            name, loser->second));
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
