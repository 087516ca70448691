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
