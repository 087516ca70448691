/// Rehearsals on a real server: what is found must be what the server did.
#include "rehearsing.hpp"

using namespace golden;

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
  CHECK(lock.from + lock.held < commit.began + commit.took + std::chrono::seconds(5));
  stage::Micros statements{0};
  for (const auto& one : report.statements) statements += one.took;
  CHECK(lock.held < statements + std::chrono::seconds(5));
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
