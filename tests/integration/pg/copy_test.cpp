#include "staithe/pg/copy.hpp"

#include "catch.hpp"
#include "support/postgres.hpp"
#include "support/soon.hpp"

#include "staithe/base/error.hpp"

#include <cstdlib>
#include <thread>

using namespace staithe;
using base::Scope;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::server;
using test::soon;

namespace {

constexpr const char* out = "COPY t TO STDOUT (FORMAT binary)";
constexpr const char* in = "COPY t FROM STDIN (FORMAT binary)";

/// Two databases with a table t, and a session in each.
struct Ends {
  explicit Ends(test::Postgres& server, const std::string& options = {})
      : from_name(server.create_database()),
        to_name(server.create_database()),
        from(server.url(from_name) + options, {}, soon()),
        to(server.url(to_name) + options, {}, soon()) {
    for (auto* session : {&from, &to}) session->run("CREATE TABLE t (id bigint, v text)", soon());
  }
  std::string from_name, to_name;
  pg::Session from, to;
};

std::string checksum(pg::Session& session) {
  return *session.run("SELECT concat(count(*), ' ', sum(hashtextextended(t::text, 0))) FROM t", soon())
              .rows[0][0];
}

}  // namespace

TEST_CASE("rows arrive as they are, and both sessions stay usable") {
  Ends ends(server());
  ends.from.run(
      "INSERT INTO t SELECT i, repeat('x', i % 3000) FROM generate_series(1, 20000) i; INSERT INTO t VALUES "
      "(NULL, NULL)",
      soon());
  std::uint64_t told = 0;
  const auto copied = pg::copy(
      ends.from, out, ends.to, in, [&](std::uint64_t bytes) { told += bytes; }, soon());
  CHECK(copied.rows == 20001);
  CHECK(copied.bytes > 20'000'000);
  CHECK(told == copied.bytes);
  CHECK(checksum(ends.to) == checksum(ends.from));
  // Again in transactions, with no row at all.
  ends.from.run("TRUNCATE t; BEGIN", soon());
  ends.to.run("BEGIN; TRUNCATE t", soon());
  CHECK(pg::copy(ends.from, out, ends.to, in, {}, soon()).rows == 0);
  ends.to.run("COMMIT", soon());
  CHECK(checksum(ends.to) == checksum(ends.from));
}

TEST_CASE("a refusal of either side ends the copy at once and says whose it is") {
  Ends ends(server());
  ends.from.run("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 200000) i", soon());
  SECTION("the target's, in the middle") {
    ends.to.run("ALTER TABLE t ADD CHECK (id <> 10)", soon());
    std::uint64_t told = 0;
    try {
      pg::copy(
          ends.from, out, ends.to, in, [&](std::uint64_t bytes) { told += bytes; }, soon());
      FAIL("no refusal");
    } catch (const pg::StatementError& error) {
      CHECK(error.refusal().constraint == "t_id_check");
      CHECK(std::string(error.what()).find(ends.to_name) != std::string::npos);
    }
    CHECK(told < 50'000'000);  // not sent to the end, for nobody
  }
  SECTION("the target's, before it begins") {
    CHECK_THROWS_AS(pg::copy(ends.from, out, ends.to, "COPY nowhere FROM STDIN", {}, soon()),
                    pg::StatementError);
  }
  SECTION("the source's, in the middle") {
    CHECK_THROWS_AS(pg::copy(ends.from, "COPY (SELECT id / (id - 5000), v FROM t) TO STDOUT (FORMAT binary)",
                             ends.to, in, {}, soon()),
                    pg::StatementError);
  }
  CHECK_FALSE(ends.from.usable());
  CHECK_FALSE(ends.to.usable());
  CHECK(server().sql("SELECT count(*) FROM t", ends.to_name) == "0");
}

TEST_CASE("a copy stops when it is told to, and at its deadline") {
  Ends ends(server());
  ends.from.run("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) i", soon());
  const char* slow = "COPY (SELECT id, v FROM t, pg_sleep(2 + id * 0)) TO STDOUT (FORMAT binary)";
  const auto began = std::chrono::steady_clock::now();
  SECTION("told") {
    base::Cancel cancel;
    std::thread later([&] {
      std::this_thread::sleep_for(milliseconds(300));
      cancel.request();
    });
    CHECK_THROWS_AS(pg::copy(ends.from, slow, ends.to, in, {}, Scope::lasting(seconds(60), &cancel)),
                    base::Error);
    later.join();
  }
  SECTION("deadline") {
    CHECK_THROWS_AS(pg::copy(ends.from, slow, ends.to, in, {}, Scope::lasting(milliseconds(300))),
                    base::Error);
  }
  CHECK(std::chrono::steady_clock::now() - began < seconds(60));
}

TEST_CASE("through TLS too") {
  char name[] = "/tmp/staithe-tls-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const std::string directory = name;
  const std::string command =
      "cd " + directory +
      " && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key -out cert "
      "2>/dev/null && chmod 600 key && (chown -R postgres " +
      directory + " 2>/dev/null || true)";
  REQUIRE(std::system(command.c_str()) == 0);
  {
    test::Postgres secure(
        {"ssl=on", "ssl_cert_file=" + directory + "/cert", "ssl_key_file=" + directory + "/key"});
    Ends ends(secure, "?sslmode=require");
    ends.from.run("INSERT INTO t SELECT i, repeat(md5(i::text), i % 100) FROM generate_series(1, 20000) i",
                  soon());
    ends.from.run("INSERT INTO t VALUES (0, repeat('y', 30000000))", soon());
    CHECK(pg::copy(ends.from, out, ends.to, in, {}, soon()).rows == 20001);
    CHECK(checksum(ends.to) == checksum(ends.from));
    CHECK(*ends.from.run("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", soon()).rows[0][0] ==
          "t");
  }
  std::filesystem::remove_all(directory);
}

TEST_CASE("a refusal has the code of its SQLSTATE") {
  pg::Session session(server().url(), {}, soon());
  try {
    session.run("TABLE nowhere", soon());
    FAIL("no refusal");
  } catch (const pg::StatementError& error) {
    CHECK(error.sqlstate() == "42P01");
    CHECK(error.code() == base::ErrorCode::not_found);
  }
}
