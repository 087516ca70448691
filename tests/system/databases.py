"""Two PostgreSQL clusters, "production" and "staging", and staithe between them."""
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from ports import free_port

HERE = pathlib.Path(__file__).resolve().parent
STAITHE = os.environ.get("STAITHE", str(HERE.parents[1] / "build/dev/staithe"))
SERVERS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
BIN = SERVERS[-1] if SERVERS else None
# Other versions' directories of programs, for stage_versions.py: those of Debian's packages, and of STAITHE_POSTGRES (a:b).
OTHERS = SERVERS[:-1] + [pathlib.Path(path) for path in os.environ.get("STAITHE_POSTGRES", "").split(":") if path]
PASSWORD = "s3cret-w0rd/%"
TABLES = """SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE relkind IN ('r', 'm') AND relispopulated AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"""
# What of ours the log of production may hold, by application_name.
OUR_STATEMENT = re.compile(r"((?:staithe|pg_dump)[^|]*)\|[^|]*\|([^|]*)\|LOG:  (?:statement|execute [^:]*): *(.*)")
READS = re.compile(r"(SELECT|WITH|SHOW|SET|BEGIN|COMMIT|ROLLBACK|LOCK TABLE .* ACCESS SHARE|PREPARE|EXECUTE|DECLARE|FETCH|CLOSE|"
                   r"COPY .* TO STDOUT|SET TRANSACTION|START TRANSACTION)", re.I | re.S)
# What makes a session, or its transaction, one that can only read. It comes first, but for what sets other things up.
READ_ONLY = re.compile(r"SET default_transaction_read_only = on|SET TRANSACTION .*READ ONLY|(BEGIN|START TRANSACTION) .*READ ONLY", re.I)
READ_WRITE = re.compile(r"default_transaction_read_only\s*(=|to)\s*'?off|READ WRITE", re.I)
SETTING_UP = re.compile(r"(SET |SELECT pg_catalog.pg_backend_pid\(\)$|SELECT set_config|SELECT pg_catalog.set_config|BEGIN$|SELECT pg_catalog.pg_is_in_recovery\(\)$)", re.I)
WRITES = re.compile(r"(with|select)\b.*\b(insert into|update \w+ set|delete from)\b", re.I)
# How the copy of every_kind.sql differs from it: what acts by itself is switched off.
SWITCHED_OFF = {"ALTER TABLE app.orders DISABLE TRIGGER notify_orders;", "ALTER EVENT TRIGGER et DISABLE;"}


def demote():
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def own(path):
    if os.geteuid() == 0:
        shutil.chown(path, "postgres")


