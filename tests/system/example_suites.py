"""The three example suites, as they stand: at the names and addresses that they name, with certificates of an authority
that the machine trusts, real sshd, HAProxy and PostgreSQL. All in namespaces of its own (mounts, network), so nobody else sees it."""
import base64
import csv
import hashlib
import datetime
import fcntl
import http.server
import json
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import databases
from ports import free_port

SUITES = pathlib.Path(__file__).resolve().parents[1] / "unit/checks/data"
STAITHE = os.path.abspath(os.environ.get("STAITHE", "build/dev/staithe"))
APART = "STAITHE_TEST_APART"
EDGE, APPS = "127.9.8.1", ("127.9.8.11", "127.9.8.12")
NAMES = ("api.example.com", "decision.example.com", "geocoder.internal")
RELEASE = "4b87716c6362e420188935b2f505d9180c73372c"


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Shop:
    """What stands behind the three names. `down` are the names that do not answer as they should."""

    def __init__(self, root):
        self.down, self.asked, self.runs = set(), [], {}
        self.polled = 0
        with open(SUITES / "cases/decisions.csv", encoding="utf-8") as file:
            self.cases = {(case["billing"], case["shipping"]): case for case in csv.DictReader(file)}
        # What a run of this project and environment has marked: its id, and six digits more.
        killed = "20200101t000000-b68e73"
        mark = killed + hashlib.sha256(f"run {killed} of payments/production".encode()).hexdigest()[:6]
        self.orphans = [{"id": mark, "created_at": "2020-01-01T00:00:00Z"},
                        {"id": killed, "created_at": "2020-01-01T00:00:00Z"},
                        {"id": "a-customers", "created_at": "2020-01-01T00:00:00Z"}]
        self.servers = [self.serve(EDGE, 443, root)] + [self.serve(address, 5000) for address in APPS]

    def serve(self, address, port, certified=None):
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                name = self.headers.get("Host", "").partition(":")[0]
                path = self.path.partition("?")[0]
                shop.asked.append(f"{self.command} {path}")
                status, sent, kind = shop.reply(name, self.command, path, json.loads(body) if body else None, self.headers)
                sent = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(sent)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # HAProxy's checks go when they have read the status

        server = Server((address, port), Handler)
        server.daemon_threads = True
        if certified:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certified / "edge.crt", certified / "edge.key")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def reply(self, name, method, path, sent, headers):
        kind = "application/json"
        if name in self.down:
            return 503, {}, kind
        if name == "geocoder.internal" or path in ("/health", "/v1/health"):
            return 200, {"up": True}, kind
        if name == "decision.example.com":
            return *self.decide(path, sent), kind
        if path == "/version":
            return 200, {"release": RELEASE}, kind
        if path.startswith(("/cards", "/debits")):
            if headers.get("Authorization") != "Basic " + base64.b64encode(b"smoke-key:").decode():
                return 401, {}, kind
            return *self.pay(method, path, sent, headers), kind
        if path == "/v1/signup":
            return 201, {"user": "u-1", "token": "t0k3n"}, kind
        if headers.get("Authorization") != "Bearer t0k3n" or headers.get("x-test-data") != "system-verification":
            return 401, {}, kind
        if path.endswith("/preview"):
            return 200, b"%PDF-1.4\n" + b"x" * 6000, "application/pdf"
        return *self.bill(method, path, sent), kind

    def pay(self, method, path, sent, headers):
        debit = {"debits": [{"href": "/debits/WD1", "amount": 100, "status": "pending"}]}
        if (method, path) == ("POST", "/cards"):
            return (201, {"cards": [{"href": "/cards/CC1", "csc_check": "match"}]}) if sent["number"] == "4111111111111111" else (400, {})
        if (method, path) == ("POST", "/cards/CC1/debits"):
            return (201, debit) if headers.get("idempotency-key", "").startswith("smoke-2") else (400, {})
        if (method, path) == ("GET", "/debits/WD1"):
            self.polled += 1
            if self.polled % 3 == 0:
                debit["debits"][0]["status"] = "succeeded"
            return 200, debit
        return (201, {}) if (method, path) == ("POST", "/debits/WD1/refunds") else (404, {})

    def decide(self, path, sent):
        if path == "/debug/exceptions":
            return 200, {"exceptions": [{"service": "geocoder"}] if "geocoder.internal" in self.down else []}
        case = self.cases[sent["billing"], sent["shipping"]]
        fallback = "geocoder.internal" in self.down
        return 200, {"fraud_probability": 0.2, "decision": case["decision"], "fallbacks": ["geocoder"] if fallback else [],
                     "features": {"bill_ship_miles": 500 if fallback else float(case["miles"]) + 0.4}}

    def bill(self, method, path, sent):
        runs = "/internal/verification/runs"
        if path == runs:
            return 200, self.orphans
        if path.startswith(runs + "/"):
            run = path.split("/")[4]
            self.orphans = [one for one in self.orphans if one["id"] != run]
            return (200, {"rows": len(self.runs.get(run, []))}) if method == "GET" else (204 if not self.runs.pop(run, None) else 200, {})
        if (method, path) == ("POST", "/v1/customers"):
            run = sent["name"].split()[-1]
            self.runs[run] = ["customer"]
            return 201, {"id": "c-1"}
        due = (datetime.date.today() + datetime.timedelta(days=30)).isoformat()
        known = {("POST", "/v1/invoices"): (201, {"id": "i-1", "state": "draft", "total": 144.0}),
                 ("PATCH", "/v1/invoices/i-1"): (200, sent),
                 ("POST", "/v1/invoices/i-1/issue"): (200, {}),
                 ("GET", "/v1/invoices/i-1"): (200, {"state": "issued", "number": "INV-17", "due_on": due}),
                 ("POST", "/v1/invoices/i-1/email"): (202, {}),
                 ("GET", "/v1/invoices/i-1/match"): (200, {"id": "m-1", "matched": 144.0}),
                 ("DELETE", "/v1/matches/m-1"): (204, {}),
                 ("POST", "/v1/invoices/i-1/cancel"): (200, {"credit_note": {"id": "cn-1"}})}
        return known.get((method, path), (404, {}))


