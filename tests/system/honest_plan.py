"""What a plan says is what happens, and a dry run does nothing but print it."""
import hashlib
import json
import os
import pwd
import shlex
import unittest

import harness


def tree(root):
    """Everything under a directory: kind, mode, owner, times, and what is in it."""
    found = {}
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            entry = [oct(status.st_mode), status.st_uid, status.st_mtime_ns]
            if os.path.islink(path):
                entry.append(os.readlink(path))
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    entry.append(hashlib.sha256(file.read()).hexdigest())
            found[os.path.relpath(path, root)] = entry
    return found


def effects_in_order(lane):
    """The effects of a lane that goes well, as the plan has them."""
    for node in lane["nodes"]:
        if node["kind"] == "bracket":
            for part in ("acquire", "body", "release"):
                yield from (action["effect"] for action in node[part])
        else:
            yield node["effect"]


class WithTaps(harness.SystemTest):
    """The balancers' sockets are reached through a tap that records what they are told."""

    def setUp(self):
        super().setUp()
        before = self.sandbox.read("staithe.yml")
        self.addCleanup(self.sandbox.write, before, "staithe.yml")
        self.sandbox.write(before.replace("/admin.sock", "/tap.sock"), "staithe.yml")
        for balancer in harness.BALANCERS:
            self.sandbox.service("start", balancer + ".tap")
            self.assertTrue(harness.await_true(lambda path=self.sandbox.path(balancer, "tap.sock"): os.path.exists(path)))
            self.addCleanup(self.sandbox.service, "stop", balancer + ".tap")
            with open(self.sandbox.path(balancer, "commands.log"), "w", encoding="ascii"):
                pass
        for host in harness.HOSTS + harness.BALANCERS:
            with open(self.sandbox.path("hosts", host, "commands.log"), "w", encoding="ascii"):
                pass

    def told(self, balancer):
        """The commands that a balancer's socket was told, in order."""
        lines = self.sandbox.read(balancer, "commands.log").replace("\0", "\n").split("\n")
        return [command.strip() for line in lines for command in line.split(";") if command.strip()]

    def changes(self, balancer):
        return [command for command in self.told(balancer)
                if not command.startswith(("show ", "get ", "set severity-output"))]

    def received(self, host):
        """The scripts that a host's sshd was given, without the leash around them."""
        scripts = []
        for text in self.sandbox.read("hosts", host, "commands.log").split("\0"):
            if text:
                words = shlex.split(text)
                if words[0].startswith("STAITHE_SCRIPT="):
                    self.assertEqual(words[1:6] + words[7:], ["export", "STAITHE_SCRIPT;", "exec", "sh", "-c", "staithe-leash"])
                    scripts.append([words[0].removeprefix("STAITHE_SCRIPT=").removesuffix(";")])
                else:
                    self.assertEqual(words[:3] + words[4:5], ["exec", "sh", "-c", "staithe-upload"], text)
                    scripts.append(words[5:])
        return scripts

    def git_requests(self):
        return self.sandbox.read("log", "git.daemon.log").count("Request upload-pack")


