#include "load.hpp"

#include "encoding.hpp"
#include "sample.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace staithe::stage {
namespace {

/// The source gives up a client that takes nothing for 20 s (`keepalives`), so a pause lets a little through.
constexpr std::chrono::seconds longest_pause{5};

/// A thousand small tables are told by their phase; one that fails speaks for itself.
Talk talk_of(std::uint64_t bytes) {
  constexpr std::uint64_t worth_a_line = 8UL * 1024 * 1024;
  return bytes >= worth_a_line ? Talk::always : Talk::of_failure;
}

}  // namespace

pg::Session Context::source() const {
  auto options = source_options();
  options.application_name = application;
  pg::Session session(run.source_url, options, scope);
  guard_source(session, plan.settings, scope);
  if (server_identity(session, scope) != plan.source.server)
    throw base::Error(
        base::ErrorCode::conflict,
        session.where() +
            ": another server answered than the one that was looked at, or it was started "
            "again; what distributes connections cannot be used: give the address of one server");
  return session;
}

void Context::lock_tables(pg::Session& source) const {
  std::string tables;
  for (const auto& table : plan.source.tables) tables += (tables.empty() ? "ONLY " : ", ONLY ") + table.sql();
  if (!tables.empty()) source.run("LOCK TABLE " + tables + " IN ACCESS SHARE MODE", scope);
}

pg::Session Context::target() const {
  pg::Session session(pg::with_database(run.target_url, database), target_options(), scope);
  lift_limits(session, scope);
  allow_writes(session, scope);
  session.run(
      "SET search_path = ''; SET row_security = off;"
      "SET synchronous_commit = off; SET check_function_bodies = off; SET client_min_messages = error;"
      "SET DateStyle = 'ISO, YMD'; SET IntervalStyle = postgres; SET extra_float_digits = 3; SET TimeZone = "
      "'UTC';"
      "SET bytea_output = hex; SET xmloption = content; SET maintenance_work_mem = '256MB';",
      scope);
  speak_utf8(session, plan.source.encoding, scope);
  if (!plan.settings.owner.empty()) session.run("SET ROLE " + pg::quoted_name(plan.settings.owner), scope);
  if (session.server_version() >= 140000) session.run("SET client_connection_check_interval = '1s'", scope);
  return session;
}

void rethrow_within(const base::Error& error, const std::string& context) {
  const auto* refused = dynamic_cast<const pg::SqlError*>(&error);
  if (refused != nullptr)
    throw pg::SqlError(refused->code(), context + ": " + refused->what(), refused->sqlstate());
  throw error.within(context);
}

Loader::Loader(Context& context, std::vector<Entry>& after, std::function<bool()> may_resume)
    : context_(context), may_resume_(std::move(may_resume)) {
  for (const auto& table : context_.plan.tables) {
    total_bytes_ += table.bytes;
    if (table.copy_out.empty()) continue;
    for (std::size_t part = 0; part < std::max<std::size_t>(1, table.parts.size()); ++part)
      tables_.push_back({&table, part});
    if (!table.parts.empty()) parts_left_[table.oid] = table.parts.size();
  }
  copying_ = tables_.size();
  of_table_ = plan_builds(context_.plan, after);
  for (const auto& [table, builds] : of_table_) unbuilt_ += builds.size();
}

