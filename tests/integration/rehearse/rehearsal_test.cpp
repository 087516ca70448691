/// Rehearsals on a real server: what is found must be what the server did.
#include "catch.hpp"
#include "golden.hpp"

#include "staithe/stage/clone.hpp"
#include "staithe/stage/rehearse.hpp"
#include "staithe/stage/snapshot.hpp"
#include "staithe/stage/snapshots.hpp"

#include <algorithm>
#include <string_view>
#include <thread>

using namespace golden;

namespace {

stage::RehearsalReport rehearse(const std::string& sql, stage::RehearsalSettings settings = {},
                                stage::Passes passes = {false, false, false}, const std::string& down = {},
                                std::vector<std::string> partial = {}, std::vector<std::string> masked = {},
                                const std::string& production = {}) {
  diag::Diagnostics diagnostics;
  stage::MigrationSources sources{{{"1.sql", sql}}, {}};
  if (!down.empty()) sources.down["1.sql"] = {"1.down.sql", down};
  stage::RehearsalPlan plan;
  plan.snapshot = "golden";
  plan.files = stage::read_migrations(sources, diagnostics);
  REQUIRE_FALSE(diagnostics.has_errors());
  plan.settings = std::move(settings);
  plan.passes = passes;
  plan.partial = std::move(partial);
  plan.masked = std::move(masked);
  plan.snapshot_version = production;
  Deaf deaf;
  const auto as_it_is = [](const std::string& text) { return text; };
  static int number = 0;
  const std::atomic<int> interrupted{143};
  auto end = stage::run_rehearsal(plan, {server().url(), {}, "run" + std::to_string(++number), {}, as_it_is},
                                  deaf, soon(), interrupted);
  INFO(end.finished.failure);
  REQUIRE(end.report);
  auto report = std::move(*end.report);
  pg::Session cluster(server().url(), {}, soon());
  CHECK(stage::list_clones(cluster, soon()).empty());
  return report;
}

stage::RehearsalSettings short_reader(int milliseconds) {
  stage::RehearsalSettings settings;
  settings.open_transaction = base::Duration{milliseconds};
  return settings;
}

bool has(const stage::RehearsalReport& report, const std::string& code) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const auto& f) { return f.code == code; });
}
const stage::Finding& finding(const stage::RehearsalReport& report, std::string_view code) {
  for (const auto& one : report.findings)
    if (one.code == code) return one;
  FAIL("no finding " << code);
  return report.findings.front();
}
bool did(const stage::StatementReport& statement, stage::Deed::Kind kind) {
  return std::any_of(statement.deeds.begin(), statement.deeds.end(),
                     [&](const auto& d) { return d.kind == kind; });
}
bool locked(const stage::StatementReport& statement, const std::string& object, const std::string& mode) {
  return std::any_of(statement.locks.begin(), statement.locks.end(),
                     [&](const auto& l) { return l.object == object && l.mode == mode; });
}

}  // namespace

TEST_CASE("what nobody foresaw ends a rehearsal like any other failure: told, and without a clone") {
  struct Listener final : event::EventSink {
    event::RunFinished told;
    std::string failed_step;
    void on_event(const event::Event& event) noexcept override {
      if (const auto* end = std::get_if<event::RunFinished>(&event.payload)) told = *end;
      if (const auto* step = std::get_if<event::ActionFinished>(&event.payload);
          step != nullptr && step->outcome == event::Outcome::failed)
        failed_step = step->step;
    }
  } listener;
  stage::RehearsalPlan plan;
  plan.snapshot = "golden";
  diag::Diagnostics diagnostics;
  plan.files = stage::read_migrations({{{"1.sql", "SELECT 1"}}, {}}, diagnostics);
  plan.settings.checks = {"echo no; exit 1"};
  plan.passes = {false, false, false};
  const auto no_memory = [](const std::string&) -> std::string { throw std::bad_alloc(); };
  const std::atomic<int> interrupted{143};
  const auto end =
      stage::run_rehearsal(plan, {server().url(), {}, "run-c", {}, no_memory}, listener, soon(), interrupted);
  CHECK_FALSE(end.report);
  CHECK(end.finished.exit_code == 4);
  CHECK(listener.told.exit_code == 4);
  CHECK(listener.told.verdict == "refused");
  CHECK(listener.told.failed_action == listener.failed_step);
  CHECK_FALSE(listener.failed_step.empty());
  pg::Session cluster(server().url(), {}, soon());
  CHECK(stage::list_clones(cluster, soon()).empty());
}

