"""Traps of copying a live database which no other file sets: settings of roles and databases, the order of locks and snapshot,
constraints that were never checked, circles of foreign keys."""
import json
import re
import subprocess

import databases

LIMITS = {"statement_timeout": "700ms", "idle_in_transaction_session_timeout": "700ms", "idle_session_timeout": "700ms",
          "default_transaction_read_only": "on", "default_transaction_isolation": "serializable", "row_security": "on",
          "search_path": "nowhere"}


class Traps(databases.StageTest):
    def test_limits_of_the_sources_role_do_not_end_a_session(self):
        """The session that holds the snapshot has nothing to do while others copy."""
        self.source.psql("postgres", "-c", "DROP ROLE IF EXISTS reader", "-c", "CREATE ROLE reader LOGIN PASSWORD 'pw'",
                         "-c", "GRANT pg_read_all_data TO reader")
        limits = dict(LIMITS, transaction_timeout="700ms") if int(databases.BIN.parent.name) >= 17 else LIMITS
        for name, value in limits.items():
            self.source.sql(f"ALTER ROLE reader SET {name} = '{value}'")
        self.slow(rows=1500, seconds=0.002)
        self.env["SOURCE"] = self.source.url("shop", "reader", "pw")
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("SELECT count(*) FROM slow", "staging"), "1500")
        self.nothing_left_on_source()

    def test_a_url_that_pg_dump_cannot_be_given_is_refused_before_anybody_connects(self):
        self.source.sql("SELECT 'marked'")
        self.env["SOURCE"] = self.source.url("shop") + "?sslpassword=x"
        self.refused(4, "'sslpassword', which cannot be handed on to pg_dump; nothing was touched", "leave it out of the URL")
        self.assertNotIn("staithe", self.source.log.read_text().rpartition("marked")[2])

    def test_tables_are_locked_before_the_snapshot(self):
        """The other way round a table that is truncated in between reads as empty, and nobody says so."""
        self.source.sql("CREATE TABLE t AS SELECT 1 AS id", "shop")
        size = self.source.log.stat().st_size
        self.ok("stage", "snapshot")
        with open(self.source.log, encoding="utf-8", errors="replace") as log:
            log.seek(size)
            said = log.read()
        lock, export = said.index("LOCK TABLE ONLY"), said.index("pg_export_snapshot()")
        self.assertLess(lock, export)
        between = said[lock:export]
        self.assertNotIn("ROLLBACK", between)
        self.assertNotIn("COMMIT", between)

    def test_nobody_comes_in_while_it_is_built(self):
        """What acts on the world is not switched off yet."""
        self.target.sql("CREATE ROLE app LOGIN")
        self.addCleanup(lambda: self.target.sql("DROP ROLE app"))
        self.slow(rows=3000)
        process = self.start("stage", "snapshot", "--json")
        self.until(process, "copy")
        building, = [name for name in self.target.databases() if "building" in name]
        come_in = [databases.BIN / "psql", "-XAtqc", "SELECT 1", "-h", self.target.directory, "-p", str(self.target.port), "-U", "app", "-d"]
        refused = subprocess.run([*come_in, building], capture_output=True, text=True, check=False)
        self.assertIn("permission denied for database", refused.stderr)
        self.end(process, 0)
        subprocess.run([*come_in, "staging"], check=True, stdout=subprocess.DEVNULL)

    def test_a_snapshot_that_is_held_for_too_long_is_given_up(self):
        oid = self.first()
        self.project(masks=self.slow_table(rows=60000), snapshot="limits: {longest_snapshot: 2s}")
        ended = self.staithe("stage", "snapshot")
        self.assertEqual(ended.code, 1, str(ended))
        self.assertIn("2s", ended.err)
        self.still(oid)
        self.nothing_left_on_source()
        self.nothing_half()

    def test_settings_of_the_database_alter_no_value(self):
        """A type without a binary form goes as text, in which dates, spans, numbers and bytes look as settings say."""
        self.source.psql("shop", "-c", """CREATE TABLE values_ (id int PRIMARY KEY, d date, s timestamptz, i interval, f float8, g float4, b bytea, a aclitem);
            INSERT INTO values_ SELECT n, date '2026-02-03' + n, timestamptz '2026-02-03 04:05:06.789123+00' + n * interval '1 day', n * interval '1 year -3 days 4.5 seconds',
                n / 3.0::float8, n / 3.0::float4, decode('00ff5c' || lpad(to_hex(n), 2, '0'), 'hex'), makeaclitem(10, 10, 'SELECT', false) FROM generate_series(1, 200) n""")
        sums = self.source.checksums("shop")
        for name, value in (("DateStyle", "German, DMY"), ("IntervalStyle", "sql_standard"), ("extra_float_digits", "-10"),
                            ("bytea_output", "escape"), ("TimeZone", "Asia/Kathmandu"), ("standard_conforming_strings", "off")):
            self.source.sql(f"ALTER DATABASE shop SET {name} = '{value}'")
        self.assertIn("text", self.ok("stage", "snapshot", "-n").out)
        self.ok("stage", "snapshot")
        for name in ("DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output", "TimeZone", "standard_conforming_strings"):
            self.assertEqual(self.target.sql(f"SHOW {name}", "staging"), self.source.sql(f"SHOW {name}", "shop"), "comes along")
            self.target.sql(f"ALTER DATABASE staging RESET {name}")
        self.assertEqual(self.target.checksums("staging"), sums)

    def test_what_was_never_checked_stays_so_and_circles_are_closed(self):
        self.source.psql("shop", "-c", """CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int);
            INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (1, 2), (2, 1);
            ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b; ALTER TABLE b ADD CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a;
            CREATE TABLE c (id int, a int); INSERT INTO c VALUES (-1, 99);
            ALTER TABLE c ADD CONSTRAINT c_a FOREIGN KEY (a) REFERENCES a NOT VALID; ALTER TABLE c ADD CONSTRAINT c_id CHECK (id > 0) NOT VALID""")
        self.ok("stage", "snapshot")
        checked = "SELECT string_agg(conname || convalidated, ',' ORDER BY conname) FROM pg_constraint WHERE conrelid IN ('a'::regclass, 'b'::regclass, 'c'::regclass) AND contype IN ('c', 'f')"
        self.assertEqual(self.target.sql(checked, "staging"), "a_btrue,b_atrue,c_afalse,c_idfalse")
        self.assertEqual(self.target.checksums("staging"), self.source.checksums("shop"))

    def test_the_room_that_the_copy_needs_is_said_before_it_is_made(self):
        self.source.sql("CREATE TABLE big AS SELECT i AS id, repeat(md5(i::text), 20) AS v FROM generate_series(1, 20000) i;"
                        "CREATE INDEX ON big (v, id); CREATE TABLE noise AS TABLE big; CREATE INDEX ON noise (v, id)", "shop")
        whole = self.room()
        self.assertLessEqual(abs(whole - int(self.source.sql("SELECT pg_database_size('shop') * 4 / 3"))), 1 << 20)
        self.project(snapshot="leave_out: [public.noise]")
        less = self.room()
        self.assertLessEqual(abs(whole - less - int(self.source.sql("SELECT pg_total_relation_size('noise') * 4 / 3", "shop"))), 1 << 20)
        said = re.search(r"Room: about ([0-9.]+) MiB on the target's disks", self.ok("stage", "snapshot", "-n").out)
        self.assertLessEqual(abs(float(said[1]) * 2 ** 20 - less), 1 << 20)
        began = self.target.sql("SELECT pg_current_wal_lsn()")
        self.ok("stage", "snapshot")
        used = int(self.target.sql(f"SELECT pg_database_size('staging') + greatest(0, pg_current_wal_lsn() - '{began}')"))
        self.assertLess(int(self.target.sql("SELECT pg_database_size('staging')")), less)
        self.assertGreater(used, less / 2, "the number is of another size than what was used")

    def room(self):
        return json.loads(self.ok("stage", "snapshot", "-n", "--json").out)["room_bytes"]

    def test_collations_of_another_version_are_said(self):
        """What an upgrade of the system below a server leaves: the catalogue says with which version indexes were built."""
        self.source.sql("DROP DATABASE shop")
        self.source.sql("CREATE DATABASE shop TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de' LOCALE 'C.UTF-8'")
        self.source.sql('CREATE TABLE t (id int, v text PRIMARY KEY, w text COLLATE "sv-x-icu"); CREATE INDEX ON t (v COLLATE "fi-x-icu");'
                        """INSERT INTO t VALUES (1, 'ö', 'ö'), (2, 'z', 'z')""", "shop")
        self.assertNotIn("collation", self.ok("stage", "snapshot", "-n").out)
        self.source.sql("UPDATE pg_collation SET collversion = '57.1' WHERE collname IN ('sv-x-icu', 'fi-x-icu', 'da-x-icu')", "shop")
        self.source.sql("UPDATE pg_database SET datcollversion = '57.2' WHERE datname = 'shop'")
        plan = " ".join(self.ok("stage", "snapshot", "-n").out.split())
        for name, built, way in (("the database's collation", "57.2", 'ALTER DATABASE "shop" REFRESH COLLATION VERSION'),
                                 ("collation sv-x-icu", "57.1", 'ALTER COLLATION "sv-x-icu" REFRESH VERSION'),
                                 ("collation fi-x-icu", "57.1", 'ALTER COLLATION "fi-x-icu" REFRESH VERSION')):
            self.assertRegex(plan, f"warning: {name} of the source is of version [0-9.]+ now, and its indexes were built with {built}")
            self.assertIn(way, plan)
        self.assertNotIn("da-x-icu", plan, "nothing uses it")
        self.ok("stage", "snapshot")
        stale = "SELECT count(*) FROM pg_collation WHERE collversion <> pg_collation_actual_version(oid)"
        self.assertEqual(self.target.sql(stale, "staging"), "0")
        self.assertEqual(self.target.sql("SELECT datcollversion = pg_database_collation_actual_version(oid) FROM pg_database WHERE datname = 'staging'"), "t")
        self.assertEqual(self.target.sql("SELECT string_agg(id::text, ',' ORDER BY v) || '|' || string_agg(id::text, ',' ORDER BY w) FROM t", "staging"), "1,2|2,1")


if __name__ == "__main__":
    databases.main()