class World:
    """Everything that the suites lean on, in one directory."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="staithe-examples."))
        self.root.chmod(0o755)
        self.processes, self.database, self.shop = [], None, None
        self.ssh_port = free_port(APPS[0])

    def start(self):
        self.names_and_authorities()
        self.shop = Shop(self.root)
        self.hosts()
        self.balancer()
        (self.root / "databases").mkdir()
        databases.own(self.root / "databases")
        self.database = databases.Cluster(self.root / "databases", "production")
        self.database.sql("CREATE TABLE journal (source text, amount numeric); INSERT INTO journal VALUES ('cn-1', -100), ('cn-1', -44);"
                          "CREATE TABLE transactions (id int, amount numeric, created_at timestamptz);"
                          "INSERT INTO transactions VALUES (1, 10, now() - interval '1 minute'), (2, 20, now() - interval '2 minutes')")
        self.project()

    def names_and_authorities(self):
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=self.root, check=True, capture_output=True)

        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        (self.root / "authorities").mkdir()
        openssl("req", *key, "-x509", "-subj", "/CN=Example CA", "-days", "90", "-keyout", "ca.key", "-out", "authorities/ca.pem")
        openssl("req", *key, "-subj", "/CN=example.com", "-keyout", "edge.key", "-out", "edge.csr")
        (self.root / "edge.ext").write_text("subjectAltName=" + ",".join("DNS:" + name for name in NAMES))
        openssl("x509", "-req", "-in", "edge.csr", "-CA", "authorities/ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "60", "-extfile", "edge.ext", "-out", "edge.crt")
        openssl("rehash", "authorities")
        (self.root / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{EDGE} {name}\n" for name in NAMES))
        app = self.root / "srv/app"
        (app / "bin").mkdir(parents=True)
        (app / "app").mkdir()
        (app / "bin/python").write_text('#!/bin/sh\ncd /srv/app && exec /usr/bin/python3 "$@"\n')
        (app / "bin/python").chmod(0o755)
        (app / "app/selftest.py").write_text(
            "import socket, ssl\nwith socket.create_connection(('api.example.com', 443), 5) as plain:\n"
            "    ssl.create_default_context().wrap_socket(plain, server_hostname='api.example.com').close()\n")
        for ours, theirs in ((self.root / "hosts", "/etc/hosts"), (self.root / "authorities", "/etc/ssl/certs"),
                             (self.root / "srv", "/srv")):
            subprocess.run(["mount", "--bind", ours, theirs], check=True)

    def begin(self, *command):
        with open(self.root / "log", "ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def hosts(self):
        for key in ("host_key", "id"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.root / key], check=True)
        (self.root / "known_hosts").write_text("".join(
            f"[{address}]:{self.ssh_port} {(self.root / 'host_key.pub').read_text()}" for address in APPS))
        (self.root / "ssh_config").write_text(f"IdentityFile {self.root}/id\nIdentitiesOnly yes\n")
        os.makedirs("/run/sshd", exist_ok=True)
        listen = "".join(f"ListenAddress {address}:{self.ssh_port}\n" for address in APPS)
        (self.root / "sshd_config").write_text(
            f"{listen}HostKey {self.root}/host_key\nAuthorizedKeysFile {self.root}/id.pub\nPidFile none\nUsePAM no\n"
            "StrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nSetEnv SHLVL=1\n")
        self.begin(program("sshd"), "-D", "-e", "-f", self.root / "sshd_config")

    def balancer(self):
        servers = "".join(f"  server web{i + 1} {address}:5000 check inter 200ms\n" for i, address in enumerate(APPS))
        (self.root / "haproxy.cfg").write_text(
            f"global\n  stats socket {self.root}/admin.sock mode 600 level admin\ndefaults\n  mode http\n  timeout connect 2s\n"
            f"  timeout client 5s\n  timeout server 5s\n  option httpchk GET /health\nfrontend f\n  bind {EDGE}:8080\n"
            f"  default_backend app\nbackend app\n{servers}")
        self.begin(program("haproxy"), "-db", "-f", self.root / "haproxy.cfg")

    def project(self):
        databases_of = "".join(f"      {name}: {{url: env DATABASE}}\n"
                               for name in ("ledger_readonly", "decisions_readonly", "analytics_readonly"))
        (self.root / "staithe.yml").write_text(f"""staithe: 1
