"""A peer falls silent with the connection up, as behind a proxy or a tunnel that hangs: no byte comes, and no error either.
Nobody waits for ever, production keeps nothing of ours although nobody tells it that we went, and staging what it had.
"""
import os
import re
import signal
import time

import databases
from relay import Relay

# Twice 20 s until it is sure, and what is tried of a peer that does not answer before the end.
LIMIT = 75
# What holds the snapshot or watches is not heard of for 60 s, a COPY whose bytes nobody takes ends sooner; one that had
# just ended, or had its rows in the buffers on the way, leaves its session idle for 5 min.
FORGOTTEN = 400
COPYING = "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'COPY%slow%' AND state = 'active')"


class Silent(databases.StageTest):
    def through_relay(self, end, cluster):
        relay = Relay(cluster.port)
        self.addCleanup(relay.close)
        direct = self.env[end]
        self.env[end] = direct.replace(f":{cluster.port}/", f":{relay.port}/")
        self.addCleanup(self.env.__setitem__, end, direct)
        return relay

    def wide(self):
        """A table that is copied for long and fills whatever buffers there are on the way."""
        masks = self.slow_table(rows=20000)
        self.source.sql("UPDATE slow SET v = repeat('x', 20000)", "shop")
        self.project(masks=masks)

    def copying(self):
        process = self.start("stage", "snapshot", "-e", "staging", "--json")
        self.until(process, "copy")
        self.source.wait(COPYING)
        time.sleep(1)  # the other table is there by then
        return process

    def ends(self, process, code, *texts, within=LIMIT):
        began = time.monotonic()
        ended = self.end(process, code, *texts)
        self.assertLess(time.monotonic() - began, within, str(ended))
        return ended

    def test_the_source(self):
        """Of a snapshot and of a backfill, and a rehearsal's target, side by side. What they have locked on production is free
        again although their connections there are open: nobody but the server's own limits ends them."""
        oid = self.first()
        self.wide()
        with open(self.directory / "staithe.yml", "a", encoding="utf-8") as file:
            file.write("  production:\n    databases: {target: {url: env SOURCE}}\n")
        (self.directory / "long.sql").write_text("SELECT pg_sleep(600);\n")
        staging, production = self.through_relay("TARGET", self.target), self.through_relay("SOURCE", self.source)
        rehearsal = self.start("stage", "rehearse", "long.sql", "-e", "staging", "--no-load", "--no-open-transaction", "--no-advice")
        self.target.wait("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' AND pid <> pg_backend_pid())")
        self.env["TARGET"] = self.target.url("staging")
        snapshot = self.copying()
        # A backfill of production gives way to a snapshot of it, so this one is not of the same database.
        self.source.sql("CREATE DATABASE ledger TEMPLATE template0")
        self.source.psql("ledger", "-c", "CREATE TABLE filled AS SELECT i AS id, 'v' AS v FROM generate_series(1, 2000) i; ALTER TABLE filled ADD PRIMARY KEY (id);"
                         "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.05); RETURN NEW; END $$;"
                         "CREATE TRIGGER slowly BEFORE UPDATE ON filled FOR EACH ROW EXECUTE FUNCTION slowly()")
        self.env["SOURCE"] = self.env["SOURCE"].replace("/shop", "/ledger")
        fill = ("backfill", "filled", "--set", "v = 'w'", "-e", "production", "--confirm", "ledger", "--where", "v <> 'w'")
        self.addCleanup(os.truncate, self.source.log, 0)  # it writes
        backfill = self.start(*fill)
        self.source.wait("EXISTS (SELECT FROM filled WHERE v = 'w')", "ledger")
        # This one rests between its looks, outside of any transaction.
        self.source.sql("CREATE DATABASE resting TEMPLATE template0")
        self.source.psql("resting", "-c", "CREATE TABLE filled AS SELECT 1 AS id, 'v' AS v; ALTER TABLE filled ADD PRIMARY KEY (id)")
        self.env["SOURCE"] = self.env["SOURCE"].replace("/ledger", "/resting")
        (self.directory / "pause").touch()
        rest = tuple("resting" if word == "ledger" else word for word in fill)
        resting = self.start(*rest, "--pause-file", "pause")
        self.source.wait("EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'resting' AND query LIKE '%wish%' AND state = 'idle')")
        for relay in (staging, production):
            relay.silence()
        self.ends(snapshot, 1, "silent", "staithe stage snapshot", "staging is as it was", "SELECT pg_terminate_backend(pid)")
        self.ends(backfill, 1, "silent", "go on from where it stopped")
        self.ends(resting, 1, "silent", "go on from where it stopped")
        ended = self.ends(rehearsal, 5, "silent", "exit 5 (needs a person)")
        self.assertNotIn("nothing was changed", ended.err)
        clone, = (name for name in self.target.databases() if name.startswith("staithe_rehearsal"))
        self.assertIn(f"staithe stage drop {clone} -e staging --disconnect", ended.err)
        self.still(oid)
        self.nothing_half()
        self.nothing_left_on_source(FORGOTTEN)
        # What the rehearsal has left there is nobody's by now, though the proxy has its sessions open.
        self.target.wait("NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')", seconds=FORGOTTEN)
        self.target.wait(f"EXISTS (SELECT FROM pg_stat_activity WHERE datname = '{clone}')")
        self.assertIn(clone, self.ok("stage", "drop", "--unfinished", "-e", "staging").out)
        self.source.sql(f"SET lock_timeout = '{FORGOTTEN}s'; LOCK TABLE filled; ALTER TABLE filled DISABLE TRIGGER slowly", "ledger")
        production.close()
        self.env["SOURCE"] = self.source.url("ledger")
        self.ok(*fill)
        self.assertEqual(self.source.sql("SELECT count(*) FROM filled WHERE v <> 'w'", "ledger"), "0")
        self.env["SOURCE"] = self.source.url("resting")
        self.ok(*rest)

    def test_a_clone_is_not_made_once_nobody_waits_for_it(self):
        """Only the connection is lost on which it is made: the server would go on with it."""
        self.first()
        (self.directory / "up.sql").write_text("SELECT 1;\n")
        relay = self.through_relay("TARGET", self.target)
        holder = self.target.session("postgres", "BEGIN", "COMMENT ON DATABASE staging IS 'taken back'", "SELECT 'ready'")
        holder.stdout.readline()
        process = self.start("stage", "rehearse", "up.sql", "--no-load", "--no-open-transaction", "--no-advice")
        self.target.wait("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock')")
        relay.cut()
        self.end(process, 4)
        holder.communicate("ROLLBACK;")
        self.target.wait("NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%')")
        self.assertEqual(self.target.databases(), ["postgres", "staging"])

    def test_the_target(self):
        oid = self.first()
        self.wide()
        relay = self.through_relay("TARGET", self.target)
        process = self.copying()
        relay.silence()
        self.ends(process, 5, "silent", "staithe stage drop", "an unfinished database that nobody uses")
        self.nothing_left_on_source()
        self.still(oid)
        relay.close()
        self.env["TARGET"] = self.target.url("staging")
        self.ok("stage", "drop", "--unfinished")
        self.nothing_half()

    def test_pg_dump(self):
        """It lifts the limits of its session by itself, so that somebody has to end that: how is said, whatever way it is that
        nobody answers who asks for it, and whoever tries again by himself on exit 4 is told that it takes a person."""
        self.source.sql("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t; CREATE VIEW w AS SELECT id FROM v", "shop")
        ours = "FROM pg_stat_activity WHERE application_name LIKE 'staithe snapshot%'"
        for how, is_stopped in ((Relay.silence, True), (Relay.refuse, True), (Relay.turn_away, True), (Relay.silence, False)):
            with self.subTest(how.__name__, is_stopped=is_stopped):
                self.env["SOURCE"] = self.source.url("shop")
                altering = self.source.session("shop", "BEGIN", "ALTER VIEW v OWNER TO admin")
                self.source.wait("EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'v'::regclass)", "shop")
                relay = self.through_relay("SOURCE", self.source)
                process = self.start("stage", "snapshot", "--json")
                self.source.wait(f"EXISTS (SELECT {ours} AND wait_event_type = 'Lock')")
                how(relay)
                if is_stopped:
                    process.send_signal(signal.SIGTERM)
                    ended = self.ends(process, 143, "interrupted", within=20)
                    self.assertNotRegex(ended.out + ended.err, "cannot be watched|the source is silent")
                else:
                    ended = self.ends(process, 5, '"exit_code":5', '"verdict":"failed"')
                self.source.wait(f"EXISTS (SELECT {ours} AND wait_event_type = 'Lock')")
                way_out = re.search(r"(SELECT pg_terminate_backend[^\"]*?') ", ended.out + ended.err).group(1)
                self.source.sql(way_out)
                altering.communicate()
                self.nothing_left_on_source()
                relay.close()
                self.nothing_half()

    def test_a_stop_meanwhile(self):
        self.wide()
        for end, cluster, code in (("SOURCE", self.source, 143), ("TARGET", self.target, 5)):
            with self.subTest(end):
                relay = self.through_relay(end, cluster)
                process = self.copying()
                relay.silence()
                time.sleep(2)
                process.send_signal(signal.SIGTERM)
                ended = self.ends(process, code, "interrupted", within=20)
                self.assertNotRegex(ended.out + ended.err, "cannot be watched|the source is silent")
                relay.close()
                self.env[end] = cluster.url("shop" if end == "SOURCE" else "staging")
                self.ok("stage", "drop", "--unfinished")


if __name__ == "__main__":
    databases.main()
