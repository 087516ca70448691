#include "violations.hpp"

#include "backfill_value.hpp"
#include "catalog.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

using base::Scope;

constexpr const char* sample_count = "10";

std::string text_of(const pg::Value& value) {
  return value.value_or("");
}

pg::Result ask(pg::Session& session, const std::string& sql, const Scope& scope) {
  return session.run(sql, scope);
}

/// The same in a subtransaction, so that a refusal leaves the session as it was.
template <class Work>
bool attempt(pg::Session& session, const Scope& scope, Work work) {
  const bool outer = session.in_transaction();
  session.run(outer ? "SAVEPOINT staithe_look" : "BEGIN", scope);
  bool done = true;
  try {
    work();
  } catch (const pg::StatementError&) {
    done = false;
  }
  session.run(outer ? "ROLLBACK TO SAVEPOINT staithe_look" : "ROLLBACK", scope);
  if (outer) session.run("RELEASE SAVEPOINT staithe_look", scope);
  return done;
}

/// Count, share, key range and samples of the rows where `bad` is true.
void describe_rows(pg::Session& session, const std::string& bad, Violation& violation, const Scope& scope) {
  const auto keys = key_of(session, violation.table, scope);
  const std::string key = keys.empty() ? "ctid" : base::join(keys, ", ");
  violation.key_columns = key;
  const std::string shown = keys.size() > 1 ? "concat_ws(', ', " + key + ")" : key + "::text";
  const auto counts =
      ask(session, fmt::format("SELECT count(*) FILTER (WHERE {0}), count(*) FROM {1}", bad, violation.table),
          scope);
  violation.violating = number_of(counts.rows.at(0)[0]);
  violation.total = number_of(counts.rows.at(0)[1]);
  const auto samples = ask(
      session,
      fmt::format(
          "SELECT key FROM (SELECT {0} AS key, row_number() OVER (ORDER BY {1}) AS place, count(*) OVER () "
          "AS all_rows FROM {2} WHERE {3}) found WHERE (place - 1) % greatest(all_rows / {4}, 1) = 0 OR "
          "place = all_rows ORDER BY place",
          shown, key, violation.table, bad, sample_count),
      scope);
  for (const auto& row : samples.rows) violation.sample_keys.push_back(text_of(row[0]));
  if (violation.sample_keys.empty()) return;
  violation.first_key = violation.sample_keys.front();
  violation.last_key = violation.sample_keys.back();
}

/// Is the application still writing such rows?
void describe_time(pg::Session& session, const std::string& bad, Violation& violation, const Scope& scope) {
  const auto columns = ask(
      session,
      fmt::format(
          "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = {}::regclass AND attnum > 0 AND "
          "NOT attisdropped AND atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, "
          "'date'::regtype) ORDER BY attname ~ '^(created|inserted)' DESC, attname ~ 'creat|insert' DESC, "
          "attnum LIMIT 1",
          pg::quoted_literal(violation.table)),
      scope);
  if (columns.rows.empty()) return;
  violation.time_column = text_of(columns.rows[0][0]);
  const auto newest = ask(session,
                          fmt::format("SELECT max({0}) FILTER (WHERE {1}), max({0}) FROM {2}",
                                      violation.time_column, bad, violation.table),
                          scope);
  violation.newest_violating = text_of(newest.rows.at(0)[0]);
  violation.newest_row = text_of(newest.rows.at(0)[1]);
}

void describe_places(pg::Session& session, const std::string& bad, Violation& violation, const Scope& scope) {
  attempt(session, scope, [&] {
    // Only a single numeric key has equal parts; anything else is refused and left out.
    const auto buckets =
        ask(session,
            fmt::format(
                "SELECT width_bucket({0}::numeric, low, high + 1, 10), count(*) FILTER (WHERE {1}) FROM {2}, "
                "(SELECT min({0})::numeric AS low, max({0})::numeric AS high FROM {2}) ends GROUP BY 1",
                violation.key_columns, bad, violation.table),
            scope);
    std::vector<std::uint64_t> parts(10, 0);
    for (const auto& row : buckets.rows) {
      const auto bucket = number_of(row[0]);
      if (bucket >= 1 && bucket <= parts.size()) parts[bucket - 1] = number_of(row[1]);
    }
    violation.histogram = std::move(parts);
  });
}

