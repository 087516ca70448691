/// The Store's contract on PostgreSQL, and what only a server can do: go away.
#include "support/postgres.hpp"

#include "database.hpp"
#include "support/store_contract.hpp"
#include "support/store_process_contract.hpp"

using namespace staithe;
using base::ErrorCode;
using test::code_of;
using test::sample_request;
using test::sample_run;
using test::server;

namespace {

/// Opens the Store in a database of its own.
test::OpenStore opener() {
  const std::string url = server().url(server().create_database());
  return [url](const store::Settings& settings) { return store::Store::open_postgres(url, settings); };
}

}  // namespace

TEST_CASE("runs on PostgreSQL") {
  test::check_runs(opener());
}
TEST_CASE("journal on PostgreSQL") {
  test::check_journal(opener());
}
TEST_CASE("releases on PostgreSQL") {
  test::check_releases(opener());
  test::check_rehearsals(opener());
}
TEST_CASE("checks on PostgreSQL") {
  test::check_checks(opener());
  test::check_old_checks(opener());
}
TEST_CASE("notes on PostgreSQL") {
  test::check_notes(opener());
}
TEST_CASE("notes of a lock on PostgreSQL") {
  test::check_notes_of_a_lock(opener());
}
TEST_CASE("locks on PostgreSQL") {
  test::check_locks(opener());
}
TEST_CASE("a dead owner's lock on PostgreSQL") {
  test::check_dead_owner(opener());
}
TEST_CASE("kill -9 while appending on PostgreSQL") {
  test::check_killed_while_appending(opener(), 10);
}
TEST_CASE("two processes on PostgreSQL") {
  test::check_two_processes(opener());
}

TEST_CASE("a lock from another machine is abandoned after its lease, by the server's clock") {
  const std::string database = server().create_database();
  store::Settings settings;
  settings.heartbeat = std::chrono::milliseconds(50);
  settings.lease = std::chrono::milliseconds(600);
  const auto store = store::Store::open_postgres(server().url(database), settings);
  server().sql(
      "INSERT INTO staithe_locks VALUES ('production/payments', 'eve@far pid 7', 'why', 'run-0', 'token', "
      "'another-boot|pid:[1]|far|7|100', 1, floor(extract(epoch FROM clock_timestamp()) * 1000), 60000)",
      database);
  CHECK(std::holds_alternative<store::LockInfo>(store->try_lock(sample_request())));
  server().sql("UPDATE staithe_locks SET heartbeat = heartbeat - 59500", database);
  const auto won = store->lock(sample_request(), base::Scope::lasting(std::chrono::seconds(60)));
  REQUIRE(std::holds_alternative<store::Lock>(won));
  CHECK(std::get<store::Lock>(won).reclaimed_from()->holder == "eve@far pid 7");
}

TEST_CASE("tables of a newer staithe are left alone, a missing right is said, the password is not") {
  const std::string database = server().create_database();
  { store::Store::open_postgres(server().url(database)); }
  server().sql("INSERT INTO staithe_schema VALUES (99)", database);
  std::string text;
  CHECK(code_of([&] { store::Store::open_postgres(server().url(database)); }, &text) == ErrorCode::conflict);
  CHECK_THAT(text, ContainsSubstring("newer staithe"));
  CHECK(text.find(server().superuser_password()) == std::string::npos);
  server().sql("CREATE ROLE guest LOGIN");
  const std::string empty = server().create_database();
  server().sql("REVOKE CREATE ON SCHEMA public FROM public", empty);
  const std::string guest = "postgres://guest@/" + empty + "?host=" + server().socket_directory() +
                            "&port=" + std::to_string(server().port());
  CHECK(code_of([&] { store::Store::open_postgres(guest); }) == ErrorCode::permission);
  CHECK(store::Store::open_postgres(server().url(empty))->where() ==
        "postgres://admin@127.0.0.1:" + std::to_string(server().port()) + "/" + empty);
}

TEST_CASE("a commit waits for the disk also where the database is set up otherwise") {
  const std::string name = server().create_database();
  const auto scope = base::Scope::lasting(std::chrono::seconds(60));
  const auto setting = [&] {
    const auto database = store::postgres_database(server().url(name));
    database->open(scope);
    return database->exec("SHOW synchronous_commit", {}, scope).rows.at(0).at(0).value();
  };
  server().sql("ALTER DATABASE " + name + " SET synchronous_commit = off");
  CHECK(setting() == "on");
  server().sql("ALTER DATABASE " + name + " SET synchronous_commit = remote_apply");
  CHECK(setting() == "remote_apply");
}

