"""Suites of checks in the sandbox: by hand, as a step of a deploy, and what is left when they are stopped."""
import glob
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import harness

BOTH = ("--limit", "web1,web2")

# The client library of an app: one release of it knows wildcards in certificates, another one does not.
PAY_CLIENT = """import json, socket, ssl, sys

def ask(name, port, ca):
    context = ssl.create_default_context(cafile=ca)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname=name) as peer:
        names = [value for kind, value in peer.getpeercert()["subjectAltName"] if kind == "DNS"]
    if not %(wildcards)s and name not in names:
        sys.exit(f"{name} is not {', '.join(names)}")

if __name__ == "__main__":
    ask(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    print(json.dumps({"library": "payclient", "interpreter": sys.executable}))
"""


def api(test):
    """A server that answers {} to all but /long, which it keeps waiting: what it was asked, and its URL."""
    seen, hang = [], threading.Event()
    test.addCleanup(hang.set)

    class Api(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self):
            seen.append(f"{self.command} {self.path}")
            if self.path == "/long":
                hang.wait(20)
                return
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = do_DELETE = answer

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return seen, f"http://127.0.0.1:{server.server_address[1]}"


class Wrong(harness.SystemTest):
    def test_release_that_starts_but_answers_wrongly_is_caught_and_reverted(self):
        """Its health is green. The critical suite charges the canary, gets the wrong amount, and the release before
        comes back; visitors notice nothing, for the canary had no visitors yet."""
        before, reports = self.sandbox.versions(), harness.Reports(self)
        with harness.Load(self.sandbox) as load:
            result = self.sandbox.deploy("wrong-charges", *BOTH, *reports.options, playbook="playbooks/checked.yml")
        self.ended(result, 1, "FAILED at web1", "reverted web1", "untouched web2", "exit 1")
        self.assertIn("FAILED at web1: check suite charges, critical checks on web1: "
                      "fail: charge [web1]: json.amount: wanted 100, got 10000; ", result.err)
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before, str(result))
        # Programs are told of each check what `staithe check` tells, and where in the deploy it was asked.
        said = {one["name"]: one for one in reports.checks()}
        self.assertEqual({name: one["verdict"] for name, one in said.items()},
                         {"the host runs the release [web1]": "pass", "charge [web1]": "fail",
                          "the charge settles [web1]": "skipped", "undo: charge [web1]": "pass"}, str(result))
        wrong = said["charge [web1]"]
        self.assertEqual({key: wrong[key] for key in ("host", "step", "suite", "severity", "release")},
                         {"host": "web1", "step": "check", "suite": "charges", "severity": "critical",
                          "release": self.sandbox.sha["wrong-charges"]})
        self.assertRegex(wrong["action_id"], "^roll/web1/[0-9]+$")
        self.assertIn(("json.amount", "100", "10000", "differs"),
                      [tuple(one[key] for key in ("subject", "wanted", "got", "outcome")) for one in wrong["judged"]])
        cases = {key: case for key, case in reports.cases().items() if key[0].endswith(".roll.web1.charges")}
        self.assertEqual({name for _, name in cases}, set(said))
        case, = (case for key, case in cases.items() if key[1] == "charge [web1]")
        self.assertIn("json.amount: wanted 100, got 10000", case.find("failure").get("message"))
        self.assertIn("curl -sS", case.find("failure").text)
        self.assertIn(self.sandbox.sha["wrong-charges"], [one.get("value") for one in case.iter("property")])

    def test_good_release_passes_on_each_host_and_after_the_last(self):
        reports = harness.Reports(self)
        result = self.sandbox.deploy("v2", *BOTH, *reports.options, playbook="playbooks/checked.yml")
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": "v2", "web2": "v2"})
        self.assertIn("check suite charges", result.text)
        said = reports.checks()
        self.assertEqual({one["verdict"] for one in said}, {"pass"}, str(result))
        self.assertEqual({one["release"] for one in said}, {self.sandbox.sha["v2"]})
        # Of each host while it has no visitors, and of both behind the last.
        self.assertEqual(sorted((one.get("host", ""), one["name"]) for one in said if one["name"].startswith("charge [") and one["part"] == "steps"),
                         [("", "charge [web1]"), ("", "charge [web2]"), ("web1", "charge [web1]"), ("web2", "charge [web2]")])
        classes = {key[0].partition("-production.")[2] for key in reports.cases()}
        self.assertLessEqual({"roll.web1.charges", "roll.web2.charges"}, classes)
        self.assertTrue(any(one.endswith(".here.charges") for one in classes), classes)
        # Each result says of which release it is: those of this deploy began with it.
        begun = self.sandbox.rows("select max(started) from staithe_runs")[0][0]
        rows = self.sandbox.rows("select distinct release_id from staithe_checks where time >= ?", begun)
        self.assertEqual(rows, [(self.sandbox.sha["v2"],)])
        self.nothing_left()

    def test_mistake_in_a_suite_is_found_before_anything_is_changed(self):
        good = self.sandbox.read("checks", "charges.yml")
        self.addCleanup(self.sandbox.write, good, "checks", "charges.yml")
        self.sandbox.write(good.replace("json.amount: 100", "jsn.amount: 100", 1), "checks", "charges.yml")
        result = self.sandbox.deploy("v3", *BOTH, playbook="playbooks/checked.yml")
        self.assertEqual(result.code, 3, str(result))
        self.assertIn("tells nothing of 'jsn.amount'", result.text)
        self.nothing_held()


    def test_a_suite_s_secret_that_cannot_be_had_is_told_before_anything_is_changed(self):
        good = self.sandbox.read("checks", "charges.yml")
        self.addCleanup(self.sandbox.write, good, "checks", "charges.yml")
        self.sandbox.write(good.replace("\nsteps:\n", "\nsecrets: {key: env NOT_SET_KEY}\nsteps:\n  - name: with the key\n"
                                        "    each: host in $(hosts.app)\n    get: http://$(host.address):$(host.port)/health\n"
                                        "    headers: {X-Key: $(key)}\n    expect: 200\n", 1), "checks", "charges.yml")
        runs = self.sandbox.rows("SELECT id FROM staithe_runs")
        missing = "the secret's environment variable NOT_SET_KEY is not set"
        self.ended(self.sandbox.deploy("v3", *BOTH, playbook="playbooks/checked.yml"), 4,
                   "1 secret cannot be had; nothing was changed", missing)
        self.assertEqual(self.sandbox.rows("SELECT id FROM staithe_runs"), runs, "it locks nothing")
        for command in (("validate", "playbooks/checked.yml"), ("plan", "playbooks/checked.yml", "-e", "production")):
            result = self.sandbox.staithe(*command)
            self.assertEqual(result.code, 0, str(result))
            self.assertIn("warning: " + missing, result.err)
        self.nothing_left()


    def test_a_suite_s_secret_that_can_be_had_only_once_is_looked_up_once(self):
        """Three suites ask with it: one on each host, and one after the last."""
        good = self.sandbox.read("checks", "charges.yml")
        self.addCleanup(self.sandbox.write, good, "checks", "charges.yml")
        once, used = self.sandbox.path("once"), self.sandbox.path("used")
        self.sandbox.write("for-one-use\n", "once")
        self.sandbox.write(good.replace("\nsteps:\n", f"\nsecrets: {{key: 'command mv {once} {used} && cat {used}'}}\nsteps:\n"
                                        "  - name: with the key\n    each: host in $(hosts.app)\n    severity: critical\n"
                                        "    get: http://$(host.address):$(host.port)/health\n"
                                        "    headers: {X-Key: $(key)}\n    expect: 200\n", 1), "checks", "charges.yml")
        target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        result = self.sandbox.deploy(target, *BOTH, playbook="playbooks/checked.yml")
        self.ended(result, 0, "done: 2 hosts")
        self.assertNotIn("for-one-use", result.text)
        self.nothing_left()


