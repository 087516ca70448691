"""What a watch needs to alert is looked at before it is needed: at its start, on SIGHUP, by validate and by doctor."""
import json
import os
import signal
import subprocess
import unittest
import urllib.error
import urllib.request

import checking
import harness
from checking import STAITHE, answer
from ports import free_port

PROJECT = """staithe: 1
project: shop
environments:
  production:
    watch:
      listen: 127.0.0.1:%d
      alerts:
        chat: slack file hook
%s"""
ONCALL = "        oncall: pagerduty env STAITHE_NO_SUCH_KEY\n"
SUITE = """suite: api
severity: critical
schedule: every 1s
target: %s
%ssteps:
  - {name: health, get: /, expect: 200}
"""


class Secrets(checking.CheckTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.target = self.peer(lambda connection, _: connection.sendall(answer("{}"))).url
        self.write("hook", "http://127.0.0.1:9/hook")
        self.files()

    def files(self, oncall="", alert=""):
        self.write("staithe.yml", PROJECT % (self.port, oncall))
        self.write("checks/api.yml", SUITE % (self.target, alert))

    def run_once(self, *arguments):
        return subprocess.run([STAITHE, *arguments], cwd=self.directory, text=True, capture_output=True, timeout=60)

    def begin(self):
        with open(os.path.join(self.directory, "err"), "w", encoding="utf-8") as err:
            run = subprocess.Popen([STAITHE, "watch"], cwd=self.directory, stdout=subprocess.DEVNULL, stderr=err)
        self.addCleanup(lambda: run.poll() is None and run.kill())
        self.assertTrue(harness.await_true(lambda: self.verify().get("good"), 60), self.err())
        return run

    def err(self):
        with open(os.path.join(self.directory, "err"), encoding="utf-8") as file:
            return file.read()

    def verify(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/verify", timeout=20) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)
        except OSError:
            return {}

    def end(self, run):
        run.send_signal(signal.SIGTERM)
        self.assertEqual(run.wait(60), 143)

    def test_watch_does_not_begin_when_it_could_alert_nobody(self):
        self.files(ONCALL)
        refused = self.run_once("watch")
        self.assertEqual(refused.returncode, 4, refused)
        self.assertIn("alerts for 'oncall' could not be sent", refused.stderr)
        self.assertIn("STAITHE_NO_SUCH_KEY", refused.stderr)
        self.write("hook", "no-url-but-secret-all-the-same")
        self.files()
        refused = self.run_once("watch")
        self.assertEqual(refused.returncode, 4, refused)
        self.assertIn("alerts for 'chat' could not be sent: the webhook, file hook, is not a URL", refused.stderr)
        self.assertNotIn("no-url-but", refused.stderr + refused.stdout)
        # One whom no suite names is in nobody's way.
        self.write("hook", "http://127.0.0.1:9/hook")
        self.files(ONCALL, "alert: {to: [chat]}\n")
        self.end(self.begin())

    def test_words_of_ours_are_not_hidden_by_a_secret_that_is_one(self):
        self.files()
        self.write("staithe.yml", PROJECT % (self.port, "      token: file token\n"))
        self.write("token", "short")
        refused = self.run_once("watch")
        self.assertEqual(refused.returncode, 4, refused)
        self.assertIn("the token, file token, is shorter than 16 characters", refused.stderr)
        self.files()
        self.write("hook", "hook")
        self.assertIn("the webhook, file hook, is not a URL", self.run_once("watch").stderr)

    def test_old_files_go_on_when_the_new_ones_could_alert_nobody(self):
        run = self.begin()
        self.files(ONCALL)
        run.send_signal(signal.SIGHUP)
        self.assertTrue(harness.await_true(lambda: "oncall" in self.verify().get("files", ""), 60), self.err())
        self.assertRegex(self.err(), "staithe: alerts for 'oncall' could not be sent: .*; the files read before stay in use")
        self.assertTrue(self.verify()["good"])
        # What is wrong with a suite, likewise.
        self.files()
        self.write("checks/api.yml", SUITE.replace("expect:", "expct:") % (self.target, ""))
        run.send_signal(signal.SIGHUP)
        self.assertTrue(harness.await_true(lambda: "expct" in self.verify().get("files", ""), 60), self.err())
        self.assertIn("the files read before stay in use.", self.verify()["files"])
        self.assertIn("; the files read before stay in use.\n", self.err())
        self.assertNotIn("nothing was run", self.err())
        # Somebody who was declared all the time, and whom nobody was to tell until now.
        self.files(ONCALL, "alert: {to: [chat]}\n")
        run.send_signal(signal.SIGHUP)
        self.assertTrue(harness.await_true(lambda: self.verify().get("files", "none") == "none", 60), self.verify())
        self.files(ONCALL, "alert: {to: [oncall]}\n")
        run.send_signal(signal.SIGHUP)
        self.assertTrue(harness.await_true(lambda: "alerts for 'oncall'" in self.verify().get("files", ""), 20), self.err())
        # The secret of one who is told already is no reason to keep the old ones: it is wrong with them too.
        self.files()
        os.unlink(os.path.join(self.directory, "hook"))
        run.send_signal(signal.SIGHUP)
        self.assertTrue(harness.await_true(lambda: self.verify().get("files", "none") == "none", 60), self.verify())
        self.end(run)

    def test_validate_warns_of_it(self):
        self.files(ONCALL)
        warned = self.run_once("validate")
        self.assertEqual(warned.returncode, 0, warned)
        self.assertRegex(warned.stderr, r"staithe\.yml:9:\d+: warning: .*STAITHE_NO_SUCH_KEY")
        self.assertIn("a watch here that tells 'oncall' would not start", warned.stderr)

    def test_doctor_of_a_project_that_has_only_checks(self):
        well = self.run_once("doctor")
        self.assertEqual(well.returncode, 0, well)
        self.assertIn("1 suite, 1 check; 1 of them on a schedule", well.stdout)
        self.assertIn("alert chat   can be told", well.stdout)
        self.assertIn("Nothing stands in the way of checks", well.stdout)
        self.files(ONCALL)
        ill = self.run_once("doctor")
        self.assertEqual(ill.returncode, 1, ill)
        self.assertRegex(ill.stdout, r"alert oncall\n  error: .*STAITHE_NO_SUCH_KEY")
        records = [json.loads(line) for line in self.run_once("doctor", "--json").stdout.splitlines()]
        self.assertEqual([(one["type"], one["name"]) for one in records[1:] if one["trouble"]], [("alert", "oncall")])

    def test_doctor_of_a_project_that_has_hosts_as_well(self):
        with open(os.path.join(self.directory, "staithe.yml"), encoding="utf-8") as file:
            project = file.read()
        self.write("staithe.yml", project.replace("production:", "production:\n    hosts: {web1: {address: 127.0.0.1, port: 1}}"))
        both = self.run_once("doctor")
        self.assertEqual(both.returncode, 1, both)
        self.assertLess(both.stdout.index("web1"), both.stdout.index("1 suite, 1 check"))
        self.assertIn("alert chat   can be told", both.stdout)
        records = [json.loads(line) for line in self.run_once("doctor", "--json").stdout.splitlines()]
        self.assertEqual([one["type"] for one in records], ["version", "host", "suites", "alert", "watch", "state"])
        # Before the first deploy there is no release to speak of.
        self.write("checks/api.yml", (SUITE % (self.target, "")).replace("get: /", "get: /$(deploy.release)"))
        self.assertIn("1 suite, 1 check", self.run_once("doctor").stdout)
        self.write("checks/api.yml", (SUITE % (self.target, "")).replace("expect:", "expct:"))
        wrong = self.run_once("doctor")
        self.assertEqual(wrong.returncode, 3, wrong)
        self.assertIn("expct", wrong.stderr)

    def test_doctor_looks_up_what_suites_name_themselves(self):
        self.write("staithe.yml", PROJECT.replace("project: shop", "project: shop\nsecrets: {shared: file hook}") % (self.port, ""))
        self.write("checks/api.yml", SUITE % (self.target, "secrets: {key: env STAITHE_NO_SUCH_KEY, hook: file hook, other: file other, unused: file none}\n")
                   + "  - {name: key, get: /, auth: bearer $(key), expect: 200}\n"
                   + "  - {name: both, get: /, headers: {a: $(hook), b: $(other)}, expect: 200}\n")
        self.write("other", "another-secret")
        ill = self.run_once("doctor")
        self.assertEqual(ill.returncode, 1, ill)
        self.assertRegex(ill.stdout, r"secret env STAITHE_NO_SUCH_KEY\n  error: .*STAITHE_NO_SUCH_KEY is not set")
        self.assertIn("secret file other   of suite api", ill.stdout)
        self.assertEqual(ill.stdout.count("file hook"), 1, "told under the name that staithe.yml has for it")
        self.assertNotIn("none", ill.stdout)

    def test_a_webhook_names_a_host(self):
        self.write("hook", "https:///services/T0/B0")
        refused = self.run_once("watch")
        self.assertEqual(refused.returncode, 4, refused)
        self.assertIn("alerts for 'chat' could not be sent: the webhook, file hook, is a URL that names no host", refused.stderr)


if __name__ == "__main__":
    unittest.main()
