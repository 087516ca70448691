#include "judge.hpp"

#include "catch.hpp"
#include "code_words.hpp"

#include <algorithm>
#include <optional>

using namespace staithe;
using stage::Micros;

namespace {

constexpr Micros second{1'000'000};

/// One statement that held an AccessExclusiveLock on app.users, of which the clone has 1000 rows.
struct Case {
  stage::RehearsalPlan plan;
  stage::RehearsalReport report;

  explicit Case(const std::string& sql, Micros held = Micros{400'000}) {
    stage::MigrationFile file;
    file.path = "1.sql";
    file.transactions = stage::Transactions::each;
    file.statements.push_back({sql, 1, 1, true});
    plan.files = {file};
    stage::StatementReport one;
    one.file = "1.sql";
    one.line = 1;
    one.text = sql;
    one.took = held;
    one.wal_bytes = 1000;
    stage::LockSpan lock;
    lock.object = "app.users";
    lock.mode = "AccessExclusiveLock";
    lock.blocks = stage::Blocks::everybody;
    lock.held = held;
    one.locks = {lock};
    one.deeds = {{stage::Deed::Kind::scan, "app.users", "", 1000, 0}};
    report.statements = {one};
    report.clone_rows["app.users"] = 1000;
    report.total = held;
    report.wal_bytes = one.wal_bytes;
  }

  void judge() {
    stage::judge(plan, stage::lint(plan.files), report);
    stage::conclude(report);
  }
  const stage::Finding* finding(const std::string& code) const {
    for (const auto& one : report.findings)
      if (one.code == code) return &one;
    return nullptr;
  }
};

constexpr std::uint64_t mebibyte = 1UL << 20;
constexpr const char* not_null = "ALTER TABLE app.users ALTER country SET NOT NULL";

}  // namespace

TEST_CASE("a lock within the budget on the clone is over it by the rows of production") {
  Case one(not_null);
  SECTION("as many rows there, or nobody knows") {
    if (GENERATE(true, false)) one.report.production_rows["app.users"] = 1100;
    one.judge();
    CHECK(one.report.passed);
    CHECK(one.report.statements[0].estimate.empty());
    return;
  }
  SECTION("four times the rows") {
    one.report.production_rows["app.users"] = 4000;
    one.judge();
    const auto* finding = one.finding("blocks-readers");
    REQUIRE(finding != nullptr);
    CHECK(finding->gate);
    CHECK(finding->text ==
          "AccessExclusiveLock on app.users is held for 400 ms here, in production it would be for about 1.4 "
          "s to "
          "1.9 s: readers and writers wait that long there (allowed: 1.0 s)");
    CHECK_FALSE(one.report.passed);
    CHECK(one.report.verdict ==
          "would block readers and writers for 400 ms here, in production for about 1.6 s");
    return;
  }
  SECTION("only the far end of the range is over it") {
    one.report.production_rows["app.users"] = 2300;
    one.judge();
    REQUIRE(one.finding("blocks-readers") != nullptr);
    CHECK(one.finding("blocks-readers")->severity == stage::Severity::warning);
    CHECK(one.report.passed);
    return;
  }
}

TEST_CASE("a lock that is over the budget on the clone says so without production") {
  Case one(not_null, 2 * second);
  one.judge();
  REQUIRE(one.finding("blocks-readers") != nullptr);
  CHECK(one.finding("blocks-readers")->text ==
        "AccessExclusiveLock on app.users is held for 2.0 s: readers and writers wait that long (allowed: "
        "1.0 s)");
  CHECK(one.report.verdict == "would block readers and writers for 2.0 s");
}

TEST_CASE("budgets of time, WAL and rewrites hold for production too") {
  Case one(not_null, Micros{50'000});
  one.report.production_rows["app.users"] = 5000;
  one.report.statements[0].deeds[0].kind = stage::Deed::Kind::rewrite;
  one.report.statements[0].worst_read_stall = Micros{300'000};
  one.plan.files[0].expected = base::Duration{200};
  auto& budgets = one.plan.settings.budgets;
  budgets.total = base::Duration{200};
  budgets.wal_bytes = 4999;
  budgets.rewrite_rows = 4999;
  one.judge();
  for (const auto* code : {"total-time", "wal", "rewrite", "stall", "longer-than-expected"}) {
    INFO(code);
    REQUIRE(one.finding(code) != nullptr);
    CHECK(one.finding(code)->gate);
    CHECK(one.finding(code)->text.find("in production") != std::string::npos);
  }
}

TEST_CASE("a budget that holds in both is no finding") {
  Case one(not_null, Micros{50'000});
  one.report.production_rows["app.users"] = 5000;
  auto& budgets = one.plan.settings.budgets;
  budgets.total = base::Duration{300};
  budgets.wal_bytes = 5000;
  budgets.rewrite_rows = 5000;
  one.judge();
  CHECK(one.report.passed);
}

TEST_CASE("one row by its key takes no longer where there are more rows") {
  Case one("UPDATE app.users SET email = 'x' WHERE id = 1");
  one.report.statements[0].deeds.clear();
  one.report.statements[0].touched = {{"app.users", 1, 0, 1, 0, 0}};
  one.report.production_rows["app.users"] = 1'000'000;
  one.judge();
  CHECK(one.report.statements[0].times_rows == 1);
  one.report.findings.clear();
  one.report.statements[0].touched = {{"app.users", 1000, 0, 1000, 0, 0}};
  one.judge();
  CHECK(one.report.statements[0].times_rows == 1000);
}

TEST_CASE("an estimate says what it rests on, and bounds both ways what a plan decides") {
  Case whole(not_null, Micros{2'000'000});
  whole.report.production_rows["app.users"] = 4000;
  whole.judge();
  const auto text = whole.report.statements[0].estimate;
  CHECK(text.find("about 7.2 s to 9.6 s: 4 times the rows") != std::string::npos);
  CHECK(text.find("measured at one size") != std::string::npos);
  CHECK(text.find("up to") == std::string::npos);
  Case planned("UPDATE app.users SET email = (SELECT 'x')", Micros{2'000'000});
  planned.report.statements[0].deeds.clear();
  planned.report.statements[0].touched = {{"app.users", 1000, 0, 1000, 0, 0}};
  planned.report.production_rows["app.users"] = 4000;
  planned.judge();
  CHECK(planned.report.statements[0].estimate.find(
            "not less than 2.0 s if an index finds its rows, up to 32.0 s") != std::string::npos);
  planned.report.production_rows["app.users"] = 1e18;  // whose square is no time that anybody can write
  planned.judge();
  CHECK(planned.report.statements[0].estimate.find("up to") != std::string::npos);
}

TEST_CASE("what lies between two statements of a transaction does not grow with the rows") {
  Case one(not_null, Micros{100'000});
  auto& statement = one.report.statements[0];
  statement.locks[0].held = Micros{500'000};  // until the COMMIT, 400 ms after the statement
  one.report.production_rows["app.users"] = 3000;
  one.judge();
  CHECK(statement.locks[0].in_production == Micros{700'000});
}

TEST_CASE("a table without all rows and a masked column fail unless they are declared") {
  Case one("ALTER TABLE app.users ALTER email SET NOT NULL");
  one.report.partial = {"app.users"};
  one.report.masked = {"app.users.email", "app.users.phone", "app.other.email"};
  one.judge();
  REQUIRE(one.finding("partial") != nullptr);
  REQUIRE(one.finding("masked") != nullptr);
  CHECK_FALSE(one.report.passed);
  CHECK(one.finding("masked")->object == "app.users.email");
  CHECK(one.finding("masked")->line == 1);
  CHECK(std::count_if(one.report.findings.begin(), one.report.findings.end(),
                      [](const auto& finding) { return finding.code == "masked"; }) == 1);
  CHECK(one.report.accepted == stage::Accepted{});

  one.report.findings.clear();
  one.plan.settings.accepted = {{"app.users", "app.never"}, {"app.users.email", "app.never.x"}};
  one.judge();
  CHECK(one.report.passed);
  CHECK(one.finding("partial")->severity == stage::Severity::warning);
  CHECK(one.finding("masked")->severity == stage::Severity::warning);
  // Only what mattered is written down for deploys.
  CHECK(one.report.accepted == stage::Accepted{{"app.users"}, {"app.users.email"}});
}

TEST_CASE("a constraint that is validated rests on columns that it does not name") {
  Case one("ALTER TABLE app.users VALIDATE CONSTRAINT email_ok");
  one.report.masked = {"app.users.email", "app.users.phone", "app.other.email"};
  const auto found = [&] {
    std::vector<std::string> objects;
    for (const auto& finding : one.report.findings)
      if (finding.code == "masked" && finding.line == 1) objects.push_back(finding.object);
    return objects;
  };
  one.judge();
  CHECK_FALSE(one.report.passed);
  CHECK(found() == std::vector<std::string>{"app.users.email", "app.users.phone"});

  // Added in the same run: what it looks at is known.
  one.report.findings.clear();
  stage::StatementReport added;
  added.file = "0.sql";
  added.line = 7;
  added.text = "ALTER TABLE app.users ADD CONSTRAINT email_ok CHECK (email LIKE '%@%') NOT VALID";
  one.report.statements.push_back(added);
  one.judge();
  CHECK(found() == std::vector<std::string>{"app.users.email"});
}

TEST_CASE("where a mask keeps NULLs, whether there are any is production's own answer") {
  Case one(GENERATE("ALTER TABLE app.users ALTER email SET NOT NULL",
                    "ALTER TABLE app.users ADD CONSTRAINT known CHECK (email IS NOT NULL) NOT VALID",
                    "ALTER TABLE app.users ADD CONSTRAINT known CHECK (email LIKE '%@%' OR email IS NULL)"));
  one.report.masked = {"app.users.email"};
  one.judge();
  CHECK_FALSE(one.report.passed);
  one.report.findings.clear();
  one.plan.nulls_kept = one.report.masked;
  one.judge();
  const bool looks_at_values = one.report.statements[0].text.find("LIKE") != std::string::npos;
  CHECK((one.finding("masked") != nullptr) == looks_at_values);
}

namespace {

/// The columns that "masked" names for a statement that only reads app.users, or not even that.
std::vector<std::string> masked_columns(const std::string& sql, const char* mode = "AccessShareLock") {
  Case one(sql);
  auto& statement = one.report.statements[0];
  statement.deeds.clear();
  statement.locks[0].mode = mode;
  statement.locks[0].blocks = stage::Blocks::nobody;
  statement.touched = {{"app.users", 10, 0, 0, 0, 0}};
  one.report.masked = {"app.users.email", "app.users.phone", "app.other.email"};
  one.report.functions = {{"fill", "SELECT secret()"},
                          {"secret", ""},
                          {"mails", "SELECT max(\"email\") FROM users"},
                          {"stamp", "BEGIN NEW.changed := now(); RETURN NEW; END"},
                          {"outer", "SELECT mails()"}};
  one.report.parents = {{"app.users", "app.people"}};
  one.judge();
  std::vector<std::string> found;
  for (const auto& finding : one.report.findings)
    if (finding.code == "masked") found.push_back(finding.object);
  return found;
}

const std::vector<std::string> both{"app.users.email", "app.users.phone"}, email{"app.users.email"}, nothing;

}  // namespace

TEST_CASE("code that the words do not show rests on all masked columns of what it works on") {
  for (const auto* sql : {"DO $$ BEGIN EXECUTE x; END $$", "DO $$ BEGIN PERFORM 1 FROM a_view; END $$",
                          "DO $$ BEGIN PERFORM * FROM users; END $$", "CALL work()", "SELECT fill()",
                          "UPDATE app.other SET a = fill(b)", "SELECT count(*) FROM app.a_view",
                          "REFRESH MATERIALIZED VIEW app.sums", "ALTER DOMAIN d ADD CHECK (VALUE > 0)",
                          "ALTER TABLE app.people ATTACH PARTITION app.users FOR VALUES IN (1)"}) {
    INFO(sql);
    CHECK(masked_columns(sql) == both);
  }
}

TEST_CASE("code that can be read rests on the columns that it names") {
  for (const auto* sql :
       {"DO $$ BEGIN UPDATE users SET a = length(email); END $$", "SELECT mails()", "SELECT outer()"}) {
    INFO(sql);
    CHECK(masked_columns(sql) == email);
  }
  for (const auto* sql :
       {"DO $$ BEGIN UPDATE users SET a = 1; END $$", "DO $$ BEGIN PERFORM stamp() FROM people; END $$"}) {
    INFO(sql);
    CHECK(masked_columns(sql) == nothing);
  }
  // A trigger that only stamps rows is no reason to doubt.
  for (const auto* function : {"stamp", "mails", "secret"}) {
    Case one("UPDATE app.users SET a = 1");
    one.report.functions = {
        {"stamp", "BEGIN NEW.changed := now(); RETURN NEW; END"}, {"mails", "SELECT email"}, {"secret", ""}};
    one.report.statements[0].side_effects = {std::string("trigger t calls ") + function + " for each row"};
    one.report.masked = {"app.users.email"};
    one.judge();
    CHECK((one.finding("masked") != nullptr) == (std::string(function) != "stamp"));
  }
}

TEST_CASE("rows that are taken as a whole have all of their columns") {
  for (const auto* sql :
       {"SELECT u FROM app.users u", "SELECT row_to_json(u) FROM app.users AS u",
        "INSERT INTO app.n TABLE app.users", "TABLE app.users",
        "SELECT id FROM app.n NATURAL LEFT JOIN app.users", "SELECT users FROM app.users",
        "SELECT DISTINCT ON (id) * FROM app.users", "SELECT a, u::text FROM app.n, app.users u",
        "SELECT max(p) FROM app.people p", "DELETE FROM app.n USING app.users x WHERE n.v = x",
        "DO $$ BEGIN PERFORM md5(u) FROM users u; END $$",
        "DO $$ BEGIN INSERT INTO app.n TABLE app.users; END $$",
        "DO $$ BEGIN IF EXISTS (SELECT FROM n NATURAL JOIN users) THEN RAISE 'no'; END IF; END $$"}) {
    INFO(sql);
    CHECK(masked_columns(sql) == both);
  }
  for (const auto* sql :
       {"SELECT count(*) FROM app.users", "SELECT a * b, (a) * b FROM app.users u",
        "SELECT u.id AS users FROM app.users u JOIN (app.n JOIN app.m USING (id)) USING (id) FOR UPDATE OF u",
        "UPDATE app.users SET a = 1 FROM app.n WHERE n.id = users.id",
        "WITH x (id) AS (SELECT id FROM app.users) SELECT x FROM x",
        "DO $$ BEGIN PERFORM count(*), a * b /* all of it: * */ FROM users; RAISE NOTICE '5 * it''s'; END $$",
        "DO $$ DECLARE r users%ROWTYPE; n int := 2 * 3; BEGIN DELETE FROM users WHERE id = 3; END $$"}) {
    INFO(sql);
    CHECK(masked_columns(sql) == nothing);
  }
  for (const auto& [body, looks] :
       {std::pair{"BEGIN IF NEW IS DISTINCT FROM OLD THEN NEW.a := 2 * 3; END IF; RETURN NEW; END", true},
        std::pair{"BEGIN PERFORM log(OLD); RETURN NULL; END", true},
        std::pair{"BEGIN INSERT INTO audit SELECT OLD.*; RETURN OLD; END", true},
        std::pair{"BEGIN PERFORM count(*) FROM n; RETURN COALESCE(NEW, OLD); END", false}}) {
    INFO(body);
    Case one("DELETE FROM app.users WHERE id < 9");
    one.report.functions = {{"t", body}};
    one.report.triggers["app.users"] = {{false, false, true, "t"}};
    one.report.statements[0].touched = {{"app.users", 10, 0, 0, 8, 0}};
    one.report.masked = {"app.users.email"};
    one.judge();
    CHECK((one.finding("masked") != nullptr) == looks);
  }
}

TEST_CASE("what a statement makes is read from its words") {
  const auto code = [](const std::string& text) {
    stage::Code all;
    CHECK(all.add(text));
    return all.statements();
  };
  const auto made = code(
      "DO $$ BEGIN EXECUTE 'CREATE OR REPLACE FUNCTION app.f(v int) RETURNS int LANGUAGE c AS ''x'''; END "
      "$$");
  const auto create =
      std::find_if(made.begin(), made.end(), [](const auto& one) { return one.text.starts_with("CREATE"); });
  REQUIRE(create != made.end());
  const auto f = stage::function_made_by(*create);
  REQUIRE(f);
  CHECK(f->name == "f");
  CHECK_FALSE(f->is_readable);
  const auto unnamed =
      stage::function_made_by(code("CREATE FUNCTION %I() RETURNS int LANGUAGE sql RETURN 1").at(0));
  REQUIRE(unnamed);
  CHECK(unnamed->name.empty());
  const auto trigger = stage::trigger_made_by(code("CREATE OR REPLACE TRIGGER t BEFORE UPDATE OF a OR "
                                                   "TRUNCATE ON \"app\".users FOR EACH ROW WHEN (1 = 1) "
                                                   "EXECUTE FUNCTION app.look()")
                                                  .at(0));
  REQUIRE(trigger);
  CHECK(trigger->table == "app.users");
  CHECK(trigger->function == "look");
  CHECK((trigger->on_update && trigger->on_truncate && !trigger->on_insert && !trigger->on_delete));
  CHECK(stage::may_drop_code(code("DROP TABLE a CASCADE").at(0)));
  CHECK_FALSE(stage::may_drop_code(code("DROP TABLE a").at(0)));
}

TEST_CASE("triggers count by whatever way rows are written") {
  for (const auto* sql :
       {"DELETE FROM app.users WHERE id < 9", "DO $$ BEGIN PERFORM 1 FROM app.users; END $$",
        "WITH a AS (DELETE FROM app.users RETURNING id) SELECT id FROM a"}) {
    INFO(sql);
    for (const auto* function : {"stamp", "mails", "", "inserted"}) {
      INFO(function);
      Case one(sql);
      one.report.functions = {{"stamp", "BEGIN NEW.changed := now(); RETURN NEW; END"},
                              {"mails", "SELECT email"},
                              {"inserted", "SELECT email"}};
      const bool on_insert = std::string_view(function) == "inserted";
      if (*function != '\0') one.report.triggers["app.people"] = {{on_insert, false, !on_insert, function}};
      one.report.parents = {{"app.users", "app.people"}};
      one.report.statements[0].touched = {{"app.users", 10, 0, 0, 8, 0}};
      one.report.masked = {"app.users.email"};
      one.judge();
      CHECK((one.finding("masked") != nullptr) == (std::string_view(function) == "mails"));
    }
  }
}

TEST_CASE("a masked column whose name has to be quoted is seen in code") {
  for (const auto* column : {"e-mail", "first name", "phone"}) {
    INFO(column);
    Case one("DO $$ BEGIN PERFORM 1 FROM app.users WHERE \"e-mail\" = 'x' OR \"first name\" = 'y'; END $$");
    one.report.masked = {std::string("app.users.") + column};
    one.judge();
    CHECK((one.finding("masked") != nullptr) == (std::string_view(column) != "phone"));
  }
}

TEST_CASE("what fails with a reader's transaction open does not pass") {
  Case one("ALTER TABLE app.users ADD x int", Micros{1'000});
  stage::PassReport pass;
  pass.name = "open transaction";
  pass.error = "canceling statement due to statement timeout";
  pass.file = "1.sql";
  pass.line = 1;
  one.report.passes = {pass};
  one.judge();
  CHECK_FALSE(one.report.passed);
  CHECK(one.report.verdict == "would fail with a transaction open at 1.sql:1");
  REQUIRE(one.finding("fails-with-open-transaction") != nullptr);
  CHECK(one.finding("fails-with-open-transaction")->gate);
}

TEST_CASE("queries rest on the masked columns that they name, and on all of them for a star") {
  for (const auto* sql :
       {"CREATE TABLE n AS SELECT id, email::int FROM app.users", "SELECT 1 / length(email) FROM users",
        "WITH a AS (SELECT email FROM app.users) INSERT INTO app.b SELECT * FROM a"}) {
    INFO(sql);
    CHECK(masked_columns(sql).front() == "app.users.email");
  }
  CHECK(masked_columns("CREATE TABLE n AS SELECT id, email FROM app.users") == email);
  CHECK(masked_columns("CREATE TABLE n AS SELECT u.* FROM app.users u") == both);
  CHECK(masked_columns("INSERT INTO n SELECT * FROM users") == both);
  CHECK(masked_columns("CREATE MATERIALIZED VIEW m AS SELECT email FROM app.people") == email);
  CHECK(masked_columns("ALTER TABLE app.users ADD COLUMN n int GENERATED ALWAYS AS (length(email)) STORED") ==
        email);
  CHECK(masked_columns("CREATE INDEX i ON app.users ((email::int))") == email);
  CHECK(masked_columns("CREATE INDEX i ON app.users (id) WHERE email > 'a'") == email);
}

TEST_CASE("what looks at no masked value is no finding") {
  for (const auto* sql :
       {"SELECT stamp() FROM app.users", "SELECT setval('users_id_seq', (SELECT max(id) FROM users))",
        "INSERT INTO app.n SELECT count(*), 2 * 3 FROM app.users",
        "CREATE VIEW v AS SELECT email FROM app.users", "GRANT SELECT (email) ON app.users TO bob",
        "VACUUM app.users", "CREATE FUNCTION fill() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "COMMENT ON COLUMN app.users.email IS 'x'",
        "ALTER TABLE app.users ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY",
        "UPDATE app.people SET name = 'x'", "CREATE TABLE n (id int GENERATED ALWAYS AS (1) STORED)"}) {
    INFO(sql);
    CHECK(masked_columns(sql) == nothing);
  }
  // The server looks for the other end of a foreign key by itself.
  CHECK(masked_columns("UPDATE app.orders SET user_id = 1", "RowShareLock") == nothing);
  CHECK(masked_columns("DO $$ BEGIN UPDATE app.orders SET user_id = 1; END $$", "RowShareLock") == nothing);
}

TEST_CASE("a mask matters only where values decide") {
  Case one(GENERATE("ALTER TABLE app.users ADD COLUMN email2 text", "CREATE INDEX i ON app.users (email)",
                    "ALTER TABLE app.users DROP COLUMN email",
                    "ALTER TABLE app.users ALTER country SET NOT NULL"));
  one.report.masked = {"app.users.email"};
  one.judge();
  CHECK(one.finding("masked") == nullptr);
}

TEST_CASE("what standbys get at once is held against what they get otherwise") {
  const auto lag_of = [](std::uint64_t standbys, std::uint64_t bytes,
                         double rate) -> std::optional<stage::Finding> {
    Case one("UPDATE app.users SET email = 'x'");
    one.report.standbys = standbys;
    one.report.wal_bytes = bytes;
    one.report.production_wal_rate = rate;
    one.judge();
    const auto* found = one.finding("replica-lag");
    return found == nullptr ? std::nullopt : std::optional(*found);
  };
  REQUIRE(lag_of(2, 100 * mebibyte, mebibyte));
  CHECK(lag_of(2, 100 * mebibyte, mebibyte)->severity == stage::Severity::warning);
  CHECK(lag_of(2, 100 * mebibyte, mebibyte)->text.find("its 2 standbys at once") != std::string::npos);
  CHECK_FALSE(lag_of(0, 100 * mebibyte, mebibyte));
  CHECK_FALSE(lag_of(1, 15 * mebibyte, 1));
  CHECK_FALSE(lag_of(1, 100 * mebibyte, 11 * mebibyte));
  // A server that does not count what it writes is no reason to say nothing.
  REQUIRE(lag_of(1, 100 * mebibyte, 0));
  CHECK(lag_of(1, 100 * mebibyte, 0)->severity == stage::Severity::note);
  CHECK(lag_of(1, 100 * mebibyte, 0)->text.find("not known") != std::string::npos);
  CHECK_FALSE(lag_of(0, 100 * mebibyte, 0));
  CHECK_FALSE(lag_of(1, 15 * mebibyte, 0));
}
