"""Drains that HAProxy forgot, and restores of what serves: nobody may be lost for a host that is in service."""
import json
import re
import shlex

import harness
import trials

PROVES = 3  # of a restore: the lock, the guard, and then this action


class DrainsLost(harness.SystemTest):
    def staithe(self, command, *hosts, also=()):
        return self.sandbox.staithe(command, *hosts, "-e", "production", *also, "--yes")

    def status(self):
        return self.sandbox.staithe("status", "-e", "production")

    def next_commands(self, status):
        """Of the lines after "Next:", those of a command, as words."""
        found = re.findall(r"^(?:Next:|     ) staithe (.*?) {4}", status.out, re.M)
        return {words[0]: words for words in map(shlex.split, found)}

    def test_a_restore_of_all_leaves_alone_what_serves(self):
        self.sandbox.ask("lb1", "set server api/web1 weight 37")
        self.addCleanup(self.sandbox.ask, "lb1", "set server api/web1 weight 100")
        self.ended(self.staithe("drain", "web2", "web3", "web4"), 0)
        with harness.Load(self.sandbox) as load:
            restored = self.staithe("restore", "app")
            self.ended(restored, 0, "done: 4 hosts")
            self.assertIn("web1 serves already: left alone", restored.text)
            again = self.staithe("restore", "web1")
            self.ended(again, 0)
            self.assertIn("web1 serves already: left alone", again.text)
        self.none_failed(load)
        self.assertEqual(self.sandbox.all_serving(), {"lb1 api/web1": "UP weight 37"})
        self.nothing_held()
        plan = self.sandbox.staithe("restore", "app", "-e", "production", "-n")
        self.assertRegex(plan.out, r"restore +guard ")

    def test_the_recovery_of_a_restore_takes_nobody_out_who_is_needed(self):
        self.ended(self.staithe("drain", "web1"), 0)
        known = self.sandbox.rows("SELECT json_group_array(id) FROM staithe_runs")[0][0]
        trials.slow_down_after(self.sandbox, PROVES)
        self.addCleanup(trials.let_go, self.sandbox)
        run = self.sandbox.begin("restore", "web1", "-e", "production", "--yes")
        reached = trials.end_at(self.sandbox, run, trials.Point(PROVES), known)
        self.assertEqual((reached, run.wait().code), (True, trials.DIED))
        trials.let_go(self.sandbox)
        # lb1 has forgotten the drain, and of all that it knows web1 is left.
        self.reload_balancer("lb1")
        self.assertTrue(harness.await_true(lambda: self.sandbox.servers(["lb1"])["lb1 api/web1"] == "UP weight 100"))
        others = ("web2", "web3", "web4")
        for host in others:
            self.sandbox.ask("lb1", f"set server api/{host} state maint")
            self.addCleanup(self.sandbox.ask, "lb1", f"set server api/{host} state ready")
        with harness.Load(self.sandbox) as load:
            self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 4, "enough servers", "staithe recover")
        self.none_failed(load)
        for host in others:
            self.sandbox.ask("lb1", f"set server api/{host} state ready")
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.nothing_left()

    def test_a_drain_that_a_reload_lost_is_told_and_taken_or_given_back(self):
        self.ended(self.staithe("drain", "web3", also=("--reason", "disk swap")), 0)
        first = self.sandbox.rows("SELECT id FROM staithe_runs ORDER BY started DESC, id DESC LIMIT 1")[0][0]
        self.ended(self.staithe("drain", "web3"), 0)
        shown = self.status()
        self.assertEqual(shown.code, 0, str(shown))
        # The second drain changed nothing: who took it out, and why, is the first.
        self.assertRegex(shown.out, rf"Out of rotation: web3 .*{first}.*disk swap")

        self.reload_balancer("lb1")
        self.assertTrue(harness.await_true(lambda: self.sandbox.servers(["lb1"])["lb1 api/web3"] == "UP weight 100"))
        shown = self.status()
        self.assertEqual(shown.code, 5, str(shown))
        self.assertRegex(shown.out, r"NOT OUT: web3 was drained by .*disk swap, but serves on edge1 \(")
        self.assertNotIn("Out of rotation: web3", shown.out)
        record = [json.loads(line) for line in
                  self.sandbox.staithe("status", "-e", "production", "--json").out.splitlines()]
        taken = next(one["taken_out"] for one in record if one.get("host") == "web3")
        self.assertEqual((taken["let_in"], taken["run_id"]), (["edge1"], first))
        again = self.next_commands(shown)["drain"]
        self.assertIn("disk swap", again)
        self.ended(self.sandbox.staithe(*again, "--yes"), 0)
        self.assertEqual(self.status().code, 0)

        for balancer in harness.BALANCERS:
            self.reload_balancer(balancer)
        self.assertEqual(self.sandbox.await_serving(), {})
        shown = self.status()
        self.assertEqual(shown.code, 5, str(shown))
        self.assertIn("but serves on edge1, edge2 (", shown.out)
        # The others out by hand: a proof of the last that serves would be an outage.
        for balancer in harness.BALANCERS:
            for host in ("web1", "web2", "web4"):
                self.sandbox.ask(balancer, f"set server api/{host} state maint")
                self.addCleanup(self.sandbox.ask, balancer, f"set server api/{host} state ready")
        with harness.Load(self.sandbox) as load:
            restored = self.sandbox.staithe(*self.next_commands(shown)["restore"], "--yes")
            self.ended(restored, 0)
        self.assertIn("web3 serves already: given back without a proof", restored.text)
        self.none_failed(load)
        self.doCleanups()
        self.nothing_left()
        self.assertEqual(self.status().code, 0)

    def test_a_proof_that_would_take_the_last_server_is_refused(self):
        for host in ("web2", "web3", "web4"):
            self.sandbox.ask("lb1", f"set server api/{host} state maint")
            self.addCleanup(self.sandbox.ask, "lb1", f"set server api/{host} state ready")
        self.sandbox.ask("lb2", "set server api/web1 state maint")
        self.addCleanup(self.sandbox.ask, "lb2", "set server api/web1 state ready")
        with harness.Load(self.sandbox) as load:
            refused = self.staithe("restore", "web1")
            self.assertEqual(refused.code, 4, str(refused))
            self.assertIn("edge1: api", refused.text)
            self.assertIn("would be left with 0 of 4 servers", refused.text)
        self.none_failed(load)
        # The others of a restore do not wait for it.
        self.sandbox.ask("lb2", "set server api/web4 state maint")
        self.addCleanup(self.sandbox.ask, "lb2", "set server api/web4 state ready")
        with harness.Load(self.sandbox) as load:
            some = self.staithe("restore", "web1", "web4")
            self.ended(some, 5, "FAILED at web1: enough servers", "changed web4", "untouched web1",
                       "staithe restore -e production web1 web4 again", "exit 5")
        self.none_failed(load)
        self.doCleanups()
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
