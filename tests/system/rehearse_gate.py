#!/usr/bin/env python3
"""A deploy that asks for a rehearsal of exactly its migrations: every way to be refused, and the one to go on."""
import datetime
import json
import re
import sqlite3
import subprocess
import sys
import unittest

import databases

GOOD = "ALTER TABLE users ADD COLUMN country text;\n"
BAD = "ALTER TABLE users ALTER email SET NOT NULL;\n"
# What rehearse() below leaves out is not asked for.
QUICK = "passes: [], budgets: {blocking: 60s}"
NEXT = "staithe stage rehearse -e staging migrations/*.sql"


class Gate(databases.StageTest):
    def setUp(self):
        super().setUp()
        self.source.sql("CREATE TABLE users (id int PRIMARY KEY, email text); INSERT INTO users (id) SELECT generate_series(1, 9)",
                        "shop")
        with open(self.directory / "staithe.yml", "a", encoding="utf-8") as file:
            file.write("  production:\n    hosts: {web1: {address: 127.0.0.1}}\n")
        (self.directory / "deploy.yml").write_text(
            "playbook: migrate\nhosts: all\nbefore:\n" + self.step(QUICK) + "  - local: touch migrated\n")
        (self.directory / "migrations").mkdir(exist_ok=True)
        self.write("001.sql", GOOD)
        self.write("001.down.sql", "ALTER TABLE users DROP COLUMN country;\n")
        for path in [*self.directory.glob("migrations/00[2-9]*"), *self.directory.glob("migrated"),
                     *self.directory.glob(".staithe/state.db*")]:
            path.unlink()

    @staticmethod
    def step(more):
        return f"  - rehearsed: {{migrations: migrations/*.sql, environment: staging, snapshot_at_most: 7d, {more}}}\n"

    def ask(self, more):
        path = self.directory / "deploy.yml"
        path.write_text(re.sub(r"  - rehearsed: .*\n", lambda _: self.step(more), path.read_text()))

    def write(self, name, text):
        (self.directory / "migrations" / name).write_text(text)

    def deploy(self):
        return self.staithe("run", "deploy.yml", "-e", "production", "--yes")

    def refused(self, *texts):
        (self.directory / "migrated").unlink(missing_ok=True)
        result = self.deploy()
        self.assertEqual(result.code, 4, result)
        said = " ".join((result.out + result.err).split())
        for text in texts:
            self.assertIn(text, said)
        self.assertFalse((self.directory / "migrated").exists(), result)

    def rehearse(self, *words, code=0):
        files = sorted(str(path.relative_to(self.directory)) for path in self.directory.glob("migrations/*.sql"))
        result = self.staithe("stage", "rehearse", "-e", "staging", "--no-load", "--no-advice", "--no-open-transaction",
                              "--blocking", "60s", *words, *files)
        self.assertEqual(result.code, code, result)
        return result

    def test_only_what_was_rehearsed_goes_on(self):
        self.refused("knows of no rehearsal in staging", NEXT)
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        self.write("001.sql", BAD)
        self.rehearse(code=1)
        self.refused("their last rehearsal did not pass: would fail at migrations/001.sql:1", NEXT)
        self.write("001.sql", GOOD)
        self.refused("never rehearsed; since the last rehearsal 001.sql is another one", NEXT)
        self.rehearse()
        result = self.deploy()
        self.assertEqual(result.code, 0, result)
        self.assertTrue((self.directory / "migrated").exists())
        (self.directory / "migrated").unlink()
        self.write("002.sql", "SELECT 1;\n")
        self.refused("since the last rehearsal 002.sql is new", NEXT)

    def test_snapshot_may_be_too_old(self):
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)
        # Eight days go by.
        comment = self.target.sql("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'staging'")
        marker = json.loads(comment)
        inner = next(value for value in marker.values() if isinstance(value, dict) and "taken_at" in value)
        eight_days_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=8)
        inner["taken_at"] = eight_days_ago.strftime("%Y-%m-%d") + inner["taken_at"][10:]
        text = json.dumps(marker).replace("'", "''")
        self.target.sql(f"COMMENT ON DATABASE staging IS '{text}'")
        self.rehearse()
        self.refused("on a snapshot that is 8 days old by now (staging; allowed: 7d)", NEXT + " --source fresh")

    def test_green_does_not_outlive_a_rehearsal_that_was_not_made(self):
        self.ok("stage", "snapshot", "-e", "staging")
        self.rehearse()
        self.rehearse("--timeout", "1ms", code=4)
        self.refused("their last rehearsal did not pass: not rehearsed to the end: ", NEXT)
        self.rehearse()
        self.assertEqual(self.deploy().code, 0)

    def test_another_databases_snapshot_is_not_taken(self):
        self.ok("stage", "snapshot", "-e", "staging")
        self.source.sql("CREATE DATABASE mail")
        ours = self.env["SOURCE"]
        self.env["SOURCE"] = self.source.url("mail")
        self.ok("stage", "snapshot", "-e", "staging", "--name", "mail")
        # Newer, and in the same cluster: but not for this project's database.
        self.env["SOURCE"] = ours
        self.rehearse()
        said = self.rehearse("--source", "mail", code=4)
        self.assertIn("not from databases.source", said.err)
        self.env["SOURCE"] = self.source.url("mail")
        said = self.rehearse(code=4)
        self.assertIn("staging was taken from", said.err)
        self.env["SOURCE"] = ours
        self.target.sql("DROP DATABASE staging")
        said = self.rehearse(code=4)
        self.assertIn("no snapshot 'staging'; there is mail", said.err)

    def test_another_projects_rehearsal_does_not_count(self):
        self.ok("stage", "snapshot", "-e", "staging")
        self.rehearse()
        files = self.directory / "staithe.yml"
        files.write_text(files.read_text().replace("project: shop", "project: mail"))
        self.refused("knows of no rehearsal in staging", NEXT)

    def test_files_are_not_skipped_silently(self):
        self.ok("stage", "snapshot", "-e", "staging")
        (self.directory / "migrations" / "003.txt").write_text(GOOD)
        for words, text in ((("migrations/003.txt",), "migrations/003.txt does not end in .sql"),
                            (("migrations/001.down.sql",), "no file is left to rehearse"),
                            (("--command", "true", "migrations/001.down.sql"), "no file is left to rehearse")):
            result = self.staithe("stage", "rehearse", "-e", "staging", *words)
            self.assertEqual(result.code, 2, result)
            self.assertIn(text, result.err)
        (self.directory / "migrations" / "003.txt").unlink()
        # What the command applies is what the gate asks for: without the down scripts.
        command = "psql -XAtqf migrations/001.sql $DATABASE_URL"
        self.rehearse("--command", command)
        self.refused(f"they were rehearsed by the command '{command}' (wanted: as files of SQL)", NEXT)
        self.ask(QUICK + f", command: {command}")
        self.assertEqual(self.deploy().code, 0)
        self.assertIn("applied by: " + command, self.staithe("plan", "deploy.yml", "-e", "production").out)
        self.ask(QUICK + ", command: make migrate")
        self.refused("(wanted: by the command 'make migrate')", "stage rehearse -e staging --command 'make migrate' migrations/*.sql")
        self.ask(QUICK + f", command: {command}")
        self.rehearse()
        self.refused(f"as files of SQL (wanted: by the command '{command}')")

    def test_green_by_less_than_is_asked_for_is_not_green(self):
        self.ok("stage", "snapshot", "-e", "staging")
        self.rehearse()
        self.assertEqual(self.deploy().code, 0)
        (self.directory / "migrated").unlink()
        self.ask("from: project")
        self.refused("they were rehearsed with 1m of blocking allowed (wanted: 1s), without a load beside them, without an open "
                     "transaction; rehearse them: " + NEXT)
        self.ask("passes: [load], budgets: {blocking: 90s}")
        self.refused("they were rehearsed without a load beside them; rehearse")
        self.ask("passes: [], budgets: {blocking: 90s, total: 1h, rewrite_rows: 10}")
        self.refused("with any in all allowed (wanted: 1h), with any rows to be rewritten allowed (wanted: 10)")
        self.ask("passes: [walk]")
        self.assertEqual(self.deploy().code, 3)
        self.ask("from: elsewhere")
        self.assertEqual(self.deploy().code, 3)

    def made(self, settings, *words):
        """Rehearsed with all passes that can be made."""
        (self.directory / "with.yml").write_text(settings + "\n")
        return self.ok("stage", "rehearse", "-e", "staging", "--no-advice", "--blocking", "60s", "--with", "with.yml", *words,
                       "migrations/001.sql")

    def test_a_pass_that_was_not_made_does_not_count(self):
        self.ok("stage", "snapshot", "-e", "staging")
        self.ask("passes: [load], budgets: {blocking: 60s}")
        for load in ("{name: none, sql: SELECT FROM users WHERE id = $1, params: SELECT id FROM users WHERE false}",
                     "{name: bad, sql: SELECT 1 / count(*) FROM users WHERE id = 0}"):
            self.made(f"workload: [{load}]")
            self.refused("they were rehearsed without a load beside them; rehearse")
        self.made("{}")
        self.assertEqual(self.deploy().code, 0)
        # A table without key or rows has readers all the same, and where nothing is touched nobody can wait.
        self.source.sql("CREATE TABLE bare (v text); CREATE TABLE waiting (id int PRIMARY KEY); CREATE VIEW seen AS SELECT 1 AS one", "shop")
        self.ok("stage", "snapshot", "-e", "staging")
        for statement in ("ALTER TABLE bare ADD COLUMN more int;", "ALTER TABLE waiting ADD COLUMN more int;", "DROP VIEW seen;",
                          "CREATE TABLE fresh (id int);"):
            (self.directory / "migrations/001.down.sql").unlink(missing_ok=True)
            self.write("001.sql", statement + "\n")
            said = self.made("{}")
            self.assertEqual("no workload" in said.out, "fresh" in statement, said)
            self.assertEqual(self.deploy().code, 0, said)

    def test_how_long_a_transaction_was_open_counts(self):
        self.ok("stage", "snapshot", "-e", "staging")
        self.ask("passes: [open_transaction], budgets: {blocking: 60s}")
        self.made("open_transaction: 0s")
        self.refused("they were rehearsed without an open transaction; rehearse")
        self.made("open_transaction: 50ms")
        self.refused("they were rehearsed with a transaction open for 50ms only (wanted: 2s)")
        self.ask("passes: [open_transaction], open_transaction: 50ms, budgets: {blocking: 60s}")
        self.assertEqual(self.deploy().code, 0)
        self.ask(QUICK + ", open_transaction: 1s")
        self.assertEqual(self.deploy().code, 3)

    def test_whether_production_was_asked_counts(self):
        self.ok("stage", "snapshot", "-e", "staging")
        self.rehearse("--offline")
        self.refused("they were rehearsed without asking production; rehearse")
        self.ask(QUICK + ", offline: true")
        self.assertEqual(self.deploy().code, 0)

    def test_production_is_not_talked_smaller(self):
        """The number of rows that the settings give adds to what production says of itself."""
        self.ok("stage", "snapshot", "-e", "staging")
        self.source.sql("INSERT INTO users SELECT i FROM generate_series(10, 90000) i; ANALYZE", "shop")
        self.write("001.sql", "ALTER TABLE users ALTER id TYPE bigint;\n")
        (self.directory / "migrations/001.down.sql").unlink()
        (self.directory / "with.yml").write_text("production_rows: {public.users: 5}\nbudgets: {rewrite_rows: 1000}\n")
        self.rehearse("--with", "with.yml", code=1)
        self.rehearse("--with", "with.yml", "--offline")

    def test_what_was_declared_to_do_is_asked_for_too(self):
        (self.directory / "masks.yml").write_text("masks: 1\ntables:\n  public.users: {where: id < 5, columns: {email: hash}}\n")
        files = self.directory / "staithe.yml"
        files.write_text(files.read_text().replace("snapshot: {}", "snapshot: {masks: masks.yml, mask_key: env MASK_KEY}"))
        self.ok("stage", "snapshot", "-e", "staging")
        self.write("001.sql", "UPDATE users SET email = 'x' WHERE email IS NULL;\n")
        (self.directory / "migrations" / "001.down.sql").unlink()
        said = self.rehearse(code=1)
        self.assertIn("the snapshot has not all rows of public.users", said.out)
        self.assertIn("public.users.email has masked values in the snapshot", said.out)
        self.refused("their last rehearsal did not pass", NEXT)
        (self.directory / "with.yml").write_text("accept: {partial: [public.users, public.other], masked: [public.users.email]}\n")
        said = self.rehearse("--with", "with.yml")
        self.assertIn("declared in the settings: accept", said.out)
        self.refused("they were rehearsed on a copy without all rows of public.users, on a copy with masks on public.users.email; rehearse")
        self.ask(QUICK + ", accept: {partial: [public.users], masked: [public.users.email]}")
        self.assertEqual(self.deploy().code, 0)

    def test_an_older_versions_record_does_not_count(self):
        self.ok("stage", "snapshot", "-e", "staging")
        self.rehearse()
        with sqlite3.connect(self.directory / ".staithe" / "state.db") as state:
            state.execute("UPDATE staithe_rehearsals SET budgets = '{\"blocking_ms\":60000}'")
        self.refused("an earlier version rehearsed them, and did not write down how", NEXT)

    def git(self, *words):
        return subprocess.run(["git", "-c", "user.name=T", "-c", "user.email=t@example.org", *words], cwd=self.directory / "repository",
                              check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, text, tag):
        (self.directory / "repository/migrations/001.sql").write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", tag)
        self.git("tag", tag)
        return self.git("rev-parse", tag)

    def test_the_files_of_the_commit_that_is_deployed_count(self):
        (self.directory / "repository/migrations").mkdir(parents=True)
        self.git("init", "-q")
        old, new = self.commit(GOOD, "v1"), self.commit(BAD, "v2")
        with open(self.directory / "staithe.yml", "a", encoding="utf-8") as file:
            file.write(f"services:\n  app: {{repository: {self.directory}/repository, path: /srv/app}}\n")
        (self.directory / "deploy.yml").write_text(
            "playbook: migrate\nservice: app\nhosts: all\nbefore:\n" + self.step(QUICK) + "  - local: echo $(sha) >migrated\n")
        self.ok("stage", "snapshot", "-e", "staging")
        self.rehearse()  # GOOD, which lies about here and is the commit of v1
        for place in (f"{self.directory}/repository", f"file://{self.directory}/repository"):
            result = self.staithe("run", "deploy.yml", "-e", "production", "--yes", "--var", "ref=v1")
            self.assertEqual(result.code, 0, result)
            self.assertEqual((self.directory / "migrated").read_text().strip(), old)
            (self.directory / "migrated").unlink()
            result = self.staithe("run", "deploy.yml", "-e", "production", "--yes", "--var", "ref=v2")
            self.assertEqual(result.code, 4, result)
            self.assertIn("since the last rehearsal 001.sql is another one", " ".join((result.out + result.err).split()))
            self.assertIn(f"where {new[:12]} is checked out", " ".join((result.out + result.err).split()))
            self.assertFalse((self.directory / "migrated").exists())
            files = self.directory / "staithe.yml"
            files.write_text(files.read_text().replace(f"repository: {place},", f"repository: file://{self.directory}/repository,"))
        # That git cannot say is no mistake in the files.
        lost = self.staithe("plan", "deploy.yml", "-e", "production", "--var", "ref=" + "a" * 40)
        self.assertEqual(lost.code, 4, lost)
        self.assertIn("git ls-tree", lost.err)
        plan = self.staithe("plan", "deploy.yml", "-e", "production", "--var", "ref=v1").out
        self.assertIn(f"as commit {old[:12]} has them", plan)
        # What lies about here is nothing to the plan, unless it is asked for.
        self.write("001.sql", BAD)
        self.assertEqual(self.staithe("plan", "deploy.yml", "-e", "production", "--var", "ref=v1").out, plan)
        self.ask("from: project")
        self.assertNotIn("has them", self.staithe("plan", "deploy.yml", "-e", "production", "--var", "ref=v1").out)
        self.ask("from: release")
        (self.directory / "deploy.yml").write_text((self.directory / "deploy.yml").read_text().replace("migrations/*", "migration/*"))
        none = self.staithe("plan", "deploy.yml", "-e", "production", "--var", "ref=v1")
        self.assertEqual(none.code, 3, none)
        self.assertIn(f"commit {old[:12]} has no file 'migration/*.sql'", none.err)

    def test_plan_holds_the_checksums_and_another_file_is_another_plan(self):
        first = self.staithe("plan", "deploy.yml", "-e", "production")
        self.assertIn("001.sql  sha256 ", first.out)
        self.assertNotIn("down", first.out)
        self.write("001.sql", GOOD + "\n")
        second = self.staithe("plan", "deploy.yml", "-e", "production")
        self.assertNotEqual(first.out.split("Plan id ")[1], second.out.split("Plan id ")[1])
        for path in self.directory.glob("migrations/*.sql"):
            path.unlink()
        none = self.staithe("plan", "deploy.yml", "-e", "production")
        self.assertEqual(none.code, 3, none)
        self.assertIn("no file matches 'migrations/*.sql'", none.err)


if __name__ == "__main__":
    sys.exit(unittest.main())
