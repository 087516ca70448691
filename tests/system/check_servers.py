"""Suites of checks against real servers: nginx with TLS, HTTP/2, client certificates and passwords, and a server that
says what it was sent."""
import base64
import http.server
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

from ports import free_port

STAITHE = os.environ.get("STAITHE", "build/dev/staithe")


class Nginx:
    """A shop behind TLS: app.test at 127.0.0.1 and at 127.0.0.2, which say who they are; and certificates that are
    not good."""

    def __init__(self, root):
        self.root = root
        self.tls, self.mutual, self.expired, self.future, self.chain, self.plain = (free_port() for _ in range(6))
        self.certificates()
        temporary = "".join(f"{kind}_temp_path {root}/tmp; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        answer = "default_type application/json;"
        good = f"ssl_certificate {root}/app.crt; ssl_certificate_key {root}/app.key;"
        who = '{"protocol":"$server_protocol","at":"$server_addr","host":"$host","client":"$ssl_client_s_dn"}'
        pathlib.Path(root, "passwords").write_text("smoke:{PLAIN}p4ss w0rd\n")
        pathlib.Path(root, "conf").write_text(f"""{'user root;' if os.geteuid() == 0 else ''} daemon on; pid {root}/pid; error_log {root}/error; events {{}}
http {{ access_log off; {temporary} {answer}
server {{ listen 127.0.0.1:{self.tls} ssl http2; listen 127.0.0.2:{self.tls} ssl http2; {good}
  location / {{ return 200 '{who}'; }}
  location /basic {{ auth_basic shop; auth_basic_user_file {root}/passwords; try_files /nothing @who; }}
  location /bearer {{ if ($http_authorization != "Bearer t0k3n/+=") {{ return 401 '{{}}'; }} return 200 '{who}'; }}
  location @who {{ return 200 '{who}'; }}
  location /old {{ return 301 https://app.test:{self.tls}/new; }}
  location /cookie {{ add_header Set-Cookie "seen=1; Path=/"; return 200 '{{"cookie":"$http_cookie"}}'; }}
}}
server {{ listen 127.0.0.1:{self.mutual} ssl; {good} ssl_client_certificate {root}/ca.crt; ssl_verify_client on;
  return 200 '{who}'; }}
server {{ listen 127.0.0.1:{self.expired} ssl; ssl_certificate {root}/old.crt; ssl_certificate_key {root}/old.key; }}
server {{ listen 127.0.0.1:{self.future} ssl; ssl_certificate {root}/new.crt; ssl_certificate_key {root}/new.key; }}
server {{ listen 127.0.0.1:{self.chain} ssl; ssl_certificate {root}/leaf.crt; ssl_certificate_key {root}/leaf.key; }}
server {{ listen 127.0.0.1:{self.plain}; return 200 '{who}'; }}
}}
""")
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        subprocess.run([nginx, "-e", f"{root}/error", "-p", root, "-c", f"{root}/conf"], check=True, stderr=subprocess.PIPE)

    def certificates(self):
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=self.root, check=True, capture_output=True)

        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", *key, "-x509", "-subj", "/CN=Shop CA", "-days", "30", "-keyout", "ca.key", "-out", "ca.crt")
        pathlib.Path(self.root, "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\nserial=serial\ndatabase=index.txt\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n"
            "copy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n")
        pathlib.Path(self.root, "index.txt").touch()
        pathlib.Path(self.root, "serial").write_text("01\n")
        now = time.time()
        for name, names, starts, ends in (("app", "DNS:app.test,DNS:*.wild.test", now - 86400, now + 40.5 * 86400),
                                          ("old", "DNS:old.test", now - 400 * 86400, now - 35 * 86400 - 3600),
                                          ("new", "DNS:new.test", now + 3 * 86400 + 3600, now + 90 * 86400 - 3600),
                                          ("client", "DNS:client", now - 86400, now + 86400)):
            openssl("req", *key, "-subj", f"/CN={name}.test", "-addext", f"subjectAltName={names}",
                    "-keyout", f"{name}.key", "-out", f"{name}.csr")
            stamp = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(one)) for one in (starts, ends)]
            openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.crt", "-in", f"{name}.csr",
                    "-out", f"{name}.crt", "-startdate", stamp[0], "-enddate", stamp[1])

        # Signed by an authority between ours and it, whose own certificate the server forgets to send.
        openssl("req", *key, "-subj", "/CN=Shop Issuing CA", "-keyout", "between.key", "-out", "between.csr")
        pathlib.Path(self.root, "between.ext").write_text("basicConstraints=critical,CA:true\n")
        pathlib.Path(self.root, "leaf.ext").write_text("subjectAltName=DNS:leaf.test\n")
        openssl("x509", "-req", "-in", "between.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-extfile", "between.ext", "-out", "between.crt")
        openssl("req", *key, "-subj", "/CN=leaf.test", "-keyout", "leaf.key", "-out", "leaf.csr")
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "between.crt", "-CAkey", "between.key", "-CAcreateserial",
                "-days", "30", "-extfile", "leaf.ext", "-out", "leaf.crt")

    def stop(self):
        pid = int(pathlib.Path(self.root, "pid").read_text())
        os.kill(pid, 15)
        deadline = time.monotonic() + 10
        while os.path.exists(os.path.join(self.root, "pid")) and time.monotonic() < deadline:
            time.sleep(0.02)


