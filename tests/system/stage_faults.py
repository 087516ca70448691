"""Things break while a snapshot is taken: staging keeps what it had, production keeps nothing of ours."""
import os
import pathlib
import resource
import signal
import time

import databases

COPYING = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'staithe snapshot%' AND query LIKE 'COPY%slow%' AND state = 'active'"


class Faults(databases.StageTest):
    def test_killed_at_every_step(self):
        oid = self.first()
        self.slow(rows=1000, seconds=0.001)
        for step in ("lock", "schema", "copy", "index", "constraints", "harmless", "verify", "swap"):
            with self.subTest(step):
                process = self.start("stage", "snapshot", "--json")
                self.until(process, step)
                process.send_signal(signal.SIGKILL)
                process.communicate()
                self.nothing_left_on_source()
                # The last step may have been done before the signal came.
                if step != "swap":
                    self.still(oid)
                self.assertEqual(self.target.sql("SELECT count(*) FROM t", "staging"), "1000")
                self.ok("stage", "drop", "--unfinished")
                self.assertEqual([name for name in self.target.databases() if "building" in name], [])
        self.ok("stage", "snapshot")

    def test_stopped_softly(self):
        oid = self.first()
        self.slow()
        process = self.start("stage", "snapshot", "--json")
        self.until(process, "copy")
        self.source.wait(COPYING)
        process.send_signal(signal.SIGTERM)
        self.end(process, 143, "interrupted")
        self.still(oid)
        self.nothing_left_on_source()
        self.assertEqual([name for name in self.target.databases() if "building" in name], [])

    def test_somebody_waits_for_our_lock(self):
        """A table is altered, emptied or dropped while it is copied: whoever does it does not wait for long; also when
        the role that reads sees nothing of others' sessions. What they run is not said: it may hold anything."""
        oid = self.first()
        self.reader()
        statements = ("ALTER TABLE slow ADD COLUMN more int", "TRUNCATE slow", "DROP TABLE slow")
        for user, statement in [("admin", one) for one in statements] + [("reader", statements[0])]:
            with self.subTest(f"{user}: {statement}"):
                self.env["SOURCE"] = self.source.url("shop", *(("reader", "pw") if user == "reader" else ()))
                self.source.sql("DROP TABLE IF EXISTS slow", "shop")
                self.slow(rows=60000)
                process = self.start("stage", "snapshot", "--json")
                self.until(process, "copy")
                self.source.wait(COPYING)
                self.source.sql(statement, "shop")
                ended = self.end(process, 1, "gave way: process", "of admin on the source waited for a lock of ours")
                self.assertNotIn(statement, ended.out + ended.err)
                self.still(oid)
                self.nothing_left_on_source()
                self.nothing_half()

    def test_somebody_waits_while_the_snapshot_is_used(self):
        """Its session is in use for minutes where there are thousands of sequences far away, here for a lock on one."""
        self.source.sql("CREATE TABLE t (id int); CREATE SEQUENCE s", "shop")
        self.project(snapshot="limits: {lock_wait: 40s}")
        holder = self.source.session("shop", "BEGIN", "ALTER SEQUENCE s OWNER TO admin")
        self.addCleanup(holder.communicate)
        self.source.wait("EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 's'::regclass)", "shop")
        process = self.start("stage", "snapshot", "--json")
        self.source.wait("EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'staithe snapshot%' AND wait_event_type = 'Lock')")
        self.source.sql("ALTER TABLE t ADD COLUMN more int", "shop")
        self.end(process, 1, "gave way: process", "waited for a lock of ours")

    def reader(self, *rights):
        """A role as the manual recommends it to be, or with less."""
        self.source.psql("postgres", "-c", "DROP ROLE IF EXISTS reader", "-c", "CREATE ROLE reader LOGIN PASSWORD 'pw'",
                         *[word for right in ("pg_read_all_data", *rights) for word in ("-c", f"GRANT {right} TO reader")])
        return self.source.url("shop", "reader", "pw")

    def test_what_the_role_cannot_see_is_said(self):
        self.source.sql("CREATE TABLE t (id int)", "shop")
        unseen = "replication lag and the activity of other sessions cannot be seen"
        self.env["SOURCE"] = self.reader()
        ended = self.ok("stage", "snapshot", "-n")
        self.assertIn(unseen, ended.out)
        self.assertIn("GRANT pg_read_all_stats", ended.out)
        self.assertIn(unseen, self.ok("stage", "snapshot", "-n", "--json").out)
        for right in ("pg_read_all_stats", "pg_monitor"):
            self.env["SOURCE"] = self.reader(right)
            self.assertNotIn(unseen, self.ok("stage", "snapshot", "-n").out)

    def test_nothing_is_held_while_indexes_are_built(self):
        """Eight jobs run out of tables at the same time; then one of them builds an index until a file is there."""
        self.source.sql("CREATE FUNCTION slowly(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN"
                        f" WHILE pg_catalog.current_database() <> 'shop' AND (pg_catalog.pg_stat_file('{self.directory}/built', true)).size IS NULL LOOP"
                        " PERFORM pg_catalog.pg_sleep(0.1); END LOOP; RETURN i; END$$;"
                        "CREATE TABLE slow AS SELECT 1 AS i; CREATE INDEX slow_index ON slow (slowly(i));"
                        "DO $$BEGIN FOR n IN 1..60 LOOP EXECUTE format('CREATE TABLE small_%s AS SELECT 1 AS i', n); END LOOP; END$$", "shop")
        process = self.start("stage", "snapshot", "--json", "--jobs", "8")
        for line in process.stdout:
            if "the source is released" in line:
                break
        # The servers need a moment to see a connection end.
        self.addCleanup((self.directory / "built").unlink, missing_ok=True)
        deadline = time.monotonic() + 60
        while self.source.ours() != "0" and time.monotonic() < deadline:
            time.sleep(0.05)
        left = self.source.ours()
        building = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%slow_index%' AND state = 'active' AND pid <> pg_backend_pid()"
        self.assertEqual(self.target.sql(building), "1", "the index should still be built")
        self.assertEqual(left, "0", "a session is left on production")
        (self.directory / "built").touch()
        self.end(process, 0)

    def test_what_is_masked_is_in_no_message(self):
        """A mask that fails at a value: the server quotes it, and nobody here may see it."""
        self.source.sql("CREATE TABLE people (id int PRIMARY KEY, mail text); INSERT INTO people VALUES (1, 'planted-4711');"
                        "CREATE FUNCTION shout(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'bad: %', $1 USING ERRCODE = '42883'; END$$;"
                        "CREATE FUNCTION crash(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'bad: %', $1 USING ERRCODE = '57P01'; END$$;"
                        "CREATE FUNCTION ask(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN EXECUTE 'SELECT \"' || $1 || '\"'; END$$", "shop")
        for mask, state in (("(mail::integer)::text", "22P02"), ("public.shout(mail)", "42883"), ("public.crash(mail)", "57P01"),
                            ("public.ask(mail)", "42703")):
            self.project(masks=f"  public.people: {{columns: {{mail: {{sql: \"{mask}\"}}}}}}\n")
            for words in ((), ("--json",)):
                with self.subTest(mask, words=words):
                    ended = self.staithe("stage", "snapshot", *words)
                    self.assertEqual(ended.code, 1, str(ended))
                    self.assertIn("people", ended.out + ended.err)
                    self.assertIn("SQLSTATE " + state, ended.out + ended.err)
                    self.assertNotIn("planted", ended.out + ended.err)
        for path in self.directory.iterdir():
            if path.is_file() and path.suffix != ".log":
                self.assertNotIn(b"planted", path.read_bytes(), path)
        self.nothing_left_on_source()
        self.nothing_half()

    def test_a_table_that_is_locked(self):
        self.first()
        self.slow(rows=10)
        holder = self.source.session("shop", "BEGIN", "LOCK TABLE slow IN ACCESS EXCLUSIVE MODE", "SELECT 'locked'")
        holder.stdout.readline()
        self.refused(4, "a table is locked by somebody else", "lock timeout")
        holder.communicate("ROLLBACK;\n")
        self.nothing_left_on_source()
        holder = self.source.session("shop", "BEGIN", "LOCK TABLE slow IN ACCESS EXCLUSIVE MODE", "SELECT 'locked'")
        holder.stdout.readline()
        process = self.start("stage", "snapshot")
        self.source.wait("EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        holder.communicate("ROLLBACK;\n")
        self.end(process, 0)

    def test_a_server_dies(self):
        oid = self.first()
        self.slow()
        for cluster, code in ((self.source, 1), (self.target, 5)):  # what it was building is left there
            process = self.start("stage", "snapshot", "--json")
            self.until(process, "copy")
            self.source.wait(COPYING)
            cluster.stop(signal.SIGQUIT)
            self.end(process, code, "next")
            cluster.start()
            self.still(oid)
            self.ok("stage", "drop", "--unfinished")
        self.ok("stage", "snapshot")

    def test_a_copy_that_does_not_hold_is_not_used(self):
        """Something becomes wrong in the copy while it is built: an index that serves nobody, a constraint that was never checked."""
        self.source.sql("CREATE TABLE child (id int, n int CHECK (n > 0))", "shop")
        oid = self.first()
        self.slow()
        for table, change, text in (("pg_index", "UPDATE pg_index SET indisvalid = false WHERE indrelid = 't'::regclass", "the index public.t_pkey is not valid in the copy"),
                                    ("pg_constraint", "UPDATE pg_constraint SET convalidated = false WHERE conname = 'child_n_check'",
                                     "the constraint child_n_check on public.child is not valid in the copy")):
            with self.subTest(table):
                process = self.start("stage", "snapshot", "--json")
                self.until(process, "copy")
                self.source.wait(COPYING)
                building = next(name for name in self.target.databases() if "building" in name)
                self.target.wait("EXISTS (SELECT FROM pg_index WHERE indrelid = to_regclass('t') AND indisvalid)", building)
                self.target.sql(change, building)
                self.end(process, 1, text)
                self.still(oid)
                self.nothing_left_on_source()
                self.nothing_half()

    def test_no_memory(self):
        """For what pg_dump says, here: it ends like any other failure, and says so."""
        oid = self.first()
        self.source.sql("CREATE VIEW v AS SELECT id FROM t; CREATE VIEW w AS SELECT id FROM v;"
                        "DO $$BEGIN EXECUTE format('COMMENT ON TABLE t IS %L', repeat('x', 50000000)); END$$", "shop")
        altering = self.source.session("shop", "BEGIN", "ALTER VIEW v OWNER TO admin", "SELECT 'held'")
        altering.stdout.readline()
        process = self.start("stage", "snapshot", "--json")
        self.source.wait("EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'staithe snapshot%' AND wait_event_type = 'Lock')")
        pages = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + 20_000_000
        resource.prlimit(process.pid, resource.RLIMIT_AS, (most, most))
        altering.communicate("ROLLBACK;")
        ended = self.end(process, 4, "out of memory")
        last = self.events(ended.out)[-1]
        self.assertEqual((last["type"], last["verdict"], last["failed_action"]), ("summary", "refused", "schema"))
        self.still(oid)
        self.nothing_half()
        self.nothing_left_on_source()

    def test_two_at_once(self):
        self.first()
        self.slow()
        process = self.start("stage", "snapshot", "--json")
        self.until(process, "copy")
        self.refused(4, "another snapshot is being built")
        self.end(process, 0)

    def test_rights_and_passwords(self):
        self.first()
        self.source.psql("postgres", "-c", "DROP ROLE IF EXISTS reader", "-c", "CREATE ROLE reader LOGIN PASSWORD 'pw'")
        reader = self.source.url("shop", "reader", "pw")
        self.env["SOURCE"] = reader
        self.refused(4, "no right to read public.t", "pg_read_all_data")
        self.source.sql("GRANT pg_read_all_data TO reader")
        self.ok("stage", "snapshot")
        self.source.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "shop")
        self.refused(4, "row security would hide rows of public.t", "BYPASSRLS")
        self.source.sql("ALTER TABLE t DISABLE ROW LEVEL SECURITY", "shop")
        self.env["SOURCE"] = self.source.url("shop", "reader", "wrong")
        self.refused(4, "authentication failed")
        self.env["SOURCE"], target = reader, self.env["TARGET"]
        self.env["TARGET"] = self.target.url("staging", password="wrong")
        self.refused(4, "authentication failed")
        self.env["TARGET"] = target
        self.source.sql("SELECT lo_from_bytea(0, 'x')", "shop")
        self.refused(1, "permission denied for large object")
        self.nothing_left_on_source()

    def test_wrong_targets(self):
        self.first()
        self.env["TARGET"] = self.source.url("elsewhere")
        self.refused(4, "are the same cluster")
        self.env["TARGET"] = self.target.url("other")
        self.target.sql("CREATE DATABASE other")
        self.ok("stage", "snapshot")
        self.env["TARGET"] = self.target.url("mine")
        self.target.sql("CREATE DATABASE mine")
        self.target.sql("CREATE TABLE precious (id int)", "mine")
        self.refused(4, "is not empty, and no snapshot", "--replace")
        self.refused(4, "--yes is needed", words=("stage", "snapshot", "--replace"))
        self.ok("stage", "snapshot", "--replace", "--yes")
        self.assertEqual(self.target.sql("SELECT count(*) FROM precious", [name for name in self.target.databases() if name.startswith("mine_")][0]), "0")
        holder = self.target.session("mine", "SELECT 1")
        holder.stdout.readline()
        self.refused(4, "open in mine")
        holder.communicate("")
        self.target.sql("CREATE DATABASE live")
        self.target.sql("COMMENT ON DATABASE live IS 'production'")
        self.refused(4, "is marked as production")
        self.target.sql("COMMENT ON DATABASE live IS NULL")

    def test_killed_between_the_database_and_its_mark(self):
        """What CREATE DATABASE wrote says whose it is; a database of the same kind of name is somebody's."""
        oid = self.first()
        self.target.sql("CREATE DATABASE office_building_2024")
        self.target.sql("CREATE TABLE precious AS SELECT 1", "office_building_2024")
        holder = self.target.session("postgres", "BEGIN", "LOCK TABLE pg_catalog.pg_shdescription IN SHARE MODE", "SELECT 1")
        holder.stdout.readline()
        process = self.start("stage", "snapshot", "--json")
        self.target.wait("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'COMMENT ON DATABASE%' AND wait_event_type = 'Lock')")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.target.sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'staithe%'")
        holder.communicate("ROLLBACK;")
        left, = [name for name in self.target.databases() if name.startswith("staging_building_")]
        listed = [event for event in self.events(self.ok("stage", "list", "--json").out) if event["type"] == "snapshot"]
        self.assertEqual({one["database"]: one["state"] for one in listed}, {"staging": "complete", left: "unfinished"})
        self.assertIn(left, self.ok("stage", "snapshot", "-n").out)
        self.ok("stage", "drop", "--unfinished")
        self.assertEqual(self.target.databases(), ["office_building_2024", "postgres", "staging"])
        self.still(oid)

    def test_beside_a_database_that_is_marked_as_production_nothing_is_written(self):
        """Nor is the one net taken away that its role may have: sessions that only read."""
        oid = self.first()
        self.target.sql("CREATE DATABASE live")
        self.target.sql("COMMENT ON DATABASE live IS 'production'")
        self.target.sql("CREATE DATABASE staithe_rehearsal_0123abcd_1")
        self.target.sql("ALTER ROLE admin SET log_statement = 'all'")
        (self.directory / "up.sql").write_text("ALTER TABLE t ADD COLUMN more int;\n")
        since = self.target.log.stat().st_size
        try:
            self.ok("stage", "list")
            for words in (("drop", "staging", "--confirm", "staging"), ("drop", "--unfinished"), ("drop", "--unfinished", "-n"),
                          ("snapshot", "--replace", "--yes"), ("snapshot", "-n"), ("rehearse", "up.sql"), ("rehearse", "-n", "up.sql"),
                          ("backfill", "t", "--set", "v = 'x'", "--where", "v IS NULL")):
                self.refused(4, "live is marked as production", words=("stage", *words))
        finally:
            self.target.sql("ALTER ROLE admin RESET log_statement")
            self.target.sql("COMMENT ON DATABASE live IS NULL")
        log = self.target.log.read_bytes()[since:].decode(errors="replace")
        self.assertIn("default_transaction_read_only = on", log)
        self.assertNotIn("default_transaction_read_only = off", log)
        self.still(oid)
        self.assertIn("staithe_rehearsal_0123abcd_1", self.target.databases())
        self.ok("stage", "drop", "--unfinished")
        self.assertEqual(self.target.databases(), ["live", "postgres", "staging"])

    def test_names_with_the_schema_of_a_failing_load(self):
        """A mask that breaks a constraint: the run says which, and leaves nothing."""
        oid = self.first()
        self.source.sql("CREATE TABLE people (id int PRIMARY KEY, mail text CHECK (mail LIKE '%@%')); INSERT INTO people VALUES (1, 'a@b')", "shop")
        self.project(masks="  public.people: {columns: {mail: {constant: nothing}}}\n")
        self.refused(1, "people", "people_mail_check")
        self.still(oid)
        self.nothing_left_on_source()
        self.project(masks="  public.people: {columns: {mail: {sql: no_such_function(mail)}}}\n")
        self.refused(1, "no_such_function")
        self.still(oid)


if __name__ == "__main__":
    databases.main()
