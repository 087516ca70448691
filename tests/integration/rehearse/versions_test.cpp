/// The words that only newer servers know: this server is asked whether it knows them.
#include "catch.hpp"
#include "golden.hpp"
#include "version_words.hpp"

#include "staithe/pg/session.hpp"

#include <algorithm>

using namespace golden;

namespace {

struct Example {
  int since;
  const char* sql;
};
constexpr Example examples[] = {
    {14, "ALTER TABLE app.parts DETACH PARTITION app.part CONCURRENTLY"},
    {14, "CREATE OR REPLACE TRIGGER t BEFORE UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION app.f()"},
    {14, "ALTER TABLE app.users ALTER email SET COMPRESSION pglz"},
    {14, "CREATE FUNCTION app.g() RETURNS int BEGIN ATOMIC SELECT 1; END"},
    {14, "SELECT date_bin('1 day', now(), now())"},
    {14, "SELECT bit_count('x'::bytea)"},
    {14, "SELECT unistr('x')"},
    {14, "SELECT trim_array(ARRAY[1, 2], 1)"},
    {14, "SELECT string_to_table('a,b', ',')"},
    {15, "MERGE INTO app.filled f USING app.orders o ON f.id = o.id WHEN MATCHED THEN DELETE"},
    {15, "CREATE UNIQUE INDEX ON app.filled (id, a) NULLS NOT DISTINCT"},
    {15, "ALTER TABLE app.filled SET ACCESS METHOD heap"},
    {15, "CREATE UNLOGGED SEQUENCE app.s"},
    {15, "CREATE PUBLICATION p FOR TABLES IN SCHEMA app"},
    {15, "CREATE PUBLICATION p FOR TABLE app.users, TABLES IN SCHEMA app"},
    {15, "DO LANGUAGE plpgsql $$ BEGIN EXECUTE 'CREATE PUBLICATION p FOR TABLES IN SCHEMA app'; END $$"},
    {15, "DO $$ BEGIN EXECUTE format('CREATE PUBLICATION p FOR TABLES IN SCHEMA %I', 'app'); END $$"},
    {15,
     "ALTER TABLE app.orders ADD FOREIGN KEY (user_id, id) REFERENCES app.users (tenant, id) ON DELETE SET "
     "NULL (user_id)"},
    {15,
     "ALTER TABLE app.orders ADD FOREIGN KEY (user_id, id) REFERENCES app.users (tenant, id) ON DELETE SET "
     "DEFAULT (user_id)"},
    {15, "CREATE VIEW app.v WITH (security_invoker) AS SELECT 1 AS x"},
    {15, "SELECT regexp_count('a', 'a')"},
    {15, "SELECT regexp_instr('a', 'a')"},
    {15, "SELECT regexp_like('a', 'a')"},
    {15, "SELECT regexp_substr('a', 'a')"},
    {15, "DO $$ BEGIN PERFORM regexp_count('a', 'a'); END $$"},
    {16, "SELECT '1' IS JSON"},
    {16, "SELECT '1' IS NOT JSON"},
    {16, "SELECT 1_000"},
    {16, "SELECT 0xff"},
    {16, "SELECT pg_input_is_valid('1', 'int')"},
    {16, "SELECT pg_input_error_info('1', 'int')"},
    {16, "SELECT random_normal()"},
    {16, "SELECT any_value(1)"},
    {16, "SELECT array_shuffle(ARRAY[1])"},
    {16, "SELECT array_sample(ARRAY[1], 1)"},
    {16, "SELECT date_add(now(), interval '1 day')"},
    {16, "SELECT date_subtract(now(), interval '1 day')"},
    {17, "ALTER TABLE app.made ALTER b SET EXPRESSION AS (a + 2)"},
    {17, "ALTER TABLE app.users ALTER email SET STATISTICS DEFAULT"},
    {17, "MERGE INTO app.filled f USING app.orders o ON f.id = o.id WHEN NOT MATCHED BY SOURCE THEN DELETE"},
    {17, "MERGE INTO app.filled f USING app.orders o ON f.id = o.id WHEN MATCHED THEN DELETE RETURNING f.id"},
    {17, "SELECT * FROM json_table('[1]'::jsonb, '$[*]' COLUMNS (a int PATH '$'))"},
    {17, "SELECT json_query('{}'::jsonb, '$')"},
    {17, "SELECT json_value('{}'::jsonb, '$.a')"},
    {17, "SELECT json_exists('{}'::jsonb, '$.a')"},
    {17, "SELECT to_bin(1)"},
    {17, "SELECT to_oct(1)"},
    {17, "SELECT uuid_extract_version(gen_random_uuid())"},
    {17, "SELECT uuid_extract_timestamp(gen_random_uuid())"},
    {18, "ALTER TABLE app.filled ADD COLUMN v int GENERATED ALWAYS AS (a + 1) VIRTUAL"},
    {18, "ALTER TABLE app.filled ADD COLUMN v int GENERATED ALWAYS AS (a + (1))"},
    {18, "ALTER TABLE app.filled ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED"},
    {18, "CREATE TABLE app.w (id int4range, at tstzrange, PRIMARY KEY (id, at WITHOUT OVERLAPS))"},
    {18, "ALTER TABLE app.filled ADD CONSTRAINT c NOT NULL a"},
    {18, "UPDATE app.filled SET a = 1 WHERE id = 1 RETURNING WITH (OLD AS o) o.a"},
    {18, "SELECT uuidv4()"},
    {18, "SELECT pg_catalog.uuidv7()"},
    {18, "SELECT array_reverse(ARRAY[1])"},
    {18, "SELECT array_sort(ARRAY[1])"},
    {18, "SELECT casefold('A')"},
    {18, "SELECT crc32('x'::bytea)"},
    {18, "SELECT crc32c('x'::bytea)"},
};

/// What a server says of words that it does not know.
bool is_unknown(const std::string& sqlstate) {
  return sqlstate == "42601" || sqlstate == "42883";
}

}  // namespace

