/// SQL taken apart into statements.
#include "sql_text.hpp"

#include "catch.hpp"

using namespace staithe;

namespace {

std::vector<std::string> texts(const std::string& sql) {
  diag::Diagnostics diagnostics;
  std::vector<std::string> out;
  for (const auto& statement : stage::split_sql(sql, "f.sql", diagnostics).statements)
    out.push_back(statement.text);
  CHECK_FALSE(diagnostics.has_errors());
  return out;
}

std::string complaint(const std::string& sql) {
  diag::Diagnostics diagnostics;
  stage::split_sql(sql, "f.sql", diagnostics);
  return diagnostics.empty() ? "" : diagnostics.sorted().front().message;
}

}  // namespace

TEST_CASE("semicolons in quotes, comments and bodies end no statement") {
  CHECK(texts("SELECT 1; SELECT 2") == std::vector<std::string>{"SELECT 1", "SELECT 2"});
  CHECK(texts("SELECT 'a;''b;'; SELECT \"x;\"\"y\"") ==
        std::vector<std::string>{"SELECT 'a;''b;'", "SELECT \"x;\"\"y\""});
  CHECK(texts("SELECT E'it\\'s;'; SELECT 2").size() == 2);
  CHECK(texts("SELECT 'back\\'; SELECT 2").size() == 2);  // no escape without E
  CHECK(texts("SELECT $$a;b$$; SELECT $t$ $$;$$ $t$").size() == 2);
  CHECK(texts("SELECT $1; SELECT a$b$c; SELECT 3").size() == 3);
  CHECK(texts("-- a;b\nSELECT 1; /* x; /* y; */ z; */ SELECT 2").size() == 2);
  CHECK(texts("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3").size() == 2);
  CHECK(texts("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; "
              "SELECT 3")
            .size() == 2);
  CHECK(texts("BEGIN; SELECT 1; END; SELECT 2").size() == 4);
  CHECK(texts(" ;; \n").empty());
}

TEST_CASE("statements know their places, and headers are read") {
  diag::Diagnostics diagnostics;
  const auto file =
      stage::split_sql("-- staithe: no-transaction\n\n  ALTER TABLE ä\n;\n\tSELECT 1;", "f.sql", diagnostics);
  REQUIRE(file.statements.size() == 2);
  CHECK(file.statements[0].line == 3);
  CHECK(file.statements[0].column == 3);
  CHECK(file.statements[1].line == 5);
  CHECK(file.statements[1].column == 2);
  REQUIRE(file.headers.size() == 1);
  CHECK(file.headers[0].words == "no-transaction");
  CHECK(file.headers[0].line == 1);
}

TEST_CASE("what cannot be read as SQL is said") {
  CHECK_THAT(complaint("SELECT 'abc"), ContainsSubstring("not closed"));
  CHECK_THAT(complaint("SELECT $x$abc"), ContainsSubstring("not closed"));
  CHECK_THAT(complaint("/* abc"), ContainsSubstring("not closed"));
  CHECK_THAT(complaint("\\i other.sql"), ContainsSubstring("psql"));
  CHECK_THAT(complaint("COPY t FROM stdin; 1\n"), ContainsSubstring("COPY FROM STDIN"));
}
