/// Which of production's statements run on a clone: none that would act outside of it.
#include "replay.hpp"

#include "catch.hpp"
#include "golden.hpp"
#include "query_plans.hpp"
#include "workload.hpp"

#include "staithe/stage/clone.hpp"

#include <thread>

using namespace golden;

namespace {

/// A database of its own, with what would act outside of it. What it does is seen by a lock that no rollback
/// and no read-only transaction takes back.
struct Shop {
  Shop() {
    server().sql("CREATE DATABASE replays");
    server().sql(
        // Plans are compared: nobody counts its rows in between.
        "CREATE TABLE orders (id int PRIMARY KEY, total int) WITH (autovacuum_enabled = off); INSERT INTO "
        "orders SELECT g, g FROM "
        "generate_series(1, 100) g; CREATE SEQUENCE trace; CREATE SCHEMA \"Q\"",
        "replays");
    const std::string acts =
        " LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(4711); RETURN 1; END $$; ";
    server().sql("CREATE FUNCTION push(int) RETURNS int" + acts +
                     "CREATE FUNCTION pushed(orders) RETURNS int STABLE" + acts +
                     "CREATE FUNCTION fixed(int) RETURNS int IMMUTABLE" + acts +
                     "CREATE FUNCTION steady() RETURNS int STABLE" + acts +
                     "CREATE FUNCTION \"Q\".\"Push It\"() RETURNS int" + acts +
                     "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
                     "pg_advisory_lock(4711); RETURN NULL; END $$; "
                     "CREATE FUNCTION counts() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN "
                     "nextval('trace'); END $$; "
                     "CREATE FUNCTION unfolds() RETURNS int LANGUAGE sql AS 'SELECT fixed(1)'",
                 "replays");
    server().sql(
        "CREATE VIEW plain AS SELECT id, total FROM orders; "
        "CREATE VIEW pushes AS SELECT push(id) AS p FROM orders; CREATE VIEW deep AS SELECT p FROM pushes; "
        "CREATE VIEW next AS SELECT nextval('trace') AS n FROM orders; "
        "CREATE VIEW folds AS SELECT fixed(1) AS p FROM orders; "
        "CREATE OPERATOR <+> (FUNCTION = fixed, RIGHTARG = int); CREATE VIEW signs AS SELECT <+> 1 AS p FROM "
        "orders; "
        "CREATE DOMAIN \"Num\" AS int CHECK (fixed(VALUE) = 1); CREATE DOMAIN deeper AS \"Num\"; CREATE TYPE "
        "pair AS (a deeper, b int); "
        "CREATE TABLE made (id int, d int DEFAULT fixed(1)); CREATE TABLE typed (d deeper); "
        "CREATE TABLE watched (id int, d int); INSERT INTO watched VALUES (1, 1); CREATE TRIGGER t AFTER "
        "UPDATE OR INSERT OR DELETE ON watched FOR EACH STATEMENT EXECUTE FUNCTION fires(); "
        "CREATE TABLE ruled (id int); CREATE RULE r AS ON UPDATE TO ruled DO ALSO SELECT fixed(2); "
        "CREATE TABLE parts (id int, total int) PARTITION BY RANGE (id); CREATE FOREIGN DATA WRAPPER w; "
        "CREATE SERVER far FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE part PARTITION OF parts FOR VALUES "
        "FROM (1) TO (9) SERVER far; CREATE FOREIGN TABLE afar (id int) SERVER far",
        "replays");
  }
  ~Shop() { server().sql("DROP DATABASE replays"); }

