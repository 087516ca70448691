#include "batches.hpp"

#include "limits.hpp"
#include "numbers.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/stage/snapshots.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace staithe::stage {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;

std::string key_list(const Walk& walk) {
  return base::join(walk.keys, ", ");
}

/// "($1::bigint, $2::text)" from parameter `first` on.
std::string parameters(const Walk& walk, std::size_t first) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < walk.types.size(); ++i)
    parts.push_back(fmt::format("${}::{}", first + i, walk.types[i]));
  return "(" + base::join(parts, ", ") + ")";
}

std::vector<pg::Value> values(const std::vector<std::string>& key) {
  return {key.begin(), key.end()};
}

/// An UPDATE that counts what it did: rows, those that match `where` still, and those left NULL.
std::string counting(const std::string& update, const BackfillSpec& spec) {
  const std::string null = spec.not_null.empty() ? "false" : spec.not_null + " IS NULL";
  return fmt::format(
      "WITH staithe_done AS ({} RETURNING ({}) AS still, {} AS empty) SELECT count(*), count(*) FILTER "
      "(WHERE "
      "still), count(*) FILTER (WHERE empty) FROM staithe_done",
      update, spec.where, null);
}

void take_counts(const pg::Result& result, const BackfillSpec& spec, Batch& batch) {
  const auto& row = result.rows.at(0);
  batch.updated = number_of(row[0]);
  batch.still = number_of(row[1]);
  if (number_of(row[2]) > 0)
    throw Error(ErrorCode::failed,
                fmt::format("SET {} leaves {} NULL in {} of a batch, so that it cannot become NOT NULL; that "
                            "batch was rolled back",
                            spec.set, spec.not_null, base::count_text(number_of(row[2]), "row")));
}

/// The key where the batch ends, or nothing when it is the last one.
std::optional<std::vector<std::string>> batch_end(pg::Session& session, const Walk& walk,
                                                  const Checkpoint& at, const Scope& scope) {
  const bool begun = !at.last_key.empty();
  const auto found = session.query(
      fmt::format("SELECT {} FROM {} {} ORDER BY {} OFFSET {} LIMIT 1", key_list(walk), walk.table,
                  begun ? "WHERE (" + key_list(walk) + ") > " + parameters(walk, 1) : std::string(),
                  key_list(walk), at.size - 1),
      begun ? values(at.last_key) : std::vector<pg::Value>{}, scope);
  if (found.rows.empty()) return std::nullopt;
  std::vector<std::string> key;
  for (const auto& value : found.rows[0]) key.push_back(value.value_or(""));
  return key;
}

Batch by_key(pg::Session& session, const Walk& walk, const BackfillSpec& spec, Checkpoint& at,
             const Scope& scope) {
  const auto end = batch_end(session, walk, at, scope);
  std::vector<std::string> conditions{"(" + spec.where + ")"};
  std::vector<pg::Value> bound;
  if (!at.last_key.empty()) {
    conditions.push_back("(" + key_list(walk) + ") > " + parameters(walk, 1));
    bound = values(at.last_key);
  }
  if (end) {
    conditions.push_back("(" + key_list(walk) + ") <= " + parameters(walk, bound.size() + 1));
    for (const auto& part : *end) bound.emplace_back(part);
  }
  Batch batch;
  const auto update =
      fmt::format("UPDATE {} SET {} WHERE {}", walk.table, spec.set, base::join(conditions, " AND "));
  take_counts(session.query(counting(update, spec), bound, scope), spec, batch);
  batch.last = !end;
  batch.seen = end ? at.size : batch.updated;
  if (end) at.last_key = *end;
  return batch;
}

Batch by_page(pg::Session& session, const Walk& walk, const BackfillSpec& spec, Checkpoint& at,
              const Scope& scope) {
  const auto end = std::min(at.end_page, at.last_page + at.size);
  Batch batch;
  const auto update =
      fmt::format("UPDATE {} SET {} WHERE ctid >= '({},0)'::tid AND ctid < '({},0)'::tid AND ({})",
                  walk.table, spec.set, at.last_page, end, spec.where);
  take_counts(session.run(counting(update, spec), scope), spec, batch);
  batch.seen = end - at.last_page;
  batch.last = end >= at.end_page;
  at.last_page = end;
  return batch;
}

bool has_limits(pg::Session& session, const std::string& table, const Scope& scope) {
  const pg::Value name(table);
  return !session
              .query(
                  "SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'limits' AND NOT "
                  "attisdropped",
                  {&name, 1}, scope)
              .rows.empty();
}

}  // namespace

