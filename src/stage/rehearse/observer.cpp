#include "observer.hpp"

#include "lock_gate.hpp"

#include "staithe/stage/clone.hpp"

#include <poll.h>

#include <algorithm>
#include <charconv>

namespace staithe::stage {
namespace {

constexpr base::Duration sampled_every{2};
/// A cluster in a checkpoint storm answers late, but it answers.
constexpr base::Duration answer_patience{30'000};

/// Below are the catalogues, whose locks say nothing to a person.
constexpr Oid first_user_oid = 16384;

Oid oid_of(const pg::Value& value) {
  Oid oid = 0;
  if (value) std::from_chars(value->data(), value->data() + value->size(), oid);
  return oid;
}

}  // namespace

LockObserver::LockObserver(const std::string& url, int pid, const base::Scope& scope)
    : session_(connect_clone(url, "observer", scope)), pid_(pid) {
  const std::string common =
      "SELECT relation, mode, granted FROM pg_locks WHERE (NOT granted OR locktype = 'relation' AND relation "
      ">= 16384 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AND ";
  session_.prepare("locks",
                   common + (pid != 0 ? "pid = $1::int"
                                      : "pid <> $1::int AND pid IN (SELECT pid FROM pg_stat_activity WHERE "
                                        "application_name NOT LIKE 'staithe%')"),
                   scope);
  thread_ = std::thread([this, scope] { run(scope); });
}

LockObserver::~LockObserver() {
  finish();
}

void LockObserver::begin_statement(std::size_t index) {
  const std::lock_guard lock(mutex_);
  statement_ = index;
}

SeenLock& LockObserver::lock_of(const Key& key, SteadyTime now) {
  const auto [found, is_new] = open_.try_emplace(key);
  if (is_new) {
    found->second.relation = key.first;
    found->second.mode = key.second;
    found->second.statement = statement_;
    found->second.asked = now;
    found->second.not_before = last_sample_;
  }
  return found->second;
}

void LockObserver::note_held(const std::vector<std::pair<Oid, std::string>>& held, SteadyTime since) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  for (const auto& key : held) {
    const bool is_new = !open_.contains(key);
    auto& seen = lock_of(key, since);
    seen.known_until = now;
    // Had it not been waited for, the first sample came by chance: maybe when the statement had ended.
    const bool by_chance = seen.was_granted && seen.asked == seen.granted && seen.statement == statement_;
    if (seen.was_granted && !by_chance) continue;
    seen.was_granted = true;
    seen.granted = std::max(since, by_chance ? seen.not_before : last_sample_);
    if (by_chance || is_new) seen.asked = seen.granted;
  }
}

void LockObserver::note_released(SteadyTime when) {
  const std::lock_guard lock(mutex_);
  for (auto& [key, seen] : open_) {
    seen.released = when;
    seen.is_open = false;
    closed_.push_back(seen);
  }
  open_.clear();
  last_release_ = std::max(last_release_, when);
}

bool LockObserver::sample(const pg::Result& rows, SteadyTime now) {
  const auto answered = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (now <= last_release_) return false;  // what it shows has been released since
  std::map<Key, bool> present;
  for (const auto& row : rows.rows) {
    const Oid relation = oid_of(row[0]);
    if (relation < first_user_oid) continue;  // it waits for something else, such as a transaction
    auto& granted = present[{relation, row[1].value_or("")}];
    granted = granted || row[2] == "t";
  }
  for (const auto& [key, granted] : present) {
    auto& seen = lock_of(key, now);
    if (granted && !seen.was_granted) {
      seen.was_granted = true;
      seen.granted = now;
    }
  }
  for (auto at = open_.begin(); at != open_.end();) {
    if (present.contains(at->first) || now <= at->second.known_until) {
      ++at;
      continue;
    }
    // When it was asked for, it may still have been held.
    at->second.released = answered;
    at->second.is_open = false;
    closed_.push_back(at->second);
    at = open_.erase(at);
  }
  last_sample_ = now;
  return true;
}

void LockObserver::run(const base::Scope& scope) {
  const pg::Value pid(std::to_string(pid_));
  try {
    for (;;) {
      const auto asked = std::chrono::steady_clock::now();
      const auto rows = session_.exec_prepared("locks", {&pid, 1}, base::Scope::lasting(answer_patience));
      // A lock is known to be held when the sample was taken, which is after it was asked for.
      const bool counts = sample(rows, asked);
      const bool waits =
          std::any_of(rows.rows.begin(), rows.rows.end(), [](const auto& row) { return row[2] == "f"; });
      if (counts && waits) open_gate();
      if (base::wait_for(done_.fd(), POLLIN, scope.at_most(sampled_every)) == base::Woke::ready) break;
      if (scope.cancelled() || scope.expired()) break;
    }
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    problem_ = error.what();
  }
  const std::lock_guard lock(gate_mutex_);
  over_ = true;
  if (gate_ != nullptr) gate_->open();
}

void LockObserver::watch(LockGate* gate) {
  const std::lock_guard lock(gate_mutex_);
  gate_ = gate;
  if (over_ && gate_ != nullptr) gate_->open();
}

/// What waited for the gate had asked for it, but its time in a queue begins only now.
void LockObserver::open_gate() {
  const std::lock_guard gate_lock(gate_mutex_);
  if (gate_ == nullptr) return;
  const auto now = std::chrono::steady_clock::now();
  if (!gate_->open()) return;
  gate_->note_opened(now);
  const std::lock_guard lock(mutex_);
  for (auto& [key, seen] : open_) {
    if (seen.was_granted) continue;
    seen.asked = seen.granted = now;
    seen.was_granted = true;
  }
}

std::vector<SeenLock> LockObserver::finish() {
  if (thread_.joinable()) {
    done_.request();
    thread_.join();
    note_released(std::chrono::steady_clock::now());
  }
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::string LockObserver::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

}  // namespace staithe::stage
