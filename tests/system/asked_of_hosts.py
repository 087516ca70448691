"""The steps `wait` and `check` in each of their forms, asked for real: what is right passes, what comes right while it is
waited for passes then, and what does not fails the step and says why."""
import os
import re

import harness

HEAD = "playbook: ask\nhosts: web1\neach:\n"


class Asked(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.there, self.missing = self.sandbox.path("run", "there"), self.sandbox.path("run", "missing")
        self.sandbox.write("", "run", "there")
        self.addCleanup(os.unlink, self.there)
        self.port = re.search(r"^(?:Port |ListenAddress \S+:)(\d+)", self.sandbox.read("hosts", "web1", "sshd_config"), re.M)[1]

    def run_of(self, *steps):
        self.sandbox.write(HEAD + "".join(f"  - {step}\n" for step in steps), "playbooks", "ask.yml")
        return self.sandbox.staithe("run", self.sandbox.path("playbooks", "ask.yml"), "-e", "production", "--yes")

    def test_what_is_right_passes(self):
        self.ended(self.run_of(f'wait: {{tcp: "$(host.address):{self.port}"}}', f"wait: {{file: {self.there}}}",
                               f"wait: {{command: test -e {self.there}, passes: 2}}", f'check: {{tcp: "$(host.address):{self.port}"}}',
                               f"check: {{file: {self.there}}}", "check: {command: 'true'}"), 0)

    def test_what_is_not_fails_and_says_why(self):
        for step, why in ((f"wait: {{file: {self.missing}, for: 3s}}", f"{self.missing} does not exist"),
                          ("wait: {command: 'echo no such luck >&2; exit 3', for: 3s}", "exit status 3 no such luck"),
                          ('wait: {tcp: "$(host.address):1", for: 3s}', "onnection refused"),
                          (f"check: {{file: {self.missing}}}", f"{self.missing} does not exist"),
                          ("check: {command: exit 4}", "exit status 4"),
                          ('check: {tcp: "$(host.address):1"}', "onnection refused")):
            with self.subTest(step):
                result = self.run_of(step)
                self.ended(result, 1, "FAILED at web1", why)
                self.nothing_held()

    def test_what_comes_right_meanwhile_is_waited_for(self):
        counted = self.sandbox.path("run", "counted")
        self.addCleanup(os.unlink, counted)
        count = f"'echo >>{counted}; test $$(wc -l <{counted}) -ge 3'"
        self.ended(self.run_of(f"wait: {{command: {count}, every: 50ms}}"), 0)
        self.assertEqual(self.sandbox.read("run", "counted").count("\n"), 3, "asked on after the right answer")


if __name__ == "__main__":
    harness.main()