void describe(pg::Session& session, const std::string& bad, Violation& violation, const Scope& scope) {
  describe_rows(session, bad, violation, scope);
  describe_time(session, bad, violation, scope);
  describe_places(session, bad, violation, scope);
}

/// What the server would have made of the constraint, had it not looked at the rows: its definition.
struct Definition {
  std::string kind, expression, columns, other, other_columns, text;
};
std::optional<Definition> unvalidated(pg::Session& session, const std::string& table, const Fact& fact,
                                      const Scope& scope) {
  std::optional<Definition> definition;
  attempt(session, scope, [&] {
    const std::string before =
        text_of(ask(session, "SELECT coalesce(max(oid), 0) FROM pg_constraint", scope).rows.at(0)[0]);
    session.run("ALTER TABLE " + table + " " + fact.clause + " NOT VALID", scope);
    const auto rows = ask(
        session,
        "SELECT contype, coalesce(pg_get_expr(conbin, conrelid), ''), (SELECT "
        "string_agg(quote_ident(attname), ',' "
        "ORDER BY place) FROM unnest(conkey) WITH ORDINALITY k(number, place) JOIN pg_attribute ON attrelid "
        "= "
        "conrelid AND attnum = number), coalesce(confrelid::regclass::text, ''), (SELECT "
        "string_agg(quote_ident(attname), ',' ORDER BY place) FROM unnest(confkey) WITH ORDINALITY k(number, "
        "place) JOIN pg_attribute ON attrelid = confrelid AND attnum = number), pg_get_constraintdef(oid) "
        "FROM "
        "pg_constraint WHERE conrelid = " +
            pg::quoted_literal(table) + "::regclass AND oid > " + before + " AND NOT convalidated LIMIT 1",
        scope);
    if (rows.rows.empty()) return;
    const auto& row = rows.rows[0];
    definition = Definition{text_of(row[0]), text_of(row[1]), text_of(row[2]),
                            text_of(row[3]), text_of(row[4]), text_of(row[5])};
  });
  return definition;
}

std::string orphan_condition(const std::string& table, const Definition& key) {
  const auto columns = base::split(key.columns, ',');
  const auto others = base::split(key.other_columns, ',');
  std::vector<std::string> present, matches;
  for (std::size_t i = 0; i < columns.size() && i < others.size(); ++i) {
    present.push_back(table + "." + columns[i] + " IS NOT NULL");
    matches.push_back("staithe_other." + others[i] + " = " + table + "." + columns[i]);
  }
  return fmt::format("{} AND NOT EXISTS (SELECT 1 FROM {} staithe_other WHERE {})",
                     base::join(present, " AND "), key.other, base::join(matches, " AND "));
}

std::string table_of(const pg::Refusal& refusal, const std::vector<Fact>& facts) {
  for (const auto& fact : facts)
    if (!fact.table.empty()) return fact.table;
  return pg::quoted_name(refusal.schema) + "." + pg::quoted_name(refusal.table);
}

std::optional<Violation> not_null(pg::Session& session, const pg::Refusal& refusal,
                                  const std::vector<Fact>& facts, const Scope& scope) {
  const bool changes_rows = std::any_of(facts.begin(), facts.end(), [](const Fact& fact) {
    return fact.act == Act::insert || fact.act == Act::update || fact.act == Act::other;
  });
  Violation violation;
  violation.kind = "not null";
  violation.table = table_of(refusal, facts);
  violation.column = refusal.column;
  const bool added =
      std::any_of(facts.begin(), facts.end(), [](const Fact& fact) { return fact.act == Act::add_column; });
  if (changes_rows || added) {
    if (!added) return std::nullopt;
    const auto total = ask(session, "SELECT count(*) FROM " + violation.table, scope);
    violation.violating = violation.total = number_of(total.rows.at(0)[0]);
    return violation;
  }
  const std::string column = pg::quoted_name(refusal.column);
  describe(session, column + " IS NULL", violation, scope);
  propose_value(session, refusal.column, violation, scope);
  violation.side_effects = side_effects_of_update(session, violation.table, refusal.column, scope);
  return violation;
}