  /// The texts that would run beside a migration of these tables.
  static std::vector<std::string> kept(const std::vector<std::string>& texts, pg::Session& session) {
    std::vector<std::string> remarks;
    return kept(texts, session, base::Duration{5'000}, remarks);
  }
  static std::vector<std::string> kept(const std::vector<std::string>& texts, pg::Session& session,
                                       base::Duration patience, std::vector<std::string>& remarks) {
    std::vector<stage::Query> queries;
    for (const auto& text : texts) queries.push_back({"", text});
    std::vector<std::string> out;
    for (const auto& load :
         stage::replayed_loads(session, queries,
                               {"public.orders", "public.parts", "public.afar", "public.made", "public.ruled",
                                "public.watched", "public.typed"},
                               100, patience, remarks, soon())) {
      CHECK(load.read_only);
      out.push_back(load.sql);
    }
    return out;
  }
  static bool is_untouched() {
    return server().sql(
               "SELECT NOT is_called AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND "
               "objid = 4711) FROM trace",
               "replays") == "t";
  }
};

stage::QueryPlan planned(pg::Session& session, const std::string& sql, stage::Whose whose) {
  return stage::plan_of(session, {"", sql, 1, 0, {}, {}}, whose, soon());
}

/// With functions that the planner runs, or that nothing is known of.
constexpr const char* acting_when_planned[] = {"SELECT fixed(1) FROM orders",
                                               "SELECT id FROM orders WHERE id = fixed(1)",
                                               "SELECT id FROM orders WHERE id < steady()",
                                               "SELECT o.pushed FROM orders o",
                                               "SELECT unfolds() FROM orders",
                                               "SELECT <+> 1 FROM orders",
                                               "SELECT * FROM folds",
                                               "SELECT * FROM signs",
                                               "SELECT id FROM orders WHERE id = 1::\"Num\"",
                                               "SELECT id FROM orders WHERE id = ANY ('{1}'::deeper[])",
                                               "SELECT ('(1,2)'::pair).b FROM orders",
                                               "SELECT (pair '(1,2)').b FROM orders",
                                               "SELECT U&\"\\0066ixed\"(1) FROM orders",
                                               "SELECT table_to_xml('pushes', true, true, '') FROM orders",
                                               "UPDATE orders SET total = fixed(1)",
                                               "DELETE FROM orders WHERE id = fixed(1)",
                                               "UPDATE typed SET d = $1",
                                               "INSERT INTO made (id) VALUES ($1)",
                                               "UPDATE ruled SET id = $1",
                                               "SELECT * FROM afar",
                                               "DELETE FROM parts WHERE id = $1",
                                               "SELECT * FROM parts WHERE id = $1"};

}  // namespace

TEST_CASE("no statement of production runs on a clone that would act outside of it") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  for (const auto* text : acting_when_planned) {
    INFO(text);
    CHECK(Shop::kept({text}, session).empty());
    CHECK(Shop::is_untouched());
  }
}

TEST_CASE("what would act or write is planned beside a migration, which waits for the same locks") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  for (const auto* text : {"SELECT push(o.id) FROM orders o",
                           "SELECT PUSH /* here */ (id) FROM orders",
                           "SELECT \"push\"(id) FROM public.orders",
                           "SELECT public.push(id) FROM orders WHERE id = $1 OR true",
                           "SELECT count(*) FROM orders WHERE \"Q\".\"Push It\"() = 1",
                           "SELECT nextval('trace') FROM orders",
                           "SELECT pg_catalog.nextval('trace') FROM orders",
                           "SELECT * FROM pushes",
                           "SELECT * FROM deep, orders",
                           "SELECT * FROM next",
                           "TABLE deep",
                           "WITH x AS (SELECT * FROM orders) SELECT push(1) FROM x",
                           "WITH x AS (UPDATE orders SET total = push(1) RETURNING 1) SELECT * FROM x",
                           "UPDATE orders SET total = push(1)",
                           "UPDATE watched SET d = $1",
                           "DELETE FROM watched",
                           "DELETE FROM orders WHERE id = $1",
                           "INSERT INTO orders SELECT push(1), 1 FROM orders",
                           "INSERT INTO orders VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET total = $2",
                           "SELECT total INTO kept FROM orders",
                           "SELECT id FROM orders FOR UPDATE"}) {
    INFO(text);
    const auto kept = Shop::kept({text}, session);
    if (std::string_view(text).starts_with("TABLE"))
      CHECK(kept.empty());
    else
      CHECK(kept == std::vector<std::string>{std::string("EXPLAIN ") + text});
    CHECK(Shop::is_untouched());
  }
  CHECK(server().sql("SELECT sum(total) FROM orders", "replays") == "5050");
}

