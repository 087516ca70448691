#pragma once
#include "staithe/watch/schedule.hpp"
#include "staithe/watch/watcher.hpp"

#include <mutex>
#include <set>

namespace staithe::watch {

/// What is known, for those who ask and for the next process. One lock around all of it; any thread.
class Board {
 public:
  Board(const Settings& settings, std::string environment);

  /// The suites of a plan that are watched; what is known of those that were watched before stays. Messages
  /// for incidents of those that are watched no more.
  std::vector<Message> place(const checks::SuitePlan& plan);
  /// What an earlier process has left in the store, once. Messages for its incidents of suites that are
  /// watched no more.
  std::vector<Message> restore(Courier& courier);

  void turn();  ///< the scheduler is alive
  void began(const std::vector<std::string>& suites);
  void missed(const std::string& suite, std::size_t times);
  /// Takes over what a run has found; what is to be told.
  std::vector<Message> ended(const verify::RunResult& run);
  /// A run that came to nothing: it was stopped, or broke off with `trouble`.
  std::vector<Message> broke_off(const std::vector<std::string>& suites, const std::string& trouble);
  /// Between runs: silence and reminders. `units`: names of suites that run together.
  std::vector<Message> between_runs(const std::vector<std::vector<std::string>>& units);
  void files_trouble(std::string why);
  void history_trouble(const std::string& why);

  Overview overview() const;
  /// Writes down what changed. Never throws: trouble is kept for those who look.
  void save(const std::vector<std::string>& suites, const Courier& courier);

 private:
  SuiteState* find(const std::string& name);
  std::map<std::string, const checks::Suite*> policies() const;
  std::string cleaned(const std::string& text) const;

  const Settings& settings_;
  std::string environment_;
  mutable std::mutex mutex_;
  Overview known_;
  std::map<std::string, checks::Suite> suites_;  ///< for their policies
  Alerts alerts_;
  std::mutex saving_;
};

}  // namespace staithe::watch