TEST_CASE("SET NOT NULL over NULLs: count, keys, and the backfill that is missing") {
  const auto report = rehearse("ALTER TABLE app.users ALTER country SET NOT NULL", {}, {false, false, true});
  CHECK_FALSE(report.passed);
  REQUIRE(report.statements.size() == 1);
  REQUIRE(report.statements[0].failure);
  REQUIRE(report.statements[0].failure->violation);
  const auto& violation = *report.statements[0].failure->violation;
  CHECK(violation.violating == 1000);
  CHECK(violation.total == 5000);
  CHECK(violation.first_key == "5");
  CHECK(violation.last_key == "5000");
  CHECK(violation.histogram.size() == 10);
  CHECK(violation.backfill_set == "\"country\" = 'DE'");
  const auto& advice = finding(report, "fails-not-null").instead;
  REQUIRE(advice);
  CHECK(advice->verdict == stage::Advice::Verdict::passed);
}

TEST_CASE("other constraints: the rows in their way") {
  const auto violation = [](const std::string& sql) {
    const auto report = rehearse(sql);
    REQUIRE_FALSE(report.passed);
    REQUIRE(report.statements.back().failure);
    INFO(report.statements.back().failure->message);
    REQUIRE(report.statements.back().failure->violation);
    return *report.statements.back().failure->violation;
  };
  const auto check = violation("ALTER TABLE app.orders ADD CHECK (total < 5000)");
  CHECK(check.kind == "check");
  CHECK(check.violating == 11);
  const auto foreign = violation("ALTER TABLE app.orders ADD FOREIGN KEY (user_id) REFERENCES app.users");
  CHECK(foreign.kind == "foreign key");
  CHECK(foreign.violating == 10);
  CHECK(foreign.first_key == "5001");
  const auto unique = violation("CREATE UNIQUE INDEX ON app.users (email)");
  CHECK(unique.kind == "unique");
  CHECK(unique.violating == 1);
  const auto type = violation("ALTER TABLE app.filled ALTER b TYPE int USING b::int");
  CHECK(type.kind == "type");
  CHECK(type.violating == 1);
  CHECK(type.first_key == "7");
}

