#include "checks/case.hpp"
#include "columns.hpp"
#include "narrate.hpp"
#include "side_file.hpp"
#include "xml.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <optional>

// What Jenkins makes of it, from its junit plugin (SuiteResult.java, CaseResult.java): a class name is split
// at the last dot into package and class; history keys on package, class and name, so none may hold a time,
// an id or a commit; 'skipped' hides a failure in the same case; a failure with neither message nor text
// counts as passed; of the output of a passing case 1000 characters are kept; numbers in attributes are
// ignored.
namespace staithe::report {
namespace {

using Clock = std::chrono::steady_clock;
using Time = std::chrono::system_clock::time_point;

constexpr auto rewrite_every = std::chrono::seconds(5);
constexpr std::size_t most_lines = 200;
constexpr unsigned most_of_title = 100;
constexpr std::size_t most_of_failed = 32U << 10U;
constexpr std::size_t most_of_passed = 900;

struct Case {
  using Verdict = CaseOutcome;
  std::string class_name, name;
  Time began;
  base::Duration duration{0};
  Verdict verdict = Verdict::passed;
  std::string type;     ///< the outcome's name
  std::string message;  ///< one line: why
  std::string text;     ///< of a failure: the last output
  std::string output;
  std::vector<std::string> attempts;  ///< why earlier ones failed
  std::optional<CheckCase> check;     ///< then that says it all
};

struct Suite {
  std::string name;
  std::vector<Case> cases;
};

std::string seconds_attribute(base::Duration duration) {
  return fmt::format("{}.{:03}", duration.count() / 1000, duration.count() % 1000);
}

/// A part of a class name: a dot would begin another package.
std::string undotted(std::string text) {
  std::replace(text.begin(), text.end(), '.', '_');
  return text;
}

/// The end of `text`, from the beginning of a line where there is one.
std::string_view last_of(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  text.remove_prefix(text.size() - most);
  const auto line = text.find('\n');
  return line == std::string_view::npos ? text : text.substr(line + 1);
}

Case::Verdict verdict_of(event::Outcome outcome) {
  switch (outcome) {
    case event::Outcome::ok:
      return Case::Verdict::passed;
    case event::Outcome::failed:
    case event::Outcome::timed_out:
      return Case::Verdict::failed;
    case event::Outcome::refused:
    case event::Outcome::unreachable:
    case event::Outcome::cancelled:
      return Case::Verdict::error;
    case event::Outcome::skipped:
      return Case::Verdict::skipped;
  }
  return Case::Verdict::error;
}

/// " (repair)" of "roll/web1/repair-2": what is done only when something went wrong has names of its own, so
/// that the others keep theirs.
std::string mark_of(const std::string& action_id) {
  const auto part = action_id.substr(action_id.rfind('/') + 1);
  for (const std::string_view mark : {"undo", "repair", "revert"})
    if (part.compare(0, mark.size(), mark) == 0) return fmt::format(" ({})", mark);
  return {};
}

/// Steps that a playbook may well have several of: a number alone would name another one when one is put in
/// between, so they are known by what they do.
bool needs_title(std::string_view step) {
  constexpr std::array<std::string_view, 8> steps{"run",  "local", "upload", "template",
                                                  "wait", "check", "notify", "confirm"};
  return std::find(steps.begin(), steps.end(), step) != steps.end();
}

void replace_all(std::string& text, const std::string& from, std::string_view to) {
  if (from.empty()) return;
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

std::string case_xml(const Case& one) {
  if (one.check) return case_xml(*one.check);
  std::string text = xml_open("testcase", {{"classname", one.class_name},
                                           {"name", one.name},
                                           {"time", seconds_attribute(one.duration)},
                                           {"timestamp", base::utc_text(one.began)}});
  text += "\n";
  const XmlAttributes why{{"message", one.message}, {"type", one.type}};
  switch (one.verdict) {
    case Case::Verdict::passed:
      for (const auto& reason : one.attempts)
        text += xml_element("flakyFailure", {{"message", reason}, {"type", "failed"}}, {}) + "\n";
      break;
    case Case::Verdict::failed:
    case Case::Verdict::error:
      text += xml_element(one.verdict == Case::Verdict::failed ? "failure" : "error", why, one.text) + "\n";
      for (const auto& reason : one.attempts)
        text += xml_element("rerunFailure", {{"message", reason}, {"type", "failed"}}, {}) + "\n";
      break;
    case Case::Verdict::skipped:
      text += xml_element("skipped", {{"message", one.message}}, {}) + "\n";
      break;
  }
  if (!one.output.empty()) text += xml_element("system-out", {}, one.output) + "\n";
  return text + "</testcase>\n";
}

std::string suite_xml(const Suite& suite) {
  const auto count = [&](Case::Verdict verdict) {
    return std::to_string(std::count_if(suite.cases.begin(), suite.cases.end(),
                                        [&](const Case& one) { return one.verdict == verdict; }));
  };
  base::Duration total{0};
  // A check's time is a part of its action's.
  for (const auto& one : suite.cases)
    if (!one.check) total += one.duration;
  std::string text = xml_open("testsuite", {{"name", suite.name},
                                            {"tests", std::to_string(suite.cases.size())},
                                            {"failures", count(Case::Verdict::failed)},
                                            {"errors", count(Case::Verdict::error)},
                                            {"skipped", count(Case::Verdict::skipped)},
                                            {"time", seconds_attribute(total)},
                                            {"timestamp", base::utc_text(suite.cases.front().began)}});
  text += "\n";
  for (const auto& one : suite.cases) text += case_xml(one);
  return text + "</testsuite>\n";
}

class JUnit final : public Sink {
 public:
  explicit JUnit(std::string path) : path_(std::move(path)), special_(is_special(path_)) {
    if (!special_) replace_file(path_, document(), Sync::no);
  }

  void on_event(const event::Event& event) noexcept override {
    time_ = event.time;
    std::visit([this](const auto& payload) { take(payload); }, event.payload);
    changed_ = true;
  }

  void on_tick(Clock::time_point now) noexcept override {
    if (special_ || !changed_ || now - written_ < rewrite_every) return;
    written_ = now;
    changed_ = false;
    write(Sync::no);
  }

  void finish() noexcept override { write(Sync::yes); }

  std::string problem() const override { return problem_; }

 private:
  struct Running {
    event::ActionStarted started;
    Time began;
    std::string output;
    std::vector<std::string> attempts;
    std::vector<event::CheckRecord> checks;                    ///< of this attempt
    std::map<std::string, std::vector<std::string>> failures;  ///< of attempts before, by suite and check
  };

  /// Packages in Jenkins: "deploy-web-production.roll" with a class for each host.
  std::string root() const {
    std::string name = started_.kind.empty() ? "staithe" : started_.kind;
    for (const auto* part : {&started_.service, &started_.environment})
      if (!part->empty()) name += "-" + *part;
    return undotted(name);
  }
  static std::string stage_of(const std::string& action_id) {
    const auto slash = action_id.find('/');
    return undotted(slash == std::string::npos || slash == 0 ? "actions" : action_id.substr(0, slash));
  }
  Suite& suite(const std::string& stage) {
    const auto name = root() + " " + stage;
    for (auto& known : suites_)
      if (known.name == name) return known;
    suites_.push_back({name, {}});
    return suites_.back();
  }

  /// The title without what differs from run to run.
  std::string lasting_title(const std::string& title) const {
    auto text = one_line(title);
    replace_all(text, started_.sha, "COMMIT");
    replace_all(text, started_.release, "RELEASE");
    replace_all(text, started_.run_id, "RUN");
    return elide_middle(text, most_of_title);
  }

  /// "run: make install", "drain: wait", and "drain: wait #2" for the next of that name in the lane.
  std::string name_of(const std::string& class_name, const event::ActionStarted& started) {
    const bool plain = started.kind == started.step || started.kind == "ssh" || started.step.empty();
    auto name =
        plain ? (started.step.empty() ? started.kind : started.step) : started.step + ": " + started.kind;
    if (needs_title(started.step)) name += ": " + lasting_title(started.title);
    name += mark_of(started.action_id);
    return numbered(class_name, std::move(name));
  }
  std::string numbered(const std::string& class_name, std::string name) {
    const int nth = ++uses_[class_name + "\n" + name];
    return nth == 1 ? name : fmt::format("{} #{}", name, nth);
  }

  void take(const event::RunStarted& started) {
    started_ = started;
    began_ = time_;
  }
  template <class Other>
  void take(const Other& /*event*/) {}

  void take(const event::ActionStarted& started) {
    running_[started.host + "\n" + started.action_id] = {started, time_, {}, {}, {}, {}};
  }
  void take(const event::Output& output) {
    const auto found = running_.find(output.host + "\n" + output.action_id);
    if (found == running_.end()) return;
    auto& kept = found->second.output;
    kept += output.line + "\n";
    if (kept.size() > 2 * most_of_failed) kept = last_of(kept, most_of_failed);
  }
  void take(const event::Retried& retried) {
    const auto found = running_.find(retried.host + "\n" + retried.action_id);
    if (found == running_.end()) return;
    auto& action = found->second;
    if (action.attempts.size() < most_lines) action.attempts.push_back(one_line(retried.reason));
    for (const auto& check : action.checks) {
      const auto outcome = outcome_of(CheckCase{check, {}, {}});
      if (outcome != CaseOutcome::failed && outcome != CaseOutcome::error) continue;
      auto& failures = action.failures[key_of(check)];
      if (failures.size() < most_lines) failures.push_back(one_line(check_reason(check)));
    }
    action.checks.clear();
  }
  void take(const event::ChecksEnded& ended) {
    const auto found = running_.find(ended.host + "\n" + ended.action_id);
    if (found == running_.end()) return;
    auto& checks = found->second.checks;
    checks.insert(checks.end(), ended.checks.begin(), ended.checks.end());
  }
  void take(const event::ActionFinished& finished) {
    const auto found = running_.find(finished.host + "\n" + finished.action_id);
    if (found == running_.end()) return;
    Running action = std::move(found->second);
    running_.erase(found);
    Case one = case_of(action);
    one.name = name_of(one.class_name, action.started);
    one.duration = finished.duration;
    // A failure in the report of a run that went well would fail the job that reads it.
    one.verdict = finished.let_pass ? Case::Verdict::skipped : verdict_of(finished.outcome);
    one.type = event::name_of(finished.outcome);
    const auto title = label(finished.step, finished.title);
    const auto detail = one_line(finished.detail);
    const bool passed = one.verdict == Case::Verdict::passed;
    one.message = title + ": " + (detail.empty() ? one.type : detail);
    const auto lines = last_of(action.output, passed ? most_of_passed : most_of_failed);
    if (passed) {
      one.output = title + (detail.empty() ? "" : ": " + detail) + "\n" + std::string(lines);
    } else {
      one.text = lines.empty() ? base::join(finished.output_tail, "\n") : std::string(lines);
    }
    auto& cases = suite(stage_of(finished.action_id)).cases;
    cases.push_back(std::move(one));
    for (auto& check : action.checks) cases.push_back(case_of(action, std::move(check), finished.let_pass));
  }
  void take(const event::RunFinished& finished) {
    ended_ = true;
    for (const auto& host : finished.hosts) add_host(host);
    Case one = run_case();
    one.duration = finished.duration;
    if (finished.exit_code != 0) {
      one.verdict = Case::Verdict::failed;
      one.type = fmt::format("exit {}", finished.exit_code);
      one.message = one_line(finished.verdict);
      if (!finished.failure.empty() || !finished.failed_action.empty())
        one.message += ": " + (finished.failed_host.empty() ? "" : finished.failed_host + ": ") +
                       one_line(finished.failed_action) + ": " + one_line(finished.failure);
      one.text = base::join(finished.next, "\n");
    }
    suite("run").cases.push_back(std::move(one));
  }

  /// Where each host stands is a case too: that it was left out of rotation outlives who caused it.
  void add_host(const event::RunFinished::Host& host) {
    Case one;
    one.class_name = root() + ".run.hosts";
    one.name = host.name;
    one.began = time_;
    one.type = event::name_of(host.state);
    one.message = one.type + (host.detail.empty() ? "" : ": " + one_line(host.detail));
    switch (host.state) {
      case event::HostState::done:
        break;
      case event::HostState::out:
      case event::HostState::failed:
        one.verdict = Case::Verdict::failed;
        break;
      case event::HostState::untouched:
      case event::HostState::reverted:
      case event::HostState::restored:
        one.verdict = Case::Verdict::skipped;
        break;
    }
    suite("run").cases.push_back(std::move(one));
  }

  Case case_of(const Running& action) const {
    Case one;
    const auto& host = action.started.host;
    one.class_name = root() + "." + stage_of(action.started.action_id) + "." +
                     (host.empty() ? std::string("here") : undotted(host));
    one.began = action.began;
    one.attempts = action.attempts;
    return one;
  }
  static std::string key_of(const event::CheckRecord& check) { return check.suite + "\n" + case_name(check); }

  /// "deploy-web-production.roll.web1.smoke": a class for each suite below that of the host.
  Case case_of(const Running& action, event::CheckRecord check, bool let_pass) {
    Case one = case_of(action);
    one.class_name += "." + undotted(check.suite);
    one.name = numbered(one.class_name, case_name(check) + mark_of(action.started.action_id));
    const auto before = action.failures.find(key_of(check));
    CheckCase of_it{std::move(check), one.class_name, one.name};
    if (before != action.failures.end()) of_it.before = before->second;
    of_it.let_pass = let_pass;
    one.verdict = outcome_of(of_it);
    one.check = std::move(of_it);
    return one;
  }
  Case run_case() const {
    Case one;
    one.class_name = root() + ".run.run";
    one.name = "run";
    one.began = began_;
    return one;
  }

  std::string document() {
    std::vector<Suite> suites = suites_;
    if (!ended_) {
      Suite unfinished{root() + " run", {}};
      Case one = run_case();
      one.verdict = Case::Verdict::error;
      one.type = "unfinished";
      one.message = "the run had not ended when this was written";
      for (const auto& [id, action] : running_)
        one.text += fmt::format("under way: {} {}\n", action.started.host,
                                label(action.started.step, action.started.title));
      unfinished.cases.push_back(std::move(one));
      suites.push_back(std::move(unfinished));
    }
    std::string text =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"" + xml_text(root()) + "\">\n";
    for (const auto& one : suites) text += suite_xml(one);
    return text + "</testsuites>\n";
  }

  void write(Sync sync) noexcept {
    try {
      replace_file(path_, document(), sync);
      problem_.clear();
    } catch (const base::Error& error) {
      problem_ = error.what();
    }
  }

  std::string path_;
  bool special_;
  event::RunStarted started_;
  Time time_ = std::chrono::system_clock::now();
  Time began_ = time_;
  bool ended_ = false;
  std::vector<Suite> suites_;
  std::map<std::string, Running> running_;
  std::map<std::string, int> uses_;
  bool changed_ = false;
  Clock::time_point written_ = Clock::now();
  std::string problem_;
};

}  // namespace

std::unique_ptr<Sink> make_junit(const std::string& path) {
  return std::make_unique<JUnit>(path);
}

}  // namespace staithe::report
