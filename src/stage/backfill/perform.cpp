#include "left_clones.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/event/exit_codes.hpp"
#include "staithe/stage/backfill.hpp"
#include "staithe/stage/clone.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

constexpr base::Duration longest_making{3'600'000};

std::string matching_text(std::uint64_t rows) {
  return base::count_text(rows, "row") + (rows == 1 ? " matches" : " match") + " --where still";
}

std::string batches_text(std::uint64_t count) {
  return fmt::format("{} {}", count, count == 1 ? "batch" : "batches");
}

/// How a backfill ended, as it will be told.
struct End {
  event::RunFinished finished;
  event::Outcome outcome = event::Outcome::ok;
  std::string detail;
};

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
    progress.text =
        now.waiting_for.empty()
            ? fmt::format("{} filled in {}, {:.0f} a second{}", base::count_text(now.updated, "row"),
                          batches_text(now.batches), now.rows_per_second, remaining(now))
            : "rests for " + now.waiting_for;
    emit(std::move(progress));
  }

  /// Tells the listeners, and notes in the end how long it took.
  event::RunFinished end(End end) {
    event::ActionFinished action;
    action.action_id = action.kind = action.step = "backfill";
    action.title = title_;
    action.index = action.of = 1;
    action.outcome = end.outcome;
    action.detail = std::move(end.detail);
    action.duration = end.finished.duration =
        std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - began_);
    emit(std::move(action));
    emit(end.finished);
    return std::move(end.finished);
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
  return fmt::format("{} filled in {}, the longest {}; {} rested, {} tries for locks in vain{}{}",
                     base::count_text(result.updated, "row"), batches_text(result.batches),
                     base::elapsed_text(result.longest_batch), base::elapsed_text(result.waited),
                     result.lock_retries, result.resumed ? "; resumed" : "",
                     result.left > 0 ? "; " + matching_text(result.left) : std::string());
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

End end_of(const BackfillResult& result, const std::string& again) {
  End end;
  end.detail = summary(result);
  auto& finished = end.finished;
  finished.exit_code = result.complete ? event::exit_done : event::exit_failed;
  finished.verdict = result.complete ? "done" : "failed";
  if (result.complete) return end;
  end.outcome = event::Outcome::cancelled;
  finished.failure = result.left > 0 ? fmt::format(
                                           "{}: they came in after it, or "
                                           "SET does not change what --where asks",
                                           matching_text(result.left))
                                     : "somebody asked it to stop; what is filled stays filled";
  if (!again.empty())
    finished.next.push_back(again + (result.left > 0 ? "  fill those too" : "  go on from here"));
  return end;
}

End end_of(const base::Error& error, const std::string& again, int interrupted) {
  const bool stopped = error.code() == base::ErrorCode::cancelled, refused = is_refusal(error);
  End end;
  end.detail = error.what();
  end.outcome = refused   ? event::Outcome::refused
                : stopped ? event::Outcome::cancelled
                          : event::Outcome::failed;
  auto& finished = end.finished;
  finished.exit_code = stopped ? interrupted : refused ? event::exit_refused : event::exit_failed;
  finished.verdict = stopped ? "interrupted" : refused ? "refused" : "failed";
  finished.failure = error.what();
  if (refused) return end;
  if (const auto* left = dynamic_cast<const CheckLeft*>(&error)) {
    finished.exit_code = event::exit_needs_person;
    finished.next.push_back(left->statement() + ";  takes away the check that refuses NULL");
  }
  if (!again.empty()) finished.next.push_back(again + "  go on from where it stopped");
  return end;
}

/// Does `work`; whoever hears the run has to hear how it ended, with no memory left or a defect of ours too.
End end_of(const std::function<BackfillResult()>& work, const std::string& again,
           const std::atomic<int>& interrupted) {
  try {
    return end_of(work(), again);
  } catch (const base::Error& error) {
    return end_of(error, again, interrupted.load());
  } catch (const std::exception& defect) {
    return end_of(base::Error(base::ErrorCode::failed, defect.what()), again, interrupted.load());
  }
}

}  // namespace

event::RunFinished perform_backfill(const BackfillPlan& plan, const BackfillRun& run, event::EventSink& sink,
                                    const base::Cancel& stop, const std::atomic<int>& interrupted_exit_code) {
  Teller teller(sink, run.run_id);
  teller.begin(plan, run.limit);
  const auto work = [&] {
    return run_backfill(
        run.url, plan.spec, [&](const BackfillProgress& now) { teller.progress(now); },
        base::Scope::lasting(run.limit, &stop));
  };
  return teller.end(end_of(work, run.again, interrupted_exit_code));
}

ClonedBackfill perform_backfill_on_clone(const BackfillPlan& plan, const ClonedBackfillRun& run,
                                         event::EventSink& sink, const base::Cancel& stop,
                                         const std::atomic<int>& interrupted_exit_code) {
  Teller teller(sink, run.run_id);
  teller.begin(plan, run.limit);
  ClonedBackfill done;
  std::vector<std::string> left;
  const auto work = [&] {
    const auto making = base::Scope::lasting(longest_making, &stop);
    const CloneClaim claim(run.cluster_url, run.run_id, making);
    Clone clone(run.cluster_url, plan.snapshot, clone_name(backfill_clones, run.run_id, 1), run.run_id, left,
                making);
    if (run.keep_clone) clone.keep(making);
    const auto filling = base::Scope::lasting(run.limit, &stop);
    BesideLoad load(clone.url(), plan.spec.table, filling);
    const auto result = run_backfill(
        clone.url(), plan.spec, [&](const BackfillProgress& now) { teller.progress(now); }, filling,
        clone_session("backfill"));
    done.stalls = load.finish();
    return result;
  };
  auto end = end_of(work, {}, interrupted_exit_code);
  note_left_clones(left, run.drop_command, end.finished);
  done.finished = teller.end(std::move(end));
  return done;
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
