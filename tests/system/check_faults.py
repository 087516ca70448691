"""Suites of checks asked of servers that misbehave, with clocks that jump and disks that are full: a clear verdict,
the right exit code, nothing lost, bounded memory."""
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import subprocess
import termios
import time
import unittest
import xml.etree.ElementTree

import checking
import wall_clock
from checking import MIB, STAITHE, answer


class Faults(checking.CheckTest):
    def test_huge_bodies_cost_no_memory(self):
        """100 MB with a length, 100 MB in chunks, and one that never ends."""
        chunk = b"x" * 65536

        def behave(connection, path):
            if path == "/small":
                return connection.sendall(answer("{}"))
            if path == "/sized":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n")
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            framed = chunk if path == "/sized" else b"10000\r\n" + chunk + b"\r\n"
            sent = 0
            while sent < 100 * MIB or path == "/endless":
                connection.sendall(framed)
                sent += len(chunk)
            return None

        peer = self.peer(behave)
        self.suite(peer.url, ["get: /small", "expect: 200"])
        small = self.check("faults")
        self.assertEqual(small.code, 0, str(small))
        self.suite(peer.url, *([f"get: {path}", "timeout: 20s", "expect: {status: 200, json.a: 1}"]
                               for path in ("/sized", "/chunked", "/endless")))
        huge = self.check("faults", "--json", "--report", "junit=checks.xml")
        self.assertEqual(huge.code, 1, str(huge))
        self.assertEqual([one["verdict"] for one in self.records(huge)], ["fail"] * 3, str(huge))
        self.assertIn("the body is larger than the 4.0 MiB that are read of it", huge.out)
        self.assertLess(huge.peak, small.peak + 32 * MIB, str(huge))
        self.assertLess(os.path.getsize(os.path.join(self.directory, "checks.xml")), 100_000)

    def test_servers_that_drip_are_left_when_the_time_is_up(self):
        def behave(connection, path):
            if path == "/body":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            elif path == "/headers":
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not peer.over.wait(0.05):
                connection.sendall(b"." if path != "/none" else b"")

        peer = self.peer(behave)
        self.suite(peer.url, *([f"get: {path}", "timeout: 500ms", "expect: 200"] for path in ("/body", "/headers", "/none")))
        result = self.check("faults", "--json")
        self.assertEqual(result.code, 1, str(result))
        for one in self.records(result):
            self.assertEqual(one["verdict"], "fail", str(result))
            self.assertGreaterEqual(one["duration_ms"], 400, str(result))
        self.assertLess(result.seconds, 30, str(result))

    def test_what_a_body_is_not(self):
        bodies = {"/html": answer("<html>down for maintenance</html>", "text/html"),
                  "/bytes": answer(b'{"a":"\xff\xfe\x00"}'),
                  "/headers": answer("{}", more="X-Odd: \x1b[31mred\x07\r\n"),
                  "/empty": answer(""), "/cut": answer('{"a":1')[:-3],
                  "/deep": answer("[" * 100000)}
        peer = self.peer(lambda connection, path: connection.sendall(bodies[path]))
        self.suite(peer.url, *([f"get: {path}", "expect: {json.a: fine, header.x-odd: none}"] for path in bodies))
        result = self.check("faults", "--json", "--report", "junit=checks.xml", "--report", "tap=checks.tap",
                            "--report", "html=checks.html")
        self.assertEqual(result.code, 1, str(result))
        self.assertEqual([one["verdict"] for one in self.records(result)], ["fail"] * len(bodies), str(result))
        for words in ("the body is not JSON (text/html)", "the body is empty", "nested too deeply"):
            self.assertIn(words, result.out)
        # Whatever a peer sends, reports are well formed: UTF-8, and nothing that moves a cursor.
        for name in ("checks.xml", "checks.tap", "checks.html"):
            text = pathlib.Path(self.directory, name).read_bytes().decode("utf-8")
            self.assertNotIn("\x1b", text)
            self.assertNotIn("\x00", text)
        xml.etree.ElementTree.parse(os.path.join(self.directory, "checks.xml"))
        lines = self.check("faults")
        self.assertNotIn("\x1b", lines.out)
        lines.out.encode("utf-8")

    def test_what_speaks_no_http_is_the_systems_fault(self):
        """A status line that is none, one line of a header that is too large, and a header of too many."""
        status = b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok"
        behind = b"\r\nContent-Length: 2\r\n\r\nok"
        replies = {"/zero": status % b"000 Zero", "/long": status % b"2000 Long", "/version": b"HTTP/9.7 200 OK" + behind,
                   "/minor": b"HTTP/1.7 200 OK" + behind, "/words": b"HTTP/1.1 OK" + behind, "/old": b"hello",
                   "/line": b"HTTP/1.1 200 OK\r\nX-A: " + b"y" * 5_000_000 + behind,
                   "/many": b"HTTP/1.1 200 OK\r\n" + b"X-A: y\r\n" * 200_000 + behind}
        peer = self.peer(lambda connection, path: connection.sendall(replies[path]))
        for more in ([], ["follow: 3"]):
            with self.subTest(more):
                self.suite(peer.url, *([f"get: {path}", "expect: 200", *more] for path in replies))
                result = self.check("faults", "--json")
                self.assertEqual(result.code, 1, str(result))
                self.assertEqual([one["verdict"] for one in self.records(result)], ["fail"] * len(replies), str(result))
                self.assertNotIn("emory", result.out)
                self.assertNotIn("redirects to", result.out)
                for one in self.records(result)[-2:]:
                    self.assertIn("header is too large", json.dumps(one))

    def test_a_command_that_was_killed_has_no_exit_status(self):
        self.suite("http://127.0.0.1:1", *(["run: kill -9 $$$$", f"expect: {{exit: {phrase}}}"]
                                           for phrase in ("0", "not 0", "not 1", "over 9", "under 9", "[0, 1]", "exists")),
                   ["run: kill -9 $$$$", "expect: {exit: absent, signal: SIGKILL}"])
        result = self.check("faults", "--json")
        self.assertEqual(result.code, 1, str(result))
        self.assertEqual([one["verdict"] for one in self.records(result)], ["fail"] * 7 + ["pass"], str(result))
        self.assertIn("absent (it was killed by SIGKILL)", result.out)

    def test_details_of_a_tap_report_are_read_by_prove(self):
        """Whose YAML takes a line of a list for a mapping where its first word ends with a colon, also within quotes."""
        peer = self.peer(lambda connection, path: connection.sendall(answer("x" * 5 * MIB)))
        self.suite(peer.url, ["get: /", "expect: {body: not contains y}"], ["get: /", "expect: 201"])
        result = self.check("faults", "--report", "tap=a.tap")
        self.assertEqual(result.code, 1, str(result))
        text = pathlib.Path(self.directory, "a.tap").read_text()
        self.assertIn('- "body\\x3a there is more of it', text)
        self.assertNotRegex(text, r"(?m)^\s*- \S+\s*:\s")
        if shutil.which("prove"):
            asked = subprocess.run(["prove", "-e", "cat", "a.tap"], cwd=self.directory, text=True, capture_output=True)
            self.assertNotIn("YAMLish", asked.stdout + asked.stderr)
            self.assertIn("Failed tests:  1-2", asked.stdout + asked.stderr)

    def test_redirects_without_end(self):
        def behave(connection, path):
            number = int(path.strip("/").split("-")[-1] or 0) if "-" in path else 0
            target = f"/hop-{number + 1}" if path.startswith("/hop") else "/self"
            connection.sendall(answer("", status="302 Found", more=f"Location: {target}\r\n"))

        peer = self.peer(behave)
        self.suite(peer.url, ["get: /self", "follow: 5", "expect: 200"], ["get: /hop-0", "follow: 5", "expect: 200"],
                   ["get: /self", "expect: {status: 302, header.location: /self}"])
        result = self.check("faults", "--json")
        self.assertEqual(result.code, 1, str(result))
        self.assertEqual([one["verdict"] for one in self.records(result)], ["fail", "fail", "pass"], str(result))
        self.assertIn("redirects", result.out)
        self.assertEqual(len(peer.seen), 6 + 6 + 1)

    def test_names_that_do_not_resolve_are_no_verdict_about_the_system(self):
        self.suite("http://no-such-host.invalid", ["get: /", "expect: 200"], ["tls: no-such-host.invalid", "expect: {trusted: true}"])
        result = self.check("faults", "--json")
        self.assertEqual(result.code, 4, str(result))
        self.assertEqual([one["verdict"] for one in self.records(result)], ["error", "error"], str(result))
        self.suite("http://127.0.0.1", ["dns: no-such-host.invalid", "expect: {resolves: true}"])
        asked = self.check("faults", "--json")
        self.assertEqual(asked.code, 1, str(asked))

    def test_wall_clock_that_jumps(self):
        """A year on or back in the middle of a run: budgets, timeouts and durations do not notice."""
        library = wall_clock.library(self.directory)
        now = os.path.join(self.directory, "now")

        def behave(connection, path):
            if path == "/3":
                pathlib.Path(now).touch()
            connection.sendall(answer('{"n":1}'))

        peer = self.peer(behave)
        self.suite(peer.url, *([f"get: /{i}", "expect: {status: 200, time: at most 20s}"] for i in range(6)),
                   ["get: /late", "until: {json.n: 2}", "every: 50ms", "for: 400ms"], head="budget: 60s\n")
        plain = self.check("faults", "--json")
        for jump in (365 * 86400, -365 * 86400):
            with self.subTest(jump):
                os.unlink(now)
                result = self.check("faults", "--json", "--report", "junit=checks.xml",
                                    environment={"LD_PRELOAD": library, "JUMP": str(jump), "JUMP_WHEN": now})
                self.assertEqual(result.code, plain.code, str(result))
                self.assertEqual([one["verdict"] for one in self.records(result)], ["pass"] * 6 + ["fail"], str(result))
                started = [one["started"] for one in self.records(result)]
                self.assertNotEqual(started[0][:4], started[-1][:4], "the clock did not jump")
                finished = self.records(result, "checks_finished")[0]
                self.assertTrue(300 <= finished["duration_ms"] < 60_000, str(result))
                tree = xml.etree.ElementTree.parse(os.path.join(self.directory, "checks.xml"))
                for element in tree.iter():
                    if element.get("time"):
                        self.assertTrue(0 <= float(element.get("time")) < 60, element.attrib)

    def test_full_disk_loses_neither_verdict_nor_reports_of_before(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer("{}")))
        steps = [[f"get: /{i}", "expect: 200"] for i in range(40)]
        self.suite(peer.url, *steps)
        first = self.check("faults", "--report", "junit=checks.xml")
        self.assertEqual(first.code, 0, str(first))
        for wanted, expect in ((4, 200), (1, 500)):  # the reports are lost: no success
            self.suite(peer.url, *steps, ["get: /last", f"expect: {expect}"])
            result = self.check("faults", "--report", "junit=checks.xml", "--report", "html=checks.html", limit=4096)
            self.assertEqual(result.code, wanted, str(result))
            self.assertIn("history", (result.out + result.err).lower(), str(result))
            self.assertIn("checks.xml could not be written", result.err)
            xml.etree.ElementTree.parse(os.path.join(self.directory, "checks.xml"))
            self.assertEqual([name for name in os.listdir(self.directory) if "tmp" in name], [])
        # The disk has room again: nothing of before is lost.
        self.suite(peer.url, *steps)
        again = self.check("faults", "--json")
        self.assertEqual(again.code, 0, str(again))
        self.assertEqual(self.records(again)[0]["history"]["runs"], 1, str(again))

    def typed(self, until, keys, *arguments):
        """`staithe check` in a terminal of its own, where `keys` are typed once `until()` holds. Exit code and text."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        process = subprocess.Popen([STAITHE, "check", *arguments], cwd=self.directory, preexec_fn=own_terminal,
                                   stdin=theirs, stdout=theirs, stderr=theirs,
                                   env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"})
        self.addCleanup(lambda: process.poll() is None and process.kill())
        os.close(theirs)
        text, typed, deadline = b"", False, time.monotonic() + 60
        while time.monotonic() < deadline:
            if not typed and until():
                os.write(ours, keys)
                typed = True
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    more = os.read(ours, 65536)
                except OSError:  # nobody has it open any more
                    break
                text += more
        self.assertTrue(typed, text)
        return process.wait(20), text.decode(errors="replace")

    def test_ctrl_c_undoes_and_cleans_up_and_leaves_a_report(self):
        """The terminal sends SIGINT to all that belong to it: during a request, and during a command of this machine,
        which must not make a failure of the check."""
        started = os.path.join(self.directory, "started")

        def behave(connection, path):
            if path == "/long":
                peer.over.wait(60)
            connection.sendall(answer("{}"))

        peer = self.peer(behave)
        for name, step, under_way in (
                ("request", "{name: long, get: /long, timeout: 60s, expect: 200}", lambda: "/long" in peer.seen),
                ("command", f"{{name: long, run: 'touch {started}; sleep 60', timeout: 60s, expect: {{exit: 0}}}}",
                 lambda: os.path.exists(started))):
            with self.subTest(name):
                peer.seen.clear()
                self.write("checks/faults.yml", f"""suite: faults
