"""Connections break while rows are copied: the table is begun again under the same snapshot, while that is there."""
import signal

import databases

COPYING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'staithe snapshot%' AND query LIKE 'COPY%slow%' AND state = 'active'"
OURS = "application_name LIKE 'staithe snapshot%'"
COPIER = "state = 'active' AND query LIKE 'COPY%'"


class Resume(databases.StageTest):
    def begin(self):
        process = self.start("stage", "snapshot", "--json")
        self.until(process, "copy")
        self.source.wait(COPYING)
        return process

    def cut(self, cluster, where):
        ended = cluster.sql(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {where}")
        self.assertNotEqual(ended, "0", "nothing was cut")

    def test_a_table_is_copied_again_from_the_same_snapshot(self):
        for cluster, where in ((self.source, f"{OURS} AND {COPIER}"), (self.target, f"datname LIKE '%building%' AND {COPIER}")):
            with self.subTest(cluster.name):
                self.source.sql("DROP TABLE IF EXISTS slow", "shop")
                self.slow(rows=5000, seconds=0.001)
                process = self.begin()
                # What is committed after the snapshot must not come, however late the table is begun again.
                self.source.sql("INSERT INTO slow VALUES (0, 'late')", "shop")
                self.cut(cluster, where)
                ended = self.end(process, 0)
                retried = [event for event in self.events(ended.out) if event["type"] == "retried"]
                self.assertEqual(len(retried), 1, ended.out)
                # The words of production are withheld where there are masks.
                self.assertRegex(retried[0]["reason"], "onnection|57P01")
                self.assertEqual(self.target.sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM slow", "staging"), "5000|5000|1|5000")
                self.nothing_left_on_source()
                self.nothing_half()

    def test_a_large_table_is_truncated_before_it_is_begun_again(self):
        """More than what is copied without a TRUNCATE of its own."""
        self.source.sql("CREATE TABLE slow AS SELECT i AS id, repeat('x', 4000) || i AS v FROM generate_series(1, 2000) i;"
                        "ALTER TABLE slow ALTER v SET STORAGE PLAIN; UPDATE slow SET v = v", "shop")
        self.project(masks="  public.slow: {columns: {v: {sql: \"CASE WHEN pg_catalog.pg_sleep(0.002) IS NULL THEN v ELSE v END\"}}}\n")
        process = self.begin()
        self.cut(self.target, f"datname LIKE '%building%' AND {COPIER}")
        self.end(process, 0)
        self.assertEqual(self.target.sql("SELECT count(*), count(DISTINCT id) FROM slow", "staging"), "2000|2000")

    def test_a_table_that_most_rows_are_in_is_split(self):
        """By pages, under the same snapshot; a part whose connection breaks is begun again alone."""
        self.source.psql("shop", "-c", "CREATE TABLE slow (id int, v text)", "-c", "ALTER TABLE slow ALTER v SET STORAGE PLAIN",
                         "-c", "INSERT INTO slow SELECT i, repeat('x', 7500) || i FROM generate_series(1, 18000) i",
                         "-c", "DELETE FROM slow WHERE id % 7 = 0", "-c", "ANALYZE slow", "-c", "CREATE TABLE small AS SELECT 1 AS id")
        self.assertIn("in 3 parts", self.ok("stage", "snapshot", "-n", "--jobs", "3").out)
        self.assertNotIn("parts", self.ok("stage", "snapshot", "-n").out)
        self.ok("stage", "snapshot", "--jobs", "3")
        self.assertEqual(self.target.checksums("staging"), self.source.checksums("shop"))
        self.project(masks="  public.slow: {columns: {v: {sql: \"CASE WHEN pg_catalog.pg_sleep(0.0005) IS NULL THEN v ELSE v END\"}}}\n", snapshot="jobs: 3")
        process = self.begin()
        self.source.wait(COPYING.replace("> 0", "= 3"))
        self.source.sql("INSERT INTO slow SELECT 7 * i, 'late' FROM generate_series(1, 1000) i", "shop")
        self.cut(self.target, f"pid IN (SELECT min(pid) FROM pg_stat_activity WHERE datname LIKE '%building%' AND {COPIER})")
        ended = self.end(process, 0)
        self.assertEqual(len([event for event in self.events(ended.out) if event["type"] == "retried"]), 1, ended.out)
        self.assertEqual(self.target.sql("SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE v = 'late') FROM slow", "staging"),
                         "15429|15429|0")

    def test_not_without_the_session_that_holds_the_snapshot(self):
        oid = self.first()
        self.slow(rows=60000)
        process = self.begin()
        self.cut(self.source, OURS)
        self.end(process, 1, "staithe stage snapshot")
        self.still(oid)
        self.nothing_left_on_source()
        self.nothing_half()

    def test_not_after_a_crash_of_the_target(self):
        """It takes with it what was committed without waiting for the disk, so nothing there can be trusted."""
        oid = self.first()
        self.slow(rows=60000)
        process = self.begin()
        pid = self.target.sql(f"SELECT min(pid) FROM pg_stat_activity WHERE datname LIKE '%building%' AND {COPIER}")
        databases.os.kill(int(pid), signal.SIGKILL)
        out, err = process.communicate(timeout=120)
        # What a server that is coming up again could not be rid of is left to a person, with the command for it.
        self.assertEqual(process.returncode, 5 if "staithe stage drop " in out else 1, out + err)
        ended = databases.Ended(process.returncode, out, err)
        self.assertEqual([event for event in self.events(ended.out) if event["type"] == "retried"], [])
        self.target.wait_until_up()
        self.still(oid)
        self.nothing_left_on_source()
        self.ok("stage", "drop", "--unfinished")
        self.nothing_half()

    def test_a_run_that_was_killed_is_not_gone_on_with(self):
        """Its snapshot ended with it. What it left is named, is no obstacle, and goes by stage drop."""
        oid = self.first()
        self.slow(rows=60000)
        process = self.begin()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.nothing_left_on_source()
        self.still(oid)
        left = [name for name in self.target.databases() if "building" in name]
        self.assertEqual(len(left), 1)
        self.source.sql("DROP TABLE slow", "shop")
        self.project()
        planned = self.ok("stage", "snapshot", "--dry-run")
        self.assertIn(left[0], planned.out)
        self.assertIn("stage drop --unfinished", planned.out)
        ended = self.ok("stage", "snapshot")
        self.assertIn(left[0], ended.out + ended.err)
        self.ok("stage", "drop", "--unfinished")
        self.nothing_half()


if __name__ == "__main__":
    databases.main()