class Cluster:
    """`base`: become a standby of it. `programs`: of another version. `room`: bytes that its data may take, WAL apart."""

    def __init__(self, directory, name, settings=(), base=None, programs=None, room=None):
        self.directory, self.name, self.settings, self.bin = directory, name, list(settings), programs or BIN
        self.room = room
        self.data, self.log = directory / name, directory / f"{name}.log"
        self.port = free_port()
        if base is None:
            (directory / "password").write_text(PASSWORD)
            words = [f"--waldir={self.data}-wal"] if self.mount() else []
            subprocess.run([self.bin / "initdb", "-D", self.data, "-U", "admin", "-E", "UTF8", "--locale=C.UTF-8", "-N",
                            "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={directory}/password", *words],
                           check=True, stdout=subprocess.DEVNULL, preexec_fn=demote)
        else:
            subprocess.run([self.bin / "pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-h", base.directory, "-p",
                            str(base.port), "-U", "admin"], check=True, preexec_fn=demote)
        self.process = None
        self.start()

    def mount(self):
        """A small disk for the data, where one may be mounted."""
        if self.room is None:
            return False
        user = pwd.getpwnam("postgres")
        self.data.mkdir()
        options = f"size={self.room},mode=700,uid={user.pw_uid},gid={user.pw_gid}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.data], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            self.room = None
            raise unittest.SkipTest("no small disk can be mounted: " + done.stderr.strip())
        return True

    def start(self):
        settings = [word for setting in self.settings for word in ("-c", setting)]
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.directory, "-c", "fsync=off", "-c",
                 "listen_addresses=127.0.0.1", "-c", "log_line_prefix=%a|%d|%c|", *settings],
                stdout=log, stderr=subprocess.STDOUT, preexec_fn=demote)
        self.wait_until_up()

    def wait_until_up(self):
        for _ in range(1200):
            ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.directory, "-p", str(self.port)], check=False)
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL did not start: " + self.log.read_text()[-2000:])

    def stop(self, how=signal.SIGINT):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def remove(self):
        self.stop(signal.SIGQUIT)
        if self.room is not None:
            subprocess.run(["umount", self.data], check=False)

    def url(self, database, user="admin", password=PASSWORD):
        word = ":" + password.replace("%", "%25").replace("/", "%2F") if password else ""
        return f"postgres://{user}{word}@127.0.0.1:{self.port}/{database}"

    def psql(self, database, *words, check=True):
        done = subprocess.run([BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-p", str(self.port),
                               "-U", "admin", "-d", database, *words], capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def sql(self, statement, database="postgres"):
        return self.psql(database, "-c", statement)

    def session(self, database, *statements):
        """A psql that keeps its session open; its stdin takes more."""
        process = subprocess.Popen([BIN / "psql", "-XAtq", "-h", self.directory, "-p", str(self.port), "-U", "admin", "-d",
                                    database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for statement in statements:
            process.stdin.write(statement + ";\n")
        process.stdin.flush()
        return process

    def databases(self):
        return self.sql("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").split("\n")

    def schema(self, database, programs=None):
        text = subprocess.run([(programs or self.bin) / "pg_dump", "-s", "-O", "-x", "-E", "UTF8", "-h", self.directory, "-p", str(self.port), "-U", "admin",
                               database], check=True, capture_output=True, text=True).stdout
        return [line for line in text.split("\n") if line and not line.startswith(("\\restrict", "\\unrestrict", "-- Dumped "))]

    def checksums(self, database):
        found = {}
        for table in self.sql(TABLES, database).split("\n"):
            found[table] = self.sql(f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} t", database)
        return found

    def wait(self, condition, database="postgres", seconds=60):
        """Until a condition in SQL holds."""
        deadline = time.monotonic() + seconds
        while self.sql(f"SELECT ({condition})::text", database) != "true":
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: never came true: {condition}")
            time.sleep(0.05)

    def only_reads(self, since=0):
        """Looks at every statement of ours in the log; how many there were."""
        count, bound = 0, set()
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(since)
            for line in log:
                match = OUR_STATEMENT.match(line)
                if not match:
                    continue
                count += 1
                name, session, statement = match.groups()
                if not READS.match(statement) or WRITES.match(statement) or READ_WRITE.search(statement):
                    raise AssertionError("production got a statement that is no read: " + statement)
                if READ_ONLY.match(statement):
                    bound.add(session)
                # A backfill is there to write; that it did not is told by its statements.
                elif session not in bound and not SETTING_UP.match(statement) and not name.startswith("staithe backfill"):
                    raise AssertionError("production got a statement in a session that may write: " + line)
        return count

    def ours(self):
        """Sessions and locks that a snapshot holds."""
        return self.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'staithe%'")


class Ended:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __str__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


class StageTest(unittest.TestCase):
    """One pair of clusters for all tests of a file; a fresh production database `shop` for each."""

    source_settings = ("log_statement=all", "wal_level=logical")
    target_settings = ()
    longMessage = True
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="staithe-stage-"))
        own(cls.directory)
        programs = cls.programs()
        cls.source = Cluster(cls.directory, "production", cls.source_settings, programs=programs)
        cls.target = Cluster(cls.directory, "staging", cls.target_settings, programs=programs)

    @classmethod
    def programs(cls):
        """The directory of the servers' programs, where they are not the installed ones."""
        return None

    @classmethod
    def tearDownClass(cls):
        cls.source.stop(signal.SIGQUIT)
        cls.target.stop(signal.SIGQUIT)
        try:
            cls.source.only_reads()
        finally:
            shutil.rmtree(cls.directory, ignore_errors=True)

    def setUp(self):
        for cluster in (self.source, self.target):
            for database in cluster.databases():
                if database != "postgres":
                    cluster.sql(f'DROP DATABASE "{database}" WITH (FORCE)')
        self.source.sql("CREATE DATABASE shop")
        self.env = {"SOURCE": self.source.url("shop"), "TARGET": self.target.url("staging"), "MASK_KEY": "a long key"}
        self.project()

    def project(self, snapshot="", masks=None):
        if masks is not None:
            (self.directory / "masks.yml").write_text("masks: 1\ntables:\n" + masks)
            snapshot = "masks: masks.yml, mask_key: env MASK_KEY" + (", " + snapshot if snapshot else "")
        (self.directory / "staithe.yml").write_text(
            "staithe: 1\nproject: shop\nenvironments:\n  staging:\n    databases:\n      source: {url: env SOURCE}\n"
            f"      target: {{url: env TARGET}}\n      snapshot: {{{snapshot}}}\n")

    def start(self, *words):
        return subprocess.Popen([STAITHE, *words], cwd=self.directory, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def staithe(self, *words, limit=120):
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=limit)
        finally:
            if process.poll() is None:
                process.kill()
        self.assertNotIn(PASSWORD, out + err)
        return Ended(process.returncode, out, err)

    def ok(self, *words):
        ended = self.staithe(*words)
        self.assertEqual(ended.code, 0, str(ended))
        return ended

    def refused(self, code, *texts, words=("stage", "snapshot")):
        ended = self.staithe(*words)
        self.assertEqual(ended.code, code, str(ended))
        for text in texts:
            self.assertIn(text, ended.err, str(ended))
        return ended

    def every_kind(self):
        self.source.psql("shop", "-f", HERE / "every_kind.sql")
        self.source.sql("ALTER DATABASE shop SET search_path = app, public")

    def until(self, process, step, seconds=60):
        """Reads events until the step has begun."""
        deadline = time.monotonic() + seconds
        for line in process.stdout:
            if f'"step":"{step}"' in line or time.monotonic() > deadline:
                return
        self.fail(f"the run ended before {step}: {process.stderr.read()}")

    def end(self, process, code, *texts):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, out + err)
        for text in texts:
            self.assertIn(text, out + err)
        return Ended(code, out, err)

    def first(self):
        """A snapshot that is in use, which every fault has to leave alone."""
        self.source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 1000) i", "shop")
        self.ok("stage", "snapshot")
        return self.target.sql("SELECT oid FROM pg_database WHERE datname = 'staging'")

    def still(self, oid):
        self.assertEqual(self.target.sql("SELECT oid FROM pg_database WHERE datname = 'staging'"), oid, "the old one is gone")
        self.assertEqual(self.target.sql("SELECT count(*) FROM t", "staging"), "1000")

    def nothing_half(self):
        self.assertEqual([name for name in self.target.databases() if "building" in name], [])

    def slow(self, **how):
        self.project(masks=self.slow_table(**how), snapshot="limits: {lock_wait: 500ms, blocked: 1s}")

    def slow_table(self, rows=3000, seconds=0.002):
        """A table whose copy takes its time, by its mask."""
        self.source.sql(f"CREATE TABLE slow AS SELECT i AS id, 'value ' || i AS v FROM generate_series(1, {rows}) i", "shop")
        return ("  public.slow:\n    columns:\n"
                f"      v: {{sql: \"CASE WHEN pg_catalog.pg_sleep({seconds}) IS NULL THEN v ELSE v END\"}}\n")

    def nothing_left_on_source(self, seconds=60):
        deadline = time.monotonic() + seconds
        while self.source.ours() != "0" and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(self.source.ours(), "0", "left on production: " + self.source.sql(
            "SELECT string_agg(concat_ws(' ', application_name, state, wait_event, xact_start - now(), state_change - now(), query), '; ')"
            " FROM pg_stat_activity WHERE application_name LIKE 'staithe%'"))

    @staticmethod
    def events(text):
        return [json.loads(line) for line in text.split("\n") if line.startswith("{")]


def main():
    if BIN is None:
        sys.exit("no PostgreSQL server is installed")
    unittest.main(verbosity=2)
