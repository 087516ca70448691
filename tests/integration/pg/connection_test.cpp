/// pg::Connection against a real server.
#include "staithe/pg/connection.hpp"

#include "catch.hpp"
#include "support/postgres.hpp"
#include "support/soon.hpp"

#include <atomic>
#include <chrono>
#include <thread>

using namespace staithe;
using base::ErrorCode;
using base::Scope;
using pg::Connection;
using pg::Value;
using test::server;
using test::soon;

namespace {

Connection connect(const std::string& url) {
  return {url, {}, soon()};
}

template <class F>
ErrorCode code_of(F work, std::string* text = nullptr) {
  try {
    work();
  } catch (const base::Error& error) {
    if (text != nullptr) *text = error.what();
    CHECK(std::string(error.what()).find(test::Postgres::superuser_password()) == std::string::npos);
    return error.code();
  }
  FAIL("no error was thrown");
  return {};
}

}  // namespace

TEST_CASE("values go in and come out as they are") {
  auto connection = connect(server().url());
  CHECK(connection.where() == "postgres://admin@127.0.0.1:" + std::to_string(server().port()) + "/postgres");
  CHECK(connection.server_version() >= 130000);
  const std::vector<Value> values{"it's; DROP TABLE x --", std::nullopt, "", "£ \n\t\\", "42"};
  const auto result = connection.exec(
      "SELECT $1::text AS a, $2::text AS b, $3::text AS c, $4::text AS d, $5::int + 1 AS e", values, soon());
  REQUIRE(result.rows.size() == 1);
  CHECK(result.columns == std::vector<std::string>{"a", "b", "c", "d", "e"});
  CHECK(result.rows[0] == pg::Row{values[0], std::nullopt, "", values[3], "43"});
  CHECK(connection.exec("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()", soon())
            .rows[0][0] == "staithe");
  const Value nul{std::string("a\0b", 3)};
  CHECK(code_of([&] { connection.exec("SELECT $1::text", {&nul, 1}, soon()); }) == ErrorCode::invalid);
  CHECK(connection.usable());
}

TEST_CASE("transactions hold together, and a failed one leaves nothing") {
  auto connection = connect(server().url(server().create_database()));
  connection.exec("CREATE TABLE t (x int PRIMARY KEY)", soon());
  connection.begin(soon());
  CHECK(connection.exec("INSERT INTO t VALUES (1), (2)", soon()).affected == 2);
  connection.commit(soon());
  connection.begin(soon());
  connection.exec("INSERT INTO t VALUES (3)", soon());
  CHECK(code_of([&] { connection.exec("INSERT INTO t VALUES (1)", soon()); }) == ErrorCode::conflict);
  connection.rollback();
  connection.rollback();
  CHECK(connection.usable());
  CHECK(connection.exec("SELECT * FROM t", soon()).rows.size() == 2);
  CHECK(code_of([&] { connection.commit(soon()); }) == ErrorCode::invalid);
}

TEST_CASE("what the server refuses has a code, a SQLSTATE and one line of text") {
  auto connection = connect(server().url());
  std::string text;
  CHECK(code_of([&] { connection.exec("SELECT * FROM nowhere", soon()); }, &text) == ErrorCode::not_found);
  CHECK_THAT(text, ContainsSubstring("nowhere"));
  CHECK(text.find('\n') == std::string::npos);
  CHECK(code_of([&] { connection.exec("SELEKT", soon()); }) == ErrorCode::failed);
  try {
    connection.exec("SELECT 1/0", soon());
    FAIL("divided by zero");
  } catch (const pg::SqlError& error) {
    CHECK(error.sqlstate() == "22012");
  }
  server().sql("CREATE ROLE weak LOGIN");
  auto weak = connect("postgres://weak@/postgres?host=" + server().socket_directory() +
                      "&port=" + std::to_string(server().port()));
  CHECK(code_of([&] { weak.exec("SELECT * FROM pg_authid", soon()); }) == ErrorCode::permission);
  CHECK(connection.usable());
}

