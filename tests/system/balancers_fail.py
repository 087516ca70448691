"""HAProxy is reloaded, restarted or gone, may not be told what to do, or has ideas of its own."""
import contextlib
import re
import socket
import threading
import time

import harness

ONE = ("--limit", "web1")
BOTH = ("--limit", "web1,web2")


def other(sandbox):
    """The release that is not live on web1."""
    return "v3" if sandbox.versions(["web1"])["web1"] == "v2" else "v2"


class RefusedLate(harness.SystemTest):
    def refused_after(self, step):
        """A deploy whose guard refuses the first host, with this step before all."""
        hold = self.hold("staging")
        playbook = self.playbook(stage=[hold.step], head="before:\n  - " + step)
        run = self.sandbox.begin_deploy(other(self.sandbox), playbook=playbook)
        hold.reached(run)
        for balancer in harness.BALANCERS:
            for host in ("web2", "web3"):
                self.sandbox.ask(balancer, f"set server api/{host} state maint")
        hold.let_go()
        result = run.wait()
        for balancer in harness.BALANCERS:
            for host in ("web2", "web3"):
                self.sandbox.ask(balancer, f"set server api/{host} state ready")
        return result

    def test_a_guard_refuses_after_a_step_before_the_roll(self):
        look = self.refused_after("local: {command: 'true', read_only: true}")
        self.ended(look, 4, "FAILED at web1", "exit 4 (refused)")
        self.assertNotIn("stays", look.end())
        self.ended(self.refused_after("local: 'true'"), 1, "FAILED at web1", "restored web1", "stays before", "exit 1 (failed)")
        self.nothing_left()


class BalancerChanges(harness.SystemTest):
    """In `before` the host is drained and its app untouched; in `after` the app was reloaded and warms up."""

    def deploy_while(self, place, happens, targets=None):
        """One deploy of web1; `happens` is called while it stands at `place`."""
        self.before = self.sandbox.versions()
        self.target = other(self.sandbox)
        hold = self.hold(place)
        playbook = self.playbook({place: hold.step})
        with harness.Load(self.sandbox, targets=targets) as load:
            run = self.sandbox.begin_deploy(self.target, *ONE, playbook=playbook)
            hold.reached(run)
            happens()
            hold.let_go()
            result = run.wait()
        return result, load

    def reload(self):
        self.reloaded_at = time.monotonic()
        self.reload_balancer("lb1")
        time.sleep(1)
        self.seen_at = time.monotonic()

    def restart(self):
        self.sandbox.service("stop", "lb1.haproxy")
        time.sleep(0.5)
        self.sandbox.service("start", "lb1.haproxy")
        self.assertTrue(harness.await_true(lambda: self.sandbox.worker("lb1") is not None))
        time.sleep(1)

    def stop(self):
        self.sandbox.service("stop", "lb1.haproxy")

    def second_balancer(self):
        return "127.0.2.2:" + self.sandbox.env["LB_PORT"]

    def went_well(self, result, load):
        self.ended(result, 0, "done: 1 host")
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": self.target})

    def test_reload_before_the_app_is_touched(self):
        self.went_well(*self.deploy_while("drained", self.reload))

    def test_reload_while_the_app_is_down(self):
        """HAProxy forgets the maintenance with the reload. What arrives until staithe has seen that, a request or so,
        may meet the app while it starts; nothing later may. It takes a state file to do better: see below."""
        result, load = self.deploy_while("reloaded", self.reload)
        self.ended(result, 0, "done: 1 host")
        self.assertGreater(load.counts["requests"], 100)
        since = self.reloaded_at - load.started
        seen = self.seen_at - load.started
        late = [text for text in load.counts["failures"] if not since <= float(text.split("s ")[0]) <= seen]
        self.assertEqual(late, [])
        self.assertLessEqual(load.failed, 3, load.counts["failures"])
        self.assertIn("reloaded", result.text, "it is said")
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": self.target})

    def test_reload_of_a_haproxy_that_keeps_its_states_while_the_app_is_down(self):
        """What `doctor` advises: with a dump before the reload no request meets the app."""
        states = self.sandbox.path("lb1", "states")
        self.addCleanup(self.restart)
        self.addCleanup(self.sandbox.write, self.sandbox.read("lb1", "haproxy.cfg"), "lb1", "haproxy.cfg")
        self.sandbox.edited("global\n", f"global\n    server-state-file {states}\n", "lb1", "haproxy.cfg")
        self.sandbox.edited("defaults\n", "defaults\n    load-server-state-from-file global\n", "lb1", "haproxy.cfg")
        self.sandbox.write("", "lb1", "states")
        self.restart()

        def dump_and_reload():
            self.sandbox.write(self.sandbox.ask("lb1", "show servers state"), "lb1", "states")
            self.reload()
        self.went_well(*self.deploy_while("reloaded", dump_and_reload))

    def test_restart_before_the_app_is_touched(self):
        # Visitors of a balancer that is restarted are refused, whoever does it: the other one is counted.
        self.went_well(*self.deploy_while("drained", self.restart, self.second_balancer()))

    def test_restart_while_the_app_is_down(self):
        self.went_well(*self.deploy_while("reloaded", self.restart, self.second_balancer()))

    def test_gone_before_anything(self):
        self.sandbox.service("stop", "lb1.haproxy")
        before = self.sandbox.versions()
        result = self.sandbox.deploy("v2", *BOTH)
        self.ended(result, 4, "edge1", "untouched web[1-2]", "exit 4")
        self.nothing_left(balancers=["lb2"])
        self.assertEqual(self.sandbox.versions(), before)

    def gone(self, place):
        result, load = self.deploy_while(place, self.stop, self.second_balancer())
        self.assertIn(result.code, (1, 5), str(result))
        self.none_failed(load)
        self.nothing_held()
        wrong = self.sandbox.await_serving(2, ["lb2"])
        end = result.end()
        if result.code == 5:
            self.assertIn("OUT web1", end, str(result))
            self.assertIn("staithe recover", end)
        else:
            self.assertEqual(wrong, {}, str(result))
        self.sandbox.service("start", "lb1.haproxy")
        self.assertTrue(harness.await_true(lambda: self.sandbox.worker("lb1") is not None))
        if result.code == 5:
            recovered = self.sandbox.staithe("recover", "-e", "production", "--yes")
            self.ended(recovered, 0)
        self.nothing_left()
        # Where the new release was proven healthy before the balancer went, recover lets it in.
        self.assertIn(self.sandbox.versions(), (self.before, {**self.before, "web1": self.target}))

    def test_gone_before_the_app_is_touched(self):
        self.gone("drained")

    def test_gone_while_the_app_is_down(self):
        self.gone("reloaded")


