/// The contract on SQLite, and what only a file can suffer: no space, no right, damage, other tools.
#include "database.hpp"
#include "schema.hpp"
#include "support/directory.hpp"
#include "support/store_contract.hpp"
#include "support/store_process_contract.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;
using namespace staithe;
using base::ErrorCode;
using test::code_of;
using test::sample_request;
using test::sample_run;

namespace {

struct TempDirectory {
  fs::path path() const { return directory.path(); }
  std::string file() const { return directory / ".staithe/state.db"; }

  test::Directory directory;
};

test::OpenStore opener(const std::string& file) {
  return [file](const store::Settings& settings) { return store::Store::open_sqlite(file, settings); };
}

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

void raw_sql(const std::string& file, const std::string& sql) {
  const auto database = store::sqlite_database(file);
  const auto scope = base::Scope::lasting(std::chrono::seconds(60));
  database->open(scope);
  database->exec(sql, {}, scope);
}

/// Appends until it fails, in this process; then checks that what was acknowledged is there.
void append_until_full(const std::string& file, std::size_t bytes_each) {
  auto store = store::Store::open_sqlite(file);
  store->begin_run(sample_run("run-1"));
  std::uint64_t acknowledged = 0;
  std::string text;
  ErrorCode code = ErrorCode::failed;
  try {
    for (int i = 0; i < 10'000; ++i) {
      acknowledged = store->append("run-1", {0, {}, "web1", "a", "note", std::string(bytes_each, 'x')});
    }
  } catch (const base::Error& error) {
    code = error.code();
    text = error.what();
  }
  if (code != ErrorCode::io || text.find("no space is left") == std::string::npos || acknowledged == 0) {
    throw std::runtime_error("after " + std::to_string(acknowledged) + " entries: " + text);
  }
  // Also the writer that failed can still read, and so can the next one.
  if (store->journal("run-1").size() != acknowledged) throw std::runtime_error("entries are missing");
  store.reset();
  if (store::Store::open_sqlite(file)->journal("run-1").size() != acknowledged) {
    throw std::runtime_error("entries are missing later");
  }
}

}  // namespace

TEST_CASE("runs on SQLite") {
  test::check_runs(opener(TempDirectory().file()));
}
TEST_CASE("journal on SQLite") {
  test::check_journal(opener(TempDirectory().file()));
}
TEST_CASE("releases on SQLite") {
  test::check_releases(opener(TempDirectory().file()));
  test::check_rehearsals(opener(TempDirectory().file()));
}
TEST_CASE("checks on SQLite") {
  test::check_checks(opener(TempDirectory().file()));
  test::check_old_checks(opener(TempDirectory().file()));
}
TEST_CASE("notes on SQLite") {
  test::check_notes(opener(TempDirectory().file()));
}
TEST_CASE("notes of a lock on SQLite") {
  test::check_notes_of_a_lock(opener(TempDirectory().file()));
}
TEST_CASE("locks on SQLite") {
  test::check_locks(opener(TempDirectory().file()));
}
TEST_CASE("a dead owner's lock on SQLite") {
  test::check_dead_owner(opener(TempDirectory().file()));
}
TEST_CASE("kill -9 while appending on SQLite") {
  test::check_killed_while_appending(opener(TempDirectory().file()), 25);
}
TEST_CASE("two processes on SQLite") {
  test::check_two_processes(opener(TempDirectory().file()));
}

TEST_CASE("the state is for its owner only and stays out of git") {
  const TempDirectory directory;
  const auto before = ::umask(0);
  const auto store = store::Store::open_sqlite(directory.file());
  store->begin_run(sample_run("run-1"));
  ::umask(before);
  CHECK(store->where() == directory.file());
  CHECK(mode_of(directory.path() / ".staithe") == 0700);
  for (const char* name : {"state.db", "state.db-wal", "state.db-shm"}) {
    CHECK(mode_of(directory.path() / ".staithe" / name) == 0600);
  }
  std::ifstream ignore(directory.path() / ".staithe" / ".gitignore");
  CHECK(std::string{std::istreambuf_iterator<char>(ignore), {}} == "*\n");
}

