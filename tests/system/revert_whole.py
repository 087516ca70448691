"""A host that is told to be reverted runs the release before in all its parts, also in those that were changed behind
`restore`, where it served already."""
import contextlib
import os
import signal

import harness

ONE = ("--limit", "web1")
FAILS = "run: {command: 'false', read_only: true}"
REVERT_ALL = "  {batches: [1, 100%], max_failures: 0, min_available: 2, on_failure: revert_all}"


class RevertWhole(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions()
        self.target = "v3" if self.before["web1"] == "v2" else "v2"
        self.runs = self.sandbox.path("run", "worker-$(host)")
        self.queue = self.sandbox.path("run", "queue-$(host)")
        for host in harness.HOSTS:
            for left in ("worker", "queue"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.sandbox.path("run", f"{left}-{host}"))
        # A worker runs what was current when it was reloaded; a queue that only the new release is to have.
        self.worker = [f"run: {{command: 'touch {self.queue}', undo: 'rm -f {self.queue}; echo undone >>{self.runs}'}}",
                       f"reload: 'cat $(path)/current/REVISION >>{self.runs}'"]

    def playbook_behind(self, *steps, **how):
        """One with the worker and these steps behind `restore`."""
        return self.playbook({"restored": "\n  - ".join([*self.worker, *steps]), **how.pop("each", {})}, **how)

    def said(self, host="web1"):
        """What became of the worker, in turn."""
        return [self.sandbox.tag(line) for line in self.sandbox.read("run", "worker-" + host).split()]

    def is_back(self, result, host="web1"):
        """Its undo ran before the release before was reloaded, and the visitors' part is that release's too."""
        self.assertEqual(self.said(host), [self.target, "undone", self.before[host]], str(result))
        self.assertFalse(os.path.exists(self.sandbox.path("run", "queue-" + host)), str(result))
        self.assertEqual(self.sandbox.versions(), self.before, str(result))
        self.nothing_left()

    def test_a_worker_goes_back_with_its_app(self):
        result = self.sandbox.deploy(self.target, *ONE, playbook=self.playbook_behind(FAILS))
        self.ended(result, 1, "reverted web1")
        self.is_back(result)

    def test_a_later_host_takes_it_back_on_the_earlier(self):
        fails = FAILS.replace("'false'", "'test $(host) = web1'")
        result = self.sandbox.deploy(self.target, "--limit", "web[1-2]",
                                     playbook=self.playbook_behind(fails, strategy=REVERT_ALL))
        self.ended(result, 1, "reverted web[1-2]")
        self.is_back(result, "web1")
        self.is_back(result, "web2")

    def test_a_recovery_takes_back_what_the_run_had_begun(self):
        """Killed behind the worker, and once more in the middle of the way back."""
        hold, mending = self.hold("behind"), self.hold("mending")
        playbook = self.playbook_behind(mending.undo, hold.step)
        run = self.sandbox.begin_deploy(self.target, *ONE, playbook=playbook)
        hold.reached(run)
        run.signal(signal.SIGKILL)
        run.wait()
        hold.let_go()
        recovery = self.sandbox.begin("recover", "-e", "production", "--yes")
        mending.reached(recovery)
        recovery.signal(signal.SIGKILL)
        recovery.wait()
        mending.let_go()
        result = self.sandbox.staithe("recover", "-e", "production", "--yes")
        self.ended(result, 0, "1 host put right")
        self.is_back(result)

    def test_what_was_never_reached_is_not_taken_back(self):
        """The host fails while it is out: its worker ran the release before all the time."""
        playbook = self.playbook_behind(each={"wait": "wait: {http: $(health), for: 2s}"})
        result = self.sandbox.deploy("broken-health", *ONE, playbook=playbook)
        self.ended(result, 1, "reverted web1")
        self.assertFalse(os.path.exists(self.sandbox.path("run", "worker-web1")), str(result))
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
