"""A sandbox, runs of staithe with a deadline, load with honest counts, and a look at everything that a run could
leave behind.

The binaries come from the environment: STAITHE (the program under test) and STAITHE_LOAD (the load generator).
"""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SANDBOX = os.path.join(ROOT, "playbooks", "demo", "sandbox")
STAITHE = os.environ.get("STAITHE", os.path.join(ROOT, "build", "dev", "staithe"))
LOAD = os.environ.get("STAITHE_LOAD", os.path.join(ROOT, "build", "dev", "tests", "staithe-load"))
for program in (STAITHE, LOAD):
    if not os.access(program, os.X_OK):
        sys.exit(f"{program} is not there: build it first, or say where it is with STAITHE and STAITHE_LOAD")
HOSTS = ["web1", "web2", "web3", "web4"]
BALANCERS = ["lb1", "lb2"]
SCOPE = "production/payments"


class Result:
    """How one run of staithe ended."""

    def __init__(self, code, out, err, seconds, arguments):
        self.code, self.out, self.err, self.seconds, self.arguments = code, out, err, seconds, arguments

    @property
    def text(self):
        return self.out + self.err

    def end(self, count=14):
        """The last lines for people, with every run of blanks as one."""
        return re.sub(" +", " ", "\n".join(self.err.rstrip("\n").split("\n")[-count:]))

    def __str__(self):
        return f"$ staithe {' '.join(self.arguments)}\nexit {self.code} after {self.seconds:.1f} s\n" \
               f"--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-6000:]}"


class Run:
    """A staithe that runs in the background."""

    def __init__(self, sandbox, arguments, env=None, stderr=None):
        self.arguments = list(arguments)
        self.started = time.monotonic()
        self.output = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
        self.process = subprocess.Popen(
            [*sandbox.as_user, STAITHE] + self.arguments, cwd=sandbox.dir, env={**sandbox.environ, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=self.output[0], stderr=stderr or self.output[1], start_new_session=True)
        self.peak_kib = 0

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def peek(self):
        """Its stderr so far."""
        return os.pread(self.output[1].fileno(), 1 << 24, 0).decode(errors="replace")

    def watch_memory(self):
        """Notes the peak resident size until the process ends; in a thread of its own."""
        def watch():
            while self.alive():
                with contextlib.suppress(OSError, ValueError):
                    with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
                        for line in file:
                            if line.startswith("VmHWM:"):
                                self.peak_kib = max(self.peak_kib, int(line.split()[1]))
                time.sleep(0.02)
        threading.Thread(target=watch, daemon=True).start()

    def wait(self, timeout=180):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            said = self.peek()
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"staithe {' '.join(self.arguments)} did not end within {timeout} s:\n{said[-6000:]}")
        texts = []
        for file in self.output:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
            file.close()
        return Result(code, texts[0], texts[1], time.monotonic() - self.started, self.arguments)


