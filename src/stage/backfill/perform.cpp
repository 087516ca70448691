#include "staithe/base/text.hpp"
#include "staithe/event/exit_codes.hpp"
#include "staithe/stage/backfill.hpp"
#include "staithe/stage/clone.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

/// From progress to events.
class Teller {
 public:
  Teller(event::EventSink& sink, std::string run_id) : sink_(sink), run_id_(std::move(run_id)) {}

  void begin(const BackfillPlan& plan, base::Duration limit) {
    event::RunStarted started;
    started.run_id = run_id_;
    started.plan_id = id_of(plan);
    started.kind = "backfill";
    started.title = title_ = "backfill " + plan.spec.table;
    started.environment = plan.environment;
    emit(std::move(started));
    event::ActionStarted action;
    action.action_id = action.kind = action.step = "backfill";
    action.title = title_;
    action.index = action.of = 1;
    action.timeout = limit;
    emit(std::move(action));
  }

  void progress(const BackfillProgress& now) {
    if (!now.step.empty()) return emit(event::Message{event::Level::info, "", now.step});
    event::Progress progress;
    progress.action_id = "backfill";
    progress.done = now.seen;
    progress.total = now.total;
    progress.unit = now.unit;
    progress.text = now.waiting_for.empty()
                        ? fmt::format("{} rows filled in {} batches, {:.0f} a second{}", now.updated,
                                      now.batches, now.rows_per_second, remaining(now))
                        : "rests for " + now.waiting_for;
    emit(std::move(progress));
  }

  /// Tells the listeners, and notes in `finished` how long it took.
  void end(event::Outcome outcome, const std::string& detail, event::RunFinished& finished) {
    event::ActionFinished action;
    action.action_id = action.kind = action.step = "backfill";
    action.title = title_;
    action.index = action.of = 1;
    action.outcome = outcome;
    action.detail = detail;
    action.duration = finished.duration =
        std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - began_);
    emit(std::move(action));
    emit(finished);
  }

 private:
  void emit(event::Payload payload) {
    sink_.on_event({std::chrono::system_clock::now(), ++seq_, run_id_, std::move(payload)});
  }

  std::string remaining(const BackfillProgress& now) {
    const auto clock = std::chrono::steady_clock::now();
    if (seen_ == 0) {
      seen_ = std::max<std::uint64_t>(now.seen, 1);
      since_ = clock;
      return {};
    }
    const auto elapsed = std::chrono::duration<double>(clock - since_).count();
    if (now.seen <= seen_ || now.total <= now.seen || elapsed < 1) return {};
    const double seconds =
        static_cast<double>(now.total - now.seen) * elapsed / static_cast<double>(now.seen - seen_);
    return ", " + base::elapsed_text(base::Duration{static_cast<base::Duration::rep>(seconds * 1000)}) +
           " to go";
  }

  event::EventSink& sink_;
  std::string run_id_, title_;
  std::uint64_t seq_ = 0, seen_ = 0;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now(), since_{};
};

std::string summary(const BackfillResult& result) {
  return fmt::format(
      "{} rows filled in {} batches, the longest {}; {} rested, {} tries for locks in vain{}{}",
      result.updated, result.batches, base::elapsed_text(result.longest_batch),
      base::elapsed_text(result.waited), result.lock_retries, result.resumed ? "; resumed" : "",
      result.left > 0 ? fmt::format("; {} rows match --where still", result.left) : std::string());
}

/// Seen before anything was written: another run, no such table, a server that cannot be reached.
bool is_refusal(const base::Error& error) {
  if (dynamic_cast<const pg::SqlError*>(&error) != nullptr ||
      dynamic_cast<const CheckLeft*>(&error) != nullptr)
    return false;
  switch (error.code()) {
    case base::ErrorCode::conflict:
    case base::ErrorCode::not_found:
    case base::ErrorCode::invalid:
    case base::ErrorCode::connect:
    case base::ErrorCode::auth:
      return true;
    default:
      return false;
  }
}

void note_result(const BackfillResult& result, const std::string& again, event::RunFinished& finished) {
  finished.exit_code = result.complete ? event::exit_done : event::exit_failed;
  finished.verdict = result.complete ? "done" : "failed";
  if (result.complete) return;
  finished.failure = result.left > 0 ? fmt::format(
                                           "{} rows match --where still: they came in behind it, or "
                                           "SET does not change what --where asks",
                                           result.left)
                                     : "somebody asked it to stop; what is filled stays filled";
  if (!again.empty())
    finished.next.push_back(again + (result.left > 0 ? "  fill those too" : "  go on from here"));
}

/// How it is said to have ended.
event::Outcome note_error(const base::Error& error, const std::string& again, int interrupted,
                          event::RunFinished& finished) {
  const bool stopped = error.code() == base::ErrorCode::cancelled, refused = is_refusal(error);
  finished.exit_code = stopped ? interrupted : refused ? event::exit_refused : event::exit_failed;
  finished.verdict = stopped ? "interrupted" : refused ? "refused" : "failed";
  finished.failure = error.what();
  if (refused) return event::Outcome::refused;
  if (const auto* left = dynamic_cast<const CheckLeft*>(&error)) {
    finished.exit_code = event::exit_needs_person;
    finished.next.push_back(left->statement() + ";  takes away the check that refuses NULL");
  }
  if (!again.empty()) finished.next.push_back(again + "  go on from where it stopped");
  return stopped ? event::Outcome::cancelled : event::Outcome::failed;
}

}  // namespace

event::RunFinished perform_backfill(const BackfillPlan& plan, const BackfillRun& run, event::EventSink& sink,
                                    const base::Cancel& stop, const std::atomic<int>& interrupted_exit_code) {
  Teller teller(sink, run.run_id);
  teller.begin(plan, run.limit);
  event::RunFinished finished;
  try {
    const auto result = run_backfill(
        run.url, plan.spec, [&](const BackfillProgress& now) { teller.progress(now); },
        base::Scope::lasting(run.limit, &stop),
        plan.snapshot.empty() ? backfill_session : clone_session("backfill"));
    note_result(result, run.again, finished);
    teller.end(result.complete ? event::Outcome::ok : event::Outcome::cancelled, summary(result), finished);
  } catch (const base::Error& error) {
    const auto outcome = note_error(error, run.again, interrupted_exit_code.load(), finished);
    teller.end(outcome, error.what(), finished);
  } catch (const std::exception& defect) {
    // No memory, or a defect of ours: whoever hears the run has to hear how it ended.
    const base::Error error(base::ErrorCode::failed, defect.what());
    const auto outcome = note_error(error, run.again, interrupted_exit_code.load(), finished);
    teller.end(outcome, error.what(), finished);
  }
  return finished;
}

std::string forecast(const BesideLoad::Stalls& stalls, base::Duration took) {
  std::string text = fmt::format("it took {} on the clone", base::elapsed_text(took));
  if (stalls.runs > 0)
    text += fmt::format(
        " with readers and writers beside it, of which a reader waited {} at most and a writer {}",
        micros_text(stalls.read), micros_text(stalls.write));
  return text +
         "; production's size is the clone's when the snapshot is whole, its disks, standbys and load are "
         "not: expect as long or longer, and the rests that its lag asks for";
}

}  // namespace staithe::stage
