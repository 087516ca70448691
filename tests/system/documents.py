"""What the documents show is what happens on the sandbox: the transcripts of README.md, the records of
staithe-events(7), and the shell steps of playbooks/Jenkinsfile, run as Jenkins runs them: `sh -xe` on a script, no terminal, nothing on stdin, stdout and stderr
in one log, and an abort that sends SIGTERM to every process of the step."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time

import harness
import other_state
import sandbox
import watch_sandbox

STAGING = """
  staging:
    databases:
      source: {url: file databases/production.url}
      target: {url: file databases/staging.url}
      snapshot: {masks: databases/masks.yml, mask_key: file databases/mask_key, require_masks: true}
"""
MIGRATION = "playbooks/migrations/0007_country_is_known.sql"


# What differs from run to run, or from machine to machine.
VARIES = [(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "RUN"), (r"\b[0-9A-F]+/[0-9A-F]{6,}\b", "LSN"),
          (r"\b[0-9]+(\.[0-9]+)? ?(ms|s|m[0-9]+s)\b", "SPAN"), (r"\b[0-9.]+ [KMG]?i?B\b", "SIZE"),
          (r"\b[0-9a-f]{40}\b", "COMMIT"), (r"fetch [0-9a-f]{7}", "fetch COMMIT"),
          (r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b", "ID"), (r"worst stall under load SPAN", "no stall over SPAN under load"),
          (r"[0-9]+(\.[0-9]+)?", "N")]


def shape(text):
    """The text with what varies named, in one line."""
    for pattern, name in VARIES:
        text = re.sub(pattern, name, text)
    return " ".join(text.split())


def readme():
    with open(os.path.join(sandbox.ROOT, "README.md"), encoding="utf-8") as file:
        return file.read()


def commands(beginning):
    """[(command, what it prints)] of the README's transcripts whose first command begins so."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", readme(), re.S):
        if block.startswith("$ " + beginning):
            found += [part.partition("\n")[::2] for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
    return found


def transcripts():
    """[(the words of a command, [the parts of its output that are shown])], in the order of the README."""
    found = []
    for block in ("staithe deploy", "staithe stage"):
        for command, output in commands(block):
            if command.startswith(("staithe deploy", "staithe stage", "staithe backfill")):
                parts = re.split(r"(?:^|\s)\.\.\.(?:\s|$)", output)
                found.append((shlex.split(command)[1:], [shape(each) for each in parts if each.strip()]))
    return found


def steps():
    """{stage: its scripts, as Groovy hands them to the shell}."""
    with open(os.path.join(sandbox.ROOT, "playbooks", "Jenkinsfile"), encoding="utf-8") as file:
        text = file.read()
    found = {}
    for part in re.split(r"\n {8}stage\(", text)[1:]:
        scripts = re.findall(r"\bsh(?: |\(.*?script: )('''.*?'''|\"[^\"\n]*\")", part, re.S)
        # A backslash at the end of a line is Groovy's, not the shell's: it joins the lines.
        found[part.split("'")[1]] = [script.strip("'\"").replace("\\\n", "") for script in scripts]
    return found


class Readme(harness.SystemTest):
    def test_transcripts_are_what_the_program_prints(self):
        """Part by part, in their order. Lines are joined: the README breaks long ones."""
        shown = transcripts()
        self.assertEqual([words[0] for words, _ in shown], ["deploy", "deploy", "stage", "stage", "backfill", "stage", "stage"])
        for words, parts in shown:
            place = ["-C", self.sandbox.dir if words[0] == "deploy" else self.sandbox.path("databases")]
            result = self.sandbox.staithe(*place, *words)
            text = result.text.replace(" ".join(place) + " ", "")  # the README's reader is there already
            printed = shape(text.replace(self.sandbox.path("hosts"), "..."))
            at = 0
            for part in parts:
                found = printed.find(part, at)
                self.assertGreaterEqual(found, 0, f"$ staithe {' '.join(words)}\nthe README shows\n{part}\nbut\n{result}")
                at = found + len(part)
        self.nothing_left()

    def test_the_first_project_loads_and_its_check_runs_as_it_stands(self):
        """Nothing is asked: its addresses are nobody's."""
        place = self.sandbox.path("run", "first-project")
        names = ("staithe.yml", "playbooks/deploy.yml", "checks/payments-smoke.yml")
        for name, text in zip(names, re.findall(r"```yaml\n(.*?)```", readme(), re.S), strict=True):
            os.makedirs(os.path.dirname(os.path.join(place, name)), exist_ok=True)
            self.sandbox.write(text, "run", "first-project", *name.split("/"))
        for words in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "-mx"]):
            subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@localhost", *words], cwd=place, check=True)
        command = re.search(r"^ {4}(staithe check .*)$", readme(), re.M)[1]
        for line in ("staithe validate playbooks/deploy.yml", command + " --dry-run"):
            ran = subprocess.run(["sh", "-ec", line], cwd=place, env=self.environ(), capture_output=True, text=True)
            self.assertEqual(ran.returncode, 0, line + "\n" + ran.stdout + ran.stderr)
        self.assertIn("GET http://10.0.0.11:5000/version", ran.stdout)

    def environ(self):
        return {**self.sandbox.environ, "PATH": os.path.dirname(sandbox.STAITHE) + ":" + os.environ["PATH"]}

    def test_mistakes_look_like_that(self):
        """The playbook is made from the lines that the README shows of it."""
        (command, shown), = commands("staithe validate")
        lines = ["playbook: bad", "hosts: app", "each:", "", "  - reload: {}", ""]
        for number, line in re.findall(r"^ +(\d+) \| (.*)$", shown, re.M):
            lines[int(number) - 1] = line
        self.assertNotIn("", lines)
        self.sandbox.write("\n".join(lines) + "\n", "playbooks", "bad.yml")
        self.addCleanup(os.unlink, self.sandbox.path("playbooks", "bad.yml"))
        result = self.sandbox.staithe(*shlex.split(command)[1:])
        self.assertEqual((result.code, result.text), (3, shown), str(result))