std::optional<Violation> unvalidated_rows(pg::Session& session, const pg::Refusal& refusal,
                                          const std::vector<Fact>& facts, const Scope& scope) {
  for (const auto& fact : facts) {
    if (fact.act != Act::add_check && fact.act != Act::add_foreign_key && fact.act != Act::validate) continue;
    Violation violation;
    violation.table = fact.table;
    violation.constraint = refusal.constraint;
    std::optional<Definition> definition;
    if (fact.act != Act::validate) definition = unvalidated(session, fact.table, fact, scope);
    if (!definition) continue;
    violation.kind = definition->kind == "f" ? "foreign key" : "check";
    violation.expression = definition->text;
    const std::string bad = definition->kind == "f" ? orphan_condition(fact.table, *definition)
                                                    : "NOT (" + definition->expression + ")";
    violation.column = definition->columns;
    violation.backfill_where = bad;
    describe(session, bad, violation, scope);
    return violation;
  }
  return std::nullopt;
}

/// VALIDATE of a constraint that exists: its definition can be read as it is.
std::optional<Violation> validated_rows(pg::Session& session, const pg::Refusal& refusal,
                                        const std::vector<Fact>& facts, const Scope& scope) {
  if (facts.front().act != Act::validate) return std::nullopt;
  const auto rows = ask(
      session,
      fmt::format(
          "SELECT contype, pg_get_expr(conbin, conrelid), pg_get_constraintdef(oid) FROM pg_constraint WHERE "
          "conrelid = {}::regclass AND conname = {}",
          pg::quoted_literal(facts.front().table), pg::quoted_literal(refusal.constraint)),
      scope);
  if (rows.rows.empty() || rows.rows[0][0] != "c") return std::nullopt;
  Violation violation;
  violation.kind = "check";
  violation.table = facts.front().table;
  violation.constraint = refusal.constraint;
  violation.expression = text_of(rows.rows[0][2]);
  violation.backfill_where = "NOT (" + text_of(rows.rows[0][1]) + ")";
  describe(session, violation.backfill_where, violation, scope);
  return violation;
}

/// "Key (lower(email), tenant)=(a, 1) is duplicated." names what should be unique.
std::optional<Violation> unique(pg::Session& session, const pg::Refusal& refusal,
                                const std::vector<Fact>& facts, const Scope& scope) {
  const auto& fact = facts.front();
  if (fact.act != Act::create_index && fact.act != Act::add_unique) return std::nullopt;
  const std::size_t open = refusal.detail.find('('), close = refusal.detail.find(")=(");
  if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
  const std::string key = refusal.detail.substr(open + 1, close - open - 1);
  Violation violation;
  violation.kind = "unique";
  violation.table = fact.table;
  violation.column = key;
  violation.constraint = refusal.constraint;
  violation.key_columns = key;
  const auto counts = ask(
      session,
      fmt::format(
          "SELECT coalesce(sum(n - 1), 0), (SELECT count(*) FROM {1}) FROM (SELECT count(*) AS n FROM {1} "
          "GROUP BY {0} HAVING count(*) > 1 AND NOT (ROW({0}) IS NULL)) twice",
          key, violation.table),
      scope);
  violation.violating = number_of(counts.rows.at(0)[0]);
  violation.total = number_of(counts.rows.at(0)[1]);
  const auto samples =
      ask(session,
          fmt::format("SELECT concat_ws(', ', {0}) || ' (' || count(*) || ' times)' FROM {1} GROUP "
                      "BY {0} HAVING count(*) > 1 ORDER BY count(*) DESC LIMIT {2}",
                      key, violation.table, sample_count),
          scope);
  for (const auto& row : samples.rows) violation.sample_keys.push_back(text_of(row[0]));
  return violation;
}

/// Values that the new type refuses, tried one by one in a temporary function.
std::optional<Violation> type(pg::Session& session, const std::vector<Fact>& facts, const Scope& scope) {
  const auto fact =
      std::find_if(facts.begin(), facts.end(), [](const Fact& one) { return one.act == Act::alter_type; });
  if (fact == facts.end()) return std::nullopt;
  if (base::lower(fact->type).find("collate") != std::string::npos) return std::nullopt;
  Violation violation;
  violation.kind = "type";
  violation.table = fact->table;
  violation.column = fact->column;
  violation.expression = "does not become " + fact->type;
  attempt(session, scope, [&] {
    session.run(
        "CREATE FUNCTION pg_temp.staithe_fits(value text) RETURNS boolean LANGUAGE plpgsql AS $staithe$ "
        "BEGIN PERFORM value::" +
            fact->type +
            "; RETURN true; EXCEPTION WHEN others THEN RETURN false; END "
            "$staithe$",
        scope);
    describe_rows(session, "NOT pg_temp.staithe_fits(" + fact->column + "::text)", violation, scope);
  });
  if (violation.total == 0) return std::nullopt;
  return violation;
}