TEST_CASE("a commit waits for the disk, and the file is found again from another directory") {
  const TempDirectory directory;
  const auto scope = base::Scope::lasting(std::chrono::seconds(60));
  const fs::path before = fs::current_path();
  fs::current_path(directory.path());
  const auto database = store::sqlite_database("state.db");
  fs::current_path(before);
  database->open(scope);
  CHECK(database->where() == "state.db");
  CHECK(fs::exists(directory.path() / "state.db"));
  CHECK(database->exec("PRAGMA synchronous", {}, scope).rows.at(0).at(0) == "2");
  CHECK(database->exec("PRAGMA journal_mode", {}, scope).rows.at(0).at(0) == "wal");
}

TEST_CASE("a lock of an owner that cannot be seen is abandoned after its lease") {
  const TempDirectory directory;
  store::Settings settings;
  settings.heartbeat = std::chrono::milliseconds(50);
  settings.lease = std::chrono::milliseconds(400);
  const auto store = store::Store::open_sqlite(directory.file(), settings);
  // Heard from so many milliseconds ago, with a lease of a minute.
  const auto pretend = [&](const std::string& process, int ago) {
    raw_sql(directory.file(),
            "INSERT OR REPLACE INTO staithe_locks VALUES ('production/payments', 'eve@far pid 7', 'why', "
            "'run-0', 'token', '" +
                process + "', 1, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - " +
                std::to_string(ago) + ", 60000)");
  };
  for (const std::string process : {"another-boot|pid:[1]|far|7|100", "", "|", "garbage"}) {
    pretend(process, 0);
    auto info = store->lock_info("production/payments");
    REQUIRE(info);
    CHECK(info->owner == store::Owner::unknown);
    CHECK_FALSE(info->abandoned);
    CHECK(std::holds_alternative<store::LockInfo>(store->try_lock(sample_request())));
    pretend(process, 59'500);
    auto won = store->lock(sample_request(), base::Scope::lasting(std::chrono::seconds(60)));
    REQUIRE(std::holds_alternative<store::Lock>(won));
    CHECK(std::get<store::Lock>(won).reclaimed_from()->holder == "eve@far pid 7");
  }
}

TEST_CASE("a process number that is used again is not the owner") {
  const TempDirectory directory;
  const auto store = store::Store::open_sqlite(directory.file());
  auto taken = store->try_lock(sample_request());
  raw_sql(directory.file(), "UPDATE staithe_locks SET process = process || '0'");  // another start time
  CHECK(store->lock_info("production/payments")->owner == store::Owner::gone);
}

TEST_CASE("a lock that cannot be renewed is lost after its lease, and heals") {
  const TempDirectory directory;
  store::Settings settings;
  settings.heartbeat = std::chrono::milliseconds(50);
  settings.lease = std::chrono::milliseconds(1000);
  const auto store = store::Store::open_sqlite(directory.file(), settings);
  auto taken = store->try_lock(sample_request());
  auto& lock = std::get<store::Lock>(taken);
  {
    const auto blocker = store::sqlite_database(directory.file());
    const auto scope = base::Scope::lasting(std::chrono::seconds(60));
    blocker->open(scope);
    blocker->begin(scope);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!lock.lost() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK(lock.lost());
    blocker->rollback();
  }
  CHECK(lock.confirm());
  CHECK_FALSE(lock.lost());
}

TEST_CASE("a busy file is waited for no longer than the patience, and a stop ends the wait") {
  const TempDirectory directory;
  store::Settings settings;
  settings.patience = std::chrono::milliseconds(300);
  base::Cancel stop;
  settings.stop = &stop;
  const auto store = store::Store::open_sqlite(directory.file(), settings);
  const auto blocker = store::sqlite_database(directory.file());
  const auto scope = base::Scope::lasting(std::chrono::seconds(60));
  blocker->open(scope);
  blocker->begin(scope);
  const auto start = std::chrono::steady_clock::now();
  CHECK(code_of([&] { store->begin_run(sample_run("run-1")); }) == ErrorCode::timeout);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
  CHECK(store->history().empty());  // reading goes on beside a writer
  stop.request();
  CHECK(code_of([&] { store->begin_run(sample_run("run-1")); }) == ErrorCode::cancelled);
}

TEST_CASE("calls of other threads are waited for no longer than the patience either") {
  const TempDirectory directory;
  store::Settings settings;
  settings.patience = std::chrono::seconds(2);
  const auto store = store::Store::open_sqlite(directory.file(), settings);
  const auto blocker = store::sqlite_database(directory.file());
  const auto scope = base::Scope::lasting(std::chrono::seconds(60));
  blocker->open(scope);
  blocker->begin(scope);
  const auto start = std::chrono::steady_clock::now();
  std::atomic<int> timed_out{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i)
    threads.emplace_back([&, i] {
      const auto code = code_of([&] { store->begin_run(sample_run("run-" + std::to_string(i))); });
      timed_out += code == ErrorCode::timeout ? 1 : 0;
    });
  for (auto& thread : threads) thread.join();
  CHECK(timed_out == 12);
  // One after the other would be 24 seconds.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(12));
  blocker->rollback();
  store->begin_run(sample_run("run-0"));
}

TEST_CASE("a file size limit is a full disk: a clear error, and nothing is lost") {
  const TempDirectory directory;
  const int status = test::in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{256 << 10, 256 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    append_until_full(directory.file(), 2000);
  });
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("a full file system: a clear error, nothing is lost, and it goes on when there is space") {
  const TempDirectory directory;
  const int status = test::in_child([&] {
    // The mount lives in this child's namespace and ends with it.
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=512k") != 0) {
      ::_exit(77);
    }
    const auto ballast = directory.path() / "ballast";
    std::ofstream(ballast) << std::string(64 << 10, 'x');
    append_until_full(directory.file(), 2000);
    fs::remove(ballast);
    store::Store::open_sqlite(directory.file())->append("run-1", {0, {}, "", "", "note", "{}"});
  });
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    WARN("mounting is not permitted here: skipped");
    return;
  }
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("a directory or file without write permission is said") {
  const TempDirectory directory;
  { store::Store::open_sqlite(directory.file())->begin_run(sample_run("run-1")); }
  fs::permissions(directory.path(), fs::perms(0755));
  const auto attempt = [&](const std::string& file, const std::string& expected) {
    const int status = test::in_child([&] {
      // Root is never refused.
      if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(98);
      std::string text;
      const auto code =
          code_of([&] { store::Store::open_sqlite(file)->begin_run(sample_run("run-2")); }, &text);
      const bool right = code == ErrorCode::permission &&
                         text.find(file.substr(0, file.rfind('/'))) != std::string::npos &&
                         text.find(expected) != std::string::npos;
      if (!right) throw std::runtime_error(text);
    });
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  };
  fs::permissions(directory.path() / ".staithe", fs::perms(0555));
  if (::geteuid() != 0) fs::permissions(directory.file(), fs::perms(0444));
  attempt(directory.file(), "must be writable");
  attempt((directory.path() / ".staithe" / "other.db").string(), "cannot create the state file");
  fs::permissions(directory.path(), fs::perms(0555));
  attempt((directory.path() / "new" / "state.db").string(), "'state: sqlite PATH' puts it elsewhere");
  fs::permissions(directory.path(), fs::perms(0700));
  fs::permissions(directory.path() / ".staithe", fs::perms(0700));
}

