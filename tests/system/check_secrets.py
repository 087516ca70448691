"""No report of `staithe check` holds a secret, a half of one, or a token that a step has saved: whatever a server answers."""
import base64
import http.server
import json
import os
import pathlib
import re
import threading
import urllib.parse

import checking

USER, PASSWORD, API_KEY = "smoke-user", "pa55:w0rd/of it", "sk_live_9f8e7d"
TOKEN, SESSION, SHARED = "tok-5e6f7a8b9c", "sess.4d3c2b1a", "shared-0a1b2c3d"
COOKIE, RESET = "s3cr3tsess99", "rst-998877aa"
# Never saved: only looked at, compared, or inside of what is saved.
SEEN, POLLED, NESTED = "acc-13572468", "pol-24681357", "n3sted-pässwörd"
SECRETS = {"password": PASSWORD, "API key": API_KEY, "token": TOKEN, "session": SESSION, "shared token": SHARED,
           "session of a cookie": COOKIE, "reset token": RESET,
           "field that is looked at": SEEN, "field that is polled": POLLED, "password in an object": NESTED}
FILES = {"junit": "a.xml", "tap": "a.tap", "html": "a.html", "jsonl": "a.jsonl"}


def forms(secret):
    """How a server, or what stands before it, may write it down."""
    raw = secret.encode()
    pairs = [f"{byte:02x}" for byte in raw]
    return {
        "raw": secret, "percent": urllib.parse.quote(secret, safe=""), "JSON": json.dumps(secret)[1:-1],
        "hex": "".join(pairs), "HEX": "".join(pairs).upper(), "hex with colons": ":".join(pairs),
        "hex with blanks": " ".join(pairs), "octal": "".join(f"\\{byte:03o}" for byte in raw),
        "numbers": ", ".join(map(str, raw)), "quoted-printable": "".join(f"={byte:02X}" for byte in raw),
        "base32": base64.b32encode(raw).decode().rstrip("="), "base32, small": base64.b32encode(raw).decode().lower().rstrip("="),
        "UTF-8 read as Latin-1": raw.decode("latin-1"), "read as Windows": raw.decode("cp1252"), "percent of Latin-1": urllib.parse.quote(secret.encode("latin-1"), safe=""),
        "UTF-16 in base64": base64.b64encode(secret.encode("utf-16-le")).decode(), "UTF-16 in hex": secret.encode("utf-16-be").hex()[2:],
        "base64": base64.b64encode(raw).decode(), "base64 of base64": base64.b64encode(base64.b64encode(raw)).decode()}


FORMS = {(name, how): form for name, secret in SECRETS.items() for how, form in forms(secret).items()}