void Loader::run(const std::function<void()>& copied) {
  copied_ = copied;
  began_ = std::chrono::steady_clock::now();
  phase_ = std::make_unique<Telling>(context_.teller, "", "copy",
                                     base::count_text(context_.plan.tables.size(), "table"), 3, 8,
                                     context_.scope.left());
  job_scope_ = {context_.scope.deadline, &halt_};
  // Tables that come empty get what belongs to them all the same.
  for (const auto& table : context_.plan.tables)
    if (table.copy_out.empty()) table_done(table.oid);
  if (copying_ == 0) copied_();
  std::vector<std::thread> threads;
  for (std::uint32_t i = 1; i <= context_.plan.settings.jobs; ++i)
    threads.emplace_back([this, i] { work(i); });
  // What stops the run from outside stops the jobs, which also stop each other.
  while (!halt_.requested()) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, std::chrono::milliseconds(100),
                         [this] { return copying_ == 0 && unbuilt_ == 0; }))
        break;
    }
    if (context_.scope.cancelled() || context_.scope.expired()) halt_.request();
  }
  {
    const std::lock_guard lock(mutex_);  // nobody is between a look at halt_ and the wait
  }
  wake_.notify_all();
  for (auto& thread : threads) thread.join();
  if (error_) std::rethrow_exception(error_);
  context_.scope.check("the snapshot");
  if (phase_) phase_->end(event::Outcome::ok);
}

void Loader::work(std::uint32_t number) {
  Job job;
  job.host = fmt::format("job-{}", number);
  try {
    while (step(job)) {
    }
  } catch (...) {
    fail(std::current_exception());
  }
  event::HostFinished finished;
  finished.host = job.host;
  finished.stage = "copy";
  finished.state = halt_.requested() ? event::HostState::failed : event::HostState::done;
  finished.actions = job.actions;
  finished.duration =
      std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - job.began);
  context_.teller.tell(finished);
}

/// One thing done; false when nothing is left.
bool Loader::step(Job& job) {
  std::optional<Rows> rows;
  std::optional<Build> to_build;
  {
    std::unique_lock lock(mutex_);
    // A session that reads nothing more would only hold back production's vacuum, however long a build lasts.
    if (tables_.empty() && job.source) {
      lock.unlock();
      disconnect_source(job);
      lock.lock();
    }
    wake_.wait(lock, [this] {
      return halt_.requested() || !tables_.empty() || !builds_.empty() || (copying_ == 0 && unbuilt_ == 0);
    });
    if (halt_.requested()) return false;
    if (!tables_.empty()) {
      rows = tables_.front();
      tables_.pop_front();
    } else if (!builds_.empty()) {
      const auto largest = std::max_element(builds_.begin(), builds_.end(),
                                            [](const Build& a, const Build& b) { return a.bytes < b.bytes; });
      to_build = std::move(*largest);
      builds_.erase(largest);
    } else {
      return false;
    }
  }
  ++job.actions;
  if (rows)
    copy_table(job, *rows);
  else
    build(job, *to_build);
  return true;
}

void Loader::connect_source(Job& job) {
  {
    const std::lock_guard lock(mutex_);
    ++reading_;
  }
  job.is_reading = true;
  job.source = std::make_unique<pg::Session>(context_.source());
  if (!context_.run.mask_key.empty())
    job.source->query("SELECT pg_catalog.set_config('staithe.mask_key', $1, false)",
                      std::vector<pg::Value>{context_.run.mask_key}, job_scope_);
  job.source->run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", job_scope_);
  job.source->run("SET TRANSACTION SNAPSHOT " + pg::quoted_literal(context_.exported), job_scope_);
  // Now: an ALTER that comes to wait for the other sessions would keep this one waiting too.
  try {
    context_.lock_tables(*job.source);
  } catch (const pg::SqlError& error) {
    if (error.sqlstate() != "55P03") throw;
    rethrow_within(error, "gave way: somebody on the source waits to alter what is being read");
  }
}

/// Not under the lock: a connection may take its time to end.
void Loader::disconnect_source(Job& job) {
  job.source.reset();
  if (!std::exchange(job.is_reading, false)) return;
  const std::lock_guard lock(mutex_);
  --reading_;
  wake_.notify_all();
}

pg::Session& Loader::target_of(Job& job) {
  if (!job.target) job.target = std::make_unique<pg::Session>(context_.target());
  return *job.target;
}

std::string Loader::Rows::title() const {
  if (table->parts.empty()) return table->name;
  return fmt::format("{}, part {} of {}", table->name, part + 1, table->parts.size());
}

