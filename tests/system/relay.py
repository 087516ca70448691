"""Another address of a server: what a pooler, a proxy or an alias is to its clients."""
import select
import socket
import threading


class Relay:
    def __init__(self, port):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.behind = self.server.getsockname()[1], port
        self.ends, self.silenced = [], set()
        self.silent = self.shut = False
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            if self.shut:
                client.close()
                continue
            behind = socket.create_connection(("127.0.0.1", self.behind))
            self.ends += [client, behind]
            threading.Thread(target=self.carry, args=(client, behind), daemon=True).start()

    def silence(self, those_to_come=True):
        """From now on it takes what is sent and passes nothing on; the kernel goes on answering for it."""
        self.silenced.update(self.ends)
        self.silent = those_to_come

    def lead_to(self, port):
        """Who comes from now on gets another server, as behind a balancer."""
        self.behind = port

    def refuse(self):
        """Who comes from now on finds nobody that listens."""
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def cut(self):
        """Who is there is cut off; who comes from now on is served."""
        for end in list(self.ends):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone by itself

    def turn_away(self):
        """Who comes from now on is let in and put out at once; who is there goes on."""
        self.shut = True

    def carry(self, client, behind):
        other = {client: behind, behind: client}
        try:
            while not self.silent and client not in self.silenced:
                for side in select.select([client, behind], [], [], 0.1)[0]:
                    data = side.recv(65536)
                    if not data:
                        raise OSError
                    if self.silent or client in self.silenced:
                        return
                    other[side].sendall(data)
        except (OSError, ValueError):
            client.close()
            behind.close()

    def close(self):
        self.server.close()
        for end in self.ends:
            end.close()
