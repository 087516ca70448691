#!/usr/bin/env python3
"""The classic: a nullable column with old NULL rows is to become NOT NULL. The rehearsal of SET NOT NULL fails with the
count, sample keys and the missing backfill; the backfill that it suggests, rehearsed, then run on "production" while
readers and writers work there, is survived by kill -9 and keeps nobody waiting; the rehearsal after that passes.

Two PostgreSQL clusters on loopback: production and staging.
"""
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from ports import free_port

STAITHE = os.environ.get("STAITHE", "build/dev/staithe")
LONGEST_STALL = 5  # seconds; a statement may queue for half a second, and the machine may be busy
ROWS = 60_000

SCHEMA = f"""
CREATE SCHEMA app;
CREATE TABLE app.users (id bigserial PRIMARY KEY, tenant int NOT NULL, email text, country text,
                        created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO app.users (tenant, email, country, created_at)
SELECT g % 50, 'user' || g || '@example.org', CASE WHEN g % 4 = 0 THEN NULL ELSE 'DE' END,
       timestamptz '2016-01-01' + g * interval '10 minutes' FROM generate_series(1, {ROWS}) g;
ANALYZE;
"""


def program(name):
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name) or name


def eventually(is_so, patience=60):
    until = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > until:
            raise AssertionError("it did not come about")
        time.sleep(0.02)


