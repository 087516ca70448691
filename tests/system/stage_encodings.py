"""Databases that are not in UTF-8, and clients that the environment or a role takes for others: what is written here and read
there is UTF-8, and a copy is what production has, byte for byte."""
import json

import databases

ODD = """CREATE TYPE mood AS ENUM ('fröhlich', 'trüb'); CREATE TABLE "größe" (id int PRIMARY KEY, "länge" text, m mood DEFAULT 'trüb', a aclitem);
    INSERT INTO "größe" SELECT i, 'Maß ' || i, 'fröhlich', makeaclitem(10, 10, 'SELECT', false) FROM generate_series(1, 200) i;
    COMMENT ON TABLE "größe" IS 'Übersicht'; CREATE VIEW "öfter" AS SELECT 'ä' || "länge" AS v FROM "größe" """


class Encodings(databases.StageTest):
    @classmethod
    def tearDownClass(cls):
        cls.source.only_reads = lambda: None  # a backfill writes there
        super().tearDownClass()

    def made_in(self, encoding):
        self.source.sql("DROP DATABASE shop")
        self.source.sql(f"CREATE DATABASE shop TEMPLATE template0 ENCODING {encoding} LOCALE 'C'")
        with open(self.directory / "staithe.yml", "a", encoding="utf-8") as file:
            file.write("  production:\n    databases: {target: {url: env SOURCE}}\n")

    def test_what_clients_are_taken_for_alters_nothing(self):
        self.source.sql(ODD, "shop")
        schema, sums = self.source.schema("shop"), self.source.checksums("shop")
        self.env["PGCLIENTENCODING"] = "LATIN1"
        for by_role in (False, True):
            with self.subTest(by_role=by_role):
                if by_role:
                    del self.env["PGCLIENTENCODING"]
                    for cluster in (self.source, self.target):
                        cluster.sql("ALTER ROLE admin SET client_encoding = 'LATIN1'")
                try:
                    self.ok("stage", "snapshot")
                finally:
                    for cluster in (self.source, self.target):
                        cluster.sql("ALTER ROLE admin RESET client_encoding")
                self.assertEqual(self.target.schema("staging"), schema)
                self.assertEqual(self.target.checksums("staging"), sums)

    def fill(self, text, *words):
        return self.staithe("backfill", "t", "-e", "production", "--confirm", "shop", "--set", f"v = '{text}'", "--where", "v IS NULL", *words)

    def test_a_backfill_writes_what_is_meant(self):
        """Also where its place, which it writes down, is a key that is not ASCII."""
        self.made_in("LATIN1")
        self.source.sql("CREATE TABLE t (name text PRIMARY KEY, v text); INSERT INTO t SELECT chr(252) || i FROM generate_series(1, 3000) i", "shop")
        ended = self.fill("Grüße", "--not-null", "v")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.source.sql("SELECT count(*), min(v) = max(v), convert_to(min(v), 'LATIN1') FROM t", "shop"), r"3000|t|\x4772fcdf65")

    def test_masks_of_names_and_values_that_are_not_ascii(self):
        """The file of masks is UTF-8, the database is not; what letters it does not have is refused before a row is read."""
        self.made_in("LATIN1")
        self.source.psql("shop", "-c", "SET client_encoding = 'UTF8'", "-c", ODD, "-c", """CREATE TABLE people (id int PRIMARY KEY, name text, town text, mail text, note text);
            INSERT INTO people SELECT i, 'Müller ' || i, 'Köln', 'ä@ö.de', 'ß' FROM generate_series(1, 50) i""")
        masks = ("  public.people:\n    columns: {name: hash, town: {partial: {last: 2}}, mail: fake_email, note: {constant: 'Grüße'}}\n"
                 "  public.größe:\n    where: \"länge <> 'Maß 3'\"\n    columns: {länge: {sql: \"'über ' || id\"}}\n")
        for text, code in ((masks.replace("Grüße", "Łódź"), 1), (masks, 0)):
            self.project(masks=text)
            for words in (("-n",), ("-n", "--json"), ()):
                ended = self.staithe("stage", "snapshot", *words)
                self.assertEqual(ended.code, code if not words else 0, ended)
                if code or words:
                    self.assertIn("länge" if words else 'has no equivalent in encoding "LATIN1"', ended.out + ended.err)
        people = self.target.psql("staging", "-c", "SET client_encoding = 'UTF8'", "-c", "SELECT count(DISTINCT name), min(length(name)), min(town), max(note), max(mail) FROM people")
        self.assertRegex(people, r"^50\|32\|\*\*ln\|Grüße\|u[0-9a-f]+@example.com$")
        sizes = self.target.psql("staging", "-c", "SET client_encoding = 'UTF8'", "-c", 'SELECT count(*), min("länge"), min(m), max(encode(convert_to("länge", \'LATIN1\'), \'hex\')) FROM "größe"')
        self.assertEqual(sizes, r"199|über 1|fröhlich|fc626572203939")
        self.assertEqual(self.target.schema("staging"), self.source.schema("shop"))

    def test_masks_where_there_is_no_encoding(self):
        """What is masked need be no text in UTF-8, and what is one is masked as elsewhere."""
        masks = ("  public.people:\n    columns: {name: hash, town: {partial: {last: 2}}, mail: fake_email, note: {constant: 'Grüße'},"
                 " born: {shift_days: {days: 30, by: name}}, no: hash}\n")
        rows = {}
        for encoding in ("UTF8", "SQL_ASCII"):
            self.made_in(encoding)
            self.source.sql(r"CREATE TABLE people (id int PRIMARY KEY, name text, town text, mail text, note text, born date, no bigint);"
                            r"INSERT INTO people VALUES (1, E'M\303\274ller', E'K\303\266ln', 'a@b.de', 'x', '2000-01-01', 5)", "shop")
            if encoding == "SQL_ASCII":
                self.source.sql(r"INSERT INTO people VALUES (2, E'M\374ller', E'K\366ln', E'\344@b.de', E'\377', '2000-01-01', 5)", "shop")
            self.project(masks=masks)
            self.ok("stage", "snapshot", "-e", "staging")
            rows[encoding] = self.target.sql("SELECT id, name, convert_to(town, getdatabaseencoding()), mail, convert_to(note, getdatabaseencoding()), born, no FROM people ORDER BY id", "staging").split("\n")
        utf8, (same, other) = rows["UTF8"][0].split("|"), [row.split("|") for row in rows["SQL_ASCII"]]
        self.assertEqual(same[:2] + same[3:], utf8[:2] + utf8[3:])
        self.assertEqual((utf8[2], same[2]), (r"\x2a2a6c6e", r"\x2a2a2a6c6e"))  # of bytes there are more than of letters
        self.assertEqual((other[2], other[4]), (r"\x2a2a6c6e", same[4]))
        self.assertNotEqual(other[1], same[1])
        self.assertRegex(other[3], "^u[0-9a-f]{16}@example.com$")

    def test_a_key_without_an_equivalent_in_utf8_arrives(self):
        self.made_in("WIN1252")
        self.source.sql(r"CREATE TABLE t (name text, no int, v text, PRIMARY KEY (name, no)); "
                        r"INSERT INTO t SELECT convert_from('\x81fc'::bytea, 'WIN1252') || i, i, 'v' FROM generate_series(1, 3000) i", "shop")
        self.ok("stage", "snapshot", "-e", "staging")
        self.assertEqual(self.target.sql("SELECT count(*), convert_to(min(name), 'WIN1252') FROM t", "staging"), r"3000|\x81fc31")

    def test_a_key_that_is_no_text_ends_it(self):
        self.made_in("SQL_ASCII")
        self.source.sql(r"CREATE TABLE t (name text PRIMARY KEY, v text); INSERT INTO t SELECT convert_from('\xff'::bytea || i::text::bytea, 'SQL_ASCII') "
                        "FROM generate_series(1, 3000) i", "shop")
        ended = self.fill("x")
        self.assertEqual(ended.code, 1, ended)
        self.assertIn('invalid byte sequence for encoding "UTF8"', ended.err)
        self.assertEqual(self.source.sql("SELECT count(v) FROM t", "shop"), "0")
        self.nothing_left_on_source()

    def test_a_rehearsal_writes_what_is_meant(self):
        self.made_in("LATIN1")
        self.source.sql("CREATE TABLE t (name text PRIMARY KEY, v text); INSERT INTO t VALUES (chr(252) || 1, 'x'), (chr(252) || 2, NULL)", "shop")
        self.ok("stage", "snapshot", "-e", "staging")
        quick = ("stage", "rehearse", "-e", "staging", "--no-load", "--no-open-transaction", "--no-advice", "--blocking", "60s", "--json")
        (self.directory / "fill.sql").write_text("UPDATE t SET v = 'Grüße' WHERE name = 'ü1';\n", encoding="utf-8")
        self.ok(*quick, "--keep-clone", "fill.sql")
        clone, = [name for name in self.target.databases() if name.startswith("staithe_rehearsal")]
        self.assertEqual(self.target.sql("SELECT convert_to(v, 'LATIN1') FROM t WHERE v IS NOT NULL", clone), r"\x4772fcdf65")
        (self.directory / "up.sql").write_text("ALTER TABLE t ALTER v SET NOT NULL;\n")
        ended = self.staithe(*quick, "up.sql")
        self.assertEqual(ended.code, 1, ended)
        report = next(one for one in map(json.loads, ended.out.splitlines()) if one.get("type") == "rehearsal")
        self.assertEqual(report["statements"][0]["failure"]["violation"]["sample_keys"], ["ü2"])


if __name__ == "__main__":
    databases.main()
