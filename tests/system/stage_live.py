"""Nothing that acts on the world goes live in staging, and a production is recognised whatever name it goes by."""
import shutil
import subprocess
import time

import databases
from ports import free_port
from relay import Relay

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")


class Pooler:
    """PgBouncer in front of a cluster. It takes nothing back that a client set, so that what one left is seen by the next."""

    def __init__(self, cluster, mode):
        self.port = free_port()
        config = cluster.directory / f"{mode}.ini"
        config.write_text(f"[databases]\n* = host={cluster.directory} port={cluster.port} user=admin\n[pgbouncer]\n"
                          f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n"
                          "default_pool_size = 1\nserver_reset_query =\n")
        databases.own(config)
        self.process = subprocess.Popen([PGBOUNCER, "-q", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=databases.demote)

    def psql(self, statement):
        """What a client of the pooler sees; while it starts, nothing."""
        deadline = time.monotonic() + 60
        while True:
            done = subprocess.run([databases.BIN / "psql", "-XAtq", f"postgres://app@127.0.0.1:{self.port}/shop", "-c", statement],
                                  capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return done.stdout.strip()
            if time.monotonic() > deadline:
                raise RuntimeError(done.stderr)
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()


class Live(databases.StageTest):
    def test_subscriptions_stay_behind_with_their_passwords(self):
        self.source.sql("CREATE TABLE t (id int PRIMARY KEY)", "shop")
        self.source.sql("CREATE SUBSCRIPTION from_far CONNECTION 'host=127.0.0.1 port=1 password=sub-pw-991' PUBLICATION p "
                        "WITH (connect = false, enabled = false, slot_name = NONE)", "shop")
        try:
            self.assertIn("subscription from_far: left out: it would replicate", self.ok("stage", "snapshot", "-n").out)
            ended = self.ok("stage", "snapshot")
            self.assertNotIn("sub-pw-991", ended.out + ended.err)
            self.assertEqual(self.target.sql("SELECT count(*) FROM pg_subscription"), "0")
            self.assertEqual(self.source.sql("SELECT count(*) FROM pg_subscription"), "1")
        finally:
            self.source.sql("DROP SUBSCRIPTION from_far", "shop")

    def test_publications_have_no_slot(self):
        self.source.sql("CREATE TABLE t (id int PRIMARY KEY)", "shop")
        self.source.sql("CREATE PUBLICATION pub FOR TABLE t", "shop")
        self.source.sql("SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')", "shop")
        try:
            self.assertIn("publication pub: comes along; nobody subscribes", self.ok("stage", "snapshot", "-n").out)
            self.ok("stage", "snapshot")
            self.assertEqual(self.target.sql("SELECT count(*) FROM pg_publication", "staging"), "1")
            self.assertEqual(self.target.sql("SELECT count(*) FROM pg_replication_slots"), "0")
            self.assertEqual(self.source.sql("SELECT string_agg(slot_name, ',') FROM pg_replication_slots"), "theirs")
        finally:
            self.source.sql("SELECT pg_drop_replication_slot('theirs')")

    def test_what_fires_by_itself_is_disabled(self):
        """Triggers that notify or call out, and event triggers: before the first row of anybody comes."""
        self.source.psql("shop", "-c", """CREATE TABLE orders (id int); CREATE TABLE quiet (id int);
            CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('orders', NEW.id::text); RETURN NEW; END $$;
            CREATE FUNCTION call() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM http_post('https://partner.example', 'x'); RETURN NEW; END $$;
            CREATE FUNCTION calm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id + 1; RETURN NEW; END $$;
            CREATE TRIGGER t1 AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION tell(); CREATE TRIGGER t2 AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION call();
            CREATE TRIGGER t3 BEFORE INSERT ON quiet FOR EACH ROW EXECUTE FUNCTION calm();
            CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no DDL here'; END $$; CREATE EVENT TRIGGER et ON ddl_command_start EXECUTE FUNCTION et()""")
        plan = self.ok("stage", "snapshot", "-n").out
        for thing in ("trigger that notifies t1 ON public.orders: disabled", "trigger that notifies t2 ON public.orders: disabled", "event trigger et: disabled"):
            self.assertIn(thing, plan)
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("INSERT INTO orders VALUES (1); INSERT INTO quiet VALUES (1); SELECT id FROM quiet", "staging"), "2")
        self.target.sql("CREATE TABLE ddl_works ()", "staging")

    def test_extensions_that_reach_out_are_said(self):
        self.source.sql("CREATE EXTENSION dblink", "shop")
        self.assertIn("extension that reaches out dblink: comes along: see that staging may not reach out", self.ok("stage", "snapshot", "-n").out)

    def test_queues_webhooks_and_secrets(self):
        self.source.psql("shop", "-c", """CREATE TABLE outbox_messages (id int); INSERT INTO outbox_messages VALUES (1);
            CREATE TABLE endpoints (id int, url text, api_key text, misc text);
            INSERT INTO endpoints VALUES (1, 'https://partner.example/paid', 'k', 'whsec_' || repeat('4', 20))""")
        self.refused(3, "queue-like table public.outbox_messages would be live", "secret-like column public.endpoints.api_key would be live",
                     "rows: none, or live: keep")
        masks = ("  public.outbox_messages: {rows: none}\n"
                 "  public.endpoints: {columns: {url: {constant: 'http://localhost/'}, api_key: null")
        self.project(masks=masks + "}}\n")
        self.refused(3, "public.endpoints.misc", "look like secrets", words=("stage", "snapshot", "--require-masks"))
        self.project(masks=masks + ", misc: hash}}\n")
        plan = self.ok("stage", "snapshot", "-n").out
        self.assertIn("public.outbox_messages: comes empty", plan)
        self.assertIn("url: constant", plan)
        self.ok("stage", "snapshot", "--require-masks")
        self.assertEqual(self.target.sql("SELECT url, api_key IS NULL, misc LIKE 'whsec%' FROM endpoints", "staging"), "http://localhost/|t|f")
        self.assertEqual(self.target.sql("SELECT count(*) FROM outbox_messages", "staging"), "0")

    def test_the_source_behind_another_address(self):
        relay = Relay(self.source.port)
        self.addCleanup(relay.close)
        for address in (f"127.0.0.1:{relay.port}", f"localhost:{self.source.port}"):
            with self.subTest(address):
                self.env["TARGET"] = self.source.url("elsewhere").replace(f"127.0.0.1:{self.source.port}", address)
                self.refused(4, "are the same cluster")
        since = self.source.log.stat().st_size
        for words in (("list",), ("snapshot", "-n"), ("snapshot",), ("drop", "--unfinished")):
            self.staithe("stage", *words)
        log = self.source.log.read_bytes()[since:].decode(errors="replace")
        self.assertIn("default_transaction_read_only = on", log)
        self.assertNotIn("default_transaction_read_only = off", log)
        self.assertNotIn("elsewhere", self.source.databases())

    def standby_of(self, cluster):
        standby = databases.Cluster(self.directory, f"replica-{cluster.name}", settings=("hot_standby=on",), base=cluster)
        self.addCleanup(standby.remove)
        return standby

    def test_a_balancer_leads_to_another_server_than_the_snapshots(self):
        """The run on another one than the plan, and what reads the rows on another one than the snapshot."""
        self.source.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT id FROM t; CREATE VIEW w AS SELECT id FROM v", "shop")
        standby = self.standby_of(self.source)
        relay = Relay(self.source.port)
        self.addCleanup(relay.close)
        self.env["SOURCE"] = self.env["SOURCE"].replace(f":{self.source.port}/", f":{relay.port}/")
        ours = "FROM pg_stat_activity WHERE application_name LIKE 'staithe snapshot%' AND wait_event_type = 'Lock'"
        for held, code in (("LOCK TABLE t IN ACCESS EXCLUSIVE MODE", 4), ("ALTER VIEW v OWNER TO admin", 1)):
            with self.subTest(held):
                relay.lead_to(self.source.port)
                holder = self.source.session("shop", "BEGIN", held, "SELECT 'held'")
                holder.stdout.readline()
                process = self.start("stage", "snapshot", "--json")
                self.source.wait(f"EXISTS (SELECT {ours})")
                relay.lead_to(standby.port)
                holder.communicate("ROLLBACK;")
                self.end(process, code, "another server answered than the one that was looked at", "the address of one server")
                self.nothing_left_on_source()
                self.nothing_half()
        relay.lead_to(self.source.port)
        self.ok("stage", "snapshot")

    def test_a_standby_of_staging_is_refused(self):
        """A session that looks at locks there would see none of those that a migration takes on the primary."""
        self.source.sql("CREATE TABLE t (id int)", "shop")
        self.ok("stage", "snapshot")
        (self.directory / "one.sql").write_text("ALTER TABLE t ADD COLUMN more int;\n")
        standby = self.standby_of(self.target)
        self.env["TARGET"] = standby.url("staging")
        for words in (("snapshot",), ("rehearse", "one.sql")):
            self.refused(4, "a standby answered, where nothing can be written", "the address of the primary", words=("stage", *words))

    def test_poolers_are_seen_and_left_as_they_were(self):
        """A pooler gives what was SET to its next client, and our next statement to another server session."""
        self.source.sql("CREATE TABLE t (id int)", "shop")
        settings = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE source = 'session'"
        for mode in ("transaction", "session", "statement"):
            for end, cluster, database in (("SOURCE", self.source, "shop"), ("TARGET", self.target, "staging")):
                with self.subTest(mode, end=end):
                    if "shop" not in cluster.databases():
                        cluster.sql("CREATE DATABASE shop")
                    pooler = Pooler(cluster, mode)
                    self.addCleanup(pooler.close)
                    before = pooler.psql(settings)
                    direct, self.env[end] = self.env[end], cluster.url(database).replace(f":{cluster.port}/", f":{pooler.port}/")
                    for words in (("stage", "snapshot"), ("stage", "snapshot", "-n")):
                        self.refused(4, "leads through a pooler", "the address of PostgreSQL itself", words=words)
                    self.env[end] = direct
                    self.assertEqual(pooler.psql(settings), before)
                    self.nothing_half()
        self.ok("stage", "snapshot")

    def test_a_rehearsal_sets_nothing_behind_a_pooler(self):
        self.source.sql("CREATE TABLE t (id int PRIMARY KEY)", "shop")
        self.ok("stage", "snapshot")
        (self.directory / "one.sql").write_text("ALTER TABLE t ADD COLUMN more int;\n")
        pooler = Pooler(self.source, "transaction")
        self.addCleanup(pooler.close)
        self.env["SOURCE"] = self.source.url("shop").replace(f":{self.source.port}/", f":{pooler.port}/")
        ended = self.ok("stage", "rehearse", "one.sql", "--no-load", "--no-open-transaction", "--no-advice")
        self.assertIn("production was not asked", ended.out + ended.err)
        self.assertIn("leads through a pooler", ended.out + ended.err)
        self.assertEqual(pooler.psql("SHOW default_transaction_read_only"), "off")
        self.assertEqual(pooler.psql("SHOW lock_timeout"), "0")

    def test_a_backfill_sets_nothing_behind_a_pooler(self):
        """Its lock_timeout and its lock would stay with the session of the server that the application has next."""
        self.source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1)", "shop")
        settings = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE source = 'session'"
        pooler = Pooler(self.source, "transaction")
        self.addCleanup(pooler.close)
        self.env["BEHIND"] = self.source.url("shop").replace(f":{self.source.port}/", f":{pooler.port}/")
        with open(self.directory / "staithe.yml", "a", encoding="utf-8") as file:
            file.write("  production:\n    databases: {target: {url: env BEHIND}}\n")
        before = pooler.psql(settings)
        fill = ("--set", "v = 'x'", "--not-null", "v", "--confirm", "shop")
        for words in (fill, ("--tell", "pause"), ("--tell", "abort")):
            self.refused(4, "leads through a pooler", "the address of PostgreSQL itself", words=("backfill", "t", "-e", "production", *words))
        self.assertEqual(pooler.psql(settings), before)
        self.assertEqual(self.source.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "shop"), "0")
        self.assertEqual(self.source.sql("SELECT count(v) FROM t", "shop"), "0")

    def test_the_lock_that_says_a_snapshot_is_being_read(self):
        """Whoever wants to alter tables on production can look for it; it is gone with the run."""
        self.slow(rows=3000)
        held = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND (classid::bigint << 32 | objid::bigint) = 32497584051614308"
        process = self.start("stage", "snapshot", "--json")
        self.until(process, "copy")
        self.source.wait(held, "shop")
        with open(self.directory / "staithe.yml", "a", encoding="utf-8") as file:
            file.write("  production:\n    databases: {target: {url: env SOURCE}}\n")
        words = ("backfill", "slow", "-e", "production", "--set", "v = 'x'", "--confirm", "shop")
        self.refused(4, "a snapshot is being read from this database", words=(*words, "--not-null", "v"))
        self.end(process, 0)
        self.assertEqual(self.source.sql(held, "shop"), "f")


if __name__ == "__main__":
    databases.main()
