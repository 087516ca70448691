#include "asking.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/elapsed.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/secret_names.hpp"
#include "staithe/checks/expectation.hpp"
#include "staithe/checks/named_secrets.hpp"
#include "staithe/checks/texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace staithe::verify {
namespace {

using checks::Judged;
using checks::Reply;
using checks::Value;
using Clock = std::chrono::steady_clock;

double seconds_now() {
  return static_cast<double>(store::now().time_since_epoch().count()) / 1000;
}

/// The nearest-rank percentile of sorted values.
double percentile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

std::vector<Judged> judge_all(const std::vector<checks::Expectation>& expectations,
                              const checks::Judge& judge, const Asked& asked) {
  std::vector<Judged> judged;
  judged.reserve(expectations.size());
  for (const auto& one : expectations) {
    judged.push_back(judge.judge(one));
    if (asked.hidden_there.count(one.subject) > 0) judged.back().got = "***";
  }
  if (asked.no_command && !checks::name_exit_of(asked.reply, expectations))
    checks::doubt_without_command(asked.reply, judged);
  return judged;
}

/// The first that was not judged, where none differs: nobody knows whether it will hold.
const Judged* only_unjudged(const std::vector<Judged>& judged) {
  const Judged* found = nullptr;
  for (const auto& one : judged) {
    if (one.outcome == Judged::Outcome::differs) return nullptr;
    if (found == nullptr && one.outcome == Judged::Outcome::unjudged) found = &one;
  }
  return found;
}

class Asking {
 public:
  Asking(const checks::Check& check, const Captures& captures, Probes& probes, const Secrecy& secrecy,
         const base::Scope& scope, const std::function<void(Asked&)>& each)
      : check_(check),
        captures_(captures),
        probes_(probes),
        secrecy_(secrecy),
        redactor_(secrecy.redactor),
        scope_(scope),
        each_(each) {}

  Asked run() {
    asked_.attempt.started = store::now();
    const auto begun = Clock::now();
    try {
      request_ = filled(check_.request, captures_);
      expect_ = filled(check_.expect, captures_);
      if (!check_.until.empty())
        poll();
      else if (check_.sample > 1)
        sample();
      else
        once();
    } catch (const base::Error& error) {
      if (error.code() == base::ErrorCode::cancelled) asked_.cancelled = true;
      unjudged(error.what());
      leave_sample();
    } catch (const std::exception&) {
      // No reply may end the whole program. What it says may hold a part of that, so it is not quoted.
      unjudged("could not be judged: an error in staithe itself");
      leave_sample();
    }
    asked_.attempt.duration = base::since(begun);
    return std::move(asked_);
  }

 private:
  /// Whatever it has made is there, though nobody could judge it.
  void leave_sample() {
    if (std::exchange(sample_under_way_, false)) tell_each(false, {});
  }

  Reply perform() {
    // The one before says nothing of this one; until it is answered, nothing has.
    asked_.reply = {};
    asked_.reply.failure = Reply::Failure::unreachable;
    sample_under_way_ = check_.until.empty() && check_.sample > 1;
    // A pause is as long as it says: nobody is waited for. What may lag is waited for besides.
    auto limit = check_.timeout;
    if (const auto* compare = std::get_if<checks::CompareRequest>(&request_)) limit += compare->allowance;
    auto reply = probes_.perform(request_, check_.asks_nothing() ? scope_ : scope_.at_most(limit));
    if (reply.facts.find("time") == reply.facts.end())
      reply.facts.emplace("time", Value::milliseconds(static_cast<double>(reply.duration.count())));
    return reply;
  }

  void unjudged(std::string why) {
    asked_.attempt.unjudged = true;
    asked_.attempt.held = false;
    asked_.attempt.reason = std::move(why);
  }

  /// False when there is nothing to judge.
  bool take(Reply reply) {
    asked_.reply = std::move(reply);
    judge_.emplace(asked_.reply, seconds_now(), cleaner(asked_, redactor_));
    tell_tokens();
    asked_.no_command = checks::says_no_command(asked_.reply) && !is_exit_meant();
    asked_.attempt.note = note();
    using Failure = Reply::Failure;
    switch (asked_.reply.failure) {
      case Failure::none:
        return true;
      case Failure::cancelled:
        asked_.cancelled = true;
        [[fallthrough]];
      case Failure::ours:
        unjudged(asked_.reply.reason);
        return false;
      case Failure::unreachable:
        asked_.silent = true;
        asked_.attempt.note = asked_.attempt.reason = asked_.reply.reason;
        asked_.attempt.judged = {{Judged::Outcome::differs, std::string(Judged::answer), "any",
                                  asked_.reply.reason, "", check_.position, false}};
        return false;
    }
    return false;
  }

