#!/usr/bin/env python3
"""How a rehearsal ends, and what it says of that: one exit code in its events, in its text and of its process; and what the
files that it was asked for hold then."""
import re
import signal
import xml.etree.ElementTree as xml

import databases

SLEEPS = "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' AND pid <> pg_backend_pid())"
QUICK = ("--no-load", "--no-open-transaction", "--no-advice")


class End(databases.StageTest):
    def setUp(self):
        super().setUp()
        self.first()
        (self.directory / "long.sql").write_text("SELECT pg_sleep(600);\n")
        (self.directory / "add.sql").write_text("ALTER TABLE t ADD COLUMN c int;\n")

    def rehearse(self, *words):
        return self.staithe("stage", "rehearse", "-e", "staging", *QUICK, *words)

    def one_code(self, ended, jsonl, code, verdict):
        """As the process, the events and the last line say it."""
        self.assertEqual(ended.code, code, str(ended))
        last = self.events((self.directory / jsonl).read_text())[-1]
        self.assertEqual((last["type"], last["exit_code"], last["verdict"]), ("summary", code, verdict), last)
        self.assertRegex(ended.err, rf"\nexit {code} \({verdict}\)\n$")
        self.assertEqual([name for name in self.target.databases() if name.startswith("staithe")], [])
        return last

    def test_signals(self):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)):
            with self.subTest(number.name):
                process = self.start("stage", "rehearse", "-e", "staging", *QUICK, "long.sql", "--report", "jsonl=run.jsonl")
                self.target.wait(SLEEPS)
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
                self.one_code(databases.Ended(process.returncode, out, err), "run.jsonl", code, "interrupted")

    def test_not_made_to_its_end(self):
        ended = self.rehearse("--timeout", "3s", "long.sql", "--report", "jsonl=run.jsonl", "--report", "html=page.html")
        last = self.one_code(ended, "run.jsonl", 4, "refused")
        self.assertEqual(last["failed_action"], "measure")
        self.assertIn("again, once that is fixed", last["next"][0])
        self.assertIn("not rehearsed to the end: " + last["failure"].replace("'", "&#39;"), (self.directory / "page.html").read_text())

    def test_no_earlier_page_passes_for_what_was_refused(self):
        page = self.directory / "page.html"

        def green():
            self.env["SOURCE"], self.env["TARGET"] = self.source.url("shop"), self.target.url("staging")
            self.assertEqual(self.rehearse("add.sql", "--report", "html=page.html").code, 0)
            self.assertRegex(page.read_text(), "<h1[^>]*>safe")

        self.source.sql("CREATE DATABASE other")
        for end, value, words, why in (("SOURCE", self.source.url("other"), (), "not from databases.source"),
                                       ("TARGET", "postgres://admin@127.0.0.1:1/staging", (), "127.0.0.1:1"),
                                       ("SOURCE", self.source.url("shop"), ("--expect-plan", "0" * 12), "0" * 12),
                                       ("SOURCE", self.source.url("shop"), ("--source", "nowhere"), "nowhere"),
                                       ("SOURCE", self.source.url("shop"), ("missing.sql",), "missing.sql")):
            with self.subTest(why):
                green()
                self.env[end] = value
                ended = self.rehearse("add.sql", "--report", "html=page.html", *words)
                self.assertIn(ended.code, (2, 3, 4), str(ended))
                self.assertRegex(page.read_text(), "<h1[^>]*>not rehearsed to the end: [^<]*" + re.escape(why))
        green()
        self.assertEqual(self.rehearse("add.sql", "--report", "html=page.html", "--dry-run").code, 0)
        self.assertRegex(page.read_text(), "<h1[^>]*>safe")

    def test_fresh_leaves_both_runs_in_its_reports(self):
        reports = ("--report", "jsonl=run.jsonl", "--report", "lines=run.txt", "--report", "junit=run.xml")
        for _ in range(2):  # and of this time only
            self.assertEqual(self.rehearse("--source", "fresh", "--yes", "add.sql", *reports).code, 0)
        records = self.events((self.directory / "run.jsonl").read_text())
        self.assertEqual([one["kind"] for one in records if one["type"] == "run_started"], ["snapshot", "rehearse"])
        self.assertEqual([one["exit_code"] for one in records if one["type"] == "summary"], [0, 0])
        self.assertEqual(len(re.findall("(?m)^done:", (self.directory / "run.txt").read_text())), 2)
        self.assertIn("statement: add.sql:1 #1", [case.get("name") for case in xml.parse(self.directory / "run.xml").getroot().iter("testcase")])


if __name__ == "__main__":
    databases.main()
