#include "snapshot/roles.hpp"

#include "catch.hpp"

using namespace staithe::stage;

namespace {

const RoleMap roles{{"app", "stage_app"}, {"Odd role", "x\"y"}, {"old", ""}};

std::string mapped(const char* type, const char* sql) {
  Entry entry;
  entry.type = type;
  entry.sql = sql;
  map_roles(entry, roles);
  return entry.sql;
}

}  // namespace

TEST_CASE("owners are mapped, and left out when nothing stands for them") {
  CHECK(mapped("TABLE", "CREATE TABLE a.t (id int);\n\nALTER TABLE a.t OWNER TO app;\n") ==
        "CREATE TABLE a.t (id int);\nALTER TABLE a.t OWNER TO \"stage_app\";\n");
  CHECK(mapped("TABLE", "CREATE TABLE t ();\nALTER TABLE t OWNER TO \"Odd role\";\n") ==
        "CREATE TABLE t ();\nALTER TABLE t OWNER TO \"x\"\"y\";\n");
  CHECK(mapped("TABLE", "CREATE TABLE t ();\nALTER TABLE t OWNER TO old;\n") == "CREATE TABLE t ();\n");
  CHECK(mapped("TABLE", "CREATE TABLE t ();\nALTER TABLE t OWNER TO somebody;\n") == "CREATE TABLE t ();\n");
}

TEST_CASE("what only looks like an owner stays") {
  const char* body =
      "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $_$ SELECT 'ALTER TABLE x OWNER TO app;' $_$;\n";
  CHECK(mapped("FUNCTION", body) == body);
  CHECK(mapped("COMMENT", "COMMENT ON TABLE t IS 'x; ALTER TABLE t OWNER TO app;';\n") ==
        "COMMENT ON TABLE t IS 'x; ALTER TABLE t OWNER TO app;';\n");
}

TEST_CASE("grants name staging's roles") {
  CHECK(
      mapped(
          "ACL",
          "REVOKE ALL ON TABLE a.t FROM app;\nGRANT SELECT(a, b) ON TABLE a.t TO app WITH GRANT OPTION;\n") ==
      "REVOKE ALL ON TABLE a.t FROM \"stage_app\";\nGRANT SELECT(a, b) ON TABLE a.t TO \"stage_app\" WITH "
      "GRANT "
      "OPTION;\n");
  CHECK(mapped("ACL",
               "GRANT ALL ON FUNCTION f(\"to\" integer) TO old;\nGRANT ALL ON FUNCTION f(\"to\" integer) TO "
               "PUBLIC;\n") == "GRANT ALL ON FUNCTION f(\"to\" integer) TO PUBLIC;\n");
  CHECK(
      mapped(
          "ACL",
          "SET SESSION AUTHORIZATION app;\nGRANT SELECT ON TABLE t TO me;\nRESET SESSION AUTHORIZATION;\n") ==
      "GRANT SELECT ON TABLE t TO me;\n");
  CHECK(mapped("DEFAULT ACL",
               "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA a GRANT SELECT ON TABLES TO app;\n") ==
        "ALTER DEFAULT PRIVILEGES FOR ROLE \"stage_app\" IN SCHEMA a GRANT SELECT ON TABLES TO "
        "\"stage_app\";\n");
  CHECK(mapped("DEFAULT ACL", "ALTER DEFAULT PRIVILEGES FOR ROLE old GRANT SELECT ON TABLES TO app;\n")
            .empty());
}

TEST_CASE("a policy for roles that are dropped is left out: for nobody would mean for everybody") {
  CHECK(mapped("POLICY",
               "CREATE POLICY p ON t FOR SELECT TO old, app USING ((id IN ( SELECT 1 FROM old)));\n") ==
        "CREATE POLICY p ON t FOR SELECT TO \"stage_app\" USING ((id IN ( SELECT 1 FROM old)));\n");
  CHECK(mapped("POLICY", "CREATE POLICY p ON t TO old USING (true);\n").empty());
  CHECK(mapped("POLICY", "CREATE POLICY p ON t USING (true);\n") == "CREATE POLICY p ON t USING (true);\n");
}

TEST_CASE("each grant is an entry of its own") {
  std::vector<Entry> entries(2);
  entries[0].type = "ACL";
  entries[0].sql = "GRANT SELECT ON TABLE t TO a;\nGRANT SELECT ON TABLE t TO b;\n";
  entries[1].type = "TABLE";
  entries[1].sql = "CREATE TABLE t ();\nALTER TABLE t SET (x = 1);\n";
  split_rights(entries);
  REQUIRE(entries.size() == 3);
  CHECK(entries[1].sql == "GRANT SELECT ON TABLE t TO b");
  CHECK(entries[2].type == "TABLE");
}
