"""Runs of staithe that are ended at an exact place, and what comes of it.

Where it dies is exact: a trigger in the journal's database makes every write after the intent of action k slow, so
that SIGKILL meets staithe either just after it began action k, or when the action is done and its outcome is not
written yet. The program itself knows nothing of this.
"""
import concurrent.futures
import contextlib
import os
import signal
import sqlite3
import time
import unittest

import harness

WORKERS = int(os.environ.get("STAITHE_TEST_SANDBOXES", "4"))
DIED = -signal.SIGKILL


class Point:
    """Where to end staithe: at action k, early (just begun) or late (done, outcome not written), or as the end of a
    run of kind `end_of` is written. `again`: where to end the recovery of it. Actions are counted whose ids are `like`
    this, in SQL's terms."""

    def __init__(self, k, late=False, number=signal.SIGKILL, options=("--limit", "web1"), again=None, end_of=None, like="%"):
        self.k, self.late, self.number, self.options = k, late, number, tuple(options)
        self.again, self.end_of, self.like = again, end_of, like

    def __str__(self):
        where = "when its outcome is to be written" if self.late else "as it begins"
        if self.end_of:
            return f"as the end of the {self.end_of} is written"
        of = "" if self.like == "%" else f" of {self.like}"
        text = f"{signal.Signals(self.number).name} at action {self.k}{of} {where}, deploy {' '.join(self.options)}"
        return text + (f"; its recovery: {self.again}" if self.again else "")


def slow_down_after(sandbox, k, like="%"):
    begun = f"(SELECT count(*) FROM staithe_journal WHERE run_id = NEW.run_id AND kind = 'intent' AND action_id LIKE '{like}')"
    with contextlib.closing(sandbox.state()) as database:
        database.executescript(f"""
            DROP TRIGGER IF EXISTS test_hold;
            CREATE TABLE IF NOT EXISTS test_numbers (n INTEGER);
            DELETE FROM test_numbers;
            WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 400) INSERT INTO test_numbers SELECT x FROM c;
            CREATE TRIGGER test_hold AFTER INSERT ON staithe_journal
            WHEN {begun} >= {k} AND NOT (NEW.kind = 'intent' AND NEW.action_id LIKE '{like}' AND {begun} = {k})
            BEGIN
                SELECT count(*) FROM test_numbers a, test_numbers b, test_numbers c;
            END;""")


def slow_down_end_of(sandbox, kind):
    """Makes the write slow that ends a run of this kind in the history."""
    slow_down_after(sandbox, 1_000_000)
    with contextlib.closing(sandbox.state()) as database:
        database.executescript(f"""
            CREATE TRIGGER test_hold_end AFTER UPDATE OF ended ON staithe_runs WHEN NEW.kind = '{kind}'
            BEGIN
                SELECT count(*) FROM test_numbers a, test_numbers b, test_numbers c;
            END;""")


def slow_down_notes(sandbox):
    """Makes the write slow of what an action notes, such as what a drain found."""
    slow_down_after(sandbox, 1_000_000)
    with contextlib.closing(sandbox.state()) as database:
        database.executescript("""
            CREATE TRIGGER test_hold_end AFTER INSERT ON staithe_journal WHEN NEW.kind = 'note'
            BEGIN
                SELECT count(*) FROM test_numbers a, test_numbers b, test_numbers c;
            END;""")


def let_go(sandbox):
    with contextlib.closing(sandbox.state()) as database:
        database.execute("DROP TRIGGER IF EXISTS test_hold")
        database.execute("DROP TRIGGER IF EXISTS test_hold_end")


def is_writing(database, moment):
    """Whether somebody holds the database's write lock for longer than `moment` seconds."""
    until = time.monotonic() + moment
    while time.monotonic() < until:
        try:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
            return False
        except sqlite3.OperationalError:
            time.sleep(0.002)
    return True