TEST_CASE("what only newer servers know is found, and nothing that this one knows") {
  server().sql(
      "CREATE TABLE app.parts (id int) PARTITION BY RANGE (id); CREATE TABLE app.part PARTITION OF app.parts "
      "FOR VALUES "
      "FROM (1) TO (2); CREATE TABLE app.made (a int, b int GENERATED ALWAYS AS (a + 1) STORED); CREATE "
      "FUNCTION "
      "app.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
      "golden");
  pg::Session session(server().url("golden"), {}, soon());
  const int here = session.server_version() / 10000;
  for (const auto& example : examples) {
    INFO(example.sql);
    const auto unknown = stage::unknown_to(example.since - 1, example.sql, {});
    REQUIRE(unknown.size() >= 1);
    CHECK(std::any_of(unknown.begin(), unknown.end(),
                      [&](const auto& one) { return one.since == example.since; }));
    CHECK(stage::unknown_to(example.since, example.sql, {}).empty());
    std::string sqlstate;
    session.run("BEGIN", soon());
    try {
      session.run(example.sql, soon());
    } catch (const pg::StatementError& error) {
      sqlstate = error.sqlstate();
    }
    session.run("ROLLBACK", soon());
    INFO(sqlstate);
    CHECK(is_unknown(sqlstate) == (example.since > here));
  }
  server().sql("DROP TABLE app.parts, app.made; DROP FUNCTION app.f", "golden");
}

TEST_CASE("what every server knows is not taken for new") {
  for (const auto* sql :
       {"ALTER TABLE t ADD COLUMN v int GENERATED ALWAYS AS (a + 1) STORED",
        "ALTER TABLE t ALTER a SET NOT NULL", "ALTER TABLE t ADD COLUMN v int GENERATED ALWAYS AS IDENTITY",
        "CREATE UNIQUE INDEX ON t (a)", "ALTER TABLE t DETACH PARTITION a",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID",
        "INSERT INTO t VALUES (1.5e3, 'MERGE INTO x', '0xff') RETURNING id", "SELECT app.uuidv7()",
        "CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'",
        "CREATE TRIGGER t BEFORE UPDATE ON u FOR EACH ROW EXECUTE FUNCTION f()", "SELECT 1 AS virtual",
        "GRANT SELECT ON ALL TABLES IN SCHEMA app TO u",
        "DO $$ BEGIN EXECUTE 'REVOKE ALL ON ALL TABLES IN SCHEMA app FROM u'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'payload is not json'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'cannot merge into x', HINT = $h$not enforced$h$; END "
        "$$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'cannot merge into %', "
        "1; END $$"}) {
    INFO(sql);
    CHECK(stage::unknown_to(13, sql, {}).empty());
  }
  CHECK(stage::unknown_to(13, "SELECT uuidv7()", {"uuidv7"}).empty());
  CHECK(stage::major_of("17.2 (Debian 17.2-1)") == 17);
  CHECK(stage::major_of("18beta1") == 18);
  CHECK(stage::major_of("") == 0);
}
