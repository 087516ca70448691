#!/usr/bin/python3
"""tap.py LISTEN TARGET LOG: passes connections from one unix socket to another and writes what the clients
say into LOG, one connection after the other, each ended by a NUL byte. With it a test reads what a
balancer's admin socket was really told.
"""
import os
import socket
import sys
import threading


def pass_on(source, target, heard):
    """Copies until the end of `source`, then ends the writing side of `target`."""
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            if heard is not None:
                heard.append(data)
            target.sendall(data)
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client, target, log):
    heard = []
    with client, socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(target)
        except OSError:
            return
        back = threading.Thread(target=pass_on, args=(server, client, None))
        back.start()
        pass_on(client, server, heard)
        back.join()
    # One write, so that connections at the same time do not mix.
    os.write(log, b"".join(heard) + b"\0")


def main():
    listen, target, log_path = sys.argv[1:4]
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    if os.path.exists(listen):
        os.unlink(listen)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(listen)
    listener.listen(64)
    while True:
        client = listener.accept()[0]
        threading.Thread(target=serve, args=(client, target, log), daemon=True).start()


if __name__ == "__main__":
    main()
