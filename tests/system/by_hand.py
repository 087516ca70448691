"""What an operator does and reads at night: drain, status, restore, rollback, exec, history."""
import contextlib
import getpass
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import time

import harness
import sandbox


class ByHand(harness.SystemTest):
    def last_record(self, *arguments):
        result = self.sandbox.staithe(*arguments, "-e", "production", "--json")
        return result, json.loads(result.out.strip().split("\n")[-1])

    def test_drain_is_seen_in_the_status_and_given_back_by_restore(self):
        # A test before this one may have left hosts on different releases, which status calls a person for.
        if len(set(self.sandbox.versions().values())) > 1:
            self.ended(self.sandbox.deploy("v2"), 0)
        with harness.Load(self.sandbox) as load:
            drained = self.sandbox.staithe("drain", "web1", "-e", "production", "--reason", "disk swap", "--yes")
            self.ended(drained, 0)
            self.assertRegex(self.sandbox.staithe("history", "-e", "production").out, r"drain web1: disk swap +- +done \(0\)")
            self.assertEqual({name.split("/")[1] for name in self.sandbox.all_serving()}, {"web1"})
            self.nothing_held()
            shown, status = self.last_record("status")
            self.assertIn("web1", json.dumps(status["out"]), str(shown))
            text = self.sandbox.staithe("status", "-e", "production")
            run_id = self.sandbox.rows("SELECT id FROM staithe_runs ORDER BY started DESC, id DESC LIMIT 1")[0][0]
            self.assertIn(run_id, text.out, "which run left it out is said")
            self.ended(self.sandbox.staithe("restore", "web1", "-e", "production", "--yes"), 0)
        self.none_failed(load)
        self.nothing_left()
        shown, status = self.last_record("status")
        self.assertEqual((shown.code, status["out"]), (0, []), str(shown))

    def test_a_deploy_to_a_drained_host_leaves_it_drained_and_the_drain_on_record(self):
        for balancer in harness.BALANCERS:
            self.sandbox.ask(balancer, "set server api/web1 weight 37")
        self.ended(self.sandbox.staithe("drain", "web1", "-e", "production", "--yes"), 0)
        version = "v2" if self.sandbox.versions()["web1"] == "v3" else "v3"
        # The last lines say so: "done" alone would read as if it served.
        self.ended(self.sandbox.deploy(version, "--limit", "web1"), 0, "done: 1 host", "web1 stays out of rotation: drained by")
        shown, status = self.last_record("status")
        self.assertIn("web1", json.dumps(status["out"]), str(shown))
        text = self.sandbox.staithe("status", "-e", "production")
        self.assertIn("drained by", text.out)
        restored = self.sandbox.staithe("restore", "web1", "-e", "production", "--yes")
        self.ended(restored, 0)
        self.assertNotIn("no drain of staithe's is on record", restored.text)
        found = self.sandbox.servers()
        self.assertEqual([found["lb1 api/web1"], found["lb2 api/web1"]], ["UP weight 37"] * 2)
        self.nothing_held()

    def test_a_deploy_says_last_what_somebody_else_had_taken_out(self):
        self.sandbox.ask("lb1", "set server api/web2 state drain")
        self.addCleanup(self.sandbox.ask, "lb1", "set server api/web2 state ready")
        version = "v2" if self.sandbox.versions()["web1"] == "v3" else "v3"
        result = self.sandbox.deploy(version, "--limit", "web[1-2]")
        self.ended(result, 0, "done: 2 hosts", "web2 (api on edge1) stays drained, not by staithe",
                   "next staithe restore -e production web2 give back")
        self.assertNotIn("web1", result.end().split("done:")[1])
        self.assertRegex(self.sandbox.staithe("status", "-e", "production").out, r"Out of rotation: web2 +not by staithe")
        self.ended(self.sandbox.staithe("restore", "web2", "-e", "production", "--yes"), 0)
        self.nothing_left()

    def test_a_task_that_is_interrupted_finishes_the_host_in_hand(self):
        mark = self.sandbox.path("task-begun")
        for presses, code, says in ((1, 130, ("changed web1", "untouched web2", "--limit web2 go on with the hosts that are left")),
                                    (2, 5, ("FAILED web1", "untouched web2"))):
            step = f"run: 'touch {mark}; sleep {3 if presses == 1 else 60}'"
            self.sandbox.write(f"playbook: task\nhosts: 'web[1-2]'\nstrategy: {{batches: [1]}}\neach:\n  - {step}\n", "playbooks", "task.yml")
            run = self.sandbox.begin("run", "playbooks/task.yml", "-e", "production", "--yes")
            self.assertTrue(harness.await_true(lambda: os.path.exists(mark), 20), run.peek())
            for _ in range(presses):
                run.signal(signal.SIGINT)
                time.sleep(0.7)  # sooner it would be the first one's echo
            self.ended(run.wait(), code, *says, f"exit {code} (")
            os.unlink(mark)
        left = self.sandbox.rows("SELECT id FROM staithe_runs WHERE exit_code = 5 ORDER BY started DESC LIMIT 1")[0][0]
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--settled", left, "--reason", "it only slept",
                                        "--confirm", left), 0)
        self.nothing_left()

    def test_servers_that_haproxy_does_not_have_are_mended_in_the_file_that_names_them(self):
        for old, new in (("api/$(host)", "apo/$(host)"), ("api/$(host)", "api/$(host)x")):
            before = self.sandbox.edited(old, new, "staithe.yml")
            try:
                line = self.sandbox.read("staithe.yml").split(new)[0].count("\n") + 1
                result = self.sandbox.deploy("v2", "--limit", "web[1-2]")
            finally:
                self.sandbox.write(before, "staithe.yml")
            self.ended(result, 4, "no balancer has a server " + new.split("$")[0],
                       f"next man staithe.yml 'servers', staithe.yml:{line}, is to name them as HAProxy does")
            self.assertNotIn("staithe status", result.end())

    def test_what_would_leave_too_few_servers_is_refused_before_anything_is_taken_out(self):
        before = self.sandbox.versions()
        three = self.sandbox.staithe("drain", "web1", "web2", "web3", "-e", "production", "--min-available", "2", "--yes")
        self.ended(three, 4, "would be left with 1 of 4 servers", "untouched web[1-3]", "exit 4")
        self.nothing_left()
        # Nor is a rollout begun that others' drains would end in its middle.
        self.ended(self.sandbox.staithe("drain", "web3", "web4", "-e", "production", "--yes"), 0)
        result = self.sandbox.deploy("v3" if before["web1"] == "v2" else "v2")
        self.ended(result, 4, "edge[1-2]: admin, api would be left with 1 of 4 servers, 2 needed; out now: web[3-4] (in maintenance)",
                   "untouched web[1-4]", "staithe status -e production", "exit 4")
        # By each host as it is found, and in the last lines.
        self.assertEqual(result.text.count("would be left"), 3, str(result))
        self.assertEqual(self.sandbox.versions(), before)
        # A task that drains nothing makes nobody forget who drained them.
        self.sandbox.write("playbook: task\nhosts: app\neach:\n  - run: 'true'\n", "playbooks", "task.yml")
        self.ended(self.sandbox.staithe("run", "playbooks/task.yml", "-e", "production", "--yes"), 0)
        self.assertIn("drained by", self.sandbox.staithe("status", "-e", "production").out)
        self.ended(self.sandbox.staithe("restore", "web3", "web4", "-e", "production", "--yes"), 0)
        self.nothing_left()

    def test_a_drain_that_would_take_the_last_server_says_what_is_out(self):
        self.addCleanup(self.sandbox.app, "web4", "start")
        self.sandbox.app("web4", "stop")
        down = lambda: {name.split("/")[1] for name in self.sandbox.all_serving()} == {"web4"}
        self.assertTrue(harness.await_true(down, 20), self.sandbox.all_serving())
        # Of a server that is only down nobody knows whether it will be back when its turn comes.
        with harness.Load(self.sandbox) as load:
            result = self.sandbox.staithe("drain", "web1", "web2", "-e", "production", "--min-available", "2", "--yes")
            self.ended(result, 5, "FAILED at web2", "changed web1", "staithe restore -e production web1", "exit 5")
            self.assertEqual({name.split("/")[1] for name in self.sandbox.all_serving()}, {"web1", "web4"})
            self.ended(self.sandbox.staithe("restore", "web1", "-e", "production", "--yes"), 0)
        self.none_failed(load)
        self.sandbox.app("web4", "start")
        self.nothing_left()

    def test_status_names_the_release_that_runs_on_each_host(self):
        self.ended(self.sandbox.deploy("v2", "--limit", "web1,web2"), 0)
        self.ended(self.sandbox.deploy("v3", "--limit", "web3"), 0)
        shown, status = self.last_record("status")
        expected = {}
        for host, version in self.sandbox.versions().items():
            expected.setdefault(self.sandbox.sha[version][:12], []).append(host)
        self.assertEqual(status["versions"], expected, str(shown))
        # What it says comes next is what helps: not to go on with a release that was put back, nor to resume a run that
        # left nobody behind.
        self.ended(self.sandbox.deploy("broken-install", "--limit", "web4"), 1)
        text = self.sandbox.staithe("status", "-e", "production").out
        forward = re.search(r"^Next: staithe (deploy .*?) {4}", text, re.M)[1]
        self.assertIn(self.sandbox.sha["v3"], forward, text)
        self.ended(self.sandbox.staithe(*shlex.split(forward), "--yes"), 0)
        self.assertEqual(set(self.sandbox.versions().values()), {"v3"}, forward)

    def test_status_when_nothing_answers(self):
        self.sandbox.service("stop", "lb1.haproxy")
        self.sandbox.service("kill", "web2.sshd")
        result = self.sandbox.staithe("status", "-e", "production")
        self.assertNotEqual(result.code, 0, str(result))
        self.assertIn("edge1", result.text)
        self.assertIn("web2", result.text)
        self.assertIn("edge2", result.text)

    def test_status_invents_no_versions_for_a_host_whose_sshd_is_down(self):
        self.ended(self.sandbox.deploy("v2"), 0)
        self.sandbox.service("kill", "web3.sshd")
        shown, status = self.last_record("status")
        self.assertEqual(status["versions"], {self.sandbox.sha["v2"][:12]: sandbox.HOSTS}, str(shown))
        self.assertEqual(shown.code, 1, str(shown))

    def only_v1(self, *hosts):
        """As if no other release had ever been there: which one is older is what a rollback goes by."""
        self.ended(self.sandbox.deploy("v1", "--limit", ",".join(hosts)), 0)
        for host in hosts:
            for release in self.sandbox.releases(host):
                if release != self.sandbox.sha["v1"][:12]:
                    shutil.rmtree(self.sandbox.path("hosts", host, "payments", "releases", release))

    def test_rollback_to_the_release_before(self):
        hosts = ("--limit", "web1,web2")
        self.only_v1("web1", "web2")
        for ref in ("v2", "v3"):
            self.ended(self.sandbox.deploy(ref, *hosts), 0)
        with harness.Load(self.sandbox) as load:
            result = self.sandbox.staithe("rollback", *hosts, "-e", "production", "--yes")
        self.ended(result, 0, "done: 2 hosts on " + self.sandbox.sha["v2"][:12])
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": "v2", "web2": "v2"})

    def test_rollback_goes_to_what_served_before_and_to_nothing_that_was_rolled_back(self):
        hosts = ("--limit", "web1,web2")
        self.only_v1("web1", "web2")
        for ref in ("v2", "v3"):
            self.ended(self.sandbox.deploy(ref, *hosts), 0)
        back = ("rollback", *hosts, "-e", "production", "--yes")
        self.ended(self.sandbox.staithe(*back), 0, "done: 2 hosts on " + self.sandbox.sha["v2"][:12])
        v2 = "Release " + self.sandbox.sha["v2"][:12]
        for limit, why in (("web1", ": served web1 before, live on web2"), ("web2", ": served web[1-2] before")):
            self.ended(self.sandbox.deploy("slow-start", "--limit", limit), 0)
            planned = self.sandbox.staithe(*back, "--dry-run")
            self.assertEqual(planned.code, 0, str(planned))
            self.assertRegex(planned.err, re.escape(v2) + ".*" + re.escape(why))
        self.ended(self.sandbox.staithe(*back), 0, "done: 2 hosts on " + self.sandbox.sha["v2"][:12])
        planned = self.sandbox.staithe(*back, "--dry-run")
        self.assertIn("Release " + self.sandbox.sha["v1"][:12], planned.err, str(planned))

    def test_rollback_that_waits_for_a_deploy_goes_to_the_release_before_that_one(self):
        one = ("--limit", "web1")
        self.only_v1("web1")
        self.ended(self.sandbox.deploy("v2", *one), 0)
        hold = self.hold("drained")
        run = self.sandbox.begin_deploy("v3", *one, playbook=self.playbook({"drained": hold.step}))
        hold.reached(run)
        waiting = self.sandbox.begin("rollback", *one, "-e", "production", "--yes", "--lock-wait", "60s")
        self.assertTrue(harness.await_true(lambda: f"pid {run.pid}" in waiting.peek(), 20), waiting.peek())
        hold.let_go()
        self.ended(run.wait(), 0)
        self.ended(waiting.wait(), 0, "done: 1 host on " + self.sandbox.sha["v2"][:12])
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": "v2"})
        self.nothing_left()

    def test_exec_tells_each_host_and_counts_failures(self):
        result = self.sandbox.staithe("exec", "-e", "production", "-H", "app", "--yes", "--",
                                      'test "$STAITHE_HOST" != web3 && echo "I am $STAITHE_HOST"')
        self.assertEqual(result.code, 1, str(result))
        for host in ("web1", "web2", "web4"):
            self.assertIn(f"I am {host}", result.out)
        self.assertNotIn("I am web3", result.out)
        self.assertIn("web3", result.err)
        self.assertRegex(result.err, r"3 of 4 hosts ok in ([1-9]\d*ms|\d+\.\ds)")
        self.nothing_left()

    def test_exec_shows_once_what_hosts_say_alike(self):
        result = self.sandbox.staithe("exec", "-e", "production", "-H", "app", "--fold", "--yes", "--",
                                      'test "$STAITHE_HOST" = web3 && echo odd || { echo like; echo others; }')
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual(result.out, "--- web[1-2,4] (3 hosts)\nlike\nothers\n--- web3 (1 host)\nodd\n")

    def test_exec_loses_nothing_of_much_output(self):
        count = 300_000
        script = f"seq 1 {count}"
        result = self.sandbox.staithe("exec", "-e", "production", "-H", "web1", "--yes", "--", script)
        self.assertEqual(result.code, 0, result.err)
        self.assertTrue(result.out == "".join(f"web1: {i}\n" for i in range(1, count + 1)),
                        f"{result.out.count(chr(10))} lines of {count}; {result.err}")
        result = self.sandbox.staithe("exec", "-e", "production", "-H", "web1", "--yes", "--json", "--", script)
        self.assertEqual(result.code, 0, result.err)
        lines = re.findall(r'"type":"action_output".*"line":"(\d+)"', result.out)
        self.assertTrue(lines == [str(i) for i in range(1, count + 1)], f"{len(lines)} records of {count}; {result.err}")

    def test_exec_begins_no_more_hosts_after_too_many_failures(self):
        result = self.sandbox.staithe("exec", "-e", "production", "-H", "app", "--yes", "--parallel", "1",
                                      "--max-failures", "0", "--", "echo ran; false")
        self.assertEqual((result.code, result.out), (1, "web1: ran\n"), str(result))
        self.assertIn("not run web[2-4]", result.err)
        self.assertIn("0 of 4 hosts ok", result.err)

    def test_exec_output_cannot_write_elsewhere_on_the_terminal(self):
        result = self.sandbox.staithe("exec", "-e", "production", "-H", "web1", "--yes", "--",
                                      r"printf 'a\033[2Jb\a\bc\r\nlast'; printf '\033]0;title\007err\n' >&2")
        self.assertEqual((result.code, result.out), (0, "web1: abc\nweb1: last\n"), str(result))
        self.assertNotRegex(result.err, r"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertIn("err", result.err)

    def test_files_that_can_be_better_are_said_and_plans_are_made(self):
        old = self.sandbox.edited("  production:\n", "  production:\n    secrets: {token: env TOKEN}\n", "staithe.yml")
        self.addCleanup(self.sandbox.write, old, "staithe.yml")
        playbook = self.playbook({"reloaded": "run: echo done | payctl --token $(secret.token)"})
        for command in ("validate", "plan"):
            result = self.sandbox.staithe(command, playbook, "-e", "production")
            self.assertEqual(result.code, 0, str(result))
            self.assertIn("warning: 'secret.token' would be an argument of a program", result.err, str(result))
            self.assertIn("playbooks/test.yml:", result.err)
            self.assertIn("help: use 'env:'", result.err)

    def test_secrets_that_cannot_be_had_are_told_before_anything_is_changed(self):
        missing = self.sandbox.path("no-such-secret")
        old = self.sandbox.edited("  production:\n", "  production:\n    secrets: {tok: env NOT_SET_TOK, key: file " + missing +
                                  "}\n", "staithe.yml")
        self.addCleanup(self.sandbox.write, old, "staithe.yml")
        playbook = self.playbook({"drained": "run: {command: 'test -n \"$TOK$KEY\"', env: {TOK: $(secret.tok), "
                                             "KEY: $(secret.key)}}"})
        variable, file = "the secret's environment variable NOT_SET_TOK is not set", "secret file " + missing + ": No such file"
        before = self.sandbox.versions()
        runs = self.sandbox.rows("SELECT id FROM staithe_runs")
        target = "v3" if before["web1"] == "v2" else "v2"
        self.ended(self.sandbox.deploy(target, playbook=playbook), 4, "2 secrets cannot be had; nothing was changed", variable, file)
        self.assertEqual(self.sandbox.rows("SELECT id FROM staithe_runs"), runs, "it locks nothing")
        self.assertEqual(self.sandbox.versions(), before)
        self.nothing_left()
        # Another machine may have them.
        for command in (("validate", playbook), ("validate",), ("plan", playbook, "-e", "production")):
            result = self.sandbox.staithe(*command)
            self.assertEqual(result.code, 0, str(result))
            for why in (variable, file):
                self.assertIn("warning: " + why, result.err)
            self.assertIn("staithe.yml:", result.err)
            self.assertIn("a run here would be refused", result.err)
        # Of what no playbook needs nobody knows whether a run does.
        os.unlink(self.sandbox.path(playbook))
        result = self.sandbox.staithe("validate")
        self.assertEqual(result.code, 0, str(result))
        self.assertNotIn("a run here would be refused", result.err)
        self.assertEqual(result.err.count("what needs it would not run here"), 2, str(result))

    def test_status_tells_of_every_service(self):
        other = "services:\n  ledger:\n    path: " + self.sandbox.path("hosts/$(host)/ledger") + "\n    hosts: web1\n"
        old = self.sandbox.edited("services:\n", other, "staithe.yml")
        self.addCleanup(self.sandbox.write, old, "staithe.yml")
        result = self.sandbox.staithe("status", "-e", "production")
        self.assertIn("Releases of ledger\n  web1  no release", result.out, str(result))
        self.assertIn("Releases of payments\n  web1  ", result.out, str(result))
        self.assertNotIn("Note:", result.out)
        shown, status = self.last_record("status")
        self.assertEqual(set(status["services"]), {"ledger", "payments"}, str(shown))

    def test_keys_that_are_not_known_are_no_dead_end(self):
        known = self.sandbox.read("ssh", "known_hosts")
        self.addCleanup(self.sandbox.write, known, "ssh", "known_hosts")
        self.sandbox.write("".join(line for line in known.splitlines(True) if "127.0.1.2]" not in line), "ssh", "known_hosts")
        result = self.sandbox.staithe("rollback", "-e", "production", "--yes")
        self.ended(result, 4, "staithe hostkeys scan -e production web2", "nothing was changed")
        self.assertIn("staithe hostkeys scan -e production web2", self.sandbox.staithe("status", "-e", "production").out)
        before = self.sandbox.read("ssh", "known_hosts")
        dry = self.sandbox.staithe("hostkeys", "pin", "web2", "-e", "production", "--dry-run")
        self.ended(dry, 0, "would be written to", "nothing was written")
        self.assertEqual(self.sandbox.read("ssh", "known_hosts"), before)
        self.ended(self.sandbox.staithe("hostkeys", "verify", "web2", "-e", "production"), 4, "staithe hostkeys pin")
        self.ended(self.sandbox.staithe("hostkeys", "pin", "web2", "-e", "production", "--yes"), 0)
        self.assertNotEqual(self.sandbox.read("ssh", "known_hosts"), before)
        self.ended(self.sandbox.staithe("hostkeys", "verify", "-e", "production"), 0)
        # A key that is another than the one on record is written over that only when somebody says so.
        lines = self.sandbox.read("ssh", "known_hosts").splitlines(True)
        key = next(line.split(" ", 1)[1] for line in lines if "127.0.1.3]" in line)
        changed = "".join(line.split(" ", 1)[0] + " " + key if "127.0.1.2]" in line else line for line in lines)
        self.sandbox.write(changed, "ssh", "known_hosts")
        self.ended(self.sandbox.staithe("hostkeys", "verify", "-e", "production"), 4)
        self.ended(self.sandbox.staithe("hostkeys", "pin", "web2", "-e", "production", "--yes"), 4, "web2 differ", "--replace")
        self.assertEqual(self.sandbox.read("ssh", "known_hosts"), changed)
        self.ended(self.sandbox.staithe("hostkeys", "pin", "web2", "-e", "production", "--yes", "--replace"), 0)
        self.ended(self.sandbox.staithe("hostkeys", "verify", "-e", "production"), 0)

    def test_doctor_finds_nothing_then_the_one_thing_that_is_wrong(self):
        well = self.sandbox.staithe("doctor", "-e", "production")
        self.assertEqual(well.code, 0, str(well))
        self.assertIn("Nothing stands in the way", well.out)
        # It is protected, and its locks hold for this directory alone.
        self.assertRegex(well.out, r"(?m)^locks   \.staithe/state\.db\n  note: runs from another checkout or machine ")
        # Of the balancer on this machine and of the one behind SSH, by the files that it runs with.
        self.assertEqual(well.out.count("no load-server-state-from-file"), 2, str(well))
        known = self.sandbox.read("ssh", "known_hosts")
        self.addCleanup(self.sandbox.write, known, "ssh", "known_hosts")
        self.sandbox.write("".join(line for line in known.splitlines(True) if "127.0.2.1" not in line),
                           "ssh", "known_hosts")
        ill = self.sandbox.staithe("doctor", "-e", "production")
        self.assertEqual(ill.code, 1, str(ill))
        self.assertIn("next staithe hostkeys scan -e production lb1", " ".join(ill.out.split()))
        # Not a word about HAProxy's socket: nobody knows anything about it yet.
        self.assertIn("its socket is reached through lb1: see there", ill.out)
        self.assertNotIn("level admin' and mode", ill.out)

    def edit(self, old, new, *parts):
        self.addCleanup(self.sandbox.write, self.sandbox.edited(old, new, *parts), *parts)

    def restart(self, service):
        self.sandbox.service("stop", service, check=False)  # a test may have stopped it
        self.sandbox.service("start", service)

    def test_doctor_says_all_that_is_wrong_at_once(self):
        for service in ("lb2.haproxy", "git.daemon"):
            self.addCleanup(self.restart, service)
        self.edit("level admin", "level operator", "lb2", "haproxy.cfg")
        self.restart("lb2.haproxy")
        self.sandbox.service("stop", "git.daemon")
        self.edit("    reload: ", "    reload: sudo -n /nowhere/appctl\n    # ", "staithe.yml")
        bash = os.path.basename(pwd.getpwuid(os.getuid()).pw_shell) == "bash"
        if bash:  # which reads this file when it starts
            self.edit("unset", "sleep 0.4; unset", "hosts", "web2", "record.sh")
        result = self.sandbox.staithe("doctor", "-e", "production")
        self.assertEqual(result.code, 1, str(result))
        for said, times in (("git cannot reach git://127.0.3.1", 4), ("no right to run: sudo -n /nowhere/appctl", 4),
                            ("level operator", 2), ("to start\n", 1 if bash else 0)):
            self.assertEqual(result.out.count(said), times, f"{said}: {result}")
        for fact in ("user ", "key from ", "host key ssh-ed25519", "handshake ", " free", "clock ", "admin socket by streamlocal"):
            self.assertIn(fact, result.out)

    def test_what_ssh_config_says_of_keys_is_used(self):
        """web1 is known by another name, web2 wants the agent's key, web3 a certificate; all from an included file."""
        def keygen(*words):
            subprocess.run(["ssh-keygen", "-q", *words], check=True)
        keys = self.sandbox.path("ssh")
        key = os.path.join(keys, "id_ed25519")
        self.edit("[127.0.1.1]:" + self.sandbox.env["SSH_PORT"], "the-first", "ssh", "known_hosts")
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", os.path.join(keys, "agent")], stdout=subprocess.DEVNULL)
        self.addCleanup(agent.wait)
        self.addCleanup(agent.kill)
        self.assertTrue(harness.await_true(lambda: os.path.exists(os.path.join(keys, "agent"))))
        for name in ("authority", "bare"):
            keygen("-t", "ed25519", "-N", "", "-f", os.path.join(keys, name))
        keygen("-s", os.path.join(keys, "authority"), "-I", "test", "-n", getpass.getuser(), os.path.join(keys, "bare.pub"))
        os.rename(os.path.join(keys, "bare-cert.pub"), os.path.join(keys, "certificate"))
        self.addCleanup(self.restart, "web3.sshd")
        self.edit("AuthorizedKeysFile ", f"TrustedUserCAKeys {keys}/authority.pub\nAuthorizedKeysFile none\n# ",
                  "hosts", "web3", "sshd_config")
        self.restart("web3.sshd")
        # The key that opens all is for web1 only.
        self.edit("    IdentityFile", f"Include {keys}/more\nHost 127.0.1.1\n    IdentityFile", "ssh", "config")
        words = {"web1": "HostKeyAlias the-first", "web2": f"IdentityAgent {keys}/agent", "web3": f"CertificateFile {keys}/certificate"}
        lines = [f"Match host 127.0.1.{name[3]} user {getpass.getuser()}\n    {said}\n" for name, said in words.items()]
        lines.append(f"Host *.3\n    IdentityFile {keys}/bare\nHost *.2\n    IdentitiesOnly no\n    IdentityFile none\n")
        self.sandbox.write("".join(lines), "ssh", "more")
        ask = lambda: self.sandbox.staithe("exec", "-e", "production", "-H", "web[1-3]", "--yes", "--", "true")
        result = ask()
        self.assertIn("2 of 3 hosts ok", result.err)  # the agent has no key yet
        self.assertIn("no key to show (agent: it holds no key for this)", result.err)
        subprocess.run(["ssh-add", "-q", key], env={**os.environ, "SSH_AUTH_SOCK": os.path.join(keys, "agent")}, check=True)
        result = ask()
        self.assertEqual(result.code, 0, str(result))
        for host, said in words.items():
            self.sandbox.write("".join(lines).replace(said, "Compression no"), "ssh", "more")
            result = ask()
            # A key that nobody knows is found before anything runs; else it ran on the two others.
            self.assertEqual(result.code, 4 if host == "web1" else 1, str(result))
            self.assertRegex(result.err, rf"\b{host}: ")

    def test_doctor_says_that_no_agent_answers_though_another_key_opens_the_door(self):
        config = self.sandbox.read("ssh", "config")
        self.addCleanup(self.sandbox.write, config, "ssh", "config")
        self.sandbox.write("Host 127.0.1.2\n    IdentityAgent /nowhere/agent\n" + config, "ssh", "config")
        result = self.sandbox.staithe("doctor", "-e", "production")
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual(result.out.count("no SSH agent answers"), 1, str(result))
        self.assertRegex(result.out, "(?s)web2   user .*warning: no SSH agent answers: /nowhere/agent: No such file or directory, "
                                     "so that only .*id_ed25519 opens the door\n    next  start it and ssh-add the key.*web3   ")

    def test_a_proxy_of_ssh_config_is_used_and_one_that_nobody_asks_for_is_said(self):
        config = self.sandbox.read("ssh", "config")
        self.addCleanup(self.sandbox.write, config, "ssh", "config")
        on_record = self.sandbox.path("proxied")
        proxy = f"ProxyCommand echo %n >>{on_record}; socat - TCP:%h:%p"
        # Not what it says for the name: the inventory has an address.
        self.sandbox.write(f"Host web1\n    {proxy}\n" + config, "ssh", "config")
        ill = self.sandbox.staithe("doctor", "-e", "production")
        self.assertEqual(ill.code, 0, str(ill))
        self.assertEqual(ill.out.count("ssh_config has a proxy (echo web1"), 1, str(ill))
        self.assertFalse(os.path.exists(on_record))
        # The same of a key, and where the door stays shut for lack of it.
        other = config.replace("IdentityFile", "IdentityFile /nowhere/key\n    #")
        self.sandbox.write("Host web1\n    IdentityFile /for/web1\n" + other, "ssh", "config")
        shut = self.sandbox.staithe("exec", "-e", "production", "-H", "web1", "--yes", "--", "true")
        self.assertNotEqual(shut.code, 0, str(shut))
        self.assertRegex(shut.err, r"no key to show \(.*/nowhere/key: no such file.*; ssh_config has "
                                   r"IdentityFile /for/web1 for the name web1, but is asked about the address 127\.0\.1\.1")
        # What ssh_config has for the name was not asked for: that it cannot be read hides nothing.
        self.sandbox.write("Host web2\n    IdentityFile /for/%Q\n" + other, "ssh", "config")
        shut = self.sandbox.staithe("exec", "-e", "production", "-H", "web2", "--yes", "--", "true")
        self.assertRegex(shut.err, r"no key to show \(.*/nowhere/key: no such file")
        # A shell command that `exec` would end, as with OpenSSH, is put into a shell of its own.
        proxy = f"ProxyCommand sh -c 'echo %n >>{on_record}; exec socat - TCP:%h:%p'"
        self.sandbox.write(f"Host web[12] 127.0.1.*\n    {proxy}\nHost 127.0.2.1\n    ProxyJump lb2\n" + config,
                           "ssh", "config")
        well = self.sandbox.staithe("doctor", "-e", "production")
        self.assertEqual(well.code, 0, str(well))
        self.assertNotIn("has a proxy", well.out)
        self.assertEqual(sorted(set(self.sandbox.read("proxied").split())), [f"127.0.1.{n}" for n in (1, 2, 3, 4)])
        # A deploy through both kinds of proxy, the balancer's socket among what is behind them.
        with sandbox.Load(self.sandbox) as load:
            self.assertEqual(self.sandbox.deploy(self.sandbox.versions(["web1"])["web1"], "--limit", "web1").code, 0)
        self.assertEqual(load.failed, 0, load.counts)

    def test_doctor_knows_what_the_files_of_a_haproxy_say(self):
        def restart():
            self.sandbox.service("stop", "lb2.haproxy")
            self.sandbox.service("start", "lb2.haproxy")
        self.addCleanup(restart)
        self.addCleanup(self.sandbox.write, self.sandbox.read("lb2", "haproxy.cfg"), "lb2", "haproxy.cfg")
        self.sandbox.edited("defaults\n", "defaults\n    load-server-state-from-file global\n", "lb2", "haproxy.cfg")
        self.sandbox.edited("\nbackend api\n", "\nbackend api\n    dynamic-cookie-key k\n    cookie SRV insert dynamic\n"
                            "    default-server on-marked-down shutdown-sessions\n", "lb2", "haproxy.cfg")
        restart()
        result = self.sandbox.staithe("doctor", "-e", "production")
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual(result.out.count("no load-server-state-from-file"), 1, str(result))
        self.assertIn("dump 'show servers state' before every reload", result.out)
        self.assertEqual(result.out.count("on-marked-down shutdown-sessions stands in its files"), 1, str(result))

    def test_a_balancer_whose_sshd_forwards_no_sockets_is_asked_by_a_program_there(self):
        def restart():
            self.sandbox.service("stop", "lb1.sshd")
            self.sandbox.service("start", "lb1.sshd")
        self.addCleanup(restart)
        self.addCleanup(self.sandbox.write, self.sandbox.read("hosts", "lb1", "sshd_config"), "hosts", "lb1", "sshd_config")
        self.sandbox.edited("AllowStreamLocalForwarding yes", "AllowStreamLocalForwarding no", "hosts", "lb1", "sshd_config")
        restart()
        doctor = self.sandbox.staithe("doctor", "-e", "production")
        self.assertEqual(doctor.code, 0, str(doctor))
        self.assertEqual(doctor.out.count("admin socket by perl"), 1, str(doctor))
        self.ended(self.sandbox.staithe("drain", "web1", "-e", "production", "--yes"), 0)
        self.assertEqual({name.split("/")[1] for name in self.sandbox.all_serving()}, {"web1"})
        self.ended(self.sandbox.staithe("restore", "web1", "-e", "production", "--yes"), 0)
        self.nothing_left()

    def test_unlock_says_what_it_would_take_away(self):
        hold = self.hold("healthy")
        run = self.sandbox.begin_deploy("v2", "--limit", "web1", playbook=self.playbook({"healthy": hold.step}))
        hold.reached(run)
        words = ("unlock", "-e", "production", "--reason", "test", "--force", "--dry-run")
        result = self.sandbox.staithe(*words)
        self.assertEqual((result.code, result.out[:32]), (0, "would unlock production/payments"), str(result))
        self.assertEqual(len(self.sandbox.locks()), 1)
        hold.let_go()
        self.ended(run.wait(), 0)

    def test_a_run_whose_lock_is_taken_away_begins_nothing_more(self):
        """Another may be at work from then on: the host in hand is given back, and no other is touched."""
        target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        before = self.sandbox.versions(["web2"])
        hold = self.hold("healthy")
        playbook = self.playbook({"healthy": hold.step})
        with harness.Load(self.sandbox) as load:
            run = self.sandbox.begin_deploy(target, "--limit", "web1,web2", playbook=playbook)
            hold.reached(run)
            words = ("unlock", "-e", "production", "--reason", "test", "--force", "--confirm", sandbox.SCOPE, "--json")
            taken = self.sandbox.staithe(*words)
            self.assertEqual(taken.code, 0, str(taken))
            record = json.loads(taken.out.splitlines()[-1])
            self.assertEqual([record["type"], record["outcome"], record["scope"]], ["unlock", "unlocked", sandbox.SCOPE])
            self.assertTrue(harness.await_true(lambda: self.sandbox.locks() == []))
            # The run looks at its lock every five seconds, and says nothing of it before its next step: three looks.
            time.sleep(17)
            hold.let_go()
            result = run.wait()
        self.ended(result, 5, "the lock on production/payments was taken away from this run", "changed web1",
                   "restored web2 (as it was, nothing altered)")
        self.none_failed(load)
        self.assertEqual(self.sandbox.versions(["web2"]), before)
        self.nothing_left()

    def test_history_has_every_run_with_its_end(self):
        self.ended(self.sandbox.deploy("v2", "--limit", "web4"), 0)
        self.assertEqual(self.sandbox.deploy("broken-start", "--limit", "web4").code, 1)
        result = self.sandbox.staithe("history", "-e", "production", "--json")
        self.assertEqual(result.code, 0, str(result))
        runs = self.sandbox.rows("SELECT id, exit_code FROM staithe_runs")
        self.assertGreaterEqual(len(runs), 2)
        for run_id, _ in runs:
            self.assertIn(run_id, result.out)

    def closing(self, streams, *arguments):
        """Begins the program as a shell does with `>&-`: nothing stands behind these numbers."""
        def close():
            for stream in streams:
                os.close(stream)
        # Closed in the child alone, after everything else of its start.
        return subprocess.Popen([sandbox.STAITHE, *arguments], cwd=self.sandbox.dir, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=close)

    def test_a_closed_stream_gives_its_number_to_nothing_that_is_opened_later(self):
        ref = "v2" if self.sandbox.versions()["web1"] == "v3" else "v3"
        with harness.Load(self.sandbox) as load:
            run = self.closing((0, 1, 2), "deploy", "playbooks/deploy.yml", "-e", "production", "--var", "ref=" + ref,
                               "--yes")
            def stand_for():
                with contextlib.suppress(OSError):
                    return {os.readlink(f"/proc/{run.pid}/fd/{stream}") for stream in range(3)}
                return set()

            # Before its main() the loader reads libraries through the lowest number that is free.
            self.assertTrue(harness.await_true(lambda: stand_for() == {"/dev/null"}, 10))
            opened = set()
            while run.poll() is None:
                opened |= stand_for()
                time.sleep(0.05)
            run.communicate()
        self.assertEqual(run.returncode, 0)
        self.assertEqual(opened, {"/dev/null"})
        self.assertEqual(set(self.sandbox.versions().values()), {ref})
        self.none_failed(load)

    def test_an_answer_that_could_not_be_written_is_no_success(self):
        closed = self.closing((1,), "plan", "playbooks/deploy.yml", "-e", "production")
        _, said = closed.communicate(timeout=60)
        self.assertEqual(closed.returncode, 4)
        self.assertIn(b"staithe: stdout: not all was written: Bad file descriptor", said)
        self.ended(self.sandbox.staithe("exec", "-e", "production", "-H", "web1", "--yes", "--", "true"), 0)
        for arguments in (("plan", "playbooks/deploy.yml"), ("hostkeys", "scan"), ("history",), ("--help",)):
            with open("/dev/full", "wb") as full:
                told = subprocess.run([sandbox.STAITHE, *arguments], cwd=self.sandbox.dir, stdout=full,
                                      stderr=subprocess.PIPE, timeout=60, check=False)
            self.assertEqual(told.returncode, 4, arguments)
            self.assertIn(b"not all was written: No space left on device", told.stderr, arguments)
        # Who has read enough has not lost anything.
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as gone:
            enough = subprocess.run([sandbox.STAITHE, "history"], cwd=self.sandbox.dir, stdout=gone, timeout=60,
                                    stderr=subprocess.PIPE, check=False)
        self.assertEqual((enough.returncode, enough.stderr), (0, b""))


if __name__ == "__main__":
    harness.main()
