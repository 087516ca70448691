"""What `status` says, and what it says to do, where a run left a host in service as nobody meant it, or a release is bad."""
import json
import re
import shlex

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

    def unjudged(self, shown, records, run, step):
        self.assertRegex(shown, rf"(?m)^UNFINISHED: run {run} +'{step}' under 'after' did not end well; ")
        self.assertEqual([(record["run_id"], record["left"]) for record in records["unjudged_run"]],
                         [(run, f"'{step}' under 'after' did not end well")])

    def newest(self):
        return self.sandbox.rows("SELECT id FROM staithe_runs ORDER BY started DESC, id DESC LIMIT 1")[0][0]

    def with_end(self, path, step):
        self.sandbox.write(self.sandbox.read(path) + f"after:\n  - local: {step}\n", path)
        return path

    def test_a_deploy_whose_last_step_failed_is_told_until_one_ends(self):
        playbook = self.with_end(self.playbook(strategy=CANARY), "'false'")
        self.ended(self.sandbox.deploy("v2", playbook=playbook), 5, "staithe rollback")
        run = self.newest()
        shown, records = self.shown(5)
        self.unjudged(shown, records, run, "false")
        self.assertNotRegex(shown, "BAD|FAILED")
        again = re.search(r"(?m)^Next: staithe (deploy .*?) +roll it out again, to its end$", shown)[1]
        self.assertRegex(shown, r"(?m)^ +staithe rollback -e production playbooks/test.yml +or bring all back\n\Z")
        self.sandbox.write(self.sandbox.read(playbook).replace("local: 'false'", "local: 'true'"), playbook)
        self.ended(self.sandbox.staithe(*shlex.split(again), "--yes"), 0)
        shown, records = self.shown(0)
        self.assertNotRegex(shown, "UNFINISHED|Next")

    def test_a_release_that_could_not_be_staged_again_stays_good(self):
        staged = self.playbook()
        self.sandbox.write(self.sandbox.read(staged).replace("stage:\n", "stage:\n  - run: 'false'\n"), staged)
        self.ended(self.sandbox.deploy("v1", playbook=self.with_end(staged, "'true'")), 1, "untouched web[1-4]")
        self.assertNotRegex(self.shown(0)[0], "UNFINISHED|Next")

    def test_a_recovery_judges_nothing(self):
        playbook = self.with_end(self.playbook(strategy=CANARY), "'false'")
        self.ended(self.sandbox.deploy("v2", playbook=playbook), 5)
        run = self.newest()
        self.ended(self.sandbox.staithe("recover", "-e", "production", run, "--yes"), 0, "it is not marked good")
        shown, records = self.shown(0)
        self.unjudged(shown, records, run, "false")
        self.assertRegex(shown, r"(?m)^Next: staithe deploy .* roll it out again, to its end$")
        self.ended(self.sandbox.staithe("rollback", "-e", "production", self.playbook(), "--yes"), 0)
        self.assertNotRegex(self.shown(0)[0], "UNFINISHED|Next")

    def test_a_task_whose_last_step_failed_is_told_until_a_person_says_so(self):
        task = ("playbook: tune\nservice: payments\nhosts: app\nstrategy: {batches: [100%], on_failure: stop}\n"
                "each:\n  - run: 'true'\nafter:\n  - local: 'false'\n")
        self.sandbox.write(task, "playbooks", "tune.yml")
        self.ended(self.sandbox.staithe("run", "playbooks/tune.yml", "-e", "production", "--yes"), 5)
        run = self.newest()
        shown, records = self.shown(5)
        self.unjudged(shown, records, run, "false")
        self.assertRegex(shown, r"(?m)^Next: staithe run -e production playbooks/tune.yml +do it again, to its end\n\Z")
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--settled", run, "--reason", "seen to", "--confirm", run), 0)
        self.assertNotRegex(self.shown(0)[0], "UNFINISHED|Next")


if __name__ == "__main__":
    harness.main()
