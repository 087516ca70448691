"""Ports for servers that are still to be started."""
import random
import socket


def free_port(address="127.0.0.1"):
    """One that nobody listens on. It lies below the range from which the kernel gives ports to outgoing connections, of
    which many come and go beside a test and would take it before the server does."""
    for _ in range(1000):
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port on {address}")
