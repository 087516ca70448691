#include "scribe.hpp"

#include "staithe/base/error.hpp"
#include "staithe/pg/connection.hpp"

#include <exception>
#include <string_view>
#include <utility>

namespace staithe::watch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds between_wakings{1};
constexpr std::chrono::seconds before_another_try{5};
constexpr std::chrono::seconds at_the_end{10};

/// What the store cannot take however often it is asked: data that it refuses (SQLSTATE classes 22 and 23, a
/// constraint of SQLite's, a text that is none). All else may pass: also a server that has become a standby,
/// a serialization failure, a statement that took too long, a password that was changed.
bool never_passes(const std::exception& error) {
  if (const auto* sql = dynamic_cast<const pg::SqlError*>(&error)) {
    const std::string_view state = sql->sqlstate();
    return state.starts_with("22") || state.starts_with("23");
  }
  const auto* ours = dynamic_cast<const base::Error*>(&error);
  return ours != nullptr &&
         (ours->code() == base::ErrorCode::invalid || ours->code() == base::ErrorCode::conflict);
}

}  // namespace

Scribe::Scribe(Claim& claim, Ways ways) : claim_(claim), ways_(std::move(ways)) {
  thread_ = std::thread([this] { work(); });
}

Scribe::~Scribe() {
  end();
}

void Scribe::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  woken_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Scribe::changed(const std::vector<std::string>& suites) {
  {
    const std::lock_guard lock(mutex_);
    suites_.insert(suites.begin(), suites.end());
    changed_ = true;
  }
  woken_.notify_all();
}

void Scribe::found(Records results) {
  if (!ways_.keep) return;
  {
    const std::lock_guard lock(mutex_);
    backlog_.add(std::move(results));
  }
  woken_.notify_all();
}

void Scribe::work() {
  std::unique_lock lock(mutex_);
  base::SteadyTime not_before{}, give_up_at = base::SteadyTime::max();
  for (;;) {
    const auto may = [&] {
      return (changed_ || !backlog_.empty()) && (ending_ || Clock::now() >= not_before);
    };
    woken_.wait_for(lock, between_wakings, [&] { return ending_ || may(); });
    if (ending_) give_up_at = std::min(give_up_at, Clock::now() + at_the_end);
    const bool last = ending_;
    Load load;
    if (may()) {
      load.notes = std::exchange(changed_, false);
      load.suites.swap(suites_);
      load.results = backlog_.take();
    }
    const bool idle = !last && !load.notes && !changed_ && load.results.empty() && backlog_.empty();
    lock.unlock();
    try {
      carry(load);
    } catch (const std::exception&) {
      // Trouble could not even be told, for want of memory: what is left of the load is tried again.
      notes_trouble_ = "it could not be told why";
    }
    if (idle) rest();
    lock.lock();
    const bool done = !load.notes && load.results.empty();
    if (!done) {
      suites_.merge(load.suites);
      changed_ = changed_ || load.notes;
      backlog_.put_back(std::move(load.results));
      not_before = Clock::now() + before_another_try;
    }
    const bool over = last && (!done || (!changed_ && backlog_.empty()) || Clock::now() > give_up_at);
    if (over) backlog_.give_up();
    const auto lost = backlog_.take_lost();
    if (lost > 0) {
      lock.unlock();
      tell(history_trouble_.empty() ? "there was no time for it" : history_trouble_, lost);
      lock.lock();
    }
    if (over) return;
  }
}

void Scribe::rest() {
  if (!ways_.idle) return;
  try {
    ways_.idle();
  } catch (const std::exception&) {
    // It is called again in a moment, and what it does is none of what is written here.
  }
}

void Scribe::carry(Load& load) {
  look();
  if (load.notes && !write(load.suites)) {
    // If the notes cannot be written, results cannot either: do not spend another timeout on them.
    if (!load.results.empty()) tell(notes_trouble_, 0);
    return;
  }
  load.notes = false;
  keep(load.results);
}

void Scribe::look() {
  try {
    const auto now = claim_.confirm();
    if (known_ != now) ways_.claim(now);
    known_ = now;
  } catch (const std::exception& error) {
    notes_trouble_ = error.what();
    ways_.trouble(notes_trouble_);
  }
}

bool Scribe::write(const std::set<std::string>& suites) {
  // What the other one has written is newer.
  if (claim_.state() == Claim::State::lost) return true;
  try {
    ways_.write(ways_.notes(suites));
  } catch (const std::exception& error) {
    const auto* ours = dynamic_cast<const base::Error*>(&error);
    if (ours != nullptr && ours->code() == base::ErrorCode::conflict) {
      claim_.lose();
      look();
      return true;
    }
    notes_trouble_ = error.what();
    ways_.trouble(notes_trouble_);
    return false;
  }
  if (!std::exchange(notes_trouble_, {}).empty()) ways_.trouble("");
  return true;
}

Scribe::Took Scribe::offer(const Records& results, std::string& why) {
  try {
    ways_.keep(results);
    return Took::all;
  } catch (const std::exception& error) {
    why = error.what();
    return never_passes(error) ? Took::never : Took::later;
  }
}

void Scribe::keep(std::deque<Records>& runs) {
  if (claim_.state() == Claim::State::lost) runs.clear();
  if (runs.empty()) return;
  Records all;
  for (const auto& run : runs) all.insert(all.end(), run.begin(), run.end());
  std::string why;
  auto took = offer(all, why);
  if (took == Took::all) runs.clear();
  // One of them is what nobody can take: that one is left out, not those around it.
  std::size_t lost = 0;
  while (took != Took::later && !runs.empty()) {
    took = offer(runs.front(), why);
    if (took == Took::later) break;
    if (took == Took::never) lost += runs.front().size();
    runs.pop_front();
  }
  tell(took == Took::later || lost > 0 ? why : "", lost);
}

void Scribe::tell(const std::string& why, std::size_t lost) {
  const bool told = history_trouble_.empty() == why.empty();
  history_trouble_ = why;
  if (told && lost == 0) return;
  try {
    ways_.history(why, lost);
  } catch (const std::exception&) {
    // Out of memory, most likely: there is no other way to say it.
    return;
  }
}

}  // namespace staithe::watch
