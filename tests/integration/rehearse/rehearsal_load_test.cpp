/// Rehearsals beside a workload and beside a transaction that stays open.
#include "rehearsing.hpp"

using namespace golden;

TEST_CASE("under load and with an open transaction, stalls are measured") {
  // The window is held open until somebody of the workload stands in the queue, where there is a workload.
  const auto report = rehearse(
      "ALTER TABLE app.users ADD COLUMN x int; DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM "
      "pg_stat_clear_snapshot(); EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = "
      "current_database() AND application_name = 'staithe clone workload') OR EXISTS (SELECT FROM pg_locks l "
      "JOIN "
      "pg_stat_activity a USING (pid) WHERE NOT granted AND query LIKE 'SELECT%'); PERFORM pg_sleep(0.01); "
      "END LOOP; END $$; SELECT pg_sleep(0.5)",
      short_reader(2'000), {true, true, false});
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
      rehearse("ALTER SEQUENCE app.orders_id_seq AS bigint MAXVALUE 1000000; SELECT pg_sleep(2)", {},
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
