"""A secret used in a playbook reaches where it is needed and appears nowhere else, in no encoding."""
import base64
import contextlib
import glob
import hashlib
import http.server
import json
import os
import threading
import urllib.parse

import harness

# Quotes, a backslash, a blank, a percent sign and letters beyond ASCII: each encoding writes them otherwise.
TOKEN = 'tk-"Zq7\\x9 %w/+ü&=!$(id)`e'
PASSWORD = "pw'Kd83 \"ledger\"\\n#;|<>é?p"
HOOK = "hk-T01/B02/a8Xz+u~Jb3='q\"r"
SECRETS = {"token": TOKEN, "password": PASSWORD, "hook": HOOK}


def forms(secret):
    """Every way in which a program could write it down by accident."""
    raw = secret.encode()
    found = {"plain": raw, "percent": urllib.parse.quote(secret, safe="").encode(),
             "percent, path": urllib.parse.quote(secret).encode(), "percent, plus": urllib.parse.quote_plus(secret).encode(),
             "json": json.dumps(secret)[1:-1].encode(), "json, utf-8": json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
             "hex": raw.hex().encode()}
    for shift in range(3):
        # At each place in a longer text; only the characters that depend on nothing but the secret.
        text = base64.b64encode(b"\0" * shift + raw)
        first, last = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
        found[f"base64, {shift} bytes in"] = text[first:last]
        found[f"base64 for urls, {shift} bytes in"] = text[first:last].translate(bytes.maketrans(b"+/", b"-_"))
    return found


FORMS = {(name, how): form for name, secret in SECRETS.items() for how, form in forms(secret).items()}


def leaks(data):
    return [f"{name} ({how})" for (name, how), form in FORMS.items() if form in data]