class DryRun(WithTaps):
    def test_sends_nothing_that_changes_anything(self):
        self.ended(self.sandbox.deploy("v2", "--limit", "web1"), 0)
        for balancer in harness.BALANCERS:
            with open(self.sandbox.path(balancer, "commands.log"), "w", encoding="ascii"):
                pass
        watched = ["hosts", ".staithe", "playbooks", "ssh", "git", "lb1", "lb2"]
        before = {name: tree(self.sandbox.path(name)) for name in watched}
        servers = self.sandbox.servers()
        heard = {host: self.sandbox.read("log", host + ".sshd.log") for host in harness.HOSTS + harness.BALANCERS}
        asked = self.git_requests()
        playbook = ["playbooks/deploy.yml", "-e", "production", "--var", "ref=v3"]
        commands = [["deploy", *playbook, "--dry-run"], ["deploy", *playbook, "--dry-run", "--yes", "-v"],
                    ["deploy", *playbook, "--dry-run", "--json"], ["run", *playbook, "--dry-run"],
                    ["exec", "-e", "production", "-H", "app", "--dry-run", "--", "touch", self.sandbox.path("hosts", "touched")],
                    ["drain", "web1", "-e", "production", "--dry-run"],
                    ["restore", "web1", "-e", "production", "--dry-run"],
                    ["recover", "-e", "production", "--dry-run"]]
        if "the same" in self.sandbox.staithe("plan", "--help").text.lower():
            commands.append(["plan", *playbook])
        for arguments in commands:
            result = self.sandbox.staithe(*arguments)
            self.assertEqual(result.code, 0, str(result))
            self.assertGreater(len(result.out), 20 if arguments[0] != "recover" else 5, str(result))
        self.assertEqual({name: tree(self.sandbox.path(name)) for name in watched}, before)
        self.assertEqual(self.sandbox.servers(), servers)
        self.assertEqual([self.told(balancer) for balancer in harness.BALANCERS], [[], []])
        for host, log in heard.items():
            self.assertEqual(self.sandbox.read("log", host + ".sshd.log"), log, f"{host} was connected to")
        resolved = sum("ref=v3" in arguments for arguments in commands)
        self.assertEqual(self.git_requests() - asked, resolved, "git is asked once what the ref is, and nothing else")

    def test_dry_run_of_a_rollback_only_looks(self):
        """It has to ask the hosts which releases they hold; what it names is then what a rollback does."""
        for ref in ("v2", "v3"):
            self.ended(self.sandbox.deploy(ref, "--limit", "web1"), 0)
        for balancer in harness.BALANCERS:
            with open(self.sandbox.path(balancer, "commands.log"), "w", encoding="ascii"):
                pass
        watched = ["hosts", ".staithe", "playbooks", "ssh", "git", "lb1", "lb2"]
        before, servers = {name: tree(self.sandbox.path(name)) for name in watched}, self.sandbox.servers()
        asked = self.git_requests()
        rollback = ["rollback", "-e", "production", "--limit", "web1"]
        plan = json.loads(self.sandbox.staithe(*rollback, "--dry-run", "--json").out)
        for name in watched:
            now = tree(self.sandbox.path(name))
            changed = {path for path in {**now, **before[name]} if now.get(path) != before[name].get(path)}
            # What the sandbox's sshd hears is written down there.
            self.assertEqual(changed, {"web1/commands.log"} if name == "hosts" else set(), name)
        self.assertEqual(self.sandbox.servers(), servers)
        self.assertEqual([self.changes(balancer) for balancer in harness.BALANCERS], [[], []])
        self.assertEqual(self.git_requests(), asked, "a rollback needs nothing of git")
        self.assertIn(self.sandbox.sha["v2"][:7], json.dumps(plan))
        self.ended(self.sandbox.staithe(*rollback, "--expect-plan", plan["id"], "--yes"), 0)
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": "v2"})
        self.nothing_left()

    def test_a_plan_is_stable_and_its_id_can_be_insisted_on(self):
        arguments = ("playbooks/deploy.yml", "-e", "production", "--var", "ref=v3")
        first = self.sandbox.staithe("deploy", *arguments, "--dry-run")
        again = self.sandbox.staithe("deploy", *arguments, "--dry-run")
        self.assertEqual(first.out, again.out)
        plan = json.loads(self.sandbox.staithe("deploy", *arguments, "--dry-run", "--json").out)
        self.assertIn(plan["id"], first.out.strip().split("\n")[-1], "the id comes last")
        before = self.sandbox.versions()
        refused = self.sandbox.staithe("deploy", "playbooks/deploy.yml", "-e", "production", "--var", "ref=v2", "--yes",
                                       "--expect-plan", plan["id"])
        self.ended(refused, 4, "nothing was changed")
        self.assertEqual(self.sandbox.versions(), before)
        self.nothing_left()
        done = self.sandbox.deploy("v3", "--expect-plan", plan["id"])
        self.ended(done, 0)

    def test_the_id_does_not_depend_on_where_the_person_stands(self):
        """And a run from elsewhere finds its keys and its files."""
        self.sandbox.write("motd\n", "playbooks", "motd")
        target = self.sandbox.path("run", "motd-$(host)")
        playbook = self.playbook(stage=[f"upload: {{from: playbooks/motd, to: {target}}}",
                                        "local: cp playbooks/motd run/motd-here"])
        here = self.sandbox.path()
        words = ("-e", "production", "--var", "ref=v2", "--limit", "web1")
        link = here.rstrip("/") + "-link"
        os.symlink(here, link)
        self.addCleanup(os.unlink, link)
        ids = set()
        for directory, path in ((here, playbook), (self.sandbox.path("playbooks"), "test.yml"), (link, playbook),
                                ("/", os.path.join(here, playbook)), (here, os.path.join(here, playbook))):
            place = ("-C", directory) if directory != "/" else ("-C", "/", "-f", os.path.join(here, "staithe.yml"))
            result = self.sandbox.staithe("plan", path, *place, *words)
            self.assertEqual(result.code, 0, str(result))
            ids.add(result.out.split()[-1])
        self.assertEqual(len(ids), 1, ids)
        result = self.sandbox.staithe("deploy", "test.yml", "-C", self.sandbox.path("playbooks"), *words, "--yes",
                                      "--expect-plan", ids.pop())
        self.ended(result, 0, "done: 1 host")
        self.assertEqual(self.sandbox.read("run", "motd-web1"), "motd\n")
        self.assertEqual(self.sandbox.read("run", "motd-here"), "motd\n")
        self.nothing_left()

    def test_protected_environment_needs_a_yes(self):
        before = self.sandbox.versions()
        result = self.sandbox.staithe("deploy", "playbooks/deploy.yml", "-e", "production", "--var", "ref=v2")
        self.ended(result, 4, "--yes")
        self.assertEqual([self.changes(balancer) for balancer in harness.BALANCERS], [[], []])
        self.assertEqual(self.sandbox.versions(), before)
        self.nothing_left()


