"""Whose things are in staging, and who may do what with them: mapped or dropped as declared, and said."""
import databases

OWNERS = "SELECT string_agg(relname || '=' || pg_get_userbyid(relowner), ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'v', 'S', 'm')"
ROLES = ("owner_app", "owner_old", "reader_app", "Odd role", "writer_app")


class Roles(databases.StageTest):
    def setUp(self):
        super().setUp()
        self.source.psql("postgres", *[word for role in ROLES for word in ("-c", f'DROP ROLE IF EXISTS "{role}"', "-c", f'CREATE ROLE "{role}"')])
        self.target.psql("postgres", "-c", "DROP ROLE IF EXISTS stage_app", "-c", "DROP ROLE IF EXISTS stage_reader",
                         "-c", "CREATE ROLE stage_app", "-c", "CREATE ROLE stage_reader")
        self.source.psql("shop", "-c", """
            CREATE SCHEMA app AUTHORIZATION owner_app; SET ROLE owner_app;
            CREATE TABLE app.users (id serial PRIMARY KEY, name text); INSERT INTO app.users (name) VALUES ('a'), ('b');
            CREATE VIEW app.names AS SELECT name FROM app.users; CREATE MATERIALIZED VIEW app.counts AS SELECT count(*) FROM app.users;
            CREATE FUNCTION app.f() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RETURN 'ALTER TABLE x OWNER TO owner_app; -- OWNER TO owner_old'; END $f$;
            GRANT SELECT ON app.users TO reader_app WITH GRANT OPTION; GRANT INSERT (name) ON app.users TO "Odd role"; GRANT DELETE ON app.users TO writer_app;
            REVOKE ALL ON FUNCTION app.f() FROM PUBLIC; GRANT USAGE ON SCHEMA app TO reader_app;
            ALTER DEFAULT PRIVILEGES FOR ROLE owner_app IN SCHEMA app GRANT SELECT ON TABLES TO reader_app;
            ALTER TABLE app.users ENABLE ROW LEVEL SECURITY;
            CREATE POLICY few ON app.users FOR SELECT TO reader_app, "Odd role" USING (id > (SELECT 0 FROM (VALUES (1)) v (x)));
            CREATE POLICY odd ON app.users FOR DELETE TO "Odd role" USING (true);
            RESET ROLE; GRANT CREATE ON SCHEMA app TO owner_old; SET ROLE owner_old; CREATE TABLE app.old (id int); RESET ROLE""")

    def tearDown(self):
        self.source.sql("DROP DATABASE shop WITH (FORCE)")
        self.source.psql("postgres", *[word for role in ROLES for word in ("-c", f'DROP ROLE "{role}"')])

    def test_everything_belongs_to_one_role_by_default(self):
        ended = self.ok("stage", "snapshot", "-n")
        self.assertIn("owners: everything belongs to the role that connects", ended.out)
        self.assertIn("grants: dropped", ended.out)
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'app'::regnamespace", "staging"), "admin")
        self.assertEqual(self.target.sql("SELECT relacl IS NULL FROM pg_class WHERE relname = 'users'", "staging"), "t")

    def test_owners_are_mapped_or_dropped(self):
        self.project("roles: {owner_app: stage_app, owner_old: drop}")
        ended = self.ok("stage", "snapshot", "-n")
        self.assertIn("owner owner_app of 4 objects: becomes stage_app", ended.out)
        self.assertIn("owner owner_old of 1 objects: dropped; they belong to the role that connects", ended.out)
        self.ok("stage", "snapshot")
        self.assertEqual(self.target.sql(OWNERS, "staging"), "counts=stage_app names=stage_app old=admin users=stage_app users_id_seq=stage_app")
        self.assertEqual(self.target.sql("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'app'", "staging"), "stage_app")
        self.assertEqual(self.target.sql("SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'f'", "staging"), "stage_app")
        self.assertEqual(self.target.sql("SELECT app.f()", "staging"), "ALTER TABLE x OWNER TO owner_app; -- OWNER TO owner_old")
        self.assertEqual(self.target.sql("SELECT count(*) FROM app.counts", "staging"), "1")

    def test_grants_follow(self):
        self.project('keep_grants: true, roles: {owner_app: stage_app, owner_old: drop, reader_app: stage_reader, "Odd role": drop}')
        ended = self.ok("stage", "snapshot", "-n")
        self.assertIn("grants to reader_app: become grants to stage_reader", ended.out)
        self.assertIn("grants to Odd role: dropped", ended.out)
        ended = self.ok("stage", "snapshot")
        self.assertIn("writer_app", ended.out + ended.err, "a role that staging does not have is not said")
        acl = self.target.sql("SELECT relacl::text FROM pg_class WHERE relname = 'users' AND relnamespace = 'app'::regnamespace", "staging")
        self.assertIn("stage_reader=r*/", acl)
        self.assertNotIn("writer_app", acl)
        self.assertEqual(self.target.sql("SELECT attacl FROM pg_attribute WHERE attrelid = 'app.users'::regclass AND attname = 'name'", "staging"), "")
        self.assertEqual(self.target.sql("SELECT has_schema_privilege('stage_reader', 'app', 'USAGE'), has_function_privilege('stage_reader', 'app.f()', 'EXECUTE')", "staging"), "t|f")
        self.assertEqual(self.target.sql("SELECT pg_get_userbyid(defaclrole) || defaclacl::text FROM pg_default_acl", "staging"), "stage_app{stage_reader=r/stage_app}")
        # A policy for nobody would be one for everybody.
        self.assertEqual(self.target.sql("SELECT string_agg(policyname || roles::text, ' ') FROM pg_policies", "staging"), "few{stage_reader}")

    def test_roles_that_are_not_there(self):
        self.project("roles: {owner_ap: stage_app}")
        self.refused(3, "staithe.yml:8:", "the source has no role 'owner_ap'", "did you mean 'owner_app'?")
        self.project("roles: {owner_app: stage_ap}")
        self.refused(4, "has no role 'stage_ap'", "or to drop")
        self.target.psql("postgres", "-c", "DROP ROLE IF EXISTS maker", "-c", f"CREATE ROLE maker LOGIN CREATEDB PASSWORD '{databases.PASSWORD}'")
        self.env["TARGET"] = self.target.url("staging", "maker")
        self.project("roles: {owner_app: stage_app}")
        self.refused(4, "nothing can be given to the role 'stage_app'", "GRANT")
        self.target.psql("postgres", "-c", "GRANT stage_app TO maker")
        self.ok("stage", "snapshot")
        self.assertIn("users=stage_app", self.target.sql(OWNERS, "staging"))


if __name__ == "__main__":
    databases.main()
