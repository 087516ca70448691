/// Which of production's statements run on a clone: none that would act outside of it.
#include "replay.hpp"

#include "catch.hpp"
#include "golden.hpp"
#include "workload.hpp"

#include "staithe/stage/clone.hpp"

#include <thread>

using namespace golden;

namespace {

/// A database of its own, in which a trace survives a rollback, and what would write one elsewhere.
struct Shop {
  Shop() {
    server().sql("CREATE DATABASE replays");
    server().sql(
        "CREATE TABLE orders (id int PRIMARY KEY, total int); INSERT INTO orders SELECT g, g FROM "
        "generate_series(1, 100) g; CREATE SEQUENCE trace; "
        "CREATE FUNCTION push(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('trace'); RETURN "
        "1; "
        "END $$; "
        "CREATE FUNCTION pushed(orders) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM "
        "nextval('trace'); RETURN 1; END $$; "
        "CREATE VIEW plain AS SELECT id, total FROM orders; "
        "CREATE VIEW pushes AS SELECT push(id) AS p FROM orders; CREATE VIEW deep AS SELECT p FROM pushes; "
        "CREATE VIEW next AS SELECT nextval('trace') AS n FROM orders; "
        "CREATE SCHEMA \"Q\"; CREATE FUNCTION \"Q\".\"Push It\"() RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM "
        "nextval('trace'); RETURN 1; END $$; "
        "CREATE TABLE parts (id int, total int) PARTITION BY RANGE (id); CREATE FOREIGN DATA WRAPPER w; "
        "CREATE "
        "SERVER far FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE part PARTITION OF parts FOR VALUES FROM (1) "
        "TO "
        "(9) SERVER far; CREATE FOREIGN TABLE afar (id int) SERVER far",
        "replays");
  }
  ~Shop() { server().sql("DROP DATABASE replays"); }

  /// The texts that would run beside a migration of these tables.
  static std::vector<std::string> kept(const std::vector<std::string>& texts, pg::Session& session) {
    std::vector<stage::Query> queries;
    for (const auto& text : texts) queries.push_back({"", text});
    std::vector<std::string> out;
    for (const auto& load :
         stage::replayed_loads(session, queries, {"public.orders", "public.parts", "public.afar"}, 100,
                               base::Duration{5'000}, soon())) {
      CHECK(load.read_only);
      out.push_back(load.sql);
    }
    return out;
  }
  static bool is_untouched() { return server().sql("SELECT is_called FROM trace", "replays") == "f"; }
};

}  // namespace

TEST_CASE("no statement of production runs on a clone that would act outside of it") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  for (const auto* text : {"SELECT push(o.id) FROM orders o",
                           "SELECT PUSH /* here */ (id) FROM orders",
                           "SELECT \"push\"(id) FROM public.orders",
                           "SELECT public.push(id) FROM orders WHERE id = $1 OR true",
                           "SELECT count(*) FROM orders WHERE \"Q\".\"Push It\"() = 1",
                           "SELECT o.pushed FROM orders o",
                           "SELECT U&\"\\0070ush\"(id) FROM orders",
                           "SELECT nextval('trace') FROM orders",
                           "SELECT pg_catalog.nextval('trace') FROM orders",
                           "SELECT * FROM pushes",
                           "SELECT * FROM deep, orders",
                           "SELECT * FROM next",
                           "TABLE deep",
                           "WITH x AS (SELECT * FROM orders) SELECT push(1) FROM x",
                           "SELECT table_to_xml('pushes', true, true, '') FROM orders",
                           "WITH x AS (UPDATE orders SET total = push(1) RETURNING 1) SELECT * FROM x",
                           "UPDATE orders SET total = push(1)",
                           "INSERT INTO orders SELECT push(1), 1 FROM orders",
                           "SELECT total INTO kept FROM orders",
                           "SELECT * FROM afar",
                           "SELECT * FROM parts WHERE id = $1",
                           "SELECT id FROM orders FOR UPDATE"}) {
    INFO(text);
    CHECK(Shop::kept({text}, session).empty());
    CHECK(Shop::is_untouched());
  }
}

TEST_CASE("a table whose policies hold for the role is not read on a clone by production's statements") {
  const Shop shop;
  server().sql("CREATE ROLE replayer");
  server().sql(
      "GRANT SELECT ON orders TO replayer; ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "
      "orders USING (push(id) = 1); GRANT ALL ON SEQUENCE trace TO replayer",
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

TEST_CASE("what a statement takes with nobody else there is no waiting") {
  const Shop shop;
  auto session = stage::connect_clone(server().url("replays"), "test", soon());
  const auto loads =
      stage::replayed_loads(session, {{"", "SELECT count(*) FROM orders a, orders b, orders c"}},
                            {"public.orders"}, 1, base::Duration{60'000}, soon());
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
