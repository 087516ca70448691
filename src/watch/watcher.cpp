#include "staithe/watch/watcher.hpp"

#include "archive.hpp"
#include "board.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/store/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <thread>

namespace staithe::watch {
namespace {

using Clock = std::chrono::steady_clock;
using Names = std::vector<std::string>;

constexpr std::chrono::milliseconds longest_sleep{250};
constexpr std::chrono::seconds between_readings{1};

Names names_of(const checks::SuitePlan& plan, const std::vector<std::size_t>& indices) {
  Names names;
  for (const auto index : indices) names.push_back(plan.suites[index].name);
  return names;
}

/// Some suites of a plan, and all that it says besides: what a run makes is marked as the plan's.
checks::SuitePlan part_of(const checks::SuitePlan& plan, const std::vector<std::size_t>& indices) {
  // Each field by name, so that one that is added is not left out unseen.
  const auto& [release, environment, suites, project] = plan;
  checks::SuitePlan part{release, environment, {}, project};
  for (const auto index : indices) part.suites.push_back(suites[index]);
  return part;
}

}  // namespace

/// One reading of the files, and the timetables that follow from it. Runs in hand hold on to it.
struct InUse {
  /// A unit that was in use before goes on with its grid: reading the files again is no reason to ask.
  InUse(Programme read, const InUse* before) : programme(std::move(read)) {
    const auto now = Clock::now();
    for (auto& unit : units_of(programme.plan)) {
      names.push_back(names_of(programme.plan, unit));
      auto start = now;
      for (std::size_t i = 0; before != nullptr && i < before->units.size(); ++i)
        if (before->names[i] == names.back()) start = before->units[i].start();
      units.emplace_back(programme.plan, std::move(unit), start);
      if (start != now) units.back().skip_passed(now);
    }
  }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

  Programme programme;
  std::vector<Names> names;  ///< of the suites of each unit
  std::vector<Timetable> units;
};

/// Those who tell and those who write. Ends in this order: nobody is told any more, what is left is written.
struct Office {
  Office(std::vector<Destination> destinations, Courier::Ways ways, Claim& claim, Scribe::Ways writing,
         Board& on)
      : courier(std::move(destinations), std::move(ways)), scribe(claim, std::move(writing)), board(on) {
    board.deliver_by(&courier);
  }
  ~Office() {
    end();
    board.deliver_by(nullptr);
  }
  void end() {
    courier.end();
    scribe.end();
  }
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;

  Courier courier;
  Scribe scribe;
  Board& board;
};

class Watcher::Loop {
 public:
  Loop(Programme first, Settings settings)
      : settings_(std::move(settings)),
        board_(settings_, first.plan.environment),
        claim_(settings_.lock, settings_.unsure_for),
        archive_(settings_.store, first.plan.environment),
        free_(settings_.at_once),
        office_(first.destinations, telling(), claim_, writing(first.plan.environment), board_) {
    use(std::move(first));
    tell(board_.restore());
  }

