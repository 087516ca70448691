"""`staithe watch` with its state in PostgreSQL: a server that hangs, a lock that is taken away."""
import contextlib
import json
import os
import re
import signal
import time

import harness
import other_state
import watch_sandbox


MANY = """suite: many-%(number)s
schedule: every 4s
alert: {after: 1}
steps:
  - name: health
    get: http://127.0.1.2:%(port)s/health
    expect: 200
"""


class Many(watch_sandbox.WatchTest):
    """Forty suites and a state that hangs: nobody waits for it, and what they found is there afterwards."""

    def stays_well(self, hang, go_on, rows, env=None):
        names = [f"many-{number}" for number in range(40)]
        for number, name in enumerate(names):
            self.suite(name, MANY, number=number)
        run = self.begin(*names, env=env)
        self.until(lambda status, _: status == 200, run)
        hang()
        seen, begun = [], time.monotonic()

        def known():
            """What is in hand as it begins may be held up for ten seconds, and what comes after it for ten more."""
            return all(self.states(run, event) for event in ("notes", "history"))

        while time.monotonic() < begun + 25 or (not known() and time.monotonic() < begun + 60):
            status, body = self.get()
            seen.append((status, json.loads(body)["reasons"] if status else "no answer"))
            time.sleep(0.5)
        page = self.get("/")[1]
        go_on()
        self.assertEqual([one for one in seen if one[0] != 200], [])
        self.assertIn("Results are not kept", page)
        self.assertTrue(harness.await_true(lambda: "Results are not kept" not in self.get("/")[1], 90), self.get("/")[1])
        self.assertEqual(self.told("/v2/enqueue"), [])
        run.signal(signal.SIGTERM)
        ended = run.wait(120)
        self.assertEqual(ended.code, 143, str(ended))
        log = [json.loads(line) for line in ended.out.splitlines()]
        for event in ("notes", "history"):
            self.assertEqual([one["state"] for one in log if one.get("event") == event], ["not kept", "kept again"])
        found = [one for one in log if one["type"] == "check"]
        self.assertGreater(len(found), 40 * 4)
        self.assertEqual(rows("SELECT count(*) FROM staithe_checks"), len(found))

    def test_file_that_somebody_keeps_locked(self):
        databases = []
        self.addCleanup(lambda: [one.close() for one in databases])

        def lock():
            databases.append(self.sandbox.state())
            databases[0].execute("BEGIN IMMEDIATE")

        self.stays_well(lock, lambda: databases[0].execute("ROLLBACK"), lambda sql: self.sandbox.rows(sql)[0][0])

    def test_server_that_hangs(self):
        if not other_state.postgres_program("initdb") or not other_state.postgres_program("psql"):
            self.skipTest("no PostgreSQL")
        server = other_state.PostgresServer()
        self.addCleanup(server.stop)
        self.sandbox.edited("  production:\n", "  production:\n    state: postgres env STATE_URL\n", "staithe.yml")
        self.addCleanup(server.go_on)
        self.stays_well(server.hang, server.go_on, lambda sql: int(server.rows(sql)[0]), {"STATE_URL": server.url})


    def test_terminal_that_goes_away_while_what_is_left_is_written(self):
        """After SIGTERM a hang-up is no second wish to stop: what was found is written first."""
        if not other_state.postgres_program("initdb") or not other_state.postgres_program("psql"):
            self.skipTest("no PostgreSQL")
        server = other_state.PostgresServer()
        self.addCleanup(server.stop)
        self.sandbox.edited("  production:\n", "  production:\n    state: postgres env STATE_URL\n", "staithe.yml")
        self.suite("many-0", MANY, number=0)
        run = self.begin("many-0", env={"STATE_URL": server.url})
        self.until(lambda status, _: status == 200, run)
        self.addCleanup(server.go_on)
        server.hang()
        ran = len([one for one in self.log(run) if one["type"] == "check"])
        self.assertTrue(harness.await_true(lambda: len([one for one in self.log(run) if one["type"] == "check"]) > ran))
        run.signal(signal.SIGTERM)
        time.sleep(1)
        run.signal(signal.SIGHUP)
        time.sleep(1)
        self.assertTrue(run.alive(), "it did not wait for what is left to be written")
        server.go_on()
        ended = run.wait(120)
        self.assertEqual(ended.code, 143, str(ended))
        found = [one for one in map(json.loads, ended.out.splitlines()) if one["type"] == "check"]
        self.assertEqual(server.rows("SELECT count(*) FROM staithe_checks"), [str(len(found))])
        self.assertEqual(server.rows("SELECT count(*) FROM staithe_locks"), ["0"])


