"""A rolling deploy over slow links, and how many round trips each of its steps costs.

The kernel's netem is not everywhere, so a relay in front of each sshd of the sandbox holds every byte back for
half of the round trip, each way. It sees when the two sides take turns: what the client sends after it was sent
something begins a new round trip, and the next answer ends it. A step is charged with those that begin and end
while it runs: what nobody answers (SSH's window adjustments) nobody waits for.
"""
import asyncio
import collections
import datetime
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SANDBOX = f"{ROOT}/playbooks/demo/sandbox"
ROUND_TRIP = 0.050  # seconds
HOSTS = {**{f"web{n}": f"127.0.1.{n}" for n in range(1, 5)}, **{f"lb{n}": f"127.0.2.{n}" for n in (1, 2)}}
BALANCERS = ["lb1", "lb2"]
HOST_KINDS, BALANCER_KINDS = {"ssh"}, {"guard", "haproxy", "wait"}  # the links that an action goes over


class Relay:
    """Delays what goes through it. `turns` and `connections` hold the times, by host."""

    def __init__(self, port):
        self.port = port
        self.turns, self.connections = collections.defaultdict(list), collections.defaultdict(list)
        self.loop = asyncio.new_event_loop()
        self.listening_port = 0
        ready = threading.Event()
        threading.Thread(target=self.serve, args=[ready], daemon=True).start()
        if not ready.wait(10):
            raise SystemExit("bench: the delaying relay does not start")

    def serve(self, ready):
        asyncio.set_event_loop(self.loop)
        for name, address in HOSTS.items():
            server = self.loop.run_until_complete(asyncio.start_server(
                lambda reader, writer, name=name, address=address: self.relay(name, address, reader, writer),
                address, self.listening_port))
            self.listening_port = server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()

    async def relay(self, name, address, reader, writer):
        self.connections[name].append(time.time())
        far_reader, far_writer = await asyncio.open_connection(address, self.port)
        state = {"asked": None}

        def from_client():
            if state["asked"] is None:
                state["asked"] = time.time()

        def to_client():
            # What comes sooner was on its way already: it answers something before.
            if state["asked"] is not None and time.time() - state["asked"] >= 0.98 * ROUND_TRIP:
                self.turns[name].append(time.time())
                state["asked"] = None

        await asyncio.gather(self.pass_on(reader, far_writer, from_client, None),
                             self.pass_on(far_reader, writer, None, to_client), return_exceptions=True)

    async def pass_on(self, reader, writer, arrived, delivered):
        waiting = asyncio.Queue()

        async def deliver():
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(0.0, due - self.loop.time()))
                if not data:
                    return writer.close()
                if delivered:
                    delivered()
                writer.write(data)

        sender = self.loop.create_task(deliver())
        try:
            while data := await reader.read(65536):
                if arrived:
                    arrived()
                waiting.put_nowait((self.loop.time() + ROUND_TRIP / 2, data))
        finally:
            waiting.put_nowait((self.loop.time() + ROUND_TRIP / 2, b""))
            await sender


def slow_project(directory):
    """Puts the relay between staithe and the sandbox's hosts, which are rolled one by one."""
    with open(f"{directory}/staithe.yml") as file:
        project = file.read()
    port = re.search(r"port: (\d+)\n", project).group(1)
    relay = Relay(int(port))
    with open(f"{directory}/staithe.yml", "w") as file:
        file.write(project.replace(f"port: {port}\n", f"port: {relay.listening_port}\n"))
    with open(f"{directory}/ssh/known_hosts") as file:
        known = file.read()
    with open(f"{directory}/ssh/known_hosts", "w") as file:
        file.write(known.replace(f"]:{port} ", f"]:{relay.listening_port} "))
    with open(f"{directory}/playbooks/deploy.yml") as file:
        playbook = file.read()
    with open(f"{directory}/playbooks/deploy.yml", "w") as file:
        file.write(playbook.replace("batches: [1, 100%]", "batches: [1]"))
    return relay


def moment(record):
    return datetime.datetime.fromisoformat(record["ts"].replace("Z", "+00:00")).timestamp()


def charge(relay, started, finished):
    """The round trips of one action on its busiest link; None if it had to connect first."""
    begin, end = moment(started), moment(finished) + 0.001
    host, kind, stage = started.get("host"), started["kind"], started["action_id"].split("/")[0]
    names = [host] if host and kind in HOST_KINDS else []
    # In other stages the hosts are at work side by side, and what they ask of a balancer cannot be told apart.
    if stage == "roll" and kind in BALANCER_KINDS:
        names += BALANCERS
    if any(begin <= at <= end for name in names for at in relay.connections[name]):
        return None
    # One that ends sooner than it takes began before the step did.
    first = begin + 0.9 * ROUND_TRIP
    return max((sum(first <= at <= end for at in relay.turns[name]) for name in names), default=0)


def actions_of(output):
    started = {}
    for line in output.splitlines():
        record = json.loads(line)
        if record["type"] == "action_started":
            started[record["action_id"]] = record
        elif record["type"] == "action_finished" and record["action_id"] in started:
            yield started[record["action_id"]], record


def measure(staithe, say, checks):
    directory = tempfile.mkdtemp(prefix="staithe-slow.")
    try:
        subprocess.run([SANDBOX, "start", directory, "--owner", str(os.getpid())], check=True, stdout=subprocess.DEVNULL)
        relay = slow_project(directory)
        began = time.monotonic()
        done = subprocess.run([staithe, "deploy", "playbooks/deploy.yml", "-e", "production", "--var", "ref=v2", "--yes", "--json"],
                              cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
        if done.returncode != 0:
            raise SystemExit(f"bench: the deploy over slow links failed: {done.stderr[-2000:]}")
        say(f"a rolling deploy over links with 50 ms: {time.monotonic() - began:.1f} s")
        return judge(relay, list(actions_of(done.stdout)), checks)
    finally:
        subprocess.run([SANDBOX, "stop", directory], check=False)
        shutil.rmtree(directory, ignore_errors=True)


def judge(relay, actions, checks):
    trips, times, polls = collections.defaultdict(list), collections.defaultdict(list), set()
    for started, finished in actions:
        count = charge(relay, started, finished)
        if count is None:
            continue
        host = started.get("host") or ""
        title = started["title"].replace(host, "HOST") if host else started["title"]
        name = (started["step"], started["kind"], re.sub(r"[0-9a-f]{12}|/\S+|\S+://\S+", "...", title))
        trips[name].append(count)
        times[name].append(1000 * (moment(finished) - moment(started)))
        # What waits asks again and again, on purpose: its round trips are as many as the world takes.
        if re.search(r"\b(until|calm|proven|serves|nothing in flight)\b", started["title"]):
            polls.add(name)
    rows = ["| step | does | round trips, median | most | ms, median |", "| --- | --- | ---: | ---: | ---: |"]
    for name, counts in trips.items():
        if name[1] not in HOST_KINDS | BALANCER_KINDS:
            continue
        kind = f"{name[1]}, asks until it is so" if name in polls else name[1]
        rows.append(f"| {name[2]} | {kind} | {statistics.median(counts):g} | {max(counts)} | {statistics.median(times[name]):.0f} |")
    worst = max((max(counts) for name, counts in trips.items() if name not in polls), default=0)
    checks.append(["round trips of a step, 50 ms links, most", str(worst), "-", "-", "2", "yes" if trips and worst <= 2 else "**no**"])
    return "\nRound trips of each step of a rolling deploy over links with 50 ms:\n\n" + "\n".join(rows) + "\n"
