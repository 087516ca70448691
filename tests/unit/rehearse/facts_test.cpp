/// What words alone show of a statement, and what follows from it.
#include "facts.hpp"

#include "advice.hpp"
#include "catch.hpp"
#include "lint.hpp"

using namespace staithe;
using stage::Act;

namespace {

stage::SqlStatement one(const std::string& sql) {
  diag::Diagnostics ignored;
  auto file = stage::split_sql(sql, "", ignored);
  REQUIRE(file.statements.size() == 1);
  return file.statements.front();
}

std::vector<std::string> advised(const std::string& sql) {
  const auto plan = stage::advise(one(sql), {});
  std::vector<std::string> out;
  if (plan)
    for (const auto& step : plan->steps) out.push_back(step.sql);
  return out;
}

std::vector<stage::MigrationFile> files(const std::string& text, diag::Diagnostics& diagnostics) {
  return stage::read_migrations({{{"1.sql", text}}, {}}, diagnostics);
}

std::vector<std::string> codes(const std::string& text) {
  diag::Diagnostics diagnostics;
  std::vector<std::string> out;
  for (const auto& expectation : stage::lint(files(text, diagnostics))) out.push_back(expectation.code);
  return out;
}

}  // namespace

TEST_CASE("ALTER TABLE is taken apart") {
  const auto facts = stage::facts_of(
      one("ALTER TABLE IF EXISTS ONLY app.\"Users\" ALTER COLUMN a SET NOT NULL, ADD COLUMN b "
          "numeric(10,2) DEFAULT random() NOT NULL, ADD CONSTRAINT c CHECK (a > (1)) NOT VALID"));
  REQUIRE(facts.size() == 3);
  CHECK(facts[0].act == Act::set_not_null);
  CHECK(facts[0].table == "app.\"Users\"");
  CHECK(facts[0].column == "a");
  CHECK(facts[1].act == Act::add_column);
  CHECK(facts[1].volatile_default);
  CHECK(facts[1].not_null);
  CHECK(facts[2].act == Act::add_check);
  CHECK(facts[2].name == "c");
  CHECK(facts[2].rest == "(a > (1))");
  CHECK(facts[2].not_valid);
}

TEST_CASE("a new type and how its values are made are told apart however USING is written") {
  for (const std::string tail : {"USING(n::integer)", "USING (n::integer)", "\nuSING\n(n::integer)",
                                 "USING/* a blank? */(n::integer)"}) {
    INFO(tail);
    const auto statement = one("ALTER TABLE t ALTER COLUMN n TYPE integer " + tail);
    const auto facts = stage::facts_of(statement);
    REQUIRE(facts.size() == 1);
    CHECK(facts[0].act == Act::alter_type);
    CHECK(facts[0].type == "integer");
    CHECK(facts[0].using_expression == "(n::integer)");
    const auto plan = stage::advise(statement, {});
    REQUIRE(plan);
    REQUIRE(plan->steps.size() == 2);
    CHECK(plan->steps[0].sql == "ALTER TABLE t ADD COLUMN \"n_next\" integer");
    REQUIRE(plan->steps[1].backfill);
    CHECK(plan->steps[1].backfill->set == "\"n_next\" = (n::integer)");
  }
  const auto bare = stage::facts_of(
      one("ALTER TABLE t ALTER n SET DATA TYPE varchar(9) COLLATE \"C\", ALTER m TYPE \"using\" USING m"));
  REQUIRE(bare.size() == 2);
  CHECK(bare[0].type == "varchar(9) COLLATE \"C\"");
  CHECK(bare[0].using_expression.empty());
  CHECK(bare[1].type == "\"using\"");
  CHECK(bare[1].using_expression == "m");
}

TEST_CASE("what the server refuses in a transaction is known") {
  CHECK(stage::may_run_in_transaction(one("CREATE INDEX a ON b (c)")));
  CHECK_FALSE(stage::may_run_in_transaction(one("CREATE UNIQUE INDEX CONCURRENTLY a ON b (c)")));
  CHECK_FALSE(stage::may_run_in_transaction(one("DROP INDEX CONCURRENTLY a")));
  CHECK_FALSE(stage::may_run_in_transaction(one("REINDEX TABLE CONCURRENTLY a")));
  CHECK_FALSE(stage::may_run_in_transaction(one("VACUUM a")));
  CHECK_FALSE(stage::may_run_in_transaction(one("ALTER SYSTEM SET work_mem = 1")));
  CHECK(stage::may_run_in_transaction(one("ALTER TABLE a DETACH PARTITION b")));
}

