"""What becomes of hosts between the end of a run, or its death, and the recovery: who gave them back, and what puts them right."""
import json
import os
import signal
import time

import harness
import trials

PROVES = 10  # of a host in the roll
KEEP = "  {batches: [100%], parallel: 2, max_failures: 0, min_available: 2, on_failure: stop}"
REVERT_ALL = "  {batches: [100%], parallel: 2, max_failures: 0, min_available: 2, on_failure: revert_all}"
REFUSES_WEB1 = "run: {command: 'test $(host) != web1', read_only: true, timeout: 1m}"


class GivenBack(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions()
        self.target = "v3" if self.before["web1"] == "v2" else "v2"

    def in_production(self, *arguments):
        return self.sandbox.staithe(arguments[0], "-e", "production", *arguments[1:], "--yes")

    def judged(self, *after, **how):
        path = self.playbook(**how)
        text = self.sandbox.read("playbooks", "test.yml") + "after:\n" + "".join(f"  - {step}\n" for step in after)
        self.sandbox.write(text, "playbooks", "test.yml")
        return path

    def is_as_before(self, result):
        self.assertEqual(self.sandbox.versions(), self.before, str(result))
        self.nothing_left()

    def test_a_restore_of_what_serves_ends_no_revert(self):
        playbook = self.judged("wait: {http: 'http://127.0.1.1:1/nothing', for: 1s}", strategy=REVERT_ALL)
        run = self.sandbox.begin_deploy(self.target, playbook=playbook)
        self.assertTrue(harness.await_true(lambda: "reverting 4 hosts" in run.peek() or not run.alive(), 60, 0.001), run.peek())
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, -signal.SIGKILL)
        self.ended(self.in_production("restore", "web1"), 0)
        result = self.in_production("recover")
        self.ended(result, 0, "4 hosts put right")
        self.is_as_before(result)

    def test_a_release_that_failed_and_went_back_to_a_bad_one_puts_nothing_right(self):
        playbook = self.playbook({"restored": REFUSES_WEB1}, strategy=KEEP)
        self.ended(self.sandbox.deploy(self.target, "--limit", "web1", playbook=playbook), 5, "FAILED web1", "staithe recover")
        self.ended(self.in_production("restore", "web1"), 0)
        playbook = self.playbook({"wait": "wait: {http: $(health), for: 2s}"})
        self.ended(self.sandbox.deploy("broken-health", "--limit", "web1", playbook=playbook), 1, "reverted web1")
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": self.target})
        result = self.in_production("recover")
        self.ended(result, 0, "1 host put right")
        self.is_as_before(result)

    def test_of_a_host_that_was_given_back_half_changed_nobody_knows_what_it_runs(self):
        self.killed_at("healthy", self.target)
        self.ended(self.in_production("restore", "web1"), 0)
        result = self.in_production("recover")
        self.ended(result, 5, "web1: given back while the app was being changed", "staithe status")
        self.nothing_left()
        self.failed_in_status("web1")
        # Who resumes the release brings it there too.
        result = self.sandbox.deploy(self.target, "--resume", playbook=self.playbook())
        self.ended(result, 0, "4 hosts on")
        self.assertEqual(set(self.sandbox.versions().values()), {self.target})
        self.ended(self.status(), 0)
        self.ended(self.in_production("recover"), 0)

    def status(self):
        return self.sandbox.staithe("status", "-e", "production")

    def failed_in_status(self, host):
        result = self.status()
        self.assertEqual(result.code, 5, str(result))
        self.assertRegex(result.text, f"FAILED: {host} +in rotation, the app was being changed")

    def test_a_host_whose_next_reload_brings_another_release_is_no_end_of_a_recovery(self):
        hold = self.hold("activated")
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=self.playbook({"reload": hold.step}))
        hold.reached(run)
        run.signal(signal.SIGKILL)
        run.wait()
        hold.let_go()
        self.ended(self.in_production("restore", "web1"), 0)
        result = self.in_production("recover")
        self.ended(result, 5, "web1: given back while the app was being changed", "staithe recover", "--settled")
        self.failed_in_status("web1")
        self.assertEqual(self.sandbox.versions(["web1"]),
                         {"web1": f"linked {self.target}, runs {self.before['web1']}"})
        with harness.watched(self.sandbox) as seen:
            result = self.in_production("recover")
        self.ended(result, 0, "1 host put right")
        self.assertNotEqual(seen, {"UP weight 100"})
        self.assertIn("nothing to recover", self.in_production("recover").text)
        self.sandbox.app("web1", "reload")
        self.assertTrue(harness.await_true(lambda: self.sandbox.all_serving() == {}, 30))
        self.is_as_before(result)
        self.ended(self.status(), 0)

    def test_hosts_that_another_release_came_to_are_not_forgotten(self):
        refuses = "run: {command: 'test $(host) != web2', read_only: true, timeout: 1m}"
        self.ended(self.sandbox.deploy(self.target, playbook=self.playbook({"healthy": refuses})), 5)
        other = "v1" if self.target != "v1" else "v2"
        self.ended(self.sandbox.deploy(other, "--limit", "web[2-4]", playbook=self.playbook()), 0)
        result = self.in_production("recover", "--json")
        self.assertEqual(result.code, 5, str(result))
        self.assertIn("Versions are mixed: 1 of 4 hosts are on the new release, which failed", result.err)
        records = [json.loads(line) for line in result.out.splitlines()]
        self.assertEqual((records[-1]["type"], records[-1]["exit_code"], records[-1]["verdict"]),
                         ("summary", 5, "needs a person"))
        self.assertRegex(records[-1]["next"][0], "^staithe rollback .*bring all back$")
        self.assertEqual(self.sandbox.rows("SELECT outcome, exit_code FROM staithe_runs WHERE kind = 'recover' "
                                           "ORDER BY started DESC LIMIT 1"), [("needs a person", 5)])
        self.nothing_left()
        self.ended(self.sandbox.deploy(other, playbook=self.playbook()), 0)

    def test_a_rollout_that_went_on_to_its_end_leaves_nothing_mixed(self):
        refuses = "run: {command: 'test $(host) != web2', read_only: true, timeout: 1m}"
        playbook = self.playbook({"healthy": refuses},
                                 strategy="  {batches: [1], max_failures: 0, min_available: 2, on_failure: revert_batch}")
        self.ended(self.sandbox.deploy(self.target, playbook=playbook), 5)
        self.playbook(strategy="  {batches: [1], max_failures: 0, min_available: 2, on_failure: revert_batch}")
        self.ended(self.sandbox.deploy(self.target, "--resume", playbook=playbook), 0)
        self.ended(self.in_production("recover"), 0)
        self.assertEqual(set(self.sandbox.versions().values()), {self.target})
        self.nothing_left()

    def test_what_nobody_has_approved_and_nothing_reverts_needs_a_person(self):
        result = self.sandbox.deploy(self.target, playbook=self.judged("local: 'false'", strategy=KEEP))
        self.ended(result, 5, "staithe rollback")
        self.assertEqual(set(self.sandbox.versions().values()), {self.target})
        self.nothing_left()

    def test_what_a_task_brings_and_refuses_itself_is_said(self):
        self.sandbox.write("playbook: tune\nservice: payments\nhosts: app\n"
                           "strategy: {batches: [1, 100%], max_failures: 0, min_available: 2, on_failure: stop}\n"
                           "each:\n  - drain: {within: 20s, at_deadline: fail}\n  - run: {command: 'true', timeout: 10s}\n"
                           f"  - restore: {{}}\n  - {REFUSES_WEB1}\n", "playbooks", "tune.yml")
        result = self.in_production("run", "playbooks/tune.yml", "--limit", "web1")
        self.ended(result, 5)
        self.ended(self.in_production("recover"), 5, "Every host has what the run brings, which its own check refused")
        self.nothing_left()

    def set_state(self, hosts, state):
        for balancer in harness.BALANCERS:
            for host in hosts:
                self.sandbox.ask(balancer, f"set server api/{host} state {state}")

    def reload_all(self):
        for balancer in harness.BALANCERS:
            self.reload_balancer(balancer)
        self.assertTrue(harness.await_true(lambda: self.sandbox.all_serving() == {}, 30))

    def test_what_a_reload_let_in_is_taken_out_for_no_proof(self):
        """Nor is it asked whether it may be: nothing is to be done."""
        self.killed_at("drained", self.target, "--limit", "web1")
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
        self.killed_at("drained", self.target, "--limit", "web1")
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

    def died_on_its_way_back(self, k, late):
        """A deploy to web1, whose last check would refuse it, that died there and was given back by a person."""
        self.ended(self.sandbox.deploy(self.before["web1"], "--limit", "web1"), 0)  # a run that dies needs a journal
        playbook = self.playbook({"restored": "run: {command: 'false', read_only: true, timeout: 1m}"})
        trials.died_at(self, trials.Point(k, late=late, like="roll/web1/%"),
                       lambda: self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=playbook))
        self.ended(self.in_production("restore", "web1"), 0)
        return self.in_production("recover")

    def nobody_calls_it_good(self):
        release = self.sandbox.sha[self.target][:12]
        self.assertNotIn((release, "good"), self.sandbox.rows("SELECT id, state FROM staithe_releases"))
        mark = self.sandbox.path("hosts", "web1", "payments", "releases", release, ".staithe-good")
        self.assertFalse(os.path.exists(mark))
        self.nothing_left()

    def test_a_release_is_not_good_whose_last_check_a_restore_left_out(self):
        result = self.died_on_its_way_back(PROVES, late=False)
        self.assertIn("not marked good", result.end(), str(result))
        self.nobody_calls_it_good()

    def test_what_ended_just_before_the_death_reads_as_not_ended(self):
        """An outcome reaches the disk with the next record: what died in between may be on either release."""
        result = self.died_on_its_way_back(PROVES - 1, late=True)
        self.assertIn("may be on either release", result.end(), str(result))
        self.nobody_calls_it_good()


if __name__ == "__main__":
    harness.main()
