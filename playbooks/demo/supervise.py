#!/usr/bin/python3
"""Holds the sandbox's processes, so that ending the sandbox ends all of them and nothing else.

    supervise.py hold DIR [OWNER]      go into the background and hold; end when process OWNER is gone
    supervise.py ask DIR VERB [ARGS]   start|stop|kill NAME, signal NAME SIGNAL, status, shutdown
    supervise.py ports                 choose free ports
    supervise.py wait SECONDS WHAT...  tcp:ADDRESS:PORT, unix:PATH or http://URL; until all answer

The holder is a child subreaper: whatever a service or a remote command leaves behind becomes its child,
so its descendants are exactly the sandbox's processes. A service NAME is the script DIR/services/NAME.
"""
# What only one verb needs is imported there: `ask` and `wait` are called often, and most of their time is imports.
import os
import select
import signal
import socket
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
STOP_SECONDS = 6.0


def proc_fields(pid):
    """(parent, start time, state), or None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            fields = file.read().rpartition(") ")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[19]), fields[0]


def descendants(root):
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = proc_fields(name)
            if fields and fields[2] != "Z":
                parents.setdefault(fields[0], []).append(int(name))
    found, todo = [], [root]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Holder:
    def __init__(self, directory, owner):
        self.directory = directory
        self.owner = owner
        self.owner_start = (proc_fields(owner) or (0, None, ""))[1] if owner else None
        self.services = {}
        self.ending = False

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name, known in list(self.services.items()):
                if known == pid:
                    del self.services[name]
                    os.unlink(self.path("run", name + ".pid"))
                    print(f"{name} ended, {os.waitstatus_to_exitcode(status)}", flush=True)

    def start(self, name):
        script = self.path("services", name)
        if not os.path.exists(script):
            return f"no service {name}"
        if name in self.services:
            return ""
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                log = os.open(self.path("log", name + ".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
                null = os.open(os.devnull, os.O_RDONLY)
                for source, target in ((null, 0), (log, 1), (log, 2)):
                    os.dup2(source, target)
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
                    signal.signal(number, signal.SIG_DFL)
                os.execv("/bin/sh", ["sh", script])
            finally:
                os._exit(127)
        self.services[name] = pid
        with open(self.path("run", name + ".pid"), "w", encoding="utf-8") as file:
            file.write(f"{pid} {(proc_fields(pid) or (0, 0, ''))[1]}\n")
        return ""

    def end(self, name, number, whole_tree):
        """Ends a service; with whole_tree also what it started, as a crash of the machine would."""
        pid = self.services.get(name)
        if pid is None:
            return f"{name} does not run"
        targets = [pid] + (descendants(pid) if whole_tree else [])
        for target in targets:
            send(target, number)
            send(target, signal.SIGCONT)
        deadline = time.monotonic() + STOP_SECONDS
        while name in self.services:
            if time.monotonic() > deadline:
                send(pid, signal.SIGKILL)
            time.sleep(0.01)
            self.reap()
        return ""

    def status(self):
        names = sorted(os.listdir(self.path("services")))
        return "\n".join(f"{name} {self.services.get(name, '-')}" for name in names)

    def answer(self, words):
        verb, names = words[0], words[1:]
        if verb == "start":
            return "".join(filter(None, (self.start(name) for name in names)))
        if verb in ("stop", "kill"):
            number = signal.SIGTERM if verb == "stop" else signal.SIGKILL
            return "".join(filter(None, (self.end(name, number, verb == "kill") for name in names)))
        if verb == "signal" and len(names) == 2:
            if names[0] not in self.services:
                return f"{names[0]} does not run"
            send(self.services[names[0]], signal.Signals["SIG" + names[1]])
            return ""
        if verb == "shutdown":
            self.ending = True
            return ""
        return f"no such request: {' '.join(words)}"

    def talk(self, connection):
        connection.settimeout(5)
        try:
            words = connection.makefile().readline().split()
            if words == ["status"]:
                connection.sendall((self.status() + "\n").encode())
            elif words:
                problem = self.answer(words)
                if self.ending:
                    self.shutdown()
                connection.sendall((f"error: {problem}\n" if problem else "ok\n").encode())
        except (OSError, KeyError, ValueError) as problem:
            print(f"request: {problem!r}", flush=True)
        finally:
            connection.close()

    def owner_gone(self):
        if not self.owner:
            return False
        fields = proc_fields(self.owner)
        return fields is None or fields[1] != self.owner_start

    def shutdown(self):
        deadline = time.monotonic() + STOP_SECONDS / 2
        for pid in descendants(os.getpid()):
            send(pid, signal.SIGTERM)
            send(pid, signal.SIGCONT)
        while True:
            self.reap()
            left = descendants(os.getpid())
            if not left:
                return
            if time.monotonic() > deadline:
                for pid in left:
                    send(pid, signal.SIGKILL)
            time.sleep(0.01)

    def loop(self, listener):
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: setattr(self, "ending", True))
        while not self.ending:
            readable, _, _ = select.select([listener, wake_read], [], [], 1.0)
            if wake_read in readable:
                os.read(wake_read, 4096)
            self.reap()
            if listener in readable:
                self.talk(listener.accept()[0])
            if self.owner_gone():
                self.shutdown()
                import shutil
                shutil.rmtree(self.directory, ignore_errors=True)
                return
        self.shutdown()


def hold(directory, owner):
    import ctypes
    listener = socket.socket(socket.AF_UNIX)
    control = os.path.join(directory, "run", "control")
    listener.bind(control)
    listener.listen(16)
    if os.fork():
        os._exit(0)
    os.setsid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    log = os.open(os.path.join(directory, "log", "holder.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    with open(os.path.join(directory, "run", "holder.pid"), "w", encoding="utf-8") as file:
        file.write(f"{os.getpid()} {proc_fields(os.getpid())[1]}\n")
    Holder(directory, owner).loop(listener)


def ask(directory, words):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    try:
        client.connect(os.path.join(directory, "run", "control"))
        client.sendall((" ".join(words) + "\n").encode())
        answer = client.makefile().read()
    except OSError as problem:
        sys.exit(f"sandbox: {directory} does not answer: {problem}")
    if not answer or answer.startswith("error: "):
        sys.exit("sandbox: " + (answer.strip()[7:] or "the holder went away"))
    if answer != "ok\n":
        print(answer, end="")


def ports():
    """One port for each kind of server, free on every address that will use it: names and numbers."""
    addresses = {
        "ssh": [f"127.0.1.{n}" for n in range(1, 5)] + ["127.0.2.1", "127.0.2.2", "127.0.3.1"],
        "app": [f"127.0.1.{n}" for n in range(1, 5)],
        "lb": ["127.0.2.1", "127.0.2.2"],
        "git": ["127.0.3.1"],
        "pg": ["127.0.4.1", "127.0.4.2"],
    }
    import random
    chosen = {}
    for kind, wanted in addresses.items():
        for _ in range(200):
            # Below the range from which the kernel takes ports for outgoing connections.
            port = random.randrange(15000, 32000)
            if port in chosen.values():
                continue
            sockets = []
            try:
                for address in wanted:
                    sockets.append(socket.socket())
                    sockets[-1].bind((address, port))
                chosen[kind] = port
                break
            except OSError:
                continue
            finally:
                for one in sockets:
                    one.close()
        else:
            sys.exit(f"sandbox: no free port for {kind} on {' '.join(wanted)}")
    print(" ".join(f"{kind}_port={port}" for kind, port in chosen.items()))


def answers(what):
    kind, _, where = what.partition(":")
    try:
        if kind == "http":
            import urllib.request
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(what, timeout=2) as reply:
                return reply.status == 200
        client = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        with client:
            client.settimeout(2)
            client.connect(where if kind == "unix" else (where.rpartition(":")[0], int(where.rpartition(":")[2])))
            return True
    except OSError:
        return False


def wait(seconds, things):
    deadline = time.monotonic() + seconds
    for thing in things:
        while not answers(thing):
            if time.monotonic() > deadline:
                sys.exit(f"sandbox: {thing} did not answer within {seconds:g} s")
            time.sleep(0.03)


def main():
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "hold":
        hold(arguments[0], int(arguments[1]) if len(arguments) > 1 else 0)
    elif verb == "ask":
        ask(arguments[0], arguments[1:])
    elif verb == "ports":
        ports()
    elif verb == "wait":
        wait(float(arguments[0]), arguments[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
