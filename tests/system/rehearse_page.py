#!/usr/bin/env python3
"""The page of a rehearsal, looked at in a real browser; and the JUnit file beside it."""
import re
import shutil
import subprocess
import sys
import unittest
import xml.etree.ElementTree as xml

import databases

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MIGRATION = """-- staithe: no-transaction
ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();
CREATE INDEX users_email ON users (email);
ALTER TABLE users ALTER COLUMN country SET NOT NULL;
"""


class Page(databases.StageTest):
    def setUp(self):
        super().setUp()
        self.source.sql("CREATE TABLE users (id int PRIMARY KEY, email text, country text); INSERT INTO users SELECT g, 'u' || g, "
                        "CASE WHEN g % 4 = 0 THEN NULL ELSE 'DE' END FROM generate_series(1, 40000) g; ANALYZE", "shop")
        (self.directory / "042_<b>country.sql").write_text(MIGRATION)
        self.result = self.staithe("stage", "rehearse", "-e", "staging", "--source", "fresh", "042_<b>country.sql", "--report",
                                   "html=page.html", "--report", "junit=rehearsal.xml", "--open-transaction", "200ms")
        self.assertEqual(self.result.code, 1, self.result)

    def browse(self, *words):
        profile = self.directory / "profile"
        done = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                               "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--log-level=0",
                               f"--user-data-dir={profile}", *words, (self.directory / "page.html").as_uri()],
                              capture_output=True, text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertNotIn("CONSOLE", done.stderr)
        return done.stdout

    def test_what_is_written_down(self):
        """For people on a terminal, for a build server, and for a browser."""
        self.assertRegex(self.result.out, r"\n  statements .*, WAL .*; [0-9.]+ MiB before, [0-9.]+ MiB afterwards; the rehearsal took ")
        root = xml.parse(self.directory / "rehearsal.xml").getroot()
        failed = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
        self.assertTrue(any("fails-not-null" in name for name in failed), failed)
        self.assertFalse([name for name in failed if "ADD COLUMN token" in name], failed)
        if not BROWSER:
            self.skipTest("no browser is installed")
        dom = self.browse("--dump-dom")
        self.assertIn("would fail", dom)
        self.assertIn("10000 of 40000 rows", dom)
        # The rewrite keeps everybody out and the index build writers; the last statement failed.
        for kind, tip in (("statement", "ALTER TABLE users ADD COLUMN token"), ("everybody", "AccessExclusiveLock on public.users"),
                          ("writers", "ShareLock on public.users"), ("failed", "ALTER TABLE users ALTER COLUMN country SET NOT NULL")):
            self.assertRegex(dom, f'<rect class="{kind}"[^>]*><title>{tip}')
        self.assertNotIn("<b>country", dom.replace("&lt;b&gt;", ""))
        self.assertNotRegex(dom, r'(src|href)="https?:')
        picture = self.directory / "page.png"
        self.browse(f"--screenshot={picture}", "--window-size=1280,2400")
        bytes_ = picture.read_bytes()
        self.assertEqual(bytes_[:8], b"\x89PNG\r\n\x1a\n")
        # A blank page of that size is a few kilobytes.
        self.assertGreater(len(bytes_), 40_000)

    def test_stalls_have_bars(self):
        if not BROWSER:
            self.skipTest("no browser is installed")
        (self.directory / "043.sql").write_text("ALTER TABLE users ADD COLUMN more int;\nSELECT pg_sleep(1);\n")
        self.ok("stage", "rehearse", "-e", "staging", "--blocking", "60s", "043.sql", "--report", "html=page.html", "--no-open-transaction")
        stalls = self.browse("--dump-dom").partition("Stalls of the workload: under load")[2]
        self.assertRegex(stalls, r'<rect class="everybody"[^>]*><title>[^<]*users[^<]* [0-9.]+ m?s')

    def test_no_page_passes_for_what_was_not_rehearsed(self):
        """What cannot be written is said before anything is done; what was found is worth more than its page."""
        page = self.directory / "page.html"
        (self.directory / "044.sql").write_text("SELECT pg_sleep(600);\n")
        command = ("stage", "rehearse", "-e", "staging", "044.sql", "--no-load", "--no-open-transaction", "--report")
        refused = self.staithe(*command, "html=nowhere/page.html")
        self.assertEqual(refused.code, 4, refused)
        self.assertIn("nowhere/page.html", refused.err)
        self.assertIn("nothing was changed", refused.err)
        self.assertNotIn("clone", refused.err)
        self.assertIn("would fail", page.read_text())
        run = self.start(*command, "html=page.html")
        self.target.wait("EXISTS (SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active')")
        run.kill()
        run.communicate()
        self.assertIn("not rehearsed to the end", page.read_text())
        page.write_text("of an earlier one, green")
        unnamed = self.staithe("stage", "rehearse", "-e", "staging", "--report", "html=page.html")
        self.assertEqual(unnamed.code, 2, unnamed)
        self.assertIn("not rehearsed to the end: stage rehearse takes files of SQL", page.read_text())
        self.target.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'")
        (self.directory / "gone").mkdir()
        (self.directory / "044.sql").write_text("SELECT pg_sleep(2);\n")
        run = self.start(*command, "html=gone/page.html")
        self.target.wait("EXISTS (SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(2)' AND state = 'active')")
        shutil.rmtree(self.directory / "gone")
        out, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0, err)
        self.assertIn("Statements:", out)
        self.assertRegex(err, "gone/page.html.*: not all was written")


if __name__ == "__main__":
    sys.exit(unittest.main())
