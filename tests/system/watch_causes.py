"""`staithe watch` tells of causes: each once, when it has lasted, and each has its own end."""
import re
import threading
import urllib.parse

import harness
import watch_sandbox
from alerted import Server

SUITE = """suite: api
severity: critical
schedule: every 1s
target: http://127.0.0.1:%(api)d
steps:
  - {name: begin, get: /begin, expect: 200, on_fail: continue}
  - {name: charge, get: /charge, expect: 200, on_fail: continue}
  - {name: refund, get: /refund, expect: 200, on_fail: continue}
"""
KEY = "staithe/payments/production/api/failing/"


class Causes(watch_sandbox.WatchTest):
    def setUp(self):
        super().setUp()
        self.number, self.failing, self.lock = 0, lambda number: (), threading.Lock()
        api = Server(self.answer)
        self.addCleanup(api.stop)
        self.suite("api", SUITE, api=api.port)

    def answer(self, _, path, __):
        name = urllib.parse.urlsplit(path).path[1:]
        with self.lock:
            if name == "begin":
                self.number += 1
            return (500 if name in self.failing(self.number) else 200), "{}"

    def some_runs(self, more):
        """Until so many more have been begun, and the one before the last of them has ended."""
        until = self.number + more
        self.assertTrue(harness.await_true(lambda: self.number >= until, 90))

    def events(self):
        """As a pager has them, which takes the same event twice for one: whoever is killed before it knows that it
        was taken sends it again."""
        events = []
        for one in self.told("/v2/enqueue"):
            event = (one["event_action"], one["dedup_key"].removeprefix(KEY))
            if event not in events[-1:]:
                events.append(event)
        return events

    def await_events(self, wanted):
        self.assertTrue(harness.await_true(lambda: len(self.events()) >= len(wanted), 90), self.events())
        self.assertEqual(self.events(), wanted)

    def test_each_cause_is_told_once_and_has_its_end(self):
        run = self.begin("api")
        self.until(lambda status, _: status == 200, run)
        # Every run fails, but none of them for the reason of the one before it.
        first = self.number + 1
        self.failing = lambda number: ("charge",) if number % 2 else ("refund",)
        self.some_runs(4)
        self.failing = lambda _: ()
        self.until(lambda status, _: status == 200, run)
        self.assertEqual(self.events(), [], f"told after runs {first} to {self.number}, that failed one after the other")
        # One that lasts, and then another one beside it.
        self.failing = lambda _: ("charge",)
        self.await_events([("trigger", "charge")])
        self.failing = lambda _: ("charge", "refund")
        self.await_events([("trigger", "charge"), ("trigger", "refund")])
        self.failing = lambda _: ("refund",)
        self.await_events([("trigger", "charge"), ("trigger", "refund"), ("resolve", "charge")])
        status, body = self.verify()
        self.assertEqual((status, [one["culprit"] for one in body["incidents"]]), (503, ["refund"]))
        # What is counted and what was told is known after a kill.
        run.process.kill()
        run.process.wait()
        run = self.begin("api")
        self.failing = lambda _: ()
        self.await_events([("trigger", "charge"), ("trigger", "refund"), ("resolve", "charge"), ("resolve", "refund")])
        # What is sent again after the kill may have lasted another tenth of a second.
        said = lambda: list(dict.fromkeys(re.sub(r"(recovered after )[\d.]+", r"\1", one["text"])
                                          for one in self.told(watch_sandbox.SLACK_SECRET)))
        self.assertTrue(harness.await_true(lambda: len(said()) >= 4, 90), said())
        texts = said()
        self.assertIn("payments production/api: charge has recovered after ", texts[2])
        self.assertIn("still failing: refund", texts[2])
        self.assertIn("payments production/api: refund has recovered after ", texts[3])
        # All at once is one page.
        self.failing = lambda _: ("begin", "charge", "refund")
        self.await_events([("trigger", "charge"), ("trigger", "refund"), ("resolve", "charge"), ("resolve", "refund"),
                           ("trigger", "begin")])
        self.some_runs(4)
        self.assertEqual(len(self.events()), 5)
        self.ended_by_term(run)


if __name__ == "__main__":
    harness.main()
