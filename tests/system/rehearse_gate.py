#!/usr/bin/env python3
"""A deploy that asks for a rehearsal of exactly its migrations: every way to be refused, and the one to go on."""
import datetime
import json
import sys
import unittest

import databases

GOOD = "ALTER TABLE users ADD COLUMN country text;\n"
BAD = "ALTER TABLE users ALTER email SET NOT NULL;\n"
NEXT = "staithe stage rehearse -e staging migrations/*.sql"


class Gate(databases.StageTest):
    def setUp(self):
        super().setUp()
        self.source.sql("CREATE TABLE users (id int PRIMARY KEY, email text); INSERT INTO users (id) SELECT generate_series(1, 9)",
                        "shop")
        with open(self.directory / "staithe.yml", "a", encoding="utf-8") as file:
            file.write("  production:\n    hosts: {web1: {address: 127.0.0.1}}\n")
        (self.directory / "deploy.yml").write_text(
            "playbook: migrate\nhosts: all\nbefore:\n  - rehearsed: {migrations: migrations/*.sql, environment: staging, "
            "snapshot_at_most: 7d}\n  - local: touch migrated\n")
        (self.directory / "migrations").mkdir(exist_ok=True)
        self.write("001.sql", GOOD)
        self.write("001.down.sql", "ALTER TABLE users DROP COLUMN country;\n")
        for path in [*self.directory.glob("migrations/00[2-9]*"), *self.directory.glob("migrated"),
                     *self.directory.glob(".staithe/state.db*")]:
            path.unlink()

    def write(self, name, text):
        (self.directory / "migrations" / name).write_text(text)

    def deploy(self):
        return self.staithe("run", "deploy.yml", "-e", "production", "--yes")

    def refused(self, *texts):
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
        self.rehearse("--command", "psql -XAtqc 'ALTER TABLE users ADD COLUMN country text' $DATABASE_URL")
        self.assertEqual(self.deploy().code, 0)

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
        self.assertIn("no file is meant by 'migrations/*.sql'", none.err)


if __name__ == "__main__":
    sys.exit(unittest.main())
