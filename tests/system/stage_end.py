"""What ends a run at its last moment, or while it has nothing to do: sessions that come back, limits of staging's roles, and
clones whose run is gone."""
import signal
import threading
import time

import databases


SWAP_LOCK = 32497584051550064  # whoever drops or renames a database holds it


class Pool:
    """An application's pool of connections: each is opened again as soon as it is ended."""

    def __init__(self, cluster, database, size=4):
        self.cluster, self.database, self.done, self.opened = cluster, database, threading.Event(), 0
        self.threads = [threading.Thread(target=self.connect) for _ in range(size)]
        for thread in self.threads:
            thread.start()

    def connect(self):
        while not self.done.is_set():
            self.opened += 1
            session = self.cluster.session(self.database, "SELECT pg_sleep(3600)")
            while session.poll() is None and not self.done.wait(0.001):
                pass
            if session.poll() is None:
                session.kill()
            session.communicate()

    def close(self):
        self.done.set()
        for thread in self.threads:
            thread.join()


class End(databases.StageTest):
    def test_sessions_that_come_back_at_once_are_no_obstacle(self):
        oid = self.first()
        pool = Pool(self.target, "staging")
        try:
            self.target.wait("(SELECT count(*) FROM pg_stat_activity WHERE datname = 'staging') = 4")
            opened = pool.opened
            ended = self.ok("stage", "snapshot", "--replace", "--yes")
        finally:
            pool.close()
        self.assertGreater(pool.opened, opened, "nobody came back")
        self.assertNotEqual(self.target.sql("SELECT oid FROM pg_database WHERE datname = 'staging'"), oid, str(ended))
        self.assertEqual(self.target.sql("SELECT count(*) FROM t", "staging"), "1000")
        self.nothing_half()

    def test_a_finished_copy_is_kept_when_it_cannot_get_its_name(self):
        oid = self.first()
        self.slow()
        process = self.start("stage", "snapshot", "--json")
        self.until(process, "copy")
        holder = self.target.session("staging", "SELECT 1")
        holder.stdout.readline()
        ended = self.end(process, 5, "the copy is whole and is staging_", "staithe stage rehearse --source staging_")
        self.still(oid)
        self.nothing_half()
        listed = [event for event in self.events(self.ok("stage", "list", "--json").out) if event["type"] == "snapshot"]
        kept = next(one for one in listed if one["database"] != "staging")
        self.assertRegex(kept["database"], r"^staging_\d{8}_\d{6}$")
        self.assertIn(kept["database"], ended.out + ended.err)
        self.assertEqual((kept["state"], kept["name"]), ("complete", "staging"))
        self.assertEqual(self.target.sql("SELECT count(*) FROM slow", kept["database"]), "3000")
        (self.directory / "up.sql").write_text("ALTER TABLE t ADD COLUMN more int;\n")
        self.ok("stage", "rehearse", "--no-load", "--no-open-transaction", "--blocking", "60s", "--source", kept["database"], "up.sql")
        holder.communicate("")
        self.ok("stage", "snapshot")
        self.assertNotIn(kept["database"], self.target.databases())

    def test_a_finished_copy_that_somebody_drops_is_no_success(self):
        oid = self.first()
        self.slow()
        process = self.start("stage", "snapshot", "--json")
        self.until(process, "copy")
        holder = self.target.session("staging", "SELECT 1")
        holder.stdout.readline()
        self.until(process, "swap")
        building, = [name for name in self.target.databases() if "building" in name]
        # Nobody is in it while it waits for its name, and still it is no leftover.
        self.target.wait(f"NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '{building}')")
        self.refused(4, "a snapshot is being built", words=("stage", "drop", "--unfinished"))
        self.assertIn(building, self.target.databases())
        self.target.sql(f"DROP DATABASE {building}")
        self.end(process, 1, f"{building} is gone: somebody dropped it")
        holder.communicate("")
        self.still(oid)

    def test_a_database_that_somebody_made_meanwhile_keeps_its_name(self):
        self.slow()
        process = self.start("stage", "snapshot", "--json")
        self.until(process, "copy")
        self.target.sql("CREATE DATABASE staging")
        self.target.sql("CREATE TABLE precious (id int)", "staging")
        self.end(process, 5, "staging is no snapshot and was not there", "the copy is whole and is staging_")
        self.assertEqual(self.target.sql("SELECT count(*) FROM precious", "staging"), "0")
        self.nothing_half()

    def swapping(self):
        """A run that would put its copy in the place of staging, while somebody else drops databases there."""
        self.source.sql("CREATE TABLE more AS SELECT 1 AS id", "shop")
        dropper = self.target.session("postgres", f"SELECT pg_advisory_lock({SWAP_LOCK})")
        dropper.stdout.readline()
        process = self.start("stage", "snapshot", "--replace", "--yes", "--json")
        self.until(process, "swap")
        self.target.wait("EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
        return process, dropper

    def guest(self):
        session = self.target.session("staging", "SELECT pg_backend_pid()")
        return session, session.stdout.readline().strip()

    def is_there(self, pid):
        return self.target.sql(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}") == "1"

    def test_only_sessions_of_the_database_that_was_looked_at_are_ended(self):
        """Its name may be another one's before it is exchanged: that one was asked for by nobody."""
        self.first()
        old, pid = self.guest()
        process, dropper = self.swapping()
        self.target.wait(f"NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})")
        old.communicate()
        self.target.sql("DROP DATABASE staging")
        self.target.sql("CREATE DATABASE staging")
        self.target.sql("CREATE TABLE precious (id int)", "staging")
        guest, pid = self.guest()
        time.sleep(0.5)  # ten rounds of ending sessions
        self.assertTrue(self.is_there(pid), "a session of somebody else's database was ended")
        guest.communicate("")
        dropper.communicate("")
        self.end(process, 5, "staging is another database by now", "the copy is whole and is staging_")
        self.assertEqual(self.target.sql("SELECT count(*) FROM precious", "staging"), "0")
        self.nothing_half()

    def test_nobody_is_ended_once_the_run_is_killed(self):
        oid = self.first()
        process, dropper = self.swapping()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.target.wait("NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_terminate_backend(pid)%' AND pid <> pg_backend_pid())")
        guest, pid = self.guest()
        dropper.communicate("")
        time.sleep(0.5)
        self.assertTrue(self.is_there(pid))
        guest.communicate("")
        self.still(oid)
        self.target.wait("NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'staithe%')")
        self.ok("stage", "drop", "--unfinished")
        self.nothing_half()
        self.ok("stage", "snapshot", "--replace", "--yes")
        self.assertEqual(self.target.sql("SELECT count(*) FROM more", "staging"), "1")

    def test_nothing_is_dropped_when_one_of_them_cannot_be(self):
        self.first()
        self.target.sql("CREATE DATABASE staithe_rehearsal_0123abcd_1")
        self.target.sql("CREATE DATABASE staithe_rehearsal_0123abcd_2")
        holder = self.target.session("staithe_rehearsal_0123abcd_2", "SELECT 1")
        holder.stdout.readline()
        names = ("staithe_rehearsal_0123abcd_1", "staithe_rehearsal_0123abcd_2")
        self.refused(4, "_2 is in use; it was not dropped", words=("stage", "drop", *names))
        self.refused(4, "_2 is in use", words=("stage", "drop", "--confirm", "staging", "staging", *names))
        self.assertEqual(self.target.databases(), ["postgres", "staging", *names])
        self.ok("stage", "drop", "--disconnect", *names)
        holder.communicate("")
        self.assertEqual(self.target.databases(), ["postgres", "staging"])

    def test_limits_of_stagings_roles_do_not_end_a_run(self):
        """The run's sessions have nothing to do while a table is copied, and its statements may take long."""
        self.source.sql("CREATE TABLE t (id int PRIMARY KEY)", "shop")
        limits = ["statement_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout", "lock_timeout"]
        if int(databases.BIN.parent.name) >= 17:
            limits.append("transaction_timeout")
        self.slow(rows=2000, seconds=0.002)
        for limit in limits:
            self.target.sql(f"ALTER ROLE admin SET {limit} = '1500ms'")
        try:
            self.ok("stage", "snapshot")
            self.assertEqual(self.target.sql("SELECT count(*) FROM slow", "staging"), "2000")
            # The sessions that watch a command have nothing to do either; it has its own limits.
            own = " ".join(f"-c {limit}=0" for limit in limits)
            sleep = f"PGOPTIONS='{own}' psql -XAtqc 'SELECT pg_sleep(3)' $DATABASE_URL"
            self.ok("stage", "rehearse", "--no-load", "--blocking", "60s", "--command", sleep)
        finally:
            for limit in limits:
                self.target.sql(f"ALTER ROLE admin RESET {limit}")

    def test_a_role_that_only_reads_by_default_writes_staging(self):
        """That is what it is for there; production is read all the same."""
        self.source.sql("CREATE TABLE t (id int PRIMARY KEY)", "shop")
        self.target.sql("ALTER ROLE admin SET default_transaction_read_only = on")
        try:
            self.ok("stage", "snapshot")
            (self.directory / "up.sql").write_text("-- staithe: no-transaction\nSET default_transaction_read_only = off;\nALTER TABLE t ADD COLUMN more int;\n")
            self.ok("stage", "rehearse", "--no-advice", "--blocking", "60s", "up.sql")
            self.ok("stage", "drop", "staging", "--confirm", "staging")
        finally:
            self.target.psql("postgres", "-c", "SET default_transaction_read_only = off", "-c", "ALTER ROLE admin RESET default_transaction_read_only")
        self.assertEqual(self.target.databases(), ["postgres"])

    def test_rehearsals_side_by_side(self):
        """Each on clones of its own; the snapshot stays as it is."""
        self.first()
        (self.directory / "fill.sql").write_text("ALTER TABLE t ADD COLUMN more int;\nUPDATE t SET more = 1;\nSELECT pg_sleep(1);\n")
        before = self.target.checksums("staging")
        runs = [self.start("stage", "rehearse", "--no-advice", "--blocking", "60s", "fill.sql") for _ in range(3)]
        self.target.wait("(SELECT count(DISTINCT datname) FROM pg_stat_activity WHERE datname LIKE 'staithe_rehearsal%') >= 2")
        for process in runs:
            self.end(process, 0)
        self.assertEqual(self.target.checksums("staging"), before)
        self.assertEqual(self.target.databases(), ["postgres", "staging"])

    def rehearse_slowly(self):
        (self.directory / "slow.sql").write_text("SELECT pg_sleep(600);\n")
        process = self.start("stage", "rehearse", "--no-load", "--no-open-transaction", "slow.sql")
        self.target.wait("EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND datname LIKE 'staithe_rehearsal%')")
        return process

    def clones(self):
        return [event for event in self.events(self.ok("stage", "list", "--json").out) if event["type"] == "clone"]

    def test_clones_of_a_run_that_was_killed_are_found_and_dropped(self):
        self.first()
        process = self.rehearse_slowly()
        clone = self.clones()[0]
        self.assertEqual((clone["state"], clone["snapshot"]), ("clone, in use", "staging"))
        self.refused(4, "is in use; it was not dropped", words=("stage", "drop", clone["database"]))
        self.ok("stage", "drop", "--unfinished")
        self.assertIn(clone["database"], self.target.databases())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.target.sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{clone['database']}'")
        self.target.wait("NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'staithe%')")
        self.assertEqual(self.clones()[0]["state"], "clone, left behind")
        # One that was still being made when its run was killed has no comment.
        unmarked = "staithe_rehearsal_0123abcd_1"
        self.target.sql(f"CREATE DATABASE {unmarked}")
        self.assertIn(unmarked, self.ok("stage", "list").out)
        self.assertIn(unmarked, self.ok("stage", "drop", "--unfinished", "--dry-run").out)
        self.ok("stage", "drop", "--unfinished")
        self.assertEqual(self.clones(), [])
        self.assertEqual(self.target.databases(), ["postgres", "staging"])

    def test_a_clone_that_is_kept_stays_until_it_is_dropped(self):
        self.first()
        (self.directory / "up.sql").write_text("ALTER TABLE t ADD COLUMN more int;\n")
        words = ("stage", "rehearse", "--no-load", "--no-open-transaction", "--blocking", "60s", "up.sql")
        self.ok(*words, "--keep-clone")
        self.ok(*words)
        self.ok("stage", "drop", "--unfinished")
        kept = self.clones()
        self.assertEqual([clone["state"] for clone in kept], ["clone, kept"])
        self.assertEqual(self.target.sql("SELECT count(more) FROM t", kept[0]["database"]), "0")
        fills = self.target.session(kept[0]["database"], "SET application_name = 'staithe backfill'", "SELECT 'ready'")
        fills.stdout.readline()
        self.refused(4, "is in use; it was not dropped", words=("stage", "drop", kept[0]["database"]))
        self.assertIn("still there", fills.communicate("SELECT 'still there';")[0])
        self.target.wait(f"NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '{kept[0]['database']}')")
        self.ok("stage", "drop", kept[0]["database"])
        self.assertEqual(self.clones(), [])


if __name__ == "__main__":
    databases.main()