@unittest.skipUnless(os.path.basename(pwd.getpwuid(os.getuid()).pw_shell) == "bash", "the record needs bash on the hosts")
class PlanIsKept(WithTaps):
    def test_what_a_run_that_fails_does_stands_in_the_printed_plan(self):
        """Its undos too; and what is done once names its host wherever it is told of."""
        self.sandbox.write("playbook: task\nhosts: web[1-2]\nstrategy: {on_failure: revert_all}\n"
                           "each:\n  - run: {command: echo forth, undo: echo back}\n"
                           "after:\n  - run: {command: exit 3, on: web2}\n", "playbooks", "task.yml")
        task = ("playbooks/task.yml", "-e", "production")
        plan = self.sandbox.staithe("plan", *task).out
        self.assertIn("exit 3   on web2   at most", plan)
        reports = harness.Reports(self)
        result = self.sandbox.staithe("run", *task, "--yes", *reports.options)
        self.ended(result, 1, "FAILED at web2: exit 3", "reverted web[1-2]")
        self.assertRegex(result.err, r"\d web2 1/1 run: exit 3 FAILED")
        for host in ("web1", "web2"):
            received = [script for script, in self.received(host)]
            self.assertIn("echo back", received)
            for line in "\n".join(received).split("\n"):
                self.assertIn(line, plan)

        with open(reports.files["jsonl"], encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        once = {record["host"] for record in records if record.get("action_id") == "after/1"}
        self.assertEqual((once, records[-1]["failed_host"]), ({"web2"}, "web2"))
        self.assertTrue(any(name.endswith(".after.web2") for name, _ in reports.cases()), reports.cases())
        history = self.sandbox.staithe("history", records[-1]["run_id"], "-e", "production")
        self.assertRegex(history.out, r"web2 .* exit 3 +failed")
        self.nothing_left()

    def test_commands_of_the_plan_are_the_commands_received(self):
        target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        upload = self.sandbox.path("playbooks", "motd")
        self.sandbox.write("hello $(host)\n", "playbooks", "motd")
        stage = [f"upload: {{from: {upload}, to: {self.sandbox.path('hosts')}/$(host)/motd}}"]
        playbook = self.playbook({"restored": "run: echo $(host) serves again"}, stage)
        hosts = ["web1", "web2", "web3"]
        arguments = ["--limit", ",".join(hosts)]
        plan = json.loads(self.sandbox.deploy(target, *arguments, "--dry-run", "--json", playbook=playbook).out)
        asked = self.git_requests()
        result = self.sandbox.deploy(target, *arguments, playbook=playbook)
        self.ended(result, 0)

        for host in hosts:
            planned, moves = [], []
            for stage_of in plan["stages"]:
                for lane in stage_of["lanes"]:
                    for effect in effects_in_order(lane) if lane["host"] == host else ():
                        if effect["kind"] == "run_remote":
                            planned.append([effect["script"]])
                        elif effect["kind"] == "upload_file":
                            planned.append([effect["path"], os.path.dirname(effect["path"])])
                        elif effect["kind"] == "change_rotation":
                            moves.append(effect["to"])
            self.assertGreater(len(planned), 5)
            self.assertEqual(self.received(host), planned, host)
            self.assertEqual(moves, ["drain", "maint", "prove", "ready"])

        # The balancers hear of each planned change of a host, in order, for its two servers, and of nothing else.
        for balancer in harness.BALANCERS:
            expected = []
            for host in hosts:
                servers = [f"{name['backend']}/{name['server']}" for name in plan["hosts"][host]["servers"]["names"]]
                for words in (["state drain"], ["state maint"], ["state drain", "health down"], ["state ready"]):
                    expected.append({f"set server {server} {word}" for server in servers for word in words})
            changes = self.changes(balancer)
            heard = []
            for step in expected:
                heard.append(set(changes[:len(step)]))
                changes = changes[len(step):]
            self.assertEqual(heard, expected)
            self.assertEqual(changes, [], "commands that no plan named")
        self.assertEqual([self.received(host) for host in ("web4", "lb1", "lb2")], [[], [], []])

        # git: the ref is resolved once, each host looks whether it can reach the repository, and fetches once.
        fetches = sum("git fetch" in script[-1] for host in hosts for script in self.received(host))
        self.assertEqual(fetches, len(hosts))
        self.assertLessEqual(self.git_requests() - asked, 1 + 2 * len(hosts))
        self.assertGreaterEqual(self.git_requests() - asked, 1 + len(hosts))
        self.nothing_left()


if __name__ == "__main__":
    harness.main(at_once=2)
