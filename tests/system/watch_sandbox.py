"""`staithe watch` against the sandbox: what it answers, whom it tells, what it survives."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import harness
from alerted import Server, as_pagerduty
from ports import free_port

SLACK_SECRET = "/hook/c2VjcmV0LXBhdGg"
ROUTING_KEY = "R0UT1NGK3Y0123456789abcdef012345"

FRONT = """suite: front
about: Every host answers, and a customer is charged.
severity: critical
schedule: every 1s
budget: 20s
alert: {after: 2 failed runs in a row}
steps:
  - name: health
    each: host in $(hosts.app)
    get: http://$(host.address):$(host.port)/health
    expect: 200
  - name: charge
    post: http://127.0.1.2:%(port)s/charges
    json: {amount: 100}
    expect: {status: 201, json.amount: 100}
    save: {charge: json.id}
    undo: {post: "http://127.0.1.2:%(port)s/charges/$(charge)/refund", expect: 200}
"""
SHOP = """suite: shop
severity: critical
schedule: every 1s
depends_on: [front]
alert: {after: 1}
steps:
  - name: browse
    get: http://127.0.1.3:%(port)s/health
    expect: 200
"""


class WatchTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.refusing = False
        self.alerts = Server(self.taken)
        self.addCleanup(self.alerts.stop)
        before = self.sandbox.read("staithe.yml")
        self.addCleanup(self.sandbox.write, before, "staithe.yml")
        self.sandbox.write(before + f"""    watch:
      listen: 127.0.0.1:{self.port}
      alerts:
        chat: slack env CHAT
        oncall: {{pagerduty: env ONCALL, url: "http://127.0.0.1:{self.alerts.port}/v2/enqueue"}}
      remind: 1h
""", "staithe.yml")
        for row in ("DELETE FROM staithe_notes", "DELETE FROM staithe_checks"):
            if self.sandbox.rows("SELECT name FROM sqlite_master WHERE name = 'staithe_notes'"):
                with contextlib.closing(self.sandbox.state()) as database:
                    database.execute(row)
        self.suites = []
        self.runs = []
        self.addCleanup(self.end_all)

    def taken(self, _, path, body):
        """What both services answer to an alert."""
        if self.refusing:
            return 503, "down"
        return as_pagerduty(body) if path == "/v2/enqueue" else (202, "ok")

    def end_all(self):
        for run in self.runs:
            if run.alive():
                run.process.kill()
                run.process.wait()
        for name in self.suites:
            with contextlib.suppress(OSError):
                os.unlink(self.sandbox.path("checks", name))

    def suite(self, name, text, **values):
        values["name"] = name
        self.suites.append(name + ".yml")
        self.sandbox.write(text % {"port": self.sandbox.env["APP_PORT"], **values}, "checks", name + ".yml")

    def begin(self, *arguments, env=None, stderr=None):
        run = self.sandbox.begin("watch", "-f", "staithe.yml", *arguments, env={
            "CHAT": f"http://127.0.0.1:{self.alerts.port}{SLACK_SECRET}", "ONCALL": ROUTING_KEY, **(env or {})}, stderr=stderr)
        self.runs.append(run)
        return run

    def get(self, path="/verify", headers=None, host="127.0.0.1"):
        request = urllib.request.Request(f"http://{host}:{self.port}{path}", headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def verify(self):
        status, text = self.get()
        return status, json.loads(text) if text else {}

    def until(self, what, run=None, seconds=120):
        """The first state of /verify for which `what(status, body)` holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status, body = self.verify()
            if body and what(status, body):
                return status, body
            if run is not None and not run.alive():
                break
            time.sleep(0.05)
        said = (run.peek() + str(run.wait()) if not run.alive() else run.peek()) if run else ""
        raise AssertionError(f"/verify did not come to that: {status} {json.dumps(body, indent=1)}\n{said}")

    def told(self, path):
        return [json.loads(body) for status, _, at, body in list(self.alerts.seen) if at == path and status == 202]

    def await_told(self, path, count, what=lambda _: True):
        found = lambda: [one for one in self.told(path) if what(one)]
        self.assertTrue(harness.await_true(lambda: len(found()) >= count, 90), f"{path}: {self.alerts.seen}")
        return found()

    def log(self, run):
        text = os.pread(run.output[0].fileno(), 1 << 26, 0).decode()
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def states(self, run, event):
        """What the log says of one kind of event so far. It is written behind: what /verify knows may not stand there yet."""
        return [one.get("state") for one in self.log(run) if one.get("event") == event]

    def ended_by_term(self, run):
        run.signal(signal.SIGTERM)
        result = run.wait()
        self.assertEqual(result.code, 143, str(result))
        self.assertEqual(self.sandbox.locks(), [], "the watch's lock is left")
        for secret in (SLACK_SECRET, ROUTING_KEY):
            self.assertNotIn(secret, result.text)
        return result