class Bound(harness.SystemTest):
    """The plan of a deploy holds what its suites ask."""

    def suite(self, text, name="bound"):
        self.sandbox.write(text, "checks", f"{name}.yml")
        path = self.sandbox.path("checks", f"{name}.yml")
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))

    def bound(self, *steps, severity="critical", check_severity="critical", status=200):
        """A suite that asks each host's app for a page, and wants `status` of it."""
        self.suite(f"""suite: bound
severity: {severity}
steps:
  - name: page
    severity: {check_severity}
    each: host in $(hosts.app)
    get: http://$(host.address):$(host.port)/health
    expect: {status}
""")
        lines = ["playbook: judged", "service: payments", "hosts: app", "vars: {ref: main}", *steps]
        self.sandbox.write("\n".join(lines) + "\n", "playbooks", "bound.yml")
        return "playbooks/bound.yml"

    def staithe(self, *arguments):
        return self.sandbox.staithe(*arguments[:1], "-f", "staithe.yml", *arguments[1:])

    def plan_id(self, playbook):
        result = self.staithe("plan", playbook, *BOTH)
        self.assertEqual(result.code, 0, str(result))
        return result.out.split("Plan id ")[1].strip(), result.out

    def test_plan_lists_the_requests_and_changes_with_the_suite(self):
        playbook = self.bound("before:", "  - check: {suite: bound}", "each:", "  - check: {suite: bound}",
                              "after:", "  - check: {suite: bound, critical: true}")
        first, text = self.plan_id(playbook)
        # Before and after ask both hosts, the host's own step asks that one; like hosts are folded.
        self.assertEqual(text.count("page [web1]: GET http://"), 3, text)
        self.assertEqual(text.count("page [web2]: GET http://"), 2, text)
        self.assertIn("/health   expect status 200", text)
        self.assertEqual(self.plan_id(playbook)[0], first, "the id of an unchanged suite")
        self.bound("before:", "  - check: {suite: bound}", "each:", "  - check: {suite: bound}",
                   "after:", "  - check: {suite: bound, critical: true}", status=204)
        other, _ = self.plan_id(playbook)
        self.assertNotEqual(other, first)
        refused = self.staithe("run", playbook, *BOTH, "--yes", "--expect-plan", first)
        self.assertEqual(refused.code, 4, str(refused))

    def test_suite_that_changes_under_a_run_is_not_asked(self):
        playbook = self.bound("each:", f"  - {self.hold('changed').step}", "  - check: {suite: bound}")
        hold = self.hold("changed")
        run = self.sandbox.begin("run", "-f", "staithe.yml", playbook, *BOTH, "--yes")
        hold.reached(run)
        self.bound("each:", "  - check: {suite: bound}", status=[200, 204])
        hold.let_go()
        result = run.wait()
        self.assertEqual(result.code, 1, str(result))
        self.assertIn("as expected; nothing was run", result.text)
        self.nothing_held()

    def test_before_each_and_after_and_what_blocks(self):
        for place, untouched in (("before", True), ("each", False), ("after", False)):
            with self.subTest(place):
                touched = self.sandbox.path("run", f"touched-{place}")
                steps = {"before": [], "each": [f"run: touch {touched}"], "after": []}
                steps[place].append("check: {suite: bound}")
                lines = [line for name, own in steps.items() if own
                         for line in (f"{name}:", *(f"  - {step}" for step in own))]
                result = self.staithe("run", self.bound(*lines, status=418), *BOTH, "--yes")
                # A host that a step altered, and that nothing repairs, is for a person.
                self.assertEqual(result.code, 1 if untouched else 5, str(result))
                self.assertIn("wanted 418 got 200", " ".join(result.text.split()))
                self.assertEqual(os.path.exists(touched), not untouched, str(result))
        for more in ("", ", critical: true"):
            # A major check of a critical suite colours it; it is not even asked among the critical ones.
            with self.subTest("what does not block" + more):
                playbook = self.bound("each:", f"  - check: {{suite: bound{more}}}", check_severity="major", status=418)
                result = self.staithe("run", playbook, *BOTH, "--yes")
                if more:
                    self.assertEqual(result.code, 3, str(result))
                    self.assertIn("has no check that is critical", result.text)
                else:
                    self.assertEqual(result.code, 0, str(result))
                    self.assertIn("degraded", result.text)
        playbook = self.bound("after:", "  - check: {suite: bound, fail_on: degraded}", check_severity="major", status=418)
        self.assertEqual(self.staithe("run", playbook, *BOTH, "--yes").code, 1)

    def test_suite_that_is_asked_again_counts_as_it_was_last(self):
        """What failed the first time fails no job that reads the report of a run that went well; it is told all the same."""
        once, reports = self.sandbox.path("run", "asked"), harness.Reports(self)
        playbook = self.bound("after:", "  - check: {suite: bound, retry: {times: 1, every: 1s}}")
        self.suite(f"suite: bound\nsteps:\n  - {{name: there, run: 'test -e {once} || {{ touch {once}; exit 7; }}', expect: 0}}\n"
                   "  - {name: nobody else writes there, run: 'test -z \"$STAITHE_CHECK_RECORDS\"', expect: 0}\n")
        result = self.staithe("run", playbook, *BOTH, "--yes", *reports.options)
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual([one["verdict"] for one in reports.checks()], ["fail", "skipped", "pass", "pass"], str(result))
        case, = (case for key, case in reports.cases().items() if key[1] == "there")
        self.assertIsNone(case.find("failure"), str(result))
        self.assertEqual(case.find("flakyFailure").get("message"), "exit: wanted 0, got 7")

    def test_run_that_is_cut_off_lets_the_suite_undo_what_it_made(self):
        seen, url = api(self)
        playbook = self.bound("after:", "  - check: {suite: bound}")
        self.suite(f"""suite: bound
target: {url}
steps:
  - {{name: make, post: /made, expect: 200, undo: {{delete: /made, expect: 200}}}}
  - {{name: long, get: /long, timeout: 60s, expect: 200}}
""")
        run = self.sandbox.begin("run", "-f", "staithe.yml", playbook, *BOTH, "--yes")
        self.assertTrue(harness.await_true(lambda: "GET /long" in seen), run.peek())
        # No host is in hand any more, so the first signal cuts the suite off; what it made it takes back.
        run.signal(signal.SIGTERM)
        result = run.wait()
        self.assertEqual(result.code, 143, str(result))
        self.assertEqual(seen, ["POST /made", "GET /long", "DELETE /made"], str(result))
        self.nothing_held()

    def test_validate_reads_the_suites_of_a_playbook(self):
        playbook = self.bound("each:", "  - check: {suite: bound}")
        good = self.staithe("validate", playbook)
        self.assertEqual(good.code, 0, str(good))
        self.suite("suite: bound\nsteps:\n  - get: http://127.0.0.1/\n    expct: 200\n")
        for arguments in (("validate", playbook), ("plan", playbook, *BOTH)):
            result = self.staithe(*arguments)
            self.assertEqual(result.code, 3, str(result))
            self.assertIn("checks/bound.yml:4:5: error: unknown key 'expct'", result.text)
        os.unlink(self.sandbox.path("checks", "bound.yml"))
        missing = self.staithe("validate", playbook)
        self.assertEqual(missing.code, 3, str(missing))
        self.assertIn("there is no suite 'bound'", missing.text)

    def test_end_of_a_resumed_rollout_asks_the_hosts_of_the_runs_before_too(self):
        seen, url = api(self)
        self.suite(f"suite: own\ntarget: {url}\nsteps:\n  - {{name: a, each: host in $(hosts.app), get: /$(host.name), expect: 200}}\n", "own")
        after = "after: [{check: {suite: own}}]"
        target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"
        not_web2 = self.playbook({"before_drain": "run: {command: 'test $(host) != web2', read_only: true}"}, head=after)
        self.ended(self.sandbox.deploy(target, *BOTH, playbook=not_web2), 5, "changed web1", "FAILED web2")
        self.assertEqual(seen, [])
        self.ended(self.sandbox.deploy(target, *BOTH, "--resume", playbook=self.playbook(head=after)), 0, "done: 1 host")
        self.assertEqual(sorted(seen), ["GET /web1", "GET /web2"])
        self.nothing_left()

    def test_rollback_runs_the_suites_too(self):
        self.assertEqual(self.sandbox.deploy("v2", *BOTH, playbook="playbooks/checked.yml").code, 0)
        result = self.sandbox.staithe("rollback", "-f", "staithe.yml", "playbooks/checked.yml", *BOTH, "--yes")
        self.assertEqual(result.code, 0, str(result))
        self.assertIn("check suite charges", result.text)
        self.nothing_left()