Walk look_at_table(pg::Session& session, const std::string& table, const Scope& scope) {
  const pg::Value name(table);
  const auto found = session.query(
      "SELECT format('%I.%I', n.nspname, c.relname), quote_ident(n.nspname), c.relname, c.relkind, "
      "greatest(c.reltuples, "
      "0)::bigint, pg_relation_size(c.oid) / current_setting('block_size')::bigint FROM pg_class c JOIN "
      "pg_namespace n "
      "ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)",
      {&name, 1}, scope);
  if (found.rows.empty()) throw Error(ErrorCode::not_found, "there is no table " + table);
  const auto& row = found.rows[0];
  Walk walk;
  walk.table = row[0].value_or("");
  walk.schema = row[1].value_or("");
  walk.bare = row[2].value_or("");
  const std::string kind = row[3].value_or("");
  if (kind != "r" && kind != "p") throw Error(ErrorCode::invalid, table + " is not a table");
  walk.rows = number_of(row[4]);
  walk.pages = number_of(row[5]);
  const pg::Value full(walk.table);
  const auto keys = session.query(
      "SELECT quote_ident(a.attname), format_type(a.atttypid, a.atttypmod) FROM pg_index i, unnest(i.indkey) "
      "WITH "
      "ORDINALITY k(number, place) JOIN pg_attribute a ON a.attnum = k.number WHERE i.indisprimary AND "
      "i.indisvalid AND "
      "a.attrelid = i.indrelid AND i.indrelid = $1::regclass ORDER BY k.place",
      {&full, 1}, scope);
  for (const auto& key : keys.rows) {
    walk.keys.push_back(key[0].value_or(""));
    walk.types.push_back(key[1].value_or(""));
  }
  if (walk.keys.empty() && kind == "p")
    throw Error(ErrorCode::invalid,
                table + " is partitioned and has no primary key: fill its partitions one by one");
  if (walk.keys.empty() && session.server_version() < 140000)
    throw Error(ErrorCode::invalid, table + " has no primary key, and this server is too old to go by pages");
  return walk;
}

Checkpoints::Checkpoints(const Walk& walk, const BackfillSpec& spec)
    : table_(walk.schema + ".staithe_backfill"),
      id_(base::sha256_hex(walk.table + "\n" + spec.set + "\n" + spec.where +
                           (spec.not_null.empty() ? "" : "\n" + spec.not_null))
              .substr(0, 12)),
      target_(walk.table) {}

bool Checkpoints::open(pg::Session& session, Checkpoint& checkpoint, const Scope& scope) {
  session.run("CREATE TABLE IF NOT EXISTS " + table_ +
                  " (id text PRIMARY KEY, target text NOT NULL, place jsonb NOT NULL, wish text NOT NULL "
                  "DEFAULT 'go', "
                  "limits jsonb, "
                  "began timestamptz NOT NULL DEFAULT now(), saved timestamptz NOT NULL DEFAULT now())",
              scope);
  // One that an earlier version left.
  if (!has_limits(session, table_, scope)) session.run("ALTER TABLE " + table_ + " ADD limits jsonb", scope);
  const pg::Value id(id_);
  const auto found = session.query("SELECT place FROM " + table_ + " WHERE id = $1", {&id, 1}, scope);
  if (found.rows.empty()) {
    const pg::Value values[] = {id_, target_, "{}"};
    session.query("INSERT INTO " + table_ + " (id, target, place) VALUES ($1, $2, $3::jsonb)", values, scope);
    save(session, checkpoint, scope);
    return false;
  }
  // What an earlier run was told is not meant for this one.
  session.query("UPDATE " + table_ + " SET wish = 'go', limits = NULL WHERE id = $1", {&id, 1}, scope);
  const auto place = nlohmann::json::parse(found.rows[0][0].value_or(""), nullptr, false);
  if (!place.is_object() || !place.contains("key"))
    throw Error(ErrorCode::conflict,
                "the checkpoint in " + table_ +
                    " cannot be understood; look at it, and delete its row to start again");
  checkpoint.last_key = place["key"].get<std::vector<std::string>>();
  checkpoint.last_page = place.value("page", std::uint64_t{0});
  checkpoint.end_page = place.value("end_page", checkpoint.end_page);
  checkpoint.updated = place.value("updated", std::uint64_t{0});
  checkpoint.seen = place.value("seen", std::uint64_t{0});
  checkpoint.batches = place.value("batches", std::uint64_t{0});
  checkpoint.size = place.value("size", checkpoint.size);
  checkpoint.pass = place.value("pass", checkpoint.pass);
  checkpoint.still = place.value("still", std::uint64_t{0});
  return checkpoint.batches > 0;
}

