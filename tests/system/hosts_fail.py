"""Hosts, releases and the git server fail while a deploy is under way: each time the exit code and the last lines
tell what is so, what can be put back is put back, and the balancers' visitors notice nothing."""
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time

import harness

BOTH = ("--limit", "web1,web2")
ONE = ("--limit", "web1")


class HostTest(harness.SystemTest):
    def restart_sshd_with(self, service):
        self.sandbox.service("kill", "web1.sshd")
        self.sandbox.write(service, "services", "web1.sshd")
        self.sandbox.service("start", "web1.sshd")

    def restore_known_hosts(self):
        self.addCleanup(self.sandbox.write, self.sandbox.read("ssh", "known_hosts"), "ssh", "known_hosts")


class ReleaseIsBad(HostTest):
    def deploy_bad(self, ref, *said, playbook=None, timeout=90):
        before = self.sandbox.versions()
        with harness.Load(self.sandbox) as load:
            result = self.sandbox.deploy(ref, *BOTH, playbook=playbook or self.playbook(), timeout=timeout)
        self.ended(result, 1, "FAILED at web1", *said)
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before, str(result))
        # All are on the release before: going back further would bring an older one.
        self.assertNotIn("staithe rollback", result.err)
        return result

    def test_app_does_not_come_up(self):
        self.deploy_bad("broken-start", "no such table: invoices", "reverted web1", "untouched web2", "exit 1")

    def test_health_never_green(self):
        playbook = self.playbook({"wait": "wait: {http: $(health), for: 3s}"})
        self.deploy_bad("broken-health", "answered 503, expected 200", "reverted web1", "untouched web2", "exit 1",
                        playbook=playbook)

    def test_a_stop_does_not_wait_for_a_health_that_never_comes(self):
        def bad():
            return set(self.sandbox.rows("SELECT id, run_id FROM staithe_releases WHERE state = 'bad'"))

        before, bad_before = self.sandbox.versions(), bad()
        playbook = self.playbook({"wait": "wait: {http: $(health), for: 5m}"})
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin_deploy("broken-health", *BOTH, playbook=playbook)
            self.assertTrue(harness.await_true(lambda: "appctl reload ok" in run.peek(), 60), run.peek())
            time.sleep(1)  # it asks for the first time
            run.signal(signal.SIGTERM)
            self.ended(run.wait(60), 143, "interrupted", "reverted web1", "untouched web2", "exit 143")
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)
        self.assertLessEqual(bad(), bad_before, "a person's stop says nothing of the release")

    def test_another_version_runs_than_was_meant(self):
        self.deploy_bad("wrong-version", self.sandbox.sha["wrong-version"][:12], "reverted web1", "untouched web2",
                        "exit 1")

    def test_release_cannot_be_built(self):
        before = self.sandbox.versions()
        result = self.sandbox.deploy("broken-install", *BOTH)
        self.ended(result, 1, "FAILED at web", "ledger.c: No such file", "untouched web[1-2]", "exit 1")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_later_host_fails_and_versions_are_mixed(self):
        """web1 is done when web2 fails: both are said, and what to do next. Nobody goes on with what has failed: the last
        lines say of that what status says."""
        if self.sandbox.versions()["web1"] == "v3":
            self.assertEqual(self.sandbox.deploy("v2", *BOTH).code, 0)
        step = "run: test $(host) = web1 || { echo no ledger on $(host) of $(shop) >&2; exit 3; }"
        playbook = self.playbook({"reloaded": step})
        before = self.sandbox.versions(["web2"])
        self.sandbox.write("shop: $5", "more.yml")
        result = self.sandbox.deploy("v3", *BOTH, "--var-file", "more.yml", "--service", "payments", playbook=playbook)
        back = f"staithe rollback -e production --service payments {playbook} --var-file more.yml"
        self.ended(result, 5, "FAILED at web2", "no ledger on web2", "changed web1", "reverted web2", "next " + back, "exit 5")
        self.assertNotIn("--resume", result.end())
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": "v3"})
        self.assertEqual(self.sandbox.versions(["web2"]), before)
        status = self.sandbox.staithe("status", "-e", "production").out
        self.assertRegex(status, f"Next: {re.escape(back)} +bring all back")
        self.assertNotIn("--resume", status)

    def had_all(self, *shas):
        """As if all hosts had had these commits, one after the other, before everything else on record."""
        first = self.sandbox.rows("SELECT min(started) FROM staithe_runs")[0][0]
        summary = json.dumps({"hosts": {host: {"state": "done", "detail": ""} for host in harness.HOSTS}})
        with contextlib.closing(self.sandbox.state()) as database:
            for age, sha in enumerate(reversed(shas), 1):
                database.execute("INSERT INTO staithe_runs VALUES (?, 'deploy', 'production', 'payments', 'deploy', '', '{}', "
                                 "'ann', ?, ?, ?, ?, 'done', 0, ?, '', '')",
                                 (f"had-{sha[:12]}-{first}", sha[:12], sha, first - age, first - age, summary))

    def test_what_is_to_be_run_next_goes_on_with_the_same_values(self):
        """Wherever they came from, and on the hosts of this run: others that had the release once, and another since, were
        left out."""
        target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        hold = self.hold("reloaded")
        playbook = self.playbook({"reloaded": hold.step, "restored": "run: {command: test -n $(shop), read_only: true}"})
        self.sandbox.write("shop: a shop", "more.yml")
        run = self.sandbox.begin_deploy(target, *BOTH, "--var-file", "more.yml", "--service", "payments", playbook=playbook)
        hold.reached(run)
        self.had_all(self.sandbox.sha[target], self.sandbox.sha["v1"])
        run.signal(2)
        self.assertTrue(harness.await_true(lambda: "topping" in run.peek()), run.peek())
        hold.let_go()
        result = run.wait()
        self.ended(result, 130, "changed web1", f"--var ref={self.sandbox.sha[target]} --", "staithe rollback")
        # Where a test before left something of this rollout, the hosts are named.
        said = re.search(r"staithe (deploy .*--(?:resume|limit web2))", result.err)[1]
        self.ended(self.sandbox.staithe(*shlex.split(said), "--yes"), 0, "done: 1 host")
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": target, "web2": target})

    def test_with_a_host_left_out_nothing_is_gone_on_with_before_it_is_recovered(self):
        """Such a deploy would be refused."""
        target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        fails = "run: {command: 'test $(host) = web1', undo: 'false', timeout: 1m}"
        result = self.sandbox.deploy(target, *BOTH, playbook=self.playbook({"reloaded": fails}))
        self.ended(result, 5, "changed web1", "OUT web2", "staithe recover -e production bring the release before back")
        self.assertNotIn("--resume", result.end())
        self.assertNotIn("staithe rollback", result.end())
        status = self.sandbox.staithe("status", "-e", "production").out
        self.assertRegex(status, "Next: staithe recover ")
        self.assertNotIn("--resume", status)
        self.ended(self.sandbox.staithe("restore", "web2", "-e", "production", "--yes"), 0)
        self.nothing_left()

    def test_what_was_started_listens(self):
        """Of the sandbox: the tests after one that stopped the git server meet one that answers, however busy the machine
        is."""
        service = self.sandbox.read("services", "git.daemon")
        self.addCleanup(self.sandbox.write, service, "services", "git.daemon")
        self.sandbox.write("sleep 0.5\n" + service, "services", "git.daemon")
        self.sandbox.service("stop", "git.daemon")
        self.sandbox.service("start", "git.daemon", "lb2.haproxy")
        socket.create_connection(self.sandbox.address_of("git.daemon"), 1).close()

    def test_git_server_gone_at_first(self):
        self.sandbox.service("stop", "git.daemon")
        result = self.sandbox.deploy("v2")
        self.ended(result, 4, "nothing was changed")
        self.nothing_left()

    def test_git_server_gone_before_the_checkout(self):
        before = self.sandbox.versions()
        for host in ("web1", "web2"):
            # The release must not be there already.
            shutil.rmtree(self.sandbox.path("hosts", host, "payments", "releases", self.sandbox.sha["slow-start"][:12]),
                          ignore_errors=True)
        hold = self.hold("stage")
        playbook = self.playbook(stage=[hold.step])
        run = self.sandbox.begin_deploy("slow-start", *BOTH, playbook=playbook)
        hold.reached(run)
        slow_start = self.sandbox.sha["slow-start"][:12]
        self.assertTrue(harness.await_true(lambda: slow_start in self.sandbox.releases("web2")))
        self.sandbox.service("stop", "git.daemon")
        hold.let_go()
        result = run.wait()
        self.ended(result, 1, "FAILED at web1", "fetch", "untouched web[1-2]", "exit 1")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)
        self.assertNotIn(slow_start, self.sandbox.releases("web1"), "half a release is left")
        # web2 was not held up: it has all of it.
        self.assertIn(slow_start, self.sandbox.releases("web2"))

    def test_disk_full(self):
        """No file on web1 may grow over 512 bytes: what a full disk does to a checkout, without needing a mount."""
        service = self.sandbox.read("services", "web1.sshd")
        self.addCleanup(self.restart_sshd_with, service)
        self.restart_sshd_with("ulimit -f 1\n" + service)
        before = self.sandbox.versions()
        result = self.sandbox.deploy("slow-start", *BOTH)
        self.ended(result, 1, "FAILED at web1", "untouched web[1-2]", "exit 1")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_disk_nearly_full_is_seen_before_anything_is_done(self):
        self.refused_with_releases_on("size=256k", "KiB free for")

    def test_disk_nearly_out_of_inodes_is_seen_before_anything_is_done(self):
        self.refused_with_releases_on("size=4g,nr_inodes=500", "inodes free for")

    def refused_with_releases_on(self, options, reason):
        """Needs the right to mount."""
        releases = self.sandbox.path("hosts", "web1", "payments", "tmp")
        os.makedirs(releases, exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", releases],
                                 stderr=subprocess.PIPE, text=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("no right to mount")
        self.addCleanup(subprocess.run, ["umount", releases], check=False)
        old = self.sandbox.edited("path: " + self.sandbox.path("hosts/$(host)/payments"),
                                  "path: " + self.sandbox.path("hosts/$(host)/payments/tmp"), "staithe.yml")
        self.addCleanup(self.sandbox.write, old, "staithe.yml")
        result = self.sandbox.deploy("v2", *ONE)
        self.ended(result, 4, "web1", "exit 4")
        self.assertIn(reason, result.err)
        self.nothing_left()


class HostIsLost(HostTest):
    def test_unreachable_in_the_middle(self):
        """web2 cannot be reached any more when its turn comes: it is left out, and said."""
        target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        before = self.sandbox.versions(["web2"])
        hold = self.hold("healthy")
        playbook = self.playbook({"healthy": hold.step})
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin_deploy(target, *BOTH, playbook=playbook)
            hold.reached(run)
            self.sandbox.service("kill", "web2.sshd")
            hold.let_go()
            result = run.wait()
            self.ended(result, 5, "FAILED at web2", "changed web1", "exit 5")
            self.assertEqual(self.sandbox.versions(["web1"]), {"web1": target})
            wrong = self.sandbox.await_serving(2)
            if wrong:
                self.ended(result, 5, "OUT web2", "staithe recover")
                self.assertEqual({name.split("/")[1] for name in wrong}, {"web2"})
            self.nothing_held()
            self.sandbox.service("start", "web2.sshd")
            recovered = self.sandbox.staithe("recover", "-e", "production", "--yes")
        self.assertIn(recovered.code, (0, 5), str(recovered))
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web2"]), before)
        self.none_failed(load)

    def test_lost_when_it_is_drained_and_its_app_not_touched(self):
        """Nothing was sent to it: once HAProxy's checks find it healthy, the app that runs goes on serving."""
        before = self.sandbox.versions()
        hold = self.hold("drained")
        playbook = self.playbook({"drained": hold.local})
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin_deploy("v3" if before["web1"] == "v2" else "v2", *BOTH, playbook=playbook)
            hold.reached(run)
            self.sandbox.service("kill", "web1.sshd")
            self.addCleanup(self.sandbox.service, "start", "web1.sshd")
            hold.let_go()
            result = run.wait()
            self.ended(result, 1, "FAILED at web1", "restored web1", "untouched web2", "exit 1")
            self.nothing_left()
        self.none_failed(load)
        self.assertEqual(self.sandbox.versions(), before)

    def test_lost_with_its_app_when_it_is_drained(self):
        """A host that lost its power: nothing was done to it, and no visitor is let in to it."""
        before = self.sandbox.versions()
        hold = self.hold("drained")
        playbook = self.playbook({"drained": hold.local, "restore": "restore: {within: 5s}"})
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin_deploy("v3" if before["web1"] == "v2" else "v2", *BOTH, playbook=playbook)
            hold.reached(run)
            self.sandbox.app("web1", "stop")
            self.sandbox.service("kill", "web1.sshd")
            hold.let_go()
            result = run.wait()
            self.ended(result, 5, "FAILED at web1", "OUT web1", "untouched web2", "staithe recover", "exit 5")
            self.sandbox.service("start", "web1.sshd")
            reached = lambda: self.sandbox.staithe("exec", "-e", "production", "-H", "web1", "--yes", "--", "true").code == 0
            self.assertTrue(harness.await_true(reached, 30), "web1 cannot be reached again")
            self.sandbox.app("web1", "start")
            recovered = self.sandbox.staithe("recover", "-e", "production", "--yes")
            self.assertEqual(recovered.code, 0, str(recovered))
            self.nothing_left()
        self.none_failed(load)
        self.assertEqual(self.sandbox.versions(), before)

    def test_connection_cut_in_a_step(self):
        """sshd's session dies while a step runs after the reload; the host itself answers again."""
        before = self.sandbox.versions()
        hold = self.hold("reloaded")
        playbook = self.playbook({"reloaded": hold.step})
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin_deploy("v3" if before["web1"] == "v2" else "v2", *BOTH, playbook=playbook)
            hold.reached(run)
            self.sandbox.cut_connections("web1")
            result = run.wait()
        self.ended(result, 1, "FAILED at web1", "connection", "reverted web1", "untouched web2", "exit 1")
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_upload_over_a_connection_that_breaks_is_made_again(self):
        """It breaks when the host has the bytes and not yet the file."""
        target = self.sandbox.path("hosts", "web1", "motd")
        self.sandbox.write("old\n", "hosts", "web1", "motd")
        self.sandbox.write("new\n", "playbooks", "motd")
        hold = self.hold("checksum")
        tools = self.sandbox.path("hosts", "web1", "tools")
        os.makedirs(tools, exist_ok=True)
        self.sandbox.write(f"#!/bin/sh\ntouch {hold.waiting}\nwhile test -e {hold.gate}; do sleep 0.02; done\n"
                           f"exec {shutil.which('sha256sum')}\n", tools, "sha256sum")
        os.chmod(os.path.join(tools, "sha256sum"), 0o755)
        config = self.sandbox.edited("SetEnv ", f"SetEnv PATH={tools}:{os.environ['PATH']} ", "hosts", "web1", "sshd_config")
        service = self.sandbox.read("services", "web1.sshd")
        self.addCleanup(self.restart_sshd_with, service)
        self.addCleanup(self.sandbox.write, config, "hosts", "web1", "sshd_config")
        self.restart_sshd_with(service)
        upload = f"upload: {{from: playbooks/motd, to: {target}}}"
        run = self.sandbox.begin_deploy("v2", *ONE, playbook=self.playbook(stage=[upload]))
        hold.reached(run)
        self.sandbox.cut_connections("web1")
        hold.let_go()
        result = run.wait()
        self.ended(result, 0)
        self.assertIn("attempt 1 of 3", result.text)
        self.assertEqual(self.sandbox.read(target), "new\n")
        self.assertEqual([name for name in os.listdir(os.path.dirname(target)) if "staithe-" in name], [])
        self.nothing_left()

    def test_sshd_gone_in_a_step(self):
        """It cannot be put back: the host stays out, which is said, and recover puts it right."""
        before = self.sandbox.versions()
        hold = self.hold("reloaded")
        playbook = self.playbook({"reloaded": hold.step})
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin_deploy("v3" if before["web1"] == "v2" else "v2", *BOTH, playbook=playbook)
            hold.reached(run)
            self.sandbox.service("kill", "web1.sshd")
            result = run.wait()
            self.ended(result, 5, "FAILED at web1", "OUT web1", "untouched web2", "staithe recover", "exit 5")
            self.assertEqual({name.split("/")[1] for name in self.sandbox.all_serving()}, {"web1"})
            self.nothing_held()
            hold.let_go()
            self.sandbox.service("start", "web1.sshd")
            recovered = self.sandbox.staithe("recover", "-e", "production", "--yes")
        self.ended(recovered, 0)
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_sshd_away_for_a_moment_does_not_leave_a_host_out(self):
        before = self.sandbox.versions()
        hold = self.hold("reloaded")
        playbook = self.playbook({"reloaded": hold.step})
        run = self.sandbox.begin_deploy("v3" if before["web1"] == "v2" else "v2", *BOTH, playbook=playbook)
        hold.reached(run)
        self.sandbox.service("kill", "web1.sshd")
        time.sleep(0.3)
        self.sandbox.service("start", "web1.sshd")
        result = run.wait()
        self.ended(result, 1, "FAILED at web1", "reverted web1", "untouched web2", "exit 1")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_nobody_waits_for_a_host_that_was_left_out(self):
        before = self.sandbox.versions()
        step = "run: {command: 'test $(host) != web1', read_only: true}"
        strategy = "  {batches: [1], max_failures: 1, min_available: 3, on_failure: stop}"
        drain = "drain: {within: 5m, at_deadline: fail}"  # for capacity it would wait as long
        playbook = self.playbook({"reloaded": step, "drain": drain}, strategy=strategy)
        result = self.sandbox.deploy("v3" if before["web1"] == "v2" else "v2", *BOTH, playbook=playbook)
        self.ended(result, 5, "FAILED at web1", "OUT web1", "web2", "exit 5")
        self.assertIn("would be left with 2 of 4 servers", result.text)
        self.assertNotIn("waiting for capacity", result.text)
        self.assertLess(result.seconds, 120, "the guard of web2 waited for web1")
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_a_look_at_a_host_that_was_left_out_puts_nothing_right(self):
        before = self.sandbox.versions()
        target = "v3" if before["web1"] == "v2" else "v2"
        strategy = "  {batches: [1], max_failures: 0, min_available: 2, on_failure: stop}"
        playbook = self.playbook({"reloaded": "run: 'false'"}, strategy=strategy)
        self.ended(self.sandbox.deploy(target, *BOTH, playbook=playbook), 5, "OUT web1", "exit 5")
        self.sandbox.write("playbook: look\nhosts: app\neach:\n  - run: {command: uptime, read_only: true}\n",
                           "playbooks", "look.yml")
        look = self.sandbox.staithe("run", "playbooks/look.yml", "-e", "production", "--yes")
        self.ended(look, 0, "web1 stays out of rotation: LEFT by", "staithe recover -e production")
        self.ended(self.sandbox.deploy(target), 4, "left out of rotation by an earlier run")
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_command_killed_on_the_host(self):
        before = self.sandbox.versions()
        playbook = self.playbook({"reloaded": "run: kill -9 $$"})
        result = self.sandbox.deploy("v3" if before["web1"] == "v2" else "v2", *BOTH, playbook=playbook)
        self.ended(result, 1, "FAILED at web1", "KILL", "reverted web1", "untouched web2", "exit 1")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_interrupted_between_hosts_says_which_have_the_new_release(self):
        target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        before = self.sandbox.versions(["web3"])
        hold = self.hold("reloaded")
        run = self.sandbox.begin_deploy(target, "--limit", "web[1-3]", playbook=self.playbook({"reloaded": hold.step}))
        hold.reached(run)
        run.signal(2)
        self.assertTrue(harness.await_true(lambda: "topping" in run.peek()), run.peek())
        hold.let_go()
        self.ended(run.wait(), 130, f"changed web1 (on {self.sandbox.sha[target][:12]})",
                   "untouched web[2-3] (on what ran before)", f"--var ref={self.sandbox.sha[target]} --resume",
                   "staithe rollback", "exit 130")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1", "web3"]), {"web1": target, **before})
        # The run that ends the rollout says of all its hosts that the release is good.
        self.ended(self.sandbox.deploy(target, "--resume"), 0, "done: 2 hosts on " + self.sandbox.sha[target][:12])
        for host in ("web1", "web2", "web3"):
            mark = os.path.join("releases", self.sandbox.sha[target][:12], ".staithe-good")
            self.assertTrue(os.path.exists(self.sandbox.path("hosts", host, "payments", mark)), host)

    def test_a_resume_that_has_nothing_left_says_nothing_of_hosts_with_another_commit(self):
        one, two = ("v2", "v3") if self.sandbox.versions()["web1"] == "v2" else ("v3", "v2")
        three = ("--limit", "web[1-3]")
        self.ended(self.sandbox.deploy(one, *three, playbook=self.playbook({})), 0)
        self.ended(self.sandbox.deploy(two, *BOTH, playbook=self.playbook({})), 0)
        over = self.sandbox.deploy(one, *three, "--resume", playbook=self.playbook({}))
        self.assertEqual(over.code, 4, str(over))
        self.assertIn(f"the rollout of {self.sandbox.sha[one][:12]} is over", over.text)
        self.assertIn("another commit has come since", over.text)
        none = self.sandbox.deploy(one, *BOTH, "--resume", playbook=self.playbook({}))
        self.assertEqual(none.code, 4, str(none))
        self.assertIn(f"nothing of a rollout of {self.sandbox.sha[one][:12]} in production is left to resume", none.text)

    def test_a_run_that_failed_before_it_altered_anything_ends_no_rollout(self):
        before = self.sandbox.versions(["web1"])["web1"]
        target, other = ("v3", "v2") if before == "v2" else ("v2", "v3")
        not_web2 = self.playbook({"before_drain": "run: {command: 'test $(host) != web2', read_only: true}"})
        self.ended(self.sandbox.deploy(target, *BOTH, playbook=not_web2), 5, "changed web1", "FAILED web2")
        nowhere = self.playbook({"before_drain": "run: {command: 'false', read_only: true}"})
        self.ended(self.sandbox.deploy(other, "--limit", "web2", playbook=nowhere), 1, "FAILED web2")
        self.ended(self.sandbox.deploy(target, *BOTH, "--resume", playbook=self.playbook({})), 0, "done: 1 host")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": target, "web2": target})

    def good(self, host, target):
        """Whether the release is marked good on the host."""
        mark = os.path.join("releases", self.sandbox.sha[target][:12], ".staithe-good")
        return os.path.exists(self.sandbox.path("hosts", host, "payments", mark))

    def test_a_resumed_deploy_that_fails_calls_the_release_good_nowhere(self):
        target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        with contextlib.suppress(OSError):
            os.unlink(self.sandbox.path("hosts", "web1", "payments", "releases", self.sandbox.sha[target][:12], ".staithe-good"))
        rollout = ("--limit", "web[1-3]")
        only_web1 = self.playbook({"reloaded": "run: {command: 'test $(host) = web1', read_only: true}"})
        self.ended(self.sandbox.deploy(target, *rollout, playbook=only_web1), 5, "changed web1")
        # Nor does the key of a host of the earlier run, which nobody has approved, refuse what is left.
        self.restore_known_hosts()
        known = self.sandbox.read("ssh", "known_hosts")
        self.sandbox.write("".join(line + "\n" for line in known.splitlines() if "127.0.1.1]" not in line), "ssh", "known_hosts")
        resumed = self.sandbox.deploy(target, *rollout, "--resume", "--max-failures", "3", playbook=only_web1)
        self.ended(resumed, 5, "reverted web[2-3]", "staithe rollback")
        self.assertNotIn("go on with", resumed.end())
        self.assertIn("versions are mixed: web1 is on " + self.sandbox.sha[target][:12], resumed.text)
        self.assertFalse(self.good("web1", target))
        self.sandbox.write(known, "ssh", "known_hosts")
        # A host of the earlier run that is away when the rollout is complete fails nothing.
        self.sandbox.cut_connections("web1")
        self.sandbox.service("stop", "web1.sshd")
        self.addCleanup(self.sandbox.service, "start", "web1.sshd")
        report = self.sandbox.path("resumed.xml")
        resumed = self.sandbox.deploy(target, *rollout, "--resume", "--report", "junit=" + report, playbook=self.playbook({}))
        self.ended(resumed, 0, "done: 2 hosts on " + self.sandbox.sha[target][:12], "--limit web1")
        cases = self.sandbox.read("resumed.xml")
        self.assertNotIn("<failure", cases)
        self.assertNotIn("<error", cases)
        self.assertIn("<skipped", cases)
        self.assertIn("serves here, but is not marked good", resumed.text)
        self.assertEqual([self.good(host, target) for host in ("web1", "web2", "web3")], [False, True, True])

    def test_abandoned_by_a_second_signal(self):
        """The first asks, the second abandons: what is left is said, and recover puts it right."""
        before = self.sandbox.versions()
        hold = self.hold("reloaded")
        playbook = self.playbook({"reloaded": hold.step})
        run = self.sandbox.begin_deploy("v3" if before["web1"] == "v2" else "v2", *BOTH, playbook=playbook)
        hold.reached(run)
        run.signal(2)
        self.assertTrue(harness.await_true(lambda: "topping" in run.peek()), run.peek())
        # Two at once, as a closing terminal sends them, count as one.
        time.sleep(0.8)
        run.signal(2)
        result = run.wait(60)
        self.ended(result, 5, "OUT web1", "release being changed", "untouched web2 (on what ran before)",
                   "staithe recover", "exit 5")
        self.nothing_held()
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_hundred_megabytes_of_output(self):
        step = "run: yes 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde | head -c 100000000"
        run = self.sandbox.begin_deploy("v2", *ONE, playbook=self.playbook(stage=[step]))
        run.watch_memory()
        result = run.wait(180)
        self.ended(result, 0)
        self.assertGreater(run.peak_kib, 1000)
        self.assertLess(run.peak_kib, 60 * 1024, "peak resident KiB")
        self.assertLess(len(result.text), 2_000_000)
        self.nothing_left()
        print(f"        100 MB of output, peak resident size {run.peak_kib / 1024:.0f} MiB, {result.seconds:.1f} s")


class HostIsNotTrusted(HostTest):
    def test_unknown_and_changed_keys_are_told_at_once(self):
        self.restore_known_hosts()
        lines = self.sandbox.read("ssh", "known_hosts").split("\n")
        address = f":{self.sandbox.env['SSH_PORT']} "
        key_of = {line.split("]")[0][1:]: line.split(address)[1] for line in lines if line}
        kept = [line for line in lines if "127.0.1.1]" not in line and "127.0.1.3]" not in line]
        kept = [line.replace(key_of["127.0.1.2"], key_of["127.0.1.4"]) if "127.0.1.2]" in line else line for line in kept]
        self.sandbox.write("\n".join(kept), "ssh", "known_hosts")
        before = self.sandbox.versions()
        result = self.sandbox.deploy("v2")
        self.ended(result, 4, "web1", "web2", "web3", "hostkeys scan", "nothing was changed")
        said = result.end()
        for host in ("web1", "web2", "web3"):
            text = subprocess.run(["ssh-keygen", "-lf", self.sandbox.path("ssh", host + "_key.pub")],
                                  stdout=subprocess.PIPE, text=True, check=True).stdout.split()[1]
            self.assertIn(text, said, f"the fingerprint of {host}")
        self.assertNotIn("web4:", said)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_host_that_accepts_and_says_nothing(self):
        self.sandbox.service("kill", "web3.sshd")
        before = self.sandbox.versions()
        with contextlib.closing(socket.socket()) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.1.3", int(self.sandbox.env["SSH_PORT"])))
            server.listen(64)
            held = []
            def accept():
                with contextlib.suppress(OSError):
                    while True:
                        held.append(server.accept()[0])
            threading.Thread(target=accept, daemon=True).start()
            result = self.sandbox.deploy("v2")
            server.shutdown(socket.SHUT_RDWR)
            for connection in held:
                connection.close()
        self.ended(result, 4, "FAILED at web3", "untouched web[1-4]", "exit 4")
        self.assertIn("the SSH handshake took longer than 15s", result.text)
        self.assertEqual(len(held), 1, "it was waited for more than once")
        self.sandbox.service("start", "web3.sshd")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_host_that_refuses_the_connection(self):
        self.sandbox.service("kill", "web3.sshd")
        result = self.sandbox.deploy("v2")
        self.ended(result, 4, "FAILED at web3", "untouched web[1-4]", "exit 4")
        self.sandbox.service("start", "web3.sshd")
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
