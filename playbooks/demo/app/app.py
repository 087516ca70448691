#!/usr/bin/python3
"""payments: the small real HTTP service that the sandbox deploys.

It runs from a release directory and knows itself from the files beside it: REVISION (the full commit
hash, written by the deploy), VERSION, and app.conf (warmup_ms, work_ms, broken, lie).

    GET /                  some work (work_ms), 200
    GET /health            200 when ready, 503 while warming up
    GET /version           the commit that runs
    GET /slow?ms=1500      takes so long
    GET /big?kb=64         a body of that size
    GET /status?code=500   that status
    GET /endless           a body that never ends
    POST /charges          {"amount": 100}: 201 and the charge, as JSON
    GET /charges/ID        the charge, settled
    POST /charges/ID/refund, DELETE /charges/ID

SIGTERM ends it gracefully: it stops listening, answers what it has, closes idle connections.
Its successor is started before that (a file `booted` says when it has loaded) and takes the port as soon
as it is free, so that almost no connection is refused during a reload.
"""
import asyncio
import errno
import json
import os
import signal
import sys
import time
from urllib.parse import parse_qs, urlsplit

GRACE_SECONDS = 5.0
TAKE_OVER_SECONDS = 20.0
MAX_HEAD_BYTES = 16 * 1024
REASONS = {200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


def read_line(path, default):
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip() or default
    except FileNotFoundError:
        return default


def read_settings(path):
    settings = {"warmup_ms": "0", "work_ms": "20", "broken": "", "lie": ""}
    with open(path, encoding="utf-8") as file:
        for line in file:
            key, separator, value = line.split("#", 1)[0].partition("=")
            if separator:
                settings[key.strip()] = value.strip()
    return settings


class App:
    def __init__(self, release, host):
        self.host = host
        self.settings = read_settings(os.path.join(release, "app.conf"))
        self.revision = read_line(os.path.join(release, "REVISION"), "unknown")
        self.shown_revision = self.settings["lie"] or self.revision
        self.work_seconds = int(self.settings["work_ms"]) / 1000
        self.warmup_seconds = int(self.settings["warmup_ms"]) / 1000
        self.ready_at = 0.0
        self.never_ready = self.settings["broken"] == "health"
        self.stopping = False
        self.connections = set()

    def ready(self):
        return not self.never_ready and time.monotonic() >= self.ready_at


class Connection(asyncio.Protocol):
    """One client connection: one request at a time, the next is read when the answer is out."""

    def __init__(self, app):
        self.app = app
        self.loop = asyncio.get_running_loop()
        self.transport = None
        self.buffer = b""
        self.body = b""
        self.busy = False
        self.keep = True
        self.head_only = False
        self.may_write = True

    def connection_made(self, transport):
        self.transport = transport
        self.app.connections.add(self)

    def connection_lost(self, exc):
        self.app.connections.discard(self)

    def pause_writing(self):
        self.may_write = False

    def resume_writing(self):
        self.may_write = True

    def data_received(self, data):
        self.buffer += data
        if not self.busy:
            self.next_request()

    def next_request(self):
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            if len(self.buffer) > MAX_HEAD_BYTES:
                self.keep = False
                self.answer(400, "head too large\n")
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = int(headers.get("content-length", "0") or "0")
        if len(rest) < length:
            return
        self.body, self.buffer = rest[:length], rest[length:]
        self.busy = True
        parts = lines[0].split(" ")
        if len(parts) != 3:
            self.keep = False
            self.answer(400, "bad request line\n")
            return
        wish = headers.get("connection", "").lower()
        self.keep = wish != "close" if parts[2] == "HTTP/1.1" else wish == "keep-alive"
        self.head_only = parts[0] == "HEAD"
        self.dispatch(parts[0], parts[1])

    def dispatch(self, method, target):
        url = urlsplit(target)
        path = url.path[len("/admin"):] or "/" if url.path.startswith("/admin") else url.path
        query = parse_qs(url.query)

        def number(name, default):
            return int(query.get(name, [default])[0])

        if path == "/version":
            self.answer(200, self.app.shown_revision + "\n")
        elif not self.app.ready():
            self.answer(503, "not ready\n")
        elif path == "/health":
            self.answer(200, "ok\n")
        elif path == "/":
            self.loop.call_later(self.app.work_seconds, self.answer, 200, "payments\n")
        elif path == "/slow":
            self.loop.call_later(number("ms", "1500") / 1000, self.answer, 200, "slow\n")
        elif path == "/big":
            self.answer(200, "x" * (1024 * number("kb", "64")))
        elif path == "/status":
            self.answer(number("code", "500"), "as asked\n")
        elif path == "/endless":
            self.write_head(200, "Transfer-Encoding: chunked")
            self.stream()
        elif path == "/charges" or path.startswith("/charges/"):
            self.charges(method, path.split("/")[2:])
        else:
            self.answer(404, "no such page\n")

    def charges(self, method, parts):
        """Every host answers for every charge: its id says all that there is to know of it."""
        if method == "POST" and not parts:
            try:
                amount = int(json.loads(self.body)["amount"])
            except (ValueError, KeyError, TypeError):
                self.answer(400, "no amount\n")
                return
            charged = amount * 100 if self.app.settings["broken"] == "charges" else amount
            self.answer_json(201, {"id": f"c{charged}", "amount": charged, "state": "pending"})
        elif parts and parts[0].startswith("c") and parts[0][1:].isdigit():
            if method == "DELETE":
                self.answer(204, "")
            else:
                state = "refunded" if parts[1:] == ["refund"] else "settled"
                self.answer_json(200, {"id": parts[0], "amount": int(parts[0][1:]), "state": state})
        else:
            self.answer(404, "no such charge\n")

    def answer_json(self, code, document):
        self.answer(code, json.dumps(document) + "\n", "application/json")

    def write_head(self, code, framing):
        self.transport.write(
            (
                f"HTTP/1.1 {code} {REASONS.get(code, 'Other')}\r\n{framing}\r\n"
                f"X-Version: {self.app.revision[:12]}\r\nX-Host: {self.app.host}\r\n"
                f"Connection: {'keep-alive' if self.keep else 'close'}\r\n\r\n"
            ).encode()
        )

    def answer(self, code, text, kind="text/plain"):
        if self.transport.is_closing():
            return
        self.keep = self.keep and not self.app.stopping
        body = text.encode()
        self.write_head(code, f"Content-Length: {len(body)}\r\nContent-Type: {kind}")
        if not self.head_only:
            self.transport.write(body)
        self.busy = False
        if not self.keep:
            self.transport.close()
        elif self.buffer:
            self.loop.call_soon(self.next_request)

    def stream(self):
        if self.transport.is_closing():
            return
        if self.may_write:
            self.transport.write(b"400\r\n" + b"." * 1024 + b"\r\n")
        self.loop.call_later(0.05, self.stream)


def announce(run, what):
    """Writes the process id into run/what, at once or not at all."""
    path = os.path.join(run, what)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    os.rename(path + ".new", path)


async def take_port(app, address, port):
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TAKE_OVER_SECONDS
    while True:
        try:
            return await loop.create_server(lambda: Connection(app), address, port, backlog=256)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE or loop.time() > deadline:
                raise
        await asyncio.sleep(0.005)


async def serve(app, address, port, run):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    announce(run, "booted")
    server = await take_port(app, address, port)
    if app.settings["broken"] == "start":
        sys.exit("payments: cannot read the ledger: no such table: invoices")
    app.ready_at = time.monotonic() + app.warmup_seconds
    announce(run, "listening")
    print(f"payments {app.revision[:12]} listens on {address}:{port}", flush=True)
    await stop.wait()
    app.stopping = True
    server.close()
    for connection in list(app.connections):
        if not connection.busy:
            connection.transport.close()
    await server.wait_closed()
    deadline = loop.time() + GRACE_SECONDS
    while app.connections and loop.time() < deadline:
        await asyncio.sleep(0.01)
    print(f"payments {app.revision[:12]} stopped, {len(app.connections)} connections cut", flush=True)


def main():
    address, port, host, run = sys.argv[1:5]
    app = App(os.path.dirname(os.path.realpath(__file__)), host)
    asyncio.run(serve(app, address, int(port), run))


if __name__ == "__main__":
    main()