def end_at(sandbox, run, point, before):
    """Waits for action k of the newest run and sends the signal there."""
    # Of an end, which other writes come shortly before: on a busy machine one of them takes long as well.
    moment = 0.4 if point.end_of else 0.03
    with contextlib.closing(sandbox.state()) as database:
        database.execute("PRAGMA busy_timeout = 0")
        deadline = time.monotonic() + 60
        version = count = None
        while run.alive() and time.monotonic() < deadline:
            with contextlib.suppress(sqlite3.OperationalError):
                now, = database.execute("PRAGMA data_version").fetchone()
                if now != version:  # somebody has written: only then is it worth counting
                    count, = database.execute(
                        "SELECT count(*) FROM staithe_journal WHERE kind = 'intent' AND action_id LIKE ? AND run_id NOT IN "
                        "(SELECT value FROM json_each(?))", (point.like, before)).fetchone()
                    version = now
                if count >= point.k and (not point.late or is_writing(database, moment)):
                    run.signal(point.number)
                    return True
            time.sleep(0.004)
    return False


def died_at(test, point, begin):
    """The result of what `begin` began and SIGKILL ended at the point."""
    known = test.sandbox.rows("SELECT json_group_array(id) FROM staithe_runs")[0][0]
    slow_down_after(test.sandbox, point.k, point.like)
    test.addCleanup(let_go, test.sandbox)
    run = begin()
    reached = end_at(test.sandbox, run, point, known)
    result = run.wait()
    let_go(test.sandbox)
    test.assertEqual((reached, result.code), (True, DIED), str(result))
    return result


class Trial:
    """One deploy that is ended at one point, and what came of it."""

    def __init__(self, sandbox, point):
        self.sandbox, self.point = sandbox, point
        limit = dict(zip(point.options, point.options[1:])).get("--limit")
        self.hosts = limit.split(",") if limit else harness.HOSTS
        before = sandbox.versions(self.hosts)
        # A release that is live nowhere, so that something is to be done on every host; if that may be, not on the first.
        names = ("v3", "v2", "v1") if before["web1"] == "v2" else ("v2", "v3", "v1")
        self.ref = next((name for name in names if name not in before.values()), names[0])
        self.known = sandbox.rows("SELECT json_group_array(id) FROM staithe_runs")[0][0]

    def mark_of_good(self, host):
        return self.sandbox.path("hosts", host, "payments", "releases", self.sandbox.sha[self.ref][:12], ".staithe-good")

    def not_marked_good(self):
        """Hosts on the new release where it does not count as good: no rollback would go back to it."""
        versions = self.sandbox.versions(self.hosts)
        return [host for host in self.hosts if versions[host] == self.ref and not os.path.exists(self.mark_of_good(host))]

    def end_it(self):
        for host in self.hosts:
            with contextlib.suppress(OSError):
                os.unlink(self.mark_of_good(host))
        if self.point.number == signal.SIGKILL:
            slow_down_after(self.sandbox, self.point.k, self.point.like)
        run = self.sandbox.begin_deploy(self.ref, *self.point.options)
        self.reached = end_at(self.sandbox, run, self.point, self.known)
        self.result = run.wait(90)
        let_go(self.sandbox)
        rows = self.sandbox.rows(
            "SELECT action_id, action_id LIKE ? FROM staithe_journal WHERE kind = 'intent' AND run_id NOT IN "
            "(SELECT value FROM json_each(?)) ORDER BY seq", self.point.like, self.known)
        self.actions = [row[0] for row in rows]
        self.counted = sum(row[1] for row in rows)

    def mixed(self):
        """Whether some, but not all, of the hosts were brought to the release of this deploy."""
        rolled = {action.split("/")[1] for action in self.actions if action.startswith("roll/")}
        versions = self.sandbox.versions(self.hosts)
        return 0 < sum(versions[host] == self.ref for host in rolled) < len(self.hosts)

    def problems(self):
        """What is not as it must be, in words; empty is good."""
        found = []
        if wrong := self.sandbox.await_serving():
            found.append(f"servers are not back: {wrong}")
        if locks := self.sandbox.locks():
            found.append(f"locks are left: {locks}")
        if runs := self.sandbox.unfinished():
            found.append(f"runs have no end: {runs}")
        if left := self.sandbox.staithe_processes():
            found.append(f"staithe still runs: {left}")
        if not harness.await_true(lambda: not self.sandbox.leashed(), 60, 0.1):
            found.append(f"commands live on on the hosts: {self.sandbox.leashed()}")
        versions = self.sandbox.versions()
        if odd := {host: version for host, version in versions.items() if version not in ("v1", "v2", "v3")}:
            found.append(f"neither the old nor the new release: {odd}")
        return found


