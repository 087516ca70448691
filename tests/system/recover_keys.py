"""A recovery when the host key of some host is not known or has changed: that host waits for a person, no other one
does."""
import signal

import harness


class RecoverKeys(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions()
        self.target = "v3" if self.before["web1"] == "v2" else "v2"
        self.known = self.sandbox.read("ssh", "known_hosts")
        self.addCleanup(self.sandbox.write, self.known, "ssh", "known_hosts")

    def forget(self, address):
        lines = self.known.splitlines(True)
        kept = [line for line in lines if address + "]" not in line]
        self.assertLess(len(kept), len(lines))
        self.sandbox.write("".join(kept), "ssh", "known_hosts")

    def remember(self):
        self.sandbox.write(self.known, "ssh", "known_hosts")

    def killed_at(self, place, *arguments, each=(), host="web1", **strategy):
        hold = self.hold(place, host)
        playbook = self.playbook({place: hold.step, **dict(each)}, **strategy)
        run = self.sandbox.begin_deploy(self.target, *arguments, playbook=playbook)
        hold.reached(run)
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, -signal.SIGKILL)
        hold.let_go()

    def recover(self):
        return self.sandbox.staithe("recover", "-e", "production", "--yes")

    def test_the_key_of_a_host_that_is_in_order_keeps_no_other_one_out(self):
        self.killed_at("reloaded")
        self.forget("127.0.1.4")
        self.ended(self.recover(), 0, "1 host put right")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)

    def test_the_key_of_a_host_that_an_earlier_run_brought_to_the_release_keeps_no_other_one_out(self):
        rollout = ("--limit", "web[1-2]")
        hold = self.hold("reloaded")
        run = self.sandbox.begin_deploy(self.target, *rollout, playbook=self.playbook({"reloaded": hold.step}))
        hold.reached(run)
        run.signal(signal.SIGTERM)
        self.assertTrue(harness.await_true(lambda: "topping" in run.peek()), run.peek())
        hold.let_go()
        self.ended(run.wait(), 143, "changed web1", "--resume")
        # On the new release and only to be let in, so that the recovery ends the rollout.
        self.killed_at("healthy", *rollout, "--resume", host="web2")
        self.forget("127.0.1.1")
        result = self.recover()
        self.ended(result, 0, "1 host put right")
        self.nothing_left()

    def test_a_host_with_an_unknown_key_waits_for_a_person_and_the_others_do_not(self):
        strategy = "{batches: [100%], parallel: 2, window: sliding, max_failures: 0, min_available: 2, on_failure: stop}"
        both = [self.hold("healthy", host) for host in ("web1", "web2")]
        playbook = self.playbook({"healthy": both[0].step}, strategy="  " + strategy)
        run = self.sandbox.begin_deploy(self.target, "--limit", "web[1-2]", playbook=playbook)
        for hold in both:
            hold.reached(run)
        run.signal(signal.SIGKILL)
        run.wait()
        for hold in both:
            hold.let_go()
        self.forget("127.0.1.1")
        result = self.recover()
        self.ended(result, 5, "FAILED at web1", "no key of [127.0.1.1]", "SHA256:", "OUT web1", "put right web2",
                   "staithe hostkeys scan -e production web1", "staithe hostkeys pin -e production web1", "staithe recover")
        self.assertIn("what has to be done on web1 will fail", result.text)
        self.assertEqual({name for name in self.sandbox.all_serving() if name.endswith("web2")}, set())
        self.assertEqual(self.sandbox.locks(), [])
        self.remember()
        self.ended(self.recover(), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)

    def test_a_recovery_that_cannot_trust_a_balancer_is_not_begun(self):
        self.killed_at("reloaded")
        self.forget("127.0.2.1")
        self.ended(self.recover(), 4, "nothing was changed", "staithe hostkeys scan -e production lb1")
        self.remember()
        self.ended(self.recover(), 0)
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
