"""fabric_group.py CONCURRENCY SSH_CONFIG HOSTS_FILE: runs `true` on each host with Fabric.

Its ThreadingGroup has no limit, and the other tools have one. It cannot choose the key exchange either: the
servers offer only the one that is measured.
"""
import concurrent.futures
import sys

import fabric
from fabric.config import Config, SSHConfig


def main(concurrency, config_file, hosts_file):
    config = Config(ssh_config=SSHConfig.from_path(config_file))
    with open(hosts_file) as file:
        hosts = file.read().split()

    def run(host):
        with fabric.Connection(host, config=config, connect_kwargs={"allow_agent": False, "look_for_keys": False}) as connection:
            return connection.run("true", hide=True, in_stream=False, warn=True).exited

    with concurrent.futures.ThreadPoolExecutor(int(concurrency)) as pool:
        return 1 if any(pool.map(run, hosts)) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
