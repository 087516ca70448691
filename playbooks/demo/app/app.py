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
import errno
import heapq
import os
import select
import signal
import socket
import sys
import time

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


class Loop:
    """What asyncio would do, for a third of the time: there are many of these, and each starts often."""

    def __init__(self):
        self.poll = select.epoll()
        self.handlers = {}
        self.timers = []
        self.count = 0
        self.done = False

    def watch(self, fd, events, handler):
        if fd in self.handlers:
            self.poll.modify(fd, events)
        else:
            self.poll.register(fd, events)
        self.handlers[fd] = handler

    def forget(self, fd):
        del self.handlers[fd]
        self.poll.unregister(fd)

    def call_later(self, seconds, call, *arguments):
        self.count += 1
        heapq.heappush(self.timers, (time.monotonic() + seconds, self.count, call, arguments))

    def run(self):
        while not self.done:
            wait = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else None
            for fd, events in self.poll.poll(wait):
                if fd in self.handlers:  # else one before it in this round has closed it
                    self.handlers[fd](events)
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                _, _, call, arguments = heapq.heappop(self.timers)
                call(*arguments)


class Connection:
    """One client connection: one request at a time, the next is read when the answer is out."""

    def __init__(self, app, loop, client):
        self.app = app
        self.loop = loop
        self.client = client
        self.buffer = b""
        self.unsent = b""
        self.body = b""
        self.busy = False
        self.keep = True
        self.head_only = False
        self.closing = False
        self.awaited = select.EPOLLIN
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.watch(client.fileno(), self.awaited, self.ready)
        app.connections.add(self)

    def ready(self, events):
        if events & select.EPOLLOUT:
            self.send()
        if events & ~select.EPOLLOUT and not self.closing:
            self.receive()

    def receive(self):
        try:
            data = self.client.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            return
        self.buffer += data
        if not self.busy:
            self.next_request()

    def write(self, data):
        waits = bool(self.unsent)
        self.unsent += data
        if not waits:
            self.send()

    def send(self):
        try:
            self.unsent = self.unsent[self.client.send(self.unsent):]
        except BlockingIOError:
            pass
        except OSError:
            self.end()
            return
        if self.closing and not self.unsent:
            self.end()
        else:
            self.watch()

    def watch(self):
        awaited = (0 if self.closing else select.EPOLLIN) | (select.EPOLLOUT if self.unsent else 0)
        if awaited != self.awaited:
            self.awaited = awaited
            self.loop.watch(self.client.fileno(), awaited, self.ready)

    def close(self):
        """When all is sent."""
        self.closing = True
        if self.unsent:
            self.watch()
        else:
            self.end()

    def end(self):
        self.closing = True
        self.unsent = b""
        if self in self.app.connections:
            self.app.connections.discard(self)
            self.loop.forget(self.client.fileno())
            self.client.close()

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
        path, _, query = target.partition("?")
        if path.startswith("/admin"):
            path = path[len("/admin"):] or "/"

        def number(name, default):
            wishes = dict(wish.partition("=")[::2] for wish in query.split("&"))
            return int(wishes.get(name, default))

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
            self.write(self.head(200, "Transfer-Encoding: chunked"))
            self.stream()
        elif path == "/charges" or path.startswith("/charges/"):
            self.charges(method, path.split("/")[2:])
        else:
            self.answer(404, "no such page\n")

    def charges(self, method, parts):
        """Every host answers for every charge, whose id says all there is to know of it, also which host made it."""
        import json
        amount, _, host = parts[0][1:].partition("-") if parts and parts[0].startswith("c") else ("", "", "")
        if method == "POST" and not parts:
            try:
                amount = int(json.loads(self.body)["amount"])
            except (ValueError, KeyError, TypeError):
                self.answer(400, "no amount\n")
                return
            charged = amount * 100 if self.app.settings["broken"] == "charges" else amount
            self.answer(201, json.dumps({"id": f"c{charged}-{self.app.host}", "amount": charged, "state": "pending"}) + "\n", "application/json")
        elif amount.isdigit() and host:
            if method == "DELETE":
                self.answer(204, "")
            else:
                state = "refunded" if parts[1:] == ["refund"] else "settled"
                charge = {"id": parts[0], "amount": int(amount), "state": state}
                self.answer(200, json.dumps(charge) + "\n", "application/json")
        else:
            self.answer(404, "no such charge\n")

    def head(self, code, framing):
        return (
            f"HTTP/1.1 {code} {REASONS.get(code, 'Other')}\r\n{framing}\r\n"
            f"X-Version: {self.app.revision[:12]}\r\nX-Host: {self.app.host}\r\n"
            f"Connection: {'keep-alive' if self.keep else 'close'}\r\n\r\n"
        ).encode()

    def answer(self, code, text, kind="text/plain"):
        if self.closing:
            return
        self.keep = self.keep and not self.app.stopping
        body = text.encode()
        head = self.head(code, f"Content-Length: {len(body)}\r\nContent-Type: {kind}")
        self.write(head if self.head_only else head + body)
        self.busy = False
        if not self.keep:
            self.close()
        elif self.buffer:
            self.loop.call_later(0, self.next_request)

    def stream(self):
        if self.closing:
            return
        if not self.unsent:
            self.write(b"400\r\n" + b"." * 1024 + b"\r\n")
        self.loop.call_later(0.05, self.stream)


def announce(run, what):
    """Writes the process id into run/what, at once or not at all."""
    path = os.path.join(run, what)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    os.rename(path + ".new", path)


def take_port(address, port):
    deadline = time.monotonic() + TAKE_OVER_SECONDS
    while True:
        try:
            return socket.create_server((address, port), backlog=256)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
        time.sleep(0.005)


def accept(app, loop, listener):
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # none is left, or it has gone already
            return
        Connection(app, loop, client)


def stop(app, loop, listener, woken):
    loop.forget(woken)
    loop.forget(listener.fileno())
    listener.close()
    app.stopping = True
    for connection in list(app.connections):
        if not connection.busy:
            connection.close()
    deadline = time.monotonic() + GRACE_SECONDS

    def look():
        loop.done = not app.connections or time.monotonic() >= deadline
        if not loop.done:
            loop.call_later(0.01, look)

    look()


def serve(app, address, port, run):
    loop = Loop()
    woken, wake = os.pipe()
    signal.signal(signal.SIGTERM, lambda number, frame: os.write(wake, b"."))
    announce(run, "booted")
    listener = take_port(address, port)
    if app.settings["broken"] == "start":
        sys.exit("payments: cannot read the ledger: no such table: invoices")
    listener.setblocking(False)
    loop.watch(listener.fileno(), select.EPOLLIN, lambda events: accept(app, loop, listener))
    loop.watch(woken, select.EPOLLIN, lambda events: stop(app, loop, listener, woken))
    app.ready_at = time.monotonic() + app.warmup_seconds
    announce(run, "listening")
    print(f"payments {app.revision[:12]} listens on {address}:{port}", flush=True)
    loop.run()
    print(f"payments {app.revision[:12]} stopped, {len(app.connections)} connections cut", flush=True)


def main():
    address, port, host, run = sys.argv[1:5]
    app = App(os.path.dirname(os.path.realpath(__file__)), host)
    serve(app, address, int(port), run)


if __name__ == "__main__":
    main()