class ReadmeWatch(watch_sandbox.WatchTest):
    def test_watch_is_what_the_readme_shows(self):
        suite = self.sandbox.read("checks", "charges.yml")
        self.addCleanup(self.sandbox.write, suite, "checks", "charges.yml")
        self.addCleanup(self.sandbox.app, "web2", "start")
        head, _, steps_of = suite.partition("steps:\n")
        charging = steps_of[steps_of.index("  - name: charge\n"):]
        self.sandbox.write(f"{head}schedule: every 5s\nsteps:\n{charging}", "checks", "charges.yml")
        run = None
        for command, shown in commands("staithe watch"):
            if command == "staithe watch &":
                run = self.begin()
                said = lambda: shape(run.peek().replace(str(self.port), "9797"))
                self.assertTrue(harness.await_true(lambda: shape(shown) in said(), 20), run.peek())
                self.until(lambda _, body: body.get("status") != "unknown" and self.get()[0] == 200, run)
            elif command.startswith("curl "):
                status, _, reasons = shown.partition("\n")
                answered, body = self.get()
                self.assertEqual(answered, int(status), body)
                self.assertIn(reasons.rstrip("\n"), body)
            else:
                subprocess.run(["sh", "-ec", command], cwd=self.sandbox.dir, env=self.sandbox.environ, check=True)
        self.sandbox.app("web2", "start")
        told = self.await_told(watch_sandbox.SLACK_SECRET, 2)
        channel = re.search(r"channel of the webhook receives\n\n(.*?)\n\n", readme(), re.S)[1]
        for alert, lines in zip(told, re.split(r"\n(?=    \S)", channel)):
            # Where an earlier test deployed, the alert names the release besides.
            text, at = self.words(re.sub(r", release [0-9a-f]{12}", "", alert["text"])), 0
            for part in lines.split("…"):  # what the README leaves out
                at = text.find(self.words(part), at)
                self.assertGreaterEqual(at, 0, f"the README shows\n{lines}\nbut\n{alert['text']}")
        self.ended_by_term(run)

    @staticmethod
    def words(text):
        return shape(re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text))


