"""What a dead run had only taken out is not let in by its recovery before it is proven: nobody knows what has become of its
app since, and HAProxy asks nothing while it is in maintenance."""
import os
import signal

import harness
import trials

CALMS = 3  # of a host in the roll
DRAIN_CALMS = 6  # of a drain: the lock, the guard, the drain, its wait, maintenance, and then this action


class ProvedAnew(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions()
        self.target = "v3" if self.before["web1"] == "v2" else "v2"

    def killed_when_drained(self):
        hold = self.hold("drained")
        playbook = self.playbook({"drained": hold.step, "restore": "restore: {within: 5s}"})
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=playbook)
        hold.reached(run)
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, trials.DIED)
        hold.let_go()

    def died_at(self, k, *arguments, like="%"):
        trials.died_at(self, trials.Point(k, like=like), lambda: self.sandbox.begin(*arguments))

    def recover(self):
        return self.sandbox.staithe("recover", "-e", "production", "--yes")

    def hang(self):
        """The app of web1 takes connections and answers none of them; what wakes it."""
        processes = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
            except OSError:
                continue
            if "app.py" in words and self.sandbox.path("hosts", "web1", "run") in words:
                processes.append(int(name))
        self.assertNotEqual(processes, [], "the app does not run")

        def everyone(number):
            for pid in processes:
                os.kill(pid, number)

        everyone(signal.SIGSTOP)
        self.addCleanup(everyone, signal.SIGCONT)
        return lambda: everyone(signal.SIGCONT)

    def test_an_app_that_hangs_since_the_run_died_meets_no_visitor(self):
        self.killed_when_drained()
        wake = self.hang()
        with harness.Load(self.sandbox) as load:
            result = self.recover()
        self.none_failed(load)
        self.assertIn("web1         out of rotation, the app not touched", result.out)
        self.ended(result, 5, "FAILED at web1", "OUT web1", "staithe restore -e production web1", "exit 5")
        self.assertEqual(set(self.sandbox.all_serving()), {"lb1 api/web1", "lb2 api/web1", "lb1 admin/web1", "lb2 admin/web1"})
        # It is tried anew, and lets in what is well.
        self.ended(self.recover(), 5, "OUT web1")
        wake()
        with harness.Load(self.sandbox) as load:
            result = self.recover()
        self.none_failed(load)
        self.ended(result, 0)
        self.assertIn("web1 is proven", result.text)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)

    def test_what_was_only_drained_is_put_back_at_once(self):
        self.ended(self.recover(), 0)  # makes the journal
        self.died_at(CALMS, "deploy", "playbooks/deploy.yml", "-e", "production", "--var", "ref=" + self.target, "--yes", "--limit", "web1",
                     like="roll/web1/%")
        result = self.recover()
        self.ended(result, 0)
        self.assertIn("put web1 back as it was found", result.text)
        self.assertNotIn("proven", result.text)
        self.nothing_left()

    def test_a_drain_that_died_in_maintenance_is_given_back_behind_a_proof(self):
        self.ended(self.recover(), 0)  # makes the journal
        self.died_at(DRAIN_CALMS, "drain", "web1", "-e", "production", "--yes")
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--dry-run"), 0)
        result = self.recover()
        self.ended(result, 0)
        self.assertIn("web1 is proven", result.text)
        self.nothing_left()

    def test_a_revert_in_a_recovery_asks_for_capacity(self):
        """The host served when the recovery began: that says nothing of its release once the bake has failed."""
        playbook = self.playbook({"restore": "restore: {bake: 5s}"},
                                 strategy="  {batches: [100%], parallel: 1, max_failures: 0, min_available: 1, "
                                          "on_failure: revert_batch}")
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=playbook)
        self.assertTrue(harness.await_true(lambda: "restore web1 ok" in run.peek() or not run.alive(), 60))
        run.signal(signal.SIGKILL)
        run.wait()
        self.addCleanup(self.set_state, "lb1", ("web2", "web3", "web4"), "ready")
        self.set_state("lb1", ("web2", "web3", "web4"), "maint")
        self.addCleanup(self.set_state, "lb2", ("web1",), "ready")
        with harness.Load(self.sandbox, targets=self.sandbox.env["LB"].split(",")[0]) as load:
            recovery = self.sandbox.begin("recover", "-e", "production", "--yes")
            self.assertTrue(harness.await_true(lambda: "restore web1 ok" in recovery.peek() or not recovery.alive(), 60))
            self.set_state("lb2", ("web1",), "maint")
            result = recovery.wait()
        self.assertIn(result.code, (1, 5), str(result))
        self.assertIn("enough servers without web1 REFUSED", result.text)
        self.none_failed(load)

    def set_state(self, balancer, hosts, state):
        for host in hosts:
            self.sandbox.ask(balancer, f"set server api/{host} state {state}")


if __name__ == "__main__":
    harness.main()
