"""`staithe check` as a person and a pipeline use it: what it ends with, what part of a suite it runs, what it reports,
and what happens to the leftovers of a run that was killed."""
import contextlib
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree

import checking
from checking import STAITHE, answer

CATALOGUE = """<?xml version="1.0"?><catalogue version="3"><item id="a"><price>9.50</price></item>
<item id="b"><price>12.00</price></item></catalogue>"""


class Command(checking.CheckTest):
    def test_exit_codes(self):
        peer = self.fixed(slow='{"n": 3}', broken=("500 Internal Server Error", "{}"))
        good, bad = ["get: /", "expect: 200"], ["get: /broken", "expect: 200"]
        degraded = ["get: /slow", "expect: {status: 200}", "warn: {json.n: at most 2}"]
        unjudged = ["get: /", "auth: bearer $(token)", "expect: 200"]
        for wanted, steps, arguments in (
                (0, [good], []), (1, [good, bad], []), (1, [bad, degraded], ["--fail-on", "degraded"]),
                (0, [good, degraded], []), (6, [good, degraded], ["--fail-on", "degraded"]),
                (6, [good, degraded], ["--fail-on", "tolerated"]), (0, [good], ["--fail-on", "tolerated"]),
                (4, [good, unjudged], []), (4, [good, unjudged], ["--fail-on", "degraded"]),
                (1, [bad, unjudged], []), (2, [good], ["--no-such-option"]), (2, [good], ["--fail-on", "weather"]),
                (2, [good], ["--target", "shop.example.com"]), (2, [good], ["--report", "tap=-"]),
                (4, [good], ["--expect-plan", "000000000000"]), (3, [["get: /", "expct: 200"]], [])):
            with self.subTest(wanted=wanted, steps=steps, arguments=arguments):
                self.suite(peer.url, *steps, head="secrets: {token: env STAITHE_NO_SUCH_SECRET}\n" if unjudged in steps else "")
                result = self.check("faults", *arguments, "--report", "junit=a.xml")
                self.assertEqual(result.code, wanted, str(result))
                if result.code not in (2, 3) and "--expect-plan" not in arguments:
                    self.assertEqual(checking.lost_in_jenkins(os.path.join(self.directory, "a.xml"))[0], [], str(result))
        self.assertNotIn("-", os.listdir(self.directory))

    def test_suite_is_found_by_the_name_that_it_declares(self):
        peer = self.fixed()
        text = "suite: fraud-decision\ntarget: %s\nsteps: [{name: a, get: /, expect: 200}]\n" % peer.url
        self.write("checks/decision.yml", text)
        self.assertEqual(self.check("fraud-decision").code, 0)
        self.write("checks/other.yml", text)
        twice = self.check("fraud-decision")
        self.assertEqual(twice.code, 3, str(twice))
        self.assertIn("there is no suite 'fraud-decision'", twice.err)

    def test_no_value_says_more_in_a_url_than_its_place_lets_it(self):
        """A variable, a cell and a secret; the plan shows what is asked, and no report the secret."""
        peer = self.fixed()
        self.write("checks/keys.csv", "key\na/b?x#y\n")
        self.suite(peer.url, ["get: /echo?key=$(key)", "expect: 200"], ["get: /cells/$(case.key)", "expect: 200"],
                   ["get: /pay/$(token)?token=$(token)", "expect: 201"],
                   head="vars: {key: 'a&z=9 ä'}\nsecrets: {token: env PAY_TOKEN}\ncases: keys.csv\n")
        asked = ["/echo?key=a%26z%3D9%20%C3%A4", "/cells/a%2Fb%3Fx%23y", "/pay/p&w%20%C3%A4=1/2?token=p%26w%20%C3%A4%3D1/2"]
        plan = self.check("faults", "--dry-run")
        for path in asked[:2]:
            self.assertIn(path, plan.out, str(plan))
        result = self.check("faults", "-v", "--report", "jsonl=a.jsonl", environment={"PAY_TOKEN": "p&w ä=1/2"})
        self.assertEqual(result.code, 1, str(result))
        self.assertEqual(sorted(peer.seen), sorted(asked))
        for form in ("p&w", "p%26w", "%C3%A4%3D1", "%C3%A4=1"):
            self.assertNotIn(form, result.out + result.err + pathlib.Path(self.directory, "a.jsonl").read_text())

    def test_where_nothing_is_run_no_older_report_stays(self):
        peer = self.fixed()
        report = os.path.join(self.directory, "old.xml")
        for arguments, step, wanted, stays in ((["--dry-run"], "expect: 200", 0, True), ([], "expct: 200", 3, False),
                                               (["--expect-plan", "0" * 12], "expect: 200", 4, False)):
            with self.subTest(arguments=arguments, step=step):
                self.write("old.xml", "<testsuites/>")
                self.suite(peer.url, ["get: /", step])
                result = self.check("faults", *arguments, "--report", "junit=" + report)
                self.assertEqual(result.code, wanted, str(result))
                self.assertEqual(os.path.exists(report), stays)

    def test_each_undo_of_a_sample_has_a_name_of_its_own(self):
        ids = itertools.count(1)
        peer = self.peer(lambda connection, path: connection.sendall(
            answer(f'{{"id": {next(ids)}}}', status="201 Created" if path == "/things" else "200 OK")))
        self.suite(peer.url, ["post: /things", "safe: true", "sample: 3", "expect: 201", "save: {id: json.id}",
                              "undo: {delete: /things/$(id), expect: 200}"])
        result = self.check("faults", "--report", "junit=a.xml")
        self.assertEqual(result.code, 0, str(result))
        self.jenkins("a.xml", passed=4)

    def test_balancers_are_asked_where_no_host_is_declared(self):
        self.write("staithe.yml", "staithe: 1\nproject: shop\nenvironments:\n  production:\n    watch: {}\n"
                                  f"    balancers: {{edge: {{socket: {self.directory}/none.sock}}}}\n")
        self.write("checks/edge.yml", "suite: edge\nsteps:\n  - {name: all up, haproxy: app, expect: {up: 1}}\n")
        result = self.check("edge")
        self.assertEqual(result.code, 1, str(result))
        self.assertIn("none.sock", result.out)
        self.assertNotIn("no balancer is declared", result.out)

    def test_inconclusive_says_why(self):
        peer = self.fixed()
        self.suite(peer.url, ["get: /", "expect: 200"], ["get: /", "auth: bearer $(token)", "expect: 200"],
                   head="secrets: {token: env STAITHE_NO_SUCH_SECRET}\n")
        result = self.check("faults")
        self.assertEqual(result.code, 4, str(result))
        self.assertIn("STAITHE_NO_SUCH_SECRET", result.out + result.err)
        self.assertRegex(result.out + result.err, r"(?i)inconclusive")

    def test_xml_bodies(self):
        peer = self.fixed(catalogue=CATALOGUE, nothing="<a>")
        self.suite(peer.url,
                   ["get: /catalogue", "expect:", "  xml /catalogue/@version: 3", "  xml count(//item): 2",
                    "  xml //item[@id='a']/price: 9 to 10", "  xml sum(//price): at least 21",
                    "  xml //item/@id: [a, b]", "  xml //gone: absent"],
                   ["get: /catalogue", "expect:", "  xml //item[@id='b']/price: under 12"],
                   ["get: /nothing", "expect:", "  xml /a: exists"])
        result = self.check("faults", "--json")
        verdicts = [one["verdict"] for one in self.records(result)]
        self.assertEqual(verdicts, ["pass", "fail", "fail"], str(result))
        self.assertIn("not XML", result.out)
        self.suite(peer.url, ["get: /catalogue", "expect:", "  xml //item[: 1"])
        wrong = self.check("faults")
        self.assertEqual(wrong.code, 3, str(wrong))

    def test_wait_lets_time_pass_and_no_more(self):
        """It judges nothing, takes its time, and is cut short by the budget and by a signal, after which is cleaned up."""
        times = {}

        def behave(connection, path):
            times[path] = time.monotonic()
            connection.sendall(answer("{}"))

        peer = self.peer(behave)
        ask = lambda path: ["get: " + path, "expect: 200"]
        self.suite(peer.url, ask("/before"), ["wait: 700ms"], ask("/after"))
        result = self.check("faults", "--json", "--report", "junit=a.xml")
        self.assertEqual(result.code, 0, str(result))
        self.assertGreaterEqual(times["/after"] - times["/before"], 0.7)
        self.assertLess(times["/after"] - times["/before"], 30)
        self.assertEqual([one["verdict"] for one in self.records(result)], ["pass"] * 3)
        self.jenkins("a.xml", passed=3)
        # It says nothing about the system, and so takes nothing from what is known of it.
        lost, = [one["lost"] for one in self.records(result, "checks_finished")]
        self.assertEqual({one["check"] for one in lost}, {"step 0", "step 2"}, str(result))
        # It waits for nobody, so a check's timeout is none of its business.
        self.suite(peer.url, ask("/before"), ["wait: 2s", "timeout: 1s"], ask("/after"))
        result = self.check("faults", "--json")
        self.assertEqual(result.code, 0, str(result))
        self.assertGreaterEqual(times["/after"] - times["/before"], 2)
        for wrong in (["wait: 700"], ["wait: 1s", "expect: 200"], ["wait: soon"]):
            self.suite(peer.url, wrong)
            self.assertEqual(self.check("faults").code, 3, wrong)

        head = "cleanup:\n  - name: tidy\n    get: /tidy\n    expect: 200\n"
        self.suite(peer.url, ask("/before"), ["wait: 60s"], ask("/late"), head="budget: 1s\n" + head)
        result = self.check("faults", "--json")
        self.assertLess(result.seconds, 50)
        self.assertEqual(result.code, 4, str(result))
        cut, = [one for one in self.records(result) if one["name"] == "step 1"]
        self.assertEqual((cut["verdict"], cut["reason"]), ("aborted", "the budget of 1s is used up"), str(result))
        self.assertNotIn("/late", times)
        self.assertIn("/tidy", times)

        del times["/tidy"], times["/before"]
        self.suite(peer.url, ask("/before"), ["wait: 60s"], ask("/late"), head=head)
        process = subprocess.Popen([STAITHE, "check", "faults"], cwd=self.directory, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        deadline = time.monotonic() + 20
        while "/before" not in times and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 143)
        self.assertNotIn("/late", times)
        self.assertIn("/tidy", times)

    def test_suites_beside_each_other_and_after_each_other(self):
        """One that needs another which failed is not run and says whose fault that is; others run at the same time."""
        both = threading.Barrier(2, timeout=60)

        def behave(connection, path):
            if path in ("/first", "/other"):
                with contextlib.suppress(threading.BrokenBarrierError):
                    both.wait()
            bad = path == "/first"
            connection.sendall(answer('{"id": 7}', status="500 No" if bad else "200 OK"))

        peer = self.peer(behave)
        for name, head, path in (("first", "export: [id]\n", "/first"), ("second", "depends_on: [first]\n", "/second/$(first.id)"),
                                 ("other", "", "/other")):
            save = "    save: {id: json.id}\n" if name == "first" else ""
            self.write(f"checks/{name}.yml", f"suite: {name}\nseverity: critical\ntarget: {peer.url}\n{head}steps:\n"
                                             f"  - name: ask\n    get: {path}\n    expect: 200\n{save}")
        result = self.check("first", "second", "other", "--json", "--report", "junit=a.xml")
        self.assertEqual(result.code, 1, str(result))
        self.assertFalse(both.broken, "they did not run at the same time")
        self.assertEqual(sorted(peer.seen), ["/first", "/other"], str(result))
        blocked = [one for one in self.records(result) if one["suite"] == "second"]
        self.assertEqual([one["verdict"] for one in blocked], ["skipped"], str(result))
        self.assertIn("needs suite 'first'", json.dumps(blocked[0]))
        self.jenkins("a.xml", passed=1, failed=1, skipped=1)

    def test_sweep_removes_what_a_killed_run_has_left_and_nothing_else(self):
        lock, things = threading.Lock(), {"somebody's": "2020-01-01T00:00:00Z"}
        kill_at = threading.Event()

        def behave(connection, path):
            word, _, rest = path.strip("/").partition("/")
            with lock:
                if word == "make":
                    things[rest] = None
                elif word == "remove":
                    things.pop(rest, None)
                body = json.dumps([{"id": name, "created": when} if when else {"id": name} for name, when in things.items()])
            if word == "long":
                kill_at.set()
                peer.over.wait(60)
            connection.sendall(answer(body))

        peer = self.peer(behave)

        def suite(middle):
            self.write("checks/faults.yml", f"""suite: faults
severity: critical
target: {peer.url}
steps:
  - {{name: make, post: /make/verify-$(run.id), expect: 200, undo: {{post: /remove/verify-$(run.id), expect: 200}}}}
  - {{name: middle, get: {middle}, timeout: 60s, expect: 200}}
sweep:
  older_than: 1s
  list: /list
  each: {{post: "/remove/$(item.id)", expect: 200}}
""")
        suite("/long")
        killed = subprocess.Popen([STAITHE, "check", "faults"], cwd=self.directory, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.assertTrue(kill_at.wait(30))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        left = [name for name in things if name.startswith("verify-")]
        self.assertEqual(len(left), 1, things)
        time.sleep(1.5)
        suite("/short")
        result = self.check("faults")
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual(list(things), ["somebody's"], str(result))

    def test_reports_of_a_failure(self):
        """All of them from one run: the terminal says how to run it again, and each file is what its reader takes."""
        peer = self.fixed(broken=("500 Oh", '{"error":"no"}'))
        self.suite(peer.url, ["get: /", "expect: 200"], ["get: /broken", "retry: 1 after 10ms", "expect: 200"])
        summary = os.path.join(self.directory, "summary.md")
        result = self.check("faults", "--report", "junit=a.xml", "--report", "tap=a.tap", "--report", "html=a.html",
                            "--report", "jsonl=a.jsonl", environment={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary})
        self.assertEqual(result.code, 1, str(result))
        text = result.out + result.err
        for part in ("checks/faults.yml:9", "wanted 200, got 500", "attempt 2 of 2", "again    staithe check checks/faults.yml --only 'step 1'",
                     f"curl     curl -sS -i {peer.url}/broken", "::error file=checks/faults.yml,line=9"):
            self.assertIn(part, text)
        self.jenkins("a.xml", passed=1, failed=1)
        root = xml.etree.ElementTree.parse(os.path.join(self.directory, "a.xml")).getroot()
        failures = list(root.iter("failure"))
        self.assertEqual(len(failures), 1)
        self.assertTrue(failures[0].get("message"))
        self.assertEqual(len(list(root.iter("rerunFailure"))), 1)
        with open(os.path.join(self.directory, "a.tap"), encoding="utf-8") as file:
            tap = file.read()
        self.assertTrue(tap.startswith("TAP version 14\n1..2\n"), tap)
        self.assertEqual(re.findall(r"^(ok|not ok) \d+", tap, re.M), ["ok", "not ok"])
        with open(os.path.join(self.directory, "a.html"), encoding="utf-8") as file:
            page = file.read()
        self.assertIn("<svg", page)
        self.assertNotRegex(page, r"(?:src|href)=[\"']?https?:")
        with open(os.path.join(self.directory, "a.jsonl"), encoding="utf-8") as file:
            self.assertIn("checks_finished", [json.loads(line)["type"] for line in file])

    def test_reports_that_are_not_written_are_said_and_no_success(self):
        peer = self.fixed(broken=("500 Oh", "{}"), slow='{"n": 3}')
        for steps, arguments, wanted in (([["get: /", "expect: 200"]], [], 4), ([["get: /broken", "expect: 200"]], [], 1),
                                         ([["get: /slow", "expect: 200", "warn: {json.n: at most 2}"]],
                                          ["--fail-on", "degraded"], 6)):
            self.suite(peer.url, *steps)
            for kind in ("junit", "tap", "html", "jsonl", "lines", "github"):
                with self.subTest(kind=kind, wanted=wanted):
                    result = self.check("faults", *arguments, "--report", f"{kind}=/dev/full")
                    self.assertEqual(result.code, wanted, str(result))
                    self.assertRegex(result.err, "staithe: /dev/full.*[Nn]o space left")
        self.suite(peer.url, ["get: /", "expect: 200"])
        self.assertEqual(self.check("faults", "--report", "junit=/dev/null").code, 0)

    def test_reports_of_a_killed_run_are_not_green(self):
        """Killed while it asks, and while it cleans up after a stop: no report says that all is well."""
        at, go_on = {"/hang": threading.Event(), "/tidy": threading.Event()}, threading.Event()
        self.addCleanup(go_on.set)

        def behave(connection, path):
            if path in at:
                at[path].set()
                go_on.wait(60)
            connection.sendall(answer("{}"))

        peer = self.peer(behave)
        self.write("checks/faults.yml", f"""suite: faults
severity: critical
target: {peer.url}
steps:
  - {{name: good, get: /, expect: 200}}
  - {{name: hangs, get: /hang, timeout: 60s, expect: 200}}
cleanup:
  - {{name: tidy, get: /tidy, timeout: 60s, expect: 200}}
""")
        for last in ("/hang", "/tidy"):
            with self.subTest(last):
                killed = subprocess.Popen([STAITHE, "check", "faults", "--report", "junit=a.xml", "--report", "tap=a.tap",
                                           "--report", "html=a.html"], cwd=self.directory, stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL)
                self.assertTrue(at["/hang"].wait(30))
                if last == "/tidy":
                    killed.send_signal(signal.SIGTERM)
                    self.assertTrue(at["/tidy"].wait(30))
                killed.send_signal(signal.SIGKILL)
                killed.wait()
                at["/hang"].clear()
                wrong, shown = checking.lost_in_jenkins(os.path.join(self.directory, "a.xml"))
                self.assertEqual((wrong, shown.get("failed", 0) > 0), ([], True), shown)
                root = xml.etree.ElementTree.parse(os.path.join(self.directory, "a.xml")).getroot()
                self.assertIn("the run did not end", [one.get("message") for one in root.iter("error")])
                with open(os.path.join(self.directory, "a.tap"), encoding="utf-8") as file:
                    self.assertIn("Bail out!", file.read())
                with open(os.path.join(self.directory, "a.html"), encoding="utf-8") as file:
                    page = file.read()
                self.assertNotIn('class="v pass">pass</span></h1>', page)
                self.assertRegex(page, "did not end|was stopped")
        go_on.set()
        self.assertEqual(self.check("faults", "--report", "junit=a.xml").code, 0)
        self.jenkins("a.xml", passed=3)

    def test_quarantine_that_has_ended_is_said(self):
        peer = self.fixed(broken=("500 Oh", "{}"))
        ended = "quarantine: {owner: ann, reason: ticket 4, until: 2020-12-31}"
        self.suite(peer.url, ["get: /", "expect: 200", ended])
        said = "'step 0' of faults: its quarantine ended 2020-12-31 (ann: ticket 4), it counts again"
        result = self.check("faults", "--report", "html=a.html")
        self.assertEqual(result.code, 0, str(result))
        self.assertIn("quarantine    " + said, result.out)
        with open(os.path.join(self.directory, "a.html"), encoding="utf-8") as file:
            self.assertIn("its quarantine ended 2020-12-31", file.read())
        self.suite(peer.url, ["get: /broken", "expect: 200", ended])
        result = self.check("faults", "--report", "junit=a.xml", "--report", "tap=a.tap")
        self.assertEqual(result.code, 1, str(result))
        self.assertIn("quarantine    " + said, result.out)
        self.jenkins("a.xml", failed=1)
        for name in ("a.xml", "a.tap"):
            with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                self.assertIn("its quarantine ended 2020-12-31", file.read())

    def test_every_verdict_in_every_report(self):
        """One run with all of them: what Jenkins, a TAP harness and a person make of each."""
        asked = {}

        def behave(connection, path):
            asked[path] = asked.get(path, 0) + 1
            bad = path.startswith("/bad") or (path == "/flaky" and asked[path] == 1)
            connection.sendall(answer('{"n": 3}', status="503 No" if bad else "200 OK"))

        peer = self.peer(behave)
        self.write("checks/faults.yml", f"""suite: faults
severity: critical
target: {peer.url}
secrets: {{token: env STAITHE_NO_SUCH_SECRET}}
neighbours:
  geo: {{probe: {{get: /bad/geo, expect: 200}}, patience: 6h}}
defaults: {{on_fail: continue}}
steps:
  - {{name: good, get: /, expect: 200}}
  - {{name: slow, get: /, expect: 200, warn: {{json.n: at most 2}}}}
  - {{name: flaky, get: /flaky, retry: 1 after 10ms, expect: 200}}
  - {{name: excused, get: /bad, expect: 200, tolerate: {{geo: {{evidence: [probe], expect: {{status: 503}}}}}}}}
  - {{name: known, get: /bad, expect: 200, quarantine: {{owner: ann, reason: ticket 4, until: 2099-12-31}}}}
  - {{name: unjudged, get: /, auth: bearer $(token), expect: 200}}
  - {{name: broken, get: /bad, on_fail: stop, expect: 200}}
  - {{name: after, get: /, expect: 200}}
""")
        result = self.check("faults", "--json", "--report", "junit=a.xml", "--report", "tap=a.tap", "--report", "html=a.html")
        self.assertEqual(result.code, 1, str(result))
        found = {one["name"]: one["verdict"] for one in self.records(result)}
        self.assertEqual(found, {"good": "pass", "slow": "degraded", "flaky": "pass", "excused": "tolerated", "known": "fail",
                                 "unjudged": "error", "broken": "fail", "after": "skipped"}, str(result))
        self.jenkins("a.xml", passed=3, failed=2, skipped=3)
        root = xml.etree.ElementTree.parse(os.path.join(self.directory, "a.xml")).getroot()
        cases = {one.get("name"): one for one in root.iter("testcase")}
        self.assertIsNotNone(cases["flaky"].find("flakyFailure"))
        self.assertIsNotNone(cases["unjudged"].find("error"))
        self.assertIsNotNone(cases["broken"].find("failure"))
        for name, word in (("excused", "tolerated: geo is down"), ("known", "quarantined: "), ("after", "blocked: 'broken'")):
            self.assertIn(word, cases[name].find("skipped").get("message"))
        with open(os.path.join(self.directory, "a.tap"), encoding="utf-8") as file:
            tap = re.findall(r"^(?:ok|not ok) .*$", file.read(), re.M)
        for line, begins in zip(tap, ("ok 1 - faults: good", "ok 2 - faults: slow", "ok 3 - faults: flaky",
                                      "ok 4 - faults: excused # SKIP tolerated: geo", "not ok 5 - faults: known # TODO quarantined "
                                      "until 2099-12-31", "not ok 6 - faults: unjudged", "not ok 7 - faults: broken",
                                      "ok 8 - faults: after # SKIP blocked: 'broken'")):
            self.assertTrue(line.startswith(begins), tap)
        self.assertEqual(len(tap), 8)

    def test_page_has_a_picture_of_each_checks_history(self):
        """A bar for each run that is known, in the colour of its verdict; this one's is the last."""
        for status in ("200 OK", "500 No", "200 OK"):
            peer = self.fixed(changing=(status, "{}"))
            self.suite("http://shop.test", *([f"get: {path}", f"connect_to: {peer.url[7:]}", "expect: 200"]
                                             for path in ("/", "/changing")))
            result = self.check("faults", "--report", "html=a.html")
            self.assertEqual(result.code, 1 if status != "200 OK" else 0, str(result))
        with open(os.path.join(self.directory, "a.html"), encoding="utf-8") as file:
            pictures = re.findall(r"<svg.*?</svg>", file.read(), re.S)
        self.assertEqual(len(pictures), 2)
        steady, changing = (re.findall(r'<rect class="(\w+)"', one) for one in pictures)
        self.assertEqual((steady, changing), (["pass"] * 3, ["pass", "fail", "pass"]), pictures)

    def test_rows_of_a_table_keep_their_own_history(self):
        """Whatever order the analysts bring them into."""
        peer = self.fixed()
        self.write("checks/faults.yml", f"""suite: faults
target: {peer.url}
cases: rows.csv
steps:
  - {{name: decide, get: /$(case.id), expect: 200}}
""")
        histories = []
        for rows in (("one,1", "two,2"), ("two,2", "three,3", "one,1"), ("three,3", "two,20", "one,1")):
            self.write("checks/rows.csv", "\n".join(("name,id", *rows)) + "\n")
            result = self.check("faults", "--json")
            self.assertEqual(result.code, 0, str(result))
            histories.append({one["name"]: one["history"]["runs"] for one in self.records(result)})
        self.assertEqual(histories[1], {"decide [two]": 1, "decide [three]": 0, "decide [one]": 1})
        # Row two asks for something else now: what was known of it says nothing of that.
        self.assertEqual(histories[2], {"decide [three]": 1, "decide [two]": 0, "decide [one]": 2})

    def test_github_shows_ten_and_how_many_more(self):
        peer = self.fixed(broken=("500 Oh", "{}"))
        self.suite(peer.url, *(["get: /broken", "expect: 200"] for _ in range(14)))
        result = self.check("faults", environment={"GITHUB_ACTIONS": "true"})
        self.assertEqual(result.code, 1, str(result))
        errors = [line for line in (result.out + result.err).splitlines() if line.startswith("::error")]
        self.assertEqual(len(errors), 10, str(result))
        self.assertEqual(errors[-1], "::error::and 5 more")


if __name__ == "__main__":
    unittest.main()
