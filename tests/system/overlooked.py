"""Servers that stand for a host too, in a backend that `servers` does not name, are said before they cost requests."""
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
