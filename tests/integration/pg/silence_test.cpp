/// A server whose processes are stopped keeps its connections and answers nothing, new connections included:
/// so does a proxy that hangs.
#include "catch.hpp"
#include "support/postgres.hpp"
#include "support/soon.hpp"

#include "staithe/base/error.hpp"
#include "staithe/pg/copy.hpp"

#include <thread>

using namespace staithe;
using base::ErrorCode;
using base::Scope;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::soon;

namespace {

pg::Options impatient(milliseconds silence = milliseconds(2000)) {
  pg::Options options;
  options.silence = silence;
  return options;
}

/// One of two servers for all of them, thawed when the test ends.
struct Server {
  explicit Server(std::size_t number = 0) : postgres(all()[number]) {}
  ~Server() { postgres.thaw(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  pg::Session session() const { return {postgres.url(), impatient(), soon()}; }
  static void freeze(const pg::Session& session) { REQUIRE(::kill(session.backend_pid(), SIGSTOP) == 0); }

  test::Postgres& postgres;

 private:
  static test::Postgres* all() {
    static test::Postgres servers[2];
    return servers;
  }
};

/// What was thrown within the time that a silent server is borne: twice the limit, and 2 s for a statement
/// that is to be stopped.
template <class F>
base::Error thrown_soon(F work) {
  const auto began = std::chrono::steady_clock::now();
  try {
    work();
  } catch (const base::Error& error) {
    CHECK(std::chrono::steady_clock::now() - began < seconds(50));
    return error;
  }
  return {ErrorCode::failed, "nothing was thrown"};
}

}  // namespace

TEST_CASE("a long statement of a server that works is waited for") {
  const Server server;
  // Within that time a second connection is made and answered, on a machine that does much else.
  pg::Session session(server.postgres.url(), impatient(seconds(4)), soon());
  CHECK(session.run("SELECT pg_sleep(6)", soon()).rows.size() == 1);
  pg::Session holder(server.postgres.url(), {}, soon());
  holder.run("CREATE TABLE locked ()", soon());
  holder.run("BEGIN; LOCK TABLE locked", soon());
  std::thread later([&] {
    std::this_thread::sleep_for(seconds(6));
    holder.run("COMMIT", soon());
  });
  CHECK_NOTHROW(session.run("LOCK TABLE locked; SELECT 1", soon()));
  later.join();
}

TEST_CASE("the server that works is asked, not another one that the URL names by now") {
  const Server first(1), second;
  const auto reads = [&](const char* value) {
    first.postgres.sql(std::string("ALTER DATABASE postgres SET default_transaction_read_only = ") + value,
                       "template1");
  };
  reads("on");
  pg::Session session("postgres://admin:" + test::Postgres::superuser_password() +
                          "@127.0.0.1:" + std::to_string(first.postgres.port()) +
                          ",127.0.0.1:" + std::to_string(second.postgres.port()) +
                          "/postgres?target_session_attrs=read-write",
                      impatient(seconds(4)), soon());
  reads("off");
  CHECK(session.run("SHOW port", soon()).rows.at(0)[0] == std::to_string(second.postgres.port()));
  CHECK_NOTHROW(session.run("SELECT pg_sleep(9)", soon()));
}

TEST_CASE("a server that is full answers, and is no silent one") {
  const Server server;
  pg::Session session(server.postgres.url(), impatient(seconds(4)), soon());
  std::vector<pg::Session> others;
  for (bool is_full = false; !is_full;) {
    try {
      others.emplace_back(server.postgres.url(), pg::Options{}, soon());
    } catch (const base::Error&) {
      is_full = true;
    }
  }
  CHECK_NOTHROW(session.run("SELECT pg_sleep(9)", soon()));
}

TEST_CASE("a server that answers nothing any more is given up") {
  const Server server;
  auto session = server.session();
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(500));
    server.postgres.freeze();
  });
  const auto error = thrown_soon([&] { session.run("SELECT pg_sleep(3600)", soon()); });
  later.join();
  CHECK(error.code() == ErrorCode::io);
  CHECK_THAT(error.what(), ContainsSubstring("silent for") && ContainsSubstring("second connection"));
  CHECK_FALSE(session.usable());
}

TEST_CASE("one connection that is silent is given up though the server lives") {
  const Server server;
  auto session = server.session();
  Server::freeze(session);
  const auto error = thrown_soon([&] { session.run("SELECT 1", soon()); });
  CHECK(error.code() == ErrorCode::io);
  CHECK_THAT(error.what(), ContainsSubstring("does not work for this connection"));
}

TEST_CASE("a copy whose one end is silent is given up") {
  const Server from, to(1);
  auto source = from.session(), target = to.session();
  source.run(
      "DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT repeat('x', 1000) AS v FROM generate_series(1, "
      "100000)",
      soon());
  target.run("DROP TABLE IF EXISTS t; CREATE TABLE t (v text)", soon());
  const char* slow = "COPY (SELECT v FROM t WHERE pg_sleep(0.0001) IS NOT NULL) TO STDOUT (FORMAT binary)";
  const auto copy = [&](const char* out) {
    return thrown_soon(
        [&] { pg::copy(source, out, target, "COPY t FROM STDIN (FORMAT binary)", {}, soon()); });
  };
  SECTION("the source, whole") {
    std::thread later([&] {
      std::this_thread::sleep_for(milliseconds(500));
      from.postgres.freeze();
    });
    CHECK_THAT(copy(slow).what(), ContainsSubstring(":" + std::to_string(from.postgres.port())) &&
                                      ContainsSubstring("silent for"));
    later.join();
  }
  SECTION("the target, whole") {
    std::thread later([&] {
      std::this_thread::sleep_for(milliseconds(500));
      to.postgres.freeze();
    });
    CHECK_THAT(copy(slow).what(), ContainsSubstring(":" + std::to_string(to.postgres.port())) &&
                                      ContainsSubstring("silent for"));
    later.join();
  }
  SECTION("the target's one connection, before it has begun") {
    Server::freeze(target);
    CHECK_THAT(copy("COPY t TO STDOUT (FORMAT binary)").what(),
               ContainsSubstring("does not work for this connection"));
  }
  CHECK_FALSE(source.usable());
  CHECK_FALSE(target.usable());
}

TEST_CASE("what is stopped while the server is silent ends soon") {
  const Server server;
  auto session = server.session();
  server.postgres.freeze();
  SECTION("at a deadline") {
    CHECK(thrown_soon([&] { session.run("SELECT 1", Scope::lasting(milliseconds(100))); }).code() ==
          ErrorCode::timeout);
  }
  SECTION("when told to") {
    base::Cancel cancel;
    std::thread later([&] {
      std::this_thread::sleep_for(milliseconds(200));
      cancel.request();
    });
    CHECK(thrown_soon([&] { session.run("SELECT 1", Scope::lasting(seconds(60), &cancel)); }).code() ==
          ErrorCode::cancelled);
    later.join();
  }
  SECTION("with more in hand than the socket takes") {
    const std::string long_statement = "SELECT '" + std::string(64UL << 20, 'x') + "'";
    CHECK(thrown_soon([&] { session.run(long_statement, Scope::lasting(seconds(1))); }).code() ==
          ErrorCode::timeout);
  }
}
