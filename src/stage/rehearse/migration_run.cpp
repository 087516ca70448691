#include "migration_run.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/stage/clone.hpp"

#include <algorithm>
#include <tuple>

namespace staithe::stage {
namespace {

using base::Scope;
using std::chrono::duration_cast;
using std::chrono::steady_clock;

/// Not every role may set these; without them deeds are recognised by the functions alone and temporary files
/// are not counted.
void set_if_allowed(pg::Session& session, const std::string& setting, const Scope& scope) {
  try {
    session.run("SET " + setting, scope);
  } catch (const pg::StatementError&) {
  }
}

std::string first_word(const std::string& text) {
  std::string word;
  for (const char c : text) {
    if (!base::is_alpha(c)) break;
    word += c;
  }
  return base::lower(word);
}

/// A procedure may commit, which the server takes only outside of a transaction block; so may the body of DO.
bool may_commit_itself(const std::string& text) {
  const std::string word = first_word(text);
  return word == "call" || (word == "do" && base::lower(text).find("commit") != std::string::npos);
}

/// The server gave up to wait, for a lock or at all.
bool gave_up(const pg::StatementError& error) {
  const auto& code = error.refusal().sqlstate;
  return code == "55P03" || code == "57014";
}

}  // namespace

MigrationRun::MigrationRun(const std::string& url, Measure measure, MigrationHooks hooks, const Scope& scope)
    : session_(url, {clone_session("rehearsal"), std::chrono::seconds(10), pg::usual_silence}, scope),
      measure_(measure),
      hooks_(std::move(hooks)),
      scope_(scope) {
  set_if_allowed(session_, "lc_messages = 'C'", scope);
  if (measure == Measure::everything) {
    set_if_allowed(session_, "log_temp_files = 0", scope);
    session_.run("SET client_min_messages = debug1", scope);
    first_state_ = state_ = read_state(session_, scope);
    known_ = state_.relations;
    gate_ = std::make_unique<LockGate>(url, scope);
    observer_ = std::make_unique<LockObserver>(url, session_.backend_pid(), scope);
  }
  zero_ = steady_clock::now();
}

/// On a clock that stands still while the rehearsal looks at what a statement did: whoever waits for a lock
/// in production waits for no such look, and what was held to the end of a transaction ends with its COMMIT.
Micros MigrationRun::since_zero(SteadyTime when) const {
  auto span = when - zero_;
  for (const auto& [from, to] : bookkeeping_)
    if (from < when) span -= std::min(to, when) - from;
  return std::max(Micros{0}, duration_cast<Micros>(span));
}

bool MigrationRun::run(const std::vector<MigrationFile>& files) {
  const bool passed =
      std::all_of(files.begin(), files.end(), [this](const auto& file) { return run_file(file); });
  if (session_.in_transaction()) session_.run("ROLLBACK", Scope::lasting(std::chrono::seconds(30)));
  return passed;
}

bool MigrationRun::run_file(const MigrationFile& file) {
  const bool one = file.transactions == Transactions::one;
  if (one) session_.run("BEGIN", scope_);
  if (file.lock_timeout)
    session_.run(std::string(one ? "SET LOCAL" : "SET") +
                     " lock_timeout = " + std::to_string(file.lock_timeout->count()),
                 scope_);
  for (const auto& statement : file.statements) {
    Around around = Around::nothing;
    if (one) around = Around::savepoint;
    if (file.transactions == Transactions::each && statement.in_transaction) around = Around::transaction;
    if (!perform(file, statement, around)) return false;
  }
  if (one && !commit(file)) return false;
  if (session_.in_transaction()) session_.run("COMMIT", scope_);  // its own BEGIN had no end
  if (file.lock_timeout && !one) session_.run("RESET lock_timeout", scope_);
  return true;
}

StatementReport& MigrationRun::begin_report(const MigrationFile& file, std::uint32_t line,
                                            const std::string& text) {
  auto& report = statements_.emplace_back();
  report.file = file.path;
  report.line = line;
  report.text = text;
  if (hooks_.before) hooks_.before(statements_.size() - 1, report);
  return report;
}

bool MigrationRun::perform(const MigrationFile& file, const PlannedStatement& statement, Around around) {
  // Alone it would commit at once: with BEGIN and COMMIT around it, it can be asked what it holds.
  const bool own = file.transactions == Transactions::own && statement.in_transaction;
  if (own && !controls_transaction(first_word(statement.text)))
    around = session_.in_transaction() ? Around::savepoint : Around::transaction;
  if (around == Around::transaction && may_commit_itself(statement.text)) around = Around::nothing;
  return run_reported(file, statement.line, statement.text, around);
}

bool MigrationRun::commit(const MigrationFile& file) {
  const auto line = file.statements.empty() ? 0 : file.statements.back().line;
  return run_reported(file, line, "COMMIT", Around::nothing);
}

bool MigrationRun::run_reported(const MigrationFile& file, std::uint32_t line, const std::string& text,
                                Around around) {
  begin_report(file, line, text);
  const std::size_t index = statements_.size() - 1;
  auto& report = statements_.back();
  if (observer_) observer_->begin_statement(index);
  const bool passed = attempt(index, text, around, report);
  if (hooks_.after) hooks_.after(index, report);
  return passed;
}

bool MigrationRun::attempt(std::size_t index, const std::string& text, Around around,
                           StatementReport& report) {
  for (bool gated = around == Around::nothing && close_gate(text);; gated = false) {
    if (around == Around::transaction) session_.run("BEGIN", scope_);
    if (around == Around::savepoint) session_.run("SAVEPOINT staithe", scope_);
    session_.take_notices();
    auto began = steady_clock::now();
    if (report.began == Micros{0}) report.began = since_zero(began);
    try {
      report.rows = session_.run(text, scope_, pg::Rows::drop).affected;
      if (gated) report.began = since_zero(began = open_gate(began));
    } catch (const pg::StatementError& error) {
      if (gated) report.began = since_zero(began = open_gate(began));
      if (gated && gave_up(error)) continue;  // it was the gate that it waited for too long
      report.took += duration_cast<Micros>(steady_clock::now() - began);
      const bool again = hooks_.again && hooks_.again(index, error.refusal());
      refused(error, around, report);
      if (!again) return false;
      report.failure.reset();
      continue;
    }
    const auto ended = steady_clock::now();
    report.took += duration_cast<Micros>(ended - began);
    measure_inside(report, began);
    if (around == Around::savepoint) session_.run("RELEASE SAVEPOINT staithe", scope_);
    if (around == Around::transaction) {
      const auto committing = steady_clock::now();
      try {
        session_.run("COMMIT", scope_);
      } catch (const pg::StatementError& error) {  // a deferred constraint
        refused(error, Around::nothing, report);
        return false;
      }
      report.took += duration_cast<Micros>(steady_clock::now() - committing);
    }
    if (!session_.in_transaction()) measure_after(report);
    return true;
  }
}

bool MigrationRun::close_gate(const std::string& text) {
  if (!gate_ || session_.in_transaction() || controls_transaction(first_word(text))) return false;
  diag::Diagnostics ignored;
  const auto sql = split_sql(text, "", ignored);
  if (sql.statements.empty()) return false;
  if (!gate_->close(tables_named_by(session_, sql.statements.front(), scope_))) return false;
  observer_->watch(gate_.get());
  return true;
}

/// The statement's time without what it waited for the gate.
SteadyTime MigrationRun::open_gate(SteadyTime began) {
  observer_->watch(nullptr);
  gate_->open();
  return std::max(began, gate_->opened());
}

void MigrationRun::refused(const pg::StatementError& error, Around around, StatementReport& report) {
  const auto& refusal = error.refusal();
  report.failure = Failure{refusal.sqlstate, refusal.message, refusal.detail, refusal.hint, std::nullopt};
  if (around == Around::savepoint)
    session_.run("ROLLBACK TO SAVEPOINT staithe", scope_);
  else if (session_.in_transaction())
    session_.run("ROLLBACK", scope_);
  if (hooks_.diagnose) hooks_.diagnose(session_, report, refusal);
  if (around == Around::savepoint) return;
  if (observer_) observer_->note_released(steady_clock::now());
}

void MigrationRun::measure_inside(StatementReport& report, SteadyTime began) {
  if (measure_ != Measure::everything) return;
  const auto from = steady_clock::now();
  const auto notices = session_.take_notices();
  if (session_.in_transaction()) observer_->note_held(held_locks(session_, scope_), began);
  auto now = read_state(session_, scope_);
  report.deeds = deeds_of(state_, now, notices);
  report.temp_bytes = temp_bytes_of(notices);
  report.touched = touched_between(state_, now);
  report.wal_bytes = now.wal - state_.wal;
  report.size_change_bytes =
      static_cast<std::int64_t>(now.size_bytes) - static_cast<std::int64_t>(state_.size_bytes);
  report.peak_bytes = now.size_bytes > state_.size_bytes ? now.size_bytes - state_.size_bytes : 0;
  known_.insert(now.relations.begin(), now.relations.end());
  state_ = std::move(now);
  bookkeeping_.emplace_back(from, steady_clock::now());
}

/// After a commit the old files are gone, and the counters begin anew.
void MigrationRun::measure_after(StatementReport& report) {
  if (measure_ != Measure::everything) return;
  const auto from = steady_clock::now();
  observer_->note_released(from);
  auto now = read_state(session_, scope_);
  report.size_change_bytes +=
      static_cast<std::int64_t>(now.size_bytes) - static_cast<std::int64_t>(state_.size_bytes);
  report.wal_bytes += now.wal - state_.wal;
  state_ = std::move(now);
  bookkeeping_.emplace_back(from, steady_clock::now());
}

void MigrationRun::finish() {
  if (!observer_) return;
  const auto seen = observer_->finish();
  problem_ = observer_->problem();
  for (const auto& lock : seen) {
    if (lock.statement >= statements_.size()) continue;
    const auto relation = known_.find(lock.relation);
    if (relation == known_.end() || relation->second.is_toast) continue;
    LockSpan span;
    span.object = relation->second.name;
    span.mode = lock.mode;
    span.blocks = blocked_by(lock.mode);
    span.is_new = !first_state_.relations.contains(lock.relation);
    span.statement = lock.statement;
    const auto asked = since_zero(lock.asked);
    span.from = lock.was_granted ? since_zero(lock.granted) : asked;
    span.waited = std::max(Micros{0}, span.from - asked);
    if (lock.was_granted) span.held = std::max(Micros{0}, since_zero(lock.released) - span.from);
    statements_[lock.statement].locks.push_back(std::move(span));
  }
  for (auto& statement : statements_)
    std::stable_sort(statement.locks.begin(), statement.locks.end(), [](const auto& a, const auto& b) {
      return std::tie(b.blocks, b.held, a.object) < std::tie(a.blocks, a.held, b.object);
    });
}

}  // namespace staithe::stage