class Listening:
    """A server in this process, at `url`."""

    def __init__(self, handler):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Echo(Listening):
    """Says what it was sent."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                said = {"method": self.command, "path": self.path, "body": body,
                        "type": self.headers.get("Content-Type", ""), "fields": urllib.parse.parse_qs(body),
                        "headers": {name.lower(): value for name, value in self.headers.items()}}
                sent = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(sent)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

        super().__init__(Handler)


class Proxy(Listening):
    """A proxy that asks for a name and a password, and makes tunnels; what it was asked for is in `seen`. With `hangs_up`
    it ends the connection when it is asked for a tunnel."""

    def __init__(self, credentials):
        outer = self
        self.seen, self.answer, self.hangs_up = [], None, False
        wanted = "Basic " + base64.b64encode(credentials.encode()).decode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def refused(self):
                outer.seen.append(f"{self.command} {self.path}")
                status = outer.answer or (407 if self.headers.get("Proxy-Authorization") != wanted else None)
                if status:
                    self.send_error(status)
                return status

            def do_GET(self):
                if self.refused():
                    return
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.path, timeout=5) as origin:
                    body = origin.read()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_CONNECT(self):
                if outer.hangs_up or self.refused():
                    return
                host, _, port = self.path.rpartition(":")
                with socket.create_connection((host, int(port)), timeout=5) as origin:
                    self.send_response(200)
                    self.send_header("X-Proxy", "was here")
                    self.end_headers()
                    ends = {self.connection: origin, origin: self.connection}
                    while ends:
                        for ready in select.select(list(ends), [], [], 10)[0]:
                            if not (read := ready.recv(65536)):
                                return
                            ends[ready].sendall(read)

        super().__init__(Handler)


class Servers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="staithe-servers.")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.nginx = Nginx(cls.root)
        cls.addClassCleanup(cls.nginx.stop)
        cls.echo = Echo()
        cls.addClassCleanup(cls.echo.stop)

    def check(self, steps, head="", code=0, more=(), environment=None):
        """Runs steps; what became of each, by name."""
        path = os.path.join(self.root, "suite.yml")
        pathlib.Path(path).write_text(f"suite: servers\nseverity: critical\n{head}steps:\n{steps}", encoding="utf-8")
        done = subprocess.run([STAITHE, "check", path, "--json", *more], cwd=self.root, capture_output=True, text=True,
                              timeout=120, check=False, env={**os.environ, **(environment or {})})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.output = done.stdout + done.stderr
        return {one["name"]: one for one in map(json.loads, done.stdout.splitlines()) if one["type"] == "check"}

    def passed(self, steps, head="", **more):
        for name, one in self.check(steps, head, **more).items():
            self.assertEqual(one["verdict"], "pass", f"{name}: {one}")

    def secured(self, port):
        return f"target: https://app.test:{port}\ndefaults: {{ca: {self.root}/ca.crt, connect_to: '127.0.0.1:{port}'}}\n"

    def test_http_2_where_the_server_speaks_it(self):
        self.passed(f"""
  - {{name: two, get: /, expect: {{status: 200, http: 2, json.protocol: HTTP/2.0}}}}
  - {{name: again, get: /, sample: 5, expect: {{status: 200, http: 2, success: 5}}}}
  - {{name: plain, get: "http://127.0.0.1:{self.nginx.plain}/", connect_to: "127.0.0.1:{self.nginx.plain}", expect: {{http: 1.1}}}}
