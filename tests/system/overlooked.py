"""Servers that stand for a host too, in a backend that `servers` does not name, are said before they cost requests."""
import re

import harness


class Overlooked(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.before = self.sandbox.edited("      - admin/$(host)\n", "", "staithe.yml")
        self.addCleanup(self.sandbox.write, self.before, "staithe.yml")
        self.target = "v3" if self.sandbox.versions()["web1"] == "v2" else "v2"

    def doctor(self):
        return self.sandbox.staithe("doctor", "-e", "production").text

    def test_servers_that_are_a_host_too_and_that_nobody_named_are_said(self):
        result = self.sandbox.deploy(self.target, "--limit", "web1")
        self.ended(result, 0)
        said = "admin/web1: is the app of api/web1 too, by its address, and stays in rotation"
        self.assertIn("warning: edge1 " + said, result.text)
        doctor = self.doctor()
        self.assertIn("admin/web1", doctor)
        self.assertIn("Name it in 'servers', or say 'servers: auto'", doctor)

    def test_what_would_stand_for_two_hosts_is_refused_and_said(self):
        """One of them would give it back while the other has its app down."""
        text = self.before.replace("    servers:\n      - api/$(host)\n      - admin/$(host)\n", "    servers: auto\n")
        block = re.search(r"^      web\[1-4\]:\n(?:        .*\n)+", text, re.M).group()
        again = block.replace("web[1-4]", "web5").replace("127.0.1.$(n)", "127.0.1.1")
        self.sandbox.write(text.replace(block, block + again), "staithe.yml")
        refused = self.sandbox.deploy(self.target, "--limit", "web[1-5]")
        self.ended(refused, 3)
        self.assertRegex(refused.text, r"what has the address 127.0.1.1:\d+ would stand for web1 and for web5")
        # Written otherwise, only the balancers tell.
        self.sandbox.write(text.replace(block, block + again.replace("127.0.1.1", "'::ffff:127.0.1.1'")), "staithe.yml")
        doctor = self.sandbox.staithe("doctor", "-e", "production")
        self.assertRegex(doctor.text, r"warning: +\S*(admin|api)/web1 would stand for web1 and for web5")
        # Of two services that may be meant: only a deploy of one can tell.
        self.assertNotRegex(doctor.text, "error: .*would stand for")

    def test_by_their_address_all_are_found_and_no_request_is_lost(self):
        """Of the README's example, through the backend that nobody names."""
        named = "    servers:\n      - api/$(host)\n      - admin/$(host)\n"
        self.assertIn(named, self.before)
        self.sandbox.write(self.before.replace(named, "    servers: auto\n"), "staithe.yml")
        self.assertNotIn("by its address", self.doctor())
        with harness.Load(self.sandbox, "--path", "/admin") as load:
            self.ended(self.sandbox.deploy(self.target, "--limit", "web1"), 0)
        self.none_failed(load)
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