void Loader::copy_table(Job& job, const Rows& rows) {
  const auto& table = *rows.table;
  Telling telling(context_.teller, job.host, "copy", rows.title(), job.actions, 0, context_.scope.left(),
                  talk_of(table.bytes));
  try {
    const auto copied = copy_patiently(job, rows, telling);
    telling.end(event::Outcome::ok,
                fmt::format("{}, {}", base::count_text(copied.rows, "row"), base::bytes_text(copied.bytes)));
    {
      const std::lock_guard lock(mutex_);
      rows_ += copied.rows;
    }
    if (is_last_part(rows)) table_done(table.oid);
    copied_one(job);
  } catch (const base::Error& error) {
    telling.end(halt_.requested() ? event::Outcome::cancelled : event::Outcome::failed, error.what());
    rethrow_within(error, rows.title());
  }
}

/// A connection that broke is no reason to lose what the other tables have: the snapshot is still there.
pg::Copied Loader::copy_patiently(Job& job, const Rows& rows, Telling& telling) {
  constexpr std::uint32_t attempts = 4;
  for (std::uint32_t number = 1;; ++number) {
    Attempt attempt;
    attempt.again = number > 1;
    try {
      return copy_rows(job, rows, telling, attempt);
    } catch (const pg::SqlError&) {
      throw;
    } catch (const base::Error& error) {
      using base::ErrorCode;
      const bool is_cut = error.code() == ErrorCode::io || error.code() == ErrorCode::connect;
      // A part cannot be emptied without the others.
      const bool is_in_doubt = attempt.is_committing && !rows.table->parts.empty();
      if (!is_cut || is_in_doubt || number == attempts || halt_.requested() || !may_resume_()) throw;
      telling.retried(error.what(), number, attempts);
      bytes_ -= attempt.done;
      disconnect_source(job);
      job.target.reset();
      base::sleep_for(std::chrono::seconds(number), job_scope_);
    }
  }
}

pg::Copied Loader::copy_rows(Job& job, const Rows& rows, Telling& telling, Attempt& attempt) {
  const auto& table = *rows.table;
  if (!job.source) connect_source(job);
  auto& target = target_of(job);
  // A COMMIT that was cut off may hold all the same, so nothing is taken for empty the second time.
  const bool is_empty = !table.is_prefilled && (!table.parts.empty() || (table.is_small && !attempt.again));
  target.run(is_empty ? "BEGIN" : "BEGIN; " + table.emptying, job_scope_);
  const auto progress = [&](std::uint64_t bytes) {
    attempt.done += bytes;
    count_bytes(bytes);
    telling.progress(attempt.done, rows.bytes(), "bytes", base::bytes_text(attempt.done));
    wait_while_throttled(job_scope_.at_most(longest_pause));
  };
  // A filter may look at the masked columns of other tables.
  const auto& plan = context_.plan;
  const auto& all = plan.tables;
  const bool is_masked = !table.masks.empty() ||
                         (table.filtered && std::any_of(all.begin(), all.end(), [](const TableCopy& one) {
                            return !one.masks.empty();
                          }));
  const auto out = speak_as_server(*job.source, plan.source.encoding, rows.copy_out(), job_scope_);
  const auto in = speak_as_server(target, plan.source.encoding, table.copy_in, job_scope_);
  const auto copied = pg::copy(*job.source, out, target, in, progress, job_scope_,
                               is_masked ? pg::Words::withheld : pg::Words::whole);
  if (is_converted(plan.source.encoding))
    for (auto* session : {job.source.get(), &target}) speak_utf8(*session, plan.source.encoding, job_scope_);
  while (context_.throttled && !job_scope_.cancelled()) {
    wait_while_throttled(job_scope_.at_most(holding_alone / 2));
    job.source->run("SELECT 1", job_scope_);  // what rests in its transaction for too long is taken for dead
  }
  verify_sample(job, table, copied.rows);
  attempt.is_committing = true;
  target.run("COMMIT", job_scope_);
  return copied;
}