class ByHand(harness.SystemTest):
    def check(self, *arguments, **more):
        return self.sandbox.staithe("check", "-f", "staithe.yml", *arguments, **more)

    def test_all_hosts_and_both_balancers(self):
        sha = self.sandbox.live("web1")[0]
        result = self.check("charges", "--only", "charge", "--only", "the balancers have what they need",
                            "--var", f"deploy.release={sha}", "--json")
        self.assertEqual(result.code, 0, str(result))
        records = [json.loads(line) for line in result.out.splitlines()]
        checks = [one for one in records if one["type"] == "check"]
        self.assertEqual([one["verdict"] for one in checks], ["pass"] * len(checks), str(result))
        self.assertEqual(sum(one["name"].startswith("charge [") for one in checks), 4)
        self.assertEqual(sum(one["part"] == "undo" for one in checks), 4)

    def suite(self, text, name="own"):
        self.sandbox.write(text, "checks", f"{name}.yml")
        self.addCleanup(os.unlink, self.sandbox.path("checks", f"{name}.yml"))

    def test_commands_on_hosts_over_ssh(self):
        self.suite("""suite: own
severity: critical
secrets: {word: env WORD}
defaults: {on_fail: continue}
steps:
  - name: says who it is
    each: host in $(hosts.app)
    run: printf '{"host":"%s","length":%s}' "$STAITHE_HOST" "${#WORD}"
    env: {WORD: $(word)}
    expect: {exit: 0, json.host: $(host.name), json.length: 13}
  - name: only there
    run: test "$STAITHE_HOST" = web2; echo "$STAITHE_HOST"
    on: web2
    expect: {exit: 0, out: web2}
  - name: says the secret
    run: echo "it is $WORD" >&2; exit 3
    on: web1
    env: {WORD: $(word)}
    expect: {exit: 0}
  - name: hangs
    run: echo begun; sleep 47; echo late
    on: web1
    timeout: 1s
    expect: {exit: 0}
  - name: here
    run: test -f staithe.yml
    expect: 0
""")
        result = self.check("own", "--json", env={"WORD": "s3cr3t-w0rd-7"})
        self.assertEqual(result.code, 1, str(result))
        checks = {one["name"]: one for one in map(json.loads, result.out.splitlines()) if one["type"] == "check"}
        self.assertEqual({name: one["verdict"] for name, one in checks.items()},
                         {**{f"says who it is [web{i}]": "pass" for i in range(1, 5)}, "only there": "pass",
                          "says the secret": "fail", "hangs": "fail", "here": "pass"}, str(result))
        self.assertEqual(checks["says the secret"]["judged"][0]["got"], "3")
        self.assertNotIn("s3cr3t-w0rd-7", result.out + result.err)
        self.assertIn("it is ***", result.out)
        # Its time was up: nothing of it lives on.
        self.nothing_held()

    def wildcard_server(self):
        """A TLS server for *.pay.test, and the certificate to trust."""
        directory = tempfile.mkdtemp(prefix="staithe-wildcard.")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        certificate = os.path.join(directory, "both.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "30", "-subj", "/CN=pay", "-addext", "subjectAltName=DNS:*.pay.test",
                        "-keyout", os.path.join(directory, "key.pem"), "-out", certificate], check=True, capture_output=True)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Quiet", (http.server.BaseHTTPRequestHandler,), {
            "do_GET": lambda handler: (handler.send_response(204), handler.end_headers()), "log_message": lambda *_: None}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, os.path.join(directory, "key.pem"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1], certificate

    def test_apps_own_interpreter_and_library_on_its_hosts(self):
        """The release's client library refuses wildcard certificates: who asks from outside does not see that, the
        app's own interpreter does, and only on the host that has that library."""
        port, certificate = self.wildcard_server()
        for host in ("web1", "web2", "web3", "web4"):
            venv = self.sandbox.path("hosts", host, "venv")
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
            self.addCleanup(shutil.rmtree, venv, ignore_errors=True)
            package, = glob.glob(os.path.join(venv, "lib", "python*", "site-packages"))
            with open(os.path.join(package, "payclient.py"), "w", encoding="utf-8") as file:
                file.write(PAY_CLIENT % {"wildcards": host != "web2"})
        self.suite(f"""suite: own
severity: critical
defaults: {{on_fail: continue}}
steps:
  - name: from outside
    get: https://w.pay.test:{port}/
    connect_to: 127.0.0.1:{port}
    ca: {certificate}
    expect: 204
  - name: the app's own client
    each: host in $(hosts.app)
    run: {self.sandbox.path("hosts")}/$(host.name)/venv/bin/python -m payclient w.pay.test {port} {certificate}
    expect: {{exit: 0, json.library: payclient, json.interpreter: contains $(host.name)/venv/bin/python, time: at most 20s}}
  - name: this machine has no such library
    run: python3 -m payclient
    expect: {{exit: 1, err: contains payclient}}
""")
        result = self.check("own", "--json")
        self.assertEqual(result.code, 1, str(result))
        checks = {one["name"]: one["verdict"] for one in map(json.loads, result.out.splitlines()) if one["type"] == "check"}
        self.assertEqual(checks, {"from outside": "pass", "this machine has no such library": "pass",
                                  **{f"the app's own client [web{i}]": "fail" if i == 2 else "pass" for i in range(1, 5)}},
                         str(result))
        self.assertIn("w.pay.test is not *.pay.test", result.out)

    def test_backend_as_its_balancers_see_it(self):
        self.suite("""suite: own
severity: critical
defaults: {on_fail: continue}
steps:
  - name: all
    haproxy: api
    expect: {up: $(hosts.app.count), draining: 0, down: 0, maint: 0, balancers: 2, servers: 4}
  - name: one
    haproxy: api
    balancers: [edge2]
    expect: {up: 4, balancers: 1}
  - name: none such
    haproxy: nosuch
    expect: {up: 4}
""")
        good = self.check("own", "--json", "--only", "all", "--only", "one")
        self.assertEqual(good.code, 0, str(good))
        # One balancer sees one server less: the worst off counts.
        self.sandbox.ask("lb1", "set server api/web3 state drain")
        self.addCleanup(self.sandbox.ask, "lb1", "set server api/web3 state ready")
        result = self.check("own", "--json")
        checks = {one["name"]: one for one in map(json.loads, result.out.splitlines()) if one["type"] == "check"}
        self.assertEqual({name: one["verdict"] for name, one in checks.items()},
                         {"all": "fail", "one": "pass", "none such": "error"}, str(result))
        got = {one["subject"]: one["got"] for one in checks["all"]["judged"]}
        self.assertEqual((got["up"], got["draining"]), ("3", "1"), str(result))
        self.assertIn("has no backend 'nosuch'", checks["none such"]["reason"])

    def test_sessions_of_all_balancers_together(self):
        """A visitor at each balancer holds an answer that never ends; a third one at the first."""
        self.suite("""suite: own
severity: critical
steps:
  - {name: sessions, haproxy: api, expect: {sessions: 3, queued: 0}}
""")
        self.assertEqual(self.check("own").code, 1)
        for balancer in ("127.0.2.1", "127.0.2.2", "127.0.2.1"):
            visitor = socket.create_connection((balancer, int(self.sandbox.env["LB_PORT"])), 10)
            self.addCleanup(visitor.close)
            visitor.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(visitor.recv(1))
        result = self.check("own", "--json")
        self.assertEqual(result.code, 0, str(result))

    def test_dry_run_lists_every_request_and_asks_nothing(self):
        result = self.check("charges", "--var", "deploy.release=x", "-n")
        self.assertEqual(result.code, 0, str(result))
        self.assertIn("POST http://127.0.1.1:", result.out)
        self.assertIn("expect     json.amount: 100", result.out)
        self.assertIn("Plan id", result.out)

    def test_term_cleans_up_and_leaves_a_report(self):
        seen, url = api(self)
        suite = f"""suite: stopped
severity: critical
target: {url}
steps:
  - name: make
    post: /made
    expect: 200
    undo: {{delete: /made, expect: 200}}
  - name: long
    get: /long
    timeout: 30s
    expect: 200
  - name: never
    get: /never
    expect: 200
cleanup:
  - name: tidy
    delete: /all/$(run.id)
    expect: 200
"""
        self.sandbox.write(suite, "checks", "stopped.yml")
        self.addCleanup(os.unlink, self.sandbox.path("checks", "stopped.yml"))
        report = self.sandbox.path("run", "stopped.xml")
        run = self.sandbox.begin("check", "-f", "staithe.yml", "stopped", "--report", f"junit={report}")
        self.assertTrue(harness.await_true(lambda: "GET /long" in seen))
        begun = time.monotonic()
        run.signal(signal.SIGTERM)
        result = run.wait()
        self.assertEqual(result.code, 143, str(result))
        self.assertLess(time.monotonic() - begun, 25, str(result))
        self.assertEqual([one.split("/")[1] for one in seen], ["made", "long", "made", "all"], str(result))
        self.assertNotIn("GET /never", seen)
        with open(report, encoding="utf-8") as file:
            text = file.read()
        self.assertIn('name="never"', text)
        self.assertIn("<error", text)


if __name__ == "__main__":
    harness.main()
