"""What ssh_config says counts for staithe as it does for ssh: each file is given to both, and both reach the host or
both refuse. Two sshd on loopback, one behind the other where a test wants it."""
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

STAITHE = os.environ.get("STAITHE", "staithe")
ADDRESSES = {"web1": "127.0.1.1", "bastion": "127.0.2.1"}


def keygen(*words):
    subprocess.run(["ssh-keygen", "-q", *words], check=True, stdout=subprocess.DEVNULL)


class SshSettings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="staithe-ssh.", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        with socket.create_server(("127.0.1.1", 0)) as free:
            cls.port = free.getsockname()[1]
        keygen("-t", "ed25519", "-N", "", "-f", cls.path("id"))
        shutil.copy(cls.path("id.pub"), cls.path("authorized_keys"))
        for name, address in ADDRESSES.items():
            keygen("-t", "ed25519", "-N", "", "-f", cls.path(name + "_key"))
            cls.write(name + ".conf", f"""
ListenAddress {address}
Port {cls.port}
HostKey {cls.path(name + "_key")}
AuthorizedKeysFile {cls.path("authorized_keys")}
PidFile none
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
SetEnv SHLVL=1
""")
            sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", cls.path(name + ".conf"), "-E", cls.path(name + ".log")])
            cls.addClassCleanup(sshd.wait)
            cls.addClassCleanup(sshd.send_signal, signal.SIGTERM)
        for address in ADDRESSES.values():
            cls.wait_for(address)

    @classmethod
    def wait_for(cls, address):
        end = time.monotonic() + 20
        while True:
            try:
                return socket.create_connection((address, cls.port), 1).close()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.dir, name)

    @classmethod
    def write(cls, name, text):
        with open(cls.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return cls.path(name)

    @classmethod
    def read(cls, name):
        with open(cls.path(name), encoding="utf-8") as file:
            return file.read()

    @classmethod
    def key(cls, name):
        return " ".join(cls.read(name + "_key.pub").split()[:2])

    def known(self, file, **keys):
        """A known_hosts file: each server with the key of the server that is named."""
        return self.write(file, "".join(f"[{ADDRESSES[name]}]:{self.port} {self.key(key)}\n" for name, key in keys.items()))

    def setUp(self):
        self.known("known_hosts", web1="web1", bastion="bastion")
        self.project()

    def project(self, host=""):
        self.write("staithe.yml", f"staithe: 1\nproject: test\nenvironments:\n  production:\n    hosts:\n"
                                  f"      web1: {{groups: [app]{host}}}\n    ssh: {{config: config}}\n")

    def config(self, text, everybody=""):
        """`text` goes first, as the first value wins."""
        hosts = "".join(f"Host {name} {address}\n  HostName {address}\n" for name, address in ADDRESSES.items())
        self.write("config", f"{text}\n{hosts}Host *\n{everybody}  Port {self.port}\n  BatchMode yes\n"
                             f"  StrictHostKeyChecking yes\n  GlobalKnownHostsFile /dev/null\n"
                             f"  UserKnownHostsFile {self.path('known_hosts')}\n  IdentityAgent none\n"
                             f"  IdentityFile {self.path('id')}\n  IdentitiesOnly yes\n")

    def ssh(self):
        done = subprocess.run(["ssh", "-F", self.path("config"), "web1", "echo reached"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        return "reached" in done.stdout, done.stdout

    def staithe(self, *words):
        environ = {key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"}
        done = subprocess.run([STAITHE, *words, "-e", "production"] if "--" not in words else
                              [STAITHE, words[0], "-e", "production", *words[1:]], cwd=self.dir, env=environ,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120)
        return done.returncode, done.stdout

    def exec(self):
        return self.staithe("exec", "-H", "web1", "--", "echo", "reached")

    def both_reach(self):
        reached, text = self.ssh()
        self.assertTrue(reached, text)
        code, text = self.exec()
        self.assertEqual(code, 0, text)

    def both_refuse(self, *words):
        reached, text = self.ssh()
        self.assertFalse(reached, text)
        code, text = self.exec()
        self.assertEqual(code, 4, text)
        for word in words:
            self.assertIn(word, text)

    def fingerprint(self, name):
        return subprocess.run(["ssh-keygen", "-lf", self.path(name + "_key.pub")], check=True, stdout=subprocess.PIPE,
                              text=True).stdout.split()[1]

    def test_a_revoked_key_is_refused(self):
        self.config(f"RevokedHostKeys {self.path('revoked')}")
        self.write("revoked", self.key("bastion") + "\n")
        self.both_reach()
        self.write("revoked", f"# stolen\n{self.key('bastion')}\n{self.key('web1')} root@web1\n")
        self.both_refuse("is revoked by", self.fingerprint("web1"))
        self.write("revoked", f"# stolen\n\n{self.key('bastion')}\n{self.key('web1')[:40]}\n")
        self.both_refuse("RevokedHostKeys cannot be used", "line 4 is no public key")
        os.remove(self.path("revoked"))
        self.both_refuse("RevokedHostKeys cannot be used", "there is no such file")
        for name, reached in (("bastion", True), ("web1", False)):
            keygen("-k", "-f", self.path("revoked"), self.path(name + "_key.pub"))
            if reached:
                self.both_reach()
            else:
                self.both_refuse("is revoked by")
        code, text = self.staithe("hostkeys", "pin", "web1", "--replace", "--yes")
        self.assertNotEqual(code, 0, text)
        self.assertIn("is revoked by", text)

    def test_known_hosts_of_a_bastion_and_of_a_user(self):
        self.known("bastions", bastion="bastion")
        self.known("webs", web1="web1")
        self.known("known_hosts")
        self.config(f"Host bastion\n  UserKnownHostsFile {self.path('bastions')}\n"
                    f"Host web1\n  ProxyJump bastion\n  UserKnownHostsFile {self.path('webs')}\n")
        self.both_reach()
        # A file counts for the hosts that it is named for, not for all.
        self.known("bastions", web1="web1")
        self.known("webs", web1="web1", bastion="bastion")
        self.both_refuse("bastion")
        self.config(f"Host web1\n  User nobody\nMatch user {getpass.getuser()}\n  UserKnownHostsFile {self.path('webs')}\n")
        self.project(f", user: {getpass.getuser()}")
        code, text = self.exec()
        self.assertEqual(code, 0, text)

    def test_a_bastion_of_the_inventory(self):
        # The configuration knows the addresses only: where a bastion is stands in staithe.yml.
        self.config("")
        text = self.read("config")
        self.write("config", text.replace("Host web1 ", "Host ").replace("Host bastion ", "Host "))
        place = f"port: {self.port}, user: {getpass.getuser()}"
        self.write("staithe.yml", f"staithe: 1\nproject: test\nenvironments:\n  production:\n    hosts:\n"
                                  f"      gate: {{address: {ADDRESSES['bastion']}, {place}}}\n"
                                  f"      web1: {{address: {ADDRESSES['web1']}, jump: gate}}\n"
                                  f"    ssh: {{config: config}}\n")
        before = self.read("bastion.log").count("Accepted")
        code, text = self.exec()
        self.assertEqual(code, 0, text)
        self.assertGreater(self.read("bastion.log").count("Accepted"), before, "not by the gate")
        code, text = self.staithe("hostkeys", "scan")
        self.assertEqual(code, 0, text)
        self.assertIn("gate", text)

    def test_keys_of_a_host_behind_a_bastion_are_written_down(self):
        self.known("bastions")
        self.known("known_hosts")
        self.config(f"Host bastion\n  UserKnownHostsFile {self.path('bastions')}\nHost web1\n  ProxyJump bastion\n")
        self.both_refuse("staithe hostkeys scan -e production web1", self.fingerprint("bastion"))
        code, text = self.staithe("hostkeys", "scan", "web1")
        self.assertEqual(code, 1, text)
        for words in (self.fingerprint("bastion"), "it is behind bastion", "staithe hostkeys pin -e production web1"):
            self.assertIn(words, text)
        code, text = self.staithe("hostkeys", "pin", "web1")
        self.assertEqual((code, self.read("bastions")), (4, ""), text)
        code, text = self.staithe("hostkeys", "pin", "web1", "--dry-run")
        self.assertEqual((code, self.read("bastions")), (0, ""), text)
        code, text = self.staithe("hostkeys", "pin", "web1", "--yes")
        self.assertEqual(code, 0, text)
        self.assertLess(text.index(self.fingerprint("bastion")), text.index(self.fingerprint("web1")), text)
        self.assertEqual(text.count(self.fingerprint("bastion")), 1, text)
        self.assertIn(self.key("bastion"), self.read("bastions"))
        self.assertIn(self.key("web1"), self.read("known_hosts"))
        self.both_reach()
        code, text = self.staithe("hostkeys", "verify")
        self.assertEqual(code, 0, text)

    def test_a_changed_key_is_to_be_replaced(self):
        self.config("")
        self.known("known_hosts", web1="bastion")
        replace = "staithe hostkeys pin --replace -e production web1"
        self.both_refuse(replace, "has changed")
        self.assertIn(replace, self.staithe("doctor")[1].replace("\n", " "))
        self.assertIn("staithe hostkeys pin --replace", self.staithe("hostkeys", "verify")[1])
        self.assertEqual(self.staithe("hostkeys", "pin", "web1", "--replace", "--yes")[0], 0)
        self.both_reach()
        # Of a bastion likewise.
        self.config("Host web1\n  ProxyJump bastion\n")
        self.known("known_hosts", web1="web1", bastion="web1")
        self.both_refuse(replace, "has changed")

    def test_what_is_not_honoured_is_named_with_its_place(self):
        self.config("Host web1\n  ForwardAgent yes\n  Compression no\nHost other\n  SendEnv LANG\n")
        code, text = self.staithe("doctor")
        self.assertEqual(code, 0, text)
        said = " ".join(text.split())
        self.assertIn("ssh_config sets ForwardAgent yes for web1 (config:2), and that is not honoured", said)
        for word in ("Compression", "SendEnv"):
            self.assertNotIn(word, said)
        self.known("known_hosts")
        self.config(f"KnownHostsCommand /bin/echo {ADDRESSES['web1']} {self.key('web1')}")
        code, text = self.exec()
        self.assertEqual(code, 4, text)
        self.assertIn("does not run the KnownHostsCommand", text)

    def test_what_a_connection_is_made_with(self):
        for text, refused in (("Ciphers aes256-ctr\nMACs -hmac-sha2-256*\nKexAlgorithms ^ecdh-sha2-nistp256", False),
                              ("BindAddress 127.0.0.9\nAddressFamily inet\nConnectionAttempts 2", False),
                              ("PubkeyAcceptedAlgorithms rsa-sha2-512", True), ("AddressFamily inet6", True),
                              ("BindAddress 192.0.2.1", True), ("HostKeyAlgorithms rsa-sha2-512", True)):
            with self.subTest(text):
                self.config(text)
                self.assertEqual(self.ssh()[0], not refused)
                code, said = self.exec()
                self.assertEqual(code != 0, refused, said)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0], *sys.argv[1:]])
