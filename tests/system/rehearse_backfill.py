#!/usr/bin/env python3
"""A backfill of production beside a real standby: it rests while that does not replay; what stands in its way is said
before anything is written; and the rehearsal on a clone says what to expect.
"""
import re
import signal
import sys
import time
import unittest

import databases

ROWS = 40_000
FILL = ("backfill", "users", "--set", "country = 'DE'", "--where", "country IS NULL")
CHECKS = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'users'::regclass AND contype = 'c'"
LEFT = "SELECT count(*) FROM users WHERE country IS NULL"


class Backfill(databases.StageTest):
    source_settings = ("log_statement=all", "max_prepared_transactions=2", "wal_level=replica")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(lambda: [cluster.stop(signal.SIGQUIT) for cluster in (cls.source, cls.target)])
        cls.standby = databases.Cluster(cls.directory, "standby", ("hot_standby=on", "max_prepared_transactions=2"), base=cls.source)

    @classmethod
    def tearDownClass(cls):
        cls.standby.remove()
        cls.source.only_reads = lambda: None  # a backfill writes there, which is what is tested
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        self.source.sql(f"CREATE TABLE users (id int PRIMARY KEY, country text); INSERT INTO users SELECT g FROM generate_series(1, {ROWS}) g;"
                        "ANALYZE", "shop")
        self.env["STANDBY"] = self.standby.url("shop")
        with open(self.directory / "staithe.yml", "a", encoding="utf-8") as file:
            file.write("  production:\n    protected: true\n    databases: {target: {url: env SOURCE}}\n"
                       "  copy:\n    databases: {target: {url: env STANDBY}}\n")

    def left(self):
        return int(self.source.sql(LEFT, "shop"))

    def await_line(self, process, text):
        for line in process.stdout:
            if text in line:
                return line
        self.fail(f"'{text}' was never said: {process.stderr.read()}")

    def test_it_rests_while_a_standby_does_not_replay(self):
        self.standby.wait("EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')")
        self.standby.sql("SELECT pg_wal_replay_pause()")
        self.standby.wait("pg_get_wal_replay_pause_state() = 'paused'")
        try:
            process = self.start(*FILL, "-e", "production", "--confirm", "shop", "--json", "--max-lag", "1s", "--batch-time",
                                 "5ms", "--rest", "1000")
            self.await_line(process, "rests for replication")
            left = self.left()
            self.assertGreater(left, 0)
            time.sleep(2)
            self.assertEqual(self.left(), left, "it went on while the standby lagged")
        finally:
            self.standby.sql("SELECT pg_wal_replay_resume()")
        out, err = process.communicate(timeout=400)
        self.assertEqual(process.returncode, 0, out[-2000:] + err)
        self.assertEqual(self.left(), 0)

    def test_what_goes_on_after_an_interrupt_is_held_back_as_much(self):
        pause = self.directory / "pause it"
        pause.write_text("")
        limits = ("--batch-time 7ms", "--lock-timeout 300ms", "--max-lag 5s", "--max-waiting 7", "--max-active 9", "--rest 2000", "--timeout 4h")
        process = self.start(*FILL, "-e", "production", "--confirm", "shop", "--json", "--pause-file", pause,
                             *(word for limit in limits for word in limit.split()))
        self.await_line(process, "rests for the file")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 130, out)
        for limit in (*limits, f"--pause-file '{pause}'"):
            self.assertIn(limit, out)
        self.assertEqual(self.left(), ROWS)

    def killed_behind_its_check(self, words):
        """It is held up by a file once it has added the check, and dies."""
        pause = self.directory / "pause"
        process = self.start(*words, "--pause-file", pause)
        try:
            self.await_line(process, "ADD CONSTRAINT")
            pause.write_text("")
            self.await_line(process, "rests for the file")
            process.send_signal(signal.SIGKILL)
            process.communicate()
        finally:
            pause.unlink(missing_ok=True)
        self.source.wait("NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'staithe backfill')")
        self.assertEqual(self.source.sql(CHECKS, "shop"), "1")

    def test_killed_behind_its_check_it_goes_on_or_takes_it_away(self):
        words = (*FILL, "-e", "production", "--confirm", "shop", "--not-null", "country", "--json")
        for ended in ("abort", "again"):
            with self.subTest(ended):
                self.source.sql("UPDATE users SET country = NULL", "shop")
                self.killed_behind_its_check((*words, "--batch-time", "5ms", "--rest", "1000"))
                self.assertRaisesRegex(RuntimeError, "not_null_staithe", self.source.sql, "INSERT INTO users VALUES (-1)", "shop")
                if ended == "abort":
                    self.ok("backfill", "users", "-e", "production", "--tell", "abort")
                    self.source.sql("INSERT INTO users VALUES (-1); DELETE FROM users WHERE id = -1", "shop")
                else:
                    self.ok(*words)
                    self.assertRaisesRegex(RuntimeError, 'null value in column "country"', self.source.sql, "INSERT INTO users VALUES (-1)", "shop")
                self.assertEqual(self.source.sql(CHECKS, "shop"), "0")

    def test_what_cannot_work_is_refused_before_anything_is_written(self):
        self.standby.wait("EXISTS (SELECT FROM pg_database WHERE datname = 'shop')")
        self.standby.wait("to_regclass('users') IS NOT NULL", "shop")
        result = self.staithe(*FILL, "-e", "copy", "--confirm", "shop")
        self.assertEqual(result.code, 4, result)
        self.assertIn("this is a standby", result.err)
        self.source.sql("BEGIN; UPDATE users SET country = NULL WHERE id = 1; PREPARE TRANSACTION 'forgotten'", "shop")
        try:
            result = self.staithe(*FILL, "-e", "production", "--confirm", "shop")
        finally:
            self.source.sql("ROLLBACK PREPARED 'forgotten'", "shop")
        self.assertEqual(result.code, 4, result)
        self.assertIn("forgotten", result.err)
        result = self.staithe("backfill", "nowhere", *FILL[2:], "-e", "production", "--confirm", "shop")
        self.assertEqual(result.code, 4, result)
        self.assertIn("there is no table nowhere", result.err)
        self.assertEqual(self.left(), ROWS)

    def test_a_column_that_would_keep_nulls_gets_no_check(self):
        command = ("backfill", "users", "-e", "production", "--confirm", "shop", "--not-null", "country", "--set")
        result = self.staithe(*command, "country = 'DE'", "--where", "country IS NULL AND id > 5")
        self.assertEqual(result.code, 4, result)
        self.assertIn("leaves out", result.out + result.err)
        self.assertEqual(self.left(), ROWS)
        result = self.staithe(*command, "country = nullif(id, 39000)::text")
        self.assertEqual(result.code, 1, result)
        self.assertIn("leaves country NULL in 1 row ", result.out + result.err)
        self.assertEqual(self.source.sql("SELECT count(*) FROM pg_constraint WHERE conname LIKE '%staithe'", "shop"), "0")
        self.source.sql("INSERT INTO users VALUES (-1)", "shop")

    def test_triggers_are_said_and_the_name_is_needed(self):
        self.source.sql("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                        "CREATE TRIGGER audit BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f()", "shop")
        result = self.staithe(*FILL, "-e", "production")
        self.assertEqual(result.code, 4, result)
        self.assertIn("triggers will fire for each row or statement: audit", result.err)
        self.assertIn("--confirm shop is needed", result.err)
        self.assertEqual(self.left(), ROWS)

    def test_rehearsed_on_a_clone_it_says_what_to_expect(self):
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        result = self.staithe("stage", *FILL, "-e", "staging", "--not-null", "country")
        self.assertEqual(result.code, 0, result)
        took = re.search(r"^done: backfill .* in (\S+)$", result.err, re.M).group(1)
        self.assertIn(f"forecast: it took {took} on the clone", result.err)
        self.assertIn("with readers and writers beside it, of which a reader waited ", result.err)
        self.assertEqual(self.left(), ROWS)
        self.assertEqual(self.target.sql(LEFT, "staging"), str(ROWS))


if __name__ == "__main__":
    sys.exit(unittest.main())
