"""Hosts to run commands on: sshd on many loopback addresses, and what each tool has to be told about them."""
import contextlib
import os
import shutil
import socket
import subprocess
import time

NET = "127.9.0"  # .1 to .200
ADDRESSES_PER_SSHD = 16  # OpenSSH's MAX_LISTEN_SOCKS
# The newest that every client here has, so that no tool is slow or quick by its cryptography.
KEX, KEY_TYPE = "ecdh-sha2-nistp256", "ecdsa-sha2-nistp256"

SSHD = """Port {port}
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/id.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
KexAlgorithms {kex}
MaxStartups 2000
MaxSessions 1000
UseDNS no
PrintMotd no
PrintLastLog no
LogLevel ERROR
# bash would read ~/.bashrc for each command that sshd starts, which can cost more than all of SSH.
SetEnv SHLVL=1
"""

CLIENT = """Host *
    Port {port}
    User {user}
    IdentityFile {dir}/id
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {dir}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    KexAlgorithms {kex}
    HostKeyAlgorithms {key_type}
    ControlMaster no
    BatchMode yes
"""

PROJECT = """staithe: 1
project: bench
environments:
  fleet:
    hosts:
      h[1-{count}]: {{address: {net}.$(n), port: {port}, user: {user}, identity: {dir}/id}}
    ssh: {{config: client, known_hosts: known_hosts}}
"""

ANSIBLE = """[defaults]
host_key_checking = True
inventory = {dir}/inventory
[ssh_connection]
ssh_args = -F {dir}/client
pipelining = True
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for_port(address, port, limit=20.0):
    deadline = time.monotonic() + limit
    while True:
        try:
            with socket.create_connection((address, port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class ProcessorClock:
    """The processor time of a group of processes and all that they start, whoever ends up as its parent: a cgroup.

    Needs the right to make one (root); without it nothing is known."""

    def __init__(self):
        self.directory, self.reading = None, None
        # Of version 2, of version 2 beside version 1, of version 1.
        for root, file in (("", "cpu.stat"), ("unified", "cpu.stat"), ("cpuacct", "cpuacct.usage")):
            directory = f"/sys/fs/cgroup/{root}/staithe-bench.{os.getpid()}"
            with contextlib.suppress(OSError):
                os.mkdir(directory)
                if os.path.exists(f"{directory}/{file}"):
                    self.directory, self.reading = directory, f"{directory}/{file}"
                    return
                os.rmdir(directory)

    def join(self):
        """Called by a process that is to be counted, with what it starts from now on."""
        if self.directory:
            with open(f"{self.directory}/cgroup.procs", "w") as file:
                file.write("0")

    def members(self):
        with open(f"{self.directory}/cgroup.procs") as file:
            return len(file.read().split())

    def seconds(self):
        if not self.directory:
            return None
        with open(self.reading) as file:
            text = file.read().split()
        return int(text[0]) / 1e9 if len(text) == 1 else int(text[text.index("usage_usec") + 1]) / 1e6

    def close(self):
        if self.directory:
            os.rmdir(self.directory)


class Fleet:
    """`count` addresses that listen. Ends its processes when it is left."""

    def __init__(self, directory, count):
        self.dir, self.count = directory, count
        self.port = free_port()
        self.user = os.environ.get("USER") or subprocess.check_output(["id", "-un"], text=True).strip()
        self.processes = []
        self.clock = ProcessorClock()

    def addresses(self, count):
        return [f"{NET}.{n}" for n in range(1, count + 1)]

    def write(self, name, template):
        values = dict(dir=self.dir, port=self.port, user=self.user, kex=KEX, key_type=KEY_TYPE, net=NET, count=self.count)
        with open(os.path.join(self.dir, name), "w") as file:
            file.write(template.format(**values))

    def __enter__(self):
        for name in ("host_key", "id"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-b", "256", "-N", "", "-f", f"{self.dir}/{name}"], check=True)
        with open(f"{self.dir}/host_key.pub") as file:
            key = " ".join(file.read().split()[:2])
        everyone = self.addresses(self.count)
        with open(f"{self.dir}/known_hosts", "w") as file:
            file.writelines(f"[{address}]:{self.port} {key}\n" for address in everyone)
        self.write("sshd_config", SSHD)
        self.write("client", CLIENT)
        self.write("staithe.yml", PROJECT)
        self.write("ansible.cfg", ANSIBLE)
        with open(f"{self.dir}/inventory", "w") as file:
            file.writelines(f"{address} ansible_python_interpreter=/usr/bin/python3\n" for address in everyone)
        for count in range(1, self.count + 1):
            with open(f"{self.dir}/hosts.{count}", "w") as file:
                file.write("\n".join(everyone[:count]) + "\n")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if sshd is None:
            raise SystemExit("bench: no sshd; install openssh-server")
        for first in range(0, self.count, ADDRESSES_PER_SSHD):
            listen = [f"-oListenAddress={a}" for a in everyone[first:first + ADDRESSES_PER_SSHD]]
            self.processes.append(subprocess.Popen([sshd, "-D", "-f", f"{self.dir}/sshd_config"] + listen,
                                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                   preexec_fn=self.clock.join))
        try:
            for address in everyone:
                wait_for_port(address, self.port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def spent(self):
        """Seconds of processor time that the servers, and what they ran, have taken so far; None if not known. Waits
        for what is still ending there."""
        deadline = time.monotonic() + 10
        while self.clock.directory and self.clock.members() > len(self.processes) and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.clock.seconds()

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        with contextlib.suppress(OSError):
            self.clock.close()
