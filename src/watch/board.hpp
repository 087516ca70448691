#pragma once
#include "scribe.hpp"

#include "staithe/watch/schedule.hpp"
#include "staithe/watch/watcher.hpp"

#include <mutex>
#include <set>

namespace staithe::watch {

/// What was decided, and what of it can reach nobody.
struct Told {
  std::vector<Message> messages;
  std::vector<Courier::Event> lost;
};

/// What is known, for those who ask and for the next process. One lock around all of it; any thread.
class Board {
 public:
  Board(const Settings& settings, std::string environment);
  /// From now on messages are handed over to it in the moment in which they are decided, so that notes() has
  /// either both or neither. Null: to nobody.
  void deliver_by(Courier* courier);

  /// The suites of a plan that are watched; what is known of those that were watched before stays. Messages
  /// for incidents of those that are watched no more.
  Told place(const checks::SuitePlan& plan, const std::vector<std::string>& destinations = {});
  /// What an earlier process has left in the store, once. Messages for its incidents of suites that are
  /// watched no more. Throws base::Error: whoever goes on then would write over what he does not know.
  Told restore();

  void turn();  ///< the scheduler is alive
  void began(const std::vector<std::string>& suites);
  void missed(const std::string& suite, std::size_t times);
  /// Takes over what a run has found; what is to be told.
  Told ended(const verify::RunResult& run);
  /// A run that came to nothing: it was stopped, or broke off with `trouble`.
  Told broke_off(const std::vector<std::string>& suites, const std::string& trouble);
  /// Between runs: silence and reminders. `units`: names of suites that run together.
  Told between_runs(const std::vector<std::vector<std::string>>& units);
  void files_trouble(std::string why);
  void history_trouble(const std::string& why);  ///< until it is called with ""
  void notes_trouble(const std::string& why);    ///< until it is called with ""
  void lock_trouble(std::string why);

  Overview overview() const;
  /// What the next process should know: of these suites, of incidents, and what is not delivered; all of one
  /// moment.
  Scribe::Notes notes(const std::set<std::string>& suites) const;

 private:
  Told hand_over(std::vector<Message> messages);
  SuiteState* find(const std::string& name);
  std::map<std::string, const checks::Suite*> policies() const;
  std::string cleaned(const std::string& text) const;

  const Settings& settings_;
  std::string environment_;
  mutable std::mutex mutex_;
  Overview known_;
  std::string notes_trouble_;
  std::map<std::string, checks::Suite> suites_;  ///< for their policies
  Alerts alerts_;
  Courier* courier_ = nullptr;
};

}  // namespace staithe::watch
