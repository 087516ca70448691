"""The deadline of a whole run passes: what is in hand is given up and put back, nothing else is begun, the last lines
say how to go on, and the balancers' visitors notice nothing."""
import json
import re
import shlex
import signal

import harness

BOTH = ("--limit", "web1,web2")
PASSED = "the run's deadline of {} has passed"
HELD = 40  # s: ten times what an idle machine needs until web2 stands behind its reload
TWICE = "1m20s"


class Deadline(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions()
        self.target = "v3" if self.before["web1"] == "v2" else "v2"

    def begin_held_at_web2(self, *said):
        """web1 is done when the deadline passes, web2 stands behind its reload. A busy machine has time enough."""
        hold = self.hold("reloaded", "web2")
        # Only web2 finds a gate that is shut.
        playbook = self.playbook({"reloaded": hold.step.replace("timeout: 3m", "timeout: 10m, only: web2")})
        run = self.sandbox.begin_deploy(self.target, *said, playbook=playbook)
        hold.reached(run, HELD)
        return hold, run

    def test_host_in_hand_is_reverted_and_the_rest_is_gone_on_with(self):
        with harness.Load(self.sandbox) as load:
            hold, run = self.begin_held_at_web2("--deadline", f"{HELD}s", "--limit", "web[1-3]")
            result = run.wait()
            self.ended(result, 5, "FAILED at web2: ", PASSED.format(f"{HELD}s"), "changed web1", "reverted web2",
                       "untouched web3", f"deadline {HELD}s for the whole run, passed",
                       f"--var ref={self.sandbox.sha[self.target]}", f"--deadline {TWICE} --resume", "exit 5")
            self.assertIn(f"deadline {HELD}s", result.err.splitlines()[1] + result.err.splitlines()[2], str(result))
            self.assertIn("warning: " + PASSED.format(f"{HELD}s"), result.err)
            self.nothing_left()
            self.assertEqual(self.sandbox.versions(["web1"]), {"web1": self.target})
            self.assertEqual(self.sandbox.versions(["web2", "web3"]),
                             {name: self.before[name] for name in ("web2", "web3")})
            self.looks_back()
            # What the last lines say goes on, with more time; here with more still, for the machine may be busy.
            hold.let_go()
            said = re.search(r"staithe (deploy .*--resume)", result.err)[1]
            said = said.replace(f"--deadline {TWICE}", "--deadline 5m")
            self.ended(self.sandbox.staithe(*shlex.split(said), "--yes"), 0, "done: 2 hosts")
        self.none_failed(load)
        self.assertEqual(set(self.sandbox.versions(["web1", "web2", "web3"]).values()), {self.target})

    def looks_back(self):
        """The state knows what became of it."""
        newest = self.sandbox.staithe("history", "-e", "production", "--last", "1", "--json")
        record = json.loads(newest.out.splitlines()[-1])
        self.assertEqual((record["exit_code"], record["deadline_ms"]), (5, HELD * 1000), newest.out)
        told = self.sandbox.staithe("history", "-e", "production", record["run_id"])
        self.assertRegex(told.out, rf"deadline +{HELD}s for the whole run, passed")
        self.assertIn("timed_out: " + PASSED.format(f"{HELD}s"), told.out)
        status = self.sandbox.staithe("status", "-e", "production")
        self.assertEqual(status.code, 5, str(status))
        self.assertRegex(status.text, rf"--deadline {HELD}s --limit 'web\[2-4\]' +bring the others")

    def test_killed_when_it_had_passed(self):
        with harness.Load(self.sandbox) as load:
            _, run = self.begin_held_at_web2("--deadline", f"{HELD}s", *BOTH)
            self.assertTrue(harness.await_true(lambda: PASSED.format(f"{HELD}s") in run.peek(), 2 * HELD), run.peek())
            run.signal(signal.SIGKILL)
            run.wait()
            recovered = self.sandbox.staithe("recover", "-e", "production", "--yes")
            self.ended(recovered, 5, "done: 1 host put right", "Versions are mixed")
            self.nothing_left()
        self.none_failed(load)
        self.assertEqual(self.sandbox.versions(["web2"]), {"web2": self.before["web2"]})

    def test_command_on_many_hosts(self):
        result = self.sandbox.staithe("exec", "-e", "production", "-H", "app", "--parallel", "1", "--deadline", "10s",
                                      "--yes", "--", "sleep 300")
        self.ended(result, 1)
        self.assertIn(PASSED.format("10s"), result.text)
        self.assertIn("not run web[2-4]", result.text)
        self.nothing_held()


class Draining(harness.EndlessSession):
    def test_sessions_are_not_closed_at_the_deadline_of_the_run(self):
        """What a drain does at its own deadline is not what the run's asks for."""
        before = self.sandbox.versions()
        playbook = self.playbook({"drain": "drain: {within: 5m, maint_within: 5m, at_deadline: close sessions}"},
                                 strategy="  {min_available: 2, deadline: 30s}")
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin_deploy("v3" if before["web1"] == "v2" else "v2", *BOTH, playbook=playbook)
            drained = harness.await_true(lambda: self.sandbox.all_serving() or not run.alive(), 60) and run.alive()
            result = run.wait()
            self.assertTrue(drained, f"the deadline passed before the drain: {result}")
        self.ended(result, 1, "FAILED at web1: ", PASSED.format("30s"), "restored web1", "untouched web2",
                   "--deadline 1m again, with more time", "exit 1")
        self.assertIsNone(self.ended_at, "the session was cut although its own time had not run out")
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)


if __name__ == "__main__":
    harness.main()
