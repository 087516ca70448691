"""What a person is asked at a terminal, and what is true where nobody is: the question of a protected environment, the
step `confirm`, the passphrase of a key. And what else a project may declare that the sandbox's own does not: a balancer
over TCP, who is told of a run that did not end well, on_failure: revert_all."""
import contextlib
import http.server
import json
import os
import pty
import re
import subprocess
import threading

import harness
import ports
import sandbox

ONE = ("-e", "production", "--limit", "web1")
PASSPHRASE = "open sesame"


class AtTerminal:
    """staithe with a terminal for all three streams, and what it wrote there."""

    def __init__(self, fleet, *words):
        self.terminal, inside = pty.openpty()
        self.said = []
        self.process = subprocess.Popen(["setsid", "--ctty", sandbox.STAITHE, *words], stdin=inside, stdout=inside,
                                        stderr=inside, cwd=fleet.dir, env=fleet.environ)
        os.close(inside)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        with contextlib.suppress(OSError):
            while part := os.read(self.terminal, 65536):
                self.said.append(part.decode(errors="replace"))

    @property
    def text(self):
        return "".join(self.said)

    def answer(self, question, answer):
        """Types it once the question is there."""
        if not harness.await_true(lambda: question in self.text or self.process.poll() is not None, 60) or question not in self.text:
            raise AssertionError(f"'{question}' was not asked: {self.text}")
        os.write(self.terminal, answer.encode() + b"\n")

    def wait(self):
        code = self.process.wait(90)
        self.reader.join(60)
        os.close(self.terminal)
        return code


class Asked(harness.SystemTest):
    def write_task(self, *steps):
        """A playbook that only does these steps on the host."""
        self.sandbox.write("playbook: task\nhosts: app\neach:\n" + "".join(f"  - {step}\n" for step in steps),
                           "playbooks", "task.yml")
        return "playbooks/task.yml"

    def test_who_says_no_to_a_protected_environment_changes_nothing(self):
        done = self.sandbox.path("run", "done")
        task = self.write_task(f"run: touch {done}")
        for answer, code in (("n", 4), ("", 4), ("yes please", 4), ("y", 0)):
            run = AtTerminal(self.sandbox, "run", task, *ONE)
            run.answer("which is protected, on 1 host. Go on? [y/N]", answer)
            self.assertEqual(run.wait(), code, run.text)
            self.assertEqual("not confirmed; nothing was changed" in run.text, code == 4, run.text)
            self.assertEqual(os.path.exists(done), code == 0, run.text)
        self.ended(self.sandbox.staithe("run", task, *ONE), 4, "--yes is needed when not running interactively")
        self.nothing_held()

    def test_a_step_that_asks_goes_on_only_where_somebody_says_yes(self):
        done = self.sandbox.path("run", "confirmed")
        task = self.write_task("confirm: Does the canary look well?", f"run: touch {done}")
        question = "Does the canary look well?"
        no = AtTerminal(self.sandbox, "run", task, *ONE, "--yes")
        # Who says yes to the whole says it to each question.
        self.assertEqual(no.wait(), 0, no.text)
        self.assertTrue(os.path.exists(done))
        os.unlink(done)
        for answer in ("n", "y"):
            run = AtTerminal(self.sandbox, "run", task, *ONE)
            run.answer("Go on? [y/N]", "y")
            run.answer(question, answer)
            self.assertEqual(run.wait() == 0, answer == "y", run.text)
            self.assertEqual(os.path.exists(done), answer == "y", run.text)
        self.nothing_held()

    def test_a_step_that_nobody_can_be_asked_refuses_the_run_before_anything_is_changed(self):
        before = self.sandbox.edited("    protected: true\n", "", "staithe.yml")
        self.addCleanup(self.sandbox.write, before, "staithe.yml")
        done = self.sandbox.path("run", "unasked")
        task = self.write_task(f"run: touch {done}", "confirm: Does the canary look well?")
        runs = self.sandbox.rows("SELECT id FROM staithe_runs")
        refusal = "--yes is needed when not running interactively: a step asks 'Does the canary look well?'; nothing was changed"
        self.ended(self.sandbox.staithe("run", task, *ONE), 4, refusal)
        alone = AtTerminal(self.sandbox, "run", task, *ONE, "--no-input")
        self.assertEqual(alone.wait(), 4, alone.text)
        self.assertIn(refusal, alone.text)
        self.assertFalse(os.path.exists(done))
        self.assertEqual(self.sandbox.rows("SELECT id FROM staithe_runs"), runs)
        for words in (("plan", task), ("run", task, "--dry-run")):
            self.ended(self.sandbox.staithe(*words, *ONE), 0)
        self.assertFalse(os.path.exists(done))
        self.ended(self.sandbox.staithe("run", task, *ONE, "--yes"), 0)
        self.assertTrue(os.path.exists(done))
        self.nothing_held()

    def test_an_encrypted_key_asks_for_its_passphrase_or_is_named(self):
        config = self.sandbox.read("ssh", "config")
        self.addCleanup(self.sandbox.write, config, "ssh", "config")
        key = re.search(r"IdentityFile (\S+)", config)[1]
        locked = self.sandbox.path("ssh", "locked")
        self.sandbox.write(self.sandbox.read(key), locked)
        os.chmod(locked, 0o600)
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", locked], check=True, stdout=subprocess.DEVNULL)
        self.sandbox.write(config.replace(key, locked), "ssh", "config")
        words = ("exec", *ONE, "--yes", "--", "true")
        run = AtTerminal(self.sandbox, *words)
        run.answer("locked", PASSPHRASE)
        self.assertEqual(run.wait(), 0, run.text)
        self.assertNotIn(PASSPHRASE, run.text)
        shut = self.sandbox.staithe(*words)
        self.assertNotEqual(shut.code, 0, str(shut))
        self.assertRegex(shut.err, "locked: encrypted, and no passphrase was given")


