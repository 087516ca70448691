/// What keeps a rehearsal from passing.
#include "rehearsing.hpp"

using namespace golden;

TEST_CASE("budgets are the gate") {
  stage::RehearsalSettings settings;
  settings.budgets.rewrite_rows = 100;
  const auto rewrite = rehearse("ALTER TABLE app.filled ALTER a TYPE bigint", settings);
  CHECK_FALSE(rewrite.passed);
  CHECK(finding(rewrite, "rewrite").gate);
  settings.budgets.rewrite_rows = 100'000;
  settings.budgets.blocking = base::Duration{60'000};
  CHECK(rehearse("ALTER TABLE app.filled ALTER a TYPE bigint", settings).passed);
  settings = {};
  settings.budgets.blocking = base::Duration{100};
  const auto slow = rehearse("LOCK TABLE app.users; SELECT pg_sleep(0.4)", settings);
  CHECK_FALSE(slow.passed);
  CHECK(has(slow, "blocks-readers"));
}

TEST_CASE("locks that nobody could see are not safe") {
  const auto report = rehearse(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
      "application_name = 'staithe clone observer'; SELECT pg_sleep(1)");
  INFO(stage::to_json(report));
  CHECK_FALSE(report.passed);
  CHECK(report.verdict.find("safe") == std::string::npos);
  CHECK(finding(report, "not-observed").gate);
}

TEST_CASE("a lock that is short here and long by the rows of production does not pass") {
  const char* sql = "ALTER TABLE app.users ADD CHECK (id > 0)";
  // What is short here: a busy machine holds a lock for seconds that an idle one holds for a millisecond.
  stage::RehearsalSettings settings;
  settings.budgets.blocking = base::Duration{60'000};
  CHECK(rehearse(sql, settings).passed);
  settings.production_rows["app.users"] = 50'000'000'000;
  const auto report = rehearse(sql, settings);
  INFO(stage::to_json(report));
  CHECK(report.statements[0].times_rows > 9'000'000);
  CHECK(finding(report, "blocks-readers").gate);
  CHECK(finding(report, "blocks-readers").text.find("in production it would be for about") !=
        std::string::npos);
  CHECK_FALSE(report.passed);
  // What looks at no row is as short there.
  CHECK(rehearse("ALTER TABLE app.users ADD COLUMN x int", settings).passed);
}

TEST_CASE("tables that came without all of their rows do not pass where rows matter") {
  const auto on = [](const std::string& sql) {
    return rehearse(sql, {}, {false, false, false}, {}, {"app.orders", "app.users"});
  };
  for (const auto* sql :
       {"UPDATE app.users SET email = 'x' WHERE id = 1", "CREATE INDEX i ON app.users (email)",
        "ALTER TABLE app.users ADD CHECK (id > 0)", "ALTER TABLE app.users ALTER id TYPE int"}) {
    INFO(sql);
    const auto report = on(sql);
    const auto& partial = finding(report, "partial");
    CHECK(partial.gate);
    CHECK(partial.text.find("app.users") != std::string::npos);
    CHECK(partial.text.find("app.orders") == std::string::npos);
    CHECK_FALSE(report.passed);
  }
  CHECK_FALSE(has(on("ALTER TABLE app.users ADD COLUMN x int"), "partial"));
  CHECK_FALSE(has(rehearse("ALTER TABLE app.users ADD CHECK (id > 0)"), "partial"));
}

TEST_CASE("masked values are seen where the words of a statement do not show them") {
  server().sql(
      "CREATE FUNCTION app.longest() RETURNS int LANGUAGE sql AS 'SELECT max(length(email)) FROM app.users';"
      "CREATE VIEW app.mails AS SELECT email FROM app.users;"
      "CREATE FUNCTION app.gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.email = ''x'' THEN "
      "RETURN "
      "NULL; END IF; RETURN OLD; END'; CREATE TRIGGER gone BEFORE DELETE ON app.users FOR EACH ROW EXECUTE "
      "FUNCTION app.gone(); CREATE FUNCTION app.emptied() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
      "max(email) "
      "FROM app.users; RETURN NULL; END'; CREATE TRIGGER emptied AFTER TRUNCATE ON app.filled EXECUTE "
      "FUNCTION "
      "app.emptied()",
      "golden");
  const auto masked = [](const std::string& sql) {
    return has(rehearse(sql, {}, {false, false, false}, "", {}, {"app.users.email"}), "masked");
  };
  const auto* own = "-- staithe: no-transaction\n";
  for (const auto* sql :
       {"DO $$ BEGIN IF EXISTS (SELECT FROM app.users WHERE email = 'x') THEN RAISE 'no'; END IF; END $$",
        "SELECT app.longest()", "CREATE TABLE app.mine AS SELECT email FROM app.mails",
        "WITH a AS (SELECT email FROM app.users) INSERT INTO app.filled SELECT -1, length(max(email)) FROM a",
        "ALTER TABLE app.users ADD COLUMN size int GENERATED ALWAYS AS (length(email)) STORED",
        // The trigger is nobody's words, and of the second nothing is left at the end.
        "DELETE FROM app.users WHERE id < 9",
        "CREATE FUNCTION app.of(v bigint) RETURNS int LANGUAGE sql AS 'SELECT length(email) FROM app.users "
        "WHERE id = v'; UPDATE app.users SET tenant = app.of(id) WHERE id < 9; DROP FUNCTION app.of",
        // The second asks for no lock that the first has not.
        "UPDATE app.users SET tenant = 1 WHERE id = 1; SELECT max(id) FROM app.users; SELECT "
        "app.longest()"}) {
    INFO(sql);
    CHECK(masked(sql));
    CHECK(masked(own + std::string(sql)));
  }
  for (const auto* sql :
       {"DO $$ BEGIN PERFORM 1 FROM app.filled; END $$", "SELECT count(*) FROM app.users",
        "CREATE FUNCTION app.mail() RETURNS text LANGUAGE sql AS 'SELECT max(email) FROM app.users'",
        "ALTER TABLE app.users ADD COLUMN more int; DO $$ BEGIN NULL; END $$"}) {
    INFO(sql);
    CHECK_FALSE(masked(sql));
    CHECK_FALSE(masked(own + std::string(sql)));
  }
  for (const auto* sql :
       {"CREATE FUNCTION app.look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.email = ''x'' THEN "
        "RETURN NULL; "
        "END IF; RETURN NEW; END'; CREATE TRIGGER look BEFORE UPDATE ON app.users FOR EACH ROW EXECUTE "
        "FUNCTION "
        "app.look(); UPDATE app.users SET tenant = 1 WHERE id < 9; DROP FUNCTION app.look CASCADE",
        "SET check_function_bodies = off; DO $$ BEGIN EXECUTE 'CREATE FUNCTION app.of(v bigint) RETURNS int "
        "LANGUAGE "
        "sql AS ''SELECT length(email) FROM app.users WHERE id = v'''; END $$; UPDATE app.users SET tenant = "
        "app.of(id) "
        "WHERE id < 9; DO $$ BEGIN EXECUTE 'DROP FUNCTION app.of'; END $$",
        "TRUNCATE app.filled"}) {
    INFO(sql);
    CHECK(masked(sql));
  }
  // Rows that are only read count as well where some are not there.
  CHECK(has(rehearse("CREATE TABLE app.mine AS SELECT id FROM app.users", {}, {false, false, false}, "",
                     {"app.users"}),
            "partial"));
  server().sql("DROP FUNCTION app.longest; DROP VIEW app.mails; DROP FUNCTION app.gone, app.emptied CASCADE",
               "golden");
}

TEST_CASE("what production's server does not know fails there") {
  const auto on = [](const std::string& version, const std::string& sql) {
    return rehearse(sql, {}, {false, false, false}, {}, {}, {}, version);
  };
  const auto here = server().sql("SHOW server_version");
  const std::string sql =
      "ALTER TABLE app.users ADD COLUMN x int;\nCREATE UNIQUE INDEX x ON app.users (x, id) NULLS NOT "
      "DISTINCT";
  const auto older = on("14.9 (Debian 14.9-1)", sql);
  INFO(stage::to_json(older));
  CHECK_FALSE(older.passed);
  CHECK(finding(older, "version-skew").severity == stage::Severity::warning);
  CHECK(finding(older, "unknown-in-production").line == 2);
  CHECK(finding(older, "unknown-in-production").text.find("14.9") != std::string::npos);
  for (const auto& version : {here, std::string()}) {
    CHECK(on(version, sql).passed);
    CHECK_FALSE(has(on(version, sql), "version-skew"));
  }
  const auto newer = on("99.1", sql);
  CHECK(newer.passed);
  CHECK(has(newer, "version-skew"));
  // A function of one's own has the name of a later one of the server's.
  CHECK(on("14.9",
           "CREATE FUNCTION app.regexp_count(t text) RETURNS int LANGUAGE sql AS 'SELECT 1'; SET LOCAL "
           "search_path "
           "= app, public; SELECT regexp_count(email) FROM app.users LIMIT 1")
            .passed);
}

TEST_CASE("plans, assertions, and a way back that is none") {
  stage::RehearsalSettings settings;
  settings.queries = {{"by country", "SELECT id FROM app.users WHERE country = $1"}};
  settings.checks = {"case $DATABASE_URL in */staithe_rehearsal_*) ;; *) exit 3;; esac",
                     "echo \"cannot log in\" >&2; exit 7"};
  settings.assertions = {{"all there", "SELECT count(*) = 5000 FROM app.users"},
                         {"wrong", "SELECT count(*) = 1 FROM app.users"}};
  const auto report = rehearse(
      "ALTER TABLE app.users RENAME country TO land; UPDATE app.users SET land = 'FR'", settings,
      {false, false, false}, "ALTER TABLE app.users RENAME land TO country; CREATE TABLE app.rest ()");
  CHECK_FALSE(report.passed);
  CHECK(has(report, "breaks-statement"));
  REQUIRE(report.checks.size() == 4);
  CHECK(report.checks[0].passed);
  CHECK_FALSE(report.checks[1].passed);
  CHECK(report.checks[2].passed);
  CHECK_FALSE(report.checks[3].passed);
  CHECK(report.checks[3].detail.find("7") != std::string::npos);
  CHECK(report.checks[3].detail.find("cannot log in") != std::string::npos);
  REQUIRE(report.down);
  CHECK_FALSE(report.down->passed);
  CHECK(report.down->schema_difference == std::vector<std::string>{"+ table app.rest"});
  CHECK(report.down->data_difference == std::vector<std::string>{"app.users"});
}