  bool is_exit_meant() const {
    return checks::name_exit_of(asked_.reply, check_.expect) ||
           checks::name_exit_of(asked_.reply, check_.until);
  }

  std::string note() const {
    const auto& reply = asked_.reply;
    if (reply.quoted.empty()) return reply.note;
    return reply.note + ": " + cleaner(asked_, redactor_)(reply.quoted);
  }

  /// Before anything of the reply is quoted, in whatever way it is.
  void tell_tokens() {
    FoundSecrets found(secrecy_.own);
    tell_saved(found);
    const auto saved = found.all().size();
    for (const auto& one : check_.save) tell_around(one.subject, judge_->select(one.subject), found);
    std::set<std::string> hidden_there;
    const auto look = [&](const std::vector<checks::Expectation>& expectations) {
      for (const auto& one : expectations) {
        const auto use = use_of_subject(one.subject);
        const auto selected = judge_->select(one.subject);
        for (const auto& value : selected.values)
          if (!use)
            secrecy_.tell_inside(value, found);
          else if (value.kind != Value::Kind::text || !base::is_short_number(value.text))
            secrecy_.tell(value, *use, found);
          else if (!secrecy_.own.have(value.text))
            hidden_there.insert(one.subject);
        tell_around(one.subject, selected, found);
      }
    };
    for (const auto* looked_at : {&check_.expect, &check_.warn, &check_.until, &check_.give_up_if})
      look(*looked_at);
    for (const auto& tolerance : check_.tolerate) look(tolerance.evidence), look(tolerance.expect);
    if (const auto err = asked_.reply.facts.find("err");
        err != asked_.reply.facts.end() && !asked_.reply.quoted.empty()) {
      secrecy_.tell_inside(err->second, found);
      // Of what is too long the beginning is known, and the last line is quoted.
      secrecy_.tell_inside(Value::of(asked_.reply.quoted), found);
    }
    const std::span all(found.all());
    // The new ones first: some are of the last reply too.
    auto held = secrecy_.hold(all.first(saved)), told = secrecy_.hold(all.subspan(saved));
    asked_.saved = std::move(held);
    asked_.told = std::move(told);
    asked_.hidden_there = std::move(hidden_there);
    asked_.hidden = found.too_many();
  }

  void tell_saved(FoundSecrets& found) const {
    // First, for what else there is may be more than can be looked for.
    for (const auto& saved : check_.save) {
      if (secrecy_.tokens.count(saved.name) == 0) continue;
      const auto selected = judge_->select(saved.subject);
      if (!selected.values.empty()) secrecy_.keep(saved.name, selected.values.front(), found);
    }
    for (const auto& saved : check_.save)
      for (const auto& value : judge_->select(saved.subject).values) secrecy_.tell(saved.name, value, found);
  }

  /// What else may be quoted where that is looked at: the body that is no JSON, what lies behind a fact. Of
  /// the body whose parts are looked at, what has its name there alone.
  void tell_around(const std::string& subject, const checks::Judge::Selected& selected,
                   FoundSecrets& found) const {
    const auto& reply = asked_.reply;
    if (const auto behind = reply.behind.find(subject); behind != reply.behind.end())
      secrecy_.tell_inside(Value::of(behind->second), found);
    const bool is_xml = subject.starts_with("xml ") && !use_of_subject(subject);
    if (subject == "body")
      for (const auto& tree : judge_->select("json").values) secrecy_.tell_inside(tree, found);
    else if (is_xml || !selected.why.empty())
      secrecy_.tell_inside(Value::of(reply.body), found);
  }

  void tell_each(bool held, const std::vector<Judged>& judged) {
    sample_under_way_ = false;
    if (!each_) return;
    asked_.attempt.held = held;
    asked_.attempt.judged = judged;
    each_(asked_);
    asked_.attempt.held = false;
  }

  /// `before`: what has held already, and is shown first.
  void judge(std::vector<Judged> before = {}) {
    auto& attempt = asked_.attempt;
    attempt.judged = std::move(before);
    for (auto& one : judge_all(expect_, *judge_, asked_)) attempt.judged.push_back(std::move(one));
    attempt.held = all_held(attempt.judged);
    if (held_of_nothing(attempt.judged)) unjudged(nothing_judged(attempt.judged));
    for (const auto& one : attempt.judged)
      if (one.outcome == Judged::Outcome::unjudged) unjudged(one.subject + ": " + one.why);
    if (attempt.held) warn();
  }

  void warn() {
    if (check_.warn.empty()) return;
    asked_.warnings = judge_all(filled(check_.warn, captures_), *judge_, asked_);
    for (auto& one : asked_.warnings) one.warns = true;
  }

  void once() {
    if (take(perform())) judge();
  }