TEST_CASE("a damaged file is named, with the next step") {
  const TempDirectory directory;
  std::string text;
  SECTION("not a database at all") {
    fs::create_directories(directory.path() / ".staithe");
    std::ofstream(directory.file()) << std::string(8192, 'x');
    CHECK(code_of([&] { store::Store::open_sqlite(directory.file()); }, &text) == ErrorCode::io);
  }
  SECTION("pages overwritten") {
    {
      const auto store = store::Store::open_sqlite(directory.file());
      store->begin_run(sample_run("run-1"));
      for (int i = 0; i < 100; ++i) store->append("run-1", {0, {}, "", "", "note", std::string(1000, 'x')});
    }
    const auto size = fs::file_size(directory.file());
    std::fstream file(directory.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(size - 4096, '\x5a');
    file.close();
    CHECK(code_of([&] { store::Store::open_sqlite(directory.file())->journal("run-1"); }, &text) ==
          ErrorCode::io);
  }
  SECTION("cut short") {
    {
      const auto store = store::Store::open_sqlite(directory.file());
      store->begin_run(sample_run("run-1"));
      for (int i = 0; i < 100; ++i) store->append("run-1", {0, {}, "", "", "note", std::string(1000, 'x')});
    }
    fs::resize_file(directory.file(), fs::file_size(directory.file()) / 2);
    CHECK(code_of([&] { store::Store::open_sqlite(directory.file())->journal("run-1"); }, &text) ==
          ErrorCode::io);
  }
  CHECK_THAT(text, ContainsSubstring(directory.file()));
  CHECK_THAT(text, ContainsSubstring("damaged"));
  CHECK_THAT(text, ContainsSubstring("move " + directory.file() + "* away"));
}

TEST_CASE("tables of a newer staithe are left alone") {
  const TempDirectory directory;
  { store::Store::open_sqlite(directory.file()); }
  raw_sql(directory.file(), "INSERT INTO staithe_schema VALUES (99)");
  std::string text;
  CHECK(code_of([&] { store::Store::open_sqlite(directory.file()); }, &text) == ErrorCode::conflict);
  CHECK_THAT(text, ContainsSubstring(directory.file()));
  CHECK_THAT(text, ContainsSubstring("newer staithe"));
}

TEST_CASE("older tables are brought up to date, each step once, all or nothing") {
  const TempDirectory directory;
  const auto scope = base::Scope::lasting(std::chrono::seconds(60));
  const auto database = store::sqlite_database((directory.path() / "state.db").string());
  const std::vector<store::Migration> first = {{"CREATE TABLE a (x TEXT)", "INSERT INTO a VALUES ('kept')"}};
  store::migrate(*database, first, scope);
  auto broken = first;
  broken.push_back({"CREATE TABLE b (y TEXT)", "NONSENSE"});
  CHECK_THROWS_AS(store::migrate(*database, broken, scope), base::Error);
  CHECK_FALSE(database->has_table("b", scope));
  auto second = first;
  second.push_back({"CREATE TABLE b (y TEXT)"});
  store::migrate(*database, second, scope);
  store::migrate(*database, second, scope);
  CHECK(database->has_table("b", scope));
  CHECK(database->exec("SELECT x FROM a", {}, scope).rows.size() == 1);
  CHECK(code_of([&] { store::migrate(*database, first, scope); }) == ErrorCode::conflict);
}

TEST_CASE("many processes may open a new state at the same moment") {
  const TempDirectory directory;
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        store::Store::open_sqlite(directory.file())->begin_run(sample_run("run-" + std::to_string(i)));
        ::_exit(0);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "child: %s\n", error.what());
        ::_exit(99);
      }
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
  CHECK(store::Store::open_sqlite(directory.file())->history().size() == 8);
}

TEST_CASE("settings that would lose a living owner's lock are refused") {
  const TempDirectory directory;
  store::Settings settings;
  settings.heartbeat = std::chrono::seconds(20);
  CHECK(code_of([&] { store::Store::open_sqlite(directory.file(), settings); }) == ErrorCode::invalid);
  CHECK(code_of([&] { store::Store::open_sqlite(""); }) == ErrorCode::invalid);
}