TEST_CASE("a writer of production's waits for who keeps writers out, and for nobody else") {
  const Shop shop;
  const auto stalls = [&](const std::string& sql, const std::string& mode) {
    auto session = stage::connect_clone(server().url("replays"), "test", soon());
    std::vector<std::string> remarks;
    const auto loads = stage::replayed_loads(session, {{"", sql}}, {"public.watched", "public.typed"}, 1,
                                             base::Duration{5'000}, remarks, soon());
    REQUIRE(loads.size() == 1);
    auto ready = stage::ready_loads(session, loads, remarks, soon());
    REQUIRE(ready.size() == 1);
    CHECK(ready[0].writes == (sql.front() != 'S'));
    stage::Workload workload(server().url("replays"), ready, soon());
    while (workload.runs() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    session.run("BEGIN; LOCK TABLE watched IN " + mode + " MODE", soon());
    std::this_thread::sleep_for(std::chrono::seconds(2));
    session.run("COMMIT", soon());
    const auto had = workload.runs();
    while (workload.runs() < had + 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    stage::Micros longest{0};
    for (const auto& sample : workload.finish()) longest = std::max(longest, sample.lasted);
    CHECK(workload.errors() == 0);
    return longest > stage::Micros{1'000'000};
  };
  CHECK(stalls("UPDATE watched SET d = $1 WHERE id = $2", "SHARE"));
  CHECK(stalls("DELETE FROM watched WHERE id = $1", "SHARE ROW EXCLUSIVE"));
  CHECK_FALSE(stalls("UPDATE watched SET d = $1 WHERE id = $2", "SHARE UPDATE EXCLUSIVE"));
  CHECK_FALSE(stalls("SELECT d FROM watched WHERE id = $1", "SHARE"));
  CHECK(Shop::is_untouched());
}

TEST_CASE("planning production's statements runs no code but the server's own") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  for (const auto* text : acting_when_planned) {
    INFO(text);
    CHECK(planned(session, text, stage::Whose::production).shape.empty());
    CHECK(Shop::is_untouched());
  }
  for (const auto* text : {"SELECT push(id) FROM orders", "UPDATE orders SET total = push($1) WHERE id = $2",
                           "SELECT total FROM orders WHERE id = $1", "INSERT INTO orders VALUES ($1, $2)",
                           "SELECT id, d FROM made"}) {
    INFO(text);
    const auto plan = planned(session, text, stage::Whose::production);
    CHECK(plan.error.empty());
    CHECK_FALSE(plan.shape.empty());
    CHECK(Shop::is_untouched());
  }
  // What somebody declared may call what the migration may; it writes nothing all the same.
  CHECK(planned(session, "SELECT counts() FROM orders", stage::Whose::declared).error.find("read-only") !=
        std::string::npos);
  CHECK(Shop::is_untouched());
  CHECK_FALSE(planned(session, "SELECT fixed(1) FROM orders", stage::Whose::declared).shape.empty());
  CHECK_FALSE(Shop::is_untouched());
}

TEST_CASE("a statement that is not planned is still seen to break, and else counted") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  std::vector<stage::QueryPlan> before, after;
  const std::vector<std::string> texts{"SELECT fixed(1), total FROM orders",
                                       "SELECT fixed(1), id FROM orders", "SELECT nothing FROM orders",
                                       "SELECT id FROM orders WHERE id = $1"};
  for (const auto& text : texts) before.push_back(planned(session, text, stage::Whose::production));
  session.run("ALTER TABLE orders DROP COLUMN total CASCADE", soon());
  for (const auto& text : texts) after.push_back(planned(session, text, stage::Whose::production));
  const auto compared = stage::compare(before, after);
  REQUIRE(compared.changes.size() == 1);
  CHECK(compared.changes[0].kind == stage::PlanChange::Kind::broken);
  CHECK(compared.changes[0].query == texts[0]);
  CHECK(compared.unplanned == 1);
  CHECK(compared.skipped == 1);
  CHECK(Shop::is_untouched());
}

TEST_CASE("in a database with casts or classes of operators of somebody's own nothing of production's runs") {
  const Shop shop;
  server().sql(
      "CREATE TYPE box2 AS (a int); CREATE FUNCTION boxed(int) RETURNS box2 IMMUTABLE LANGUAGE plpgsql AS "
      "$$ BEGIN PERFORM pg_advisory_lock(4711); RETURN NULL; END $$; CREATE CAST (int AS box2) WITH "
      "FUNCTION boxed AS IMPLICIT; CREATE TABLE boxes (b box2)",
      "replays");
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  CHECK(Shop::kept({"SELECT total FROM orders WHERE id = $1"}, session).empty());
  CHECK(planned(session, "INSERT INTO boxes VALUES (1)", stage::Whose::production).shape.empty());
  CHECK(Shop::is_untouched());
}

TEST_CASE("a table whose policies hold for the role is not read on a clone by production's statements") {
  const Shop shop;
  server().sql("CREATE ROLE replayer");
  server().sql(
      "GRANT SELECT ON orders TO replayer; ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "
      "orders USING (push(id) = 1)",
      "replays");
  {
    auto session = stage::connect_clone(server().url("replays"), "test", soon());
    CHECK(Shop::kept({"SELECT total FROM orders"}, session).size() == 1);
    session.run("SET ROLE replayer", soon());
    CHECK(Shop::kept({"SELECT total FROM orders"}, session).empty());
    CHECK(Shop::is_untouched());
    session.run("RESET ROLE", soon());
  }
  server().sql("DROP OWNED BY replayer", "replays");
  server().sql("DROP ROLE replayer");
}

TEST_CASE("the policies that hold through a view are those for its owner") {
  const Shop shop;
  server().sql("CREATE ROLE viewer");
  server().sql(
      "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; GRANT SELECT ON orders TO viewer; CREATE POLICY p ON "
      "orders USING (push(id) = 1); CREATE TABLE folded (id int); ALTER TABLE folded ENABLE ROW LEVEL "
      "SECURITY; GRANT SELECT ON folded TO viewer; CREATE POLICY p ON folded USING (<+> 1 = 1); CREATE VIEW "
      "seen AS SELECT id FROM orders; ALTER VIEW seen OWNER TO viewer; CREATE VIEW folded_seen AS SELECT id "
      "FROM folded; ALTER VIEW folded_seen OWNER TO viewer",
      "replays");
  {
    auto session = stage::connect_clone(server().url("replays"), "test", soon());
    CHECK(Shop::kept({"SELECT id FROM seen"}, session) ==
          std::vector<std::string>{"EXPLAIN SELECT id FROM seen"});
    CHECK(Shop::kept({"SELECT f.id FROM folded_seen f, orders o"}, session).empty());
    CHECK(Shop::is_untouched());
  }
  server().sql("DROP OWNED BY viewer CASCADE", "replays");
  server().sql("DROP ROLE viewer");
}

TEST_CASE("what the planner folds with a table that a statement names is seen") {
  const Shop shop;
  server().sql(
      "CREATE TABLE folks (id int); CREATE TABLE kids (CHECK (fixed(1) = 1)) INHERITS (folks); CREATE TABLE "
      "figured (id int, n int); CREATE STATISTICS figures ON (id + fixed(1)), n FROM figured; CREATE TABLE "
      "shared (id int) PARTITION BY RANGE ((id + fixed(id))); CREATE TABLE share PARTITION OF shared "
      "DEFAULT; "
      "CREATE DOMAIN fine AS int CHECK (VALUE > fixed(1)); CREATE TABLE filled (id int, f fine)",
      "replays");
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  for (const auto* text :
       {"SELECT f.id FROM folks f, orders o WHERE f.id = $1",
        "SELECT f.n FROM figured f, orders o WHERE f.id = 1", "SELECT s.id FROM shared s, orders o",
        "UPDATE filled SET f = 1 FROM orders", "INSERT INTO filled (id) SELECT id FROM orders"}) {
    INFO(text);
    CHECK(Shop::kept({text}, session).empty());
    CHECK(planned(session, text, stage::Whose::production).shape.empty());
    CHECK(Shop::is_untouched());
  }
  CHECK(Shop::kept({"SELECT f.f FROM filled f, orders o"}, session).size() == 1);
}

TEST_CASE("a user's operator that words of SQL stand for need not show its sign") {
  const Shop shop;
  server().sql(
      "CREATE TYPE mood AS (a int); CREATE FUNCTION same(mood, mood) RETURNS bool IMMUTABLE LANGUAGE plpgsql "
      "AS $$ BEGIN PERFORM pg_advisory_lock(4711); RETURN true; END $$; CREATE OPERATOR = (FUNCTION = same, "
      "LEFTARG = mood, RIGHTARG = mood)",
      "replays");
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  for (const auto* text : {"SELECT id FROM orders WHERE ROW(1)::mood IN (ROW(1)::mood)",
                           "SELECT id FROM orders WHERE NULLIF(ROW(1)::mood, ROW(1)::mood) IS NULL"}) {
    INFO(text);
    CHECK(Shop::kept({text}, session).empty());
    CHECK(planned(session, text, stage::Whose::production).shape.empty());
    CHECK(Shop::is_untouched());
  }
}

TEST_CASE("a row that is filled from JSON brings its domains") {
  const Shop shop;
  server().sql("CREATE TABLE kept_rows (r pair); INSERT INTO kept_rows VALUES (NULL)", "replays");
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  for (const auto* text :
       {"SELECT jsonb_populate_record(k.r, jsonb_build_object(o.id, 1)) FROM kept_rows k, orders o",
        "SELECT json_populate_recordset(k.r, $1) FROM kept_rows k, orders o"}) {
    INFO(text);
    CHECK(Shop::kept({text}, session).empty());
    CHECK(Shop::is_untouched());
  }
}

TEST_CASE("a database with thousands of functions keeps its workload, and what is missing is said") {
  const Shop shop;
  server().sql(
      "DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE format('CREATE FUNCTION many_%s() RETURNS int LANGUAGE "
      "plpgsql AS ''BEGIN RETURN 1; END''', i); END LOOP; END $$",
      "replays");
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  std::vector<std::string> remarks;
  const std::string text = "SELECT total FROM orders WHERE id = $1";
  CHECK(Shop::kept({text}, session, base::Duration{100}, remarks) == std::vector<std::string>{text});
  CHECK(remarks.empty());
  const std::vector<std::string> fit{text, "SELECT id FROM watched"};
  CHECK(Shop::kept({fit[0], "SELECT fixed(1) FROM orders", "SELECT nothing FROM orders",
                    "SELECT $1 + $2 FROM orders", "SELECT p FROM plain p, ruled", fit[1], "DELETE FROM afar",
                    "SELECT 1"},
                   session, base::Duration{100}, remarks) == fit);
  CHECK(remarks ==
        std::vector<std::string>{
            "3 of 5 of production's statements on the same tables could not be run or planned beside "
            "the migration: the workload is without them",
            "2 of production's statements could not be prepared on the clone, so that nobody knows "
            "whether they work on the same tables: the workload is without them"});
}

TEST_CASE("a domain that a migration adds breaks no statement that has its name") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  std::vector<stage::QueryPlan> before, after;
  const std::vector<std::string> texts{"SELECT id AS sort, 'x' FROM orders",
                                       "SELECT total AS sort FROM orders", "SELECT id AS sort FROM orders"};
  for (const auto& text : texts) before.push_back(planned(session, text, stage::Whose::production));
  session.run("CREATE DOMAIN sort AS int CHECK (fixed(VALUE) = 1); ALTER TABLE orders DROP total CASCADE",
              soon());
  for (const auto& text : texts) after.push_back(planned(session, text, stage::Whose::production));
  CHECK(after[0].refused);
  const auto compared = stage::compare(before, after);
  REQUIRE(compared.changes.size() == 1);
  CHECK(compared.changes[0].kind == stage::PlanChange::Kind::broken);
  CHECK(compared.changes[0].query == texts[1]);
  CHECK(compared.unplanned == 2);
  CHECK(Shop::is_untouched());
}

TEST_CASE("what reads with the server's own functions runs on a clone") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  const std::vector<std::string> texts{
      "SELECT total FROM orders WHERE id = $1",
      "SELECT coalesce(max(total), $2), count(*) FROM orders o WHERE o.id IN ($1) AND lower(o.total::text) = "
      "$3",
      "WITH x AS (SELECT id FROM orders) SELECT id FROM x WHERE EXISTS (SELECT FROM orders)",
      "SELECT p.total FROM plain p WHERE p.id = $1",
      "TABLE orders",
      "SELECT now(), total::numeric(10, 2) FROM public.orders ORDER BY (total)"};
  CHECK(Shop::kept(texts, session) == texts);
  CHECK(Shop::is_untouched());
}

