#include "finish.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

namespace staithe::stage {
namespace {

/// What staging can do without when its cluster lacks a role, a library or the right: said, not swallowed.
constexpr std::array<std::string_view, 13> dispensable{"EXTENSION",
                                                       "COMMENT",
                                                       "ACL",
                                                       "DEFAULT ACL",
                                                       "SECURITY LABEL",
                                                       "POLICY",
                                                       "PUBLICATION",
                                                       "PUBLICATION TABLE",
                                                       "PUBLICATION TABLES IN SCHEMA",
                                                       "EVENT TRIGGER",
                                                       "SERVER",
                                                       "FOREIGN DATA WRAPPER",
                                                       "PROCEDURAL LANGUAGE"};

bool is_dispensable(const Entry& entry) {
  return std::find(dispensable.begin(), dispensable.end(), entry.type) != dispensable.end();
}

/// Never made: it holds a password, or acts by itself before it could be switched off.
bool is_never_made(const Entry& entry) {
  return entry.type == "USER MAPPING" || entry.type == "SUBSCRIPTION" ||
         // Extensions bring their own; only their owner may comment on them.
         (entry.type == "COMMENT" && entry.name.starts_with("EXTENSION "));
}

std::string title_of(const Entry& entry) {
  const std::string text = base::lower(entry.type);
  const bool has_schema = !entry.schema.empty() && entry.schema != "-";
  return fmt::format("{} {}{}", text, has_schema ? entry.schema + "." : "", entry.name);
}

void make(Context& context, pg::Session& target, const Entry& entry, Lost& lost) {
  if (is_never_made(entry)) return;
  const bool in_transaction = target.in_transaction();
  const bool guarded = is_dispensable(entry);
  if (guarded && in_transaction) target.run("SAVEPOINT entry", context.scope);
  try {
    target.run(entry.sql, context.scope);
    // A server whose options would lead somewhere is of no use to anybody; the trigger would fire at what
    // comes next.
    if (entry.type == "EVENT TRIGGER")
      target.run(fmt::format("ALTER EVENT TRIGGER {} DISABLE", pg::quoted_name(entry.name)), context.scope);
    if (guarded && in_transaction) target.run("RELEASE SAVEPOINT entry", context.scope);
  } catch (const pg::SqlError& error) {
    if (!guarded) throw error.within(title_of(entry));
    if (in_transaction) target.run("ROLLBACK TO SAVEPOINT entry", context.scope);
    lost.push_back({title_of(entry), error.what()});
    context.teller.message(event::Level::warning,
                           fmt::format("not carried: {}: {}", title_of(entry), error.what()));
  }
}

/// Moves the entries that `belongs` chooses out of `from` and makes them.
template <class F>
void make_some(Context& context, pg::Session& target, std::vector<Entry>& from, Lost& lost, F belongs) {
  std::vector<Entry> left;
  for (auto& entry : from) {
    if (belongs(entry))
      make(context, target, entry, lost);
    else
      left.push_back(std::move(entry));
  }
  from = std::move(left);
}

/// One key; two that lock the same tables in another order may meet, and the one that is thrown out comes
/// again.
void make_foreign_key(Context& context, pg::Session& target, const Entry& entry, const base::Scope& scope) {
  constexpr int attempts = 10;
  for (int attempt = 1;; ++attempt) {
    try {
      target.run(entry.sql, scope);
      return;
    } catch (const pg::SqlError& error) {
      if (error.sqlstate() != "40P01" || attempt == attempts) throw error.within(title_of(entry));
      context.teller.message(event::Level::info, title_of(entry) + ": again, after a deadlock");
    }
  }
}

/// Each scans its table: as many at a time as there are jobs, in the order of the dump.
void make_foreign_keys(Context& context, std::vector<Entry>& after) {
  std::vector<Entry> keys;
  std::erase_if(after, [&](Entry& entry) {
    if (entry.type != "FK CONSTRAINT") return false;
    keys.push_back(std::move(entry));
    return true;
  });
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      auto target = context.target();
      for (std::size_t i = next++; i < keys.size(); i = next++)
        make_foreign_key(context, target, keys[i], context.scope);
    } catch (...) {
      next = keys.size();
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  const auto jobs = std::min<std::size_t>(context.plan.settings.jobs, keys.size());
  for (std::size_t i = 0; i < jobs; ++i) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

void refresh_views(Context& context, pg::Session& target) {
  // Asked of the target: its own dependencies are what a refresh follows.
  for (const auto& view : read_views(target, context.scope)) {
    const auto& all = context.plan.source.views;
    const auto there = std::find_if(all.begin(), all.end(), [&](const MaterializedView& one) {
      return one.schema == view.schema && one.name == view.name;
    });
    if (there == all.end() || !there->is_populated) continue;
    try {
      target.run(fmt::format("REFRESH MATERIALIZED VIEW {0}; ANALYZE {0}", view.sql()), context.scope);
    } catch (const pg::SqlError& error) {
      throw error.within("materialized view " + view.schema + "." + view.name);
    }
  }
}

}  // namespace

void create_objects(Context& context, pg::Session& target, const std::vector<Entry>& before, Lost& lost) {
  target.run("BEGIN", context.scope);
  for (const auto& entry : before) {
    // CREATE DATABASE from template0 brought it.
    if (entry.type == "SCHEMA" && entry.name == "public") continue;
    make(context, target, entry, lost);
  }
  target.run("COMMIT", context.scope);
}

void create_rest(Context& context, pg::Session& target, std::vector<Entry> after, Lost& lost) {
  const auto is = [](std::string_view type) {
    return [type](const Entry& entry) { return entry.type == type; };
  };
  const auto& indexes = context.plan.source.view_indexes;
  const std::set<Oid> of_views(indexes.begin(), indexes.end());
  make_some(context, target, after, lost, is("STATISTICS"));
  // Partitioned indexes are made for their tables alone, then the ones of the partitions are attached.
  make_some(context, target, after, lost, [&](const Entry& entry) {
    const bool is_parent = entry.type == "INDEX" && of_views.count(entry.oid) == 0;
    return is_parent || entry.type == "CONSTRAINT" || entry.type == "INDEX ATTACH" ||
           entry.type == "CHECK CONSTRAINT";
  });
  make_some(context, target, after, lost, is("RULE"));
  refresh_views(context, target);
  make_some(context, target, after, lost, is("INDEX"));
  make_some(context, target, after, lost, is("INDEX ATTACH"));
  make_foreign_keys(context, after);
  make_some(context, target, after, lost, [](const Entry& entry) { return entry.type != "EVENT TRIGGER"; });
  make_some(context, target, after, lost, [](const Entry& /*entry*/) { return true; });
}

}  // namespace staithe::stage
