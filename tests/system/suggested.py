"""The commands that the last lines, `status` and `recover` suggest do what they say when they are pasted: they carry the
files, variables and names that the run had."""
import json
import os
import re
import shlex

import harness
import sandbox

# Not where staithe.yml is: paths and -C have to be right.
AWAY = ("-C", "playbooks")
NEEDS_MENDED = "run: test $(host) = web1 || test -e $(mended) || { echo no ledger on $(host) >&2; exit 3; }"


class Suggested(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.mended = self.sandbox.path("mended")
        self.sandbox.write("mended: " + self.mended + "\n", "more.yml")
        if os.path.exists(self.mended):
            os.unlink(self.mended)
        self.assertEqual(self.sandbox.deploy("v1").code, 0)
        self.assertEqual(self.sandbox.deploy("v2").code, 0)

    def begin(self, ref, *options, **steps):
        self.playbook(steps or {"reloaded": NEEDS_MENDED}, head="")
        return self.sandbox.begin("deploy", *AWAY, "-e", "production", "test.yml", "--var", "ref=" + ref,
                                  "--var-file", "../more.yml", "--limit", "web1,web2", "--parallel", "1", "--yes", *options)

    def said(self, text, command):
        """The words of the suggested command, without `staithe` and what it is for."""
        found = re.search(rf"staithe ({command} .*?)(?: {{4}}|$)", text, re.M)
        self.assertIsNotNone(found, text)
        return shlex.split(found[1])

    def pasted(self, words, code, *last):
        result = self.sandbox.staithe(*words, "--yes")
        self.ended(result, code, *last)
        return result

    def newest_run(self):
        return json.loads(self.sandbox.staithe("history", "-e", "production", "--last", "1", "--json").out.splitlines()[-1])["run_id"]

    def half_rolled(self):
        """web1 has v3, web2 was reverted."""
        result = self.begin("v3").wait()
        self.ended(result, 5, "FAILED at web2", "changed web1", "reverted web2")
        return result

    def test_to_go_on_as_status_says(self):
        """Stopped by a person, which says nothing against the release."""
        hold = self.hold("web2", host="web2")
        run = self.begin("v3", before_drain=hold.step)
        hold.reached(run)
        run.signal(2)
        run.wait()
        hold.let_go()
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": "v3", "web2": "v2"})
        words = self.said(self.sandbox.staithe("status", *AWAY, "-e", "production").out, "deploy")
        self.assertIn("--parallel", words)
        self.pasted(words, 0, "done: ")
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": "v3", "web2": "v3"})

    def test_to_roll_back_as_the_last_lines_and_status_say(self):
        last_lines = self.said(self.half_rolled().err, "rollback")
        shown = self.sandbox.staithe("status", *AWAY, "-e", "production").out
        self.assertEqual(self.said(shown, "rollback"), last_lines)
        self.assertNotIn("staithe deploy", shown, "web2 has shown that the release is bad")
        self.sandbox.write("", self.mended)
        # To the release before on every host, with the steps of the playbook that was rolled out.
        result = self.pasted(last_lines, 0, "done: 4 hosts on " + self.sandbox.sha["v2"][:12])
        self.assertIn("run: test", result.err)
        self.assertEqual(set(self.sandbox.versions().values()), {"v2"})

    def test_to_go_on_as_recover_says_of_a_run_that_died(self):
        hold = self.hold("web2", host="web2")
        run = self.begin("v3", reloaded=NEEDS_MENDED + "\n  - " + hold.step)
        self.sandbox.write("", self.mended)
        hold.reached(run)
        run.signal(9)
        run.wait()
        hold.let_go()
        recovered = self.sandbox.staithe("recover", *AWAY, "-e", "production", "--yes")
        self.ended(recovered, 5, "Versions are mixed")
        back = self.said(recovered.err, "rollback")
        self.assertIn("../more.yml", back)
        self.pasted(self.said(recovered.err, "deploy"), 0, "done: 1 host")
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": "v3", "web2": "v3"})

    def test_what_was_written_into_the_state_draws_nothing(self):
        """A title that would clear the screen and add a line of its own, seen by everybody who looks later."""
        hold = self.hold("web1")
        self.playbook({"reloaded": hold.step})
        self.sandbox.edited("playbook: deploy payments", 'playbook: "deploy\\e[2J\\nLocked: nothing"', "playbooks", "test.yml")
        run = self.sandbox.begin("deploy", *AWAY, "-e", "production", "test.yml", "--var", "ref=v3", "--limit", "web1", "--yes")
        hold.reached(run)
        second = self.sandbox.staithe("deploy", *AWAY, "-e", "production", "test.yml", "--var", "ref=v3", "--limit", "web1", "--yes")
        looks = [second, self.sandbox.staithe("status", "-e", "production")]
        for words in (("unlock", "--reason", "x"), ("unlock", "--reason", "x", "--force"), ("unlock", "--reason", "x", "-n", "--force"),
                      ("recover", self.newest_run())):
            looks.append(self.sandbox.staithe(*words, "-e", "production"))
            self.assertEqual(looks[-1].code, 0 if "-n" in words else 4, str(looks[-1]))
        confirm = self.said(looks[3].err, "unlock")
        self.assertEqual(confirm[-2:], ["--confirm", sandbox.SCOPE])
        run.signal(9)
        run.wait()
        hold.let_go()
        died = self.newest_run()
        for words in (("status",), ("history",), ("history", died), ("recover", "-n"), ("deploy", *AWAY, "test.yml", "--yes"),
                      ("recover", "--settled", died, "--reason", "x", "-n"), ("recover", "--yes")):
            looks.append(self.sandbox.staithe(*words, "-e", "production"))
        for look in looks:
            self.assertNotIn("\x1b", look.text, str(look))
            self.assertNotRegex(look.text, "(?m)^Locked: nothing", str(look))
        self.assertIn("deploy Locked: nothing", looks[1].text + looks[2].text)
        self.nothing_left()

    def test_to_give_a_host_back_whose_servers_a_variable_names(self):
        old = self.sandbox.edited("- api/$(host)", "- $(pool)/$(host)", "staithe.yml")
        self.addCleanup(self.sandbox.write, old, "staithe.yml")
        strategy = "  {batches: [1], max_failures: 0, min_available: 2, on_failure: stop}"
        self.playbook({"reloaded": "run: exit 3"}, strategy=strategy)
        result = self.sandbox.deploy("v3", "--limit", "web1", "--var", "pool=api", "--service", "payments",
                                     playbook="playbooks/test.yml")
        self.ended(result, 5, "OUT web1")
        words = self.said(result.err, "restore")
        refused = self.sandbox.deploy("v3", "--limit", "web1", "--var", "pool=api", playbook="playbooks/test.yml")
        self.ended(refused, 4, "was left out of rotation by an earlier run")
        self.assertEqual(self.said(refused.err, "restore"), words)
        self.pasted(words, 0, "done: 1 host")
        self.nothing_left()

    def test_to_give_a_host_back_that_a_recovery_left_out(self):
        old = self.sandbox.edited("- api/$(host)", "- $(pool)/$(host)", "staithe.yml")
        self.addCleanup(self.sandbox.write, old, "staithe.yml")
        hold = self.hold("web1")
        self.playbook({"reloaded": hold.step})
        run = self.sandbox.begin("deploy", *AWAY, "-e", "production", "test.yml", "--var", "ref=v3", "--limit", "web1",
                                 "--var", "pool=api", "--yes")
        hold.reached(run)
        run.signal(9)
        run.wait()
        hold.let_go()
        settle = ("recover", *AWAY, "-e", "production", "--settled", self.newest_run(), "--reason", "mended", "-n")
        self.ended(self.sandbox.staithe(*settle), 3, "pool")
        self.assertEqual(self.sandbox.staithe(*settle, "--var", "pool=api").code, 0)
        self.sandbox.service("stop", "lb1.haproxy")
        recovered = self.sandbox.staithe("recover", *AWAY, "-e", "production", "--yes")
        self.sandbox.service("start", "lb1.haproxy")
        self.ended(recovered, 5, "OUT web1")
        words = self.said(recovered.err, "restore")
        self.assertIn("pool=api", words)
        # Whoever only looks at the hosts has to know their servers too.
        look = ("status", *AWAY, "-e", "production")
        self.ended(self.sandbox.staithe(*look), 3, "pool")
        self.assertEqual(self.said(self.sandbox.staithe(*look, "--var", "pool=api").out, "restore"), words)
        self.pasted(words, 0, "done: 1 host")
        # Nobody has said that what was given back so is in order.
        recovered = self.sandbox.staithe("recover", *AWAY, "-e", "production", "--yes")
        self.ended(recovered, 5, "web1: given back while the app was being changed", "--var pool=api")
        self.pasted(self.said(recovered.err, "recover"), 0, "1 host put right")
        self.nothing_left()


if __name__ == "__main__":
    harness.main()
