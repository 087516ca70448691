"""The frame of the system tests: a test case that is lent a sandbox, steps that hold a host where something is to
break, and a runner that works on several sandboxes at a time.
"""
import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
import unittest
import xml.etree.ElementTree

from sandbox import BALANCERS, HOSTS, Load, Sandbox, await_true

__all__ = ["BALANCERS", "HOSTS", "Hold", "Load", "Reports", "Sandbox", "SystemTest", "await_true", "main", "watched"]


class SystemTest(unittest.TestCase):
    """A test that is lent a sandbox, in which everything is UP when it begins. See main()."""

    maxDiff = None
    longMessage = True
    sandbox = None

    def run(self, result=None):
        self.begun = time.monotonic()
        return super().run(result)

    def setUp(self):
        self.assertEqual(self.sandbox.put_right(), {}, "the sandbox is not right before the test")

    def playbook(self, each=(), stage=(), strategy="", head=""):
        """A playbook like the sandbox's own, with steps before each of its parts; its path.

        `each` is {place: step}, where a place is before_drain, drained, reloaded, healthy or restored, or one of
        the words drain, activate, reload, wait, restore to write that step otherwise.
        """
        each = dict(each)
        steps = []
        for place, word in (("before_drain", "drain"), ("drained", "activate"), (None, "reload"),
                            ("reloaded", "wait"), ("healthy", "restore"), ("restored", None)):
            if place in each:
                steps.append(each.pop(place))
            if word:
                plain = {"drain": "drain: {within: 20s, at_deadline: fail}",
                         "wait": "wait: {http: $(health), for: 20s}"}.get(word, word + ": {}")
                steps.append(each.pop(word, plain))
        assert not each, each
        lines = ["playbook: deploy payments", "service: payments", "hosts: app", "vars: {ref: main}", head, "strategy:",
                 strategy or "  {batches: [1, 100%], window: sliding, max_failures: 0, min_available: 2, "
                             "on_failure: revert_batch}", "stage:"]
        for step in [*stage, "checkout: {}", "run: make -C $(release.path) install"]:
            lines.append(f"  - {step}")
        lines.append("each:")
        for step in steps:
            lines.append(f"  - {step}")
        self.sandbox.write("\n".join(lines) + "\n", "playbooks", "test.yml")
        return "playbooks/test.yml"

    def hold(self, name, host="web1"):
        """A step that waits on `host` until it is let go, so that a test can break something just there."""
        hold = Hold(self.sandbox, name, host)
        self.addCleanup(hold.let_go)
        return hold

    def killed_at(self, place, ref, *options):
        """A deploy that died with web1 at that place of self.playbook()."""
        hold = self.hold(place)
        run = self.sandbox.begin_deploy(ref, *options, playbook=self.playbook({place: hold.step}))
        hold.reached(run)
        run.signal(signal.SIGKILL)
        run.wait()
        hold.let_go()

    def ended(self, result, code, *last_lines):
        """The exit code, and texts that the last lines must hold; how far words stand apart does not count."""
        self.assertEqual(result.code, code, str(result))
        end = result.end()
        for text in last_lines:
            self.assertIn(text, end, str(result))
        if code in (1, 4, 5) and f"exit {code} (" in end and result.arguments[0] != "exec":
            self.assertRegex(end, r"\bnext\b", f"nothing is said to run next: {result}")

    def reload_balancer(self, balancer):
        pid = self.sandbox.worker(balancer)
        self.sandbox.service("signal", balancer + ".haproxy", "USR2")
        self.assertTrue(await_true(lambda: self.sandbox.worker(balancer) not in (None, pid)))

    def nothing_left(self, sandbox=None, balancers=None, context=""):
        """Every server UP on both balancers, no lock, no run without an end, no process."""
        sandbox = sandbox or self.sandbox
        self.assertEqual(sandbox.await_serving(balancers=balancers), {}, f"servers are left out {context}")
        self.nothing_held(sandbox, context)

    def nothing_held(self, sandbox=None, context=""):
        """No lock, no run without an end, no process here or on the hosts."""
        sandbox = sandbox or self.sandbox
        self.assertEqual(sandbox.locks(), [], f"a lock is left {context}")
        self.assertEqual(sandbox.unfinished(), [], f"a run has no end {context}")
        self.assertEqual(sandbox.staithe_processes(), [], f"staithe still runs {context}")
        deadline = time.monotonic() + 60
        while (left := sandbox.leashed()) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(left, [], f"commands live on on the hosts {context}")

    def none_failed(self, load, context="", least=100):
        self.assertGreater(load.counts["requests"], least, "too few requests to mean anything")
        self.assertEqual(load.failed, 0, f"{context} {json.dumps(load.counts['failed_by'])} {load.counts['failures']}")


