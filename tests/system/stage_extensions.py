"""Extensions on their way to staging: rows of their own, versions, and a role of the target that is no superuser."""
import shutil

import databases

# An extension as those that users write: settings that it brings, settings that users add, and what is its own affair.
EXTENSIONS = {
    "shopconf.control": "default_version = '1.0'\nrelocatable = false\nschema = conf\n",
    "shopconf--1.0.sql": """CREATE TABLE rates (country text PRIMARY KEY, vat int, own boolean NOT NULL DEFAULT true);
        INSERT INTO rates VALUES ('DE', 19, false), ('FR', 20, false);
        CREATE TABLE words (word text PRIMARY KEY, meaning text); INSERT INTO words VALUES ('a', 'as made'), ('b', 'as made');
        CREATE TABLE inner_ (id int); INSERT INTO inner_ VALUES (1);
        SELECT pg_catalog.pg_extension_config_dump('rates', 'WHERE own'); SELECT pg_catalog.pg_extension_config_dump('words', '')""",
    "shoptrust.control": "default_version = '1.0'\ntrusted = true\n",
    "shoptrust--1.0.sql": """CREATE TABLE trusted_conf (word text); INSERT INTO trusted_conf VALUES ('as made');
        SELECT pg_catalog.pg_extension_config_dump('trusted_conf', '')""",
    "shopold.control": "default_version = '1.1'\n", "shopold--1.0.sql": "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "shopold--1.1.sql": "CREATE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT 2'",
}


class Extensions(databases.StageTest):
    @classmethod
    def programs(cls):
        """A server finds its extensions by where it is itself: a copy of it has more of them than this machine."""
        major = databases.BIN.parent.name
        home = cls.directory / "lib/postgresql" / major
        shutil.copytree(databases.BIN, home / "bin")
        (home / "lib").symlink_to(databases.BIN.parent / "lib")
        share = cls.directory / "share/postgresql" / major
        shutil.copytree(databases.BIN.parents[3] / "share/postgresql" / major, share)
        for name, text in EXTENSIONS.items():
            (share / "extension" / name).write_text(text)
        return home / "bin"

    def plain(self):
        """The target's role owns its databases, and nothing else."""
        self.target.psql("postgres", "-c", "DROP ROLE IF EXISTS plain", "-c", "CREATE ROLE plain LOGIN CREATEDB PASSWORD 'pw'")
        self.env["TARGET"] = self.target.url("staging", "plain", "pw")

    def config(self):
        self.source.sql("CREATE SCHEMA conf; CREATE EXTENSION shopconf; INSERT INTO conf.rates VALUES ('AT', 10, true);"
                        "UPDATE conf.words SET meaning = 'altered' WHERE word = 'a'; INSERT INTO conf.words VALUES ('c', 'added');"
                        "INSERT INTO conf.inner_ VALUES (2)", "shop")

    def contents(self, table):
        return self.target.sql(f"SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM {table} t", "staging")

    def test_rows_of_configuration_come_along(self):
        self.config()
        self.ok("stage", "snapshot")
        self.assertEqual(self.contents("conf.rates"), "(AT,10,t) (DE,19,f) (FR,20,f)")
        self.assertEqual(self.contents("conf.words"), "(a,altered) (b,\"as made\") (c,added)")
        self.assertEqual(self.contents("conf.inner_"), "(1)", "its own affair")

    def test_many_rows_of_configuration(self):
        """More than what is copied without emptying the table first: what the extension brought is still there."""
        self.config()
        self.source.sql("INSERT INTO conf.rates SELECT repeat(md5(i::text), 20), i FROM generate_series(1, 12000) i", "shop")
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.checksums("staging")["conf.rates"], self.source.checksums("shop")["conf.rates"])

    def test_another_version_is_said(self):
        self.source.sql("CREATE EXTENSION shopold VERSION '1.0'", "shop")
        self.assertIn("extension shopold: version 1.0 in the source, 1.1 in the target", self.ok("stage", "snapshot", "-n").out)
        self.source.sql("DROP EXTENSION shopold; CREATE EXTENSION shopold", "shop")
        self.assertNotIn("extension shopold", self.ok("stage", "snapshot", "-n").out)

    def test_a_role_that_is_no_superuser(self):
        self.config()
        self.source.sql("CREATE EXTENSION citext; CREATE EXTENSION pg_stat_statements; CREATE EXTENSION shoptrust;"
                        "INSERT INTO trusted_conf VALUES ('more'); CREATE TABLE people (mail citext PRIMARY KEY); INSERT INTO people VALUES ('A@b')", "shop")
        untrusted = "may stay behind, and what needs it with it: it takes a superuser"
        self.assertNotIn(untrusted, self.ok("stage", "snapshot", "-n").out)
        self.plain()
        plan = self.ok("stage", "snapshot", "-n").out
        for text in (f"extension pg_stat_statements: {untrusted}", f"extension shopconf: {untrusted}",
                     "conf.rates: its rows stay behind, since the extension shopconf may not come",
                     "public.trusted_conf: is as the extension shoptrust makes it: its rows belong to a superuser, and plain is none"):
            self.assertIn(text, plan)
        for name in ("citext", "shoptrust"):
            self.assertNotIn(f"extension {name}:", plan)
        ended = self.ok("stage", "snapshot")
        self.assertRegex(ended.out + ended.err, "not carried: extension pg_stat_statements: [^ ]+: permission denied to create extension")
        self.assertNotIn("must be member", ended.out + ended.err)
        self.assertEqual(self.target.sql("SELECT string_agg(extname, ',' ORDER BY extname::text) FROM pg_extension", "staging"), "citext,plpgsql,shoptrust")
        self.assertEqual(self.target.sql("SELECT mail = 'a@B' FROM people", "staging"), "t")
        self.assertEqual(self.contents("trusted_conf"), '("as made")')

    def test_the_owner_makes_them_whoever_connects(self):
        """A superuser connects, and everything is made as a role that is none."""
        self.config()
        self.plain()
        self.env["TARGET"] = self.target.url("staging")
        self.project("owner: plain")
        plan = self.ok("stage", "snapshot", "-n").out
        self.assertRegex(plan, r"extension shopconf: may stay behind, .* and plain is none")
        self.assertIn("conf.rates: its rows stay behind", plan)
        ended = self.ok("stage", "snapshot")
        self.assertRegex(ended.out + ended.err, "not carried: extension shopconf: [^ ]+: permission denied to create extension")
        self.assertEqual(self.target.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'staging'"), "plain")


if __name__ == "__main__":
    databases.main()
