"""Recovering and restoring when something else is broken too: nothing half-changed meets a visitor, what could not be
put right is told with exit 5, and the same command goes on when the trouble is over."""
import contextlib
import signal
import time

import harness
import trials

ONE = ("--limit", "web1")
DRAINS = 8  # of a deploy: the lock, two actions of preflight, three of staging, the guard, and then this action
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
        known = self.known_runs()
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

    def known_runs(self):
        return self.sandbox.rows("SELECT json_group_array(id) FROM staithe_runs")[0][0]

    def test_a_run_that_died_before_its_drain_had_noted_anything_has_taken_nothing(self):
        self.ended(self.sandbox.staithe("drain", "web1", "-e", "production", "--yes"), 0)
        drained = self.states()
        known = self.known_runs()
        trials.slow_down_notes(self.sandbox)
        self.addCleanup(trials.let_go, self.sandbox)
        run = self.sandbox.begin_deploy(self.target, *ONE)
        reached = trials.end_at(self.sandbox, run, trials.Point(DRAINS, late=True), known)
        self.assertTrue(reached and run.wait().code == trials.DIED)
        trials.let_go(self.sandbox)
        last = self.sandbox.rows("SELECT kind, action_id FROM staithe_journal ORDER BY rowid DESC LIMIT 1")[0]
        self.assertEqual(last, ("intent", "roll/web1/2"), "it was not just before the note")
        result = self.recover()
        self.ended(result, 0)
        self.assertEqual(self.states(), drained, "a person's drain was given back: " + str(result))
        self.ended(self.sandbox.staithe("restore", "web1", "-e", "production", "--yes"), 0)
        self.nothing_left()

    def three_killed(self):
        """Killed with web1 and web3 on a new release that nobody has proven, and web2 only drained; the hold of a
        recovery that is bringing web1 back."""
        healthy = {host: self.hold("healthy", host) for host in ("web1", "web3")}
        drained, mending = self.hold("drained", "web2"), self.hold("mending")
        playbook = self.playbook(
            {"drained": drained.step, "reloaded": mending.undo, "healthy": healthy["web1"].step},
            strategy="  {batches: [100%], window: sliding, max_failures: 0, min_available: 1, on_failure: stop}")
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1,web2,web3", "--parallel", "3", playbook=playbook)
        for hold in (*healthy.values(), drained):
            hold.reached(run)
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, -signal.SIGKILL)
        for hold in (*healthy.values(), drained):
            hold.let_go()
        return mending

    def out_at(self, balancer):
        return sorted({name.split("/")[1] for name, state in self.sandbox.servers([balancer]).items() if "admin" in state})

    def mended(self, run, mending):
        mending.let_go()
        self.ended(run.wait(), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)

    def test_what_serves_since_a_reload_is_put_out_by_a_recovery_only_in_its_turn(self):
        mending = self.three_killed()
        with harness.Load(self.sandbox) as load:
            self.reload_balancer("lb1")
            self.assertTrue(harness.await_true(lambda: self.sandbox.all_serving(["lb1"]) == {}))
            run = self.sandbox.begin("recover", "-e", "production", "--yes")
            mending.reached(run)
            time.sleep(0.5)
            self.assertEqual(self.out_at("lb1"), ["web1"], "web2 and web3 serve, and nobody asked for capacity")
            self.reload_balancer("lb2")
            time.sleep(0.5)
            self.assertEqual(self.out_at("lb2"), ["web1"])
            self.mended(run, mending)
        self.none_failed(load)

    def test_what_nobody_has_proven_stays_out_when_haproxy_is_reloaded_in_a_recovery(self):
        mending = self.three_killed()
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin("recover", "-e", "production", "--yes")
            mending.reached(run)
            time.sleep(0.5)
            self.reload_balancer("lb1")
            harness.await_true(lambda: self.out_at("lb1") == ["web1", "web3"], 3)
            time.sleep(0.5)
            self.assertEqual(self.out_at("lb1"), ["web1", "web3"], "web2 was only drained, and may serve")
            self.mended(run, mending)
        self.none_failed(load)

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