class Declared(harness.SystemTest):
    def edit(self, old, new, *parts):
        self.addCleanup(self.sandbox.write, self.sandbox.edited(old, new, *parts), *parts)

    def test_a_balancer_is_reached_over_tcp(self):
        port = ports.free_port("127.0.2.1")
        admin = f"stats socket {self.sandbox.path('lb1', 'admin.sock')}"
        self.edit(admin, f"stats socket ipv4@127.0.2.1:{port} level admin\n    {admin}", "lb1", "haproxy.cfg")
        self.edit(f"socket: {self.sandbox.path('lb1', 'admin.sock')}, on: lb1", f'socket: "tcp 127.0.2.1:{port}"', "staithe.yml")
        self.reload_balancer("lb1")
        self.ended(self.sandbox.staithe("drain", "web1", "-e", "production", "--yes", "--reason", "test"), 0)
        self.assertEqual({name for name in self.sandbox.all_serving() if "api/" in name}, {"lb1 api/web1", "lb2 api/web1"})
        self.ended(self.sandbox.staithe("restore", "web1", "-e", "production", "--yes"), 0)
        self.nothing_left()

    def test_who_is_declared_hears_of_a_run_that_did_not_end_well(self):
        heard = []

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                heard.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.edit("    protected: true\n", "    protected: true\n    notify: [slack env HOOK]\n", "staithe.yml")
        env = {"HOOK": f"http://127.0.0.1:{server.server_port}/hook"}
        self.sandbox.write('playbook: task\nservice: payments\nhosts: app\neach:\n  - run: "test $(ok) = yes"\n', "playbooks", "task.yml")
        run = ("run", "playbooks/task.yml", *ONE, "--yes", "--var")
        self.ended(self.sandbox.staithe(*run, "ok=yes", env=env), 0)
        self.assertEqual(heard, [])
        failed = self.sandbox.staithe(*run, "ok=no", env=env)
        self.assertNotEqual(failed.code, 0)
        self.assertEqual(len(heard), 1, str(failed))
        (path, text), = heard
        self.assertEqual(path, "/hook")
        self.assertEqual(text, "task on production did not end well")
        self.nothing_held()

    def test_a_release_that_fails_on_a_later_host_leaves_none_on_it(self):
        before = self.sandbox.versions()
        target = "v3" if before["web1"] == "v2" else "v2"
        playbook = self.playbook({"reloaded": "run: test $(host) = web1"},
                                 strategy="  {batches: [1, 100%], max_failures: 0, min_available: 2, on_failure: revert_all}")
        with harness.Load(self.sandbox) as load:
            result = self.sandbox.deploy(target, "--limit", "web1,web2", playbook=playbook)
        self.ended(result, 1, "FAILED at web2", "reverted web[1-2]", "exit 1")
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)


if __name__ == "__main__":
    harness.main()
