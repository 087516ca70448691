"""What the command line of `staithe check` says of a suite: --var and --target, and that a password in the latter stays out
of everything that is shown."""
import base64
import pathlib
import unittest

import checking
from checking import answer

PASSWORD = "hunter%25two2"  # a '%' in it
READ = "hunter%two2"


class Given(checking.CheckTest):
    def test_a_variable_of_the_command_line_stands_above_the_suites_own(self):
        peer = self.peer(lambda connection, path: connection.sendall(answer("{}")))
        self.suite(peer.url, ["delete: /users/$(id)/$(both)", "expect: 200"], head="vars: {id: '5', both: 'u$(id)', other: x}\n")
        for arguments, wanted in (([], "/users/5/u5"), (["--var", "id=7"], "/users/7/u7"), (["--var", "both=b"], "/users/5/b"),
                                  (["--var", "id=7", "--var", "id=8"], "/users/8/u8")):
            with self.subTest(arguments):
                peer.seen.clear()
                self.assertIn(f"DELETE {peer.url}{wanted}\n", self.check("faults", "--dry-run", *arguments).out)
                result = self.check("faults", *arguments)
                self.assertEqual(result.code, 0, str(result))
                self.assertEqual(peer.seen, [wanted])

    def test_a_release_of_the_command_line_stands_above_the_suites_own(self):
        self.suite("http://127.0.0.1:1", ["get: /$(deploy.release)", "expect: 200"], head="vars: {deploy.release: unset}\n")
        self.assertIn("GET http://127.0.0.1:1/unset\n", self.check("faults", "--dry-run").out)
        self.assertIn("GET http://127.0.0.1:1/abc\n", self.check("faults", "--dry-run", "--var", "deploy.release=abc").out)



if __name__ == "__main__":
    unittest.main()
