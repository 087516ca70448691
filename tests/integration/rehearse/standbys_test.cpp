/// Who is a standby: not one that reads changes through a logical slot.
#include "catch.hpp"
#include "golden.hpp"
#include "lag_clock.hpp"

#include "staithe/pg/session.hpp"

#include <thread>

using namespace golden;

TEST_CASE("a subscriber is no standby that anybody waits for") {
  test::Postgres primary({"wal_level=logical"});
  primary.sql("CREATE DATABASE copy");
  primary.sql("CREATE TABLE t (id int PRIMARY KEY)");
  primary.sql("CREATE PUBLICATION p FOR TABLE t");
  primary.sql("SELECT pg_create_logical_replication_slot('changes', 'pgoutput')");
  primary.sql("CREATE TABLE t (id int PRIMARY KEY)", "copy");
  primary.sql("CREATE SUBSCRIPTION s CONNECTION " + pg::quoted_literal(primary.url()) +
                  " PUBLICATION p WITH (create_slot = false, slot_name = 'changes', copy_data = false)",
              "copy");
  const auto seen = [&] {
    return primary.sql(
        "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn IS NOT NULL");
  };
  const auto patience = Scope::lasting(std::chrono::seconds(60));
  while (seen() != "1" && !patience.expired()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(seen() == "1");
  CHECK(primary.sql("SELECT count(*) FROM pg_stat_replication WHERE " + stage::is_standby) == "0");
  pg::Session session(primary.url(), {}, soon());
  const auto positions = session.run("SELECT " + stage::lag_positions, soon());
  CHECK(positions.rows.at(0)[0]);
  CHECK_FALSE(positions.rows.at(0)[1]);
}
