"""A release that the run itself found at fault is on no host when a recovery says that all is right, and is on record as
bad though its revert could not be done."""
import os
import signal

import harness

REVERT_ALL = "  {batches: [100%], parallel: 2, max_failures: 0, min_available: 2, on_failure: revert_all}"


class Condemned(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions()
        self.target = "v3" if self.before["web1"] == "v2" else "v2"

    def playbook_judged(self, *after, **how):
        path = self.playbook(**how)
        text = self.sandbox.read("playbooks", "test.yml") + "after:\n" + "".join(f"  - {step}\n" for step in after)
        self.sandbox.write(text, "playbooks", "test.yml")
        return path

    def records(self):
        """What the history has of the release that failed."""
        return [row[5] for row in self.sandbox.rows("SELECT * FROM staithe_releases") if row[4] == self.target]

    def recover(self):
        return self.sandbox.staithe("recover", "-e", "production", "--yes")

    def set_state(self, hosts, state):
        for balancer in harness.BALANCERS:
            for host in hosts:
                self.sandbox.ask(balancer, f"set server api/{host} state {state}")

    def test_a_recovery_ends_the_revert_of_what_was_judged_bad(self):
        """Killed when the judgement had fallen, before any host was on its way back."""
        playbook = self.playbook_judged("wait: {http: 'http://127.0.1.1:1/nothing', for: 1s}", strategy=REVERT_ALL)
        run = self.sandbox.begin_deploy(self.target, playbook=playbook)
        self.assertTrue(harness.await_true(lambda: "reverting 4 hosts" in run.peek() or not run.alive(), 60, 0.001), run.peek())
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, -signal.SIGKILL)
        result = self.recover()
        self.ended(result, 0)
        self.assertEqual(self.sandbox.versions(), self.before, str(result))
        self.assertEqual(self.records(), ["bad"])
        self.nothing_left()

    def test_a_judgement_that_never_fell_is_said(self):
        """Killed while it judges: all serve the new release, and nobody has called it good."""
        waiting, gate = self.sandbox.path("run", "judging.waiting"), self.sandbox.path("run", "judging.gate")
        self.sandbox.write("", "run", "judging.gate")
        self.addCleanup(lambda: os.path.exists(gate) and os.unlink(gate))
        judge = f"local: {{command: 'touch {waiting}; while test -e {gate}; do sleep 0.05; done', timeout: 3m}}"
        run = self.sandbox.begin_deploy(self.target, playbook=self.playbook_judged(judge, strategy=REVERT_ALL))
        self.assertTrue(harness.await_true(lambda: os.path.exists(waiting) or not run.alive(), 60), run.peek())
        run.signal(signal.SIGKILL)
        run.wait()
        result = self.recover()
        self.ended(result, 0, "not marked good", "staithe deploy", "staithe rollback")
        self.assertEqual(set(self.sandbox.versions().values()), {self.target})
        self.nothing_left()

    def test_a_release_is_bad_though_its_revert_is_refused(self):
        """The recovery is refused as the run was, says so, and goes on when the other servers are back."""
        waiting, gate = self.sandbox.path("run", "judge.waiting"), self.sandbox.path("run", "judge.gate")
        self.sandbox.write("", "run", "judge.gate")
        judge = f"local: {{command: 'touch {waiting}; while test -e {gate}; do sleep 0.05; done', timeout: 3m}}"
        playbook = self.playbook_judged(judge, "wait: {http: 'http://127.0.1.1:1/nothing', for: 1s}", strategy=REVERT_ALL)
        run = self.sandbox.begin_deploy(self.target, "--limit", "web[1-2]", playbook=playbook)
        self.assertTrue(harness.await_true(lambda: os.path.exists(waiting) or not run.alive(), 60), run.peek())
        self.addCleanup(self.set_state, ("web3", "web4"), "ready")
        self.set_state(("web3", "web4"), "maint")
        os.unlink(gate)
        self.ended(run.wait(), 5, "FAILED", "web[1-2]", "staithe recover")
        self.assertEqual(self.records(), ["bad"])
        result = self.recover()
        self.ended(result, 5, "FAILED", "staithe recover")
        self.assertEqual(self.sandbox.versions()["web1"], self.target)
        self.set_state(("web3", "web4"), "ready")
        result = self.recover()
        self.ended(result, 0)
        self.assertEqual(self.sandbox.versions(), self.before, str(result))
        self.nothing_left()

    def test_a_half_changed_host_whose_revert_is_refused_is_not_as_it_was(self):
        """Changed before its drain, it serves: a recovery that may not take it out has failed, whatever else it mended."""
        altering, drained = self.hold("altering", "web1"), self.hold("drained", "web2")
        step = altering.step.replace("read_only: true, ", "") + "\n    only: web1"
        playbook = self.playbook({"before_drain": step, "drained": drained.step}, strategy=(
            "  {batches: [100%], parallel: 2, window: sliding, max_failures: 0, min_available: 2, on_failure: revert_batch}"))
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1,web2", playbook=playbook)
        altering.reached(run)
        drained.reached(run)
        run.signal(signal.SIGKILL)
        run.wait()
        altering.let_go()
        drained.let_go()
        self.addCleanup(self.set_state, ("web3", "web4"), "ready")
        self.set_state(("web3", "web4"), "maint")
        self.ended(self.recover(), 5, "FAILED", "web1", "staithe recover")
        self.set_state(("web3", "web4"), "ready")
        self.ended(self.recover(), 0)
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