  /// A reply that does not come counts as "not yet": what is waited for may be starting.
  void poll() {
    const auto until = filled(check_.until, captures_);
    const auto give_up = filled(check_.give_up_if, captures_);
    const auto begun = Clock::now();
    const auto whole = scope_.at_most(check_.within);
    const bool in_full = scope_.left() >= check_.within;
    for (std::uint32_t polls = 1;; ++polls) {
      asked_.attempt.reason.clear();
      asked_.attempt.unjudged = false;
      asked_.silent = false;  // what is waited for may have been starting
      const bool answered = take(perform());
      if (asked_.cancelled || asked_.attempt.unjudged) return;
      asked_.reply.facts["waited"] = Value::milliseconds(static_cast<double>(base::since(begun).count()));
      asked_.reply.facts["polls"] = Value::count(polls);
      if (answered) {
        auto judged = judge_all(until, *judge_, asked_);
        if (all_held(judged)) {
          asked_.attempt.note += fmt::format(", poll {}", polls);
          return judge(std::move(judged));
        }
        asked_.attempt.judged = std::move(judged);
        tell_each(false, asked_.attempt.judged);
        if (!give_up.empty() && all_held(judge_all(give_up, *judge_, asked_))) {
          asked_.attempt.reason =
              fmt::format("gave up after {}: it will never hold", base::count_text(polls, "poll"));
          return;
        }
      } else {
        tell_each(false, asked_.attempt.judged);
      }
      if (whole.left() <= check_.every || base::sleep_for(check_.every, whole) != base::Woke::ready) break;
    }
    if (scope_.cancelled()) {
      asked_.cancelled = true;
      return unjudged("stopped while waiting");
    }
    asked_.cut_short = !in_full;
    if (held_of_nothing(asked_.attempt.judged)) return unjudged(nothing_judged(asked_.attempt.judged));
    if (const auto* one = only_unjudged(asked_.attempt.judged))
      return unjudged(one->subject + ": " + one->why);
    asked_.attempt.reason = fmt::format("not within {}", base::to_text(check_.within));
  }

  /// `status: 200` is asked of each sample, `success` and the percentiles of all.
  void sample() {
    std::vector<checks::Expectation> each, all;
    for (const auto& one : expect_) (checks::is_of_all_samples(one.subject) ? all : each).push_back(one);
    std::vector<double> times;
    std::vector<Judged> worst;
    std::uint32_t good = 0;
    for (std::uint32_t i = 0; i < check_.sample; ++i) {
      const bool was_silent = std::exchange(asked_.silent, false);
      const bool answered = take(perform());
      if (asked_.cancelled || asked_.attempt.unjudged) return tell_each(false, {});
      const auto judged = answered ? judge_all(each, *judge_, asked_) : asked_.attempt.judged;
      times.push_back(static_cast<double>(asked_.reply.duration.count()));
      if (const auto exact = asked_.reply.facts.find("time"); exact != asked_.reply.facts.end())
        times.back() = exact->second.number;
      const bool held = answered && all_held(judged);
      tell_each(held, judged);
      asked_.silent = asked_.silent || was_silent;
      good += held ? 1 : 0;
      if (!held || worst.empty()) worst = judged;
    }
    std::sort(times.begin(), times.end());
    asked_.samples = check_.sample;
    asked_.samples_good = good;
    asked_.reply.failure = Reply::Failure::none;
    auto& facts = asked_.reply.facts;
    facts["success"] = Value::count(good);
    facts["p50"] = Value::milliseconds(percentile(times, 0.50));
    facts["p95"] = Value::milliseconds(percentile(times, 0.95));
    facts["p99"] = Value::milliseconds(percentile(times, 0.99));
    asked_.attempt.note = fmt::format("{} of {} good, p95 {}", good, check_.sample, facts["p95"].shown());
    asked_.attempt.reason.clear();
    const bool success_said =
        std::any_of(all.begin(), all.end(), [](const auto& one) { return one.subject == "success"; });
    auto judged = judge_all(all, *judge_, asked_);
    asked_.attempt.held = all_held(judged) || all.empty();
    // Without a word about it every sample must be good.
    if (!success_said) asked_.attempt.held = asked_.attempt.held && good == check_.sample;
    // Of what has failed the worst one is shown: how many there were says nothing of what was wrong with
    // them.
    if (success_said && asked_.attempt.held)
      asked_.of_each = each.size();
    else
      judged.insert(judged.end(), worst.begin(), worst.end());
    asked_.attempt.judged = std::move(judged);
    if (held_of_nothing(worst)) unjudged(nothing_judged(worst));
    for (const auto& one : asked_.attempt.judged)
      if (one.outcome == Judged::Outcome::unjudged) unjudged(one.subject + ": " + one.why);
    if (asked_.attempt.held) warn();
  }

