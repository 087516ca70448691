"""What arrives in staging is what production has, masked as declared, and nothing is written to production."""
import datetime
import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess

import databases

PLANTED = "Zyxw-planted-7731"


class Copies(databases.StageTest):
    def same(self, query):
        self.assertEqual(self.target.sql(query, "staging"), self.source.sql(query, "shop"), query)

    def test_every_kind_of_object_arrives_identical(self):
        self.every_kind()
        self.target.sql("DO $$ BEGIN CREATE ROLE app_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        self.ok("stage", "snapshot")
        found = [line for line in self.target.schema("staging") if line not in databases.SWITCHED_OFF]
        self.assertEqual(found, self.source.schema("shop"))
        self.assertEqual(self.target.checksums("staging"), self.source.checksums("shop"))
        self.same("SELECT last_value, is_called FROM app.standalone")
        self.same("SELECT last_value, is_called FROM app.orders_id_seq")
        self.same("SELECT string_agg(oid || ':' || md5(lo_get(oid)), ',' ORDER BY oid) FROM pg_largeobject_metadata")
        self.same("SELECT relname, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY 1")
        self.same("SHOW search_path")
        self.assertIn("large objects: come with their numbers", self.ok("stage", "snapshot", "-n").out)
        self.assertEqual(self.target.sql("SELECT count(*) FROM pg_stats WHERE schemaname = 'app' AND tablename = 'orders'", "staging"),
                         self.source.sql("SELECT count(*) FROM pg_stats WHERE schemaname = 'app' AND tablename = 'orders'", "shop"))
        self.assertEqual(self.target.sql("INSERT INTO app.users (email, name) VALUES ('a@b', 'n') RETURNING id", "staging"), "20001")

    def test_production_sees_nothing_but_reads(self):
        self.every_kind()
        self.target.sql("DO $$ BEGIN CREATE ROLE app_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        size = self.source.log.stat().st_size  # the statements of all tests are looked at when they are over
        written = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables"
        before = self.source.sql(written, "shop")
        self.project(masks="  app.users:\n    where: id < 100\n    columns: {email: fake_email}\n")
        self.ok("stage", "suggest-masks")
        self.ok("stage", "snapshot", "--require-masks", "--masks", self.masks_for_everything())
        self.nothing_left_on_source()
        self.assertGreater(self.source.only_reads(size), 50)
        self.assertEqual(self.source.sql(written, "shop"), before)

    def masks_for_everything(self):
        (self.directory / "all.yml").write_text(
            "masks: 1\ntables:\n  app.users:\n    where: id < 100\n    columns: {email: fake_email, name: hash, phone: keep, born: keep, "
            "country: keep}\n  app.weird:\n    columns: {ip: keep}\n  app.tree: {columns: {label: keep}}\n")
        return "all.yml"

    def test_a_planted_value_is_found_nowhere(self):
        self.source.psql("shop", "-c", f"""CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE, name text, phone text, notes text);
            INSERT INTO people SELECT i, '{PLANTED}-' || i || '@x.example', '{PLANTED}', '{PLANTED}' || i, '{PLANTED}' FROM generate_series(1, 2000) i;
            CREATE TABLE links (email text REFERENCES people (email)); INSERT INTO links SELECT email FROM people""")
        self.project(masks="""  public.people:
    columns: {email: hash, name: {constant: Somebody}, phone: {partial: {last: 2}}, notes: null}
  public.links: {columns: {email: hash}}
""")
        ended = self.ok("stage", "snapshot", "--require-masks", "--report", "junit=report.xml", "--log-file", "log.txt", "-v")
        self.target.sql("CHECKPOINT")
        self.assertEqual(self.target.sql("SELECT count(DISTINCT email), min(name), count(notes) FROM people", "staging"), "2000|Somebody|0")
        self.assertEqual(self.target.sql("SELECT count(*) FROM links JOIN people USING (email)", "staging"), "2000")
        self.assertNotIn(PLANTED, ended.out + ended.err)
        # Staging's data and log, and whatever we wrote.
        places = [path for path in self.directory.iterdir() if not path.name.startswith("production")]
        self.assertLessEqual({"staging", "staging.log", "report.xml", "log.txt"}, {path.name for path in places})
        found = subprocess.run(["grep", "-rlaF", PLANTED, *places], capture_output=True, text=True, check=False)
        self.assertEqual(found.stdout, "", "the value is in staging")
        first = self.target.sql("SELECT md5(string_agg(email, ',' ORDER BY id)) FROM people", "staging")
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("SELECT md5(string_agg(email, ',' ORDER BY id)) FROM people", "staging"), first, "not deterministic")
        self.env["MASK_KEY"] = "another key"
        self.ok("stage", "snapshot")
        self.assertNotEqual(self.target.sql("SELECT md5(string_agg(email, ',' ORDER BY id)) FROM people", "staging"), first, "not keyed")

    def test_values_under_a_key_stay_the_same_from_release_to_release(self):
        """What staging's people wrote down of a masked value holds until the key is another one."""
        self.source.psql("shop", "-c", """CREATE TABLE people (id int PRIMARY KEY, name text, mail text, short varchar(8), number int, big bigint,
            num numeric, u uuid, raw bytea, doc jsonb, born date, at timestamptz);
            INSERT INTO people VALUES (1, 'Grüße', 'a@b', 'Grüße', 7, 7, 7.5, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '\\x00ff', '{"a": 1}', '2026-02-03', '2026-02-03 04:05:06+00'),
            (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""")
        hashed = ", ".join(f"{column}: hash" for column in ("name", "short", "number", "big", "num", "u", "raw", "doc"))
        self.project(masks=f"  public.people: {{columns: {{{hashed}, mail: fake_email, born: {{shift_days: 30}}, at: {{shift_days: 30}}}}}}\n")
        self.ok("stage", "snapshot")

        def digest(text):
            key = hashlib.sha256(b"staithe masks 1\na long key").hexdigest()
            return hashlib.sha256((key + text).encode()).hexdigest()

        def days(text):
            return int(digest(text)[:15], 16) % 61 - 30
        born = datetime.date(2026, 2, 3)
        expected = [digest("Grüße")[:32], f"u{digest('a@b')[:16]}@example.com", digest("Grüße")[:8], str(int(digest("7")[:15], 16) & 0x7fffffff),
                    str(int(digest("7")[:15], 16)), str(int(digest("7.5")[:15], 16)), digest("6ba7b810-9dad-11d1-80b4-00c04fd430c8")[:32],
                    "\\x" + digest("\\x00ff"), f'"{digest(chr(123) + chr(34) + "a" + chr(34) + ": 1" + chr(125))[:32]}"',
                    str(born + datetime.timedelta(days("2026-02-03"))), str(born + datetime.timedelta(days("2026-02-03 04:05:06+00")))]
        self.assertEqual(self.target.sql("SELECT name, mail, short, number, big, num, replace(u::text, '-', ''), raw, doc, born, (at AT TIME ZONE 'UTC')::date FROM people WHERE id = 1",
                                         "staging").split("|"), expected)
        self.assertEqual(self.target.sql("SELECT num_nulls(name, mail, short, number, big, num, u, raw, doc, born, at) FROM people WHERE id = 2", "staging"), "11")

    def test_a_planted_value_is_never_in_our_memory(self):
        """Rows pass through the process masked: no dump of its memory has the values, neither while they are copied nor when the
        report is made, in what was freed or not."""
        self.source.psql("shop", "-c", f"""CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE, name text, bare text);
            INSERT INTO people SELECT i, '{PLANTED}-' || i || '@x.example', '{PLANTED}' || i, 'open-8812-' || i FROM generate_series(1, 20000) i;
            ANALYZE people""")
        self.project(masks="  public.people:\n    columns: {email: fake_email, name: hash, bare: {sql: \"CASE WHEN id % 2000 = 0 AND "
                           "pg_catalog.pg_sleep(0.2) IS NULL THEN bare ELSE bare END\"}}\n")
        for words in (("--require-masks", "--masks", self.masks_for_people()), ()):
            with self.subTest(words):
                # Nobody reads its report: at its end the process waits to write it.
                process = self.start("stage", "snapshot", "--json", *words)
                fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
                if not words:
                    self.source.wait("SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'PgSleep'")
                    self.assertGreater(self.search_memory(process)["open-8812-"], 0, "what is not masked passes through here")
                self.target.wait("(SELECT count(*) FROM pg_database WHERE datname = 'staging') = 1 AND NOT EXISTS "
                                 "(SELECT FROM pg_stat_activity WHERE application_name LIKE 'staithe%')")
                self.search_memory(process)
                self.end(process, 0)
                self.target.sql("DROP DATABASE staging")

    def masks_for_people(self):
        (self.directory / "people.yml").write_text("masks: 1\ntables:\n  public.people: {columns: {email: hash, name: null, bare: keep}}\n")
        return "people.yml"

    def search_memory(self, process):
        os.kill(process.pid, signal.SIGSTOP)
        try:
            found = {text: 0 for text in (PLANTED, "open-8812-", "people")}
            with open(f"/proc/{process.pid}/maps", encoding="ascii") as maps, open(f"/proc/{process.pid}/mem", "rb", buffering=0) as memory:
                for line in maps:
                    span, rights = line.split()[:2]
                    first, end = (int(number, 16) for number in span.split("-"))
                    if "w" not in rights:  # what is only read comes from files
                        continue
                    try:
                        memory.seek(first)
                        content = memory.read(end - first)
                    except (OSError, ValueError, OverflowError):
                        continue
                    for text in found:
                        found[text] += content.count(text.encode())
        finally:
            os.kill(process.pid, signal.SIGCONT)
        self.assertGreater(found["people"], 0, "the search finds nothing at all")
        self.assertEqual(found[PLANTED], 0, "what is masked was in our memory")
        return found

    def test_columns_that_look_personal_need_a_rule(self):
        self.source.psql("shop", "-c", """CREATE TABLE t (id int, e_mail text, misc text, plain text, password_hash text);
            INSERT INTO t SELECT i, 'x', 'who' || i || '@corp.example', 'word', 'h' FROM generate_series(1, 300) i""")
        ended = self.refused(3, "public.t.e_mail", "public.t.misc", "look like e-mail addresses", "public.t.password_hash",
                             words=("stage", "snapshot", "--require-masks"))
        self.assertNotIn("public.t.plain", ended.err)
        text = self.ok("stage", "suggest-masks").out
        self.assertIn("misc: fake_email", text)
        (self.directory / "suggested.yml").write_text(text)
        self.project("mask_key: env MASK_KEY")
        self.ok("stage", "snapshot", "--require-masks", "--masks", "suggested.yml", "-n")
        # What only looks personal is accepted by a word about it, and is not asked for again.
        (self.directory / "masks.yml").write_text(text.replace("misc: fake_email", "misc: keep"))
        self.project("masks: masks.yml, mask_key: env MASK_KEY")
        self.ok("stage", "snapshot", "--require-masks", "-n")
        self.assertNotIn("misc", self.ok("stage", "suggest-masks").out)

    def test_mistakes_in_masks_have_a_place(self):
        self.source.sql("CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE NOT NULL, born date)", "shop")
        self.project(masks="""  public.people:
    columns:
      emial: hash
      email: null
      born: fake_email
      id: {constant: 1}
  public.peple: {rows: none}
""")
        self.refused(3, "masks.yml:5:7", "did you mean 'email'?", "'email' is NOT NULL", "'born' is no text", "is unique, which this mask",
                     "masks.yml:9:3", "did you mean 'public.people'?")

    def test_a_subset_keeps_its_foreign_keys(self):
        """Both ways: children of rows that stay behind do too, and of `referenced` come the parents of those that come."""
        self.every_kind()
        self.source.sql("CREATE TABLE public.regions (id int PRIMARY KEY); CREATE TABLE public.shops (id int PRIMARY KEY, region int REFERENCES public.regions);"
                        "CREATE TABLE public.sales (id int PRIMARY KEY, shop int REFERENCES public.shops); INSERT INTO public.regions SELECT generate_series(1, 100);"
                        "INSERT INTO public.shops SELECT i, i % 100 + 1 FROM generate_series(1, 1000) i;"
                        "INSERT INTO public.sales SELECT i, i FROM generate_series(1, 1000) i", "shop")
        self.project(masks="  app.users:\n    where: id % 10 = 0\n    limit: 500\n  app.tree: {where: id <> 3}\n"
                     "  public.sales: {where: id <= 7}\n  public.shops: {rows: referenced}\n  public.regions: {rows: referenced}\n")
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("SELECT count(*) FROM app.users", "staging"), "500")
        self.assertEqual(self.target.sql("SELECT count(*) FROM app.orders o LEFT JOIN app.users u ON u.id = o.user_id WHERE u.id IS NULL", "staging"), "0")
        self.assertEqual(self.target.sql("SELECT bool_and(convalidated) FROM pg_constraint", "staging"), "t")
        self.assertEqual([self.target.sql(f"SELECT string_agg(id::text, ' ' ORDER BY id) FROM {table}", "staging") for table in
                          ("public.sales", "public.shops", "public.regions")], ["1 2 3 4 5 6 7", "1 2 3 4 5 6 7", "2 3 4 5 6 7 8"])
        # 3 is the parent of 6 and 7, and so on: the whole branch goes.
        self.assertEqual(self.target.sql("SELECT count(*) FROM app.tree WHERE id IN (3, 6, 7, 12, 15)", "staging"), "0")
        self.assertIn("app.users", self.ok("stage", "list", "--json").out)

    def test_live_things_need_a_word(self):
        self.source.psql("shop", "-c", "CREATE TABLE jobs (id int); INSERT INTO jobs VALUES (1); CREATE TABLE hooks (url text, webhook_secret text)")
        self.refused(3, "queue-like table public.jobs", "secret-like column public.hooks.webhook_secret")
        self.project(masks="  public.jobs: {rows: none}\n  public.hooks: {columns: {webhook_secret: hash}}\n")
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("SELECT count(*) FROM jobs", "staging"), "0")

    def test_foreign_servers_reach_nothing(self):
        self.source.psql("shop", "-c", """CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'prod2');
            CREATE USER MAPPING FOR admin SERVER far OPTIONS (user 'u', password 'hunter2-pw'); CREATE FOREIGN TABLE ft (id int) SERVER far""")
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("SELECT count(*) FROM pg_user_mappings", "staging"), "0")
        self.assertEqual(self.target.sql("SELECT coalesce(array_to_string(srvoptions, ','), '') FROM pg_foreign_server", "staging"), "")
        self.assertEqual(self.target.sql("SELECT count(*) FROM pg_foreign_table", "staging"), "1")

    def test_other_encodings(self):
        self.source.sql("DROP DATABASE shop")
        self.source.sql("CREATE DATABASE shop TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
        self.source.sql("CREATE TABLE t AS SELECT 'Grüße' AS v", "shop")
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("SELECT v FROM t", "staging"), "Grüße")
        self.assertEqual(self.target.sql("SHOW server_encoding", "staging"), "LATIN1")

    def files_of(self, pid):
        """That are open for writing and hold more than a journal does, deleted ones too."""
        found = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            try:
                with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as info:
                    flags = int(next(line.split()[1] for line in info if line.startswith("flags:")), 8)
                if flags & os.O_ACCMODE and os.readlink(path).startswith("/") and os.stat(path).st_size > 1 << 20:
                    found.append(os.readlink(path))
            except OSError:
                pass  # closed by now
        return found

    def test_progress_and_the_order_of_builds(self):
        """The largest index that waits is built first. How far the copy is, how fast it goes and how long it will take is told."""
        self.source.psql("shop", "-c", "CREATE TABLE big AS SELECT i AS id, repeat(md5(i::text), 40) AS v FROM generate_series(1, 12000) i",
                         "-c", "CREATE INDEX a_tiny ON big (id) WHERE id < 3", "-c", "ALTER TABLE big ADD PRIMARY KEY (id)",
                         "-c", "CREATE INDEX m_huge ON big (v)", "-c", "CREATE INDEX z_middle ON big (id, md5(v))", "-c", "ANALYZE big")
        self.project(masks="  public.big: {columns: {v: {sql: \"CASE WHEN id % 40 = 0 AND pg_catalog.pg_sleep(0.01) IS NULL THEN v ELSE v END\"}}}\n")
        events = self.events(self.ok("stage", "snapshot", "--json", "--jobs", "1").out)
        told = [event for event in events if event["type"] == "progress" and event["total"] > event["done"] > 0 and " left" in event["text"]]
        self.assertTrue(told, events)
        self.assertRegex(told[0]["text"], r"^[0-9.]+ [KM]iB of [0-9.]+ [KM]iB, [0-9.]+ ([KM]i)?B/s, [0-9hms ]+ left$")
        self.assertEqual(told[0]["unit"], "bytes")
        copied = next(event for event in events if event["type"] == "action_finished" and event["title"] == "public.big")
        self.assertIn("12000 rows", json.dumps(copied))
        built = self.target.sql("SELECT string_agg(relname, ' ' ORDER BY oid) FROM pg_class WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace", "staging")
        self.assertEqual(built, "m_huge z_middle big_pkey a_tiny")

    def test_huge_rows_need_little_memory(self):
        """And no file: they go from server to server."""
        self.source.sql("CREATE TABLE big AS SELECT 1 AS id, convert_to(repeat(md5('x'), 4000000), 'UTF8') AS b", "shop")
        process = self.start("stage", "snapshot")
        peak, files = 0, []
        while process.poll() is None:
            try:
                files += self.files_of(process.pid)
                with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                    peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith("VmHWM")])
            except OSError:
                break
        process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.target.sql("SELECT length(b) FROM big", "staging"), "128000000")
        self.assertGreater(peak, 1000)
        self.assertEqual(files, [])
        self.assertLess(peak, 100 * 1024, "kB at the peak")

    def test_a_plan_says_what_it_will_do_and_does_nothing(self):
        self.every_kind()
        ended = self.ok("stage", "snapshot", "--dry-run")
        plan = re.search(r"Plan id ([0-9a-f]{12})", ended.out).group(1)
        self.assertEqual(self.target.databases(), ["postgres"])
        self.assertIn("app.orders", ended.out)
        self.source.sql("INSERT INTO app.tree VALUES (1000, NULL, 'x')", "shop")
        self.ok("stage", "snapshot", "--expect-plan", plan)
        self.source.sql("CREATE TABLE app.more (id int)", "shop")
        self.refused(4, "the plan is", words=("stage", "snapshot", "--expect-plan", plan))

    def test_a_session_that_is_just_ending_is_in_nobody_s_way(self):
        """Of a client that is gone the server's process may live on for a moment."""
        self.source.sql("CREATE TABLE t AS SELECT generate_series(1, 10) AS id", "shop")
        self.ok("stage", "snapshot")
        leaving = self.target.session("staging", "SELECT pg_sleep(1)")
        leaving.stdin.close()
        self.target.wait("(SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep')")
        self.ok("stage", "snapshot")
        leaving.wait()
        staying = self.target.session("staging", "SELECT 1")
        self.addCleanup(staying.wait)
        self.addCleanup(staying.stdin.close)
        self.target.wait("(SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'staging' AND application_name = 'psql')")
        self.refused(4, "1 session open in staging")

    def test_snapshots_have_names_and_are_kept_and_dropped(self):
        self.source.sql("CREATE TABLE t AS SELECT generate_series(1, 10) AS id", "shop")
        self.project("keep: 2")
        for _ in range(3):
            self.ok("stage", "snapshot")
        self.ok("stage", "snapshot", "--name", "golden")
        listed = [event["database"] for event in self.events(self.ok("stage", "list", "--json").out) if event["type"] == "snapshot"]
        self.assertEqual(len([name for name in listed if name.startswith("staging")]), 2, listed)
        self.assertIn("golden", listed)
        golden = next(event for event in self.events(self.ok("stage", "list", "--json").out) if event.get("database") == "golden")
        self.assertEqual((golden["rows"], golden["origin"]["database"]), (10, "shop"))
        self.assertIn(str(self.source.port), golden["origin"]["where"])
        self.assertGreater(golden["size_bytes"], 1 << 20)
        taken = datetime.datetime.fromisoformat(golden["taken_at"].replace("Z", "+00:00"))
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - taken).total_seconds()), 300)
        self.assertRegex(self.ok("stage", "list").out, r"golden +\S.* [0-9]m +[0-9.]+ MiB +10 +0 columns +\S*127\.0\.0\.1")
        self.refused(4, "not confirmed", words=("stage", "drop", "golden"))
        self.ok("stage", "drop", "golden", "--confirm", "golden")
        self.assertNotIn("golden", self.target.databases())
        self.refused(4, "no snapshot 'golden'", words=("stage", "drop", "golden"))


if __name__ == "__main__":
    databases.main()