class Careless(http.server.ThreadingHTTPServer):
    """Gives tokens away, and says all that it was ever told or has given in each answer, in the body and in a header."""
    daemon_threads = True

    def __init__(self):
        peer = self
        self.how = "raw"
        self.asked = []
        self.known = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self):
                peer.asked.append((self.path, dict(self.headers)))
                scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
                half = base64.b64decode(credentials).decode().partition(":") if scheme == "Basic" else ("", "", "")
                given = {}
                if self.path == "/login":
                    given = {"token": TOKEN, "session": SESSION} if half[2] else {"shared": SHARED}
                elif self.path == "/login/form":
                    given = {"reset_token": RESET, "cookie": COOKIE}
                elif self.path == "/look":
                    given = {"access_token": SEEN, "same": SEEN}
                elif self.path == "/poll":
                    given = {"id_token": POLLED}
                elif self.path == "/user":
                    given = {"user": {"name": "jo", "login": {"password": NESTED}}}
                    peer.known += ["password in an object"] if "password in an object" not in peer.known else []
                for secret in (half[2] or half[0], *(one for one in given.values() if isinstance(one, str))):
                    peer.known += [name for name, known in SECRETS.items() if known == secret and name not in peer.known]
                each = [FORMS[name, peer.how] for name in peer.known]
                said = " | ".join(each)
                body = json.dumps({**given, "said": said, "each": each}).encode()
                self.send_response(200 if self.path.startswith("/login") or self.path in ("/look", "/poll", "/user") else 500)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Said", said.encode().decode("latin-1"))
                if self.path == "/login/form":
                    self.send_header("Set-Cookie", f"sid={COOKIE}; Path=/; HttpOnly")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Secrets(checking.CheckTest):
    def setUp(self):
        super().setUp()
        self.peer_ = Careless()
        self.addCleanup(self.peer_.server_close)
        self.addCleanup(self.peer_.shutdown)
        self.write("checks/first.yml", f"""suite: first
target: {self.peer_.url}
steps:
  - name: sign up
    post: /login
    expect: {{status: 200, json.shared: exists}}
    warn: {{body: nothing of the kind}}
    save: {{shared: json.shared}}
export: [shared]
""")
        self.write("checks/second.yml", f"""suite: second
severity: critical
target: {self.peer_.url}
depends_on: [first]
secrets: {{login: env LOGIN, key: env API_KEY}}
use: {{given: $(first.shared)}}
defaults: {{on_fail: continue}}
steps:
  - name: log in
    post: /login
    auth: basic $(login)
    expect: {{status: 200, json.token: exists, json.session: exists}}
    warn: {{json.token: nothing, json.said: nothing, header.x-said: nothing}}
    save: {{token: json.token, session: json.session}}
  - {{name: password, get: /a, auth: basic $(login), retry: 1 after 1ms, expect: {{status: 200, json.said: nothing, "json $.each[*]": nothing}}}}
  - {{name: key, get: /b, auth: "basic $(key)", expect: {{status: 200, body: nothing, header.x-said: nothing}}}}
  - {{name: bearer, get: /c, auth: bearer $(token), expect: {{status: 200, json.said: matches ^nothing}}}}
  - {{name: own header, get: /d, headers: {{x-api-key: $(session)}}, expect: {{status: 200, json.said: contains nothing}}}}
  - {{name: form, get: /login/form, expect: 200, warn: {{json.said: nothing, header.set-cookie: nothing}}, save: {{jar: header.set-cookie, reset: json.reset_token}}}}
  - {{name: cookie, get: /f, headers: {{cookie: $(jar)}}, expect: {{status: 200, json.said: nothing}}}}
  - {{name: reset, get: /reset/$(reset), expect: {{status: 200, json.said: nothing}}}}
  - {{name: look, get: /look, expect: {{json.access_token: exists}}, warn: {{json.access_token: nothing, json.said: nothing, header.x-said: nothing}}, save: {{same: json.same}}}}
  - {{name: compare, get: /look, expect: {{json.access_token: $(same)}}, warn: {{json.access_token: not $(same), json.said: nothing}}}}
  - {{name: poll, get: /poll, until: {{json.id_token: exists}}, give_up_if: {{json.id_token: absent}}, for: 1s, every: 10ms, expect: {{json.said: nothing}}}}
  - {{name: user, get: /user, expect: {{json.user: exists}}, warn: {{json.user: nothing, json.said: nothing, header.x-said: nothing}}, save: {{user: json.user}}}}
  - {{name: query, get: "/e?access_token=$(given)", expect: {{status: 200, json.said: nothing}}}}
""")

    def test_one_that_a_server_knows_before_it_is_sent_is_hidden_too(self):
        bearer, own, hung = "bearer-5f4e3d2c", "hung-0f9e8d7c", "sleep 60"
        said = f"{PASSWORD} {bearer} {own}"
        early = self.peer(lambda connection, path: connection.sendall(checking.answer(json.dumps({"path": path, "said": said}))))
        self.write("checks/first.yml", f"""suite: first
target: {early.url}
steps:
  - {{name: too much, get: /a, expect: {{json.said: nothing}}}}
""")
        self.write("checks/second.yml", f"""suite: second
target: {early.url}
secrets: {{login: env LOGIN, bearer: file word, own: "command echo {own}", lacking: env STAITHE_NO_SUCH, hung: "command {hung}"}}
defaults: {{on_fail: continue}}
steps:
  - {{name: early, get: /b, expect: {{json.said: nothing}}}}
  - {{name: basic, get: /c, auth: basic $(login), expect: {{json.path: /c}}}}
  - {{name: bearer, get: /d, auth: bearer $(bearer), expect: {{json.path: /d}}}}
  - {{name: own, get: /e, headers: {{x-key: $(own)}}, expect: {{json.path: /e}}}}
  - {{name: lacking, get: /f, auth: bearer $(lacking), expect: 200}}
  - {{name: hung, get: /g, auth: bearer $(hung), timeout: 200ms, expect: 200}}
""")
        self.write("word", bearer + "\n")
        result = self.check("first", "second", "--report", "jsonl=a.jsonl", environment={"LOGIN": f"{USER}:{PASSWORD}"})
        self.assertEqual(result.code, 1, str(result))
        report = pathlib.Path(self.directory, "a.jsonl").read_text(encoding="utf-8")
        for text in (result.out + result.err, report):
            for secret in (PASSWORD, bearer, own):
                self.assertNotIn(secret, text)
            self.assertIn("*** *** ***", text)
        verdicts = {one["key"]: one["verdict"] for one in map(json.loads, report.splitlines()) if one["type"] == "check"}
        self.assertEqual(verdicts, {"first/too much": "fail", "second/early": "fail", "second/basic": "pass", "second/bearer": "pass",
                                    "second/own": "pass", "second/lacking": "error", "second/hung": "error"}, report)
        self.assertIn("the secret's environment variable STAITHE_NO_SUCH is not set", result.out + result.err)

    def test_a_store_of_secrets_that_hangs_takes_of_the_suite_s_budget(self):
        peer = self.fixed()
        self.write("checks/faults.yml", f"""suite: faults
target: {peer.url}
secrets: {{hung: command sleep 60}}
budget: 6s
defaults: {{on_fail: continue}}
steps:
  - {{name: good, get: /good, expect: 200}}
  - {{name: hung, get: /hung, auth: bearer $(hung), timeout: 30s, expect: 200}}
  - {{name: last, get: /last, expect: 200}}
""")
        result = self.check("faults", "--json")
        self.assertEqual((result.code, peer.seen), (4, ["/good"]), str(result))
        self.assertLess(result.seconds, 10, str(result))  # of its own it would be 11.4
        good, hung, last = self.records(result)
        self.assertEqual([one["verdict"] for one in (good, hung, last)], ["pass", "aborted", "aborted"], str(result))
        self.assertRegex(hung["reason"], r"^the budget of 6s is used up, 5\.[4-9]s of it before the first step, by looking up secrets$")

    def test_a_slow_store_of_secrets_takes_nothing_of_those_that_do_not_need_it(self):
        peer = self.fixed()
        for name, secret, budget in (("slow", "command sleep 6.4; echo slow-0f9e8d7c", "8s"), ("quick", "command echo quick-0f9e8d7c", "4s"),
                                     ("none", "env UNUSED", "4s")):
            auth = "" if name == "none" else ", auth: bearer $(word)"
            self.write(f"checks/{name}.yml", f"""suite: {name}
target: {peer.url}
secrets: {{word: {secret}}}
budget: {budget}
steps:
  - {{name: first, get: /{name}{auth}, expect: 200}}
  - {{name: last, get: /{name}, expect: 200}}
""")
        result = self.check("slow", "quick", "none", "--json")
        self.assertEqual(result.code, 0, str(result))

    def test_what_a_command_has_written_last_is_quoted_without_it(self):
        self.write("checks/run.yml", """suite: run
defaults: {on_fail: continue}
steps:
  - {name: err, run: "echo begun >&2; echo token=err-0f9e8d7c >&2; exit 3", expect: {exit: 0}}
  - {name: usage, run: "echo 'usage: tool <user> <password> <host>'; echo 'connection refused'; exit 2", expect: {out: contains zz}}
""")
        result = self.check("run", "--json")
        self.assertNotIn("err-0f9e8d7c", result.out + result.err)
        self.assertIn("exit status 3: token=***", result.out)
        self.assertIn("connection refused", result.out)

    def test_no_report_holds_one(self):
        login = f"{USER}:{PASSWORD}"
        for how in forms(""):
            with self.subTest(how):
                self.peer_.how, self.peer_.known = how, []
                reports = [word for kind, file in FILES.items() for word in ("--report", f"{kind}={file}")]
                summary = os.path.join(self.directory, "summary.md")
                environment = {"LOGIN": login, "API_KEY": API_KEY + ":"}
                result = self.check(*reports, environment={**environment, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary})
                self.assertEqual(result.code, 1, str(result))
                self.assertEqual(sorted(self.peer_.known), sorted(SECRETS))
                self.peer_.known = []
                loud = self.check("--verbose", "--no-history", environment=environment)
                texts = {"terminal": result.out + result.err, "loud": loud.out + loud.err}
                for name in [*FILES.values(), "summary.md"]:
                    with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                        texts[name] = file.read()
                for where, text in texts.items():
                    self.assertIn(r"\*\*\*" if where == "summary.md" else "***", text, where)
                    # JSON's and markup's own escapes undone, as a reader does.
                    plain = re.sub(r"\\(.)", r"\1", text).replace("&#39;", "'").replace("&quot;", '"')
                    for secret in SECRETS:
                        for form in ("raw", how):
                            for seen in (text, plain):
                                at = seen.find(FORMS[secret, form])
                                self.assertEqual(at, -1, f"{secret}, {form}, in {where}: {seen[max(at - 200, 0):at + 60]}")
        self.assertIn("-H 'x-api-key: ***'", result.out)
        # They arrived all the same.
        sent = {path: headers for path, headers in self.peer_.asked}
        self.assertEqual(sent["/d"]["x-api-key"], SESSION)
        self.assertEqual(sent["/c"]["Authorization"], "Bearer " + TOKEN)
        self.assertIn("/e?access_token=" + SHARED, sent)
        self.assertEqual(sent["/f"]["cookie"], f"sid={COOKIE}; Path=/; HttpOnly")
        self.assertIn("/reset/" + RESET, sent)


if __name__ == "__main__":
    checking.unittest.main()
