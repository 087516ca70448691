"""Suites of checks in the sandbox: by hand, as a step of a deploy, and what is left when they are stopped."""
import http.server
import json
import os
import signal
import threading
import time

import harness

BOTH = ("--limit", "web1,web2")


class Wrong(harness.SystemTest):
    def test_release_that_starts_but_answers_wrongly_is_caught_and_reverted(self):
        """Its health is green. The critical suite charges the canary, gets the wrong amount, and the release before
        comes back; visitors notice nothing, for the canary had no visitors yet."""
        before = self.sandbox.versions()
        with harness.Load(self.sandbox) as load:
            result = self.sandbox.deploy("wrong-charges", *BOTH, playbook="playbooks/checked.yml")
        self.ended(result, 1, "FAILED at web1", "reverted web1", "untouched web2", "exit 1")
        self.assertIn("json.amount: wanted 100, got 10000", result.text)
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before, str(result))

    def test_good_release_passes_on_each_host_and_after_the_last(self):
        result = self.sandbox.deploy("v2", *BOTH, playbook="playbooks/checked.yml")
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": "v2", "web2": "v2"})
        self.assertIn("check suite charges", result.text)
        rows = self.sandbox.rows("select distinct release_id from staithe_checks where verdict = 'pass'")
        self.assertIn((self.sandbox.sha["v2"],), [tuple(row) for row in rows])
        self.nothing_left()

    def test_mistake_in_a_suite_is_found_before_anything_is_changed(self):
        good = self.sandbox.read("checks", "charges.yml")
        self.addCleanup(self.sandbox.write, good, "checks", "charges.yml")
        self.sandbox.write(good.replace("json.amount: 100", "jsn.amount: 100", 1), "checks", "charges.yml")
        result = self.sandbox.deploy("v3", *BOTH, playbook="playbooks/checked.yml")
        self.assertEqual(result.code, 3, str(result))
        self.assertIn("tells nothing of 'jsn.amount'", result.text)
        self.nothing_held()


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

    def test_dry_run_lists_every_request_and_asks_nothing(self):
        result = self.check("charges", "--var", "deploy.release=x", "-n")
        self.assertEqual(result.code, 0, str(result))
        self.assertIn("POST http://127.0.1.1:", result.out)
        self.assertIn("expect     json.amount: 100", result.out)
        self.assertIn("Plan id", result.out)

    def test_term_cleans_up_and_leaves_a_report(self):
        seen, hang = [], threading.Event()
        self.addCleanup(hang.set)

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
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        suite = f"""suite: stopped
severity: critical
target: http://127.0.0.1:{server.server_address[1]}
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
        self.assertLess(time.monotonic() - begun, 4, str(result))
        self.assertEqual([one.split("/")[1] for one in seen], ["made", "long", "made", "all"], str(result))
        self.assertNotIn("GET /never", seen)
        with open(report, encoding="utf-8") as file:
            text = file.read()
        self.assertIn('name="never"', text)
        self.assertIn("<error", text)


if __name__ == "__main__":
    harness.main()