severity: critical
target: {peer.url}
steps:
  - {{name: make, post: /made, expect: 200, undo: {{delete: /undone, expect: 200}}}}
  - {step}
  - {{name: never, get: /never, expect: 200}}
cleanup:
  - {{name: tidy, delete: /tidy, expect: 200}}
""")
                begun = time.monotonic()
                code, text = self.typed(under_way, b"\x03", "faults", "--report", "junit=checks.xml")
                self.assertEqual(code, 130, text)
                self.assertLess(time.monotonic() - begun, 30, text)
                self.assertEqual([path for path in peer.seen if path != "/long"], ["/made", "/undone", "/tidy"], text)
                self.assertEqual(checking.lost_in_jenkins(os.path.join(self.directory, "checks.xml"))[0], [], text)
                cases = {one.get("name"): one for one in
                         xml.etree.ElementTree.parse(os.path.join(self.directory, "checks.xml")).iter("testcase")}
                for cut in ("long", "never"):
                    self.assertEqual(cases[cut].find("error").get("type"), "aborted", text)
                self.assertIsNone(cases["make"].find("error"), text)

    def test_nobody_reads_what_is_printed(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer("{}")))
        self.suite(peer.url, ["get: /", "expect: 500"])
        with open("/dev/full", "w", encoding="ascii") as full:
            self.assertEqual(self.check("faults", out=full).code, 1)
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as gone:
            self.assertEqual(self.check("faults", out=gone).code, 1)


if __name__ == "__main__":
    unittest.main()
