"""What `status` says, and what it says to do, where a run left a host in service as nobody meant it, or a release is bad."""
import json

import harness

REFUSED = "run: {command: 'test $(host) != web1', read_only: true, timeout: 1m}"
CANARY = "  {batches: [1, 100%], max_failures: 0, min_available: 2, on_failure: stop}"
WITHIN_BUDGET = "  {batches: [1, 100%], parallel: 2, max_failures: 1, min_available: 2, on_failure: revert_batch}"


class StatusTells(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.ended(self.sandbox.deploy("v1"), 0)
        self.release = self.sandbox.sha["v2"][:12]

    def deploy_refused(self, strategy):
        """The new release does not pass its last check on web1, which serves it."""
        self.ended(self.sandbox.deploy("v2", playbook=self.playbook({"restored": REFUSED}, strategy=strategy)), 5,
                   "FAILED web1", "staithe recover")
        return self.sandbox.rows("SELECT id FROM staithe_runs ORDER BY started DESC, id DESC LIMIT 1")[0][0]

    def shown(self, code):
        """What people see, and the records by their type."""
        text, found = self.sandbox.staithe("status", "-e", "production"), {}
        records = self.sandbox.staithe("status", "-e", "production", "--json")
        self.assertEqual((text.code, records.code), (code, code), str(text))
        for record in map(json.loads, records.out.splitlines()):
            found.setdefault(record["type"], []).append(record)
        return text.out, found

    def recover_as_said(self, shown, run, *last_lines):
        self.assertRegex(shown, rf"(?m)^Next: staithe recover -e production {run} +put right what a run left\n\Z")
        self.ended(self.sandbox.staithe("recover", "-e", "production", run, "--yes"), *last_lines)

    def test_a_host_that_a_canary_left_failed_is_recovered_first(self):
        run = self.deploy_refused(CANARY)
        shown, records = self.shown(5)
        self.assertRegex(shown, rf"(?m)^FAILED: web1 +on the new release, which was to go back; left so by .*run {run}")
        self.assertRegex(shown, rf"web1 +{self.release} +bad ")
        self.assertIn(f"BAD: {self.release}, as run {run} found", shown)
        hosts = {record["host"]: record for record in records["host"]}
        self.assertEqual(hosts["web1"]["failed"]["run_id"], run)
        self.assertNotIn("failed", hosts["web2"])
        self.assertEqual([hosts[name]["bad"] for name in ("web1", "web2")], [True, False])
        last, = records["status"]
        self.assertEqual((last["failed"], last["bad"]), (["web1"], {"payments": {self.release: run}}))
        self.recover_as_said(shown, run, 0)
        shown, records = self.shown(0)
        self.assertNotRegex(shown, "FAILED|BAD|Next")
        self.assertEqual((records["status"][0]["failed"], records["status"][0]["bad"]), ([], {}))

    def test_what_is_bad_in_the_history_is_rolled_back_though_its_hosts_call_it_good(self):
        run = self.deploy_refused(WITHIN_BUDGET)
        self.recover_as_said(self.shown(5)[0], run, 5, "Versions are mixed", "staithe rollback")
        shown, records = self.shown(5)
        self.assertRegex(shown, rf"web2 +{self.release} +bad ")
        self.assertNotIn("staithe deploy", shown)
        self.assertRegex(shown, r"(?m)^Next: staithe rollback -e production playbooks/test.yml +bring all back\n\Z")
        self.assertEqual(list(records["status"][0]["bad"]["payments"]), [self.release])
        self.ended(self.sandbox.staithe("rollback", "-e", "production", self.playbook(), "--yes"), 0)
        self.assertNotRegex(self.shown(0)[0], "BAD|Next")
        # Once somebody has brought it all the same and it went well, it is bad no more.
        self.ended(self.sandbox.deploy("v2", playbook=self.playbook()), 0)
        self.assertNotRegex(self.shown(0)[0], "BAD|Next")


if __name__ == "__main__":
    harness.main()
