#pragma once
#include "catalog.hpp"
#include "lock_gate.hpp"
#include "observer.hpp"

#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace staithe::stage {

/// What is written down while the files run.
enum class Measure {
  everything,  ///< locks, deeds, rows, sizes
  times,       ///< when each statement began and how long it took
};

/// What happens beside the statements of one pass.
struct MigrationHooks {
  /// Before a statement is sent. `index` counts over all files, commits included.
  std::function<void(std::size_t index, const StatementReport&)> before;
  std::function<void(std::size_t index, const StatementReport&)> after;
  /// A statement was refused, and everything before it still stands. Inside the transaction, which is rolled
  /// back afterwards, or outside of any.
  std::function<void(pg::Session&, StatementReport&, const pg::Refusal&)> diagnose;
  /// Whether a refused statement is sent once more.
  std::function<bool(std::size_t index, const pg::Refusal&)> again;
};

/// Runs files of SQL on a clone, in their transactions, and measures.
class MigrationRun {
 public:
  MigrationRun(const std::string& url, Measure measure, MigrationHooks hooks, const base::Scope& scope);

  /// False when a statement was refused; what came after it is not in statements().
  bool run(const std::vector<MigrationFile>& files);

  SteadyTime zero() const { return zero_; }
  std::vector<StatementReport>& statements() { return statements_; }
  /// Ends the sampling of locks and puts them with their statements.
  void finish();
  const CatalogState& first_state() const { return first_state_; }
  const std::string& problem() const { return problem_; }
  pg::Session& session() { return session_; }

 private:
  enum class Around { nothing, transaction, savepoint };
  bool run_file(const MigrationFile& file);
  bool perform(const MigrationFile& file, const PlannedStatement& statement, Around around);
  bool commit(const MigrationFile& file);
  bool run_reported(const MigrationFile& file, std::uint32_t line, const std::string& text, Around around);
  bool attempt(std::size_t index, const std::string& text, Around around, StatementReport& report);
  void refused(const pg::StatementError& error, Around around, StatementReport& report);
  StatementReport& begin_report(const MigrationFile& file, std::uint32_t line, const std::string& text);
  bool close_gate(const std::string& text);
  SteadyTime open_gate(SteadyTime began);
  void measure_inside(StatementReport& report, SteadyTime began);
  void measure_after(StatementReport& report);
  Micros since_zero(SteadyTime when) const;

  pg::Session session_;
  Measure measure_;
  MigrationHooks hooks_;
  base::Scope scope_;
  SteadyTime zero_;
  std::unique_ptr<LockGate> gate_;  ///< the observer opens it, so it goes after it
  std::unique_ptr<LockObserver> observer_;
  CatalogState first_state_, state_;
  std::map<Oid, Relation> known_;  ///< every relation that was ever seen
  std::vector<std::pair<SteadyTime, SteadyTime>> bookkeeping_;
  std::vector<StatementReport> statements_;
  std::string problem_;
};

}  // namespace staithe::stage
