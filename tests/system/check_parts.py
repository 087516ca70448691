"""`staithe check` of a part of what there is: what comes along, and what is no matter of it."""
import os
import subprocess
import unittest

import checking


class Parts(checking.CheckTest):
    def staithe(self, *arguments):
        return subprocess.run([checking.STAITHE, *arguments], cwd=self.directory, text=True, capture_output=True,
                              env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False, timeout=60)

    def test_a_step_alone_brings_along_what_it_needs_of_other_suites(self):
        peer = self.fixed(make='{"id": "a7"}')
        self.write("checks/first.yml", f"""suite: first
target: {peer.url}
steps:
  - {{name: make, get: /make, expect: 200, save: {{id: json.id}}}}
  - {{name: other, get: /other, expect: 200}}
export: [id]
""")
        self.write("checks/second.yml", f"""suite: second
target: {peer.url}
depends_on: [first]
use: {{id: $(first.id)}}
steps:
  - {{name: look, get: /look/$(id), expect: 200}}
  - {{name: alone, get: /alone, expect: 200}}
""")
        for arguments, asked in ((["--only", "look"], ["/make", "/look/a7"]), (["checks/second.yml", "--only", "look"], ["/make", "/look/a7"]),
                                 (["second", "--only", "alone"], ["/alone"])):
            with self.subTest(arguments):
                peer.seen.clear()
                result = self.check(*arguments)
                self.assertEqual(result.code, 0, str(result))
                self.assertEqual(peer.seen, asked)
        peer.seen.clear()
        whole = self.check("second")
        self.assertEqual((whole.code, peer.seen), (0, ["/make", "/other", "/look/a7", "/alone"]), str(whole))
        self.assertNotIn("needs 'first'", whole.err)

    def test_a_suite_that_is_named_brings_along_what_it_needs_and_filters_choose_among_both(self):
        peer = self.fixed(down=("500 Down", "{}"))
        step = "  - {name: %s, get: /%s, severity: %s, tags: [%s], expect: 200}\n"
        self.write("checks/orders.yml", f"suite: orders\ntarget: {peer.url}\ndepends_on: [signup]\nsteps:\n"
                   + step % ("order", "order", "critical", "fast"))
        self.write("checks/signup.yml", f"suite: signup\ntarget: {peer.url}\nsteps:\n" + step % ("sign", "sign", "major", "slow")
                   + step % ("down", "down", "minor", "slow"))
        for arguments, code, asked in (([], 0, ["/sign", "/down", "/order"]), (["--critical"], 0, ["/order"]),
                                       (["--tag", "fast"], 0, ["/order"]), (["--tag", "slow"], 2, []), (["--tag", "none"], 2, [])):
            with self.subTest(arguments):
                peer.seen.clear()
                result = self.check("orders", *arguments)
                self.assertEqual((result.code, peer.seen), (code, asked), str(result))
                self.assertNotIn("needs 'signup'", result.err)
        # What is wrong there is wrong here.
        self.write("checks/signup.yml", f"suite: signup\ntarget: {peer.url}\nsteps:\n  - {{name: sign, gett: /sign, expect: 200}}\n")
        peer.seen.clear()
        wrong = self.check("orders")
        self.assertEqual((wrong.code, peer.seen), (3, []), str(wrong))
        self.assertIn("signup.yml:4", wrong.err)

    def test_a_step_of_a_playbook_brings_along_what_its_suite_needs_or_is_refused(self):
        self.write("staithe.yml", "staithe: 1\nproject: shop\nservices: {shop: {path: /srv/shop, hosts: app}}\nenvironments:\n  production:\n"
                   "    hosts:\n      web1: {groups: [app]}\n      web2: {groups: [app]}\n      edge1: {groups: [edge]}\n      edge2: {groups: [edge]}\n")
        self.write("restart.yml", "playbook: restart\nservice: shop\nhosts: app\neach:\n  - run: 'true'\nafter:\n  - check: {suite: orders}\n")
        orders = ("suite: orders\ntarget: http://127.0.0.1:1\ndepends_on: [%s]\nsteps:\n  - {name: order, each: host in $(hosts.edge), "
                  "get: 'http://$(host.name)/order', expect: 200}\n  - {name: app, each: host in $(hosts.app), get: 'http://$(host.name)/app', expect: 200}\n")
        self.write("checks/orders.yml", orders % "signup")
        self.write("checks/signup.yml", "suite: signup\ntarget: http://127.0.0.1:1\nsteps:\n  - {name: sign, get: /sign, expect: 200}\n")
        self.assertEqual(self.staithe("validate", "restart.yml").returncode, 0)
        plan = self.staithe("plan", "restart.yml", "--limit", "web1")
        self.assertEqual(plan.returncode, 0, str(plan))
        # The step is of the apps; the edge it asks is nobody's but the suite's.
        for asked, there in (("/sign", True), ("edge1/order", True), ("edge2/order", True), ("web1/app", True), ("web2/app", False)):
            self.assertEqual(asked in plan.stdout, there, asked + "\n" + str(plan))
        self.write("checks/orders.yml", orders % "nowhere")
        for command in ("validate", "plan"):
            refused = self.staithe(command, "restart.yml")
            self.assertEqual(refused.returncode, 3, str(refused))
            self.assertIn("suite 'orders' needs 'nowhere'", " ".join((refused.stdout + refused.stderr).split()))

    def test_other_hosts_of_the_service_are_not_asked_before_they_are_rolled(self):
        """The hosts of a limit are of other groups than those that the suite asks of the same service."""
        self.write("staithe.yml", "staithe: 1\nproject: shop\nservices: {shop: {path: /srv/shop, hosts: app}}\nenvironments:\n  production:\n"
                   "    hosts:\n      a1: {groups: [app, us]}\n      b1: {groups: [app, eu]}\n      edge1: {groups: [edge]}\n")
        self.write("roll.yml", "playbook: roll\nservice: shop\nhosts: app\neach:\n  - run: 'true'\n  - check: {suite: rel}\n")
        step = "  - {name: %s, each: host in $(hosts.%s), get: 'http://$(host.name)/version', expect: 200}\n"
        self.write("checks/rel.yml", "suite: rel\ntarget: http://127.0.0.1:1\nsteps:\n" + "".join(step % (one, one) for one in ("us", "eu", "edge")))
        plan = self.staithe("plan", "roll.yml")
        self.assertEqual(plan.returncode, 0, str(plan))
        # Each of the two by its own step, the edge by both.
        for host, times in (("a1", 1), ("b1", 1), ("edge1", 2)):
            self.assertEqual(plan.stdout.count(f"http://{host}/version"), times, host + "\n" + str(plan))
        self.assertIn("no host of 'eu' is among those asked: this step is left out", " ".join(plan.stderr.split()))
        # What a step of theirs would use is no mistake.
        self.write("checks/mix.yml", "suite: mix\ntarget: http://127.0.0.1:1\nsteps:\n  - {name: login, each: host in $(hosts.app), "
                   "get: 'http://$(host.name)/l', expect: 200, save: {s: json.id}}\n  - {name: use, each: host in $(hosts.eu), "
                   "get: 'http://$(host.name)/$(s)', expect: 200}\n")
        for limit, asked in (("a1", ["a1/l"]), ("b1", ["b1/l", "b1/${s}"])):
            dry = self.check("mix", "-n", "--limit", limit)
            self.assertEqual(dry.code, 0, str(dry))
            self.assertEqual(dry.out.count("GET http://"), len(asked), str(dry))

    def test_a_step_asks_who_was_rolled_also_before_this_run_and_beside_services_that_run_everywhere(self):
        self.write("staithe.yml", "staithe: 1\nproject: shop\nservices:\n  shop: {path: /srv/shop, hosts: app}\n  agent: {path: /srv/agent, "
                   "hosts: all}\nenvironments:\n  production:\n    hosts:\n      a1: {groups: [app, canary]}\n      b1: {groups: [app]}\n"
                   "      edge1: {groups: [edge]}\n")
        step = "  - {name: %s, each: host in $(hosts.%s), get: 'http://$(host.name)/version', expect: 200}\n"
        suite = "suite: rel\ntarget: http://127.0.0.1:1\nsteps:\n"
        self.write("roll.yml", "playbook: roll\nservice: shop\nhosts: app\neach:\n  - run: 'true'\nafter:\n  - check: {suite: rel}\n")
        self.write("checks/rel.yml", suite + step % ("app", "app") + step % ("edge", "edge"))
        plan = self.staithe("plan", "roll.yml")
        self.assertEqual(plan.returncode, 0, str(plan))
        for host in ("a1", "b1", "edge1"):
            self.assertEqual(plan.stdout.count(f"http://{host}/version"), 1, host + "\n" + str(plan))
        # The hosts that are left cannot answer for the canary: it is asked, as the suite says.
        self.write("checks/rel.yml", suite + step % ("canary", "canary"))
        plan = self.staithe("plan", "roll.yml", "--limit", "b1")
        self.assertEqual((plan.returncode, plan.stdout.count("http://a1/version")), (0, 1), str(plan))
        # One that another suite would use of those that are left out is told before anything is asked.
        self.write("roll.yml", "playbook: roll\nservice: shop\nhosts: app\neach:\n  - run: 'true'\n  - check: {suite: use}\n")
        self.write("checks/rel.yml", suite + (step % ("canary", "canary")).replace("expect", "save: {id: json.id}, expect") + "export: [id]\n")
        self.write("checks/use.yml", suite.replace("rel", "use") .replace("steps", "depends_on: [rel]\nuse: {id: $(rel.id)}\nsteps")
                   + (step % ("app", "app")).replace("/version", "/$(id)"))
        plan = self.staithe("plan", "roll.yml")
        self.assertEqual(plan.returncode, 3, str(plan))
        self.assertIn("suite 'rel' does not export 'id'", " ".join(plan.stderr.split()))

    def test_what_a_suite_keeps_secret_hides_no_names_of_the_run(self):
        self.write("staithe.yml", "staithe: 1\nproject: shop\nservices: {shop: {path: /srv/shop, hosts: app}}\nenvironments:\n  staging:\n"
                   "    hosts: {staging1: {groups: [app], address: 127.0.0.1, port: 1}}\n")
        self.write("roll.yml", "playbook: roll\nservice: shop\nhosts: app\neach:\n  - run: 'true'\nafter:\n  - check: {suite: rel}\n")
        self.write("checks/rel.yml", "suite: rel\ntarget: http://127.0.0.1:1\nsteps:\n  - {name: a, get: /a, auth: 'basic jo:staging', "
                   "headers: {X-Api-Key: staging}, expect: 200}\n")
        plan = self.staithe("plan", "roll.yml", "-e", "staging")
        self.assertEqual(plan.returncode, 0, str(plan))
        self.assertIn("staging1", plan.stdout)
        self.assertNotIn("X-Api-Key: staging", plan.stdout)
        run = self.staithe("run", "roll.yml", "-e", "staging", "--yes")
        self.assertEqual(run.returncode, 1, str(run))
        self.assertIn("-e staging roll.yml", run.stdout + run.stderr)

    def test_a_suite_that_is_brought_along_is_the_one_that_is_meant_and_asks_where_it_says(self):
        peer, other = self.fixed(), self.fixed()
        step = "steps:\n  - {name: %s, get: /%s, expect: 200}\n"
        self.write("checks/orders.yml", f"suite: orders\ntarget: {peer.url}\ndepends_on: [signup]\n" + step % ("order", "order"))
        # The file has the name and is another suite.
        self.write("checks/signup.yml", f"suite: user-signup\ntarget: {peer.url}\n" + step % ("create", "create"))
        self.write("checks/02.yml", f"suite: signup\ntarget: {peer.url}\n" + step % ("sign", "sign"))
        for arguments, asked in (([], ["/sign", "/order"]), (["--only", "sign"], ["/sign"]), (["--only", "order"], ["/order"])):
            with self.subTest(arguments):
                peer.seen.clear()
                result = self.check("orders", *arguments)
                self.assertEqual((result.code, peer.seen), (0, asked), str(result))
        peer.seen.clear()
        result = self.check("orders", "--target", other.url)
        # At the same place by its file, it goes along.
        self.assertEqual((result.code, peer.seen, other.seen), (0, [], ["/sign", "/order"]), str(result))
        other.seen.clear()
        # However it is written.
        self.write("checks/02.yml", f"suite: signup\ntarget: {peer.url.replace('http', 'HTTP')}/\n" + step % ("sign", "sign"))
        result = self.check("orders", "--target", other.url)
        self.assertEqual((result.code, peer.seen, other.seen), (0, [], ["/sign", "/order"]), str(result))
        other.seen.clear()
        # What is elsewhere stays there, and what that needs with it.
        self.write("checks/02.yml", f"suite: signup\ntarget: {peer.url}/accounts\ndepends_on: [base]\n" + step % ("sign", "sign"))
        self.write("checks/base.yml", f"suite: base\ntarget: {peer.url}/accounts\nsteps:\n  - {{name: lay, get: /lay, expect: 404}}\n")
        result = self.check("orders", "--target", other.url)
        self.assertEqual((result.code, peer.seen, other.seen), (1, ["/accounts/lay"], []), str(result))
        self.assertIn("again", result.out)
        self.assertNotIn("--target", result.out)
        self.write("checks/base.yml", f"suite: base\ntarget: {peer.url}/accounts\n" + step % ("lay", "lay"))
        peer.seen.clear()
        result = self.check("orders", "--target", other.url)
        self.assertEqual((result.code, peer.seen, other.seen), (0, ["/accounts/lay", "/accounts/sign"], ["/order"]), str(result))
        self.write("checks/02.yml", "suite: signup\n" + step % ("sign", "sign"))
        peer.seen.clear(), other.seen.clear()
        result = self.check("orders", "--target", other.url)
        self.assertEqual((result.code, peer.seen, other.seen), (0, [], ["/sign", "/order"]), str(result))

    def test_a_watch_of_a_suite_that_needs_what_is_not_there_does_not_begin(self):
        self.write("checks/lost.yml", "suite: lost\ntarget: http://127.0.0.1:1\ndepends_on: [nowhere]\nschedule: every 5m\n"
                   "steps:\n  - {name: order, get: /o, expect: 200}\n")
        result = self.staithe("watch", "lost")
        self.assertEqual(result.returncode, 3, str(result))
        self.assertIn("suite 'lost' needs 'nowhere'", " ".join(result.stderr.split()))

    def test_a_step_alone_runs_beside_files_that_it_does_not_need_and_cannot_be_read(self):
        peer = self.fixed()
        step = "  - {name: %s, get: /%s, expect: 200}\n"
        self.write("checks/good.yml", f"suite: good\ntarget: {peer.url}\ndepends_on: [wrong]\nuse: {{id: $(wrong.id)}}\nsteps:\n"
                   + step % ("alone", "alone") + step % ("needs", "needs/$(id)"))
        self.write("checks/wrong.yml", f"suite: wrong\ntarget: {peer.url}\nexport: [id]\nsteps:\n"
                   "  - {name: make, get: /make, expct: 200, save: {id: json.id}}\n  - {name: 'each $(host.name)', get: /each, expect: 200}\n")
        self.write("checks/no_yaml.yml", "suite: [no_yaml\n")
        # What is wrong between others is no matter of it either.
        for name in ("twin", "other"):
            self.write(f"checks/{name}.yml", f"suite: twin\ntarget: {peer.url}\nsteps:\n" + step % (name, name))
        for arguments, wrong in (([], ["wrong.yml:5", "no_yaml.yml"]), (["good"], ["wrong.yml:5"])):
            with self.subTest(arguments):
                peer.seen.clear()
                result = self.check(*arguments, "--only", "alone")
                self.assertEqual((result.code, peer.seen), (0, ["/alone"]), str(result))
                for place in wrong:
                    self.assertIn(place, result.err)
                self.assertEqual(result.err.count("this file is left out"), len(wrong), str(result))
        # Where it needs one, or may stand in it, nothing is run, and that is said with the place.
        for arguments, why in ((["--only", "needs"], "needs what it exports"), (["good", "--only", "needs"], "needs what it exports"),
                               (["--only", "make"], "'make' may stand in it"), (["--only", "each web1"], "'each web1' may stand in it")):
            with self.subTest(arguments):
                peer.seen.clear()
                result = self.check(*arguments)
                self.assertEqual((result.code, peer.seen), (3, []), str(result))
                text = " ".join(result.err.split())
                self.assertRegex(text, r"wrong.yml:5:[0-9]+")
                self.assertIn("unknown key 'expct'", text)
                self.assertIn(why, text)
        self.assertEqual(self.check("--only", "nowhere").code, 2)
        self.assertEqual(self.check("wrong", "--only", "alone").code, 3)
        self.assertEqual(self.check("--only", "twin").code, 0)

    def test_part_of_a_suite(self):
        """--critical, --tag and --only, and what those need comes along."""
        peer = self.fixed(login='{"token":"t"}')
        self.write("checks/faults.yml", f"""suite: faults
severity: major
target: {peer.url}
steps:
  - {{name: login, post: /login, json: {{}}, expect: 200, save: {{token: json.token}}}}
  - {{name: pay, get: /pay/$(token), severity: critical, tags: [post-deploy], expect: 200}}
  - {{name: browse, get: /browse, tags: [nightly], expect: 200}}
""")
        for arguments, wanted in (([], ["/login", "/pay/t", "/browse"]), (["--critical"], ["/login", "/pay/t"]),
                                  (["--tag", "nightly"], ["/browse"]), (["--tag", "post-deploy"], ["/login", "/pay/t"]),
                                  (["--only", "browse"], ["/browse"])):
            with self.subTest(arguments):
                peer.seen.clear()
                result = self.check("faults", *arguments)
                self.assertEqual(result.code, 0, str(result))
                self.assertEqual(peer.seen, wanted, str(result))


if __name__ == "__main__":
    unittest.main()