class Trials(unittest.TestCase):
    """Sandboxes to try points on."""

    @classmethod
    def setUpClass(cls):
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            cls.sandboxes = list(pool.map(lambda _: harness.Sandbox(), range(WORKERS)))
        # A first deploy on each: it makes the journal, and v2 the release before.
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            results = list(pool.map(lambda sandbox: sandbox.deploy("v2", "--limit", "web1"), cls.sandboxes))
        assert all(result.code == 0 for result in results), "\n".join(map(str, results))
        cls.actions = cls.count_of("%")

    @classmethod
    def count_of(cls, like):
        """How many actions like this the first deploy had, to one host."""
        return cls.sandboxes[0].rows("SELECT count(*) FROM staithe_journal WHERE kind = 'intent' AND action_id LIKE ? AND "
                                     "run_id = (SELECT id FROM staithe_runs ORDER BY started LIMIT 1)", like)[0][0]

    @classmethod
    def tearDownClass(cls):
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda sandbox: sandbox.stop(), cls.sandboxes))

    def each_point(self, points, judge):
        """Spreads the points over the sandboxes; `judge` says what is wrong about a trial."""
        todo = list(reversed(points))
        wrong = []

        def work(sandbox):
            done = 0
            with harness.Load(sandbox, rate=40) as load:
                while todo:
                    point = todo.pop()
                    trial = Trial(sandbox, point)
                    trial.end_it()
                    if problems := judge(trial):
                        wrong.append(f"{point}:\n    " + "\n    ".join(problems))
                        # Once is enough for a finding; the next point begins with things put right.
                        for name in harness.BALANCERS:
                            for server in trial.sandbox.all_serving([name]):
                                for command in ("state ready", "weight 100%", "health up"):
                                    sandbox.ask(name, f"set server {server.split()[1]} {command}")
                        sandbox.put_right()
                    done += 1
            if load.failed:
                wrong.append(f"{load.failed} of {load.counts['requests']} requests failed: {load.counts['failures']}")
            return done, load.counts["requests"]

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            counts = list(pool.map(work, self.sandboxes))
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))
        self.assertEqual(sum(done for done, _ in counts), len(points))
        print(f"  {len(points)} points, {sum(requests for _, requests in counts)} requests, none failed", flush=True)

    def judge_recovery(self, trial):
        if trial.result.code != DIED:
            return [f"it was not killed: {trial.result}"]
        problems = []
        # Of two hosts in hand the other one may have begun something in the same moment.
        beside = 1 if "--parallel" in trial.point.options else 0
        if not trial.point.k <= trial.counted <= trial.point.k + beside:
            problems.append(f"killed at action {trial.counted} ({trial.actions[-1:]}) instead")
        recovered = trial.sandbox.staithe("recover", "-e", "production", "--yes")
        return problems + self.judge_recovered(trial, recovered)

    def judge_recovered(self, trial, recovered):
        """What is wrong about a recovery that came to its end."""
        problems = []
        found = trial.problems()
        mixed = trial.mixed()
        if recovered.code not in (0, 5) or (recovered.code == 5) != bool(found or mixed):
            problems.append(f"recover ended with {recovered.code}, versions {trial.sandbox.versions()}")
        if mixed and "mixed" not in recovered.text:
            problems.append("the versions are mixed and recover does not say so")
        if recovered.code == 0 and (lacking := trial.not_marked_good()):
            problems.append(f"the release is not marked good on {lacking}")
        again = trial.sandbox.staithe("recover", "-e", "production", "--yes")
        if not mixed and "nothing to recover" not in again.text:
            problems.append(f"a second recover finds something to do: {again}")
        if problems or found:
            problems += found + [f"at {trial.actions[-1:]}", str(trial.result), str(recovered)]
        return problems
