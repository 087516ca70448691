/// Snapshots and clones as databases: whose they are, and what is dropped.
#include "catch.hpp"
#include "golden.hpp"

#include "staithe/stage/clone.hpp"
#include "staithe/stage/rehearse.hpp"
#include "staithe/stage/snapshot.hpp"
#include "staithe/stage/snapshots.hpp"

#include <algorithm>
#include <thread>

using namespace golden;

TEST_CASE("a snapshot is dropped by what it is, not by its name alone") {
  pg::Session cluster(server().url(), {}, soon());
  // As a run makes it that is killed before its mark is there; the others have the name only.
  server().sql("CREATE DATABASE shop_building_0a1b CONNECTION LIMIT 1937006953");
  server().sql("CREATE DATABASE shop_building_house CONNECTION LIMIT 1937006953");
  server().sql("CREATE DATABASE office_building_2024");
  server().sql("CREATE TABLE t AS SELECT 1", "office_building_2024");
  server().sql("CREATE DATABASE x_building_cafe");
  auto all = stage::list_snapshots(cluster, soon());
  REQUIRE(all.size() == 1);
  CHECK(all[0].database == "shop_building_0a1b");
  CHECK(all[0].marker.state == stage::Marker::State::building);
  auto another = all[0];
  ++another.oid;
  CHECK_THROWS_AS(stage::drop_snapshot(cluster, another, true, soon()), base::Error);
  CHECK(stage::list_snapshots(cluster, soon()).size() == 1);
  stage::drop_snapshot(cluster, all[0], true, soon());
  CHECK(stage::list_snapshots(cluster, soon()).empty());
  for (const auto* name : {"shop_building_house", "office_building_2024", "x_building_cafe"})
    server().sql(std::string("DROP DATABASE ") + name);
}

TEST_CASE("the database is dropped that was looked at, also when its name changes hands meanwhile") {
  server().sql("CREATE DATABASE old_one");
  server().sql("CREATE DATABASE new_one");
  stage::Snapshot old;
  old.database = "old_one";
  old.oid = std::stoull(server().sql("SELECT oid FROM pg_database WHERE datname = 'old_one'"));
  pg::Session swap(server().url(), {}, soon());
  // What a run does that puts a new snapshot in the place of the old one.
  swap.run("BEGIN", soon());
  swap.run("SELECT pg_advisory_xact_lock(32497584051550064)", soon());
  swap.run("ALTER DATABASE old_one RENAME TO aside", soon());
  swap.run("ALTER DATABASE new_one RENAME TO old_one", soon());
  std::string refused;
  std::thread drops([&] {
    pg::Session cluster(server().url(), {}, soon());
    try {
      stage::drop_snapshot(cluster, old, true, soon());
    } catch (const base::Error& error) {
      refused = error.what();
    }
  });
  while (server().sql("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)") != "t")
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  swap.run("COMMIT", soon());
  drops.join();
  CHECK(refused.find("another database by now") != std::string::npos);
  CHECK(server().sql("SELECT count(*) FROM pg_database WHERE datname IN ('aside', 'old_one')") == "2");
  server().sql("DROP DATABASE IF EXISTS old_one");
  server().sql("DROP DATABASE aside");
}

namespace {

/// A snapshot of the database "plain" into the cluster that it is in, which only a test may do.
struct Copy {
  stage::SnapshotPlan plan;
  Deaf deaf;
  base::Cancel stop;
  std::atomic<int> code{130};

  Copy() {
    server().sql("CREATE DATABASE plain");
    diag::Diagnostics diagnostics;
    stage::SnapshotSettings settings;
    settings.name = "copy";
    pg::Session source(server().url("plain"), stage::source_options(), soon());
    stage::guard_source(source, settings, soon());
    source.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", soon());
    plan = stage::make_snapshot_plan(stage::read_catalogue(source, soon()),
                                     stage::read_target(server().url(), settings, soon()), {}, settings,
                                     diagnostics);
  }
  event::RunFinished run(const std::string& id) {
    return stage::run_snapshot(plan, {id, server().url("plain"), server().url(), ""}, deaf, stop, code);
  }
};

}  // namespace

