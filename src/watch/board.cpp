#include "board.hpp"

#include "staithe/store/store.hpp"

#include <ctime>

namespace staithe::watch {
namespace {

using Clock = std::chrono::steady_clock;

/// Of a suite nothing more than its name and its policy is kept: the checks are the programme's.
checks::Suite policy_of(const checks::Suite& suite) {
  checks::Suite policy;
  policy.name = suite.name;
  policy.alert = suite.alert;
  policy.name_guessed = suite.name_guessed;
  return policy;
}

double processor_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

/// The first run of a process, or on another schedule, has as long as a later one, and the delay before the
/// first tick: what ended before it was waited for is nobody's silence.
bool silent_too_long(const SuiteState& suite, base::SteadyTime now) {
  if (!freshness(suite, now).stale) return false;
  if (suite.ever_ran() && suite.ended_at >= suite.known_since) return true;
  return now - suite.known_since > suite.every * 5 / 2 + suite.duration + std::chrono::seconds(10);
}

}  // namespace

Board::Board(const Settings& settings, std::string environment)
    : settings_(settings),
      environment_(environment),
      alerts_({settings.project, environment, settings.remind}) {
  known_.version = settings.version;
  known_.project = settings.project;
  known_.environment = std::move(environment);
  known_.heartbeat = Clock::now();
}

SuiteState* Board::find(const std::string& name) {
  for (auto& suite : known_.suites)
    if (suite.name == name) return &suite;
  return nullptr;
}

std::map<std::string, const checks::Suite*> Board::policies() const {
  std::map<std::string, const checks::Suite*> all;
  for (const auto& [name, suite] : suites_) all.emplace(name, &suite);
  return all;
}

/// Whoever asks is told it: the text of a driver may quote the address that it was given.
std::string Board::cleaned(const std::string& text) const {
  return settings_.ways.clean ? settings_.ways.clean(text) : text;
}

void Board::deliver_by(Courier* courier) {
  const std::lock_guard lock(mutex_);
  courier_ = courier;
}

/// Called with the lock held.
Told Board::hand_over(std::vector<Message> messages) {
  Told told{std::move(messages), {}};
  if (courier_ != nullptr && !told.messages.empty()) told.lost = courier_->add(told.messages);
  return told;
}

Told Board::place(const checks::SuitePlan& plan, const std::vector<std::string>& destinations) {
  const std::lock_guard lock(mutex_);
  const auto every = intervals_of(plan);
  const auto now = Clock::now();
  std::vector<SuiteState> placed;
  suites_.clear();
  for (std::size_t i = 0; i < plan.suites.size(); ++i) {
    if (every[i].count() == 0) continue;
    auto state = state_of(plan.suites[i], every[i], now);
    if (auto* old = find(state.name)) {
      auto kept = std::move(*old);
      kept.about = state.about, kept.owner = state.owner, kept.runbook = state.runbook,
      kept.file = state.file;
      kept.severity = state.severity;
      if (kept.every != state.every) kept.known_since = now;
      kept.every = state.every;
      state = std::move(kept);
    }
    suites_.emplace(state.name, policy_of(plan.suites[i]));
    placed.push_back(std::move(state));
  }
  known_.suites = std::move(placed);
  known_.files_read = store::now();
  known_.files_trouble.clear();
  alerts_.know(destinations);
  return hand_over(alerts_.forget_others(policies(), store::now()));
}

Told Board::restore() {
  if (settings_.store == nullptr) return {};
  const auto notes = settings_.store->notes(environment_);
  const std::lock_guard lock(mutex_);
  for (auto& suite : known_.suites)
    if (const auto note = notes.find("watch/suite/" + suite.name); note != notes.end())
      watch::restore(suite, note->second, store::now(), Clock::now());
  if (const auto note = notes.find("watch/alerts"); note != notes.end()) alerts_.restore(note->second);
  std::vector<Courier::Event> lost;
  if (const auto note = notes.find("watch/outbox"); note != notes.end() && courier_ != nullptr)
    lost = courier_->restore(note->second);
  auto told = hand_over(alerts_.forget_others(policies(), store::now()));
  told.lost.insert(told.lost.end(), lost.begin(), lost.end());
  return told;
}

void Board::turn() {
  const std::lock_guard lock(mutex_);
  known_.heartbeat = Clock::now();
}

void Board::began(const std::vector<std::string>& suites) {
  const std::lock_guard lock(mutex_);
  for (const auto& name : suites)
    if (auto* suite = find(name)) suite->running_since = Clock::now();
}

void Board::missed(const std::string& name, std::size_t times) {
  const std::lock_guard lock(mutex_);
  if (auto* suite = find(name)) suite->missed += times;
}

Told Board::ended(const verify::RunResult& run) {
  const std::lock_guard lock(mutex_);
  std::vector<SuiteState*> changed;
  for (const auto& result : run.suites)
    if (auto* suite = find(result.suite->name)) {
      take(*suite, result, run, Clock::now());
      changed.push_back(suite);
    }
  return hand_over(alerts_.after_run(changed, policies(), store::now()));
}

Told Board::broke_off(const std::vector<std::string>& suites, const std::string& trouble) {
  const std::lock_guard lock(mutex_);
  std::vector<SuiteState*> changed;
  for (const auto& name : suites) {
    auto* suite = find(name);
    if (suite == nullptr) continue;
    suite->running_since.reset();
    if (trouble.empty()) continue;
    break_off(*suite, trouble, store::now(), Clock::now());
    changed.push_back(suite);
  }
  return hand_over(alerts_.after_run(changed, policies(), store::now()));
}

Told Board::between_runs(const std::vector<std::vector<std::string>>& units) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  std::vector<Alerts::Silence> silences;
  for (const auto& unit : units) {
    Alerts::Silence silence;
    for (const auto& name : unit) {
      const auto* suite = find(name);
      if (suite == nullptr || !silent_too_long(*suite, now)) continue;
      if (silence.suite != nullptr) {
        silence.waiting.push_back(name);
        continue;
      }
      silence.suite = suite;
      silence.why = freshness(*suite, now).why;
    }
    if (silence.suite != nullptr) silences.push_back(std::move(silence));
  }
  return hand_over(alerts_.between_runs(silences, policies(), store::now()));
}