  const checks::Check& check_;
  const Captures& captures_;
  Probes& probes_;
  const Secrecy& secrecy_;
  const base::Redactor& redactor_;
  const base::Scope& scope_;
  const std::function<void(Asked&)>& each_;
  checks::Request request_;
  std::vector<checks::Expectation> expect_;
  Asked asked_;
  bool sample_under_way_ = false;       ///< and nobody was told of it
  std::optional<checks::Judge> judge_;  ///< of asked_.reply, whose body is parsed once
};

}  // namespace

namespace {

/// `true` and null are none, and "pass": 1200 is how many did.
bool may_be_secret(const Value& value) {
  using Kind = Value::Kind;
  const auto kind = value.kind;
  return kind != Kind::boolean && kind != Kind::null && kind != Kind::absent &&
         (kind != Kind::number || value.text.size() >= 6);
}

}  // namespace

/// What is known to it when something is quoted.
checks::Clean cleaner(const Asked& asked, const base::Redactor& redactor) {
  return [&asked, &redactor](std::string_view text) {
    if (asked.hidden && !base::is_harmless(text)) return std::string("***");
    return redactor.clean_front(text, checks::enough_cleaned);
  };
}

std::vector<Judged> judge_all(const std::vector<checks::Expectation>& expectations, const Asked& asked,
                              const base::Redactor& redactor) {
  if (expectations.empty()) return {};
  return judge_all(expectations, checks::Judge(asked.reply, seconds_now(), cleaner(asked, redactor)), asked);
}

bool all_held(const std::vector<Judged>& judged) {
  return std::all_of(judged.begin(), judged.end(),
                     [](const Judged& one) { return one.outcome == Judged::Outcome::held; }) &&
         !held_of_nothing(judged);
}

bool held_of_nothing(const std::vector<Judged>& judged) {
  // How long it took says nothing of what was asked for.
  const auto is_beside_it = [](const Judged& one) {
    return one.subject == "time" || one.subject == "waited" || one.subject == "polls";
  };
  return std::any_of(judged.begin(), judged.end(), [](const Judged& one) { return one.nothing; }) &&
         std::all_of(judged.begin(), judged.end(),
                     [&](const Judged& one) { return one.nothing || is_beside_it(one); });
}

std::string nothing_judged(const std::vector<Judged>& judged) {
  const auto& subject =
      std::find_if(judged.begin(), judged.end(), [](const Judged& one) { return one.nothing; })->subject;
  if (subject == "missing" || subject == "different" || subject == "extra")
    return "nothing was judged: there was nothing to compare; say also how many rows there must be, with "
           "left";
  return fmt::format(
      "nothing was judged: {} finds an empty list; say also how many there must be, with count", subject);
}

void Secrecy::tell(const std::string& name, const Value& value, FoundSecrets& found) const {
  if (const auto token = tokens.find(name); token != tokens.end()) return tell(value, token->second, found);
  tell_inside(value, found);
}

void Secrecy::keep(const std::string& name, const Value& value, FoundSecrets& found) const {
  const auto token = tokens.find(name);
  if (token == tokens.end() || !may_be_secret(value)) return;
  auto parts = secrets_in(value.text, token->second);
  // A text of nothing but cookies has as many as it is long.
  parts.resize(std::min(parts.size(), FoundSecrets::most));
  for (auto& part : parts)
    if (token->second.sent || !base::is_plain_word(part)) found.keep(std::move(part));
}

void Secrecy::tell_inside(const Value& value, FoundSecrets& found) const {
  if (found.too_many()) return;
  for (const auto& [member, text] : checks::named_texts_in(value, base::names_secret)) {
    // What is hidden with its name only is found below, where that stands.
    if (base::is_plain_word(text) || base::is_short_number(text)) continue;
    for (auto& secret : secrets_in(text, {.cookie = base::names_cookie(member)}))
      found.add(std::move(secret));
  }
  for (const auto& text : checks::secrets_named_in(value.text))
    for (auto& secret : secrets_in(text, {})) found.add(std::move(secret));
}

void Secrecy::tell(const Value& value, TokenUse use, FoundSecrets& found) const {
  if (found.too_many() || !may_be_secret(value)) return;
  const auto add = [&](std::string secret) {
    if (use.sent || !base::is_plain_word(secret)) found.add(std::move(secret));
  };
  for (auto& secret : secrets_in(value.text, use)) add(std::move(secret));
  for (auto& text : checks::texts_in(value)) add(std::move(text));
}

Asked ask(const checks::Check& check, const Captures& captures, Probes& probes, const Secrecy& secrecy,
          const base::Scope& scope, const std::function<void(Asked&)>& each) {
  return Asking(check, captures, probes, secrecy, scope, each).run();
}

}  // namespace staithe::verify