TEST_CASE("what the server did: rewrite, scan, scan skipped, index build") {
  const auto report = rehearse(
      "-- staithe: no-transaction\nALTER TABLE app.filled ADD COLUMN token uuid DEFAULT gen_random_uuid();"
      "ALTER TABLE app.filled ALTER a SET NOT NULL;"
      "ALTER TABLE app.filled ADD CONSTRAINT b_there CHECK (b IS NOT NULL) NOT VALID;"
      "ALTER TABLE app.filled VALIDATE CONSTRAINT b_there;"
      "ALTER TABLE app.filled ALTER b SET NOT NULL;"
      "CREATE INDEX filled_b ON app.filled (b);"
      "CREATE TABLE app.fresh (id int); ALTER TABLE app.fresh ADD CHECK (id > 0)");
  INFO(stage::to_json(report));
  REQUIRE(report.statements.size() == 8);
  CHECK(did(report.statements[0], stage::Deed::Kind::rewrite));
  CHECK(has(report, "rewrite"));
  CHECK(did(report.statements[1], stage::Deed::Kind::scan));
  CHECK(did(report.statements[4], stage::Deed::Kind::scan_skipped));
  CHECK_FALSE(did(report.statements[4], stage::Deed::Kind::scan));
  CHECK(did(report.statements[5], stage::Deed::Kind::index_build));
  CHECK(locked(report.statements[0], "app.filled", "AccessExclusiveLock"));
  CHECK(locked(report.statements[5], "app.filled", "ShareLock"));
  CHECK(report.statements[0].wal_bytes > 10'000);
  CHECK(std::any_of(report.disagreements.begin(), report.disagreements.end(), [](const std::string& text) {
    return text.find("already proves it") != std::string::npos;
  }));
  for (const auto& lock : report.statements[7].locks)
    if (lock.object == "app.fresh") CHECK(lock.is_new);

  // In one transaction a lock belongs to who took it first, and lasts to the end.
  const auto together =
      rehearse("LOCK TABLE app.filled; ALTER TABLE app.filled ALTER a SET NOT NULL; SELECT pg_sleep(0.2)");
  REQUIRE_FALSE(together.statements[0].locks.empty());
  CHECK(together.statements[0].locks[0].held > std::chrono::milliseconds(200));
  CHECK(together.disagreements.empty());
}

TEST_CASE("a lock that is kept to the end of its transaction is there for every statement behind it") {
  // What is looked at between two statements takes longer than the last of them.
  const auto report = rehearse(
      "LOCK TABLE app.users; SELECT 1; SELECT 2; SELECT 3; SELECT 4; ALTER TABLE app.users RENAME country TO "
      "land");
  INFO(stage::to_json(report));
  REQUIRE(report.statements.size() == 7);
  const auto& lock = report.statements[0].locks.at(0);
  const auto& commit = report.statements[6];
  CHECK(commit.text == "COMMIT");
  CHECK(lock.from + lock.held >= commit.began);
  CHECK(lock.from + lock.held < commit.began + commit.took + std::chrono::milliseconds(500));
  stage::Micros statements{0};
  for (const auto& one : report.statements) statements += one.took;
  CHECK(lock.held < statements + std::chrono::milliseconds(500));
  CHECK(report.disagreements.empty());
}

TEST_CASE("CONCURRENTLY is traced, and what it leaves behind when it fails") {
  const auto good =
      rehearse("-- staithe: no-transaction\nCREATE INDEX CONCURRENTLY users_tenant ON app.users (tenant)");
  CHECK(good.passed);
  CHECK(locked(good.statements[0], "app.users", "ShareUpdateExclusiveLock"));
  const auto quick = rehearse(
      "-- staithe: no-transaction\nCREATE INDEX CONCURRENTLY i ON app.users (email); REINDEX INDEX "
      "CONCURRENTLY app.i; DROP INDEX CONCURRENTLY app.i; VACUUM app.filled");
  REQUIRE(quick.passed);
  for (std::size_t i = 0; i < 3; ++i) {
    INFO(quick.statements[i].text);
    CHECK(locked(quick.statements[i], "app.users", "ShareUpdateExclusiveLock"));
  }
  CHECK(locked(quick.statements[3], "app.filled", "ShareUpdateExclusiveLock"));
  // One that gives up sooner than anybody can look is not made to fail by that.
  CHECK(rehearse("-- staithe: no-transaction\n-- staithe: lock-timeout 1ms\nCREATE INDEX CONCURRENTLY i ON "
                 "app.users (email)")
            .passed);
  const auto bad =
      rehearse("-- staithe: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY e ON app.users (email)");
  CHECK_FALSE(bad.passed);
  CHECK(has(bad, "invalid-index"));
}

TEST_CASE("what filling a column sets off is said, and what an UPDATE cost") {
  server().sql(
      "CREATE FUNCTION app.told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE "
      "TRIGGER "
      "told BEFORE UPDATE OF country ON app.users FOR EACH ROW EXECUTE FUNCTION app.told(); CREATE TRIGGER "
      "other BEFORE UPDATE OF email ON app.users FOR EACH ROW EXECUTE FUNCTION app.told(); CREATE INDEX "
      "by_country ON app.users (country); CREATE PUBLICATION feed FOR TABLE app.users; CREATE TABLE "
      "app.roomy "
      "(id int PRIMARY KEY, v int) WITH (fillfactor = 40); INSERT INTO app.roomy SELECT g, g FROM "
      "generate_series(1, 1000) g",
      "golden");
  const std::vector<std::string> effects{"trigger told calls told for each row",
                                         "index app.by_country holds the column, so that no update is HOT",
                                         "fillfactor is 100, so that few updates of old rows are HOT",
                                         "publication feed sends every updated row"};
  const auto failed = rehearse("ALTER TABLE app.users ALTER country SET NOT NULL");
  REQUIRE(failed.statements[0].failure);
  REQUIRE(failed.statements[0].failure->violation);
  CHECK(failed.statements[0].failure->violation->side_effects == effects);
  const auto filled = rehearse(
      "UPDATE app.users SET country = 'FR' WHERE country IS NULL; UPDATE app.roomy SET v = 0 WHERE id <= "
      "100; "
      "SET LOCAL work_mem = '64kB'; CREATE TABLE app.sorted AS SELECT md5(g::text) AS v FROM "
      "generate_series(1, 50000) g ORDER BY 1");
  INFO(stage::to_json(filled));
  auto told = filled.statements[0].side_effects;
  CHECK(std::is_permutation(told.begin(), told.end(), effects.begin(), effects.end()));
  REQUIRE(filled.statements[0].touched.size() == 1);
  CHECK(filled.statements[0].touched[0].updated == 1000);
  CHECK(filled.statements[0].touched[0].hot == 0);
  REQUIRE(filled.statements[1].touched.size() == 1);
  CHECK(filled.statements[1].touched[0].hot == 100);
  CHECK(filled.temp_bytes > 1'000'000);
  CHECK(filled.wal_bytes > 100'000);
  server().sql(
      "DROP FUNCTION app.told CASCADE; DROP INDEX app.by_country; DROP PUBLICATION feed; DROP TABLE "
      "app.roomy",
      "golden");
}

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

TEST_CASE("under load and with an open transaction, stalls are measured") {
  // The window is held open until somebody of the workload stands in the queue, where there is a workload.
  const auto report = rehearse(
      "ALTER TABLE app.users ADD COLUMN x int; DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM "
      "pg_stat_clear_snapshot(); EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = "
      "current_database() AND application_name = 'staithe clone workload') OR EXISTS (SELECT FROM pg_locks l "
      "JOIN "
      "pg_stat_activity a USING (pid) WHERE NOT granted AND query LIKE 'SELECT%'); PERFORM pg_sleep(0.01); "
      "END LOOP; END $$; SELECT pg_sleep(0.5)",
      short_reader(600), {true, true, false});
  INFO(stage::to_json(report));
  REQUIRE(report.passes.size() == 3);
  CHECK(report.passes[1].load_runs > 0);
  stage::Micros worst{0};
  for (const auto& one : report.statements) worst = std::max(worst, one.worst_read_stall);
  CHECK(worst > std::chrono::milliseconds(300));
  CHECK(report.statements[0].open_measured);
  CHECK(report.statements[0].open_stall > std::chrono::milliseconds(400));

  const auto polite = rehearse("-- staithe: lock-timeout 100ms\nALTER TABLE app.users ADD COLUMN x int",
                               short_reader(20'000), {false, true, false});
  CHECK(polite.statements[0].open_stall < std::chrono::seconds(10));
}

TEST_CASE("what fails only under load does not pass") {
  const auto report = rehearse(
      "ALTER TABLE app.users ADD COLUMN x int;\nDO $$ BEGIN IF EXISTS (SELECT FROM pg_stat_activity WHERE "
      "datname = current_database() AND application_name = 'staithe clone workload') THEN RAISE EXCEPTION "
      "'too "
      "busy'; END IF; END $$",
      {}, {true, false, false});
  INFO(stage::to_json(report));
  CHECK_FALSE(report.passed);
  CHECK(report.verdict.find("safe") == std::string::npos);
  const auto& failed = finding(report, "fails-under-load");
  CHECK(failed.gate);
  CHECK(failed.line == 2);
  CHECK(failed.text.find("too busy") != std::string::npos);
}

TEST_CASE("what fails only with a reader's transaction open does not pass") {
  const auto report = rehearse("SET statement_timeout = '1s';\nALTER TABLE app.users ADD COLUMN x int", {},
                               {false, true, false});
  INFO(stage::to_json(report));
  CHECK_FALSE(report.passed);
  const auto& failed = finding(report, "fails-with-open-transaction");
  CHECK(failed.gate);
  CHECK(failed.line == 2);
}

TEST_CASE("a sequence has readers too") {
  const auto report =
      rehearse("ALTER SEQUENCE app.orders_id_seq AS bigint MAXVALUE 1000000; SELECT pg_sleep(0.7)", {},
               {true, false, false});
  INFO(stage::to_json(report));
  const auto pass = std::find_if(report.passes.begin(), report.passes.end(),
                                 [](const auto& one) { return one.name == "under load"; });
  REQUIRE(pass != report.passes.end());
  CHECK(pass->load_runs > pass->load_errors);
  // Whoever takes its next value queues behind what keeps no reader out.
  stage::Micros worst{0};
  for (const auto& one : report.statements) worst = std::max(worst, one.worst_write_stall);
  CHECK(worst > std::chrono::milliseconds(300));
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
