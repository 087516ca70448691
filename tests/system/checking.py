"""What tests of `staithe check` against servers of their own are made of."""
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import socketserver
import subprocess
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree

STAITHE = os.environ.get("STAITHE", "build/dev/staithe")
MIB = 1024 * 1024


class Peer(socketserver.ThreadingTCPServer):
    """Answers each connection with what `behave(socket, path)` sends."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, behave):
        self.seen = []
        self.over = threading.Event()
        peer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    request = b""
                    while b"\r\n\r\n" not in request:
                        more = self.request.recv(65536)
                        if not more:
                            return
                        request += more
                    path = request.split()[1].decode()
                    peer.seen.append(path)
                    behave(self.request, path)

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.over.set()
        self.shutdown()
        self.server_close()


def answer(body, kind="application/json", status="200 OK", more=""):
    body = body if isinstance(body, bytes) else body.encode()
    return (f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
            "Connection: close\r\n\r\n").encode() + body


class Ended:
    def __init__(self, code, out, err, seconds, peak):
        self.code, self.out, self.err, self.seconds, self.peak = code, out, err, seconds, peak

    def __str__(self):
        return f"exit {self.code} after {self.seconds:.1f} s, {self.peak / MIB:.0f} MiB\n{self.out}\n{self.err}"


def lost_in_jenkins(path):
    """What Jenkins' junit plugin would drop, mix up or show wrongly of a report (SuiteResult, CaseResult), in words; and
    how many cases it shows by state."""
    wrong, states, seen = [], {}, set()

    def suite(element):
        for inner in element.findall("testsuite"):
            suite(inner)
        cases, name = element.findall("testcase"), element.get("name")
        if element.tag == "testsuite" and not name:
            wrong.append("a suite without a name")
        if element.tag == "testsuite" and not cases and element.find("error") is None:
            wrong.append(f"suite {name}: no case and no error: it is dropped")
        if cases and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", element.get("timestamp") or ""):
            wrong.append(f"suite {name}: timestamp {element.get('timestamp')}")
        for case in cases:
            where, bad = f"{case.get('classname')}.{case.get('name')}", case.find("error")
            bad = case.find("failure") if bad is None else bad
            skipped = case.find("skipped") is not None
            state = "skipped" if skipped else "failed" if bad is not None else "passed"
            states[state] = states.get(state, 0) + 1
            if skipped and bad is not None:
                wrong.append(f"{where}: skipped and failed: the failure is lost")
            if bad is not None and not bad.get("message"):
                wrong.append(f"{where}: no message: the list of failures shows no reason")
            if not case.get("classname") or (name, where) in seen:
                wrong.append(f"{where}: mixed with another")
            seen.add((name, where))
            if not re.fullmatch(r"\d+(\.\d+)?", case.get("time") or ""):
                wrong.append(f"{where}: time {case.get('time')}")
            if re.search(r"\d{8}t\d{6}|127\.0\.0\.1", case.get("name")):
                wrong.append(f"{where}: a name that is another one in the next run")
            if len(case.findtext("system-out") or "") > (100_000 if bad is not None else 1000):
                wrong.append(f"{where}: system-out is cut")

    suite(xml.etree.ElementTree.parse(path).getroot())
    return wrong, states


class CheckTest(unittest.TestCase):
    """Suites in a directory of their own, beside a staithe.yml with one host."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="staithe-faults.")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.write("staithe.yml", "staithe: 1\nproject: shop\nenvironments:\n  production:\n    hosts:\n      web1: {}\n")

    def write(self, name, text):
        path = pathlib.Path(self.directory, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def peer(self, behave):
        peer = Peer(behave)
        self.addCleanup(peer.stop)
        return peer

    def fixed(self, **bodies):
        """A peer that answers each path with what it is given: a body, or a status and a body."""
        def behave(connection, path):
            one = bodies.get(path.strip("/"), "{}")
            status, body = one if isinstance(one, tuple) else ("200 OK", one)
            connection.sendall(answer(body, status=status))
        return self.peer(behave)

    def suite(self, url, *steps, head="", named=True):
        text = f"suite: faults\nseverity: critical\ntarget: {url}\n{head}steps:\n"
        for number, step in enumerate(steps):
            name = f"    name: step {number}\n" if named else ""
            text += f"  - on_fail: continue\n{name}" + "".join(f"    {line}\n" for line in step)
        self.write("checks/faults.yml", text)

    def check(self, *arguments, environment=None, limit=None, out=subprocess.PIPE, cwd=None):
        def prepare():
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        begun = time.monotonic()
        process = subprocess.Popen([STAITHE, "check", *arguments], cwd=cwd or self.directory, text=True,
                                   stdout=out, stderr=subprocess.PIPE, preexec_fn=prepare, errors="surrogateescape",
                                   env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})})
        self.addCleanup(lambda: process.poll() is None and process.kill())
        texts = ["", ""]

        def read(index, stream):
            texts[index] = stream.read()
        readers = [threading.Thread(target=read, args=(index, stream), daemon=True)
                   for index, stream in enumerate((process.stdout, process.stderr)) if stream]
        for reader in readers:
            reader.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for reader in readers:
            reader.join(20)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        return Ended(process.returncode, texts[0], texts[1], time.monotonic() - begun, usage.ru_maxrss * 1024)

    def jenkins(self, name, **states):
        """Jenkins shows the report as it was meant: so many passed, failed, skipped."""
        wrong, shown = lost_in_jenkins(os.path.join(self.directory, name))
        self.assertEqual(wrong, [])
        self.assertEqual(shown, states)

    def records(self, ended, kind="check"):
        return [one for one in map(json.loads, ended.out.splitlines()) if one["type"] == kind]