""", self.secured(self.nginx.tls))

    def test_round_the_balancer_to_each_address_of_a_name(self):
        for address in ("127.0.0.1", "127.0.0.2"):
            self.passed(f"""
  - name: at {address}
    get: https://app.test:{self.nginx.tls}/
    ca: {self.root}/ca.crt
    connect_to: {address}:{self.nginx.tls}
    expect: {{status: 200, json.at: {address}, json.host: app.test}}
""")

    def test_client_certificates(self):
        head = self.secured(self.nginx.mutual)
        self.passed(f"""
  - name: with ours
    get: /
    certificate: {{file: {self.root}/client.crt, key: {self.root}/client.key}}
    expect: {{status: 200, json.client: CN=client.test}}
""", head)
        refused = self.check("\n  - {name: without, get: /, expect: 200}\n", head, code=1)
        self.assertIn("status", [one["subject"] for one in refused["without"]["judged"]])
        wrong = self.check(f"""
  - name: not there
    get: /
    certificate: {{file: {self.root}/none.crt, key: {self.root}/none.key}}
    expect: 200
""", head, code=4)
        self.assertEqual(wrong["not there"]["verdict"], "error", self.output)

    def test_passwords_and_tokens(self):
        head = "secrets: {word: env WORD, token: env TOKEN}\n" + self.secured(self.nginx.tls)
        secrets = {"WORD": "p4ss w0rd", "TOKEN": "t0k3n/+="}
        self.passed("""
  - {name: basic, get: /basic, auth: basic smoke:$(word), expect: 200}
  - {name: bearer, get: /bearer, auth: bearer $(token), expect: 200}
  - {name: none, get: /basic, auth: none, expect: 401}
  - {name: own header, get: /bearer, headers: {authorization: Bearer $(token)}, expect: 200}
""", head, environment=secrets)
        for secret in (*secrets.values(), "c21va2U6cDRzcyB3MHJk", "t0k3n%2F%2B%3D"):
            self.assertNotIn(secret, self.output)
        wrong = self.check("\n  - {name: wrong, get: /basic, auth: basic smoke:$(token), expect: 200}\n", head, code=1,
                           environment=secrets)
        self.assertEqual(wrong["wrong"]["judged"][0]["got"], "401")

    def test_through_a_proxy_only_where_the_suite_says_so(self):
        proxy = Proxy("smoke:p4ss/w@rd")
        self.addCleanup(proxy.stop)
        elsewhere = {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1", "no_proxy": "*",
                     "WORD": "p4ss/w@rd"}
        steps = f"""
  - {{name: tunnel, get: /, expect: {{status: 200, header.x-proxy: absent, json.host: app.test}}}}
  - {{name: plain, get: "{self.echo.url}/seen", connect_to: "{self.echo.url[7:]}", expect: {{status: 200, json.path: /seen}}}}
  - {{name: straight, get: /, proxy: none, expect: {{status: 200, json.host: app.test}}}}
