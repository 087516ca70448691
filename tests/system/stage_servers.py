"""Servers as they are found: a full disk, a standby that has to replay, other versions, other encodings, no pg_dump."""
import os
import pty
import re
import subprocess
import time

import databases

COPYING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'staithe snapshot%' AND query LIKE 'COPY%slow%' AND state = 'active'"


class Servers(databases.StageTest):
    def another(self, name, **how):
        cluster = databases.Cluster(self.directory, f"{name}-{os.getpid()}", **how)
        self.addCleanup(cluster.remove)
        return cluster

    def test_the_disk_of_the_target_is_full(self):
        target = self.target = self.another("small", room="96m")
        self.addCleanup(lambda: setattr(self, "target", type(self).target))
        self.env["TARGET"] = target.url("staging")
        oid = self.first()
        self.source.sql("CREATE TABLE huge AS SELECT i, repeat(md5(i::text), 30) AS v FROM generate_series(1, 120000) i", "shop")
        ended = self.refused(1, "No space left on device", "public.huge", "staithe stage list", "the copy needs about")
        self.assertIn("staging is as it was", ended.err)
        self.still(oid)
        self.nothing_half()
        self.nothing_left_on_source()
        self.source.sql("TRUNCATE huge", "shop")
        self.ok("stage", "snapshot")
        # So does a migration's clone, which goes.
        (self.directory / "fill.sql").write_text("CREATE TABLE more AS SELECT repeat(md5(i::text), 30) AS v FROM generate_series(1, 120000) i;\n")
        ended = self.staithe("stage", "rehearse", "--no-load", "--no-open-transaction", "--no-advice", "fill.sql")
        self.assertEqual(ended.code, 1, str(ended))
        self.assertRegex(ended.out + ended.err, "No space left on device|could not extend file")
        self.assertEqual(target.databases(), ["postgres", "staging"])

    def test_a_standby_is_the_source(self):
        self.first()
        self.source.sql("CREATE UNLOGGED TABLE scratch AS SELECT 1 AS id", "shop")
        standby = self.another("standby", settings=("hot_standby=on",), base=self.source)
        self.env["SOURCE"] = standby.url("shop")
        ended = self.ok("stage", "snapshot", "-n")
        self.assertIn("a standby", ended.out)
        self.assertIn("hot_standby_feedback is off: the standby cancels the copy when replay has waited for it for 30s", ended.out)
        for setting, said in (("max_standby_streaming_delay = -1", "max_standby_streaming_delay is -1: replay waits for the copy"),
                              ("hot_standby_feedback = on", "hot_standby_feedback is on: meanwhile the primary's vacuum is held back too")):
            standby.sql("ALTER SYSTEM SET " + setting)
            standby.sql("SELECT pg_reload_conf()")
            standby.wait(f"current_setting('{setting.split()[0]}') = '{setting.split()[-1]}'")
            self.assertIn(said, self.ok("stage", "snapshot", "-n").out)
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("SELECT count(*) FROM t", "staging"), "1000")
        self.assertEqual(self.target.sql("SELECT count(*) FROM scratch", "staging"), "0")
        self.env["TARGET"] = self.source.url("elsewhere")
        self.refused(4, "are the same cluster")

    def test_a_standby_has_to_replay(self):
        """Rows that our snapshot sees are vacuumed on the primary: the standby cancels us, and catches up."""
        oid = self.first()
        self.slow(rows=60000)
        standby = self.another("replaying", settings=("hot_standby=on", "max_standby_streaming_delay=200ms"), base=self.source)
        self.env["SOURCE"] = standby.url("shop")
        process = self.start("stage", "snapshot", "--json")
        self.until(process, "copy")
        standby.wait(COPYING)
        self.source.sql("DELETE FROM t WHERE id % 2 = 0", "shop")
        self.source.sql("VACUUM t", "shop")
        self.end(process, 1, "conflict with recovery", "max_standby_streaming_delay", "hot_standby_feedback")
        self.still(oid)
        self.nothing_half()
        standby.wait("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'staithe%'")
        lsn = self.source.sql("SELECT pg_current_wal_lsn()")
        standby.wait(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'")

    def test_the_copy_pauses_while_a_standby_does_not_replay(self):
        """What the server calls replay_lag says nothing of one that has stopped."""
        self.project(masks=self.slow_table(rows=2000, seconds=0.001), snapshot="limits: {replication_lag: 100ms}")
        standby = self.another("paused", settings=("hot_standby=on",), base=self.source)
        standby.wait("EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')")
        standby.sql("SELECT pg_wal_replay_pause()")
        standby.wait("pg_get_wal_replay_pause_state() = 'paused'")
        self.source.sql("CREATE TABLE more AS SELECT 1 AS id", "shop")
        process = self.start("stage", "snapshot", "--json")
        said = self.heard(process, "the copy pauses")
        self.assertNotIn('"step":"index"', said)
        self.source.wait("NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'COPY%slow%' AND state = 'active')")
        self.assertEqual(self.target.sql("SELECT count(*) FROM pg_database WHERE datname = 'staging'"), "0")
        standby.sql("SELECT pg_wal_replay_resume()")
        said = self.heard(process, '"step":"index"')
        self.assertIn("replication has caught up: the copy goes on", said)
        self.end(process, 0)
        self.assertEqual(self.target.sql("SELECT count(*) FROM slow", "staging"), "2000")

    def test_a_long_pause_breaks_no_connection(self):
        """A server gives up a client that takes nothing for as long as it would bear one that is gone."""
        masks = self.slow_table(rows=4000, seconds=0.0001)
        self.source.sql("UPDATE slow SET v = repeat('x', 20000)", "shop")
        self.project(masks=masks, snapshot="limits: {replication_lag: 100ms}")
        standby = self.another("resting", settings=("hot_standby=on",), base=self.source)
        standby.wait("EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')")
        standby.sql("SELECT pg_wal_replay_pause()")
        standby.wait("pg_get_wal_replay_pause_state() = 'paused'")
        self.source.sql("CREATE TABLE more AS SELECT 1 AS id", "shop")
        process = self.start("stage", "snapshot", "--json")
        self.heard(process, "the copy pauses")
        time.sleep(28)
        self.assertEqual(self.source.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%slow%' AND state = 'active'"), "1")
        standby.sql("SELECT pg_wal_replay_resume()")
        self.assertNotIn("retried", self.end(process, 0).out)

    def heard(self, process, text):
        """What it says until it says that."""
        said = ""
        for line in process.stdout:
            said += line
            if text in line:
                return said
        self.fail(f"'{text}' was never said: {said[-3000:]}{process.stderr.read()}")

    def test_altered_between_the_plan_and_the_locks(self):
        """While the question waits for its answer."""
        self.source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int); CREATE SEQUENCE s", "shop")
        changes = (("ALTER TABLE t ADD COLUMN late text DEFAULT 'x'", "public.t was altered"),
                   ("ALTER TABLE t ALTER id TYPE bigint", "public.t was altered"),
                   ("ALTER TABLE t RENAME TO other", '"public.t" does not exist: a table was dropped or renamed'),
                   ("DROP TABLE u", '"public.u" does not exist: a table was dropped or renamed'), ("CREATE TABLE w (id int)", "public.w was made or renamed"),
                   ("CREATE SEQUENCE s2", "public.s2 was made or renamed"))
        self.target.sql("CREATE DATABASE staging")
        self.target.sql("CREATE TABLE precious ()", "staging")
        for change, text in changes:
            with self.subTest(change):
                code, said = self.answer_after(lambda change=change: self.source.sql(change, "shop"))
                self.assertEqual(code, 4, said)
                self.assertIn(text + " after the plan: run it again", said)
                self.nothing_left_on_source()
                self.nothing_half()
        self.assertEqual(self.target.sql("SELECT count(*) FROM precious", "staging"), "0")

    def answer_after(self, work):
        """Runs it on a terminal, does `work` when the question is there, and says yes."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([databases.STAITHE, "stage", "snapshot", "--replace"], cwd=self.directory,
                                   env={**os.environ, **self.env, "TERM": "dumb"}, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = ""
        while "[y/N]" not in said:
            said += os.read(ours, 4096).decode()
        work()
        os.write(ours, b"y\n")
        try:
            while data := os.read(ours, 4096):
                said += data.decode(errors="replace")
        except OSError:  # Linux says EIO at the end of a terminal
            pass
        os.close(ours)
        return process.wait(), " ".join(said.split())

    def test_bytes_of_no_encoding(self):
        """SQL_ASCII holds whatever was put in; it arrives byte for byte."""
        self.source.sql("DROP DATABASE shop")
        self.source.sql("CREATE DATABASE shop TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C'")
        self.source.sql(r"CREATE TABLE t AS SELECT convert_from('\xff41fe'::bytea, 'SQL_ASCII') AS v", "shop")
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("SELECT convert_to(v, 'SQL_ASCII') FROM t", "staging"), r"\xff41fe")

    def test_too_few_connections(self):
        oid = self.first()
        self.source.psql("postgres", "-c", "DROP ROLE IF EXISTS narrow", "-c", "CREATE ROLE narrow LOGIN PASSWORD 'pw' CONNECTION LIMIT 2",
                         "-c", "GRANT pg_read_all_data TO narrow")
        self.env["SOURCE"] = self.source.url("shop", "narrow", "pw")
        ended = self.staithe("stage", "snapshot")
        # Without a connection nobody can see that pg_dump's session has gone: then a person is told so.
        self.assertIn(ended.code, (1, 4, 5) if "what this run may have left" in ended.err else (1, 4), str(ended))
        self.assertIn("too many connections", ended.err)
        self.still(oid)
        self.nothing_half()
        self.nothing_left_on_source()
        self.source.sql("DROP ROLE narrow")

    def test_other_versions(self):
        if not databases.OTHERS:
            self.skipTest("one version of PostgreSQL is here; STAITHE_POSTGRES may name the programs of another")
        self.every_kind()
        here = int(databases.BIN.parent.name)
        for programs in databases.OTHERS:
            major = int(programs.parent.name)
            with self.subTest(f"{here} and {major}"):
                other = self.another(f"other-{major}", programs=programs)
                other.sql("CREATE ROLE app_reader")
                newer, older = (other, self.source) if major > here else (self.source, other)
                if other is not newer:
                    continue
                self.env["TARGET"] = newer.url("staging")
                self.ok("stage", "snapshot")
                self.compare(older, newer, programs)
                self.from_newer(other, programs)

    def compare(self, source, target, programs, name="staging"):
        def plain(lines):
            # 17 names a view's columns without the table when there is one; minor releases of 15 keep a note in pg_attribute
            # that only their own pg_dump leaves out.
            return [re.sub(r"\b(users|mv_b|v_between)\.", "", line) for line in lines
                    if line not in databases.SWITCHED_OFF and "(pg_attver=" not in line]
        self.assertEqual(plain(target.schema(name, programs)), plain(source.schema("shop", programs)))
        self.assertEqual(target.checksums(name), source.checksums("shop"))

    def from_newer(self, newer, programs):
        """An older target is refused; without a pg_dump that is new enough nothing is begun; with one it arrives."""
        newer.sql("CREATE DATABASE shop")
        newer.psql("shop", "-f", databases.HERE / "every_kind.sql")
        newer.sql("ALTER DATABASE shop SET search_path = app, public")
        self.env.update(SOURCE=newer.url("shop"), TARGET=self.target.url("staging"))
        self.refused(4, "an older server cannot take it")
        second = self.another("second", programs=programs)
        second.sql("CREATE ROLE app_reader")
        self.env["TARGET"] = second.url("staging")
        if not re.match("/usr/(local/)?lib/postgresql/", str(programs)):
            self.refused(4, f"pg_dump {programs.parent.name} or newer is not installed", "apt install postgresql-client-")
        self.env["PATH"] = f"{programs}:{os.environ['PATH']}"
        self.ok("stage", "snapshot")
        self.compare(newer, second, programs)


if __name__ == "__main__":
    databases.main()