class Cluster:
    """A PostgreSQL of its own, gone with close()."""

    def __init__(self, directory):
        self.directory, self.port = directory, free_port()
        os.mkdir(directory)
        user = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(directory, entry.pw_uid, entry.pw_gid)
            user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        data = f"{directory}/data"
        subprocess.run([program("initdb"), "-D", data, "-U", "admin", "-N", "--auth=trust", "--locale=C", "-E", "UTF8"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/", **user)
        log = open(f"{directory}/log", "w")
        self.server = subprocess.Popen([program("postgres"), "-D", data, "-p", str(self.port), "-k", directory, "-c",
                                        "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "log_statement=all"],
                                       stdout=log, stderr=log, cwd="/", **user)
        for _ in range(600):
            try:
                self.sql("SELECT 1")
                return
            except subprocess.CalledProcessError:
                time.sleep(0.05)
        raise RuntimeError(pathlib.Path(directory, "log").read_text())

    def url(self, database="postgres"):
        return f"postgres://admin@127.0.0.1:{self.port}/{database}"

    def sql(self, statement, database="postgres"):
        done = subprocess.run([program("psql"), "-X", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)],
                              check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return done.stdout.strip()

    def log(self):
        return pathlib.Path(self.directory, "log").read_text()

    def close(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(30)


class Visitors:
    """Readers and writers of one table, each a psql that is fed statement by statement; the longest wait is kept."""

    def __init__(self, url):
        self.worst, self.done, self.failures = 0.0, threading.Event(), []
        texts = ["SELECT email FROM app.users WHERE id = {0};",
                 "UPDATE app.users SET email = email WHERE id = {0};"]
        self.threads = [threading.Thread(target=self.visit, args=(url, text)) for text in texts]
        for thread in self.threads:
            thread.start()

    def visit(self, url, text):
        visitor = subprocess.Popen([program("psql"), "-X", "-q", "-At", url], stdin=subprocess.PIPE, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1)
        number = 0
        while not self.done.is_set():
            number = (number * 7919 + 13) % ROWS + 1
            began = time.monotonic()
            visitor.stdin.write(text.format(number) + "\n\\echo .\n")
            visitor.stdin.flush()
            while (line := visitor.stdout.readline()) != ".\n":
                if "ERROR" in line or not line:
                    self.failures.append(line)
                    if not line:
                        return
            self.worst = max(self.worst, time.monotonic() - began)
            time.sleep(0.005)
        visitor.stdin.close()
        visitor.wait(60)

    def finish(self):
        self.done.set()
        for thread in self.threads:
            thread.join()
        return self.worst


class Classic(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="staithe-classic-")
        os.chmod(cls.directory, 0o755)
        cls.production = Cluster(f"{cls.directory}/production")
        cls.staging = Cluster(f"{cls.directory}/staging")
        cls.production.sql("CREATE DATABASE shop")
        cls.production.sql(SCHEMA, "shop")
        project = pathlib.Path(cls.directory, "project")
        (project / "migrations").mkdir(parents=True)
        (project / "staithe.yml").write_text("""staithe: 1
project: shop
environments:
  staging:
    hosts: {stage1: {address: 127.0.0.1}}
    databases:
      source: {url: env PRODUCTION_URL}
      target: {url: env STAGING_URL}
  production:
    protected: true
    hosts: {web1: {address: 127.0.0.1}}
    databases:
      target: {url: env PRODUCTION_URL}
""")
        (project / "migrations/001.sql").write_text("ALTER TABLE app.users ALTER COLUMN country SET NOT NULL;\n")
        cls.project = project
        cls.environment = dict(os.environ, PRODUCTION_URL=cls.production.url("shop"), STAGING_URL=cls.staging.url("shop"))

    @classmethod
    def tearDownClass(cls):
        cls.production.close()
        cls.staging.close()
        shutil.rmtree(cls.directory, ignore_errors=True)

    def staithe(self, *words, expect=0, **more):
        done = subprocess.run([os.path.abspath(STAITHE), *words], cwd=self.project, env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=200, **more)
        self.assertEqual(done.returncode, expect, f"{words}\n{done.stdout}\n{done.stderr}")
        return done

    def rehearse(self, expect):
        done = self.staithe("stage", "rehearse", "-e", "staging", "--json", "migrations/001.sql", "--report", "html=page.html",
                            "--open-transaction", "500ms", "--blocking", "20s", expect=expect)
        return [record for record in map(json.loads, done.stdout.splitlines()) if record.get("type") == "rehearsal"][0]

    def snapshot(self):
        self.staithe("stage", "snapshot", "-e", "staging")

    def kill_and_go_on(self, words):
        """The backfill dies once it has begun; the same command goes on."""
        # The last row is locked, so that it cannot be over before it is killed.
        last = subprocess.Popen([program("psql"), "-X", "-q", "-At", self.production.url("shop")], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True, bufsize=1)
        last.stdin.write(f"BEGIN; SELECT id FROM app.users WHERE id = {ROWS} FOR UPDATE;\n")
        self.assertEqual(last.stdout.readline(), f"{ROWS}\n")
        begun = subprocess.Popen([os.path.abspath(STAITHE), *words, "--batch-time", "20ms"], cwd=self.project,
                                 env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        missing = "SELECT count(*) FROM app.users WHERE country IS NULL"
        eventually(lambda: self.production.sql(missing, "shop") != str(ROWS // 4))
        begun.kill()
        begun.wait()
        last.stdin.close()
        last.wait(30)
        self.assertGreater(int(self.production.sql(missing, "shop")), 0, "it was done before it could be killed")
        # The server may still be at the batch of the dead session, which holds the advisory lock.
        eventually(lambda: self.production.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                                               "'staithe backfill'") == "0")
        done = self.staithe(*words)
        self.assertIn("resumed", done.stderr)

    def test_it(self):
        self.snapshot()
        report = self.rehearse(expect=1)
        self.assertIn("would fail", report["verdict"])
        violation = report["statements"][0]["failure"]["violation"]
        self.assertEqual(violation["violating"], ROWS // 4)
        self.assertEqual(violation["total"], ROWS)
        self.assertEqual(violation["sample_keys"][0], "4")
        backfill = violation["backfill"]
        self.assertEqual(backfill["set"], "\"country\" = 'DE'")
        finding = next(one for one in report["findings"] if one["code"] == "fails-not-null")
        self.assertEqual(finding["instead"]["verdict"], "passed", finding)
        self.assertLess(finding["instead"]["worst_stall_us"], LONGEST_STALL * 1e6)
        page = (self.project / "page.html").read_text()
        self.assertIn("<svg", page)
        self.assertNotIn("http://", page.replace("http://www.w3.org/2000/svg", ""))

        words = ["backfill", "-e", "production", "app.users", "--set", backfill["set"], "--where", backfill["where"],
                 "--not-null", "country"]
        rehearsed = self.staithe("stage", *words[:1], "-e", "staging", *words[3:])
        self.assertIn(f"{ROWS // 4} rows filled", rehearsed.stderr)
        before = self.production.log()
        self.staithe(*words, expect=4)  # nobody has confirmed it
        self.assertNotIn("UPDATE app", self.production.log()[len(before):])

        visitors = Visitors(self.production.url("shop"))
        try:
            self.kill_and_go_on([*words, "--confirm", "shop"])
        finally:
            worst = visitors.finish()
        self.assertEqual(visitors.failures, [])
        self.assertLess(worst, LONGEST_STALL, "a visitor of production waited")
        self.assertEqual(self.production.sql("SELECT attnotnull FROM pg_attribute WHERE attrelid = 'app.users'::regclass "
                                             "AND attname = 'country'", "shop"), "t")
        self.assertEqual(self.production.sql("SELECT count(*) FROM app.users WHERE country <> 'DE'", "shop"), "0")
        self.assertEqual(self.production.sql("SELECT to_regclass('app.staithe_backfill') IS NULL", "shop"), "t")

        self.snapshot()
        report = self.rehearse(expect=0)
        self.assertTrue(report["passed"])
        self.assertEqual(self.staging.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'staithe_rehearsal%'"), "0")


if __name__ == "__main__":
    sys.exit(unittest.main())