"""
        head = "secrets: {word: env WORD}\n" + self.secured(self.nginx.tls).replace(
            "defaults: {", f"defaults: {{proxy: '{proxy.url}', proxy_auth: smoke:$(word), ")
        self.passed(steps, head, environment=elsewhere)
        self.assertEqual(proxy.seen, [f"CONNECT 127.0.0.1:{self.nginx.tls}", f"GET {self.echo.url}/seen"])
        for secret in ("p4ss/w@rd", "c21va2U6cDRzcy93QHJk", "p4ss%2Fw%40rd"):
            self.assertNotIn(secret, self.output)

    def test_what_a_proxy_cannot_do_is_no_verdict_about_the_system(self):
        proxy = Proxy("smoke:word")
        self.addCleanup(proxy.stop)

        def verdict(url, answer=None, code=4, get="/"):
            proxy.answer = answer
            head = self.secured(self.nginx.tls).replace("defaults: {", f"defaults: {{proxy: '{url}', ")
            steps = f"\n  - {{name: it, get: '{get}', connect_to: '127.0.0.1:{self.nginx.tls}', timeout: 2s, expect: [200, 407]}}\n"
            if get != "/":
                steps = steps.replace(f"connect_to: '127.0.0.1:{self.nginx.tls}', ", "")
                head = f"defaults: {{proxy: '{url}'}}\n"
            return self.check(steps, head, code=code)["it"]["verdict"]

        plain = f"http://127.0.0.1:{self.nginx.plain}/"
        for get in ("/", plain):  # it wants a password, whatever is expected
            self.assertEqual(verdict(proxy.url, get=get), "error", self.output)
        self.assertEqual(verdict(proxy.url, 403), "error", self.output)
        self.assertEqual(verdict(f"http://127.0.0.1:{free_port()}"), "error", self.output)
        self.assertEqual(verdict("http://no-such-proxy.invalid:3128"), "error", self.output)
        # One that says nothing, not even that it is there: its queue is full.
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            filling = [socket.socket() for _ in range(3)]
            for one in filling:
                one.setblocking(False)
                one.connect_ex(deaf.getsockname())
            for get in ("/", plain):
                self.assertEqual(verdict(f"http://127.0.0.1:{deaf.getsockname()[1]}", get=get), "error", self.output)
            for one in filling:
                one.close()
        # It looked, and found nobody: that is what a customer finds, too.
        self.assertEqual(verdict(proxy.url, 503, code=1), "fail", self.output)
        proxy.hangs_up = True
        self.assertEqual(verdict(proxy.url), "error", self.output)

    def test_what_happens_behind_a_tunnel_is_the_systems(self):
        proxy = Proxy("smoke:word")
        self.addCleanup(proxy.stop)
        with socket.socket() as rude:  # ends what it has taken
            rude.bind(("127.0.0.1", 0))
            rude.listen()
            rude.settimeout(20)
            leaving = threading.Thread(target=lambda: rude.accept()[0].close())
            leaving.start()
            head = self.secured(rude.getsockname()[1]).replace(
                "defaults: {", f"defaults: {{proxy: '{proxy.url}', proxy_auth: 'smoke:word', ")
            it = self.check("\n  - {name: it, get: /, expect: 200}\n", head, code=1)["it"]
            leaving.join()
        self.assertEqual(it["verdict"], "fail", self.output)
        # One that takes the connection and stays silent may be waiting for the server.
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            head = self.secured(self.nginx.tls).replace(
                "defaults: {", f"defaults: {{proxy: 'http://127.0.0.1:{mute.getsockname()[1]}', ")
            it = self.check("\n  - {name: it, get: /, timeout: 1s, expect: 200}\n", head, code=1)["it"]
        self.assertEqual(it["verdict"], "fail", self.output)

    def test_bodies_arrive_as_they_were_meant(self):
        self.passed("""
  - name: form
    post: /form
    form: {name: "a&b=c d", amount: 100, umlaut: "ü"}
    expect:
      json.type: application/x-www-form-urlencoded
      json.fields.name.0: "a&b=c d"
      json.fields.amount.0: "100"
      json.fields.umlaut.0: "ü"
  - name: json
    put: /json
    json: {amount: 100, text: "1", list: [1, true, null], inner: {k: "q\\"q"}}
    expect: {json.method: PUT, json.type: application/json, json.body: contains q}
    save: {body: json.body}
  - name: saved values are quoted for where they go
    patch: /x?q=$(body)
    json: {again: $(body)}
    expect: {json.path: contains %22amount%22, json.body: contains amount, json.method: PATCH}
  - name: text
    post: /text
    body: "plain words"
    headers: {content-type: text/plain, x-two: "2"}
    expect: {json.type: text/plain, json.body: plain words, json.headers.x-two: "2"}
  - {name: delete, delete: /d, expect: {json.method: DELETE}}
  - {name: head, head: /h, expect: {status: 200, size: 0}}
""", f"target: {self.echo.url}\n")

    def test_redirects_are_followed_only_as_far_as_said(self):
        self.passed(f"""
  - {{name: not followed, get: /old, expect: {{status: 301, header.location: "https://app.test:{self.nginx.tls}/new"}}}}
  - {{name: followed, get: /old, follow: 1, expect: {{status: 200, redirects: 1}}}}
""", self.secured(self.nginx.tls))

    def test_cookies_do_not_leak_from_check_to_check(self):
        self.passed("""
  - {name: sets one, get: /cookie, expect: {header.set-cookie: contains seen=1}, save: {seen: header.set-cookie}}
  - {name: has none, get: /cookie, expect: {json.cookie: empty}}
  - {name: says so, get: /cookie, headers: {cookie: seen=1}, expect: {json.cookie: seen=1}}
""", self.secured(self.nginx.tls))

    def test_certificates_in_words(self):
        results = self.check(f"""
  - name: good
    tls: 127.0.0.1:{self.nginx.tls}
    server_name: app.test
    ca: {self.root}/ca.crt
    expect: {{trusted: true, days_left: 40, names: contains *.wild.test, issuer: contains Shop CA, not_after: date 39d to 42d from now}}
  - name: wildcard
    tls: 127.0.0.1:{self.nginx.tls}
    server_name: a.wild.test
    ca: {self.root}/ca.crt
    expect: {{trusted: true}}
    on_fail: continue
  - name: wildcard, one label too many
    tls: 127.0.0.1:{self.nginx.tls}
    server_name: b.a.wild.test
    ca: {self.root}/ca.crt
    expect: {{trusted: false, why: it is for other names than b.a.wild.test}}
    on_fail: continue
  - name: expired
    tls: 127.0.0.1:{self.nginx.expired}
    server_name: old.test
    ca: {self.root}/ca.crt
    expect: {{trusted: true}}
    on_fail: continue
  - name: unknown authority
    tls: 127.0.0.1:{self.nginx.tls}
    server_name: app.test
    expect: {{trusted: true}}
    on_fail: continue
  - name: not yet
    tls: 127.0.0.1:{self.nginx.future}
    server_name: new.test
    ca: {self.root}/ca.crt
    expect: {{trusted: true}}
    on_fail: continue
  - name: chain
    tls: 127.0.0.1:{self.nginx.chain}
    server_name: leaf.test
    ca: {self.root}/ca.crt
    expect: {{trusted: true}}
    on_fail: continue
  - name: no TLS there
    tls: 127.0.0.1:{self.nginx.plain}
    expect: {{trusted: true}}
    on_fail: continue
""", code=1)
        verdicts = {name: one["verdict"] for name, one in results.items()}
        self.assertEqual(verdicts, {"good": "pass", "wildcard": "pass", "wildcard, one label too many": "pass",
                                    "expired": "fail", "unknown authority": "fail", "no TLS there": "fail", "not yet": "fail", "chain": "fail"}, self.output)
        unknown = "issued by somebody who is not trusted, or an intermediate certificate is missing; "
        for name, words in (("good", "trusted; 40 days left; for app.test"), ("expired", "expired 35 days ago; for old.test"),
                            ("not yet", "not valid yet, but in 4 days; 89 days left; for new.test"),
                            ("unknown authority", unknown + "40 days left"), ("chain", unknown)):
            self.assertTrue(results[name]["note"].startswith(words), results[name]["note"])
        # Not only in the note: a live line, JUnit and an alert say what was got.
        self.assertEqual(results["expired"]["judged"][0]["got"], "false (expired 35 days ago)")
        self.assertIn("it does not speak TLS there", results["no TLS there"]["reason"])

    def test_defaults_say_where_certificates_are_looked_at(self):
        results = self.check("""
  - {name: it, tls: app.test, expect: {trusted: true}}
""", f"defaults: {{connect_to: '127.0.0.1:{self.nginx.tls}', ca: {self.root}/ca.crt}}\n")
        self.assertEqual(results["it"]["verdict"], "pass", self.output)

    def test_ports_and_names(self):
        gone = free_port()
        self.passed(f"""
  - {{name: open, tcp: "127.0.0.1:{self.nginx.plain}", expect: {{connected: true, time: at most 10s}}}}
  - {{name: closed, tcp: "127.0.0.1:{gone}", expect: {{connected: false}}}}
  - {{name: known, dns: localhost, expect: {{resolves: true, addresses: contains 127.0.0.1}}}}
""")


if __name__ == "__main__":
    unittest.main()