  ~Loop() {
    for (auto& thread : threads_) thread.join();
    if (reader_.joinable()) reader_.join();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run() {
    if (settings_.service != nullptr) settings_.service->ready(status());
    auto next_look = Clock::now();
    std::unique_lock lock(mutex_);
    while (!settings_.soft->requested()) {
      lock.unlock();
      board_.turn();
      if (settings_.service != nullptr) settings_.service->alive();
      read_again();
      if (Clock::now() >= next_look) {
        next_look = Clock::now() + between_readings;
        look();
      }
      lock.lock();
      const auto next = begin_what_is_due();
      if (!outdated_) changed_.wait_until(lock, std::min(next, Clock::now() + longest_sleep));
    }
    lock.unlock();
    end();
  }

  void reload() {
    {
      const std::lock_guard lock(mutex_);
      outdated_ = true;
    }
    changed_.notify_all();
  }

  Overview overview() const {
    auto now = board_.overview();
    now.alerts_held = !now.lock_trouble.empty() && !claim_.may_alert();
    const auto standing = office_.courier.standing();
    now.alerts_sent = standing.sent;
    now.alerts_failed = standing.failed;
    now.alerts_waiting = standing.waiting;
    now.alerts_trouble = standing.trouble;
    return now;
  }

 private:
  void note(std::string event, std::vector<std::pair<std::string, std::string>> facts) {
    settings_.log({std::move(event), std::move(facts)});
  }

  std::string status() const {
    const auto now = board_.overview();
    const auto health = health_of(now);
    return health.good ? base::count_text(now.suites.size(), "suite") + ", all is well"
                       : "not well: " + health.reasons.front();
  }

  Courier::Ways telling() {
    auto ways = settings_.ways;
    ways.happened = [this](const Courier::Event& event) {
      note(event);
      office_.scribe.changed();
    };
    ways.may_send = [this] { return claim_.may_alert(); };
    ways.project = settings_.project;
    return ways;
  }

  Scribe::Ways writing(const std::string& environment) {
    return {[this](const auto& suites) {
              return settings_.store == nullptr ? Scribe::Notes() : board_.notes(suites);
            },
            [this, environment](const Scribe::Notes& notes) {
              if (settings_.store != nullptr) settings_.store->keep_notes(environment, notes, claim_.info());
            },
            [this](const std::string& why) { notes_trouble(why); },
            [this](Claim::State state) { claim_changed(state); },
            settings_.store == nullptr ? std::function<void(const Records&)>()
                                       : [this](const Records& results) { keep(results); },
            [this](const std::string& why, std::size_t lost) { history_trouble(why, lost); },
            [this] { look_for_changes(); }};
  }

  /// Said when it begins and when it is over: it is tried again every few seconds.
  void notes_trouble(const std::string& why) {
    board_.notes_trouble(why);
    if (why.empty())
      note("notes", {{"state", "kept again"}});
    else if (!std::exchange(notes_troubled_, true))
      note("notes", {{"state", "not kept"}, {"reason", why}});
    if (why.empty()) notes_troubled_ = false;
  }

  void history_trouble(const std::string& why, std::size_t lost) {
    board_.history_trouble(why);
    std::vector<std::pair<std::string, std::string>> facts{{"state", lost > 0      ? "left out"
                                                                     : why.empty() ? "kept again"
                                                                                   : "not kept"}};
    if (lost > 0) facts.emplace_back("results", std::to_string(lost));
    if (!why.empty()) facts.emplace_back("reason", why);
    note("history", std::move(facts));
  }

  /// In the scribe's thread. Throws base::Error, and is then called again with the same.
  void keep(const Records& results) {
    const auto use = in_use();
    if (archive_.keep(results, use->programme.plan)) history_trouble("", 0);
  }

  /// In the scribe's thread. Not only when something has run: the next run should know what has changed.
  void look_for_changes() {
    const auto use = in_use();
    if (use != nullptr && use->programme.outdated && use->programme.outdated()) reload();
  }

  std::shared_ptr<InUse> in_use() const {
    const std::lock_guard lock(mutex_);
    return in_use_;
  }

  void claim_changed(Claim::State state) {
    switch (state) {
      case Claim::State::ours:
        board_.lock_trouble("");
        note("lock", {{"state", "confirmed"}});
        break;
      case Claim::State::unsure:
        board_.lock_trouble("the lock of the watch cannot be renewed, so another machine may have it");
        note("lock", {{"state", "unsure"}, {"reason", "it cannot be renewed; alerts wait for a while"}});
        break;
      case Claim::State::lost:
        board_.lock_trouble("another one watches");
        note("lock", {{"state", "lost"}, {"reason", "another one watches; this one ends"}});
        if (settings_.lock_lost) settings_.lock_lost();
        break;
    }
  }

  // --- the files ---

  void use(Programme programme) {
    Names names;
    for (const auto& destination : programme.destinations) names.push_back(destination.name);
    // New ones are there before anybody is told by the new files, and old ones until nobody is told by the
    // old ones. What this ends is still told to those who are gone, or it is said that it cannot be.
    office_.courier.welcome(programme.destinations);
    const auto told = board_.place(programme.plan, names);
    for (const auto& event : office_.courier.redirect(programme.destinations)) note(event);
    if (const auto why = archive_.load(programme.plan); !why.empty()) {
      board_.history_trouble(why);
      note("history", {{"state", "not read"}, {"reason", why}});
    }
    {
      const std::lock_guard lock(mutex_);
      in_use_ = std::make_shared<InUse>(std::move(programme), in_use_.get());
    }
    tell(told);
  }

  /// Inventory programs may take their time: the scheduler goes on meanwhile.
  void read_again() {
    {
      const std::lock_guard lock(mutex_);
      if (reading_ || !outdated_ || !settings_.read) return;
      outdated_ = false;
      reading_ = true;
    }
    if (reader_.joinable()) reader_.join();
    if (settings_.service != nullptr) settings_.service->reloading();
    reader_ = std::thread([this] {
      try {
        use(settings_.read());
        note("files",
             {{"state", "taken into use"}, {"suites", std::to_string(board_.overview().suites.size())}});
      } catch (const std::exception& error) {
        board_.files_trouble(error.what());
        note("files", {{"state", "the old ones go on"}, {"reason", error.what()}});
      }
      const std::lock_guard lock(mutex_);
      reading_ = false;
      read_done_ = true;
    });
  }

  // --- between runs ---

  void look() {
    bool done = false;
    std::vector<Names> units;
    {
      const std::lock_guard lock(mutex_);
      done = std::exchange(read_done_, false);
      units = in_use_->names;
    }
    if (settings_.service != nullptr) {
      auto now = status();
      if (done)
        settings_.service->ready(now);
      else if (now != last_status_)
        settings_.service->status(now);
      last_status_ = std::move(now);
    }
    tell(board_.between_runs(units));
  }

  void tell(const Told& told) {
    for (const auto& message : told.messages)
      note("alert", {{"state", std::string(name_of(message.kind))},
                     {"incident", message.incident.id},
                     {"suite", message.incident.suite},
                     {"culprit", message.incident.culprit},
                     {"reason", message.incident.reason}});
    for (const auto& event : told.lost) note(event);
    if (!told.messages.empty() || !told.lost.empty()) office_.scribe.changed();
  }

  void note(const Courier::Event& event) {
    using Kind = Courier::Event::Kind;
    std::vector<std::pair<std::string, std::string>> facts{
        {"state", event.kind == Kind::delivered ? "delivered"
                  : event.kind == Kind::failed  ? "failed"
                                                : "given up"},
        {"to", event.destination},
        {"incident", event.incident},
        {"message", event.message}};
    if (!event.why.empty()) facts.emplace_back("reason", event.why);
    note("delivery", std::move(facts));
  }

  // --- runs ---

  /// The earliest tick that is to come. Called with the lock held.
  base::SteadyTime begin_what_is_due() {
    const auto now = Clock::now();
    auto next = base::SteadyTime::max();
    for (const auto& [use, index] : in_hand_) count_missed(*use, index, now);
    reap_ended();
    // With what room there is: nobody waits for as much as it could use. When a run in hand ends, it is
    // looked again.
    for (const auto index : units_due(now, next)) {
      if (free_ == 0) break;
      begin(index, std::min(in_use_->names[index].size(), free_), now);
    }
    return next;
  }

  /// Joins the threads whose runs are over. Called with the lock held.
  void reap_ended() {
    for (auto thread = threads_.begin(); thread != threads_.end();) {
      const auto done = std::find(done_.begin(), done_.end(), thread->get_id());
      if (done == done_.end()) {
        ++thread;
        continue;
      }
      done_.erase(done);
      thread->join();
      thread = threads_.erase(thread);
    }
  }

  /// Those whose turn has come and that do not run, the one that has waited longest first; `next` becomes the
  /// earliest tick of the others. Called with the lock held.
  std::vector<std::size_t> units_due(base::SteadyTime now, base::SteadyTime& next) const {
    std::vector<std::pair<base::SteadyTime, std::size_t>> due;
    for (std::size_t i = 0; i < in_use_->units.size(); ++i) {
      const auto& unit = in_use_->units[i];
      const auto& names = in_use_->names[i];
      if (std::any_of(names.begin(), names.end(), [&](const auto& name) { return running_.count(name) > 0; }))
        continue;
      if (unit.next() > now)
        next = std::min(next, unit.next());
      else
        due.emplace_back(unit.next(), i);
    }
    std::sort(due.begin(), due.end());
    std::vector<std::size_t> units;
    for (const auto& [since, index] : due) units.push_back(index);
    return units;
  }

  void begin(std::size_t index, std::size_t slots, base::SteadyTime now) {
    const auto due = in_use_->units[index].due(now);
    if (due.empty()) return;
    free_ -= slots;
    // All of the unit: what is not due is not run beside it either.
    for (const auto& name : in_use_->names[index]) running_.insert(name);
    const auto hand = in_hand_.insert(in_hand_.end(), {in_use_, index});
    threads_.emplace_back([this, hand, use = in_use_, index, due, slots] {
      one_run(*use, due, slots);
      const std::lock_guard lock(mutex_);
      in_hand_.erase(hand);
      for (const auto& name : use->names[index]) running_.erase(name);
      free_ += slots;
      count_missed(*use, index, Clock::now());
      done_.push_back(std::this_thread::get_id());
      changed_.notify_all();
    });
  }

  /// Of a unit that runs, also while it does: one that hangs is seen to miss its turns.
  void count_missed(InUse& use, std::size_t index, base::SteadyTime now) {
    for (const auto& [suite, times] : use.units[index].skip_passed(now))
      board_.missed(use.programme.plan.suites[suite].name, times);
  }

  void one_run(const InUse& use, const std::vector<std::size_t>& due, std::size_t slots) {
    const auto part = part_of(use.programme.plan, due);
    const auto names = names_of(use.programme.plan, due);
    verify::Options options;
    options.suites_at_once = slots;
    options.soft = settings_.soft;
    options.hard = settings_.hard;
    options.memory = &archive_.memory();
    board_.began(names);
    Told told;
    try {
      options.run_id = verify::new_run_id(store::now());
      const auto run = use.programme.run(part, options);
      // What a stop has cut short says nothing about the system.
      told = run.interrupted ? board_.broke_off(names, "") : board_.ended(run);
      office_.scribe.found(verify::records_of(run));
    } catch (const std::exception& error) {
      const auto why = settings_.ways.clean(error.what());
      told = board_.broke_off(names, "the run broke off: " + why);
      note("run", {{"state", "broke off"}, {"suites", base::join(names, ", ")}, {"reason", why}});
    }
    tell(told);
    office_.scribe.changed(names);
  }

  void end() {
    if (settings_.service != nullptr) settings_.service->stopping();
    note("stopping", {{"runs_in_hand", std::to_string(threads_.size())}});
    for (;;) {
      std::unique_lock lock(mutex_);
      if (running_.empty()) break;
      changed_.wait_for(lock, longest_sleep);
    }
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    if (reader_.joinable()) reader_.join();
    office_.scribe.changed();
    office_.end();
  }

  Settings settings_;
  Board board_;
  Claim claim_;
  Archive archive_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<InUse> in_use_;
  std::set<std::string> running_;
  std::list<std::pair<std::shared_ptr<InUse>, std::size_t>> in_hand_;  ///< units that run
  std::size_t free_;
  bool outdated_ = false, reading_ = false, read_done_ = false;
  std::list<std::thread> threads_;
  std::vector<std::thread::id> done_;
  std::thread reader_;
  std::string last_status_;
  bool notes_troubled_ = false;  ///< the scribe's
  /// Destroyed first: its threads call what is above.
  Office office_;
};

Watcher::Watcher(Programme first, Settings settings)
    : loop_(std::make_unique<Loop>(std::move(first), std::move(settings))) {}
Watcher::~Watcher() = default;

void Watcher::run() {
  loop_->run();
}
void Watcher::reload() {
  loop_->reload();
}
Overview Watcher::overview() const {
  return loop_->overview();
}

}  // namespace staithe::watch
