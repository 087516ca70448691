"""`staithe watch` on a machine that has its troubles: a clock that jumps, a disk that is full."""
import json
import os
import pathlib
import resource
import shutil
import signal
import tempfile

import harness
import wall_clock
import watch_sandbox

YEAR = 365 * 86400
HEALTH = """suite: health
severity: critical
schedule: every 1s
alert: {after: 1}
steps:
  - name: answers
    get: http://127.0.1.1:%(port)s/health
    expect: 200
"""


class Faults(watch_sandbox.WatchTest):
    def setUp(self):
        super().setUp()
        self.suite("health", HEALTH)
        self.directory = tempfile.mkdtemp(prefix="staithe-watch.", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.directory)

    def metric(self, name):
        for line in self.get("/metrics")[1].split("\n"):
            if line.startswith(name + "{"):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no {name}")

    def goes_on(self, run, wanted):
        """Some runs more, about a second apart, all of which find the same; what was answered meanwhile."""
        begun, seen = int(self.metric("verify_suite_runs_total")), []

        def some_more():
            seen.append(self.verify())
            return self.metric("verify_suite_runs_total") >= begun + 4

        self.assertTrue(harness.await_true(some_more, 90), f"{seen[-1]} {run.peek()}")
        for status, body in seen:
            self.assertEqual((status, body["stale"]), (wanted, False), body)
            self.assertTrue(0 <= body["age_s"] < 20, body)
        return seen

    def test_wall_clock_that_jumps(self):
        """A year on and back: the schedule goes on, nothing is stale, a fault is one fault, lock and history are kept."""
        now = os.path.join(self.directory, "now")
        for jump in (YEAR, -YEAR):
            with self.subTest(jump):
                told = len(self.told("/v2/enqueue"))
                run = self.begin("health", env={"LD_PRELOAD": wall_clock.library(self.directory), "JUMP": str(jump),
                                                "JUMP_WHEN": now})
                self.until(lambda status, _: status == 200, run)
                first = self.goes_on(run, 200)[-1][1]["suites"][0]
                years = {first["finished"][:4]}
                pathlib.Path(now).touch()
                self.goes_on(run, 200)
                years.add(self.goes_on(run, 200)[-1][1]["suites"][0]["finished"][:4])
                self.assertEqual(len(years), 2, "the clock did not jump")
                # A fault that begins before the clock is set back, and ends afterwards, is one fault.
                self.sandbox.app("web1", "stop")
                self.until(lambda _, body: body["incidents"], run)
                os.unlink(now)
                self.goes_on(run, 503)
                self.sandbox.app("web1", "start")
                self.until(lambda status, _: status == 200, run)
                # Set forth by a year it has gone on for longer than `remind`, which a reminder says.
                wanted = ["trigger", "resolve"] if jump > 0 else ["trigger", "trigger", "resolve"]
                events = self.await_told("/v2/enqueue", told + len(wanted))[told:]
                self.assertEqual([one["event_action"] for one in events], wanted)
                self.assertEqual(len({one["dedup_key"] for one in events}), 1)
                self.assertEqual(self.states(run, "alert"), ["fired", *["reminder"] * (len(wanted) - 2), "recovered"])
                self.assertEqual(self.states(run, "lock"), [])
                kept = self.sandbox.rows("SELECT count(*) FROM staithe_checks WHERE run_id = ?", first["run_id"])
                self.assertEqual(kept, [(1,)], "the jump has emptied the history")
                self.ended_by_term(run)

    def test_full_disk_delays_what_is_kept_and_nothing_else(self):
        """What cannot be kept is said; runs and alerts go on; when there is room again all of it is kept."""
        run = self.begin("health")
        self.until(lambda status, _: status == 200, run)
        limits = resource.prlimit(run.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
        self.assertTrue(harness.await_true(lambda: "Results are not kept" in self.get("/")[1], 90), self.get("/")[1])
        self.sandbox.app("web1", "stop")
        self.until(lambda _, body: body["incidents"], run)
        event, = self.await_told("/v2/enqueue", 1)
        self.assertEqual(event["event_action"], "trigger")
        self.goes_on(run, 503)
        before = self.sandbox.rows("SELECT count(*) FROM staithe_checks WHERE verdict = 'fail'")[0][0]
        self.assertEqual(before, 0)
        resource.prlimit(run.pid, resource.RLIMIT_FSIZE, limits)
        self.assertTrue(harness.await_true(lambda: "Results are not kept" not in self.get("/")[1], 90), self.get("/")[1])
        self.sandbox.app("web1", "start")
        self.until(lambda status, _: status == 200, run)
        self.assertEqual([one["event_action"] for one in self.await_told("/v2/enqueue", 2)], ["trigger", "resolve"])
        self.ended_by_term(run)
        known = json.loads(self.sandbox.rows("SELECT body FROM staithe_notes WHERE name = 'watch/suite/health'")[0][0])
        kept = dict(self.sandbox.rows("SELECT verdict, count(*) FROM staithe_checks GROUP BY verdict"))
        # The run that the end has cut off is kept too, and is none that ended.
        self.assertIn(sum(kept.values()) - known["runs"], (0, 1), kept)
        self.assertEqual(kept["fail"], known["failures"], kept)


if __name__ == "__main__":
    harness.main()
