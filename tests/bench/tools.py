"""How each tool is told to run `true` on the first N hosts, 32 at a time."""
import os
import shutil

CONCURRENCY = 32
HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = {"ssh": "openssh-client", "clush": "clustershell", "pssh": "pssh", "ansible": "ansible-core", "fabric": "fabric"}


def staithe(binary, fleet, count):
    return [binary, "exec", "-f", f"{fleet.dir}/staithe.yml", "-H", f"h[1-{count}]", "--yes",
            "--parallel", str(CONCURRENCY), "--", "true"]


def ssh(_, fleet, count):
    return ["xargs", "-a", f"{fleet.dir}/hosts.{count}", f"-P{CONCURRENCY}", "-I{}", "ssh", "-n", "-F", f"{fleet.dir}/client", "{}", "true"]


def floor(_, fleet, count, commands=1):
    return [f"{fleet.dir}/floor", str(CONCURRENCY), str(fleet.port), fleet.user, f"{fleet.dir}/id", f"{fleet.dir}/hosts.{count}",
            str(commands)]


def clush(_, fleet, count):
    return ["clush", "-f", str(CONCURRENCY), "-w", ",".join(fleet.addresses(count)), "-o", f"-F {fleet.dir}/client", "true"]


def pssh(_, fleet, count):
    return ["parallel-ssh", "-h", f"{fleet.dir}/hosts.{count}", "-p", str(CONCURRENCY), "-t", "0", "-x", f"-F {fleet.dir}/client", "true"]


def ansible(_, fleet, count):
    # `raw` is its cheapest: one connection a host, nothing copied there.
    return ["env", f"ANSIBLE_CONFIG={fleet.dir}/ansible.cfg", "ansible", ",".join(fleet.addresses(count)),
            "-f", str(CONCURRENCY), "-m", "raw", "-a", "true"]


def fabric(_, fleet, count):
    # Debian's Python, where Debian's packages are.
    return ["/usr/bin/python3", f"{HERE}/fabric_group.py", str(CONCURRENCY), f"{fleet.dir}/client", f"{fleet.dir}/hosts.{count}"]


TOOLS = {"staithe": staithe, "floor": floor, "ssh": ssh, "clush": clush, "pssh": pssh, "ansible": ansible, "fabric": fabric}
TITLES = {"staithe": "staithe exec", "floor": "libssh alone", "ssh": "xargs -P32 ssh", "clush": "clush", "pssh": "parallel-ssh",
          "ansible": "ansible -m raw", "fabric": "fabric"}


def installed(name):
    if name == "fabric":
        return os.path.exists("/usr/bin/fab")
    program = {"staithe": "true", "floor": "true", "pssh": "parallel-ssh"}.get(name, name)
    return shutil.which(program) is not None
