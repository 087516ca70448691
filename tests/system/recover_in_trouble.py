"""Recovering and restoring when something else is broken too: nothing half-changed meets a visitor, what could not be
put right is told with exit 5, and the same command goes on when the trouble is over."""
import contextlib
import signal

import harness
import trials

ONE = ("--limit", "web1")
LETS_IN = 4  # of a restore: the lock, the proof, its wait, and then this action


class RecoverInTrouble(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.versions()
        self.target = "v3" if self.before["web1"] == "v2" else "v2"

    def killed_at(self, place):
        hold = self.hold(place)
        playbook = self.playbook({place: hold.step})
        run = self.sandbox.begin_deploy(self.target, *ONE, playbook=playbook)
        hold.reached(run)
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, -signal.SIGKILL)

    def test_who_looked_before_another_recovery_ended_does_not_act_on_that_look(self):
        deploying, mending = self.hold("deploying"), self.hold("mending")
        playbook = self.playbook({"drained": mending.undo, "reloaded": deploying.step})
        run = self.sandbox.begin_deploy(self.target, *ONE, playbook=playbook)
        deploying.reached(run)
        run.signal(signal.SIGKILL)
        run.wait()
        deploying.let_go()
        recover = ("recover", "-e", "production", "--yes", "--lock-wait", "60s")
        first = self.sandbox.begin(*recover)
        mending.reached(first)
        second = self.sandbox.begin(*recover)
        self.assertTrue(harness.await_true(lambda: f"pid {first.pid}" in second.peek(), 20), second.peek())
        mending.let_go()
        self.ended(first.wait(), 0)
        # Its look says that web1 is out: it serves, and would be put to maintenance without a drain.
        self.ended(second.wait(), 4, "another run saw to what run", "staithe recover", "exit 4")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)
        result = self.recover()
        self.ended(result, 0)
        self.assertIn("nothing to recover", result.text)

    def recover(self):
        return self.sandbox.staithe("recover", "-e", "production", "--yes")

    def states(self, balancer="lb2"):
        return {name: state for name, state in self.sandbox.servers([balancer]).items() if name.endswith("/web1")}

    def test_half_a_release_is_not_let_in_because_a_balancer_is_gone(self):
        self.killed_at("reloaded")
        self.sandbox.service("stop", "lb1.haproxy")
        with harness.watched(self.sandbox) as seen:
            result = self.recover()
        self.ended(result, 5, "OUT web1", "staithe recover")
        self.assertEqual([state for state in seen if "admin" not in state], [], f"visitors met it: {seen}")
        self.nothing_held_but_the_run()
        self.sandbox.service("start", "lb1.haproxy")
        self.ended(self.recover(), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)

    def test_a_drain_that_cannot_be_given_back_everywhere_needs_a_person(self):
        self.killed_at("drained")
        self.sandbox.service("stop", "lb1.haproxy")
        result = self.recover()
        self.ended(result, 5, "OUT web1", "staithe recover")
        self.nothing_held_but_the_run()
        self.sandbox.service("start", "lb1.haproxy")
        self.ended(self.recover(), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)

    def test_the_service_says_whose_run_is_meant(self):
        self.killed_at("drained")
        unknown = self.sandbox.staithe("recover", "-e", "production", "--service", "billing", "--yes")
        self.ended(unknown, 3, "there is no service 'billing'", "nothing was run")
        self.assertEqual(len(self.sandbox.unfinished()), 1)
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--service", "payments", "--yes"), 0)
        self.nothing_left()

    def test_a_run_of_a_build_whose_plan_cannot_be_read_is_said(self):
        self.killed_at("drained")
        change = "UPDATE staithe_runs SET plan_json = replace(plan_json, ?, ?) WHERE ended IS NULL"
        self.sandbox.rows(change, '"schema":1', '"schema":9')
        self.ended(self.recover(), 4, "begun by another build of staithe", "recover it with that build")
        self.ended(self.sandbox.deploy(self.target, *ONE), 4, "did not end", "staithe recover")
        self.assertEqual(self.sandbox.staithe("status", "-e", "production").code, 5)
        self.sandbox.rows(change, '"schema":9', '"schema":1')
        self.ended(self.recover(), 0)
        self.nothing_left()

    def change_state(self, sql):
        with contextlib.closing(self.sandbox.state()) as database:
            database.execute(sql)

    def test_a_recovery_that_cannot_write_what_became_of_the_run_does_not_say_that_all_is_well(self):
        self.killed_at("drained")
        self.change_state("CREATE TRIGGER no_end BEFORE UPDATE OF ended ON staithe_runs WHEN NEW.kind = 'deploy' "
                          "BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END")
        self.addCleanup(self.change_state, "DROP TRIGGER IF EXISTS no_end")
        self.ended(self.recover(), 5, "what became of run", "disk I/O error", "staithe recover -e production")
        self.assertEqual(self.sandbox.await_serving(), {})
        self.nothing_held_but_the_run()
        self.ended(self.sandbox.deploy(self.target, *ONE), 4, "did not end", "staithe recover")
        self.change_state("DROP TRIGGER no_end")
        with harness.watched(self.sandbox) as seen:
            self.ended(self.recover(), 0)
        self.assertEqual([state for state in seen if "admin" in state], [], "it served and was taken out again")
        self.nothing_left()

    def restored_up_to_letting_in(self, late):
        """web1, which a person had taken out, is restored; that dies as it lets visitors in, or just after."""
        for name in self.sandbox.servers():
            balancer, server = name.split()
            if server.endswith("/web1"):
                self.sandbox.ask(balancer, f"set server {server} state maint")
        self.assertEqual([state for state in self.states().values() if "admin" not in state], [])
        known = self.sandbox.rows("SELECT json_group_array(id) FROM staithe_runs")[0][0]
        point = trials.Point(LETS_IN, late=late)
        trials.slow_down_after(self.sandbox, point.k)
        self.addCleanup(trials.let_go, self.sandbox)
        run = self.sandbox.begin("restore", "web1", "-e", "production", "--yes")
        reached = trials.end_at(self.sandbox, run, point, known)
        result = run.wait()
        trials.let_go(self.sandbox)
        self.assertTrue(reached and result.code == trials.DIED, str(result))

    def test_a_restore_of_what_staithe_never_drained_that_died_letting_in_is_gone_on_with(self):
        self.ended(self.sandbox.deploy(self.target, *ONE), 0)
        for late in (False, True):
            self.restored_up_to_letting_in(late)
            serves = self.sandbox.all_serving() == {}
            self.assertTrue(serves or not late)
            with harness.watched(self.sandbox) as seen:
                result = self.recover()
            self.ended(result, 0)
            self.assertIn("web1 1/2 restore web1", result.text, "it did not die as it let visitors in")
            if serves:
                self.assertEqual([state for state in seen if "admin" in state], [], "it served and was taken out again")
            self.nothing_left()

    def nothing_held_but_the_run(self):
        """The dead run stays open until it is recovered, nothing else does."""
        self.assertEqual(self.sandbox.locks(), [])
        self.assertEqual(len(self.sandbox.unfinished()), 1)
        self.assertEqual(self.sandbox.staithe_processes(), [])

    def test_a_restore_of_an_app_that_is_down_leaves_it_out_and_says_so(self):
        self.ended(self.sandbox.staithe("drain", "web1", "-e", "production", "--yes"), 0)
        self.sandbox.app("web1", "stop")
        result = self.sandbox.staithe("restore", "web1", "-e", "production", "--within", "3s", "--yes")
        self.ended(result, 5, "FAILED at web1", "OUT web1", "staithe restore -e production web1", "exit 5")
        self.assertEqual([state for state in self.states().values() if "admin" not in state], [])
        # A new release may be what it needs: it comes to the host and stays out, as found.
        self.ended(self.sandbox.deploy(self.target, *ONE), 0)
        self.assertEqual([state for state in self.states().values() if "admin" not in state], [])
        self.ended(self.sandbox.staithe("restore", "web1", "-e", "production", "--yes"), 0)
        self.nothing_left()

    def test_a_restore_that_waited_for_another_one_does_not_go_on_with_what_it_saw_before(self):
        self.ended(self.sandbox.staithe("drain", "web1", "-e", "production", "--yes"), 0)
        self.sandbox.app("web1", "stop")
        restore = ("restore", "web1", "-e", "production", "--within", "60s", "--yes", "--lock-wait", "60s")
        first = self.sandbox.begin(*restore)
        self.assertTrue(harness.await_true(lambda: self.sandbox.locks() or not first.alive(), 20), first.peek())
        second = self.sandbox.begin(*restore)
        self.assertTrue(harness.await_true(lambda: f"pid {first.pid}" in second.peek(), 20), second.peek())
        self.sandbox.app("web1", "start")
        self.ended(first.wait(), 0)
        self.ended(second.wait(), 4, "another run", "exit 4")
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