class Watch(WatchTest):
    def test_fault_is_caught_told_once_and_cleared(self):
        """The app of one host dies: 503 with its name, one alert for both suites that suffer, and the end of it."""
        self.suite("front", FRONT)
        self.suite("shop", SHOP)
        run = self.begin("front", "shop")
        status, body = self.until(lambda status, _: status == 200, run)
        self.assertEqual(body["verdict"], "pass")
        self.assertEqual([one["name"] for one in body["suites"]], ["front", "shop"])

        self.sandbox.app("web1", "stop")
        status, body = self.until(lambda status, body: body["incidents"], run)
        self.assertEqual(status, 503)
        self.assertEqual(body["failed"], ["front/health [web1]"])
        self.assertFalse(body["stale"])
        self.assertEqual(body["incidents"][0]["id"], "staithe/payments/production/front/failing/health [web1]")
        self.assertIn("verify_good 0\n", self.get("/metrics")[1])
        self.assertIn('verify_check_verdict{suite="front",check="health [web1]",verdict="fail"} 1\n',
                      self.get("/metrics")[1])
        page = self.get("/")[1]
        self.assertIn("Not well", page)
        self.assertIn("health [web1]", page)

        event, = self.await_told("/v2/enqueue", 1)
        self.assertEqual((event["event_action"], event["dedup_key"], event["routing_key"]),
                         ("trigger", "staithe/payments/production/front/failing/health [web1]", ROUTING_KEY))
        self.assertEqual(event["payload"]["severity"], "critical")
        self.assertEqual(event["payload"]["custom_details"]["not_run_because_of_it"], ["shop"])
        message, = self.await_told(SLACK_SECRET, 1)
        self.assertIn("payments production/front fails: health [web1]: ", message["text"])
        # It goes on for some runs more, of both suites: nobody is told again.
        runs = self.sandbox.rows("SELECT count(*) FROM staithe_checks WHERE suite = 'shop'")[0][0]
        self.assertTrue(harness.await_true(lambda: self.sandbox.rows(
            "SELECT count(*) FROM staithe_checks WHERE suite = 'shop'")[0][0] > runs + 3))
        self.assertEqual((len(self.told("/v2/enqueue")), len(self.told(SLACK_SECRET))), (1, 1), self.alerts.seen)

        self.sandbox.app("web1", "start")
        _, body = self.until(lambda status, _: status == 200, run)
        self.assertEqual((body["failed"], body["incidents"]), ([], []))
        resolve = self.await_told("/v2/enqueue", 2)[1]
        self.assertEqual((resolve["event_action"], resolve["dedup_key"]), ("resolve", event["dedup_key"]))
        self.assertIn("has recovered after", self.await_told(SLACK_SECRET, 2)[1]["text"])
        self.assertTrue(harness.await_true(lambda: self.states(run, "alert") == ["fired", "recovered"]), self.states(run, "alert"))
        self.assertTrue(any(one["type"] == "check" and one["verdict"] == "fail" for one in self.log(run)))
        self.ended_by_term(run)

    def test_broken_file_leaves_the_old_ones_in_use(self):
        self.suite("front", FRONT)
        run = self.begin("front")
        self.until(lambda status, _: status == 200, run)
        self.suite("front", FRONT.replace("    expect: 200", "    expct: 200"))
        run.signal(signal.SIGHUP)
        status, body = self.until(lambda _, body: "files" in body, run)
        self.assertEqual(status, 200)
        self.assertIn("checks/front.yml:11:5: error: unknown key 'expct'", body["files"])
        self.assertIn("staithe_watch_files_good 0\n", self.get("/metrics")[1])
        self.assertIn("unknown key &#39;expct&#39;", self.get("/")[1])
        self.assertTrue(harness.await_true(lambda: self.states(run, "files") == ["the old ones go on"]), self.states(run, "files"))
        before = body["suites"][0]["run_id"]
        self.until(lambda status, body: status == 200 and body["suites"][0]["run_id"] != before, run)
        # A project file that is no YAML either.
        project = self.sandbox.read("staithe.yml")
        self.sandbox.write(project + "\n  ]", "staithe.yml")
        run.signal(signal.SIGHUP)
        self.until(lambda _, body: "staithe.yml" in body.get("files", ""), run)
        self.sandbox.write(project, "staithe.yml")
        self.suite("front", FRONT.replace("name: health", "name: heart"))
        run.signal(signal.SIGHUP)
        _, body = self.until(lambda status, body: "files" not in body, run)
        self.assertTrue(harness.await_true(lambda: 'check="heart [web1]"' in self.get("/metrics")[1]))
        self.assertNotIn('check="health [web1]"', self.get("/metrics")[1])
        self.ended_by_term(run)

    def test_broken_file_at_the_start_is_left_out_and_told_of(self):
        """As after a restart of the machine: what is good is watched, and what is not is an alert with its place."""
        self.suite("front", FRONT)
        self.suite("shop", SHOP.replace("    expect: 200", "    expct: 200"))
        self.suite("later", SHOP.replace("suite: shop", "suite: later").replace("depends_on: [front]", "depends_on: [shop]"))
        run = self.begin("front", "shop", "later")
        known = lambda body: {one["name"]: one for one in body["suites"]}
        status, body = self.until(lambda _, body: len(known(body)) == 3 and all(
            one["verdict"] for one in known(body).values()), run)
        suites = known(body)
        self.assertEqual((status, suites["front"]["verdict"], suites["shop"]["verdict"]), (503, "pass", "error"), body)
        self.assertIn("checks/shop.yml:9:5: unknown key 'expct'", suites["shop"]["reason"])
        self.assertIn("its file is wrong", self.await_told(SLACK_SECRET, 1)[0]["text"])
        self.assertIn("needs suite 'shop', which ended with error", suites["later"]["reason"])
        self.assertIn("error: unknown key 'expct'", run.peek())
        self.assertIn("what is wrong is not watched; the other suites are", run.peek())
        # Another file is taken into use while that one is still wrong.
        self.suite("front", FRONT.replace("name: health", "name: heart"))
        run.signal(signal.SIGHUP)
        self.assertTrue(harness.await_true(lambda: 'check="heart [web1]"' in self.get("/metrics")[1], 60), run.peek())
        self.assertEqual(known(self.verify()[1])["shop"]["verdict"], "error")
        self.suite("shop", SHOP)
        run.signal(signal.SIGHUP)
        self.until(lambda status, body: status == 200 and known(body)["later"]["verdict"] == "pass", run)
        self.assertIn("has recovered", self.await_told(SLACK_SECRET, 2)[1]["text"])
        self.ended_by_term(run)
        # With nothing else to watch there is no watch.
        self.suite("shop", SHOP.replace("    expect: 200", "    expct: 200"))
        self.assertEqual(self.begin("shop").wait().code, 3)

    def test_kill_and_restart_keep_what_is_known(self):
        """Killed while something is wrong and an alert waits: after the restart the alert comes, under the same key,
        nobody is told twice, and the recovery is told."""
        self.suite("front", FRONT)
        run = self.begin("front")
        self.until(lambda status, _: status == 200, run)
        self.refusing = True
        self.sandbox.app("web1", "stop")
        self.until(lambda _, body: body["incidents"] and "503" in body.get("alerts", ""), run)
        _, before = self.verify()
        self.assertTrue(harness.await_true(lambda: len(json.loads(self.sandbox.rows(
            "SELECT body FROM staithe_notes WHERE name = 'watch/outbox'")[0][0])) == 2))
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        self.assertEqual(self.told("/v2/enqueue"), [])

        again = self.begin("front")
        _, body = self.until(lambda _, body: True, again)
        self.assertEqual([one["id"] for one in body["incidents"]], ["staithe/payments/production/front/failing/health [web1]"])
        self.assertEqual(body["incidents"][0]["since"], before["incidents"][0]["since"])
        self.assertNotIn("not run yet", str(body["reasons"]))
        self.refusing = False
        event, = self.await_told("/v2/enqueue", 1)
        self.assertEqual(event["dedup_key"], "staithe/payments/production/front/failing/health [web1]")
        self.sandbox.app("web1", "start")
        self.until(lambda status, _: status == 200, again)
        actions = [one["event_action"] for one in self.await_told("/v2/enqueue", 2)]
        self.assertEqual(actions, ["trigger", "resolve"])
        self.ended_by_term(again)

    def test_term_cleans_up_what_the_runs_in_hand_made(self):
        gate, requests = threading.Event(), []
        self.addCleanup(gate.set)

        def answer(method, path, _):
            requests.append(f"{method} {path.split('/')[1]}")
            if path == "/long":
                gate.wait(60)
            return 200, "{}"

        api = Server(answer)
        self.addCleanup(api.stop)
        self.suite("slow", """suite: slow
severity: critical
schedule: every 1s
target: http://127.0.0.1:%(api)d
steps:
  - {name: make, post: /made, expect: 200, undo: {delete: /made, expect: 200}}
  - {name: long, get: /long, timeout: 60s, expect: 200}
cleanup:
  - {name: tidy, delete: /all, expect: 200}
""", api=api.port)
        run = self.begin("slow")
        self.assertTrue(harness.await_true(lambda: "GET long" in requests, 90), run.peek())
        self.ended_by_term(run)
        self.assertEqual(requests, ["POST made", "GET long", "DELETE made", "DELETE all"])

    def test_suite_that_hangs_is_stale_and_told(self):
        """No run of it ends any more: /verify says so, though its last verdict was good; others go on."""
        hang, gate = threading.Event(), threading.Event()
        self.addCleanup(gate.set)

        def answer(*_):
            if hang.is_set():
                gate.wait(120)
            return 200, "{}"

        api = Server(answer)
        self.addCleanup(api.stop)
        text = """suite: %(name)s
severity: critical
schedule: every 1s
target: http://127.0.0.1:%(api)d
steps:
  - {name: ask, get: /, timeout: 2m, expect: 200}
"""
        other = Server(lambda *_: (200, "{}"))
        self.addCleanup(other.stop)
        self.suite("hangs", text, api=api.port)
        self.suite("other", text, api=other.port)
        run = self.begin("hangs", "other")
        self.until(lambda status, _: status == 200, run)
        hang.set()
        status, body = self.until(lambda _, body: body["incidents"], run)
        self.assertEqual((status, body["stale"]), (503, True))
        hangs, well = body["suites"]
        self.assertEqual((hangs["stale"], hangs["verdict"], well["stale"]), (True, "pass", False))
        self.assertIn("hangs: the last run ended", body["reasons"][0])
        self.assertGreater(hangs["running_s"], 1)
        event, = self.await_told("/v2/enqueue", 1)
        self.assertEqual(event["dedup_key"], "staithe/payments/production/hangs/silent")
        self.assertIn('verify_suite_stale{suite="hangs"} 1\n', self.get("/metrics")[1])
        gate.set()
        self.until(lambda status, body: status == 200 and not body["incidents"], run)
        self.assertEqual(self.await_told("/v2/enqueue", 2)[1]["event_action"], "resolve")
        self.ended_by_term(run)

    def test_another_release_is_expected_after_a_deploy(self):
        """Suites name the release that they expect: a deploy beside the watch makes it read them again."""
        self.assertEqual(self.sandbox.deploy("v2").code, 0)
        self.suite("release", """suite: release
severity: critical
schedule: every 1s
steps:
  - name: runs
    each: host in $(hosts.app)
    get: http://$(host.address):$(host.port)/version
    expect: {body: contains $(deploy.release)}
""")
        run = self.begin("release")
        _, body = self.until(lambda status, _: status == 200, run)
        self.assertEqual(body["suites"][0]["release"], self.sandbox.sha["v2"])
        self.assertEqual(self.sandbox.deploy("v3").code, 0)
        self.until(lambda status, body: status == 200 and body["suites"][0]["release"] == self.sandbox.sha["v3"], run, 120)
        self.ended_by_term(run)

    def test_stopped_process_is_not_healthy_when_it_goes_on(self):
        """A machine that slept, a process that was stopped: what it knows is old, and that is what it says first."""
        self.suite("front", FRONT.replace("every 1s", "every 2s"))
        run = self.begin("front")
        self.until(lambda status, _: status == 200, run)
        run.signal(signal.SIGSTOP)
        time.sleep(8)
        go_on = time.time() * 1000
        run.signal(signal.SIGCONT)
        self.until(lambda status, body: status == 200 and body["age_s"] < 5, run)
        # What was missed is not made up for: no storm.
        begun = self.sandbox.rows("SELECT min(time) AS begun FROM staithe_checks GROUP BY run_id HAVING begun >= ?", go_on)
        self.assertLessEqual(sum(one[0] < go_on + 1000 for one in begun), 2, begun)
        self.ended_by_term(run)


