"""Two deploys of one service at once: one waits or is refused, and neither goes on top of what the other left."""
import harness

ONE = ("--limit", "web1")


class TwoAtOnce(harness.SystemTest):
    def test_second_deploy_says_who_holds_the_lock_or_waits(self):
        hold = self.hold("healthy")
        playbook = self.playbook({"healthy": hold.step})
        first = self.sandbox.begin_deploy("v2", *ONE, playbook=playbook)
        hold.reached(first)
        second = self.sandbox.deploy("v3", *ONE)
        self.ended(second, 4, f"pid {first.pid}", "exit 4")
        run_id, = self.sandbox.unfinished()
        self.assertRegex(" ".join(second.text.split()), r"production/payments is locked by \S+ pid " +
                         rf"{first.pid} since \d\d:\d\d:\d\d UTC: deploy payments, v2 [0-9a-f]{{12}} \(run {run_id[0]}\)")
        third = self.sandbox.begin_deploy("v3", *ONE, "--lock-wait", "60s")
        self.assertTrue(harness.await_true(lambda: f"pid {first.pid}" in third.peek(), 20), third.peek())
        self.assertTrue(first.alive() and third.alive())
        hold.let_go()
        self.ended(first.wait(), 0)
        self.ended(third.wait(), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": "v3"})

    def test_who_waited_for_the_lock_does_not_go_on_top_of_what_its_holder_left(self):
        before = self.sandbox.versions()
        for ending, code in (("killed", -9), ("failed", 5)):
            with self.subTest(ending):
                hold = self.hold("reloaded")
                each = {"reloaded": hold.step, "wait": "run: {command: exit 3, read_only: true}"}
                playbook = self.playbook(each, strategy="  {on_failure: stop}")
                first = self.sandbox.begin_deploy("v3" if before["web1"] == "v2" else "v2", *ONE, playbook=playbook)
                hold.reached(first)
                second = self.sandbox.begin_deploy("slow-start", *ONE, "--lock-wait", "60s", playbook=self.playbook())
                self.assertTrue(harness.await_true(lambda: f"pid {first.pid}" in second.peek(), 20), second.peek())
                if ending == "killed":
                    first.signal(9)
                hold.let_go()
                self.assertEqual(first.wait().code, code)
                self.ended(second.wait(30), 4, "staithe recover", "untouched web1", "exit 4")
                self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
                self.nothing_left()
                self.assertEqual(self.sandbox.versions(), before)

    def test_waiting_for_the_lock_ends_with_ctrl_c(self):
        hold = self.hold("healthy")
        playbook = self.playbook({"healthy": hold.step})
        first = self.sandbox.begin_deploy("v2", *ONE, playbook=playbook)
        hold.reached(first)
        waiting = self.sandbox.begin_deploy("v3", *ONE, "--lock-wait", "60s")
        self.assertTrue(harness.await_true(lambda: f"pid {first.pid}" in waiting.peek(), 20), waiting.peek())
        waiting.signal(2)
        self.ended(waiting.wait(10), 130)
        hold.let_go()
        self.ended(first.wait(), 0)
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
