"""Ten deploys in a row under steady load lose no request."""
import os

import harness


class TenDeploys(harness.SystemTest):
    def test_no_request_fails_in_ten_deploys_in_a_row(self):
        deploys = int(os.environ.get("STAITHE_TEST_DEPLOYS", "10"))
        with harness.Load(self.sandbox) as load:
            for number in range(deploys):
                ref = ("v2", "v3")[number % 2]
                # One at a time as the playbook says, and with two hosts in hand, which is the harder case.
                result = self.sandbox.deploy(ref, *(["--parallel", "2"] if number % 3 else []))
                self.ended(result, 0, f"done: 4 hosts on {self.sandbox.sha[ref][:12]}")
                self.assertEqual(self.sandbox.versions(), dict.fromkeys(harness.HOSTS, ref), str(result))
                self.nothing_left(context=f"after deploy {number + 1}")
        self.none_failed(load, least=1000)
        seen = {version["name"] for version in load.counts["versions"]}
        self.assertLessEqual({self.sandbox.sha[ref][:12] for ref in ("v1", "v2", "v3")}, seen,
                             "the load did not see every version: it proves nothing")
        self.assertEqual({host["name"] for host in load.counts["hosts"]}, set(harness.HOSTS))
        print(f"  {load.counts['requests']} requests in {deploys} deploys, {load.failed} failed, "
              f"longest {load.counts['max_ms']} ms")


if __name__ == "__main__":
    harness.main()
