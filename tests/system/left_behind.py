"""A balancer is away when the proof begins, and comes back as a new HAProxy before the host does."""
import collections
import contextlib
import signal
import time
import urllib.request

import harness

WEB1 = ("--limit", "web1")
BACKENDS = ("api", "admin")


class LeftBehind(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions()
        self.target = next(ref for ref in ("v2", "v3", "v1") if ref not in self.before.values())
        self.port = self.sandbox.env["LB_PORT"]

    def left_behind(self, restore, maint=False):
        """A deploy of web1 that proves it on lb1 alone; lb2 is back now and knows nothing of it. With `maint` a person
        has put web1 into maintenance there before the run can look."""
        hold = self.hold("reloaded")
        run = self.sandbox.begin_deploy(self.target, *WEB1, playbook=self.playbook({"reloaded": hold.step, "restore": restore}))
        hold.reached(run)
        self.addCleanup(self.sandbox.service, "start", "lb2.haproxy")
        self.sandbox.service("stop", "lb2.haproxy")
        hold.let_go()
        self.assertTrue(harness.await_true(lambda: "left behind" in run.peek() or not run.alive(), 60))
        if maint:
            run.signal(signal.SIGSTOP)
            self.addCleanup(run.signal, signal.SIGCONT)
        self.sandbox.service("start", "lb2.haproxy")
        self.assertTrue(harness.await_true(lambda: self.sandbox.worker("lb2") is not None))
        for backend in BACKENDS if maint else ():
            self.addCleanup(self.sandbox.ask, "lb2", f"set server {backend}/web1 state ready")
            self.sandbox.ask("lb2", f"set server {backend}/web1 state maint")
        if maint:
            run.signal(signal.SIGCONT)
        return run

    def answers(self, run, lasting):
        """What visitors of lb2 are answered, until the run ends."""
        counts, until = collections.Counter(), time.monotonic() + lasting
        while time.monotonic() < until and run.alive():
            for _ in range(8):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.2.2:{self.port}/version", timeout=2) as reply:
                    counts[reply.read(12).decode()] += 1
            time.sleep(0.1)
        return counts

    def test_it_lets_nobody_in_to_a_release_that_was_not_proven(self):
        url, header = f"http://127.0.2.1:{self.port}/version", "X-Server: $(host)"
        contains = self.sandbox.sha[self.before["web1"]]
        smoke = f'{{url: "{url}", header: "{header}", contains: {contains}, for: 6s}}'
        run = self.left_behind(f"restore: {{within: 25s, smoke: {smoke}}}")
        # What arrives before it is noticed is let in, a request or so: a reload forgets.
        time.sleep(0.7)
        counts = self.answers(run, 4)
        self.assertGreater(sum(counts.values()), 50)
        self.assertEqual(counts[self.sandbox.sha[self.target][:12]], 0, counts)
        result = run.wait()
        self.ended(result, 1, "FAILED at web1: smoke GET", "reverted web1")
        self.assertIn("edge2: HAProxy was reloaded", result.text)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)

    def test_what_a_person_puts_into_maintenance_there_stays_so(self):
        result = self.left_behind("restore: {within: 25s}", maint=True).wait()
        # So soon after a reload nobody can tell a file's from a person's.
        whose = "(not by staithe|which since a reload of HAProxy may be by somebody else)"
        self.assertRegex(result.text, f"edge2 api/web1 is in maintenance, {whose}, and stays so")
        self.ended(result, 0, "web1 (api on edge2, admin on edge2) stays in maintenance, not by staithe")
        self.assertEqual(set(self.sandbox.all_serving()), {"lb2 api/web1", "lb2 admin/web1"})
        self.nothing_held()


if __name__ == "__main__":
    harness.main()
