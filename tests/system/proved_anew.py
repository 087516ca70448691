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
        known = self.sandbox.rows("SELECT json_group_array(id) FROM staithe_runs")[0][0]
        point = trials.Point(k, like=like)
        trials.slow_down_after(self.sandbox, k, like)
        self.addCleanup(trials.let_go, self.sandbox)
        run = self.sandbox.begin(*arguments)
        reached = trials.end_at(self.sandbox, run, point, known)
        result = run.wait()
        trials.let_go(self.sandbox)
        self.assertTrue(reached and result.code == trials.DIED, str(result))

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


if __name__ == "__main__":
    harness.main()