class Steps(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.sandbox.write, self.sandbox.read("staithe.yml"), "staithe.yml")
        self.sandbox.write(self.sandbox.read("staithe.yml") + STAGING, "staithe.yml")
        os.makedirs(self.sandbox.path("playbooks", "migrations"), exist_ok=True)
        self.environ = {**self.sandbox.environ, "ENVIRONMENT": "production", "REF": "v2", "CI": "true", "BUILD_ID": "7",
                        "JENKINS_URL": "http://127.0.0.1:1/", "TERM": "dumb",
                        "PATH": os.path.dirname(sandbox.STAITHE) + ":" + os.environ["PATH"]}

    def begin(self, script, **output):
        path = self.sandbox.path("run", "script.sh")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        return subprocess.Popen(["sh", "-xe", path], cwd=self.sandbox.dir, env=self.environ, stdin=subprocess.DEVNULL,
                                start_new_session=True, text=True, **output)

    def sh(self, script):
        """How it ended, and its log."""
        process = self.begin(script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        log = process.communicate(timeout=150)[0]
        return process.returncode, log

    def plan(self):
        look, read_id = steps()["Plan"]
        code, log = self.sh(look)
        self.assertEqual(code, 0, log)
        # returnStdout: the log of -x is elsewhere.
        process = self.begin(read_id, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.environ["PLAN_ID"] = process.communicate(timeout=30)[0].strip()
        self.assertRegex(self.environ["PLAN_ID"], r"^[0-9a-f]{12}$", log)

    def test_every_stage_of_a_build(self):
        found = steps()
        self.assertEqual({name: len(scripts) for name, scripts in found.items()},
                         {"Plan": 2, "Rehearse": 1, "Approval": 0, "Deploy": 1, "Check": 1})
        self.plan()
        self.sandbox.write("ALTER TABLE customers ADD CONSTRAINT named CHECK (name IS NOT NULL) NOT VALID;\n"
                           "ALTER TABLE customers VALIDATE CONSTRAINT named;\n", *MIGRATION.split("/"))
        logs = ""
        for stage in ("Rehearse", "Deploy", "Check"):
            code, log = self.sh(found[stage][0])
            self.assertEqual(code, 0, f"{stage}:\n{log}")
            self.assertNotIn("\x1b", log, "escape codes in a log")
            logs += log
        self.assertEqual(set(self.sandbox.versions().values()), {"v2"}, logs)
        for name in re.findall(r"(?:junit|jsonl|html)[= ](\S+)", "\n".join(sum(found.values(), []))):
            self.assertGreater(os.path.getsize(self.sandbox.path(name)), 0, name)
        self.nothing_left()

    def test_migration_that_would_fail_ends_the_build_before_it_is_approved(self):
        # An earlier test may have filled them.
        subprocess.run([other_state.postgres_program("psql"), "-qX", "-d", self.sandbox.read("databases", "production.url").strip(),
                        "-c", "ALTER TABLE customers ALTER country DROP NOT NULL; UPDATE customers SET country = NULL WHERE id < 9"],
                       check=True, stdout=subprocess.DEVNULL)
        self.sandbox.write("ALTER TABLE customers ALTER country SET NOT NULL;\n", *MIGRATION.split("/"))
        code, log = self.sh(steps()["Rehearse"][0])
        self.assertEqual(code, 1, log)
        self.assertIn("contains null values", log)

    def test_ref_that_moved_after_the_approval_is_refused(self):
        self.plan()
        self.environ["REF"] = "v3"
        before = self.sandbox.versions()
        code, log = self.sh(steps()["Deploy"][0])
        self.assertEqual(code, 4, log)
        self.assertEqual(self.sandbox.versions(), before)
        self.nothing_left()

    def test_check_stage_judges_where_it_was_deployed_to(self):
        """The repository that the Jenkinsfile speaks of, with the examples as they are shipped; nothing is asked."""
        place = self.sandbox.path("run", "shipped")
        shipped = os.path.join(sandbox.ROOT, "playbooks")
        os.makedirs(place, exist_ok=True)
        shutil.copy(os.path.join(shipped, "staithe.yml"), place)
        shutil.copytree(os.path.join(shipped, "checks"), os.path.join(place, "checks"), dirs_exist_ok=True)
        with open(os.path.join(shipped, "Jenkinsfile"), encoding="utf-8") as file:
            credentials = set(re.findall(r"^ +(\w+) = credentials\(", file.read(), re.M))
        with open(os.path.join(shipped, "checks", "payments-smoke.yml"), encoding="utf-8") as file:
            self.assertLessEqual(set(re.findall(r": env (\w+)", file.read())), credentials)
        command = re.search(r"staithe check [^\n]*?--fail-on degraded", steps()["Check"][0])[0]
        for environment, host in (("staging", "payments.staging.example.com"), ("production", "payments.example.com")):
            with self.subTest(environment):
                ran = subprocess.run(["sh", "-ec", command + " --var deploy.release=v2 --dry-run"], cwd=place, text=True,
                                     capture_output=True, env={**self.environ, "ENVIRONMENT": environment})
                self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
                self.assertIn(f"POST https://{host}/charges", ran.stdout)
                self.assertEqual(set(re.findall(r"[\w.]*payments[\w.]*\.example\.com", ran.stdout)), {host}, ran.stdout)

    def test_abort_puts_the_host_in_hand_back(self):
        hold = self.hold("abort")
        self.sandbox.write(self.sandbox.read(self.playbook(each={"drained": hold.step})), "playbooks", "aborted.yml")
        before = self.sandbox.versions()
        deploy = steps()["Deploy"][0].replace("playbooks/deploy.yml", "playbooks/aborted.yml") \
                                     .replace('--expect-plan "$PLAN_ID"', "")
        with open(self.sandbox.path("run", "aborted.log"), "w+", encoding="utf-8") as log, \
                harness.Load(self.sandbox) as load:
            process = self.begin(deploy, stdout=log, stderr=subprocess.STDOUT)
            self.assertTrue(harness.await_true(lambda: os.path.exists(hold.waiting), 40), "the step was not reached")
            begun = time.monotonic()
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)
            left = self.sandbox.staithe_processes()
            self.assertTrue(harness.await_true(lambda: not self.sandbox.staithe_processes(), 20), left)
            took = time.monotonic() - begun
            log.seek(0)
            said = log.read()
        self.assertIn("exit 143", said)
        self.assertEqual(self.sandbox.versions(), before, said)
        self.none_failed(load)
        self.nothing_left()
        print(f"put back {took:.1f} s after the abort")


class Events(harness.SystemTest):
    """staithe-events(7) against what the commands really write."""

    def setUp(self):
        super().setUp()
        with open(os.path.join(sandbox.ROOT, "man", "staithe-events.7"), encoding="utf-8") as file:
            page = file.read()
        sections = dict(re.findall(r"^\.Sh (.*?)\n(.*?)(?=^\.Sh|\Z)", page, re.S | re.M))
        everywhere = sections["FIELDS OF EVERY RECORD"]
        records = sections["RECORDS"] + sections["CHECKS"] + sections["LOOKING"]
        self.described = {}
        for names, text in re.findall(r"\.It Cm (\S+(?: , \S+)*)\n(.*?)(?=\n\.It|\n\.El)", records, re.S):
            same = re.match(r"The fields of\n\.Cm (\S+)", text)
            for name in names.split(" , "):
                self.described[name] = self.described.get(name, self.described[same[1]] if same else everywhere) + text

    def fields(self, value):
        """Names of fields, but not those that are names of hosts or releases, nor a plan's."""
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in ("plan", "body", "services", "versions"):
                    yield name
                elif name in harness.HOSTS or re.fullmatch("[0-9a-f]{12}", name):
                    yield from self.fields(inner)
                else:
                    yield name
                    yield from self.fields(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from self.fields(inner)

    def test_every_record_and_field_is_described(self):
        def look(*words):
            result = self.sandbox.staithe("-e", "production", "--json", *words)
            records = [json.loads(line) for line in result.out.splitlines()]
            self.assertEqual(records[0]["type"], "version", str(result))
            for record in records:
                self.assertIn(record["type"], self.described, str(result))
                seen.add(record["type"])
                for name in self.fields(record):
                    self.assertRegex(self.described[record["type"]] + " type ts tool", rf"\b{name}\b",
                                     f"a field of {record['type']} in `staithe {' '.join(words)}`")
            return records

        seen = set()
        hold = self.hold("drained")
        run = self.sandbox.begin_deploy("v2" if self.sandbox.versions()["web1"] == "v3" else "v3", "--limit", "web1",
                                        playbook=self.playbook({"drained": hold.step}))
        hold.reached(run)
        under_way = self.sandbox.staithe("status", "-e", "production")
        self.assertNotIn("staithe restore", under_way.out, "a host in hand is nobody's to give back")
        look("status")
        look("unlock", "--reason", "test", "--force", "--dry-run")
        run.signal(9)
        run.wait()
        hold.let_go()
        died, = self.sandbox.unfinished()
        look("recover", "--settled", died[0], "--reason", "test", "--dry-run")
        look("recover", "--yes")
        look("recover")
        look("deploy", self.playbook(), "--var", "ref=v2", "--limit", "web1", "--yes")
        killed = [record for record in look("exec", "-H", "web1,web2", "--yes", "--", "kill -9 $$")
                  if record["type"] == "action_finished"]
        self.assertEqual([(each["detail"], "exit_status" in each) for each in killed], [("killed by SIGKILL", False)] * 2)
        look("history", look("history")[1]["run_id"])
        look("doctor")
        look("hostkeys", "scan")
        look("check", "charges")
        self.sandbox.write("playbook: x\nhosts: web1\neach:\n  - rum: x\n", "playbooks", "bad.yml")
        look("validate", "playbooks/bad.yml")
        os.remove(self.sandbox.path("playbooks", "bad.yml"))
        self.sandbox.write("- hosts: web\n  tasks: []\n", "playbooks", "of-another-tool.yml")
        look("validate")
        os.remove(self.sandbox.path("playbooks", "of-another-tool.yml"))
        self.sandbox.write("playbook: tune\nservice: payments\nhosts: web1\nstrategy: {batches: [100%], on_failure: stop}\n"
                           "each:\n  - run: 'true'\nafter:\n  - local: 'false'\n", "playbooks", "tune.yml")
        look("run", "playbooks/tune.yml", "--yes")
        unjudged, = [record for record in look("status") if record["type"] == "unjudged_run"]
        look("recover", "--settled", unjudged["run_id"], "--reason", "test", "--confirm", unjudged["run_id"])
        rare = {"retried", "alert", "secret", "heartbeat", "progress", "message"}
        self.assertEqual(set(self.described) - seen - rare, set(), "described, and written by nothing here")


if __name__ == "__main__":
    harness.main(at_once=2, databases=True)