@contextlib.contextmanager
def watched(sandbox, balancer="lb2", host="web1"):
    """Every state that the host's servers have on the balancer meanwhile."""
    seen, going = set(), [True]

    def watch():
        while going[0]:
            seen.update(state for name, state in sandbox.servers([balancer]).items() if name.endswith("/" + host))
            time.sleep(0.002)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        watcher = pool.submit(watch)
        try:
            yield seen
        finally:
            going[0] = False
            watcher.result()


class Hold:
    def __init__(self, sandbox, name, host):
        self.waiting = sandbox.path("run", f"{name}-{host}.waiting")
        self.gate = sandbox.path("run", f"{name}-{host}.gate")
        pattern = sandbox.path("run", f"{name}-$(host)")
        command = f"'touch {pattern}.waiting; while test -e {pattern}.gate; do sleep 0.02; done'"
        self.step = f"run: {{command: {command}, read_only: true, timeout: 3m}}"
        self.local = f"local: {{command: {command}, timeout: 3m}}"  # the host itself is not needed for it
        self.undo = f"run: {{command: 'true', undo: {command}, timeout: 3m}}"  # waits where it is undone
        for leftover in (self.waiting, self.gate):
            with contextlib.suppress(OSError):
                os.unlink(leftover)
        open(self.gate, "w", encoding="ascii").close()

    def reached(self, run, seconds=90):
        """Waits until the host is there."""
        if not await_true(lambda: os.path.exists(self.waiting) or not run.alive(), seconds) or not run.alive():
            raise AssertionError("the host did not come to the step: " + (run.peek() if run.alive() else str(run.wait())))

    def let_go(self):
        with contextlib.suppress(OSError):
            os.unlink(self.gate)


class Reports:
    """What programs are told of a run: its records, and the cases of its JUnit report."""

    def __init__(self, test):
        self.files = {kind: test.sandbox.path("run", "reported." + kind) for kind in ("jsonl", "junit")}
        self.options = [word for kind, file in self.files.items() for word in ("--report", f"{kind}={file}")]

    def checks(self):
        with open(self.files["jsonl"], encoding="utf-8") as file:
            return [one for one in map(json.loads, file) if one["type"] == "check"]

    def cases(self):
        """{(class, name): element}; Jenkins mixes up the histories of two of one name."""
        found = {}
        for case in xml.etree.ElementTree.parse(self.files["junit"]).iter("testcase"):
            key = case.get("classname"), case.get("name")
            assert key not in found, key
            found[key] = case
        return found


def tests_of(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from tests_of(entry)
        else:
            yield entry


def say(test, result):
    """One line for a test, and all that is known when it failed. True when it is as it should be."""
    trouble = result.failures + result.errors
    words = "FAILED" if trouble or result.unexpectedSuccesses else "ok"
    if result.skipped:
        words = "skipped: " + result.skipped[0][1]
    if result.expectedFailures:
        words = "fails as expected: " + (test._testMethodDoc or "")
    print(f"{words:<7} {test._testMethodName} {time.monotonic() - test.begun:.1f} s", flush=True)
    for _, text in trouble:
        print("    " + text.replace("\n", "\n    "), flush=True)
    return words != "FAILED"


class EndlessSession(SystemTest):
    """A visitor of web1 reads slowly from an answer that never ends; `ended_at`: when it was cut."""

    def setUp(self):
        super().setUp()
        self.client = socket.create_connection(("127.0.2.1", int(self.sandbox.env["LB_PORT"])), 60)
        self.addCleanup(self.client.close)
        self.client.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\nX-Server: web1\r\n\r\n")
        self.assertIn(b"x-host: web1", self.client.recv(300).lower())
        self.ended_at = None
        threading.Thread(target=self.read_slowly, daemon=True).start()

    def read_slowly(self):
        with contextlib.suppress(OSError):
            while self.client.recv(2000):
                time.sleep(0.1)
        self.ended_at = time.monotonic()


def main(at_once=3, databases=False):
    """Runs the calling file's tests, or those named on the command line, on so many sandboxes at a time."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(143)))
    loader, module = unittest.defaultTestLoader, sys.modules["__main__"]
    names = sys.argv[1:]
    tests = [test for test in tests_of(loader.loadTestsFromModule(module))
             if not names or any(name in test.id() for name in names)]
    if not tests:
        sys.exit("no such test")
    at_once = min(at_once, len(tests), int(os.environ.get("STAITHE_TEST_SANDBOXES", at_once)))
    todo = list(reversed(tests))
    good = []

    def work():
        sandbox = Sandbox(databases)
        try:
            while todo:
                test = todo.pop()
                test.sandbox = sandbox
                result = unittest.TestResult()
                test.run(result)
                good.append(say(test, result))
        finally:
            sandbox.stop()

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for worker in [pool.submit(work) for _ in range(at_once)]:
            worker.result()
    print(f"{sum(good)} of {len(tests)} ok", flush=True)
    sys.exit(0 if sum(good) == len(tests) else 1)
