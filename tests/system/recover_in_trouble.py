"""Recovering and restoring when something else is broken too: nothing half-changed meets a visitor, what could not be
put right is told with exit 5, and the same command goes on when the trouble is over."""
import contextlib
import json
import os
import signal
import time

import harness
import trials

ONE = ("--limit", "web1")
DRAINS = 8  # of a deploy: the lock, two actions of preflight, three of staging, the guard, and then this action
PROVES = 17
LETS_IN = 5  # of a restore: the lock, the guard, the proof, its wait, and then this action


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

    def killed_and_held_when_mended(self):
        """A deploy that died after it had reloaded web1; where its recovery stops in the middle."""
        deploying, mending = self.hold("deploying"), self.hold("mending")
        playbook = self.playbook({"drained": mending.undo, "reloaded": deploying.step})
        run = self.sandbox.begin_deploy(self.target, *ONE, playbook=playbook)
        deploying.reached(run)
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, -signal.SIGKILL)
        deploying.let_go()
        return mending

    def test_what_an_operator_has_drained_is_told_by_who_recovers(self):
        self.ended(self.sandbox.staithe("drain", "-e", "production", "--yes", "web2", "--reason", "disk swap"), 0)
        self.addCleanup(self.sandbox.staithe, "restore", "-e", "production", "--yes", "web2")
        hold = self.hold("drained")
        run = self.sandbox.begin_deploy(self.target, "--limit", "web[1-2]", playbook=self.playbook({"drained": hold.step}))
        hold.reached(run)
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, -signal.SIGKILL)
        result = self.recover()
        self.ended(result, 0, "done: 1 host", "web2 stays out of rotation: drained by", "disk swap", "staithe restore -e production web2")
        self.assertEqual(result.text.count("web2 stays out"), 1, str(result))

    def test_who_looked_before_another_recovery_ended_does_not_act_on_that_look(self):
        mending = self.killed_and_held_when_mended()
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

    def stop(self, run):
        """Stops the process where it holds nothing of the state."""
        with contextlib.closing(self.sandbox.state()) as database:
            database.execute("PRAGMA busy_timeout = 0")
            for _ in range(20):
                run.signal(signal.SIGSTOP)
                if not trials.is_writing(database, 0.03):
                    return
                run.signal(signal.SIGCONT)
                time.sleep(0.05)
        self.fail("it always writes")

    def test_a_deploy_that_waited_for_a_recovery_goes_on_when_that_is_done(self):
        deploying, mending = self.hold("deploying"), self.hold("mending")
        playbook = self.playbook({"drained": mending.undo, "reloaded": deploying.step})
        died = self.sandbox.begin_deploy(self.target, *ONE, playbook=playbook)
        deploying.reached(died)
        waiting = self.sandbox.begin_deploy(self.target, *ONE, "--lock-wait", "60s")
        self.assertTrue(harness.await_true(lambda: f"pid {died.pid}" in waiting.peek()), waiting.peek())
        self.stop(waiting)  # or the dead run's lock would be its own
        died.signal(signal.SIGKILL)
        died.wait()
        deploying.let_go()
        recovery = self.sandbox.begin("recover", "-e", "production", "--yes")
        mending.reached(recovery)
        waiting.signal(signal.SIGCONT)
        self.assertTrue(harness.await_true(lambda: f"pid {recovery.pid}" in waiting.peek()), waiting.peek())
        self.assertTrue(waiting.alive(), "it did not wait for the recovery")
        mending.let_go()
        self.ended(recovery.wait(), 0)
        self.ended(waiting.wait(), 0, "done: 1 host")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": self.target})

    def test_a_resume_that_waited_for_another_deploy_takes_what_that_one_left(self):
        first, second = self.hold("first", "web2"), self.hold("second", "web2")
        playbook = self.playbook({"before_drain": first.step, "healthy": second.step})
        run = self.sandbox.begin_deploy(self.target, "--limit", "web1,web2,web3", playbook=playbook)
        first.reached(run)
        run.signal(signal.SIGTERM)
        self.ended(run.wait(), 143, "--resume")
        first.let_go()
        another = self.sandbox.begin_deploy(self.target, "--limit", "web2", playbook=playbook)
        second.reached(another)
        resume = self.sandbox.begin_deploy(self.target, "--resume", "--lock-wait", "60s", playbook=playbook)
        self.assertTrue(harness.await_true(lambda: f"pid {another.pid}" in resume.peek(), 20), resume.peek())
        second.let_go()
        self.ended(another.wait(), 0)
        self.ended(resume.wait(), 0, "done: 1 host")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1", "web2", "web3"]), dict.fromkeys(["web1", "web2", "web3"], self.target))

    def test_a_resume_that_died_in_its_cleanup_calls_the_release_good_on_every_host_of_the_rollout(self):
        hold = self.hold("reloaded")
        rollout = ("--limit", "web[1-2]")
        run = self.sandbox.begin_deploy(self.target, *rollout, playbook=self.playbook({"reloaded": hold.step}))
        hold.reached(run)
        run.signal(signal.SIGTERM)
        self.assertTrue(harness.await_true(lambda: "topping" in run.peek()), run.peek())
        hold.let_go()
        self.ended(run.wait(), 143, "changed web1", "--resume")
        hosts = ("web1", "web2")
        marks = [self.sandbox.path("hosts", host, "payments", "releases", self.sandbox.sha[self.target][:12], ".staithe-good")
                 for host in hosts]
        for mark in marks:
            with contextlib.suppress(OSError):
                os.unlink(mark)
        point = trials.Point(1, like="cleanup/%")
        known = self.known_runs()
        trials.slow_down_after(self.sandbox, point.k, point.like)
        self.addCleanup(trials.let_go, self.sandbox)
        resume = self.sandbox.begin_deploy(self.target, "--resume")
        reached = trials.end_at(self.sandbox, resume, point, known)
        died = resume.wait()
        self.assertEqual((reached, died.code), (True, trials.DIED), str(died))
        trials.let_go(self.sandbox)
        result = self.recover()
        self.ended(result, 0)
        self.assertRegex(result.out, r"web1 +on the new release, cleaning up did not end")
        self.assertEqual([mark for mark in marks if not os.path.exists(mark)], [], str(result))
        self.nothing_left()
        summary = json.loads(self.sandbox.rows("SELECT summary_json FROM staithe_runs WHERE outcome = 'recovered'")[-1][0])
        self.assertEqual(list(summary["hosts"]), ["web2"], "of web1 the run before tells")

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
        run = self.sandbox.unfinished()[0][0]
        settle = ("recover", "-e", "production", "--settled", run)
        self.ended(self.sandbox.staithe(*settle), 2, "--reason TEXT")
        settle += ("--reason", "web1 was looked at")
        self.sandbox.service("stop", "lb1.haproxy")
        self.ended(self.sandbox.staithe(*settle, "--confirm", run), 4, "edge1 cannot be looked at", "nothing was changed")
        self.sandbox.service("start", "lb1.haproxy")
        self.sandbox.await_worker("lb1")
        result = self.sandbox.staithe(*settle)
        self.ended(result, 4, "not confirmed; nothing was changed", "--confirm " + run)
        self.assertIn("Out of rotation: web1", result.out)
        self.assertIn("its plan cannot be read by this build", result.out)
        self.assertIn("would end run", self.sandbox.staithe(*settle, "--dry-run").out)
        shown = [json.loads(line) for line in self.sandbox.staithe(*settle, "--dry-run", "--json").out.splitlines()]
        self.assertEqual([record["type"] for record in shown if record["type"] in ("version", "settle")], ["version", "settle"])
        self.assertEqual((shown[-1]["run_id"], shown[-1]["plan_readable"], shown[-1]["outcome"]), (run, False, "would settle"))
        self.assertEqual([record["host"] for record in shown if record["type"] == "host" and record["out"]], ["web1"])
        self.assertEqual(len(self.sandbox.unfinished()), 1)
        # What it left out of rotation is given back by hand, and it stands in nobody's way then.
        self.ended(self.sandbox.staithe("restore", "web1", "-e", "production", "--yes"), 0)
        states = self.sandbox.servers()
        self.ended(self.sandbox.staithe(*settle, "--confirm", run), 0)
        self.assertEqual(self.sandbox.servers(), states)
        self.assertEqual(self.sandbox.rows("SELECT outcome, exit_code FROM staithe_runs WHERE id = ?", run), [("settled", 0)])
        noted = self.sandbox.rows("SELECT body FROM staithe_journal WHERE run_id = ? AND action_id = 'settled'", run)
        self.assertIn("web1 was looked at", noted[0][0])
        self.ended(self.sandbox.staithe(*settle, "--confirm", run), 4, "ended: settled")
        self.ended(self.sandbox.deploy(self.target, *ONE), 0)
        self.nothing_left()

    def with_two_services(self):
        other = "services:\n  ledger:\n    path: " + self.sandbox.path("hosts/$(host)/ledger") + "\n    hosts: web1\n"
        old = self.sandbox.edited("services:\n", other, "staithe.yml")
        self.addCleanup(self.sandbox.write, old, "staithe.yml")

    def test_the_command_that_is_suggested_recovers_a_run_of_another_service(self):
        self.with_two_services()
        self.killed_at("drained")
        run = self.sandbox.unfinished()[0][0]
        self.sandbox.write("playbook: task\nservice: ledger\nhosts: web1\neach:\n  - run: 'true'\n", "playbooks", "task.yml")
        result = self.sandbox.staithe("run", "playbooks/task.yml", "-e", "production", "--service", "ledger", "--yes")
        self.ended(result, 4, "did not end", f"staithe recover -e production {run} look at")
        status = self.sandbox.staithe("status", "-e", "production", "--service", "ledger")
        self.assertIn(f"Next: staithe recover -e production {run} ", status.out)
        result = self.sandbox.deploy(self.target, *ONE, "--service", "payments")
        self.ended(result, 4, "did not end", f"staithe recover -e production --service payments {run} look at")
        self.ended(self.sandbox.staithe("recover", "-e", "production", run, "--yes"), 0)
        self.nothing_left()

    def test_a_run_is_not_settled_while_its_recovery_works_whatever_that_locks(self):
        mending = self.killed_and_held_when_mended()
        self.sandbox.rows("UPDATE staithe_runs SET plan_json = replace(plan_json, ?, ?) WHERE ended IS NULL",
                          "production/payments", "production/all-of-it")
        died = self.sandbox.unfinished()[0][0]
        recovery = self.sandbox.begin("recover", "-e", "production", "--yes")
        mending.reached(recovery)
        settle = ("recover", "-e", "production", "--settled", died, "--reason", "all is well", "--confirm", died)
        self.ended(self.sandbox.staithe(*settle), 4, "production/all-of-it is locked by", "nothing was changed")
        mending.let_go()
        self.ended(recovery.wait(), 0)
        self.sandbox.rows("DELETE FROM staithe_locks")  # of the dead run, under its first name
        self.nothing_left()

    def test_a_settled_run_still_tells_what_it_did_to_each_host(self):
        step = "run: {command: 'test $(host) != web2', read_only: true}"
        strategy = "  {batches: [1], max_failures: 0, min_available: 1, on_failure: stop}"
        playbook = self.playbook({"reloaded": step}, strategy=strategy)
        failed = self.sandbox.deploy(self.target, "--limit", "web1,web2,web3", playbook=playbook)
        self.ended(failed, 5, "changed web1", "OUT web2", "untouched web3")
        run = self.sandbox.rows("SELECT id FROM staithe_runs WHERE exit_code = 5")[-1][0]
        dry = self.sandbox.staithe("recover", "-e", "production", "--dry-run", "--json")
        self.assertEqual(json.loads(dry.out)["kind"], "recover", str(dry))
        self.assertIn("web2", dry.err, "what it found is said all the same")
        self.ended(self.sandbox.staithe("restore", "web2", "-e", "production", "--yes"), 0)
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--settled", run, "--reason", "web2 was looked at",
                                        "--confirm", run), 0)
        told = self.sandbox.staithe("history", "-e", "production").out
        line = next(line for line in told.splitlines() if line.startswith(run))
        self.assertIn("settled (0)", line)
        self.assertIn("1 done, 1 out, 1 untouched", line)
        self.assertIn("nothing to recover", self.recover().text)
        nothing = self.sandbox.staithe("recover", "-e", "production", "--json").out.splitlines()
        self.assertEqual([json.loads(line)["type"] for line in nothing], ["version", "nothing_to_recover"])
        # What it had not come to is still brought to the release.
        self.ended(self.sandbox.deploy(self.target, "--resume"), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions()["web3"], self.target)

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
            harness.await_true(lambda: self.out_at("lb2") == ["web1"])
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
            harness.await_true(lambda: self.out_at("lb1") == ["web1", "web3"])
            time.sleep(0.5)
            self.assertEqual(self.out_at("lb1"), ["web1", "web3"], "web2 was only drained, and may serve")
            self.mended(run, mending)
        self.none_failed(load)

    def command(self, state, balancers, *hosts):
        for balancer in balancers:
            for name in self.sandbox.servers([balancer]):
                if name.split("/")[1] in hosts:
                    self.sandbox.ask(balancer, f"set server {name.split()[1]} state {state}")

    def test_a_host_is_called_out_only_where_haproxy_says_so(self):
        self.killed_at("healthy")
        self.reload_balancer("lb1")
        self.assertTrue(harness.await_true(lambda: self.sandbox.all_serving(["lb1"]) == {}))
        self.command("maint", ["lb1"], "web2", "web3")  # so that web1 cannot be spared there
        self.ended(self.recover(), 5, "FAILED at web1", "OUT web1 (NOT serving on edge2; serving on edge1)", "exit 5")
        self.reload_balancer("lb2")
        self.assertTrue(harness.await_true(lambda: self.sandbox.all_serving(["lb2"]) == {}))
        result = self.recover()
        self.ended(result, 5, "FAILED at web1", "FAILED web1 (serving on edge1, edge2)", "next staithe recover", "exit 5")
        self.assertNotIn("OUT", result.err)
        self.nothing_held_but_the_run()
        self.command("ready", ["lb1"], "web2", "web3")
        self.assertEqual(self.sandbox.await_serving(), {})
        self.ended(self.recover(), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)

    def test_a_recovery_that_had_to_bring_the_release_before_back_has_put_it_right(self):
        self.ended(self.recover(), 0)  # makes the journal
        quick = self.sandbox.edited("restore: {}", "restore: {within: 5s}", "playbooks", "deploy.yml")
        self.addCleanup(self.sandbox.write, quick, "playbooks", "deploy.yml")
        known = self.known_runs()
        trials.slow_down_after(self.sandbox, PROVES)
        self.addCleanup(trials.let_go, self.sandbox)
        run = self.sandbox.begin_deploy(self.target, *ONE)
        reached = trials.end_at(self.sandbox, run, trials.Point(PROVES), known)
        self.assertTrue(reached and run.wait().code == trials.DIED)
        trials.let_go(self.sandbox)
        self.sandbox.app("web1", "stop")
        with harness.Load(self.sandbox) as load:
            result = self.recover()
        self.none_failed(load)
        self.assertIn("the new release healthy", result.out)
        self.ended(result, 1, "FAILED at web1", "reverted web1", "next staithe status -e production see", "exit 1")
        self.assertNotIn("staithe recover", result.end())
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), self.before)
        self.assertIn("nothing to recover", self.recover().text)

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
