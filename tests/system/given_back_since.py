"""What has become of a host between the death of a run and its recovery: HAProxy was reloaded, somebody gave it back."""
import os
import signal
import time

import harness


class GivenBackSince(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions()
        self.target = "v3" if self.before["web1"] == "v2" else "v2"

    def in_production(self, *arguments):
        return self.sandbox.staithe(arguments[0], "-e", "production", *arguments[1:], "--yes")

    def set_state(self, hosts, state):
        for balancer in harness.BALANCERS:
            for host in hosts:
                self.sandbox.ask(balancer, f"set server api/{host} state {state}")

    def reload_all(self):
        for balancer in harness.BALANCERS:
            self.reload_balancer(balancer)
        self.assertTrue(harness.await_true(lambda: self.sandbox.all_serving() == {}, 30))

    def die_in_maintenance(self):
        """A deploy of web1 that died before it touched the app."""
        hold = self.hold("drained")
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=self.playbook({"drained": hold.step}))
        hold.reached(run)
        run.signal(signal.SIGKILL)
        run.wait()
        hold.let_go()

    def test_what_a_reload_let_in_is_taken_out_for_no_proof(self):
        """Nor is it asked whether it may be: nothing is to be done."""
        self.die_in_maintenance()
        self.reload_all()
        self.addCleanup(self.set_state, ("web2", "web3"), "ready")
        self.set_state(("web2", "web3"), "maint")
        with harness.watched(self.sandbox) as seen:
            result = self.in_production("recover")
        self.ended(result, 0, "1 host put right")
        self.assertIn("web1 serves already: given back without a proof", result.text)
        self.assertEqual(seen, {"UP weight 100"})
        self.assertIn("nothing to recover", self.in_production("recover").text)
        self.set_state(("web2", "web3"), "ready")
        self.nothing_left()

    def test_what_a_file_disables_meanwhile_is_somebody_elses(self):
        self.ended(self.sandbox.deploy(self.before["web1"], "--limit", "web1"), 0)  # a run that dies needs a journal
        self.die_in_maintenance()
        for balancer in harness.BALANCERS:
            old = self.sandbox.read(balancer, "haproxy.cfg")
            self.addCleanup(self.reload_balancer, balancer)
            self.addCleanup(self.sandbox.write, old, balancer, "haproxy.cfg")
            lines = [line + " disabled" if line.strip().startswith("server web1 ") else line for line in old.split("\n")]
            self.assertNotEqual(lines, old.split("\n"))
            self.sandbox.write("\n".join(lines), balancer, "haproxy.cfg")
            self.reload_balancer(balancer)
        time.sleep(1)
        self.ended(self.in_production("recover"), 5, "OUT web1", "stays in maintenance, not by staithe")
        self.assertEqual({name for name in self.sandbox.all_serving() if "api/web1" in name},
                         {f"{balancer} api/web1" for balancer in harness.BALANCERS})
        self.nothing_held()

    def test_a_release_is_not_good_whose_last_check_a_restore_left_out(self):
        hold = self.hold("healthy")
        playbook = self.playbook({"healthy": hold.step, "restored": "run: {command: 'false', read_only: true, timeout: 1m}"})
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=playbook)
        hold.reached(run)
        hold.let_go()
        self.assertTrue(harness.await_true(lambda: "let HAProxy's checks prove web1" in run.peek() or not run.alive(), 60, 0.005))
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, -signal.SIGKILL)
        self.ended(self.in_production("restore", "web1"), 0)
        result = self.in_production("recover")
        self.assertIn("not marked good", result.end(), str(result))
        release = self.sandbox.sha[self.target][:12]
        self.assertNotIn((release, "good"), self.sandbox.rows("SELECT id, state FROM staithe_releases"))
        mark = self.sandbox.path("hosts", "web1", "payments", "releases", release, ".staithe-good")
        self.assertFalse(os.path.exists(mark))
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