TEST_CASE("connecting fails with the kind of failure and without the password") {
  std::string text;
  const auto port = std::to_string(server().port());
  CHECK(code_of([&] { connect("postgres://admin:wr0ng-pass@127.0.0.1:" + port + "/postgres"); }, &text) ==
        ErrorCode::auth);
  CHECK(text.find("wr0ng-pass") == std::string::npos);
  CHECK_THAT(text, ContainsSubstring("admin@127.0.0.1:" + port));
  CHECK(code_of([&] { connect(server().url("absent")); }) == ErrorCode::not_found);
  CHECK(code_of([&] { connect("postgres://a:" + server().superuser_password() + "@127.0.0.1:1/x"); }) ==
        ErrorCode::connect);
  CHECK(code_of([&] { connect(server().url() + "?sslmode=nonsense"); }) == ErrorCode::invalid);
  CHECK(code_of([&] { connect(server().url() + "?nonsense=" + server().superuser_password()); }) ==
        ErrorCode::invalid);
  CHECK(code_of([&] { connect(server().url() + "?sslmode=" + server().superuser_password()); }) ==
        ErrorCode::invalid);
}

TEST_CASE("PGPASSWORD and PGPASSFILE are used and never shown") {
  const auto port = std::to_string(server().port());
  ::setenv("PGPASSWORD", test::Postgres::superuser_password().c_str(), 1);
  CHECK(connect("postgres://admin@127.0.0.1:" + port + "/postgres").usable());
  ::setenv("PGPASSWORD", "wr0ng-pass", 1);
  std::string text;
  CHECK(code_of([&] { connect("postgres://admin@127.0.0.1:" + port + "/postgres"); }, &text) ==
        ErrorCode::auth);
  CHECK(text.find("wr0ng-pass") == std::string::npos);
  ::unsetenv("PGPASSWORD");
  const std::string file = server().socket_directory() + "/passfile";
  std::ofstream(file) << "127.0.0.1:*:*:admin:" << test::Postgres::superuser_password() << "\n";
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  ::setenv("PGPASSFILE", file.c_str(), 1);
  CHECK(connect("postgres://admin@127.0.0.1:" + port + "/postgres").usable());
  ::unsetenv("PGPASSFILE");
}

TEST_CASE("a statement ends at its deadline or at a stop, and the server gives it up") {
  auto connection = connect(server().url());
  const auto start = std::chrono::steady_clock::now();
  SECTION("deadline") {
    const auto scope = Scope::lasting(std::chrono::milliseconds(300));
    CHECK(code_of([&] { connection.exec("SELECT pg_sleep(600) /* slow one */", scope); }) ==
          ErrorCode::timeout);
  }
  SECTION("stop") {
    base::Cancel stop;
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      stop.request();
    });
    const auto scope = Scope::lasting(std::chrono::seconds(300), &stop);
    CHECK(code_of([&] { connection.exec("SELECT pg_sleep(600) /* slow one */", scope); }) ==
          ErrorCode::cancelled);
    other.join();
  }
  SECTION("in a transaction") {
    connection.begin(soon());
    const auto scope = Scope::lasting(std::chrono::milliseconds(300));
    CHECK(code_of([&] { connection.exec("SELECT pg_sleep(600) /* slow one */", scope); }) ==
          ErrorCode::timeout);
    connection.rollback();
  }
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
  CHECK_FALSE(connection.usable());
  CHECK(code_of([&] { connection.exec("SELECT 1", soon()); }) == ErrorCode::io);
  auto observer = connect(server().url());
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto count = [&] {
    return observer
        .exec(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%slow one%' AND pid <> pg_backend_pid()",
            soon())
        .rows[0][0];
  };
  while (count() != "0" && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  CHECK(count() == "0");
}

TEST_CASE("a session that the server ends is an io error, not a silent new session") {
  auto connection = connect(server().url());
  const auto pid = connection.exec("SELECT pg_backend_pid()", soon()).rows[0][0].value();
  server().sql("SELECT pg_terminate_backend(" + pid + ", 5000)");
  SECTION("by a statement") {
    CHECK(code_of([&] { connection.exec("SELECT 1", soon()); }) == ErrorCode::io);
  }
  SECTION("by the begin of a transaction") {
    CHECK(code_of([&] { connection.begin(soon()); }) == ErrorCode::io);
  }
  CHECK_FALSE(connection.usable());
  connection.rollback();
}

TEST_CASE("a server that accepts and says nothing is given up") {
  test::Postgres own;
  auto connection = connect(own.url());
  own.freeze();
  const auto start = std::chrono::steady_clock::now();
  CHECK(code_of([&] { connection.exec("SELECT 1", Scope::lasting(std::chrono::milliseconds(500))); }) ==
        ErrorCode::timeout);
  connection.rollback();
  // libpq counts whole seconds, and two are its least.
  CHECK(code_of([&] { Connection(own.url(), {}, Scope::lasting(std::chrono::milliseconds(500))); }) ==
        ErrorCode::timeout);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
  own.thaw();
  own.stop();
  CHECK(code_of([&] { connect(own.url()); }) == ErrorCode::connect);
}