class State(watch_sandbox.WatchTest):
    def setUp(self):
        super().setUp()
        if not other_state.postgres_program("initdb") or not other_state.postgres_program("psql"):
            self.skipTest("no PostgreSQL")
        self.server = other_state.PostgresServer()
        self.addCleanup(self.server.stop)
        self.sandbox.edited("  production:\n", "  production:\n    state: postgres env STATE_URL\n", "staithe.yml")
        self.front("10s")

    def front(self, every):
        """One failed run is enough: with a state that hangs each takes ten seconds longer."""
        self.suite("front", watch_sandbox.FRONT.replace("2 failed runs in a row", "1").replace("every 1s", "every " + every))

    def begin(self, *arguments, env=None, stderr=None):
        return super().begin(*arguments, env={"STATE_URL": self.server.url, **(env or {})}, stderr=stderr)

    def note(self, name):
        return "\n".join(self.server.rows(f"SELECT body FROM staithe_notes WHERE name = '{name}'"))

    def heartbeat_age(self):
        return float(re.search(r"^staithe_watch_heartbeat_age_seconds (\S+)$", self.get("/metrics")[1], re.M)[1])

    def test_server_that_hangs_delays_neither_the_scheduler_nor_alerts(self):
        run = self.begin("front")
        self.until(lambda status, _: status == 200, run)
        self.server.hang()
        self.addCleanup(self.server.go_on)
        self.sandbox.app("web1", "stop")
        ages, deadline = [], time.monotonic() + 60
        while time.monotonic() < deadline and not self.told("/v2/enqueue"):
            ages.append(self.heartbeat_age())
            time.sleep(0.2)
        event, = self.await_told("/v2/enqueue", 1)
        self.assertEqual(event["dedup_key"], "staithe/payments/production/front/failing/health [web1]")
        self.assertLess(max(ages), 8, "the scheduler waited for the state")
        self.server.go_on()
        # What it could not write is written now.
        self.assertTrue(harness.await_true(lambda: '"told":true' in self.note("watch/alerts"), 90), self.note("watch/alerts"))
        self.sandbox.app("web1", "start")
        self.until(lambda status, _: status == 200, run)
        self.await_told("/v2/enqueue", 2)
        self.ended_by_term(run)
        self.assertEqual(self.server.rows("SELECT count(*) FROM staithe_locks"), ["0"])

    def test_lock_that_is_taken_away_ends_the_watch(self):
        """Somebody else watches from then on: the first one tells nobody of what happens afterwards."""
        self.front("1s")
        first = self.begin("front")
        self.until(lambda status, _: status == 200, first)
        taken = self.sandbox.staithe("unlock", "production/watch", "-f", "staithe.yml", "--force", "--confirm",
                                     "production/watch", "--reason", "another machine watches",
                                     env={"STATE_URL": self.server.url})
        self.assertEqual(taken.code, 0, str(taken))
        ended = first.wait(120)
        self.assertEqual(ended.code, 4, str(ended))
        self.assertIn("production is watched by another one from now on", ended.err)
        log = [json.loads(line) for line in ended.out.splitlines()]
        self.assertEqual([one["state"] for one in log if one.get("event") == "lock"], ["lost"])
        self.sandbox.app("web1", "stop")
        second = self.begin("front")
        self.until(lambda _, body: body["incidents"], second)
        self.await_told("/v2/enqueue", 1)
        self.assertEqual(len(self.told("/v2/enqueue")), 1)
        self.sandbox.app("web1", "start")
        self.until(lambda status, _: status == 200, second)
        second.signal(signal.SIGTERM)
        self.assertEqual(second.wait().code, 143)

    def test_lock_that_is_taken_away_ends_the_watch_whoever_reads_what_it_says(self):
        """Its standard error is full and nobody reads it: no check is run any more all the same."""
        self.front("1s")
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        os.set_blocking(write, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(write, b"x")
        os.set_blocking(write, True)
        run = self.begin("--quiet", "front", stderr=write)
        try:
            self.until(lambda status, _: status == 200, run)
            self.server.rows("DELETE FROM staithe_locks")
            self.assertTrue(harness.await_true(lambda: self.get()[0] == 0, 90), self.get())
            self.assertTrue(run.alive())
        finally:
            os.close(read)
        self.assertEqual(run.wait(120).code, 4)


if __name__ == "__main__":
    harness.main()
