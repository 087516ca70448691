/// Which texts of production's statements leave it.
#include "statement_text.hpp"

#include "catch.hpp"

using namespace staithe;

TEST_CASE("a text of production's goes on without its comments when no value can stand in it") {
  CHECK(stage::text_with_no_value("SELECT a /* for 4711 */ FROM t WHERE b = $1 -- 'x'") ==
        "SELECT a FROM t WHERE b = $1");
  for (const auto* sql :
       {"SELECT a FROM t WHERE b = $12 LIMIT $2", "INSERT INTO t (a, b) VALUES ($1, $2)",
        "WITH n AS (INSERT INTO t SELECT $1 RETURNING a) SELECT a FROM n",
        "WITH n AS (MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE RETURNING t.a) SELECT a FROM "
        "n",
        "SELECT a, count(*) FROM t GROUP BY 1, 2 HAVING count(*) > $1 ORDER BY 2 DESC NULLS LAST, 1 LIMIT $2",
        "SELECT * FROM (SELECT a FROM t1 ORDER BY 1) x UNION SELECT b FROM t2 ORDER BY 1",
        "SELECT a::numeric(10, 2), CAST(b AS varchar(20)), c::vector(3), d::character varying(9) FROM t",
        "SELECT $1::timestamp(3), current_timestamp(0), \"col 4711\" FROM t"}) {
    INFO(sql);
    CHECK(stage::text_with_no_value(sql) == sql);
  }
}

TEST_CASE("a text of production's in which a value may stand stays there") {
  for (const auto* sql :
       {"SELECT a FROM t WHERE b = 'x'",
        "SELECT a FROM t WHERE b = E'x'",
        "SELECT a FROM t WHERE b = $$x$$",
        "SELECT a FROM t WHERE num = 4111111111111111",
        "SELECT a FROM t WHERE num = -.5e3",
        "SELECT a INTO TEMP kept FROM t",
        "WITH q AS (SELECT a FROM t) SELECT a INTO TEMP kept FROM q",
        "WITH q AS (SELECT a FROM t WHERE num = 4111111111111111) SELECT a INTO TEMP kept FROM q",
        "SELECT a FROM t LIMIT 10",
        "UPDATE t SET a = 7 WHERE b = $1",
        "SELECT f(4711), numerics(10, 2) FROM t",
        "SELECT a FROM t WHERE b IN (1, 2)",
        "SELECT a FROM t ORDER BY a, 12345",
        "SELECT a FROM t ORDER BY 1 + b",
        "SELECT a FROM t ORDER BY f(a, 7)",
        "SELECT a FROM t GROUP BY 1 LIMIT 9, 8",
        "SELECT a FROM t WHERE b = $ 1",
        "SELECT a FROM t WHERE b = $1x",
        "SELECT varying(4711) FROM t",
        "SELECT a FROM t WHERE a = $1 AND b = 'cut off",
        "SELECT 'a'; SELECT b",
        "SELECT a; SELECT b",
        "SELECT 1",
        ""}) {
    INFO(sql);
    CHECK_FALSE(stage::text_with_no_value(sql));
  }
}