project: payments
environments:
  production:
    hosts:
      web[1-2]: {{address: 127.9.8.1$(n), port: {self.ssh_port}, user: root, groups: [app]}}
    balancers:
      edge: {{socket: {self.root}/admin.sock}}
    databases:
{databases_of}    ssh: {{config: ssh_config, known_hosts: known_hosts}}
""")
        shutil.copytree(SUITES, self.root / "checks")
        shutil.copytree(SUITES / "cases", self.root / "cases", dirs_exist_ok=True)
        (self.root / "checks/signup.yml").write_text(
            "suite: signup\ntarget: https://api.example.com\nsteps:\n  - name: sign up\n    post: /v1/signup\n"
            "    expect: 201\n    save: {user: json.user, token: json.token}\nexport: [user, token]\n")
        (self.root / "checks/payments.yml").write_text(
            "suite: payments\ntarget: https://api.example.com\nsteps:\n  - {name: up, get: /v1/health, expect: 200}\n")
        deadline = time.monotonic() + 20
        while not self.up() and time.monotonic() < deadline:
            time.sleep(0.1)

    def up(self):
        try:
            for address in APPS:
                socket.create_connection((address, self.ssh_port), 1).close()
            with socket.socket(socket.AF_UNIX) as admin:
                admin.connect(str(self.root / "admin.sock"))
                admin.sendall(b"show stat\n")
                return admin.makefile().read().count(",UP,") >= 3
        except OSError:
            return False

    def check(self, *arguments, release=RELEASE):
        environment = {**os.environ, "PAYMENTS_SMOKE_KEY": "smoke-key", "DATABASE": self.database.url("postgres")}
        done = subprocess.run([STAITHE, "check", *arguments, "--json", "--var", "deploy.release=" + release], cwd=self.root,
                              env=environment, capture_output=True, text=True, timeout=100, check=False)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        return done, [one for one in records if one["type"] == "check"]

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait()
        if self.database:
            self.database.remove()
        for server in self.shop.servers if self.shop else ():
            server.shutdown()
            server.server_close()
        for place in ("/srv", "/etc/ssl/certs", "/etc/hosts"):
            subprocess.run(["umount", place], check=False)
        shutil.rmtree(self.root, ignore_errors=True)


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if APART not in os.environ:
            raise unittest.SkipTest("needs root and namespaces: it takes the port 443, and mounts over /etc/hosts")
        cls.world = World()
        cls.addClassCleanup(cls.world.stop)
        cls.world.start()

    def verdicts(self, *arguments, code=0):
        done, checks = self.world.check(*arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        for secret in ("smoke-key", base64.b64encode(b"smoke-key:").decode(), "t0k3n", databases.PASSWORD):
            self.assertNotIn(secret, done.stdout + done.stderr)
        return {f"{one.get('part', '')} {one['name']}".strip(): one["verdict"] for one in checks}, done.stdout + done.stderr

    def test_payments_smoke(self):
        found, text = self.verdicts("payments-smoke")
        self.assertEqual(set(found.values()), {"pass"}, text)
        self.assertGreaterEqual(len(found), 9, found)
        self.assertIn("POST /debits/WD1/refunds", self.world.shop.asked, "what was charged is given back")
        # Nobody is charged while a host runs another release than is meant.
        self.world.shop.asked.clear()
        done, checks = self.world.check("payments-smoke", release="another")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual([one["verdict"] for one in checks if "release" in one["name"]], ["fail", "fail"], done.stdout)
        self.assertFalse([one for one in self.world.shop.asked if one.startswith("POST")], self.world.shop.asked)

    def test_fraud_decision(self):
        found, text = self.verdicts("decision")
        self.assertEqual(set(found.values()), {"pass"}, text)
        self.assertEqual(len(found), 4, found)
        # A neighbour that is down: what is known of the fallback still holds, and it is said.
        self.world.shop.down = {"geocoder.internal"}
        self.addCleanup(self.world.shop.down.clear)
        found, text = self.verdicts("decision")
        self.assertEqual(sorted(found.values()), ["pass", "pass", "tolerated", "tolerated"], text)

    def test_invoices(self):
        found, text = self.verdicts("signup", "payments", "invoices")
        self.assertEqual(set(found.values()), {"pass"}, text)
        self.assertGreaterEqual(len(found), 15, found)
        self.assertEqual(self.world.shop.runs, {}, "what the run made is gone")
        self.assertEqual([one["id"] for one in self.world.shop.orphans], ["20200101t000000-b68e73", "a-customers"], "what is nobody's run's stays")
        # Its neighbour fails: it is not asked, and says why.
        self.world.shop.down = {"api.example.com"}
        self.addCleanup(self.world.shop.down.clear)
        found, text = self.verdicts("signup", "payments", "invoices", code=1)
        self.assertIn("skipped", found.values(), text)


def loopback_up():
    """A network namespace begins with it down."""
    up, set_flags = 1, 0x8914  # IFF_UP, SIOCSIFFLAGS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up))


def main():
    apart = ["unshare", "--mount", "--net", "--propagation", "private"]
    if APART not in os.environ and os.geteuid() == 0 and databases.BIN and \
            subprocess.run([*apart, "true"], check=False, capture_output=True).returncode == 0:
        os.environ[APART] = "yes"
        os.execvp(apart[0], [*apart, sys.executable, "-B", *sys.argv])
    if APART in os.environ:
        loopback_up()
    unittest.main()


if __name__ == "__main__":
    main()