TEST_CASE("a run leaves a database alone that has the name of what it would build") {
  server().sql("CREATE DATABASE copy_building_0a1b");
  server().sql("CREATE TABLE precious AS SELECT 1 AS id", "copy_building_0a1b");
  Copy copy;
  const auto ended = copy.run("run-0a1b");
  CHECK(ended.verdict == "refused");
  CHECK(ended.failure.find("copy_building_0a1b is there already") != std::string::npos);
  CHECK(server().sql("SELECT count(*) FROM precious", "copy_building_0a1b") == "1");
  CHECK(copy.run("run-0a1c").verdict == "done");
  CHECK(server().sql("SELECT datconnlimit FROM pg_database WHERE datname = 'copy'") == "-1");
  for (const auto* name : {"copy", "plain", "copy_building_0a1b"})
    server().sql(std::string("DROP DATABASE ") + name);
}

TEST_CASE("a run that finds another cluster than its plan looked at writes nothing there") {
  Copy copy;
  copy.plan.target.system_identifier = "1";
  const auto ended = copy.run("run-0a1d");
  CHECK(ended.verdict == "refused");
  CHECK(ended.failure.find("is another cluster by now") != std::string::npos);
  CHECK(server().sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'copy%'") == "0");
  server().sql("DROP DATABASE plain");
}

TEST_CASE("a run gives no database its name while somebody drops one") {
  Copy copy;
  pg::Session drops(server().url(), {}, soon());
  drops.run("SELECT pg_advisory_lock(32497584051550064)", soon());
  event::RunFinished ended;
  std::thread run([&] { ended = copy.run("run-0a1e"); });
  while (server().sql("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory')") !=
             "t" &&
         server().sql("SELECT count(*) FROM pg_database WHERE datname = 'copy'") == "0")
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(server().sql("SELECT count(*) FROM pg_database WHERE datname = 'copy'") == "0");
  drops.run("SELECT pg_advisory_unlock(32497584051550064)", soon());
  run.join();
  CHECK(ended.verdict == "done");
  for (const auto* name : {"copy", "plain"}) server().sql(std::string("DROP DATABASE ") + name);
}

TEST_CASE("a clone keeps the database's settings, leaves the template alone, and goes with its object") {
  std::vector<std::string> left;
  server().sql("ALTER DATABASE golden SET search_path = app, public");
  pg::Session cluster(server().url(), {}, soon());
  {
    const stage::CloneClaim claim(server().url(), "r", soon());
    const auto name = stage::clone_name(stage::rehearsal_clones, "r", 1);
    stage::Clone clone(server().url(), "golden", name, "r", left, soon());
    CHECK(server().sql("SHOW search_path", name) == "app, public");
    CHECK(stage::list_clones(cluster, soon()).size() == 1);
    CHECK(stage::drop_stale_clones(cluster, soon()).empty());
    server().sql("DROP TABLE app.users", name);
  }
  CHECK(stage::list_clones(cluster, soon()).empty());
  CHECK(server().sql("SELECT count(*) FROM app.users", "golden") == "5000");
  server().sql("ALTER DATABASE golden RESET search_path");
  pg::Session busy(server().url("golden"), {}, soon());
  const auto clone = [&] {
    stage::Clone never(server().url(), "golden", "copy", "r", left, Scope::lasting(std::chrono::seconds(3)));
  };
  CHECK_THROWS_AS(clone(), base::Error);
  CHECK(left.empty());
}

TEST_CASE("a clone's name that is somebody else's by now is left alone") {
  pg::Session cluster(server().url(), {}, soon());
  const auto name = stage::clone_name(stage::rehearsal_clones, "run-9", 1);
  const auto other = [&] { return server().sql("SELECT count(*) FROM precious", name); };
  const auto take_name = [&] {
    server().sql("ALTER DATABASE " + name + " RENAME TO its_clone");
    server().sql("CREATE DATABASE " + name);
    server().sql("CREATE TABLE precious AS SELECT 1 AS id", name);
  };
  SECTION("when the clone's object goes") {
    std::vector<std::string> left;
    {
      const stage::CloneClaim claim(server().url(), "run-9", soon());
      const stage::Clone clone(server().url(), "golden", name, "run-9", left, soon());
      take_name();
    }
    CHECK(other() == "1");
    CHECK(left.empty());
  }
  SECTION("when what is stale is dropped") {
    server().sql("CREATE DATABASE " + name);
    // What a run does that renames: whoever drops has looked already, and waits.
    pg::Session swap(server().url(), {}, soon());
    swap.run("SELECT pg_advisory_lock(32497584051550064)", soon());
    std::vector<std::string> dropped{"?"};
    std::thread drops([&] { dropped = stage::drop_stale_clones(cluster, soon()); });
    while (server().sql("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)") != "t")
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    take_name();
    swap.run("SELECT pg_advisory_unlock(32497584051550064)", soon());
    drops.join();
    CHECK(dropped.empty());
    CHECK(other() == "1");
  }
  server().sql("DROP DATABASE " + name);
  server().sql("DROP DATABASE its_clone");
}

TEST_CASE("a clone that could not be dropped is known by its name") {
  const auto name = stage::clone_name(stage::rehearsal_clones, "run-8", 1);
  std::vector<std::string> left;
  {
    const stage::Clone clone(server().url(), "golden", name, "run-8", left, soon());
    server().sql("COMMENT ON DATABASE postgres IS 'production of somebody'");
    CHECK(left.empty());
  }
  server().sql("COMMENT ON DATABASE postgres IS NULL");
  CHECK(left == std::vector<std::string>{name});
  server().sql("DROP DATABASE " + name);
}

TEST_CASE("whoever claims clones holds nothing for ever where nobody is at the other end any more") {
  const stage::CloneClaim claim(server().url(), "run-7", soon());
  pg::Session cluster(server().url(), {}, soon());
  const auto pid_of_claim = [] {
    return server().sql(
        "SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND classid = " +
        std::to_string(0x7374'636c));
  };
  const auto first = pid_of_claim();
  REQUIRE(first != "0");
  // Its session is lost, and it is there again without anybody's doing, as soon as that is noticed.
  server().sql("SELECT pg_terminate_backend(" + first + ")");
  const auto patience = Scope::lasting(std::chrono::seconds(16));
  auto now = pid_of_claim();
  for (; (now == "0" || now == first) && !patience.expired(); now = pid_of_claim())
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(now != "0");
  CHECK(now != first);
}

TEST_CASE("a clone is left behind when its run is gone, and only then") {
  pg::Session cluster(server().url(), {}, soon());
  const auto name = stage::clone_name(stage::rehearsal_clones, "run-1", 1);
  const auto old_comment = [](const std::string& more) {
    return "'{\"staithe_clone\": {\"snapshot\": \"golden\", \"run\": \"run-1\", \"made_at\": 1000" + more +
           "}}'";
  };
  // The server may take a moment to notice that a session has left, which held the claim.
  const auto dropped = [&] {
    const auto patience = Scope::lasting(std::chrono::seconds(60));
    auto names = stage::drop_stale_clones(cluster, soon());
    for (; names.empty() && !patience.expired(); names = stage::drop_stale_clones(cluster, soon()))
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return names;
  };
  server().sql("CREATE DATABASE " + name);
  SECTION("made long ago, without a session, by a run that is alive") {
    server().sql("COMMENT ON DATABASE " + name + " IS " + old_comment(""));
    {
      const stage::CloneClaim claim(server().url(), "run-1", soon());
      REQUIRE(stage::list_clones(cluster, soon()).size() == 1);
      CHECK(stage::list_clones(cluster, soon())[0].claimed);
      CHECK(stage::drop_stale_clones(cluster, soon()).empty());
    }
    const stage::CloneClaim other(server().url(), "run-2", soon());
    CHECK(dropped() == std::vector<std::string>{name});
  }
  SECTION("its run was killed before it could write what it is") {
    REQUIRE(stage::list_clones(cluster, soon()).size() == 1);
    {
      pg::Session looking(server().url(name), {}, soon());
      CHECK(stage::drop_stale_clones(cluster, soon()).empty());
    }
    CHECK(dropped() == std::vector<std::string>{name});
  }
  SECTION("a proxy keeps sessions of a run that is gone, though nobody is at their other end") {
    const auto ours = stage::connect_clone(server().url(name), "observer", soon());
    CHECK(dropped() == std::vector<std::string>{name});
  }
  SECTION("somebody is in it with another command of ours") {
    pg::Session fills(server().url(name), {stage::backfill_session}, soon());
    CHECK(stage::drop_stale_clones(cluster, soon()).empty());
    CHECK_THROWS_AS(stage::drop_left_behind(cluster, stage::list_clones(cluster, soon()).at(0),
                                            Scope::lasting(std::chrono::seconds(3))),
                    base::Error);
    CHECK_NOTHROW(fills.run("SELECT 1", soon()));
    server().sql("DROP DATABASE " + name + " (FORCE)");
  }
  SECTION("kept for a look") {
    server().sql("COMMENT ON DATABASE " + name + " IS " + old_comment(", \"kept\": true"));
    CHECK(stage::drop_stale_clones(cluster, soon()).empty());
    CHECK_FALSE(stage::list_clones(cluster, soon()).at(0).is_in_use());
    {
      auto looks = stage::connect_clone(server().url(name), "looks", soon());
      const auto kept = stage::list_clones(cluster, soon()).at(0);
      CHECK(kept.is_in_use());
      CHECK_THROWS_AS(stage::drop_left_behind(cluster, kept, Scope::lasting(std::chrono::seconds(3))),
                      base::Error);
      CHECK_NOTHROW(looks.run("SELECT 1", soon()));
    }
    server().sql("DROP DATABASE " + name);
  }
  SECTION("another one of the same run, which shows how it was") {
    const auto was = name + std::string(stage::untouched_clone);
    server().sql("ALTER DATABASE " + name + " RENAME TO " + was);
    server().sql("COMMENT ON DATABASE " + was + " IS " + old_comment(""));
    {
      const stage::CloneClaim claim(server().url(), "run-1", soon());
      CHECK(stage::drop_stale_clones(cluster, soon()).empty());
    }
    CHECK(dropped() == std::vector<std::string>{was});
  }
  SECTION("somebody gave it a name of their own") {
    server().sql("COMMENT ON DATABASE " + name + " IS " + old_comment(""));
    server().sql("ALTER DATABASE " + name + " RENAME TO playground");
    CHECK(stage::list_clones(cluster, soon()).size() == 1);
    CHECK(stage::drop_stale_clones(cluster, soon()).empty());
    server().sql("DROP DATABASE playground");
  }
  SECTION("one that belongs to another role is in nobody's way") {
    server().sql("COMMENT ON DATABASE " + name + " IS " + old_comment(""));
    server().sql("CREATE ROLE stranger");
    cluster.run("SET ROLE stranger", soon());
    CHECK(stage::drop_stale_clones(cluster, soon()).empty());
    cluster.run("RESET ROLE", soon());
    server().sql("DROP ROLE stranger");
    CHECK(dropped() == std::vector<std::string>{name});
  }
  SECTION("somebody else's database of such a name") {
    for (const char* comment :
         {"'mine'", "'not a staithe_clone, mine'", "'{\"staithe_clone\": {\"kept\": 1}}'"}) {
      server().sql("COMMENT ON DATABASE " + name + " IS " + comment);
      CHECK(stage::list_clones(cluster, soon()).empty());
    }
    server().sql("DROP DATABASE " + name);
  }
  CHECK(server().sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'staithe\\_%'") == "0");
}