std::optional<Violation> find(pg::Session& session, const std::vector<Fact>& facts,
                              const pg::Refusal& refusal, const Scope& scope) {
  if (refusal.sqlstate == "23502") return not_null(session, refusal, facts, scope);
  if (refusal.sqlstate == "23514" || refusal.sqlstate == "23503") {
    if (auto found = validated_rows(session, refusal, facts, scope)) return found;
    return unvalidated_rows(session, refusal, facts, scope);
  }
  if (refusal.sqlstate == "23505") return unique(session, refusal, facts, scope);
  if (refusal.sqlstate.starts_with("22")) return type(session, facts, scope);
  return std::nullopt;
}

}  // namespace

std::vector<std::string> key_of(pg::Session& session, const std::string& table, const Scope& scope) {
  std::vector<std::string> names;
  const auto rows = session.run(
      "SELECT quote_ident(a.attname) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(number, place) JOIN "
      "pg_attribute a ON a.attnum = k.number WHERE i.indisprimary AND a.attrelid = i.indrelid AND i.indrelid "
      "= " +
          pg::quoted_literal(table) + "::regclass ORDER BY k.place",
      scope);
  for (const auto& row : rows.rows) names.push_back(text_of(row[0]));
  return names;
}

std::optional<Violation> find_violation(pg::Session& session, const SqlStatement& statement,
                                        const pg::Refusal& refusal, std::string& why_not,
                                        const Scope& scope) {
  const auto facts = facts_of(statement);
  std::optional<Violation> found;
  const bool outer = session.in_transaction();
  if (outer) session.run("SAVEPOINT staithe_rows", scope);
  try {
    found = find(session, facts, refusal, scope);
  } catch (const pg::StatementError& error) {
    why_not = error.what();
    if (outer)
      session.run("ROLLBACK TO SAVEPOINT staithe_rows", scope);
    else if (session.in_transaction())
      session.run("ROLLBACK", scope);
  }
  return found;
}

std::vector<std::string> side_effects_of_update(pg::Session& session, const std::string& table,
                                                const std::string& column, const Scope& scope) {
  const pg::Value params[] = {table, column};
  const auto rows = session.query(
      "WITH target AS (SELECT $1::regclass AS oid, $2::text AS name), attribute AS (SELECT attnum FROM "
      "pg_attribute, "
      "target WHERE attrelid = target.oid AND attname = target.name) "
      "SELECT 'trigger ' || tgname || ' calls ' || p.proname || CASE WHEN tgtype & 1 = 1 THEN ' for each "
      "row' ELSE "
      "'' END FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid, target WHERE tgrelid = target.oid AND NOT "
      "tgisinternal AND tgtype & 16 = 16 AND tgenabled <> 'D' AND (tgattr = '' OR (SELECT attnum FROM "
      "attribute) = "
      "ANY (tgattr)) "
      "UNION ALL SELECT 'index ' || i.indexrelid::regclass || ' holds the column, so that no update is HOT' "
      "FROM "
      "pg_index i, target WHERE indrelid = target.oid AND ((SELECT attnum FROM attribute) = ANY (indkey) OR "
      "pg_get_expr(indexprs, indrelid) ~ ('\\m' || name || '\\M') OR pg_get_expr(indpred, indrelid) ~ ('\\m' "
      "|| "
      "name || '\\M')) "
      "UNION ALL SELECT 'fillfactor is 100, so that few updates of old rows are HOT' FROM pg_class c, target "
      "WHERE "
      "c.oid = target.oid AND NOT coalesce(c.reloptions::text ~ 'fillfactor', false) "
      "UNION ALL SELECT 'publication ' || pubname || ' sends every updated row' FROM pg_publication_tables "
      "p, target "
      "WHERE format('%I.%I', schemaname, tablename)::regclass = target.oid",
      params, scope);
  std::vector<std::string> effects;
  for (const auto& row : rows.rows) effects.push_back(text_of(row[0]));
  return effects;
}

}  // namespace staithe::stage