class BalancerRefuses(harness.SystemTest):
    def configure(self, change):
        """Both balancers restarted with their configuration changed, until the test ends."""
        for balancer in harness.BALANCERS:
            before = self.sandbox.read(balancer, "haproxy.cfg")
            self.addCleanup(self.restarted, balancer, before)
            self.restarted(balancer, change(before))

    def restarted(self, balancer, text):
        self.sandbox.write(text, balancer, "haproxy.cfg")
        self.sandbox.service("stop", balancer + ".haproxy")
        self.sandbox.service("start", balancer + ".haproxy")
        def up():
            with contextlib.suppress(OSError):
                return self.sandbox.all_serving([balancer]) == {}
        self.assertTrue(harness.await_true(up), f"{balancer} does not come back: {self.sandbox.read('log', balancer + '.haproxy.log')[-800:]}")

    def project(self, old, new):
        self.addCleanup(self.sandbox.write, self.sandbox.edited(old, new, "staithe.yml"), "staithe.yml")

    def refused(self, *said):
        before = self.sandbox.versions()
        servers = self.sandbox.servers()
        result = self.sandbox.deploy("v2", *BOTH)
        self.ended(result, 4, *said, "exit 4")
        self.assertEqual(self.sandbox.servers(), servers)
        self.nothing_held()
        self.assertEqual(self.sandbox.versions(), before)

    def test_socket_is_not_admin(self):
        self.configure(lambda text: text.replace("level admin", "level operator"))
        self.refused("FAILED at web", "edge1", "admin", "untouched web[1-2]")

    def test_server_that_no_balancer_has(self):
        self.project("api/$(host)", "apis/$(host)")
        self.refused("FAILED at web", "apis/web", "untouched web[1-2]")

    def test_server_of_another_host(self):
        """The name says one server, the address another: nobody is drained on a guess."""
        self.configure(lambda text: re.sub(r"(server web1) 127.0.1.1", r"\1 127.0.1.3",
                                           re.sub(r"(server web3) 127.0.1.3", r"\1 127.0.1.1", text)))
        self.refused("FAILED at web1", "web1")

    def test_too_few_servers_would_be_left(self):
        for server in ("web3", "web4"):
            for balancer in harness.BALANCERS:
                self.sandbox.ask(balancer, f"set server api/{server} state maint")
        before = self.sandbox.versions()
        result = self.sandbox.deploy("v2", *BOTH)
        self.ended(result, 4, "FAILED at web", "api", "untouched web[1-2]", "exit 4")
        left = self.sandbox.await_serving(2)
        self.assertEqual({name.split("/")[1] for name in left}, {"web3", "web4"}, "what others took out is left alone")
        self.nothing_held()
        self.assertEqual(self.sandbox.versions(), before)

    def test_server_that_another_person_drained_stays_as_it_was(self):
        for balancer in harness.BALANCERS:
            self.sandbox.ask(balancer, "set server admin/web1 state drain")
        target = other(self.sandbox)
        result = self.sandbox.deploy(target, *ONE)
        self.ended(result, 0)
        left = self.sandbox.await_serving(1)
        self.assertEqual(set(left), {"lb1 admin/web1", "lb2 admin/web1"}, str(result))
        self.assertIn("admin/web1", result.text, "it is said")
        self.nothing_held()
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": target})

    def test_weight_is_given_back(self):
        for balancer in harness.BALANCERS:
            self.sandbox.ask(balancer, "set server api/web1 weight 37")
        self.ended(self.sandbox.deploy(other(self.sandbox), *ONE), 0)
        found = self.sandbox.servers()
        self.assertEqual([found["lb1 api/web1"], found["lb2 api/web1"]], ["UP weight 37"] * 2)
        self.nothing_held()

    def test_agent_that_says_ready_all_the_time(self):
        """An agent check undoes every drain by command unless it is switched off first; afterwards it is on again."""
        with contextlib.closing(socket.socket()) as agent:
            agent.bind(("127.0.1.1", 0))
            agent.listen(64)
            answers = []
            def answer():
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = agent.accept()
                        with connection:
                            connection.sendall(b"ready\n")
                            answers.append(time.monotonic())
            threading.Thread(target=answer, daemon=True).start()
            port = agent.getsockname()[1]
            self.configure(lambda text: re.sub(r"(server web1 \S+)", rf"\1 agent-check agent-port {port} agent-inter 200ms", text))
            target = other(self.sandbox)
            with harness.Load(self.sandbox) as load:
                result = self.sandbox.deploy(target, *ONE)
            self.ended(result, 0)
            self.none_failed(load)
            self.nothing_left()
            self.assertEqual(self.sandbox.versions(["web1"]), {"web1": target})
            count = len(answers)
            self.assertTrue(harness.await_true(lambda: len(answers) > count + 8, 6), "the agent is not asked any more")
            agent.shutdown(socket.SHUT_RDWR)

    def test_visitors_with_cookies(self):
        self.configure(lambda text: re.sub(r"(server (web\d) \S+)", r"\1 cookie \2",
                                           text.replace("backend api\n", "backend api\n    cookie SRV insert indirect nocache\n")))
        target = other(self.sandbox)
        with harness.Load(self.sandbox, "--cookies") as load:
            result = self.sandbox.deploy(target, *ONE)
        self.ended(result, 0)
        self.none_failed(load)
        self.nothing_left()
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": target})


