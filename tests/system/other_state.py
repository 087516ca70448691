"""State in PostgreSQL instead of a file, state that cannot be written, and the terminal: Ctrl-C, and when it goes away."""
import contextlib
import glob
import os
import pty
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import harness
import sandbox
from ports import free_port


def postgres_program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return shutil.which(name) or (found[-1] if found else None)


class PostgresServer:
    """A server of its own on loopback, gone with the test."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="staithe-pg-")
        data, sockets = os.path.join(self.directory, "data"), self.directory
        # PostgreSQL refuses to run as root.
        self.drop = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
        if self.drop:
            shutil.chown(self.directory, "nobody", "nogroup")
        self.port = free_port()
        self.url = f"postgres://staithe@127.0.0.1:{self.port}/postgres"
        subprocess.run([*self.drop, postgres_program("initdb"), "-D", data, "-U", "staithe", "-A", "trust", "-N"],
                       stdout=subprocess.DEVNULL, check=True, cwd=self.directory)
        self.process = subprocess.Popen(
            [*self.drop, postgres_program("postgres"), "-D", data, "-p", str(self.port), "-k", sockets, "-h", "127.0.0.1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.directory)
        assert harness.await_true(self.answers, 60, 0.05), "PostgreSQL does not come up"

    def answers(self):
        return subprocess.run([postgres_program("pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)],
                              stdout=subprocess.DEVNULL, check=False).returncode == 0

    def rows(self, sql):
        said = subprocess.run([postgres_program("psql"), "-qAtX", "-d", self.url, "-c", sql], stdout=subprocess.PIPE,
                              text=True, check=True).stdout
        return said.split("\n")[:-1]

    def everyone(self, number):
        """A signal to the server and to all that it has begun."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        for pid in [self.process.pid, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def hang(self):
        self.everyone(signal.SIGSTOP)

    def go_on(self):
        self.everyone(signal.SIGCONT)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)