TEST_CASE("lint finds what is risky, and only on tables that were there before") {
  CHECK(codes("CREATE INDEX i ON t (a)") == std::vector<std::string>{"create-index-blocks-writers"});
  CHECK(codes("CREATE TABLE t (a int); CREATE INDEX i ON t (a)").empty());
  CHECK(codes("ALTER TABLE t ADD CHECK (a > 1) NOT VALID").empty());
  CHECK(codes("ALTER TABLE t ADD COLUMN a int DEFAULT 1").empty());
  CHECK(codes("ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()") ==
        std::vector<std::string>{"volatile-default-rewrites"});
}

TEST_CASE("advice is SQL that can be run") {
  CHECK(advised("CREATE UNIQUE INDEX i ON t (a)") ==
        std::vector<std::string>{"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)"});
  CHECK(advised("ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (b)") ==
        std::vector<std::string>{"ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (b) NOT VALID",
                                 "ALTER TABLE t VALIDATE CONSTRAINT c"});
  CHECK(advised("ALTER TABLE s.t ADD CHECK (a > 1)") ==
        std::vector<std::string>{"ALTER TABLE s.t ADD CONSTRAINT \"t_check\" CHECK (a > 1) NOT VALID",
                                 "ALTER TABLE s.t VALIDATE CONSTRAINT \"t_check\""});
  CHECK(advised("ALTER TABLE t ADD CONSTRAINT k UNIQUE (a, b)") ==
        std::vector<std::string>{"CREATE UNIQUE INDEX CONCURRENTLY k ON t (a, b)",
                                 "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX k"});
  CHECK(advised("ALTER TABLE t ADD COLUMN x int, ALTER COLUMN a SET NOT NULL").front() ==
        "ALTER TABLE t ADD COLUMN x int");
  CHECK(advised("UPDATE t SET a = 1 FROM u WHERE t.b = u.b").empty());
  CHECK(advised("UPDATE t AS x SET a = 1").empty());
  CHECK(advised("SELECT 1").empty());
}

TEST_CASE("an UPDATE becomes a backfill of the same rows") {
  const auto plan =
      stage::advise(one("UPDATE app.t SET a = (SELECT 1 WHERE true), b = 2 WHERE c IS NULL AND d > 1"), {});
  REQUIRE(plan);
  REQUIRE(plan->steps.size() == 1);
  REQUIRE(plan->steps[0].backfill);
  CHECK(plan->steps[0].backfill->set == "a = (SELECT 1 WHERE true), b = 2");
  CHECK(plan->steps[0].backfill->where == "c IS NULL AND d > 1");
}