void Loader::wait_while_throttled(const base::Scope& scope) const {
  while (context_.throttled && base::sleep_for(std::chrono::milliseconds(200), scope) == base::Woke::ready) {
  }
}

void Loader::verify_sample(Job& job, const TableCopy& table, std::uint64_t rows) {
  const auto* facts = context_.plan.source.find(table.oid);
  if (facts == nullptr || rows == 0) return;
  compare_sample(*job.source, *job.target, *facts, table, job_scope_);
}

void Loader::build(Job& job, const Build& build) {
  Telling telling(context_.teller, job.host, build.step(), build.title, job.actions, 0, context_.scope.left(),
                  talk_of(build.bytes));
  try {
    auto& target = target_of(job);
    // While every job has something to build, helpers of one build only take the others' processors away.
    target.run(
        is_crowded() ? "SET max_parallel_maintenance_workers = 0" : "RESET max_parallel_maintenance_workers",
        job_scope_);
    target.run(build.sql, job_scope_);
    telling.end(event::Outcome::ok);
  } catch (const base::Error& error) {
    telling.end(halt_.requested() ? event::Outcome::cancelled : event::Outcome::failed, error.what());
    rethrow_within(error, build.title);
  }
  const std::lock_guard lock(mutex_);
  --unbuilt_;
  auto& left = of_table_[build.table];
  std::erase_if(left, [&](const Build& one) { return one.title == build.title && one.stage == build.stage; });
  release_next(build.table);
  wake_.notify_all();
}

bool Loader::is_crowded() {
  const std::lock_guard lock(mutex_);
  return copying_ > 0 || builds_.size() + 1 >= context_.plan.settings.jobs;
}

void Loader::table_done(Oid table) {
  const std::lock_guard lock(mutex_);
  release_next(table);
  wake_.notify_all();
}

/// Puts what can be built now of a table into the queue: all its indexes, once these are there its
/// constraints one by one (each locks the table), then its statistics.
void Loader::release_next(Oid table) {
  auto& left = of_table_[table];
  if (left.empty()) return;
  const auto stage = left.front().stage;
  for (auto& build : left) {
    if (build.stage != stage) break;
    if (build.is_queued) {
      if (stage != Build::Stage::index) return;
      continue;
    }
    build.is_queued = true;
    builds_.push_back(build);
    if (stage != Build::Stage::index) return;
  }
}

bool Loader::is_last_part(const Rows& rows) {
  const std::lock_guard lock(mutex_);
  return rows.table->parts.empty() || --parts_left_[rows.table->oid] == 0;
}

void Loader::copied_one(Job& job) {
  {
    const std::lock_guard lock(mutex_);
    if (--copying_ > 0) return;
  }
  disconnect_source(job);
  {
    // The source is free once the other jobs, which find no table any more, have let go of it too.
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return reading_ == 0 || halt_.requested(); });
    if (halt_.requested()) return;
  }
  const auto spent = std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - began_);
  phase_->end(event::Outcome::ok, rate_text(bytes_, 0, spent));
  copied_();
  phase_ = std::make_unique<Telling>(context_.teller, "", "index", "indexes and statistics", 4, 8,
                                     context_.scope.left());
  wake_.notify_all();
}

void Loader::fail(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  if (!error_ && !halt_.requested()) error_ = std::move(error);
  halt_.request();
  wake_.notify_all();
}

void Loader::count_bytes(std::uint64_t bytes) {
  bytes_ += bytes;
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (now - told_ < std::chrono::milliseconds(200)) return;
  told_ = now;
  const auto spent = std::chrono::duration_cast<base::Duration>(now - began_);
  phase_->progress(bytes_, total_bytes_, "bytes", rate_text(bytes_, total_bytes_, spent));
}

}  // namespace staithe::stage
