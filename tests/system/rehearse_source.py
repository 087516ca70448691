#!/usr/bin/env python3
"""What a rehearsal learns from production: its statements planned before and after, its settings; and --source fresh."""
import json
import shutil
import subprocess
import sys
import threading
import time
import unittest

import databases


class Source(databases.StageTest):
    source_settings = ("log_statement=all", "shared_preload_libraries=pg_stat_statements", "work_mem=7MB", "wal_level=logical",
                       "max_prepared_transactions=2")

    def setUp(self):
        super().setUp()
        self.source.sql("CREATE TABLE users (id int PRIMARY KEY, email text, country text); CREATE INDEX users_email ON users "
                        "(email); INSERT INTO users SELECT g, 'u' || g, 'DE' FROM generate_series(1, 20000) g; ANALYZE", "shop")
        self.source.sql("CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()", "shop")
        for _ in range(3):
            self.source.sql("SELECT id FROM users WHERE email = 'u7'", "shop")
            self.source.sql("SELECT id FROM users WHERE country = 'FR'", "shop")
            self.source.sql("SELECT count(*) FROM users", "shop")
        (self.directory / "up.sql").write_text("DROP INDEX users_email;\nALTER TABLE users RENAME COLUMN country TO land;\n")

    COMMAND = ("stage", "rehearse", "-e", "staging", "--blocking", "60s", "--no-load", "--no-advice",
               "--no-open-transaction", "up.sql")

    def rehearse(self, *words, code=0):
        result = self.staithe(*self.COMMAND, "--json", *words)
        if code is not None:
            self.assertEqual(result.code, code, result)
        records = [json.loads(line) for line in result.out.splitlines()]
        return next(one for one in records if one.get("type") == "rehearsal"), records, result

    def test_broken_and_worse_statements_of_production(self):
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        report, _, _ = self.rehearse(code=1)
        broken = [one for one in report["plans"]["changes"] if one["kind"] == "broken"]
        worse = [one for one in report["plans"]["changes"] if one["kind"] == "worse"]
        self.assertEqual(["country" in one["query"] for one in broken], [True], report["plans"])
        self.assertEqual(broken[0]["calls"], 3)
        self.assertEqual(["email" in one["query"] for one in worse], [True], report["plans"])
        self.assertIn("users_email", worse[0]["shape_before"])
        self.assertGreaterEqual(report["plans"]["compared"], 3)
        codes = {one["code"] for one in report["findings"]}
        self.assertLessEqual({"breaks-statement", "plan-worse"}, codes)
        self.assertTrue(any(text.startswith("work_mem is 7168kB in production") for text in report["differences"]),
                        report["differences"])
        self.assertTrue(any(text.startswith("wal_level is logical in production") for text in report["differences"]))
        log = self.source.log.read_text().rpartition("staithe rehearsal looks")[0]
        self.assertIn("default_transaction_read_only", log)

    def test_values_in_texts_of_production_come_nowhere(self):
        """Of a utility (SELECT INTO), of comments, and of what runs while its entry goes pg_stat_statements keeps what they say."""
        planted, number = "Zyxw-planted-7731", "4111111111111111"
        runs = threading.Thread(target=self.source.sql, args=(f"SELECT pg_sleep(3) FROM users WHERE id <> {number} LIMIT 1", "shop"))
        runs.start()
        while self.source.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != "1":
            time.sleep(0.05)
        self.source.sql("SELECT pg_stat_statements_reset()", "shop")
        runs.join()
        self.source.sql(f"WITH q AS (SELECT * FROM users WHERE id = {number}) SELECT id INTO TEMP kept FROM q", "shop")
        self.source.sql(f"SELECT id INTO TEMP kept FROM users WHERE email = '{planted}'", "shop")
        self.source.sql(f"SELECT email, country FROM users /* for {planted} */ WHERE country = 'FR' -- {planted}", "shop")
        texts = self.source.sql("SELECT string_agg(query, ' ') FROM pg_stat_statements", "shop")
        self.assertEqual((texts.count(planted), texts.count(number)), (3, 2), "pg_stat_statements has become wiser")
        self.project(masks="  public.users: {columns: {email: hash}}\n")
        self.ok("stage", "snapshot", "-e", "staging")
        result = self.staithe("stage", "rehearse", "-e", "staging", "--blocking", "60s", "--no-open-transaction", "--json", "up.sql",
                              "--report", "html=page.html", "--report", "junit=rehearsal.xml", "--log-file", "log.txt", "-v")
        self.assertEqual(result.code, 1, result)
        report = next(one for one in map(json.loads, result.out.splitlines()) if one.get("type") == "rehearsal")
        self.assertIn("SELECT email, country FROM users WHERE country = $1", [one["query"] for one in report["plans"]["changes"]])
        self.assertTrue(any("3 of production's statements were left out" in text for text in report["remarks"]), report["remarks"])
        for one in (planted, number):
            self.assertNotIn(one, result.out + result.err)
        places = [path for path in self.directory.iterdir() if not path.name.startswith("production")]
        self.assertIn("page.html", [path.name for path in places])
        found = subprocess.run(["grep", "-rlaF", "-e", planted, "-e", number, *places], capture_output=True, text=True, check=False)
        self.assertEqual(found.stdout, "", "the value came along")
        # What took most time there is left out, and takes the place of none that can be planned.
        (self.directory / "one.yml").write_text("top_statements: 1\n")
        report, _, _ = self.rehearse("--with", "one.yml", code=None)
        self.assertEqual(report["plans"]["compared"], 1, report)
        self.assertRegex(" ".join(report["remarks"]), "1 of production's statements was left out: its|[23] of .* were left out: their")

    def test_its_statements_run_beside_and_what_is_in_the_way_is_said(self):
        """A table that only production's own statements show somebody to work on; and a transaction that is forgotten there."""
        self.source.sql("CREATE TABLE notes (at int, text text); INSERT INTO notes SELECT g, 'x' FROM generate_series(1, 9) g; ANALYZE notes", "shop")
        for _ in range(2):
            self.source.sql("SELECT text FROM notes WHERE at = 7", "shop")
            self.source.sql("UPDATE notes SET text = 'y' WHERE at = 8", "shop")
            self.source.sql("DELETE FROM notes WHERE at > 900 OR true AND at = 300", "shop")
            self.source.sql("UPDATE notes SET at = at", "shop")
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        (self.directory / "up.sql").write_text("ALTER TABLE notes ADD COLUMN more int;\nSELECT pg_sleep(3);\n")
        self.source.sql("BEGIN; UPDATE notes SET text = 'z' WHERE at = 1; PREPARE TRANSACTION 'forgotten'", "shop")
        try:
            result = self.staithe("stage", "rehearse", "-e", "staging", "--blocking", "60s", "--no-advice",
                                  "--no-open-transaction", "--json", "up.sql")
        finally:
            self.source.sql("ROLLBACK PREPARED 'forgotten'", "shop")
        self.assertEqual(result.code, 0, result)
        report = next(one for one in map(json.loads, result.out.splitlines()) if one.get("type") == "rehearsal")
        load = next(one for one in report["passes"] if one["name"] == "under load")
        stalled = {}  # a busy machine has shorter ones behind it
        for one in load["stalls"]:
            stalled[one["load"]] = max(one["lasted_us"], stalled.get(one["load"], 0))
        for text in ("SELECT text FROM notes WHERE at = $1", "UPDATE notes SET text = $1 WHERE at = $2", "UPDATE notes SET at = at"):
            self.assertGreater(stalled.get("production's " + text, 0), 500_000, load["stalls"])
        self.assertTrue(all(one["writes"] for one in load["stalls"] if "UPDATE" in one["load"]), load["stalls"])
        self.assertEqual(load["load_errors"], 0, load)
        busy = [one["text"] for one in report["findings"] if one["code"] == "production-busy"]
        self.assertEqual(len(busy), 1, report["findings"])
        self.assertIn("public.notes: a prepared transaction holds a lock on the table, and ends only when somebody ends it: forgotten", busy[0])

    def test_what_a_copy_has_no_room_for_is_said(self):
        """Rows that were altered often leave room behind, which every scan in production reads."""
        self.source.sql("CREATE TABLE tidy AS SELECT g, repeat('x', 100) AS v FROM generate_series(1, 20000) g; ANALYZE tidy", "shop")
        for _ in range(3):
            self.source.sql("UPDATE users SET email = email || 'x'", "shop")
        self.source.psql("shop", "-c", "VACUUM ANALYZE users")
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        report, _, _ = self.rehearse(code=1)
        said = [text for text in report["differences"] if "pages for each row" in text]
        self.assertEqual(len(said), 1, report["differences"])
        self.assertRegex(said[0], r"^public\.users has [234]\.[0-9] times the pages for each row in production: ")

    def test_fresh_takes_a_snapshot_and_rehearses_on_it(self):
        dry = self.staithe(*self.COMMAND, "--source", "fresh", "--dry-run")
        self.assertEqual(dry.code, 0, dry)
        self.assertIn("Then\n", dry.out)
        self.assertIn("Rehearse shop on snapshot staging", dry.out)
        self.assertNotIn("staging", self.target.databases())
        plan = dry.out.split("both  plan ")[1].strip()
        refused = self.staithe(*self.COMMAND, "--source", "fresh", "--expect-plan", "0" * 12)
        self.assertEqual(refused.code, 4, refused)
        self.assertNotIn("staging", self.target.databases())
        report, records, _ = self.rehearse("--source", "fresh", "--expect-plan", plan, code=1)
        self.assertEqual(report["snapshot"]["database"], "staging")
        self.assertIn("staging", self.target.databases())
        self.assertEqual(len([one for one in records if one.get("type") == "run_started"]), 2, records[:3])

    def codes(self, report):
        return [one["code"] for one in report["findings"]]

    def test_nulls_that_the_snapshot_has_not_are_said(self):
        """Production's statistics know of those that came since."""
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        (self.directory / "up.sql").write_text("ALTER TABLE users ALTER country SET NOT NULL;\n")
        report, _, _ = self.rehearse()
        self.assertNotIn("nulls-in-production", self.codes(report))
        self.source.sql("UPDATE users SET country = NULL WHERE id % 4 = 0; ANALYZE users", "shop")
        report, _, _ = self.rehearse()
        said = next(one for one in report["findings"] if one["code"] == "nulls-in-production")
        self.assertRegex(said["text"], "production's statistics say that about (49|50|51)[0-9][0-9] of its 20000 rows have")
        self.assertNotIn("nulls-in-production", self.codes(self.rehearse("--offline")[0]))
        for update, fills in (("UPDATE users SET country = 'DE' WHERE id < 9", False), ("UPDATE users SET email = 'x'", False),
                              ("UPDATE users SET country = 'DE' WHERE country IS NULL", True)):
            (self.directory / "up.sql").write_text(f"{update};\nALTER TABLE users ALTER country SET NOT NULL;\n")
            self.assertEqual("nulls-in-production" not in self.codes(self.rehearse()[0]), fills, update)
        (self.directory / "up.sql").write_text("ALTER TABLE users ALTER country SET NOT NULL;\n")
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        report, _, _ = self.rehearse(code=1)
        failed = next(one for one in report["findings"] if one["code"] == "fails-not-null")
        self.assertNotIn("statistics", failed["text"])
        self.source.sql("UPDATE users SET country = NULL WHERE id % 2 = 0; ANALYZE users", "shop")
        failed = next(one for one in self.rehearse(code=1)[0]["findings"] if one["code"] == "fails-not-null")
        self.assertRegex(failed["text"], "5000 of 20000 rows violate it.*; in production, by its statistics, about (9[89]|10[01])[0-9][0-9] of 20000")
        # What statistics remember of a column that takes no NULL any more is nothing that is there.
        self.source.sql("UPDATE users SET country = 'DE' WHERE country IS NULL; ALTER TABLE users ALTER country SET NOT NULL", "shop")
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        self.assertNotIn("nulls-in-production", self.codes(self.rehearse()[0]))

    def write_little(self):
        """What production writes on average."""
        self.source.sql("SELECT pg_stat_reset_shared('wal')")
        self.source.sql("UPDATE users SET country = country WHERE id < 100", "shop")
        self.source.wait("(SELECT wal_bytes > 0 FROM pg_stat_wal)")

    def test_what_standbys_get_at_once_is_said(self):
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        (self.directory / "up.sql").write_text("UPDATE users SET email = email || repeat(md5(id::text), 30);\n")
        self.write_little()
        reader = subprocess.Popen(["pg_recvlogical", "-d", self.source.url("shop"), "--slot", "changes", "--create-slot", "--start", "-f", "/dev/null"])
        self.source.wait("EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')")
        try:
            report, _, _ = self.rehearse()
        finally:
            reader.kill()
            reader.wait()
            self.source.wait("NOT EXISTS (SELECT FROM pg_stat_replication)")
            self.source.sql("SELECT pg_drop_replication_slot('changes')")
        self.assertGreater(report["wal_bytes"], 16 << 20)
        self.assertNotIn("replica-lag", self.codes(report))
        standby = databases.Cluster(self.directory, "standby", ("hot_standby=on", "max_prepared_transactions=2"), base=self.source)
        self.addCleanup(standby.remove)
        self.source.wait("EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')")
        self.write_little()
        report, _, _ = self.rehearse()
        said = next(one for one in report["findings"] if one["code"] == "replica-lag")
        self.assertRegex(said["text"], "MiB of WAL, which production writes in .* on average, reach its 1 standby at once")
        (self.directory / "up.sql").write_text("UPDATE users SET email = 'x' WHERE id = 7;\n")
        self.assertNotIn("replica-lag", self.codes(self.rehearse()[0]))

    def test_which_commit_was_rehearsed_is_said(self):
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        (self.directory / "up.sql").write_text("ALTER TABLE users ADD COLUMN more int;\n")
        self.assertIsNone(self.rehearse()[0]["revision"])
        git = ["git", "-C", self.directory, "-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "safe.directory=*"]
        self.addCleanup(shutil.rmtree, self.directory / ".git")
        for words in (["init", "-q"], ["add", "up.sql"], ["commit", "-q", "-m", "one"]):
            subprocess.run([*git, *words], check=True)
        sha = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
        self.env.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
        report, _, _ = self.rehearse()
        self.assertEqual((report["revision"], report["altered"]), (sha, False))
        (self.directory / "up.sql").write_text("ALTER TABLE users ADD COLUMN other int;\n")
        self.assertTrue(self.rehearse()[0]["altered"])
        self.assertIn(f"migrations of commit {sha[:12]}, altered since", self.staithe(*self.COMMAND).out)

    def test_what_an_older_production_would_refuse_is_no_success(self):
        """Asked or not: its version stands with the snapshot too."""
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        (self.directory / "up.sql").write_text("ALTER TABLE users ADD COLUMN more int;\n"
                                               "CREATE UNIQUE INDEX more ON users (more, id) NULLS NOT DISTINCT;\n")
        report, _, _ = self.rehearse()
        self.assertEqual(report["production_version"], report["server_version"])
        comment = self.target.sql("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'staging'")
        older = comment.replace(f'"{report["server_version"]}"', '"14.9"')
        self.assertNotEqual(older, comment)
        self.target.sql(f"COMMENT ON DATABASE staging IS '{older}'")
        report, _, _ = self.rehearse("--offline", code=1)
        self.assertEqual([(one["line"], one["object"]) for one in report["findings"] if one["code"] == "unknown-in-production"],
                         [(2, "NULLS NOT DISTINCT")])
        self.assertIn("version-skew", {one["code"] for one in report["findings"]})
        self.rehearse()  # it is asked, and is another one by now

    def test_snapshot_that_fails_is_not_rehearsed_on(self):
        self.env["SOURCE"] = self.source.url("nowhere")
        result = self.staithe(*self.COMMAND, "--source", "fresh")
        self.assertIn(result.code, (1, 4), result)
        self.assertNotIn("rehearse on", result.err)


if __name__ == "__main__":
    sys.exit(unittest.main())