TEST_CASE("no patience at all is a short one") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  std::vector<std::string> remarks;
  const std::string slow = "SELECT count(*) FROM orders a, orders b, orders c";
  // Where the machine is busy it may not even be planned in so short a time: what is not is that it runs.
  for (const auto& kept : Shop::kept({slow}, session, base::Duration{0}, remarks))
    CHECK(kept == "EXPLAIN " + slow);
  CHECK(Shop::kept({slow}, session, base::Duration{60'000}, remarks) == std::vector<std::string>{slow});
}

TEST_CASE("what a statement takes with nobody else there is no waiting") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  std::vector<std::string> remarks;
  const auto loads =
      stage::replayed_loads(session, {{"", "SELECT count(*) FROM orders a, orders b, orders c"}},
                            {"public.orders"}, 1, base::Duration{60'000}, remarks, soon());
  REQUIRE(loads.size() == 1);
  CHECK(loads[0].alone > stage::Micros{10'000});
  const auto samples_of = [&](stage::Micros alone) {
    auto load = loads[0];
    load.alone = alone;
    stage::Workload workload(server().url("replays"), {{load, false, {}}}, soon());
    while (workload.runs() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return workload.finish().size();
  };
  CHECK(samples_of(stage::Micros{0}) >= 3);
  CHECK(samples_of(stage::Micros{100'000'000}) == 0);
}