TEST_CASE("an address where nothing answers is told at once") {
  const auto start = std::chrono::steady_clock::now();
  CHECK(code_of([] { store::Store::open_postgres("postgres://127.0.0.1:1/x"); }) == ErrorCode::connect);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(8));
}

TEST_CASE("a cut session is made again and the call repeated") {
  const std::string database = server().create_database();
  const auto store = store::Store::open_postgres(server().url(database));
  store->begin_run(sample_run("run-1"));
  auto taken = store->try_lock(sample_request());
  const auto cut = [&] {
    server().sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '" + database +
                 "'");
  };
  for (int i = 0; i < 3; ++i) {
    cut();
    store->append("run-1", {0, {}, "web1", std::to_string(i), "note", "{}"});
  }
  cut();
  CHECK(std::holds_alternative<store::Lock>(store->try_lock(sample_request("production/web"))));
  cut();
  CHECK(store->journal("run-1").size() == 3);
  cut();
  CHECK(std::get<store::Lock>(taken).confirm());
  cut();
  std::get<store::Lock>(taken).release();
  CHECK(store->locks().empty());
}

TEST_CASE("sessions cut at random while lanes append: every entry once, in order") {
  const std::string database = server().create_database();
  const auto store = store::Store::open_postgres(server().url(database));
  store->begin_run(sample_run("run-1"));
  std::atomic<bool> stop{false};
  std::vector<std::thread> lanes;
  std::vector<int> done(4, 0);
  for (std::size_t lane = 0; lane < done.size(); ++lane) {
    lanes.emplace_back([&, lane] {
      while (!stop) {
        store->append("run-1", {0, {}, std::to_string(lane), std::to_string(done[lane]), "note", "{}"});
        ++done[lane];
      }
    });
  }
  for (int i = 0; i < 12; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    server().sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + database + "'");
  }
  stop = true;
  for (auto& lane : lanes) lane.join();
  std::vector<int> next(done.size(), 0);
  for (const auto& entry : store->journal("run-1")) {
    CHECK(entry.action_id == std::to_string(next[static_cast<std::size_t>(std::stoi(entry.host))]++));
  }
  CHECK(next == done);
}

TEST_CASE("a server that restarts is waited for, one that stays away is an error, locks are told lost") {
  test::Postgres own;
  store::Settings settings;
  settings.patience = std::chrono::seconds(120);
  settings.heartbeat = std::chrono::milliseconds(200);
  settings.lease = std::chrono::milliseconds(2000);
  const auto store = store::Store::open_postgres(own.url(), settings);
  store->begin_run(sample_run("run-1"));
  store->append("run-1", {0, {}, "web1", "1", "note", "{}"});
  SECTION("restart") {
    std::string failure;
    own.stop();
    std::thread writer([&] {
      try {
        store->append("run-1", {0, {}, "web1", "2", "note", "{}"});
      } catch (const base::Error& error) {
        failure = error.what();
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    own.start();
    writer.join();
    CHECK(failure == "");
    CHECK(store->journal("run-1").size() == 2);
  }
  SECTION("crash") {
    own.stop(SIGQUIT);
    own.start();
    store->append("run-1", {0, {}, "web1", "2", "note", "{}"});
    CHECK(store->journal("run-1").size() == 2);
  }
  SECTION("gone") {
    settings.patience = std::chrono::seconds(3);
    const auto brief = store::Store::open_postgres(own.url(), settings);
    auto taken = brief->try_lock(sample_request());
    auto& lock = std::get<store::Lock>(taken);
    own.stop();
    const auto start = std::chrono::steady_clock::now();
    std::string text;
    const auto code = code_of([&] { brief->append("run-1", {0, {}, "web1", "2", "note", "{}"}); }, &text);
    CHECK((code == ErrorCode::io || code == ErrorCode::connect));
    CHECK_THAT(text, ContainsSubstring("127.0.0.1:" + std::to_string(own.port())));
    CHECK(text.find(own.superuser_password()) == std::string::npos);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
    CHECK(lock.lost());
    const auto asked = code_of([&] { lock.confirm(); });
    CHECK((asked == ErrorCode::io || asked == ErrorCode::connect));
    own.start();
    CHECK(lock.confirm());  // nobody had taken it meanwhile
    CHECK_FALSE(lock.lost());
  }
  SECTION("frozen") {
    settings.patience = std::chrono::seconds(6);
    const auto brief = store::Store::open_postgres(own.url(), settings);
    own.freeze();
    CHECK(code_of([&] { brief->begin_run(sample_run("run-2")); }) == ErrorCode::timeout);
    own.thaw();
    brief->begin_run(sample_run("run-3"));
  }
}