class OtherState(harness.SystemTest):
    def test_state_in_postgresql(self):
        """Deploys, a kill, a recovery and the history, with nothing kept beside staithe.yml."""
        if not postgres_program("initdb") or not postgres_program("psql"):
            self.skipTest("no PostgreSQL")
        server = PostgresServer()
        self.addCleanup(server.stop)
        old = self.sandbox.edited("  production:\n", "  production:\n    state: postgres env STATE_URL\n", "staithe.yml")
        self.addCleanup(self.sandbox.write, old, "staithe.yml")
        env = {"STATE_URL": server.url}
        words = ("-e", "production", "--limit", "web1", "--yes")
        local = self.sandbox.rows("SELECT count(*) FROM staithe_runs") if self.state_is_there() else None
        hold = self.hold("reloaded")
        playbook = self.playbook({"reloaded": hold.step})
        run = self.sandbox.begin("deploy", playbook, *words, "--var", "ref=v2", env=env)
        hold.reached(run)
        self.assertEqual(server.rows("SELECT scope FROM staithe_locks"), ["production/payments"])
        second = self.sandbox.staithe("deploy", *words, "--var", "ref=v3", env=env)
        self.ended(second, 4, f"pid {run.pid}")
        run.signal(signal.SIGKILL)
        run.wait(60)
        hold.let_go()
        self.ended(self.sandbox.staithe("recover", *words[:2], "--yes", env=env), 0, "put right")
        self.assertEqual(self.sandbox.await_serving(), {})
        self.ended(self.sandbox.staithe("deploy", *words, "--var", "ref=v3", env=env), 0, "done: 1 host")
        self.assertEqual(server.rows("SELECT count(*) FROM staithe_runs WHERE ended IS NULL"), ["0"])
        self.assertEqual(server.rows("SELECT count(*) FROM staithe_locks"), ["0"])
        history = self.sandbox.staithe("history", "-e", "production", env=env)
        self.assertIn("deploy", history.out, str(history))
        self.assertNotIn(server.url, history.text)
        if local is not None:
            self.assertEqual(self.sandbox.rows("SELECT count(*) FROM staithe_runs"), local)

    def state_is_there(self):
        return os.path.exists(self.sandbox.path(".staithe", "state.db"))

    def test_the_end_of_a_run_cannot_be_written(self):
        """The hosts are done and the state is not: that is said, and the next run refuses until somebody looks."""
        words = ("-e", "production", "--limit", "web1", "--yes")
        self.ended(self.sandbox.deploy("v2", "--limit", "web1"), 0)
        self.change_state("CREATE TRIGGER no_end BEFORE UPDATE OF ended ON staithe_runs "
                          "BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END")
        self.addCleanup(self.change_state, "DROP TRIGGER IF EXISTS no_end")
        self.ended(self.sandbox.deploy("v3", "--limit", "web1"), 5, "could not be written to the state",
                   "staithe recover")
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": "v3"})
        self.ended(self.sandbox.deploy("v2", "--limit", "web1"), 4, "staithe recover")
        self.change_state("DROP TRIGGER no_end")
        self.ended(self.sandbox.staithe("recover", *words[:2], "--yes"), 0)
        self.nothing_left()
        self.ended(self.sandbox.deploy("v2", "--limit", "web1"), 0, "done: 1 host")

    def change_state(self, sql):
        with contextlib.closing(self.sandbox.state()) as database:
            database.execute(sql)
            database.commit()

    def test_the_beginning_of_a_run_cannot_be_written(self):
        self.ended(self.sandbox.deploy("v2", "--limit", "web1"), 0)
        before = self.sandbox.versions()
        self.change_state("CREATE TRIGGER no_begin BEFORE INSERT ON staithe_runs "
                          "BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END")
        self.addCleanup(self.change_state, "DROP TRIGGER IF EXISTS no_begin")
        self.ended(self.sandbox.deploy("v3", "--limit", "web1"), 4, "disk I/O error", "nothing was changed")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)

    def test_ctrl_c_pressed_twice_quickly_abandons(self):
        """At a terminal, as a person does it: 200 ms lie between the two, and a held key's repeats count for nothing,
        also after the pause before the first of them."""
        for _ in range(10):
            if self.abandons_by_pressing():
                return
        self.fail("this machine is too busy to press a key in time")

    def abandons_by_pressing(self):
        """False when a press came late, so that it may have counted as another one; all is put right then."""
        before = self.sandbox.versions()
        hold = self.hold("reloaded")
        playbook = self.playbook({"reloaded": hold.step})
        terminal, inside = pty.openpty()
        self.addCleanup(os.close, terminal)
        words = ["deploy", playbook, "-e", "production", "--var", "ref=v3" if before["web1"] == "v2" else "ref=v2", "--yes"]
        run = subprocess.Popen(["setsid", "--ctty", sandbox.STAITHE, *words, "--limit", "web1,web2"], stdin=inside,
                               stdout=inside, stderr=inside, cwd=self.sandbox.dir, env=self.sandbox.environ)
        os.close(inside)
        said = []
        def read():
            with contextlib.suppress(OSError):
                while part := os.read(terminal, 65536):
                    said.append(part.decode(errors="replace"))
        reader = threading.Thread(target=read)
        reader.start()
        self.assertTrue(harness.await_true(lambda: os.path.exists(hold.waiting), 90), "".join(said))
        in_time = True
        for pause in (0, 0.4, *[0.03] * 10):
            until = time.monotonic() + pause
            time.sleep(pause)
            in_time = in_time and time.monotonic() - until < 0.04
            os.write(terminal, b"\x03")
        time.sleep(0.2)
        self.assertTrue(run.poll() is None or not in_time, "a key that was held abandoned it")
        with contextlib.suppress(OSError):
            os.write(terminal, b"\x03")
        ended = run.wait(60)
        reader.join(60)
        if in_time:
            self.assertEqual(ended, 5, "".join(said))
            self.assertIn("OUT web1", " ".join("".join(said).split()))
        self.nothing_held()
        self.ended(self.sandbox.staithe("recover", "-e", "production", "--yes"), 0)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)
        return in_time

    def test_terminal_goes_away(self):
        """SIGHUP is a wish to stop like the others: the host in hand is put back or finished."""
        before = self.sandbox.versions()
        hold = self.hold("drained")
        run = self.sandbox.begin_deploy("v3" if before["web1"] == "v2" else "v2", "--limit", "web1,web2",
                                        playbook=self.playbook({"drained": hold.step}))
        hold.reached(run)
        run.signal(signal.SIGHUP)
        result = run.wait(120)
        self.assertEqual(result.code, 143, str(result))
        self.assertIn("interrupted", result.err)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(), before)


if __name__ == "__main__":
    harness.main()