TEST_CASE("headers are read strictly") {
  diag::Diagnostics diagnostics;
  const auto read =
      files("-- staithe: lock-timeout 2s\n-- staithe: no-transaction\n-- staithe: expect 10s\nSELECT 1",
            diagnostics);
  CHECK_FALSE(diagnostics.has_errors());
  CHECK(read[0].lock_timeout == base::Duration{2000});
  CHECK(read[0].expected == base::Duration{10'000});
  CHECK(read[0].transactions == stage::Transactions::each);

  diag::Diagnostics wrong;
  files("-- staithe: lock-timout 2s\n-- staithe: expect soon\nCREATE INDEX CONCURRENTLY i ON t (a)", wrong);
  const auto found = wrong.sorted();
  REQUIRE(found.size() == 3);
  CHECK_THAT(found[0].help, ContainsSubstring("did you mean 'lock-timeout'?"));
  CHECK(found[1].position.line == 2);
  CHECK_THAT(found[2].message, ContainsSubstring("inside a transaction"));
}

TEST_CASE("files with their own BEGIN keep it, and down scripts are paired") {
  diag::Diagnostics diagnostics;
  CHECK(files("BEGIN; SELECT 1; COMMIT;", diagnostics)[0].transactions == stage::Transactions::own);
  CHECK(stage::down_path_of("m/1.up.sql") == "m/1.down.sql");
  CHECK(stage::down_path_of("m/1.sql") == "m/1.down.sql");
  CHECK(stage::down_path_of("m/1.down.sql").empty());
}

TEST_CASE("the settings file is read strictly") {
  diag::Diagnostics diagnostics;
  const auto settings = stage::read_rehearsal_settings(
      "r.yml",
      "budgets: {blocking: 200ms, total: 5m, rewrite_rows: 1000}\n"
      "workload:\n  - {name: read, sql: 'SELECT 1 WHERE 1 = $1', params: 'SELECT 1', every: 1ms}\n"
      "assertions:\n  - {name: none, sql: SELECT true}\n",
      diagnostics);
  CHECK_FALSE(diagnostics.has_errors());
  CHECK(settings.budgets.blocking == base::Duration{200});
  CHECK(settings.budgets.rewrite_rows == 1000U);
  CHECK(settings.workload.size() == 1);

  diag::Diagnostics wrong;
  stage::read_rehearsal_settings("r.yml", "budget: {}\nworkload:\n  - {name: x, sql: 'SELECT 1; SELECT 2'}\n",
                                 wrong);
  CHECK(wrong.count(diag::Severity::error) == 2);
}

TEST_CASE("the conflict table of locks") {
  CHECK(stage::blocked_by("AccessExclusiveLock") == stage::Blocks::everybody);
  CHECK(stage::blocked_by("ShareRowExclusiveLock") == stage::Blocks::writers);
  CHECK(stage::blocked_by("ShareUpdateExclusiveLock") == stage::Blocks::ddl);
  CHECK(stage::blocked_by("RowExclusiveLock") == stage::Blocks::nobody);
}

TEST_CASE("an UPDATE fills a column when it leaves no NULL in it") {
  const auto fills = [](const std::string& sql) { return stage::fills(one(sql), "app.users", "country"); };
  for (const auto* sql :
       {"UPDATE app.users SET country = 'DE'", "UPDATE users SET email = lower(email), \"country\" = 'DE'",
        "UPDATE ONLY app.users u SET country = 'DE' WHERE u.country IS NULL",
        "UPDATE app.users SET country = (SELECT min(c) FROM x WHERE c <> 'y') WHERE country IS NULL "
        "RETURNING id",
        "DO $$ BEGIN UPDATE app.users SET country = 'DE' WHERE country IS NULL; END $$",
        "DO LANGUAGE plpgsql $$ BEGIN LOOP UPDATE users SET country = 'DE' WHERE id IN (SELECT id FROM users "
        "WHERE country IS NULL LIMIT 500 FOR UPDATE); EXIT WHEN NOT FOUND; COMMIT; END LOOP; END "
        "$$",
        "DO $$ BEGIN LOOP WITH b AS (SELECT id FROM users u WHERE u.country IS NULL LIMIT 9) UPDATE users "
        "SET "
        "country = 'DE' FROM b WHERE b.id = users.id; EXIT WHEN NOT FOUND; END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT u.id FROM app.users AS u "
        "WHERE u.country IS NULL LIMIT 5); EXIT WHEN NOT FOUND; END LOOP; END $$",
        "DO $$ DECLARE n int := CASE WHEN true THEN 1 ELSE 2 END; BEGIN IF n = 1 THEN RAISE NOTICE 'x'; "
        "ELSE PERFORM 1; END IF; CASE n WHEN 1 THEN NULL; END CASE; UPDATE app.users SET country = 'DE'; "
        "END $$",
        "DO $$ BEGIN DROP TABLE IF EXISTS x; BEGIN PERFORM 1 / 0; EXCEPTION WHEN others THEN NULL; END; "
        "UPDATE app.users SET country = CASE WHEN id < 5 THEN 'DE' ELSE 'FR' END; END $$",
        "DO LANGUAGE 'plpgsql' $$ BEGIN <<batches>> LOOP UPDATE users SET country = 'DE' WHERE id IN "
        "(SELECT id FROM users WHERE country IS NULL LIMIT 5); EXIT batches WHEN NOT FOUND; FOR i IN 1..3 "
        "LOOP "
        "NULL; END LOOP; END LOOP batches; END $$",
        "DO $$ BEGIN UPDATE app.users SET country = 'DE'; IF true THEN RETURN; END IF; PERFORM 1; END $$",
        "DO $$ BEGIN EXECUTE 'UPDATE app.users SET country = ''DE'' WHERE country IS NULL'; END $$",
        "DO $$ BEGIN EXECUTE 'UPDATE app.users SET country = $1' USING 'DE'; END $$",
        "DO $$ DECLARE n int; BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM "
        "app.users WHERE country IS NULL LIMIT 5); GET DIAGNOSTICS n = ROW_COUNT; EXIT WHEN n = 0; END LOOP; "
        "END $$",
        "DO $$ DECLARE n int; BEGIN <<batches>> LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT "
        "id "
        "FROM app.users WHERE country IS NULL LIMIT 5); GET DIAGNOSTICS n := ROW_COUNT; EXIT batches WHEN n "
        "= 0; "
        "END LOOP; END $$",
        "DO $$ BEGIN WHILE EXISTS (SELECT FROM app.users WHERE country IS NULL) LOOP UPDATE app.users SET "
        "country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE country IS NULL LIMIT 5); END LOOP; END "
        "$$"}) {
    INFO(sql);
    CHECK(fills(sql));
  }
  for (const auto* sql :
       {"UPDATE app.users SET country = 'DE' WHERE id < 9",
        "UPDATE app.users SET email = 'x'",
        "UPDATE app.orders SET country = 'DE'",
        "UPDATE b.users SET country = 'DE'",
        "UPDATE app.users SET country = 'DE' WHERE country IS NULL AND id < 9",
        "UPDATE app.users SET country = 'DE' WHERE country IS NOT NULL",
        "UPDATE app.users SET country = x.c FROM x WHERE country IS NULL",
        "UPDATE app.users SET country = NULL",
        "UPDATE app.users SET email = country WHERE country IS NULL",
        "DELETE FROM app.users",
        "DO $$ BEGIN UPDATE app.users SET country = 'DE' WHERE country IS NULL AND id < 9; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id < 9; EXIT; END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET email = 'x' WHERE country IS NULL; EXIT; END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE "
        "country "
        "IS NULL AND id < 9 LIMIT 5); END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE id "
        "< 9 "
        "AND country IS NULL LIMIT 5); END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM shops WHERE "
        "country IS "
        "NULL LIMIT 5); END LOOP; END $$",
        "DO $$ BEGIN LOOP IF now() < '2020-01-01' THEN UPDATE app.users SET country = 'DE' WHERE id IN "
        "(SELECT "
        "id FROM app.users WHERE country IS NULL LIMIT 5); END IF; END LOOP; END $$",
        "DO $$ BEGIN PERFORM 1 FROM app.users WHERE country IS NULL FOR UPDATE; END $$",
        "DO $$ BEGIN IF false THEN RAISE NOTICE 'x'; UPDATE app.users SET country = 'DE' WHERE country IS "
        "NULL; END IF; END $$",
        "DO $$ BEGIN IF true THEN NULL; ELSE UPDATE app.users SET country = 'DE'; END IF; END $$",
        "DO $$ BEGIN IF true THEN NULL; ELSIF true THEN NULL; UPDATE app.users SET country = 'DE'; END IF; "
        "END $$",
        "DO $$ BEGIN CASE 1 WHEN 2 THEN UPDATE app.users SET country = 'DE'; ELSE NULL; END CASE; END $$",
        "DO $$ BEGIN IF CASE WHEN true THEN false END THEN NULL; UPDATE app.users SET country = 'DE'; END "
        "IF; END $$",
        "DO $$ BEGIN IF false THEN EXECUTE 'UPDATE app.users SET country = ''DE'' '; END IF; END $$",
        "DO $$ BEGIN RAISE NOTICE 'UPDATE app.users SET country = 1'; END $$",
        "DO $$ BEGIN PERFORM 1; EXCEPTION WHEN others THEN UPDATE app.users SET country = 'DE'; END $$",
        "DO $$ BEGIN BEGIN UPDATE app.users SET country = 'DE'; PERFORM 1 / 0; EXCEPTION WHEN others THEN "
        "NULL; END; END $$",
        "DO $$ BEGIN UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE country "
        "IS NULL LIMIT 5); FOR i IN 1..3 LOOP NULL; END LOOP; END $$",
        "DO $$ BEGIN LOOP EXIT; END LOOP; UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM "
        "app.users WHERE country IS NULL LIMIT 5); END $$",
        "DO $$ BEGIN FOR i IN 1..3 LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM "
        "app.users WHERE country IS NULL LIMIT 5); END LOOP; END $$",
        "DO $$ BEGIN WHILE EXISTS (SELECT FROM app.users WHERE country IS NULL) LOOP UPDATE app.users SET "
        "country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE id < 9); END LOOP; END $$",
        "DO $$ BEGIN IF now() > '2020-01-01' THEN RETURN; END IF; UPDATE app.users SET country = 'DE'; END "
        "$$",
        "DO LANGUAGE plpython3u $$ BEGIN UPDATE app.users SET country = 'DE'; END $$",
        "DO $$ BEGIN EXECUTE 'UPDATE app.users SET country = ''DE''' || ' WHERE id < 9'; END $$",
        "DO $$ BEGIN EXECUTE 'UPDATE app.users SET country = ''DE'' WHERE country IS NULL' || ' AND id < 9'; "
        "END $$",
        "DO $$ BEGIN WHILE i < 10 LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM "
        "app.users WHERE country IS NULL LIMIT 5); i := i + 1; END LOOP; END $$",
        "DO $$ BEGIN WHILE found AND i < 10 LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id "
        "FROM app.users WHERE country IS NULL LIMIT 5); END LOOP; END $$",
        "DO $$ BEGIN WHILE EXISTS (SELECT FROM app.users WHERE country IS NULL) AND i < 10 LOOP UPDATE "
        "app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE country IS NULL LIMIT 5); "
        "END LOOP; END $$",
        "DO $$ BEGIN WHILE EXISTS (SELECT FROM app.users WHERE country IS NULL) AND EXISTS (SELECT FROM x) "
        "LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE country IS "
        "NULL LIMIT 5); END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE "
        "country IS NULL LIMIT 5); n := n + 1; EXIT WHEN n > 10; END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE "
        "country IS NULL LIMIT 5); EXIT WHEN n = 0; END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE "
        "country IS NULL LIMIT 5); EXIT WHEN NOT FOUND OR n > 10; END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE "
        "country IS NULL LIMIT 5); EXIT WHEN NOT FOUND; IF n > 10 THEN EXIT; END IF; END LOOP; END $$",
        "DO $$ BEGIN LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE "
        "country IS NULL LIMIT 5); IF n > 10 THEN RETURN; END IF; END LOOP; END $$"}) {
    INFO(sql);
    CHECK_FALSE(fills(sql));
  }
}

TEST_CASE("batches fill a column when what ends their loop is that the last one found nothing") {
  const std::string batch =
      "UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE country IS NULL LIMIT "
      "5); ";
  // Another transaction has the rest of them locked: this one finds nothing, and NULLs are left.
  const std::string skips =
      "UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE country IS NULL LIMIT "
      "5 FOR UPDATE SKIP LOCKED); ";
  const std::string other = "UPDATE app.orders SET sent = true WHERE NOT sent; ";
  const std::string dynamic =
      "EXECUTE 'UPDATE app.users SET country = ''DE'' WHERE id IN (SELECT id FROM app.users WHERE country IS "
      "NULL LIMIT 5)'; ";
  const std::string count = "GET DIAGNOSTICS n = ROW_COUNT; ";
  const auto fills = [](const std::string& body) {
    return stage::fills(one("DO $$ DECLARE n int := 0; BEGIN " + body + " END $$"), "app.users", "country");
  };
  for (const auto& body : std::vector<std::string>{
           "LOOP " + batch + "COMMIT; RAISE NOTICE 'one more'; EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP " + batch + count +
               "COMMIT; total := total + n; PERFORM pg_sleep(0.1); EXIT WHEN n = 0; END LOOP;",
           "LOOP " + batch + count + "IF n > 0 THEN RAISE NOTICE '%', n; END IF; EXIT WHEN n = 0; " + other +
               "END LOOP;",
           "LOOP " + other + batch + "EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP BEGIN " + batch + "END; EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP " + dynamic + count + "EXIT WHEN n = 0; END LOOP;",
           batch + "WHILE FOUND LOOP COMMIT; " + batch + "END LOOP;",
           "WHILE EXISTS (SELECT FROM app.users WHERE country IS NULL) LOOP " + skips + "COMMIT; END LOOP;",
           "LOOP " + skips + batch + "EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP UPDATE app.users u SET country = 'DE' FROM (SELECT a, b FROM app.users WHERE country IS "
           "NULL LIMIT 5) x "
           "WHERE x.a = u.a AND x.b = u.b AND u.country IS NULL; EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP UPDATE app.users SET country = 'DE' WHERE country IS NULL; EXIT WHEN NOT FOUND; END LOOP;",
       }) {
    INFO(body);
    CHECK(fills(body));
  }
  for (const auto& body : std::vector<std::string>{
           "WHILE FOUND LOOP " + batch + "END LOOP;",
           "LOOP " + skips + "EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP " + skips + count + "EXIT WHEN n = 0; END LOOP;",
           batch + "WHILE FOUND LOOP " + skips + "END LOOP;",
           "LOOP EXECUTE 'UPDATE app.users SET country = ''DE'' WHERE id IN (SELECT id FROM app.users WHERE "
           "country IS NULL LIMIT 5 FOR UPDATE SKIP LOCKED)'; " +
               count + "EXIT WHEN n = 0; END LOOP;",
           other + "WHILE FOUND LOOP " + batch + "END LOOP;",
           batch + "WHILE FOUND LOOP " + batch + other + "END LOOP;",
           batch + "PERFORM 1 WHERE false; WHILE FOUND LOOP " + batch + "END LOOP;",
           "LOOP EXIT WHEN NOT FOUND; " + batch + "END LOOP;",
           batch + "LOOP EXIT WHEN NOT FOUND; " + batch + other + "END LOOP;",
           "LOOP EXIT WHEN n = 0; " + batch + count + "END LOOP;",
           batch + count + "LOOP EXIT WHEN n = 0; " + batch + "END LOOP;",
           "LOOP " + batch + other + "EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP " + batch + other + count + "EXIT WHEN n = 0; END LOOP;",
           "LOOP " + batch + count + other + count + "EXIT WHEN n = 0; END LOOP;",
           "LOOP " + batch + count + "n := 0; EXIT WHEN n = 0; END LOOP;",
           "LOOP " + batch + count + "SELECT 0 INTO n; EXIT WHEN n = 0; END LOOP;",
           "LOOP " + batch + "PERFORM 1 WHERE false; EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP " + dynamic + "EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP " + batch + "FOR i IN 1..0 LOOP NULL; END LOOP; EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP " + batch + "IF true THEN DELETE FROM x; END IF; EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP " + batch + "IF true THEN " + batch + count + "END IF; EXIT WHEN n = 0; END LOOP;",
           "LOOP " + batch + "IF false THEN " + batch + count + "ELSE EXIT WHEN n = 0; END IF; END LOOP;",
           "LOOP " + batch + "ROLLBACK; EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP WITH done AS (UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users "
           "WHERE country IS "
           "NULL LIMIT 5) RETURNING id) SELECT id INTO n FROM done WHERE id > 5; EXIT WHEN NOT FOUND; END "
           "LOOP;",
           "LOOP UPDATE app.users SET country = 'DE' WHERE id IN (SELECT id FROM app.users WHERE country IS "
           "NULL LIMIT 5) "
           "AND id < 9; EXIT WHEN NOT FOUND; END LOOP;",
           "LOOP UPDATE app.users u SET country = 'DE' FROM (SELECT id FROM app.users WHERE country IS NULL "
           "LIMIT 5) x "
           "WHERE x.id = u.id AND x.id = 9; EXIT WHEN NOT FOUND; END LOOP;",
       }) {
    INFO(body);
    CHECK_FALSE(fills(body));
  }
}
