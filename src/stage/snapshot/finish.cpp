#include "finish.hpp"

#include "filter.hpp"
#include "numbers.hpp"

#include "staithe/base/error.hpp"
#include "staithe/pg/copy.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

/// In pieces: an object may have four terabytes. Only SQL: libpq's own calls for large objects can be
/// overrun by a hostile server (CVE-2026-6477).
constexpr const char* large_objects =
    "COPY (WITH RECURSIVE piece(loid, place, data) AS ("
    " SELECT oid, 0::bigint, pg_catalog.lo_get(oid, 0, 262144) FROM pg_catalog.pg_largeobject_metadata"
    " UNION ALL SELECT loid, place + 262144, pg_catalog.lo_get(loid, place + 262144, 262144) FROM piece"
    " WHERE pg_catalog.length(data) = 262144) SELECT loid, place, data FROM piece) TO STDOUT (FORMAT binary)";

constexpr const char* harmless =
    "DO $staithe$ DECLARE one record; BEGIN"
    " FOR one IN SELECT s.srvname, o.option_name FROM pg_catalog.pg_foreign_server s,"
    "  pg_catalog.pg_options_to_table(s.srvoptions) o LOOP"
    "  EXECUTE pg_catalog.format('ALTER SERVER %I OPTIONS (DROP %I)', one.srvname, one.option_name);"
    " END LOOP;"
    " FOR one IN SELECT evtname FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D' LOOP"
    "  EXECUTE pg_catalog.format('ALTER EVENT TRIGGER %I DISABLE', one.evtname);"
    " END LOOP;"
    " FOR one IN SELECT t.tgname, n.nspname, c.relname FROM pg_catalog.pg_trigger t"
    "  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgparentid = 0"
    "  AND p.prosrc ~* 'pg_notify|notify |dblink|http_|net\\.http' LOOP"
    "  EXECUTE pg_catalog.format('ALTER TABLE %I.%I DISABLE TRIGGER %I', one.nspname, one.relname, "
    "one.tgname);"
    " END LOOP; END $staithe$";

/// What must not be there, whatever was done about it.
constexpr const char* still_live =
    "SELECT 'foreign server ' || srvname FROM pg_catalog.pg_foreign_server WHERE srvoptions IS NOT NULL"
    " UNION ALL SELECT 'user mapping on ' || srvname FROM pg_catalog.pg_user_mappings"
    " UNION ALL SELECT 'event trigger ' || evtname FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D'"
    " UNION ALL SELECT 'subscription ' || s.subname FROM pg_catalog.pg_subscription s"
    "  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()"
    " UNION ALL SELECT 'trigger ' || t.tgname FROM pg_catalog.pg_trigger t"
    "  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'"
    "  AND p.prosrc ~* 'pg_notify|notify |dblink|http_|net\\.http'";

std::string schema_and_name(const std::string& schema, const std::string& name) {
  return pg::quoted_literal(pg::quoted_name(schema) + "." + pg::quoted_name(name));
}

}  // namespace

Counters read_sequences(Context& context, pg::Session& source) {
  constexpr std::size_t at_once = 100;
  Counters counters;
  const auto& all = context.plan.source.sequences;
  for (std::size_t first = 0; first < all.size(); first += at_once) {
    std::string sql;
    const auto end = std::min(all.size(), first + at_once);
    // From the sequence itself: pg_sequence_last_value() is NULL for who may only read (PostgreSQL 18).
    for (auto i = first; i < end; ++i)
      sql += fmt::format("{}SELECT {}, last_value, is_called FROM {}", sql.empty() ? "" : " UNION ALL ", i,
                         all[i].sql());
    for (const auto& row : source.run(sql, context.scope).rows)
      counters.values.push_back({all.at(static_cast<std::size_t>(number_of(row.at(0)))).sql(),
                                 row.at(1).value_or("1"), row.at(2) == "t"});
  }
  return counters;
}