class Webhook:
    """Hears what is posted, and answers as it is told."""

    def __init__(self, code=200):
        heard = self.heard = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                heard.append((self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
                self.send_response(code)
                self.end_headers()
                # What a careless service does: it says in its answer what it was asked.
                with contextlib.suppress(OSError):
                    self.wfile.write(b"you asked for " + self.path.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Watch:
    """Looks at the arguments of every process of this machine (which is every host of the sandbox)."""

    def __enter__(self):
        self.found, self.looks, self.ours, self.stop = set(), 0, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        mine = str(os.getpid())
        while not self.stop.is_set():
            self.looks += 1
            for path in glob.glob("/proc/[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    with open(path, "rb") as file:
                        words = file.read()
                    self.ours += b"staithe" in words
                    if path.split("/")[2] != mine:
                        self.found.update((leak, words.replace(b"\0", b" ")[:300]) for leak in leaks(words))
            self.stop.wait(0.01)

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


class SecretsStay(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.out = self.sandbox.path("out")
        os.makedirs(self.out, exist_ok=True)
        with open(os.path.join(self.out, "password"), "w", encoding="utf-8") as file:
            file.write(PASSWORD + "\n")
        # Not in the command's own text: `command` prints it from a file that holds it in another shape.
        with open(os.path.join(self.out, "hook"), "w", encoding="utf-8") as file:
            file.write(HOOK[::-1])
        self.secret_files = {os.path.join(self.out, "password"), os.path.join(self.out, "hook")}

    def write_playbook(self, webhook, fails):
        digest = {name: hashlib.sha256(secret.encode()).hexdigest() for name, secret in SECRETS.items()}
        head = "\n".join(["secrets:", "  token: env SYSTEM_TEST_TOKEN", f"  password: file {self.out}/password",
                          f"  hook: command rev {self.out}/hook"])
        check = f"""run:
      command: |
        test "$$(printf %s "$TOKEN" | sha256sum)" = "{digest['token']}  -" || exit 11
        test "$$(printf %s "$PASSWORD" | sha256sum)" = "{digest['password']}  -" || exit 12
        test "$$(printf %s $(secret.hook) | sha256sum)" = "{digest['hook']}  -" || exit 13
        sleep 0.2
      env: {{TOKEN: $(secret.token), PASSWORD: $(secret.password)}}"""
        # A program that prints its secrets, in every shape: they are there to be masked.
        shout = """run:
      command: |
        printf '%s\\n' "token is $TOKEN" "$TOKEN" "password is <$PASSWORD>" $(secret.hook)
        printf '%s' "$TOKEN" | base64 -w0; echo; printf 'x%s' "$PASSWORD" | base64; printf 'xy%s\\n' "$TOKEN" | base64 -w0; echo
        python3 -c 'import json, os, sys, urllib.parse as u; t = os.environ["TOKEN"]; print(json.dumps(t), json.dumps(t, ensure_ascii=False), u.quote(t), u.quote(t, safe=""), u.quote_plus(t)); print(t.encode().hex())'
        printf '%s\\n' "error: cannot log in with $PASSWORD and $TOKEN" >&2
      env: {TOKEN: $(secret.token), PASSWORD: $(secret.password), PYTHONIOENCODING: utf-8}"""
        stage = [check, shout,
                 f"template: {{content: \"password=$(secret.password)\\ntoken=$(secret.token)\\n\", to: {self.out}/$(host).conf, mode: \"0600\"}}",
                 "local: {command: 'printf \"local %s\\n\" \"$TOKEN\"', env: {TOKEN: $(secret.token)}}",
                 f"notify: {{text: deploying $(ref), url: \"http://127.0.0.1:{webhook.port}/$(secret.hook)\"}}"]
        each = {"reloaded": shout + "\n  - run: {command: 'echo \"no login with $TOKEN\" >&2; exit 7', "
                            "env: {TOKEN: $(secret.token)}}"} if fails else {}
        return self.playbook(each, stage, head=head)

    def look_everywhere(self, result, *files):
        found = [f"{leak} on stdout" for leak in leaks(result.out.encode())]
        found += [f"{leak} on stderr" for leak in leaks(result.err.encode())]
        for path in [*files, *glob.glob(self.sandbox.path(".staithe", "*")), *glob.glob(self.sandbox.path("log", "*")),
                     *glob.glob(self.sandbox.path("hosts", "*", "commands.log")), *glob.glob(self.sandbox.path("playbooks", "*"))]:
            with open(path, "rb") as file:
                found += [f"{leak} in {path}" for leak in leaks(file.read())]
        self.assertEqual(found, [], str(result))

    def run_and_look(self, fails, *options):
        webhook = Webhook(500 if fails else 200)
        self.addCleanup(webhook.close)
        playbook = self.write_playbook(webhook, fails)
        files = {kind: os.path.join(self.out, kind) for kind in ("log", "lines", "jsonl", "junit")}
        ref = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        reports = [word for kind in ("lines", "jsonl", "junit") for word in ("--report", f"{kind}={files[kind]}")]
        environ = {"SYSTEM_TEST_TOKEN": TOKEN}
        dry = self.sandbox.deploy(ref, "--limit", "web1", "--dry-run", "-vv", playbook=playbook, env=environ)
        self.ended(dry, 0)
        with Watch() as watch:
            result = self.sandbox.deploy(ref, "--limit", "web1", "--log-file", files["log"], *reports, *options,
                                         playbook=playbook, env=environ)
        # On a busy machine a look takes long.
        self.assertGreater(watch.looks, 5)
        self.assertGreater(watch.ours, 5, "the watch did not see staithe, so it proves nothing")
        self.assertEqual(watch.found, set())
        for path in files.values():
            self.assertGreater(os.path.getsize(path), 0, path)
        self.look_everywhere(dry)
        self.look_everywhere(result, *files.values())
        for arguments in (["history", "-e", "production"], ["history", "-e", "production", "--json"]):
            self.look_everywhere(self.sandbox.staithe(*arguments))
        # They did reach where they were needed.
        if webhook.heard:
            self.assertEqual(urllib.parse.unquote(webhook.heard[0][0]), "/" + HOOK)
        return result, webhook

    def reached(self, webhook):
        self.assertEqual(len(webhook.heard), 1)
        self.assertEqual(self.sandbox.read("out", "web1.conf"), f"password={PASSWORD}\ntoken={TOKEN}\n")

    def test_with_everything_said(self):
        result, webhook = self.run_and_look(False, "-vv")
        self.ended(result, 0)
        self.assertIn("token is ***", result.err, "output of commands is shown with the secrets masked")
        self.reached(webhook)

    def test_as_json(self):
        result, webhook = self.run_and_look(False, "--json")
        self.assertEqual(result.code, 0, str(result))
        for line in result.out.splitlines():
            json.loads(line)
        self.assertIn("***", result.out)
        self.reached(webhook)

    def test_what_a_suite_of_checks_is_told(self):
        """A check quotes a secret that its suite has, and one that only the deploy knows to be one."""
        suite = f"""suite: told
severity: minor
secrets: {{token: env SYSTEM_TEST_TOKEN}}
defaults: {{on_fail: continue, retry: 1 after 1ms}}
steps:
  - {{name: its own, run: 'printf %s "$TOKEN"; printf %s "$TOKEN" | base64 -w0', env: {{TOKEN: $(token)}}, expect: {{exit: 0, out: nothing}}}}
  - {{name: of the deploy, run: 'cat {self.out}/password >&2; exit 9', expect: {{exit: 0, err: nothing}}}}
  - {{name: in its quarantine, run: 'cat {self.out}/password; exit 9', expect: {{exit: 0, out: nothing}}}}
"""
        self.sandbox.write(suite, "checks", "told.yml")
        self.addCleanup(os.unlink, self.sandbox.path("checks", "told.yml"))
        head = f"secrets: {{token: env SYSTEM_TEST_TOKEN, password: file {self.out}/password}}"
        log, reports = os.path.join(self.out, "log"), harness.Reports(self)
        use = "run: {command: 'test -n \"$PASSWORD\"', env: {PASSWORD: $(secret.password)}}"
        playbook = self.playbook({"restored": use + "\n  - check: {suite: told}"}, head=head)
        ref = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        result = self.sandbox.deploy(ref, "--limit", "web1", "--json", "--log-file", log, *reports.options, playbook=playbook,
                                     env={"SYSTEM_TEST_TOKEN": TOKEN})
        said = {one["name"]: one for one in reports.checks()}
        self.assertEqual({name: one["verdict"] for name, one in said.items()},
                         dict.fromkeys(("its own", "of the deploy", "in its quarantine"), "fail"), str(result))
        for name, one in said.items():
            self.assertIn("***", [judged["got"].strip('"')[:3] for judged in one["judged"]], name)
        found = [f"{leak} on {where}" for where, text in (("stdout", result.out), ("stderr", result.err)) for leak in leaks(text.encode())]
        for path in (log, *reports.files.values()):
            with open(path, "rb") as file:
                found += [f"{leak} in {path}" for leak in leaks(file.read())]
        self.assertEqual(found, [], str(result))

    def test_when_the_webhook_refuses(self):
        result, _ = self.run_and_look(True, "-vv")
        self.assertNotEqual(result.code, 0, str(result))
        self.nothing_left()

    def test_when_a_command_fails_with_it_on_its_lips(self):
        webhook = Webhook()
        self.addCleanup(webhook.close)
        playbook = self.write_playbook(webhook, True)
        before = self.sandbox.versions()
        ref = "v3" if before["web1"] == "v2" else "v2"
        log = os.path.join(self.out, "log")
        with Watch() as watch:
            result = self.sandbox.deploy(ref, "--limit", "web1", "--log-file", log, playbook=playbook,
                                         env={"SYSTEM_TEST_TOKEN": TOKEN})
        self.ended(result, 1, "no login with ***", "exit 1")
        self.assertEqual(watch.found, set())
        self.look_everywhere(result, log)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)


if __name__ == "__main__":
    harness.main(at_once=2)