class SmokeThroughHaproxy(harness.SystemTest):
    """The critical probe: a request through HAProxy that reaches the one server, before anybody else does."""

    def deploy(self, wanted):
        """Of a release that no host runs, with a smoke test that wants the answer of `wanted`: before or target."""
        self.before = self.sandbox.versions()
        self.target = next(ref for ref in ("v2", "v3", "v1", "slow-start") if ref not in self.before.values())
        commit = self.sandbox.sha[self.target if wanted == "target" else self.before["web1"]]
        url = f"http://127.0.2.1:{self.sandbox.env['LB_PORT']}/version"
        restore = f'restore: {{smoke: {{url: "{url}", header: "X-Server: $(host)", contains: {commit}, for: 3s}}}}'
        with harness.Load(self.sandbox) as load:
            result = self.sandbox.deploy(self.target, *ONE, playbook=self.playbook({"restore": restore}))
        self.none_failed(load)
        self.nothing_left()
        return result, {version["name"] for version in load.counts["versions"]}

    def test_release_that_answers_as_it_should_is_let_in(self):
        # Every other server would answer with another release.
        result, _ = self.deploy("target")
        self.ended(result, 0, "done: 1 host")
        self.assertIn("restore: smoke GET http://127.0.2.1", result.err)
        self.assertEqual(self.sandbox.versions(["web1"]), {"web1": self.target})

    def test_release_that_does_not_is_reverted_before_a_visitor_meets_it(self):
        result, seen = self.deploy("before")
        self.ended(result, 1, "FAILED at web1: smoke GET", "reverted web1")
        self.assertEqual(self.sandbox.versions(), self.before)
        self.assertNotIn(self.sandbox.sha[self.target][:12], seen)


class EndlessSession(harness.EndlessSession):
    def deploy(self, at_deadline):
        playbook = self.playbook({"drain": f"drain: {{within: 3s, maint_within: 2s, at_deadline: {at_deadline}}}"})
        self.target = other(self.sandbox)
        with harness.Load(self.sandbox) as load:
            result = self.sandbox.deploy(self.target, *BOTH, playbook=playbook)
        self.none_failed(load)
        self.nothing_left()
        return result

    def test_deadline_that_fails(self):
        before = self.sandbox.versions()
        result = self.deploy("fail")
        self.ended(result, 1, "FAILED at web1", "still busy", "restored web1", "untouched web2", "exit 1")
        self.assertIsNone(self.ended_at, "the session was cut although nobody said so")
        self.assertEqual(self.sandbox.versions(), before)

    def test_deadline_that_closes_sessions(self):
        result = self.deploy("close sessions")
        self.ended(result, 0)
        self.assertIn("closing sessions", result.text)
        self.assertTrue(harness.await_true(lambda: self.ended_at is not None, 5), "the session goes on")
        self.assertEqual(self.sandbox.versions(["web1", "web2"]), {"web1": self.target, "web2": self.target})


if __name__ == "__main__":
    harness.main()