void Checkpoints::save(pg::Session& session, const Checkpoint& checkpoint, const Scope& scope) const {
  const nlohmann::json place{
      {"key", checkpoint.last_key},    {"page", checkpoint.last_page}, {"end_page", checkpoint.end_page},
      {"updated", checkpoint.updated}, {"seen", checkpoint.seen},      {"batches", checkpoint.batches},
      {"size", checkpoint.size},       {"pass", checkpoint.pass},      {"still", checkpoint.still}};
  const pg::Value values[] = {id_, place.dump()};
  session.query("UPDATE " + table_ + " SET place = $2::jsonb, saved = now() WHERE id = $1", values, scope);
}

Checkpoints::Told Checkpoints::told(pg::Session& session, const Scope& scope) const {
  const pg::Value id(id_);
  const auto found = session.query("SELECT wish, limits FROM " + table_ + " WHERE id = $1", {&id, 1}, scope);
  if (found.rows.empty()) return {"abort", {}};
  const auto& row = found.rows[0];
  return {row[0].value_or("go"), backfill_limits(row[1].value_or(""))};
}

void Checkpoints::close(pg::Session& session, const BackfillSpec& spec, const Scope& scope) const {
  const pg::Value id(id_);
  session.query("DELETE FROM " + table_ + " WHERE id = $1", {&id, 1}, scope);
  if (session.run("SELECT 1 FROM " + table_ + " LIMIT 1", scope).rows.empty())
    run_with_lock_retries(session, "DROP TABLE IF EXISTS " + table_, spec.lock_timeout, spec.attempts, scope);
}

Batch run_batch(pg::Session& session, const Walk& walk, const BackfillSpec& spec, Checkpoint& checkpoint,
                const Scope& scope) {
  const Batch batch = walk.keys.empty() ? by_page(session, walk, spec, checkpoint, scope)
                                        : by_key(session, walk, spec, checkpoint, scope);
  checkpoint.updated += batch.updated;
  checkpoint.still += batch.still;
  checkpoint.seen += batch.seen;
  ++checkpoint.batches;
  return batch;
}

namespace {

/// What a run that was killed behind its check has left. Nothing while a run is alive: that hears of it
/// itself.
void drop_left_checks(pg::Session& session, const Walk& walk, const Scope& scope) {
  const pg::Value name("staithe backfill " + walk.table);
  if (session.query("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", {&name, 1}, scope)
          .rows.at(0)[0] != "t")
    return;
  const pg::Value table(walk.table);
  const auto left = session.query(
      "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c' AND conname LIKE "
      "'%\\_not\\_null\\_staithe'",
      {&table, 1}, scope);
  const BackfillSpec defaults;
  for (const auto& row : left.rows)
    run_with_lock_retries(
        session,
        fmt::format("ALTER TABLE {} DROP CONSTRAINT {}", walk.table, pg::quoted_name(row[0].value_or(""))),
        defaults.lock_timeout, defaults.attempts, scope);
}

}  // namespace

pg::Session connect_backfill(const std::string& url, const std::string& name, const Scope& scope) {
  pg::Session session(url, {name, std::chrono::seconds(10), pg::usual_silence}, scope);
  refuse_pooler(session, scope);
  session.run(keepalives, scope);
  // Nothing of ours rests inside a transaction: what does was cut off from us, and holds locks of rows.
  session.run("SET idle_in_transaction_session_timeout = '1min'", scope);
  // Nor for long outside of one, where it would hold the lock by which the next backfill knows of this one.
  if (session.server_version() >= 140000) session.run("SET idle_session_timeout = '2min'", scope);
  return session;
}

bool tell_backfill(const std::string& url, const std::string& table, BackfillWish wish,
                   const BackfillLimits& limits, const Scope& scope) {
  auto session = connect_backfill(url, backfill_session, scope);
  const Walk walk = look_at_table(session, table, scope);
  const std::string checkpoints = walk.schema + ".staithe_backfill";
  if (session.run("SELECT to_regclass(" + pg::quoted_literal(checkpoints) + ")", scope).rows.at(0)[0] ==
      std::nullopt)
    return false;
  const char* word = wish == BackfillWish::go ? "go" : wish == BackfillWish::pause ? "pause" : "abort";
  std::string sql = "UPDATE " + checkpoints + " SET wish = $2";
  std::vector<pg::Value> values{walk.table, word};
  if (limits != BackfillLimits{}) {
    if (!has_limits(session, checkpoints, scope))
      throw Error(ErrorCode::conflict,
                  "the backfill that is under way is an earlier version's, whose limits stay as they are");
    sql += ", limits = coalesce(limits, '{}') || $3::jsonb";
    values.emplace_back(to_json(limits));
  }
  if (session.query(sql + " WHERE target = $1", values, scope).affected == 0) return false;
  if (wish == BackfillWish::abort) drop_left_checks(session, walk, scope);
  return true;
}

}  // namespace staithe::stage
