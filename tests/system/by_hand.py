"""What an operator does and reads at night: drain, status, restore, rollback, exec, history."""
import json

import harness


class ByHand(harness.SystemTest):
    def last_record(self, *arguments):
        result = self.sandbox.staithe(*arguments, "-e", "production", "--json")
        return result, json.loads(result.out.strip().split("\n")[-1])

    def test_drain_is_seen_in_the_status_and_given_back_by_restore(self):
        with harness.Load(self.sandbox) as load:
            drained = self.sandbox.staithe("drain", "web1", "-e", "production", "--reason", "disk swap", "--yes")
            self.ended(drained, 0)
            self.assertEqual({name.split("/")[1] for name in self.sandbox.all_serving()}, {"web1"})
            self.nothing_held()
            shown, status = self.last_record("status")
            self.assertIn("web1", json.dumps(status["out"]), str(shown))
            text = self.sandbox.staithe("status", "-e", "production")
            run_id = self.sandbox.rows("SELECT id FROM staithe_runs ORDER BY started DESC, id DESC LIMIT 1")[0][0]
            self.assertIn(run_id, text.out, "which run left it out is said")
            self.ended(self.sandbox.staithe("restore", "web1", "-e", "production", "--yes"), 0)
        self.none_failed(load)
        self.nothing_left()
        shown, status = self.last_record("status")
        self.assertEqual((shown.code, status["out"]), (0, []), str(shown))

    def test_status_names_the_release_that_runs_on_each_host(self):
        self.ended(self.sandbox.deploy("v2", "--limit", "web1,web2"), 0)
        self.ended(self.sandbox.deploy("v3", "--limit", "web3"), 0)
        shown, status = self.last_record("status")
        expected = {}
        for host, version in self.sandbox.versions().items():
            expected.setdefault(self.sandbox.sha[version][:12], []).append(host)
        self.assertEqual(status["versions"], expected, str(shown))

    def test_status_when_nothing_answers(self):
        self.sandbox.service("stop", "lb1.haproxy")
        self.sandbox.service("kill", "web2.sshd")
        result = self.sandbox.staithe("status", "-e", "production")
        self.assertNotEqual(result.code, 0, str(result))
        self.assertIn("edge1", result.text)
        self.assertIn("web2", result.text)
        self.assertIn("edge2", result.text)

    def test_rollback_to_the_release_before(self):
        hosts = ("--limit", "web1,web2")
        for ref in ("v2", "v3"):
            self.ended(self.sandbox.deploy(ref, *hosts), 0)
        with harness.Load(self.sandbox) as load:
            result = self.sandbox.staithe("rollback", *hosts, "-e", "production", "--yes")
        self.ended(result, 0, "done: 2 hosts on " + self.sandbox.sha["v2"][:12])
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": "v2", "web2": "v2"})

    def test_exec_tells_each_host_and_counts_failures(self):
        result = self.sandbox.staithe("exec", "-e", "production", "-H", "app", "--yes", "--",
                                      'test "$STAITHE_HOST" != web3 && echo "I am $STAITHE_HOST"')
        self.assertEqual(result.code, 1, str(result))
        for host in ("web1", "web2", "web4"):
            self.assertIn(f"I am {host}", result.out)
        self.assertNotIn("I am web3", result.out)
        self.assertIn("web3", result.err)
        self.nothing_left()

    def test_history_has_every_run_with_its_end(self):
        self.ended(self.sandbox.deploy("v2", "--limit", "web4"), 0)
        self.assertEqual(self.sandbox.deploy("broken-start", "--limit", "web4").code, 1)
        result = self.sandbox.staithe("history", "-e", "production", "--json")
        self.assertEqual(result.code, 0, str(result))
        runs = self.sandbox.rows("SELECT id, exit_code FROM staithe_runs")
        self.assertGreaterEqual(len(runs), 2)
        for run_id, _ in runs:
            self.assertIn(run_id, result.out)


if __name__ == "__main__":
    harness.main()
