#include "suite_run.hpp"

#include <fmt/format.h>

#include <algorithm>

/// Removing what killed runs have left.
namespace staithe::verify {
namespace {

using checks::Judged;
using checks::Value;

/// One element of what was listed.
class Item {
 public:
  explicit Item(const Value& item) : item_(item) {
    body_.body = item.kind == Value::Kind::object ? item.text : "{}";
  }

  Value field(const char* name) const {
    const auto found = fields_.select(std::string("json.") + name);
    return found.values.empty() ? Value{} : found.values.front();
  }
  Value id() const { return item_.kind == Value::Kind::object ? field("id") : item_; }

  /// That a run of this project has put where things say what they are: a list may hold customers too, and
  /// one that a check has touched is none that it made.
  std::string mark(const std::string& owner) const {
    auto mark = mark_in(id().text, owner);
    for (const char* name : {"name", "key", "run", "run_id", "reference", "created_by"})
      if (mark.empty()) mark = mark_in(field(name).text, owner);
    return id().text.empty() ? "" : mark;
  }

  /// Seconds since 1970: when its run began, or what it says itself when that is later.
  double born(std::string_view mark) const {
    auto born = static_cast<double>(began(mark).time_since_epoch().count()) / 1000;
    for (const char* name : {"started", "started_at", "created", "created_at"})
      if (const auto date = field(name); date.kind != Value::Kind::absent)
        born = std::max(born, checks::parse_date(date.text).value_or(born));
    return born;
  }

  void name(Captures& values) const {
    for (const char* name : {"id", "name", "started", "started_at", "created", "created_at", "key"})
      if (const auto value = field(name); value.kind != Value::Kind::absent)
        values[std::string("item.") + name] = Captured::of(value);
    values["item.id"] = Captured::of(id());
  }

 private:
  const Value& item_;
  checks::Reply body_;
  checks::Judge fields_{body_, 0};
};

std::string why_not_held(const Attempt& attempt) {
  if (!attempt.reason.empty()) return attempt.reason;
  for (const auto& one : attempt.judged)
    if (one.outcome != Judged::Outcome::held) return one.in_words();
  return attempt.note;
}

}  // namespace

void SuiteRun::sweep() {
  const auto& list = suite_.sweep->list;
  auto result = begin(list, values_);
  if (secrecy_.owner.empty()) {
    result.verdict = Verdict::skipped;
    result.reason =
        "nothing is swept: there is no staithe.yml, so nobody can tell what is ours from what others have "
        "made";
    return finish(std::move(result));
  }
  come_to_verdict(list, values_, put_right_scope_, result, [&](const Asked& last) {
    if (result.verdict != Verdict::pass) return;
    const checks::Judge judge(last.reply, 0);
    auto selected = judge.select("json.*");
    if (selected.values.size() == 1 && selected.values.front().kind == Value::Kind::list)
      selected = judge.select("json.*.*");  // {"runs": [...]}
    Swept swept;
    for (const auto& item : selected.values) sweep_item(item, swept);
    tell(swept, result);
  });
  finish(std::move(result));
}

void SuiteRun::tell(const Swept& swept, CheckResult& result) const {
  auto counts = fmt::format("{} removed, {} could not be removed, {} not ours", swept.removed, swept.left,
                            swept.foreign);
  if (swept.young > 0) counts += fmt::format(", {} too young", swept.young);
  result.attempts.back().note += "; " + counts;
  if (swept.left == 0) return;
  result.verdict = Verdict::degraded;
  result.reason = counts + "; " + swept.why;
  result.judged.push_back({Judged::Outcome::differs, "sweep", "all of ours removed",
                           counts + "; " + swept.why, "", suite_.sweep->each.position, true});
}

/// Only what a run has marked, long enough ago. What this run has made was cleaned up already.
void SuiteRun::sweep_item(const Value& value, Swept& swept) {
  const Item item(value);
  const auto mark = item.mark(secrecy_.owner);
  if (mark.empty() || mark == values_.at("run.id").text) {
    ++swept.foreign;
    return;
  }
  const double age = static_cast<double>(begun_.run.time_since_epoch().count()) / 1000 - item.born(mark);
  if (age * 1000 < static_cast<double>(suite_.sweep->older_than.count())) {
    ++swept.young;
    return;
  }
  Captures values = values_;
  item.name(values);
  std::string why = "there was no time left";
  if (!put_right_scope_.cancelled() && !put_right_scope_.expired()) {
    const auto asked = ask(suite_.sweep->each, values, probes_, secrecy_, put_right_scope_);
    if (asked.attempt.held) {
      ++swept.removed;
      return;
    }
    why = why_not_held(asked.attempt);
  }
  ++swept.left;
  if (swept.why.empty()) swept.why = fmt::format("{}: {}", checks::shown_text(item.id().text), why);
}

}  // namespace staithe::verify
