"""A person's stop while a host that serves again is only watched."""
import signal
import time

import harness


class StoppedInBake(harness.SystemTest):
    def test_the_bake_ends_early_and_says_so(self):
        target = "v3" if self.sandbox.versions(["web1"])["web1"] == "v2" else "v2"
        before = self.sandbox.versions(["web2"])
        playbook = self.playbook({"restore": "restore: {bake: 10m}"})
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin_deploy(target, "--limit", "web1,web2", playbook=playbook)
            self.assertTrue(harness.await_true(lambda: "restore web1 ok" in run.peek() or not run.alive(), 60))
            asked = time.monotonic()
            run.signal(signal.SIGTERM)
            result = run.wait()
        # Four seconds are meant; a busy machine gets more, far from the bake.
        self.assertLess(time.monotonic() - asked, 60)
        self.ended(result, 143, "changed web1", "untouched web2", "exit 143")
        self.assertRegex(result.text, r"web1 serves ok .*: baked \d.* of 10m")
        self.none_failed(load)
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": target, **before})
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
