#include "command_trace.hpp"

#include "sql_text.hpp"

#include "staithe/stage/clone.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace staithe::stage {
namespace {

using base::Scope;

constexpr base::Duration every{2};
constexpr std::size_t most_statements = 5'000;
/// What only reads and is shorter says nothing about a migration.
constexpr std::int64_t short_read = 100'000;

/// The trace outlives transactions that fail only where they do not, which is why samples are taken too.
/// current_query() is what the client sent; a statement inside DO is told as the whole of it.
constexpr const char* install_sql = R"(
CREATE SCHEMA staithe_trace;
CREATE UNLOGGED TABLE staithe_trace.seen (
  n bigserial, phase text, pid int, transaction bigint, at bigint, query text, locks text);
CREATE FUNCTION staithe_trace.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- DROP INDEX CONCURRENTLY has to be the first that writes in its transaction.
  IF TG_EVENT = 'ddl_command_start' AND current_query() ~* '\mconcurrently\M' THEN RETURN; END IF;
  INSERT INTO staithe_trace.seen (phase, pid, transaction, at, query, locks)
  SELECT TG_EVENT, pg_backend_pid(), txid_current(), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
         current_query(), (SELECT string_agg(relation || ' ' || mode, ',') FROM pg_locks
                           WHERE pid = pg_backend_pid() AND granted AND locktype = 'relation' AND relation >= 16384
                           AND TG_EVENT = 'ddl_command_end' AND relation NOT IN
                           (SELECT oid FROM pg_class WHERE relnamespace = 'staithe_trace'::regnamespace));
END $$;
CREATE EVENT TRIGGER staithe_trace_start ON ddl_command_start EXECUTE FUNCTION staithe_trace.note();
CREATE EVENT TRIGGER staithe_trace_end ON ddl_command_end EXECUTE FUNCTION staithe_trace.note();
CREATE EVENT TRIGGER staithe_trace_drop ON sql_drop EXECUTE FUNCTION staithe_trace.note();
)";

constexpr const char* remove_sql =
    "DROP EVENT TRIGGER IF EXISTS staithe_trace_start; DROP EVENT TRIGGER IF EXISTS staithe_trace_end; "
    "DROP EVENT TRIGGER IF EXISTS staithe_trace_drop; DROP SCHEMA IF EXISTS staithe_trace CASCADE";

constexpr const char* sample_sql =
    "SELECT pid, (extract(epoch FROM query_start) * 1000000)::bigint, (extract(epoch FROM clock_timestamp()) "
    "* "
    "1000000)::bigint, query FROM pg_stat_activity WHERE datname = current_database() AND backend_type = "
    "'client backend' AND state = 'active' AND application_name NOT LIKE 'staithe%'";

std::int64_t signed_number(const pg::Value& value) {
  return static_cast<std::int64_t>(number_of(value));
}

std::vector<std::pair<Oid, std::string>> locks_in(const std::string& text) {
  std::vector<std::pair<Oid, std::string>> locks;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find(',', from), text.size());
    const std::string one = text.substr(from, end - from);
    if (const auto space = one.find(' '); space != std::string::npos)
      locks.emplace_back(static_cast<Oid>(number_of(one.substr(0, space))), one.substr(space + 1));
    from = end + 1;
  }
  return locks;
}

bool matters(const CommandTrace::Seen& seen) {
  diag::Diagnostics ignored;
  const auto sql = split_sql(seen.text, "", ignored);
  if (sql.statements.empty()) return false;
  const auto& first = sql.statements.front().tokens.front();
  for (const auto* word : {"begin", "start", "commit", "end", "rollback", "savepoint", "release", "set",
                           "show", "reset", "deallocate", "prepare", "discard", "listen", "unlisten"})
    if (first.is(word)) return false;
  for (const auto* word : {"select", "with", "values", "table", "explain", "fetch"})
    if (first.is(word)) return seen.ended - seen.began >= short_read;
  return true;
}

/// When the session of a sample was next seen to begin another statement.
std::int64_t next_begun(const std::vector<CommandTrace::Seen>& sampled, const CommandTrace::Seen& sample) {
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  for (const auto& other : sampled)
    if (other.pid == sample.pid && other.began > sample.began) next = std::min(next, other.began);
  return next;
}

}  // namespace

std::vector<CommandTrace::Seen> merged(std::vector<CommandTrace::Seen> triggered,
                                       const std::vector<CommandTrace::Seen>& sampled) {
  std::vector<CommandTrace::Seen> all = std::move(triggered);
  const std::size_t certain = all.size();
  for (const auto& sample : sampled) {
    // On a busy machine a trigger fires long after the last sample, so it is not the sample's end that tells.
    const auto next = next_begun(sampled, sample);
    const auto same = std::find_if(
        all.begin(), all.begin() + static_cast<std::ptrdiff_t>(certain), [&](const CommandTrace::Seen& one) {
          return one.pid == sample.pid && one.text.starts_with(sample.text) &&
                 one.began >= sample.began - every.count() * 1000 && one.began < next;
        });
    if (same != all.begin() + static_cast<std::ptrdiff_t>(certain)) {
      same->began = std::min(same->began, sample.began);  // it may have waited before the trigger fired
      same->ended = std::max(same->ended, sample.ended);
    } else if (matters(sample)) {
      all.push_back(sample);
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.began < b.began; });
  return all;
}

