"""What another person takes out of rotation while a run has the host in hand is left alone, and said."""
import os
import shutil
import signal
import time

import harness
import trials

CALMS, ACTIVATES, IS_PROVEN = 3, 6, 11  # of a host in the roll
BACKENDS = ("api", "admin")
EVERYWHERE = "web1 (api on edge1, admin on edge1, api on edge2, admin on edge2)"


class TakenByOthers(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions(["web1"])
        self.target = "v3" if self.before["web1"] == "v2" else "v2"
        self.addCleanup(self.by_a_person, "ready")

    def by_a_person(self, state, balancers=harness.BALANCERS, backends=BACKENDS):
        for balancer in balancers:
            for backend in backends:
                self.sandbox.ask(balancer, f"set server {backend}/web1 state {state}")

    def begun_up_to(self, said, bake):
        """A deploy of web1 that has just come so far."""
        playbook = self.playbook({"restore": f"restore: {{bake: {bake}}}"})
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=playbook)
        self.assertTrue(harness.await_true(lambda: said in run.peek() or not run.alive(), 60))
        return run

    def is_in_maintenance(self, *balancers, runs=None, backends=BACKENDS):
        self.assertEqual(set(self.sandbox.all_serving()),
                         {f"{balancer} {backend}/web1" for balancer in balancers for backend in backends})
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": runs} if runs else self.before)
        self.assertEqual(self.sandbox.locks(), [])

    def test_maintenance_on_all_balancers_in_the_bake_stays(self):
        run = self.begun_up_to("restore web1 ok", "5s")
        self.by_a_person("maint")
        result = run.wait()
        self.ended(result, 5, "OUT web1 (NOT serving on edge1, edge2; on what ran before)", "exit 5")
        self.ended(result, 5, EVERYWHERE + " stays in maintenance, not by staithe")
        self.assertIn("stays out, not by staithe: edge1 api/web1 is in maintenance, edge1 admin/web1 is in maintenance, "
                      "edge2 api/web1 is in maintenance, edge2 admin/web1 is in maintenance", result.text)
        self.is_in_maintenance("lb1", "lb2")
        self.assertEqual(result.text.count("edge1 api/web1 is in maintenance"), 2, "as it is noticed, and as why it is out")
        # The release before is on it: nothing is left to a recovery, and nobody has to say so first.
        self.nothing_of_ours_keeps_it()
        self.is_in_maintenance("lb1", "lb2")
        self.goes_on()

    def nothing_of_ours_keeps_it(self):
        status = self.sandbox.staithe("status", "-e", "production")
        self.assertRegex(status.out, r"Out of rotation: web1 +not by staithe")
        self.assertNotIn("NOT OUT", status.out)
        self.assertNotIn("staithe recover", status.out)
        recovery = self.sandbox.staithe("recover", "-e", "production", "--yes")
        self.ended(recovery, 0)
        self.assertIn("nothing to recover", recovery.text)

    def goes_on(self):
        """The next deploy is not refused."""
        again = self.sandbox.deploy(self.target, "--limit", "web1")
        self.ended(again, 0, "done: 1 host", EVERYWHERE + " stays in maintenance, not by staithe")
        self.assertEqual(again.text.count("edge1 api/web1"), 1, f"it is said once before the last lines: {again}")

    def test_maintenance_on_one_balancer_in_the_proof_stays(self):
        run = self.begun_up_to("let HAProxy's checks prove web1", "1s")
        self.by_a_person("maint", ["lb1"])
        result = run.wait()
        self.ended(result, 1, "reverted web1", "exit 1", "web1 (api on edge1, admin on edge1) stays in maintenance, not by staithe")
        self.assertIn("edge1 api/web1 is in maintenance, not by staithe, and stays so", result.text)
        self.is_in_maintenance("lb1")

    def test_maintenance_in_one_backend_of_two_keeps_no_host_out(self):
        """Visitors of the other one meet it on every balancer."""
        run = self.begun_up_to("let HAProxy's checks prove web1", "1s")
        self.by_a_person("maint", backends=["api"])
        result = run.wait()
        self.ended(result, 1, "reverted web1", "exit 1", "web1 (api on edge1, api on edge2) stays in maintenance, not by staithe")
        self.is_in_maintenance("lb1", "lb2", backends=["api"])
        self.nothing_of_ours_keeps_it()

    def test_maintenance_after_a_death_in_the_bake_outlives_the_recovery(self):
        run = self.begun_up_to("restore web1 ok", "3s")
        run.signal(signal.SIGKILL)
        run.wait()
        self.by_a_person("maint")
        result = self.sandbox.staithe("recover", "-e", "production", "--yes")
        self.ended(result, 5, "OUT web1", "exit 5", "stays in maintenance, not by staithe")
        # That a person keeps the host says nothing against what it runs.
        self.is_in_maintenance("lb1", "lb2", runs=self.target)
        # All that there was to put right is, so a second one has nothing to do.
        self.nothing_of_ours_keeps_it()
        self.is_in_maintenance("lb1", "lb2", runs=self.target)
        self.nothing_held()
        self.goes_on()

    def died_and_taken(self, k):
        """A deploy that died as it began this action of web1, whose maintenance a person has begun since."""
        self.ended(self.sandbox.deploy(self.before["web1"], "--limit", "web1"), 0)  # a run that dies needs a journal to be met in
        target = self.sandbox.sha[self.target][:12]
        shutil.rmtree(self.sandbox.path("hosts", "web1", "payments", "releases", target), ignore_errors=True)
        self.died_at("web1", "roll/web1/%", k)
        self.by_a_person("maint")
        return target, self.good()

    def stays_after_recovering(self, runs=None, said="not by staithe"):
        result = self.sandbox.staithe("recover", "-e", "production", "--yes")
        self.ended(result, 5, "OUT web1", "exit 5", EVERYWHERE + " stays in maintenance, not by staithe", "staithe restore")
        self.assertRegex(result.text, f"edge1 api/web1 is in maintenance, {said}, and stays so")
        self.is_in_maintenance("lb1", "lb2", runs=runs)
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.is_in_maintenance("lb1", "lb2", runs=runs)
        self.nothing_held()

    def test_maintenance_after_a_death_in_the_drain_outlives_the_recovery(self):
        """The run had not begun any: it is not the run's."""
        self.died_and_taken(CALMS)
        self.stays_after_recovering()

    def test_maintenance_after_a_death_in_the_proof_outlives_the_recovery(self):
        """The proof had ended what the run had begun. No visitor has met the release, so nobody calls it good."""
        target, good = self.died_and_taken(IS_PROVEN)
        self.stays_after_recovering(runs=self.target)
        self.assertEqual(self.good(), good)
        self.assertNotIn(target, self.marked())

    def reload_all(self):
        for balancer in harness.BALANCERS:
            self.reload_balancer(balancer)

    def test_maintenance_after_a_reload_that_nobody_noticed_outlives_the_recovery(self):
        """HAProxy had forgotten the run's own."""
        self.killed_at("drained", self.target, "--limit", "web1")
        self.reload_all()
        self.assertEqual(self.sandbox.await_serving(), {})
        time.sleep(3)
        self.by_a_person("maint")
        self.stays_after_recovering()

    def test_maintenance_just_after_a_reload_outlives_the_recovery(self):
        """The run had not told that process of HAProxy anything. Whether a file had is not to be known."""
        self.killed_at("drained", self.target, "--limit", "web1")
        self.reload_all()
        self.by_a_person("maint")
        self.stays_after_recovering(said="(not by staithe|which since a reload of HAProxy may be by somebody else)")

    def test_a_drain_and_a_weight_since_a_reload_that_nobody_noticed_outlive_the_recovery(self):
        """No file keeps states: the run's own drain is forgotten."""
        self.killed_at("drained", self.target, "--limit", "web1")
        self.reload_all()
        time.sleep(3)
        self.by_a_person("drain")
        for balancer in harness.BALANCERS:
            self.addCleanup(self.sandbox.ask, balancer, "set server api/web1 weight 100")
            self.sandbox.ask(balancer, "set server api/web1 weight 10")
        result = self.sandbox.staithe("recover", "-e", "production", "--yes")
        self.ended(result, 5, "OUT web1", "exit 5", "staithe restore")
        self.assertIn("edge1 api/web1 is drained, not by staithe, and stays so", result.text)
        servers = self.sandbox.servers()
        for balancer in harness.BALANCERS:
            self.assertEqual(servers[f"{balancer} api/web1"], "UP admin 8 weight 10")
        self.nothing_held()

    def test_maintenance_of_a_server_that_is_down_since_a_reload_outlives_the_recovery(self):
        """It says nothing of when it began."""
        self.killed_at("drained", self.target, "--limit", "web1")
        self.addCleanup(self.sandbox.app, "web1", "start")
        self.sandbox.app("web1", "stop")
        self.reload_all()
        down = {f"{balancer} {backend}/web1": "DOWN weight 100" for balancer in harness.BALANCERS for backend in BACKENDS}
        self.assertTrue(harness.await_true(lambda: self.sandbox.all_serving() == down, 30), self.sandbox.all_serving())
        self.by_a_person("maint")
        time.sleep(6)
        self.sandbox.app("web1", "start")
        self.stays_after_recovering(said="(not by staithe|which since a reload of HAProxy may be by somebody else)")

    def test_maintenance_that_a_run_has_told_a_reloaded_balancer_is_given_back(self):
        hold = self.hold("reloaded")
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=self.playbook({"reloaded": hold.step}))
        hold.reached(run)
        self.reload_all()
        workers = [self.sandbox.worker(balancer) for balancer in harness.BALANCERS]

        def told():
            notes = self.sandbox.rows("SELECT body FROM staithe_journal WHERE action_id = 'told/web1' ORDER BY seq")
            return notes and all(f" {worker} " in notes[-1][0] for worker in workers)
        self.assertTrue(harness.await_true(told, 30))
        run.signal(signal.SIGKILL)
        run.wait()
        hold.let_go()
        self.assertEqual(len(self.sandbox.all_serving()), 4)
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1"]), self.before)

    def test_maintenance_of_the_run_that_a_file_has_kept_is_given_back(self):
        for balancer in harness.BALANCERS:
            states = self.sandbox.path(balancer, "states")
            self.addCleanup(self.reload_balancer, balancer)
            self.addCleanup(self.sandbox.write, self.sandbox.read(balancer, "haproxy.cfg"), balancer, "haproxy.cfg")
            self.sandbox.edited("global\n", f"global\n    server-state-file {states}\n", balancer, "haproxy.cfg")
            self.sandbox.edited("defaults\n", "defaults\n    load-server-state-from-file global\n", balancer, "haproxy.cfg")
        self.killed_at("drained", self.target, "--limit", "web1")
        time.sleep(4)
        for balancer in harness.BALANCERS:
            self.sandbox.write(self.sandbox.ask(balancer, "show servers state"), balancer, "states")
            self.reload_balancer(balancer)
        self.assertEqual(len(self.sandbox.all_serving()), 4)
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.nothing_left()

    def test_what_a_file_disables_while_a_deploy_has_the_host_stays_so(self):
        hold = self.hold("drained")
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=self.playbook({"drained": hold.step}))
        hold.reached(run)
        for balancer in harness.BALANCERS:
            old = self.sandbox.read(balancer, "haproxy.cfg")
            self.addCleanup(self.reload_balancer, balancer)
            self.addCleanup(self.sandbox.write, old, balancer, "haproxy.cfg")
            lines = [line + " disabled" if line.strip().startswith("server web1 ") else line for line in old.split("\n")]
            self.sandbox.write("\n".join(lines), balancer, "haproxy.cfg")
        self.reload_all()
        hold.let_go()
        self.ended(run.wait(), 5, "OUT web1", EVERYWHERE + " stays in maintenance, not by staithe", "staithe restore")
        self.is_in_maintenance("lb1", "lb2", runs=self.target)

    def test_a_weight_in_a_file_that_is_read_while_a_deploy_has_the_host_stays(self):
        hold = self.hold("drained")
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1", playbook=self.playbook({"drained": hold.step}))
        hold.reached(run)
        old = self.sandbox.read("lb1", "haproxy.cfg")
        self.addCleanup(self.reload_balancer, "lb1")
        self.addCleanup(self.sandbox.write, old, "lb1", "haproxy.cfg")
        lines = [line + " weight 20" if line.strip().startswith("server web1 ") else line for line in old.split("\n")]
        self.sandbox.write("\n".join(lines), "lb1", "haproxy.cfg")
        self.reload_balancer("lb1")
        hold.let_go()
        result = run.wait()
        self.ended(result, 0)
        self.assertIn("edge1 api/web1 has weight 20 now and had 100, not by staithe, and keeps it", result.text)
        self.assertEqual(self.sandbox.servers()["lb1 api/web1"], "UP weight 20")
        self.nothing_held()

    def test_maintenance_that_may_be_the_runs_is_given_back(self):
        self.died_and_taken(ACTIVATES)
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1"]), self.before)

    def good(self):
        return self.sandbox.rows("SELECT id FROM staithe_releases WHERE state = 'good'")

    def marked(self):
        releases = self.sandbox.path("hosts", "web1", "payments", "releases")
        return {name for name in os.listdir(releases) if os.path.exists(os.path.join(releases, name, ".staithe-good"))}

    def test_a_release_that_only_hosts_in_maintenance_have_is_not_good(self):
        target = self.sandbox.sha[self.target][:12]
        shutil.rmtree(self.sandbox.path("hosts", "web1", "payments", "releases", target), ignore_errors=True)
        before = self.good()
        self.by_a_person("maint")
        result = self.sandbox.deploy(self.target, "--limit", "web1")
        self.ended(result, 0, "done: 1 host", "web1 (", "stays in maintenance, not by staithe")
        self.assertIn(f"{target} is not marked good: no visitor has met it, for web1 is out of rotation", result.text)
        self.assertEqual(self.good(), [one for one in before if one != (target,)])  # another test may have made it good
        self.assertNotIn(target, self.marked())
        # Where another has it too, it is, and for both: all of them go back to it one day.
        result = self.sandbox.deploy(self.target, "--limit", "web1,web2")
        self.ended(result, 0, "done: 2 hosts", "web1 (", "stays in maintenance, not by staithe")
        self.assertIn((target,), self.good())
        self.assertIn(target, self.marked())

    def test_a_release_that_visitors_meet_in_one_backend_of_two_is_good(self):
        self.by_a_person("maint", backends=["api"])
        result = self.sandbox.deploy(self.target, "--limit", "web1")
        self.ended(result, 0, "done: 1 host", "web1 (api on edge1, api on edge2) stays in maintenance, not by staithe")
        self.assertNotIn("not marked good", result.text)
        self.assertIn(self.sandbox.sha[self.target][:12], self.marked())

    def test_nor_is_it_once_a_recovery_has_cleaned_up(self):
        self.ended(self.sandbox.deploy(self.before["web1"], "--limit", "web1"), 0)  # a run that dies needs a journal to be met in
        target = self.sandbox.sha[self.target][:12]
        shutil.rmtree(self.sandbox.path("hosts", "web1", "payments", "releases", target), ignore_errors=True)
        before = self.good()
        self.by_a_person("maint")
        self.died_at("web1", "close/%")
        result = self.sandbox.staithe("recover", "-e", "production", "--yes")
        self.ended(result, 0, "web1 (", "stays in maintenance, not by staithe")
        self.assertIn(f"{target} is not marked good: no visitor has met it, for web1 is out of rotation", result.text)
        self.assertEqual(self.good(), [one for one in before if one != (target,)])  # another test may have made it good
        self.assertNotIn(target, self.marked())
        self.nothing_held()
        # Where the run had another host that serves, it is.
        self.died_at("web1,web2", "cleanup/%")
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.assertIn((target,), self.good())
        self.assertIn(target, self.marked())

    def died_at(self, hosts, like, k=1):
        trial = trials.Trial(self.sandbox, trials.Point(k, options=("--limit", hosts), like=like))
        trial.ref = self.target
        self.addCleanup(trials.let_go, self.sandbox)
        trial.end_it()
        self.assertEqual((trial.reached, trial.result.code), (True, trials.DIED), str(trial.result))

    def test_maintenance_after_the_roll_is_told_by_who_reverts(self):
        hold = self.hold("after")
        playbook = self.playbook(strategy="  {batches: [100%], parallel: 2, max_failures: 0, min_available: 1, "
                                          "on_failure: revert_all}")
        after = hold.local.replace("$(host)", "web1")
        self.sandbox.write(self.sandbox.read("playbooks", "test.yml") + f"after:\n  - {after}\n  - local: 'false'\n",
                           "playbooks", "test.yml")
        run = self.sandbox.begin_deploy(self.target, "--limit", "web[1-2]", playbook=playbook)
        hold.reached(run)
        self.by_a_person("maint")
        hold.let_go()
        self.ended(run.wait(), 1, "reverted web[1-2]", EVERYWHERE + " stays in maintenance, not by staithe")
        self.is_in_maintenance("lb1", "lb2")


if __name__ == "__main__":
    harness.main()