class Sandbox:
    """A fleet on loopback, with two PostgreSQL if they are asked for; see playbooks/demo/sandbox. With `user`, it and
    staithe run as that user."""

    def __init__(self, databases=False, user=None):
        self.as_user = ["setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "--"] if user else []
        self.base = tempfile.mkdtemp(prefix="staithe-sys.", dir="/tmp")
        if user:
            shutil.chown(self.base, user, user)
        self.dir = os.path.join(self.base, "fleet")
        self.environ = {key: value for key, value in os.environ.items()
                        if not key.startswith(("STAITHE", "SANDBOX_")) and key not in ("NO_COLOR", "CI")}
        # Nothing of the person who runs the tests may count: no agent, no ssh_config.
        self.environ.pop("SSH_AUTH_SOCK", None)
        self.environ["HOME"] = self.base
        if databases:
            os.chmod(self.base, 0o711)  # PostgreSQL's user passes through
        more = ["--databases"] if databases else []
        done = subprocess.run([*self.as_user, SANDBOX, "start", self.dir, *more, "--owner", str(os.getpid())],
                              env=self.environ,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180)
        if done.returncode != 0:
            shutil.rmtree(self.base, ignore_errors=True)
            raise AssertionError("the sandbox did not start:\n" + done.stdout)
        self.env = {}
        with open(self.path("env"), encoding="utf-8") as file:
            for line in file:
                key, _, value = line.rstrip("\n").partition("=")
                self.env[key.removeprefix("SANDBOX_")] = value
        self.sha = {key.removeprefix("SHA_").replace("_", "-"): value
                    for key, value in self.env.items() if key.startswith("SHA_")}

    def stop(self):
        subprocess.run([SANDBOX, "stop", self.dir], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        shutil.rmtree(self.base, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def control(self, *words, check=True):
        done = subprocess.run([*self.as_user, SANDBOX, words[0], self.dir, *words[1:]], env=self.environ, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"sandbox {' '.join(words)}: {done.stdout}")
        return done.stdout

    def service(self, *words, check=True):
        """What `sandbox service` asks the holder, asked without two more processes: this is called hundreds of times."""
        before = {name: self.process_of(name) for name in words[1:]} if words[0] == "start" else {}
        with socket.socket(socket.AF_UNIX) as holder:
            holder.settimeout(60)
            holder.connect(self.path("run", "control"))
            holder.sendall((" ".join(words) + "\n").encode())
            with holder.makefile() as answers:
                answer = answers.read()
        if check and answer != "ok\n":
            raise AssertionError(f"sandbox service {' '.join(words)}: {answer or 'the holder went away'}")
        for name, process in before.items():
            if self.process_of(name) != process:
                self.await_listening(name)
        return answer

    def process_of(self, service):
        with contextlib.suppress(OSError):
            return self.read("run", service + ".pid")
        return None

    def address_of(self, service):
        """Where it listens; None of one that is not waited for."""
        host, kind = service.split(".")
        if kind == "sshd":
            lines = self.read("hosts", host, "sshd_config").splitlines()
            settings = dict(line.split(None, 1) for line in lines if line[:1].isalpha())
            return settings["ListenAddress"], int(settings["Port"])
        if service == "git.daemon":
            return "127.0.3.1", int(self.env["GIT_PORT"])
        return self.path(host, "admin.sock") if kind == "haproxy" else None

    def await_listening(self, service, patience=30):
        """A process that was started need not listen yet. One that never will is left to the test."""
        address = self.address_of(service)
        deadline = time.monotonic() + patience
        while address and time.monotonic() < deadline:
            family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
            with contextlib.suppress(OSError), socket.socket(family) as client:
                client.settimeout(1)
                client.connect(address)
                return
            time.sleep(0.02)

    def cut_connections(self, host):
        """Kills what serves the connections that are open to a host's sshd; the listening process goes on."""
        with open(self.path("run", host + ".sshd.pid"), encoding="ascii") as file:
            for session in children(int(file.read().split()[0])):
                # OpenSSH 9.8 and newer serve a connection by two processes, one of which survives the other.
                for process in [session, *children(session, of="sshd")]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)

    def app(self, host, verb):
        return self.control("app", host, verb)

    # Files of the project

    def read(self, *parts):
        with open(self.path(*parts), encoding="utf-8", errors="replace") as file:
            return file.read()

    def write(self, text, *parts):
        with open(self.path(*parts), "w", encoding="utf-8") as file:
            file.write(text)

    def edited(self, old, new, *parts):
        """The file with `old` replaced; gives back what it was."""
        before = self.read(*parts)
        if old not in before:
            raise AssertionError(f"{parts}: no '{old}' in it")
        self.write(before.replace(old, new), *parts)
        return before

    # staithe

    def begin(self, *arguments, env=None, stderr=None):
        """`stderr`: a descriptor, instead of a file that peek() reads."""
        return Run(self, arguments, env, stderr)

    def staithe(self, *arguments, env=None, timeout=180):
        return self.begin(*arguments, env=env).wait(timeout)

    def begin_deploy(self, ref, *arguments, playbook="playbooks/deploy.yml", env=None):
        return self.begin("deploy", playbook, "-e", "production", "--var", "ref=" + ref, "--yes", *arguments, env=env)

    def deploy(self, ref, *arguments, playbook="playbooks/deploy.yml", env=None, timeout=180):
        return self.begin_deploy(ref, *arguments, playbook=playbook, env=env).wait(timeout)

    # What is really there

    def ask(self, balancer, command):
        """One command to the admin socket, its answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(30)
            client.connect(self.path(balancer, "admin.sock"))
            client.sendall(command.encode() + b"\n")
            parts = []
            while part := client.recv(65536):
                parts.append(part)
        return b"".join(parts).decode()

    def worker(self, balancer):
        """The process that answers for the balancer; None when none does."""
        with contextlib.suppress(OSError):
            found = re.search(r"^Pid: (\d+)", self.ask(balancer, "show info"), re.M)
            return found and int(found[1])

    def await_worker(self, balancer, seconds=60):
        """In the middle of a reload nobody may answer for a moment."""
        deadline = time.monotonic() + seconds
        while self.worker(balancer) is None and time.monotonic() < deadline:
            time.sleep(0.05)

    def servers(self, balancers=None):
        """{"lb1 api/web1": "UP weight 100", ...} by the state bits, not by HAProxy's text for people."""
        found = {}
        for balancer in balancers or BALANCERS:
            rows = self.ask(balancer, "show servers state").split("\n")
            names = rows[1].lstrip("# ").split()
            for row in rows[2:]:
                if not row.strip():
                    continue
                server = dict(zip(names, row.split()))
                operational, admin = int(server["srv_op_state"]), int(server["srv_admin_state"])
                up = {0: "DOWN", 1: "STARTING", 2: "UP", 3: "STOPPING"}[operational]
                # 1 and 8: maintenance and drain by command; 2, 4, 16 and so on: inherited or from the configuration.
                text = up + (f" admin {admin}" if admin & ~32 else "") + f" weight {server['srv_uweight']}"
                found[f"{balancer} {server['be_name']}/{server['srv_name']}"] = text
        return found

    def all_serving(self, balancers=None):
        """What is not UP, ready and at its weight; empty is good."""
        return {name: state for name, state in self.servers(balancers).items() if state != "UP weight 100"}

    def await_serving(self, seconds=60, balancers=None):
        deadline = time.monotonic() + seconds
        while (wrong := self.all_serving(balancers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return wrong

    def live(self, host):
        """(commit of `current`, commit that runs), either None when there is none."""
        try:
            with open(self.path("hosts", host, "payments", "current", "REVISION"), encoding="utf-8") as file:
                current = file.read().strip()
        except OSError:
            current = None
        try:
            url = f"http://127.0.1.{host[3:]}:{self.env['APP_PORT']}/version"
            with urllib.request.urlopen(url, timeout=10) as answer:
                running = answer.read().decode().strip()
        except OSError:
            running = None
        return current, running

    def releases(self, host):
        return sorted(os.listdir(self.path("hosts", host, "payments", "releases")))

    def tag(self, sha):
        return next((tag for tag, known in self.sha.items() if known == sha), sha)

    def versions(self, hosts=None):
        """{"web1": "v2"}; where what is linked is not what runs, both."""
        found = {}
        for host in hosts or HOSTS:
            current, running = self.live(host)
            found[host] = self.tag(running) if current == running else f"linked {self.tag(current)}, runs {self.tag(running)}"
        return found

    def state(self):
        return sqlite3.connect(f"file:{self.path('.staithe', 'state.db')}", uri=True, timeout=60, isolation_level=None)

    def rows(self, sql, *values):
        if not os.path.exists(self.path(".staithe", "state.db")):
            return []
        with contextlib.closing(self.state()) as database:
            return database.execute(sql, values).fetchall()

    def locks(self):
        return self.rows("SELECT scope, holder FROM staithe_locks")

    def unfinished(self):
        return self.rows("SELECT id, title FROM staithe_runs WHERE ended IS NULL")

    def staithe_processes(self):
        """Processes of the program under test that work in this sandbox."""
        found = []
        for directory in glob.glob("/proc/[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(directory + "/exe") == os.path.realpath(STAITHE) and \
                        os.readlink(directory + "/cwd").startswith(self.dir):
                    with open(directory + "/stat", encoding="latin-1") as file:
                        if file.read().rpartition(") ")[2][0] != "Z":
                            found.append(int(os.path.basename(directory)))
        return found

    def leashed(self):
        """Commands that a run started on the hosts and that still live there (the app itself is not one)."""
        found = []
        for directory in glob.glob("/proc/[0-9]*"):
            with contextlib.suppress(OSError):
                with open(directory + "/environ", "rb") as file:
                    if f"STAITHE_SANDBOX={self.dir}".encode() not in file.read():
                        continue
                with open(directory + "/cmdline", "rb") as file:
                    words = file.read().replace(b"\0", b" ").decode(errors="replace")
                if words and "app.py" not in words and "sshd" not in words and "appctl" not in words:
                    found.append(f"{os.path.basename(directory)}: {words[:200]}")
        return found

    def put_right(self):
        """Whatever a test left: for the next test, never as part of what is tested."""
        services = [f"{name}.sshd" for name in HOSTS + BALANCERS] + ["git.daemon", "lb1.haproxy", "lb2.haproxy"]
        self.service("start", *services, check=False)
        if os.path.exists(self.path(".staithe", "state.db")):
            with contextlib.closing(self.state()) as database:
                database.execute("DELETE FROM staithe_locks")
                database.execute("UPDATE staithe_runs SET ended = started, outcome = 'tests', exit_code = 0 "
                                 "WHERE ended IS NULL OR exit_code = 5")
        for host in HOSTS:
            current, running = self.live(host)
            if current is None or current != running:
                link = self.path("hosts", host, "payments", "current")
                with contextlib.suppress(OSError):
                    os.unlink(link)
                os.symlink("releases/" + self.sha["v1"][:12], link)
                self.control("app", host, "reload", check=False)
        for balancer in BALANCERS:
            self.await_worker(balancer)
            for name in self.all_serving([balancer]):
                server = name.split()[1]
                for command in ("state ready", "weight 100%", "health up", "agent up"):
                    self.ask(balancer, f"set server {server} {command}")
        return self.await_serving()


def children(pid, of=""):
    """Processes that `pid` started and whose names begin with `of`."""
    found = []
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        for child in file.read().split():
            with contextlib.suppress(FileNotFoundError), open(f"/proc/{child}/comm", encoding="utf-8") as name:
                if name.read().startswith(of):
                    found.append(int(child))
    return found


class Load:
    """Steady requests through both balancers while the block runs; afterwards `failed` and the full counts."""

    def __init__(self, sandbox, *options, rate=200, keep_alive=8, one_shot=8, targets=None):
        self.arguments = [LOAD, "--until-eof", "--quiet", "--rate", str(rate), "--keep-alive", str(keep_alive),
                          "--one-shot", str(one_shot), *options, targets or sandbox.env["LB"]]
        self.counts = {}

    def __enter__(self):
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        time.sleep(0.3)
        try:
            out, _ = self.process.communicate("", timeout=90)
            self.counts = json.loads(out)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    @property
    def failed(self):
        return self.counts["failed"]


def await_true(condition, seconds=60, every=0.01):
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(every)
    return bool(condition())