void set_sequences(Context& context, pg::Session& target, const Counters& counters) {
  for (const auto& value : counters.values)
    target.query("SELECT pg_catalog.setval($1::pg_catalog.regclass, $2, $3)",
                 std::vector<pg::Value>{value.sequence, value.last, value.is_called ? "t" : "f"},
                 context.scope);
}

std::uint64_t copy_large_objects(Context& context, pg::Session& source, pg::Session& target) {
  target.run("CREATE TEMPORARY TABLE staithe_pieces (loid oid, place bigint, data bytea)", context.scope);
  const auto copied = pg::copy(source, large_objects, target,
                               "COPY pg_temp.staithe_pieces FROM STDIN (FORMAT binary)", {}, context.scope);
  target.run(
      "SELECT pg_catalog.lo_create(loid) FROM pg_temp.staithe_pieces WHERE place = 0;"
      "SELECT pg_catalog.lo_put(loid, place, data) FROM pg_temp.staithe_pieces ORDER BY loid, place;"
      "DROP TABLE pg_temp.staithe_pieces",
      context.scope, pg::Rows::drop);
  return copied.bytes;
}

std::uint64_t delete_orphans(Context& context, pg::Session& target) {
  const auto statements = orphan_statements(context.plan.source);
  std::uint64_t all = 0;
  for (std::uint64_t round = 1; round > 0;) {
    round = 0;
    for (const auto& sql : statements) round += target.run(sql, context.scope).affected;
    all += round;
  }
  return all;
}

void make_harmless(Context& context, pg::Session& target) {
  target.run(harmless, context.scope);
  const auto answer = target.run(still_live, context.scope);
  if (answer.rows.empty()) return;
  throw base::Error(base::ErrorCode::conflict, fmt::format("{} in the copy could still act on the world",
                                                           answer.rows[0][0].value_or("")));
}

namespace {

void verify_sequence(Context& context, pg::Session& target, const Sequence& sequence) {
  const auto dot = sequence.owner.rfind('.');
  const auto& tables = context.plan.source.tables;
  const auto table = std::find_if(tables.begin(), tables.end(), [&](const Table& one) {
    return one.full_name() == sequence.owner.substr(0, dot);
  });
  if (dot == std::string::npos || table == tables.end()) return;
  const auto answer = target.run(
      fmt::format("SELECT coalesce(pg_catalog.max({0}) <= (SELECT last_value FROM {1}), true) OR"
                  " (SELECT seqincrement < 0 OR seqcycle FROM pg_catalog.pg_sequence WHERE seqrelid ="
                  " {2}::pg_catalog.regclass) FROM {3}",
                  pg::quoted_name(sequence.owner.substr(dot + 1)), sequence.sql(),
                  schema_and_name(sequence.schema, sequence.name), table->sql()),
      context.scope);
  if (answer.rows[0][0] == "t") return;
  context.teller.message(
      event::Level::warning,
      fmt::format("the sequence {}.{} is behind {}: in the source it is too, unless the column is "
                  "masked",
                  sequence.schema, sequence.name, sequence.owner));
}

}  // namespace

void verify(Context& context, pg::Session& target) {
  const auto bad =
      target.run("SELECT indexrelid::pg_catalog.regclass::text FROM pg_catalog.pg_index WHERE NOT indisvalid",
                 context.scope);
  if (!bad.rows.empty())
    throw base::Error(base::ErrorCode::conflict,
                      fmt::format("the index {} is not valid in the copy", bad.rows[0][0].value_or("")));
  for (const auto& constraint : read_unchecked(target, context.scope)) {
    const auto& there = context.plan.source.unchecked;
    if (std::find(there.begin(), there.end(), constraint) == there.end())
      throw base::Error(base::ErrorCode::conflict,
                        fmt::format("the constraint {} is not valid in the copy", constraint));
  }
  for (const auto& sequence : context.plan.source.sequences) verify_sequence(context, target, sequence);
}

}  // namespace staithe::stage