void Board::files_trouble(std::string why) {
  const std::lock_guard lock(mutex_);
  known_.files_trouble = std::move(why);
}

void Board::history_trouble(const std::string& why) {
  const std::lock_guard lock(mutex_);
  known_.history_trouble = cleaned(why);
}

void Board::notes_trouble(const std::string& why) {
  const std::lock_guard lock(mutex_);
  notes_trouble_ = cleaned(why);
}

void Board::lock_trouble(std::string why) {
  const std::lock_guard lock(mutex_);
  known_.lock_trouble = std::move(why);
}

Overview Board::overview() const {
  const std::lock_guard lock(mutex_);
  Overview now = known_;
  if (now.history_trouble.empty()) now.history_trouble = notes_trouble_;
  now.now = store::now();
  now.steady = Clock::now();
  now.processor_seconds = processor_seconds();
  for (const auto& [id, incident] : alerts_.open()) now.incidents.push_back(incident);
  return now;
}

Scribe::Notes Board::notes(const std::set<std::string>& suites) const {
  const std::lock_guard lock(mutex_);
  Scribe::Notes notes{{"watch/alerts", alerts_.to_json()}};
  for (const auto& suite : known_.suites)
    if (suites.count(suite.name) > 0 && suite.ever_ran()) notes["watch/suite/" + suite.name] = to_json(suite);
  if (courier_ != nullptr) notes["watch/outbox"] = courier_->to_json();
  return notes;
}

}  // namespace staithe::watch
