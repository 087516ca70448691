"""What the command line of `staithe check` says of a suite: --var and --target, and that a password in the latter stays out
of everything that is shown."""
import base64
import json
import pathlib
import shlex
import subprocess
import unittest

import checking
from checking import answer

PASSWORD = "hunter%25two2"  # a '%' in it
READ = "hunter%two2"


class Given(checking.CheckTest):
    def test_a_variable_of_the_command_line_stands_above_the_suites_own(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer("{}")))
        self.suite(peer.url, ["delete: /users/$(id)/$(both)", "expect: 200"], head="vars: {id: '5', both: 'u$(id)', other: x}\n")
        for arguments, wanted in (([], "/users/5/u5"), (["--var", "id=7"], "/users/7/u7"), (["--var", "both=b"], "/users/5/b"),
                                  (["--var", "id=7", "--var", "id=8"], "/users/8/u8")):
            with self.subTest(arguments):
                peer.seen.clear()
                self.assertIn(f"DELETE {peer.url}{wanted}\n", self.check("faults", "--dry-run", *arguments).out)
                result = self.check("faults", *arguments)
                self.assertEqual(result.code, 0, str(result))
                self.assertEqual(peer.seen, [wanted])

    def test_a_release_of_the_command_line_stands_above_the_suites_own(self):
        self.suite("http://127.0.0.1:1", ["get: /$(deploy.release)", "expect: 200"], head="vars: {deploy.release: unset}\n")
        self.assertIn("GET http://127.0.0.1:1/unset\n", self.check("faults", "--dry-run").out)
        self.assertIn("GET http://127.0.0.1:1/abc\n", self.check("faults", "--dry-run", "--var", "deploy.release=abc").out)

    def test_a_variable_that_no_suite_reads_is_a_slip(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer("{}")))
        self.suite(peer.url, ["get: /$(tenant)", "expect: 200"], head="vars: {tenant: t1, other: x}\n")
        for name, said in (("tenent", "did you mean 'tenant'?"), ("utterly", "no suite uses a variable of that name"),
                           ("ref", "no suite uses a variable of that name")):
            with self.subTest(name):
                peer.seen.clear()
                for more in ([], ["--dry-run"], ["--only", "step 0"]):
                    result = self.check("faults", "--var", name + "=t2", *more)
                    self.assertEqual((result.code, peer.seen), (2, []), str(result))
                    self.assertIn(f"--var {name}: no suite uses a variable of that name", result.err)
                    self.assertIn(said, result.err)
        for name in ("tenant", "other", "deploy.release"):
            with self.subTest(name):
                self.assertEqual(self.check("faults", "--var", name + "=t2").code, 0)

    def test_the_command_to_run_again_has_only_the_variables_of_its_suite(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer("{}")))
        self.suite(peer.url, ["get: /a", "expect: 201"])
        self.write("checks/other.yml", f"suite: other\ntarget: {peer.url}\nvars: {{foo: x}}\n"
                   "steps:\n  - {name: b, get: /$(foo), expect: 201}\n")
        result = self.check("faults", "other", "--var", "foo=2")
        again = [line.split("again", 1)[1].strip() for line in result.out.splitlines() if line.strip().startswith("again ")]
        self.assertEqual(["--var foo=2" in line for line in again], ["other" in line for line in again], str(result))
        self.assertEqual(len(again), 2, str(result))

    def test_the_command_to_run_again_has_what_is_no_secret(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer("{}")))
        self.suite(peer.url, ["get: /$(repo)", "expect: 201"], head="vars: {repo: x}\n")
        result = self.check("faults", "--var", "repo=ssh://git@h")
        self.assertEqual(result.code, 1, str(result))
        self.assertIn("--var repo=ssh://git@h ", result.out)

    def test_a_target_asks_for_no_other_place_than_is_written(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer("{}")))
        self.suite(peer.url + "/$(tenant)", ["delete: /users/5", "expect: 200"], head="vars: {tenant: t1}\n")
        for value, code, seen in (("a?b", 0, ["/a%3Fb/users/5"]), ("", 3, []), ("..", 3, [])):
            with self.subTest(value):
                peer.seen.clear()
                result = self.check("faults", "--var", f"tenant={value}")
                self.assertEqual((result.code, peer.seen), (code, seen), str(result))
        for target in (peer.url + "/?a=b", peer.url + "#a", peer.url + "\\@127.0.0.1"):
            with self.subTest(target):
                peer.seen.clear()
                result = self.check("faults", "--target", target)
                self.assertEqual((result.code, peer.seen), (2, []), str(result))

    def test_a_password_in_a_target_is_shown_nowhere(self):
        def behave(connection, path):
            connection.sendall(answer('{"said": "%s and %s"}' % (PASSWORD, READ)))
        peer = self.peer(behave)
        host = peer.url.removeprefix("http://")
        target = f"http://jo:{PASSWORD}@{host}"
        kinds = ("junit", "tap", "html", "jsonl", "lines")
        reports = [part for kind in kinds for part in ("--report", f"{kind}=a.{kind}")]
        forms = (PASSWORD, READ, "hunter", base64.b64encode(f"jo:{READ}".encode()).decode())

        def silent(*texts):
            for text in texts:
                for form in forms:
                    self.assertNotIn(form, text)

        steps = (["get: /a", "expect: {status: 200, json.said: nothing}"], [f"get: '{target}/b'", "expect: 201"])
        for url, arguments in ((target, []), (peer.url, ["--target", target])):
            with self.subTest(arguments):
                self.suite(url, *steps, head="setup: [{name: first, get: /s, expect: 200}]\n")
                for more in ([], ["--json"]):
                    plan = self.check("faults", "--dry-run", *arguments, *more)
                    self.assertEqual(plan.code, 0, str(plan))
                    silent(plan.out, plan.err)
                    self.assertIn(f"http://jo:***@{host}", plan.out)
                for more in (["-v"], ["--json"]):
                    result = self.check("faults", *arguments, *more, *reports)
                    self.assertEqual(result.code, 1, str(result))
                    silent(result.out, result.err, *(pathlib.Path(self.directory, f"a.{kind}").read_text() for kind in kinds))
                    self.assertIn(f"http://jo:***@{host}/b", result.out)
        wrong = self.check("faults", "--target", f"http://jo:{PASSWORD}@")
        self.assertEqual(wrong.code, 2, str(wrong))
        silent(wrong.out, wrong.err)

    def test_a_secret_that_is_written_out_is_shown_nowhere(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer("{}")))
        self.suite(peer.url, ["get: /a", "headers: {X-Key: $(api_token)}", "expect: 201"],
                   ["get: /b", "auth: basic jo:pass-in-file", "expect: 201"],
                   ["get: /c", "headers: {Authorization: Bearer bearer-in-file, Cookie: 'lang=cookie-de; sid=sid-in-file'}",
                    "expect: 201"],
                   ["post: /d", "json: {password: body-in-file, user: jo}", "expect: 201"],
                   ["get: '/e?api_key=query-in-file&t=$(other_token)'", "expect: 201"],
                   ["run: 'curl -u jo:user-in-file http://127.0.0.1:1'", "env: {PGPASSWORD: env-in-file}", "expect: {exit: 0}"],
                   head="vars: {api_token: x, other_token: variable-in-file}\n", named=False)
        secrets = ("typed-token", "pass-in-file", "bearer-in-file", "sid-in-file", "body-in-file", "query-in-file",
                   "user-in-file", "env-in-file", "variable-in-file")
        kinds = ("junit", "tap", "html", "jsonl", "lines")
        reports = [part for kind in kinds for part in ("--report", f"{kind}=a.{kind}")]
        given = ("--var", "api_token=typed-token")
        for more in (["--dry-run"], ["--dry-run", "--json"], ["-v", *reports], ["--json"]):
            with self.subTest(more):
                result = self.check("faults", *given, *more)
                self.assertEqual(result.code, 0 if "--dry-run" in more else 1, str(result))
                files = [pathlib.Path(self.directory, f"a.{kind}").read_text() for kind in kinds] if "-v" in more else []
                for text in (result.out, result.err, *files):
                    for secret in secrets:
                        self.assertNotIn(secret, text)
                self.assertIn("cookie-de" if "--dry-run" in more else '--var api_token="${API_TOKEN:?}"',
                              result.out.replace('\\"', '"'))

    def test_what_is_no_secret_hides_nothing(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer('{"provider": "github", "n": 4096}')))
        self.suite(peer.url, ["get: '/$(max_tokens)$(secret_enabled)'", "headers: {X-Auth-Provider: google}",
                              "expect: {status: 200, json.provider: google, json.n: 4097}"],
                   head="vars: {max_tokens: '1', secret_enabled: 'false', password: x}\n")
        given = ("--var", "max_tokens=4096", "--var", "secret_enabled=true", "--var", "password=expect")
        plan = self.check("faults", "--dry-run", "--json", *given)
        document = json.loads(plan.out)
        step = document["suites"][0]["steps"][0]
        self.assertEqual([one["subject"] for one in step["expect"]], ["status", "json.provider", "json.n"])
        self.assertIn({"name": "X-Auth-Provider", "value": "google"}, step["request"]["headers"])
        self.assertEqual(step["request"]["url"], "/4096true")
        result = self.check("faults", *given)
        self.assertIn("google", result.out)
        self.assertIn("4096", result.out)
        self.assertIn("--var max_tokens=4096 --var secret_enabled=true --var password=\"${PASSWORD:?}\"", result.out)

    def test_a_plan_of_hosts_hides_values_and_stays_what_it_is(self):
        self.write("staithe.yml", "staithe: 1\nproject: shop\nservices: {shop: {path: /srv/shop}}\n"
                   "environments: {production: {hosts: {web1: {}}}}\n")
        self.write("t.yml", "playbook: t\nservice: shop\nvars: {password: x}\neach: [{run: 'echo $(password)'}]\n")
        command = [checking.STAITHE, "run", "t.yml", "--dry-run", "--var", "password=script"]
        for more in ([], ["--json"]):
            out = subprocess.run([*command, *more], cwd=self.directory, capture_output=True, text=True, check=True).stdout
            self.assertIn("echo ***", out)
            self.assertNotIn("echo script", out)
        self.assertIn('"script": "echo ***"', out)
        self.assertEqual(json.loads(out)["kind"], "run")

    def test_a_typed_secret_is_in_no_report_of_a_run(self):
        self.write("staithe.yml", "staithe: 1\nproject: shop\nservices: {shop: {path: /srv/shop}}\n"
                   "environments: {production: {hosts: {web1: {address: 127.0.0.1, port: 1}}}}\n")
        self.write("t.yml", "playbook: t\nservice: shop\nvars: {password: x}\neach: [{run: 'echo $(password)'}]\n")
        kinds = ("junit", "jsonl", "lines")
        command = [checking.STAITHE, "run", "t.yml", "--yes", "--json", "--var", "password=script",
                   *(part for kind in kinds for part in ("--report", f"{kind}=a.{kind}"))]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertIn('"script": "echo ***"', json.dumps(next(one for one in events if one["type"] == "plan")))
        self.assertEqual(next(one for one in events if one["type"] == "action_started" and one.get("host"))["title"], "echo ***")
        for text in (done.stdout, done.stderr, *(pathlib.Path(self.directory, f"a.{kind}").read_text() for kind in kinds)):
            self.assertNotIn("echo script", text)
            self.assertNotIn("password=***", text)
            self.assertNotIn("password='***'", text)

    def test_the_last_line_of_a_long_output_is_quoted_without_its_secret(self):
        self.write("a.sh", "yes noise | head -c 400000 >&2; echo FATAL: certificate refused, tok''en=hun''ter22 >&2; exit 3\n")
        self.suite("http://127.0.0.1:1", [f"run: 'sh {self.directory}/a.sh'", "expect: {exit: 0}"])
        result = self.check("faults")
        self.assertIn("FATAL: certificate refused, token=***", result.out)
        self.assertNotIn("hunter22", result.out)

    def test_reports_name_the_release_the_owner_and_the_runbook(self):
        self.suite("http://127.0.0.1:1", ["get: /", "expect: 200"],
                   ["get: /", "expect: 200", "quarantine: {until: 2999-01-01, owner: ann, reason: 'it leaks'}"],
                   head="owner: payments\nrunbook: https://wiki/pay\n")
        result = self.check("faults", "--var", "deploy.release=abc123", "--report", "junit=a.xml", "--report", "tap=a.tap",
                            "--report", "github", environment={"GITHUB_STEP_SUMMARY": f"{self.directory}/summary.md"})
        self.assertEqual(result.code, 1, str(result))
        junit, tap, summary = (pathlib.Path(self.directory, name).read_text() for name in ("a.xml", "a.tap", "summary.md"))
        self.assertIn("\n# release abc123\n", tap)
        self.assertIn("Release abc123\n", summary)
        for text in (result.out, junit, tap):
            self.assertIn("owner    payments", text)
            self.assertIn("runbook  https://wiki/pay", text)
        self.assertIn('name="quarantine" value="until 2999-01-01, ann: it leaks"', junit)
        self.assertRegex(junit, '<skipped message="quarantined: [^"]*; until 2999-01-01, ann: it leaks"')

    def test_a_step_of_several_lines_without_a_name_is_run_again_alone(self):
        self.suite("http://127.0.0.1:1", ["run: |\n      echo one\n      echo two; exit 3", "expect: {exit: 0}"], named=False)
        result = self.check("faults", "--report", "junit=a.xml")
        line = next(line for line in result.out.splitlines() if line.strip().startswith("again "))
        again = shlex.split(line.split("again", 1)[1])
        self.assertEqual(again[again.index("--only") + 1], "run here: echo one echo two; exit 3")
        self.assertEqual(self.check(*again[2:]).code, 1, line)
        self.assertIn('name="run here: echo one echo two; exit 3"', pathlib.Path(self.directory, "a.xml").read_text())
        self.assertEqual(self.check("faults", "--dry-run").out.count("echo two"), 1)

    def test_a_mistake_is_shown_without_the_passwords_beside_it(self):
        self.suite("http://jo:pass-in-file@127.0.0.1:1", ["get: 'http://jo:pass-in-file@127.0.0.1:1/$(nme)'", "expct: 200"])
        for more in ([], ["--json"]):
            result = self.check("faults", *more)
            self.assertEqual(result.code, 3, str(result))
            self.assertNotIn("pass-in-file", result.out + result.err)
            self.assertIn("http://jo:************@127.0.0.1:1/$(nme)" if not more else "nme", result.out + result.err)


if __name__ == "__main__":
    unittest.main()
