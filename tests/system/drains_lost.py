"""Restores of what serves: nobody may be lost for a host that is in service."""
import harness


class DrainsLost(harness.SystemTest):
    def staithe(self, command, *hosts, also=()):
        return self.sandbox.staithe(command, *hosts, "-e", "production", *also, "--yes")

    def test_a_restore_of_all_leaves_alone_what_serves(self):
        self.sandbox.ask("lb1", "set server api/web1 weight 37")
        self.addCleanup(self.sandbox.ask, "lb1", "set server api/web1 weight 100")
        self.ended(self.staithe("drain", "web2", "web3", "web4"), 0)
        with harness.Load(self.sandbox) as load:
            restored = self.staithe("restore", "app")
            self.ended(restored, 0, "done: 4 hosts")
            self.assertIn("web1 serves already: left alone", restored.text)
            again = self.staithe("restore", "web1")
            self.ended(again, 0)
            self.assertIn("web1 serves already: left alone", again.text)
        self.none_failed(load)
        self.assertEqual(self.sandbox.all_serving(), {"lb1 api/web1": "UP weight 37"})
        self.nothing_held()
        plan = self.sandbox.staithe("restore", "app", "-e", "production", "-n")
        self.assertRegex(plan.out, r"restore +guard ")

    def test_a_proof_that_would_take_the_last_server_is_refused(self):
        for host in ("web2", "web3", "web4"):
            self.sandbox.ask("lb1", f"set server api/{host} state maint")
            self.addCleanup(self.sandbox.ask, "lb1", f"set server api/{host} state ready")
        self.sandbox.ask("lb2", "set server api/web1 state maint")
        self.addCleanup(self.sandbox.ask, "lb2", "set server api/web1 state ready")
        with harness.Load(self.sandbox) as load:
            refused = self.staithe("restore", "web1")
            self.assertIn(refused.code, (1, 4), str(refused))
            self.assertIn("edge1: ", refused.text)
            self.assertIn("would be left with 0 of 4 servers", refused.text)
        self.none_failed(load)
        self.doCleanups()
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