CommandTrace::CommandTrace(const std::string& url, const Scope& scope)
    : session_(connect_clone(url, "trace", scope)),
      watcher_(url, {clone_session("trace"), std::chrono::seconds(10), pg::usual_silence}, scope),
      scope_(scope) {
  install();
  const auto now =
      session_.run("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", scope).rows.at(0)[0];
  zero_ = signed_number(now);
  watcher_.prepare("sample", sample_sql, scope);
  thread_ = std::thread([this, scope] { run(scope); });
}

CommandTrace::~CommandTrace() {
  done_.request();
  if (thread_.joinable()) thread_.join();
}

void CommandTrace::install() {
  try {
    session_.run(install_sql, scope_);
    has_triggers_ = true;
  } catch (const pg::StatementError& error) {
    remark_ = fmt::format(
        "the role of databases.target may not make event triggers ({}): statements of the command that were "
        "over within {} ms were missed, and locks that short too",
        error.refusal().message, every.count());
  }
}

void CommandTrace::run(const Scope& scope) {
  try {
    for (;;) {
      const auto rows = watcher_.exec_prepared("sample", {}, Scope::lasting(std::chrono::seconds(30)));
      {
        const std::lock_guard lock(mutex_);
        for (const auto& row : rows.rows) {
          const auto pid = static_cast<int>(number_of(row[0]));
          const auto began = signed_number(row[1]);
          if (sampled_.size() >= most_statements) break;
          auto& seen = sampled_[{pid, began}];
          seen.pid = pid;
          seen.began = began;
          seen.ended = signed_number(row[2]);
          if (seen.text.empty()) seen.text = row[3].value_or("");
        }
      }
      if (base::wait_for(done_.fd(), POLLIN, scope.at_most(every)) == base::Woke::ready) return;
      if (scope.cancelled() || scope.expired()) return;
    }
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    problem_ = error.what();
  }
}

/// One entry for each text that a session sent, from its first start to its last end.
std::vector<CommandTrace::Seen> CommandTrace::triggered() {
  std::vector<Seen> out;
  if (!has_triggers_) return out;
  const auto rows = session_.run(
      "SELECT phase, pid, transaction, at, query, coalesce(locks, '') FROM staithe_trace.seen ORDER BY n "
      "LIMIT " +
          std::to_string(2 * most_statements),
      scope_);
  std::map<int, std::size_t> last;
  for (const auto& row : rows.rows) {
    const auto pid = static_cast<int>(number_of(row[1]));
    const auto text = row[4].value_or("");
    const auto at = signed_number(row[3]);
    const auto before = last.find(pid);
    const bool begins = row[0] == "ddl_command_start";
    const bool goes_on = before != last.end() && out[before->second].text == text &&
                         (!begins || out[before->second].transaction == signed_number(row[2]));
    if (!goes_on) {
      Seen seen;
      seen.pid = pid;
      seen.text = text;
      seen.began = at;
      seen.certain = true;
      last[pid] = out.size();
      out.push_back(std::move(seen));
    }
    auto& seen = out[last[pid]];
    seen.transaction = signed_number(row[2]);
    seen.ended = std::max(seen.ended, at);
    for (auto& lock : locks_in(row[5].value_or("")))
      if (std::find(seen.locks.begin(), seen.locks.end(), lock) == seen.locks.end())
        seen.locks.push_back(std::move(lock));
  }
  return out;
}

std::vector<StatementReport> CommandTrace::finish(const std::map<Oid, Relation>& relations) {
  done_.request();
  if (thread_.joinable()) thread_.join();
  std::vector<Seen> samples;
  for (const auto& [key, seen] : sampled_) samples.push_back(seen);
  const auto all = merged(triggered(), samples);
  if (has_triggers_) session_.run(remove_sql, scope_);
  std::vector<StatementReport> reports;
  std::map<std::pair<std::int64_t, std::pair<Oid, std::string>>, bool> told;
  for (const auto& seen : all) {
    auto& report = reports.emplace_back();
    report.file = "command";
    report.line = static_cast<std::uint32_t>(reports.size());
    report.text = seen.text;
    report.began = Micros{std::max<std::int64_t>(0, seen.began - zero_)};
    report.took = Micros{std::max<std::int64_t>(0, seen.ended - seen.began)};
    std::int64_t until = seen.ended;  // a lock lasts to the end of its transaction
    for (const auto& other : all)
      if (seen.transaction != 0 && other.transaction == seen.transaction)
        until = std::max(until, other.ended);
    for (const auto& lock : seen.locks) {
      const auto found = relations.find(lock.first);
      if (found == relations.end() || found->second.is_toast) continue;
      if (std::exchange(told[{seen.transaction, lock}], true)) continue;
      report.locks.push_back({found->second.name, lock.second, blocked_by(lock.second), false, Micros{0},
                              report.began, Micros{until - seen.began}, reports.size() - 1});
    }
    std::stable_sort(report.locks.begin(), report.locks.end(), [](const auto& a, const auto& b) {
      return std::tie(b.blocks, b.held) < std::tie(a.blocks, a.held);
    });
  }
  return reports;
}

}  // namespace staithe::stage