class Front(WatchTest):
    def setUp(self):
        super().setUp()
        self.suite("front", FRONT)

    def test_others_than_this_machine_need_a_token(self):
        refused = self.begin("front", "--listen", f"0.0.0.0:{self.port}").wait()
        self.assertEqual(refused.code, 2, str(refused))
        self.assertIn("can be reached from elsewhere", refused.err)
        self.sandbox.edited("      remind: 1h", "      remind: 1h\n      token: env TOKEN", "staithe.yml")
        short = self.begin("front", env={"TOKEN": "short"}).wait()
        self.assertEqual(short.code, 4, str(short))
        token = "t0ken-0123456789-abcdef"
        run = self.begin("front", "--listen", f"0.0.0.0:{self.port}", env={"TOKEN": token})
        self.assertTrue(harness.await_true(lambda: self.get()[0] == 401, 90), run.peek())
        for path in ("/", "/verify", "/metrics", "/other"):
            status, body = self.get(path)
            self.assertEqual((status, "front" in body), (401, False))
            self.assertEqual(self.get(path, {"Authorization": "Bearer " + token[:-1] + "0"})[0], 401)
        self.assertTrue(harness.await_true(
            lambda: self.get(headers={"Authorization": "Bearer " + token})[0] == 200, 90))
        result = self.ended_by_term(run)
        self.assertNotIn(token, result.text)

    def test_what_is_wrong_at_the_start_is_said_and_nothing_is_run(self):
        run = self.begin("front")
        self.until(lambda status, _: status == 200, run)
        second = self.begin("front", "--listen", f"127.0.0.1:{free_port()}").wait()
        self.assertEqual(second.code, 4, str(second))
        self.assertIn("production is already being watched by", second.err)
        self.ended_by_term(run)
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            busy = self.begin("front").wait()
        self.assertEqual(busy.code, 4, str(busy))
        self.assertIn(f"127.0.0.1 port {self.port}", busy.err)
        self.assertEqual(self.begin("front", "--listen", "example.com:1").wait().code, 2)
        report = self.begin("front", "--report", "junit=a.xml").wait()
        self.assertEqual(report.code, 2, str(report))
        self.assertIn("watch takes no --report", report.err)
        self.suite("front", FRONT.replace("schedule: every 1s\n", ""))
        idle = self.begin("front").wait()
        self.assertEqual(idle.code, 2, str(idle))
        self.assertIn("has no schedule", idle.err)
        self.suite("front", FRONT.replace("2 failed runs in a row}", "2, to: [caht]}"))
        nobody = self.begin("front").wait()
        self.assertEqual(nobody.code, 3, str(nobody))
        self.assertIn("did you mean 'chat'?", nobody.err)
        self.assertRegex(nobody.err, r"checks/front.yml:\d+:\d+: error: the suite alerts 'caht'")
        self.suite("front", FRONT.replace("suite: front", "siute: front"))
        self.assertEqual(self.begin("front").wait().code, 3)
        self.assertEqual(self.sandbox.locks(), [])

    def test_service_manager_is_told(self):
        directory = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(40)

            def hear(word):
                """What is said next that has this line; earlier news are no matter."""
                for _ in range(1000):
                    text = manager.recv(4096).decode()
                    if any(line.startswith(word) for line in text.split("\n")):
                        return text
                raise AssertionError(f"never said: {word}")

            run = self.begin("front", env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000"})
            hear("READY=1")
            # From the scheduler, again and again.
            hear("WATCHDOG=1")
            hear("WATCHDOG=1")
            hear("STATUS=1 suite, all is well")
            run.signal(signal.SIGHUP)
            self.assertIn("\nMONOTONIC_USEC=", hear("RELOADING=1"))
            self.assertIn("\nSTATUS=", hear("READY=1"))
            run.signal(signal.SIGTERM)
            hear("STOPPING=1")
        self.assertEqual(run.wait().code, 143)

    @staticmethod
    def browser():
        return shutil.which("chromium") or shutil.which("google-chrome")

    def test_page_in_a_browser(self):
        if not self.browser():
            self.skipTest("no chromium here")
        self.suite("front", FRONT.replace("about: Every host answers", "about: <script>document.title='x'</script> hosts answer"))
        run = self.begin("front")
        self.until(lambda status, _: status == 200, run)
        profile = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, profile, ignore_errors=True)

        def look(*more):
            return subprocess.run(
                [self.browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-dev-shm-usage", f"--user-data-dir={profile}", *more, f"http://127.0.0.1:{self.port}/"],
                capture_output=True, text=True, timeout=120, check=False)

        dom = look("--dump-dom").stdout
        self.assertIn("<title>All is well: payments production</title>", dom)
        self.assertIn('id="suite-front"', dom)
        picture = os.path.join(profile, "page.png")
        look(f"--screenshot={picture}", "--window-size=1000,900")
        self.assertGreater(os.path.getsize(picture), 5000)
        self.sandbox.app("web1", "stop")
        self.until(lambda status, _: status == 503, run)
        bad = look("--dump-dom").stdout
        self.assertIn("<title>Not well: payments production</title>", bad)
        self.assertIn('<details id="suite-front" open="">', bad)
        self.assertIn("health [web1]", bad)
        look(f"--screenshot={os.environ.get('STAITHE_TEST_PICTURE', picture)}", "--window-size=1000,900")
        self.ended_by_term(run)


if __name__ == "__main__":
    harness.main()
