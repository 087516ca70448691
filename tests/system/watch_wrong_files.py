"""`staithe watch` begun while files are wrong: whom it stands in for, and what goes on meanwhile."""
import os
import signal

import harness
import watch_sandbox
from watch_sandbox import FRONT, SHOP, SLACK_SECRET


def known(body):
    return {one["name"]: one for one in body["suites"]}


class WrongFiles(watch_sandbox.WatchTest):
    def setUp(self):
        super().setUp()
        for name in os.listdir(self.sandbox.path("checks")):
            path = self.sandbox.path("checks", name)
            if os.path.isfile(path):
                self.addCleanup(os.rename, path + ".aside", path)
                os.rename(path, path + ".aside")
        self.suite("front", FRONT.replace("get: http://$(host.address):$(host.port)", "get: http://127.0.1.2:%(port)s"))

    def test_incident_outlives_a_restart_in_which_nothing_says_whose_it_is(self):
        """The suite of bills.yml fails, and the file is damaged before a restart: the pager hears of no end until there is one."""
        billing = SHOP.replace("suite: shop", "suite: billing").replace("127.0.1.3", "127.0.1.1").replace(
            "depends_on: [front]\n", "")
        self.suite("bills", billing)
        self.sandbox.app("web1", "stop")
        self.addCleanup(self.sandbox.app, "web1", "start")
        pager = lambda: [(one["event_action"], one["dedup_key"]) for one in self.told("/v2/enqueue")]
        run = self.begin()
        self.until(lambda _, body: body["incidents"], run, 15)
        event, = self.await_told("/v2/enqueue", 1)
        key = event["dedup_key"]
        self.assertIn("/billing/", key)
        self.ended_by_term(run)
        # Nothing of it is YAML; whether its line can still be read decides what it is called.
        for text, name in ((billing + "\n ]", "billing"), (billing.replace("suite:", "siute:") + "\n ]", "bills")):
            with self.subTest(name):
                self.suite("bills", text)
                run = self.begin()
                self.until(lambda _, body: known(body).get(name, {}).get("verdict") == "error", run)
                # It is read once more while it is wrong.
                run.signal(signal.SIGHUP)
                self.assertTrue(harness.await_true(lambda: "taken into use" in self.states(run, "files"), 60), run.peek())
                self.assertIn(key, [one["id"] for one in self.verify()[1]["incidents"]])
                self.ended_by_term(run)
                self.assertNotIn(("resolve", key), pager())
        self.suite("bills", billing)
        run = self.begin()
        self.sandbox.app("web1", "start")
        self.until(lambda status, _: status == 200, run)
        self.await_told("/v2/enqueue", 1, lambda one: (one["event_action"], one["dedup_key"]) == ("resolve", key))
        self.assertEqual([action for action, of in pager() if of == key], ["trigger", "resolve"])
        self.ended_by_term(run)

    def test_what_would_not_be_watched_is_only_told_of(self):
        unscheduled = SHOP.replace("suite: shop", "suite: apart").replace("schedule: every 1s\n", "").replace(
            "    expect: 200", "    expct: 200")
        self.suite("apart", unscheduled)
        run = self.begin()
        _, body = self.until(lambda status, _: status == 200, run)
        self.assertEqual(list(known(body)), ["front"])
        self.assertIn("checks/apart.yml:8:5: error: unknown key 'expct'", run.peek())
        # One that is watched begins to need it.
        self.suite("shop", SHOP.replace("[front]", "[apart]"))
        run.signal(signal.SIGHUP)
        self.until(lambda _, body: known(body).get("apart", {}).get("verdict") == "error", run)
        self.assertIn("its file is wrong", self.await_told(SLACK_SECRET, 1)[0]["text"])
        self.ended_by_term(run)
        # What was named is wanted.
        run = self.begin("front", "apart")
        self.until(lambda _, body: known(body).get("apart", {}).get("verdict") == "error", run)
        self.ended_by_term(run)

    def test_file_that_is_wrong_is_nothing_to_watch(self):
        self.suite("front", FRONT.replace("schedule: every 1s\n", ""))
        self.suite("shop", SHOP.replace("    expect: 200", "    expct: 200"))
        nothing = self.begin().wait(60)
        self.assertEqual(nothing.code, 2, str(nothing))
        self.assertIn("no suite has a schedule beside those whose files are wrong", nothing.err)


if __name__ == "__main__":
    harness.main()
