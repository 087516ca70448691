#include "schema_text.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <iterator>

namespace staithe::stage {
namespace {

constexpr const char* sql =
    "WITH own AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> "
    "'information_schema') "
    "SELECT 'schema ' || nspname FROM own "
    "UNION ALL SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN "
    "'sequence ' "
    "ELSE 'table ' END || format('%I.%I', nspname, relname) || coalesce(' as ' || md5(CASE WHEN c.relkind IN "
    "('v', "
    "'m') THEN pg_get_viewdef(c.oid) END), '') || coalesce(' ' || c.reloptions::text, '') || CASE WHEN "
    "c.relrowsecurity "
    "THEN ' with row security' ELSE '' END FROM pg_class c JOIN own ON own.oid = c.relnamespace WHERE "
    "c.relkind IN ('r', "
    "'p', 'v', 'm', 'S', 'f') "
    "UNION ALL SELECT format('column %I.%I.%I %s', nspname, relname, attname, format_type(atttypid, "
    "atttypmod)) || CASE "
    "WHEN attnotnull THEN ' not null' ELSE '' END || coalesce(' default ' || pg_get_expr(adbin, adrelid), "
    "'') || CASE "
    "attidentity WHEN '' THEN '' ELSE ' identity' END FROM pg_attribute a JOIN pg_class c ON c.oid = "
    "a.attrelid JOIN "
    "own ON own.oid = c.relnamespace LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "WHERE "
    "c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND attnum > 0 AND NOT attisdropped "
    "UNION ALL SELECT format('constraint %I on %s ', conname, conrelid::regclass) || "
    "pg_get_constraintdef(k.oid) FROM "
    "pg_constraint k JOIN own ON own.oid = k.connamespace WHERE conrelid <> 0 "
    "UNION ALL SELECT 'index ' || pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' "
    "invalid' END "
    "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN own ON own.oid = c.relnamespace "
    "UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = "
    "t.tgrelid JOIN "
    "own ON own.oid = c.relnamespace WHERE NOT tgisinternal "
    "UNION ALL SELECT 'function ' || p.oid::regprocedure || ' as ' || md5(coalesce(prosrc, '') || "
    "coalesce(probin, '')) "
    "FROM pg_proc p JOIN own ON own.oid = p.pronamespace "
    "UNION ALL SELECT format('type %I.%I ', nspname, typname) || coalesce((SELECT string_agg(enumlabel, ',' "
    "ORDER BY "
    "enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), typtype::text) FROM pg_type t JOIN own ON "
    "own.oid = "
    "t.typnamespace WHERE typtype IN ('e', 'd', 'r') "
    "UNION ALL SELECT format('policy %I on %s', polname, polrelid::regclass) FROM pg_policy "
    "UNION ALL SELECT 'extension ' || extname || ' ' || extversion FROM pg_extension";

}  // namespace

std::vector<std::string> schema_lines(pg::Session& session, const base::Scope& scope) {
  std::vector<std::string> lines;
  for (const auto& row : session.run(sql, scope).rows) lines.push_back(row[0].value_or(""));
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::vector<std::string> difference(const std::vector<std::string>& before,
                                    const std::vector<std::string>& after) {
  std::vector<std::string> gone, come, out;
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(gone));
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(come));
  for (auto& line : gone) out.push_back("- " + line);
  for (auto& line : come) out.push_back("+ " + line);
  return out;
}

std::vector<std::string> column_names(pg::Session& session, const std::string& table,
                                      const base::Scope& scope) {
  std::vector<std::string> names;
  const auto rows =
      session.run("SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = to_regclass(" +
                      pg::quoted_literal(table) + ") AND attnum > 0 AND NOT attisdropped ORDER BY attname",
                  scope);
  for (const auto& row : rows.rows) names.push_back(row[0].value_or(""));
  return names;
}

std::string checksum(pg::Session& session, const std::string& table, const std::vector<std::string>& columns,
                     const base::Scope& scope) {
  const auto rows = session.run("SELECT count(*) || ' ' || coalesce(sum(hashtextextended(ROW(" +
                                    base::join(columns, ", ") + ")::text, 0)::numeric), 0) FROM " + table,
                                scope);
  return rows.rows.at(0)[0].value_or("");
}

}  // namespace staithe::stage
