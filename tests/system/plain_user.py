"""The same without root: staithe, sshd and the apps run as a plain user, and staithe logs in as that user. Needs root, to
become the user, and one with a shell: PostgreSQL's, which the tests of databases need too."""
import os
import pwd
import signal
import subprocess

import harness
import sandbox

USER = "postgres"


def reason_to_skip():
    if os.geteuid() != 0:
        return None  # then every other test is this one
    try:
        if not os.access(pwd.getpwnam(USER).pw_shell, os.X_OK):
            return f"{USER} has no shell"
    except KeyError:
        return f"there is no user {USER}"
    test = ["setpriv", "--reuid=" + USER, "--regid=" + USER, "--clear-groups", "test", "-x"]
    for program in (sandbox.STAITHE, sandbox.SANDBOX):
        if subprocess.run([*test, program], check=False).returncode != 0:
            return f"{USER} cannot reach {program}"
    return None


class PlainUser(harness.SystemTest):
    def setUp(self):
        if os.geteuid() == 0:
            if reason := reason_to_skip():
                self.skipTest(reason)
            self.sandbox = harness.Sandbox(user=USER)
            self.addCleanup(self.sandbox.stop)
        super().setUp()

    def test_a_rolling_deploy_and_what_a_signal_leaves_behind(self):
        with harness.Load(self.sandbox) as load:
            self.ended(self.sandbox.deploy("v2"), 0, "done: 4 hosts")
            hold = self.hold("drained")
            run = self.sandbox.begin_deploy("v3", "--limit", "web1", playbook=self.playbook({"drained": hold.step}))
            hold.reached(run)
            run.signal(signal.SIGTERM)
            self.assertEqual(run.wait(120).code, 143)
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(set(self.sandbox.versions().values()), {"v2"})
        owner = os.stat(self.sandbox.path(".staithe", "state.db"))
        self.assertEqual(owner.st_uid, os.stat(self.sandbox.base).st_uid, "the state is the user's own")

    def test_status_of_a_state_that_is_another_users_shows_what_can_be_shown(self):
        if os.geteuid() != 0:
            self.skipTest("nobody else's directory can be made")
        self.ended(self.sandbox.staithe("drain", "web1", "-e", "production", "--yes"), 0)
        directory = self.sandbox.path(".staithe")
        owner = os.stat(directory)
        os.chown(directory, 0, 0)
        self.addCleanup(os.chown, directory, owner.st_uid, owner.st_gid)
        os.chmod(directory, 0o700)
        shown = self.sandbox.staithe("status", "-e", "production")
        self.assertEqual(shown.code, 1, str(shown))
        self.assertNotIn("filesystem error", shown.text)
        self.assertIn("the state cannot be read (", shown.out)
        self.assertIn("Permission denied", shown.out)
        self.assertIn("HAProxy", shown.out)
        self.assertIn("Out of rotation: web1   by whom is not known", shown.out)


if __name__ == "__main__":
    harness.main()
