#!/usr/bin/env python3
"""Migrations that are a command: psql, and alembic, Django and sqitch where they are installed. The report names the statements that the
command sent, with their locks; and what a command applies can be asked for by a deploy.
"""
import importlib.util
import json
import pathlib
import shutil
import sys
import unittest

import databases

MIGRATION = """BEGIN;
ALTER TABLE users ADD COLUMN country text;
ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();
COMMIT;
UPDATE users SET country = 'DE' WHERE pg_sleep(0.001) IS NOT NULL;
CREATE INDEX CONCURRENTLY users_country ON users (country);
DROP INDEX CONCURRENTLY users_old;
ALTER TABLE users ALTER COLUMN country SET NOT NULL;
"""
ALEMBIC = """from alembic import op
import sqlalchemy as sa
revision = "1"
down_revision = None
def upgrade():
    op.add_column("users", sa.Column("country", sa.Text()))
    op.create_index("users_email", "users", ["email"])
def downgrade():
    pass
"""
ENVIRONMENT = """import os
from alembic import context
from sqlalchemy import create_engine
engine = create_engine(os.environ["DATABASE_URL"])
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
# What `startproject` writes, as far as migrations need it; the rest is in libpq's variables.
DJANGO = {"manage.py": """import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
""", "settings.py": """import os
SECRET_KEY = "x"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
""", "shop/__init__.py": "", "shop/migrations/__init__.py": "", "shop/migrations/0001_country.py": """from django.db import migrations
class Migration(migrations.Migration):
    initial = True
    operations = [migrations.RunSQL("ALTER TABLE users ADD COLUMN country text"),
                  migrations.RunSQL("CREATE INDEX users_email ON users (email)")]
"""}


SQITCH = {"sqitch.conf": "[core]\n\tengine = pg\n[user]\n\tname = A\n\temail = a@example.com\n",
          "sqitch.plan": "%syntax-version=1.0.0\n%project=shop\n\ncountry 2026-11-01T10:00:00Z A <a@example.com> # Countries\n",
          "deploy/country.sql": "BEGIN;\nALTER TABLE users ADD COLUMN country text;\nCREATE INDEX users_email ON users (email);\nCOMMIT;\n"}


class Command(databases.StageTest):
    def setUp(self):
        super().setUp()
        self.source.sql("CREATE TABLE users (id int PRIMARY KEY, email text); CREATE INDEX users_old ON users (email);"
                        "INSERT INTO users SELECT g, 'u' || g FROM generate_series(1, 1000) g", "shop")
        self.assertEqual(self.staithe("stage", "snapshot", "-e", "staging").code, 0)

    def rehearse(self, command, *words, code=0):
        result = self.staithe("stage", "rehearse", "-e", "staging", "--json", "--blocking", "60s", "--command", command, *words)
        self.assertEqual(result.code, code, result)
        records = [json.loads(line) for line in result.out.splitlines()]
        return next(one for one in records if one.get("type") == "rehearsal")

    @staticmethod
    def find(report, text):
        return next(one for one in report["statements"] if text in one["sql"])

    def locked(self, statement, table="public.users"):
        return {lock["mode"] for lock in statement["locks"] if lock["object"] == table}

    def psql(self, text):
        (self.directory / "up.sql").write_text(text)
        return f'{databases.BIN}/psql -Xq -v ON_ERROR_STOP=1 -f up.sql "$DATABASE_URL"'

    def test_statements_and_locks_of_psql_are_named(self):
        report = self.rehearse(self.psql(MIGRATION))
        words = [one["sql"].split(";")[0] for one in report["statements"]]
        order = ["ADD COLUMN country", "ADD COLUMN token", "UPDATE users", "CREATE INDEX CONCURRENTLY",
                 "DROP INDEX CONCURRENTLY", "SET NOT NULL"]
        places = [next((i for i, word in enumerate(words) if part in word), None) for part in order]
        self.assertNotIn(None, places, words)
        self.assertEqual(places, sorted(places), words)
        self.assertIn("AccessExclusiveLock", self.locked(self.find(report, "ADD COLUMN country")))
        self.assertIn("ShareUpdateExclusiveLock", self.locked(self.find(report, "CREATE INDEX CONCURRENTLY")))
        self.assertIn("ShareUpdateExclusiveLock", self.locked(self.find(report, "DROP INDEX CONCURRENTLY")))
        rewrite = next(one for one in report["findings"] if one["code"] == "rewrite")
        self.assertEqual(rewrite["object"], "public.users")
        self.assertEqual(self.find(report, "UPDATE users")["touched"][0]["updated"], 1000, report)
        # The clones are gone, and the snapshot has no trace of it.
        self.assertEqual(self.target.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'staithe_rehearsal%'"), "0")
        self.assertEqual(self.target.sql("SELECT count(*) FROM pg_event_trigger", "staging"), "0")
        self.assertEqual([one["name"] for one in report["passes"]][:2], ["measure", "under load"])

    def test_command_that_fails_is_a_finding_with_what_it_said(self):
        report = self.rehearse(self.psql("ALTER TABLE users ADD COLUMN a int;\nALTER TABLE nowhere ADD COLUMN b int;\n"), code=1)
        self.assertIn("would fail", report["verdict"])
        self.assertIn("ADD COLUMN a", report["statements"][0]["sql"])
        self.assertIn('relation "nowhere" does not exist', report["statements"][-1]["failure"]["message"])

    def test_without_a_superuser_it_still_watches(self):
        self.target.sql("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN CREATEDB PASSWORD 'plain'; ALTER DATABASE staging OWNER TO plain")
        self.target.sql("ALTER TABLE users OWNER TO plain", "staging")
        self.env["TARGET"] = self.target.url("staging", "plain", "plain")
        report = self.rehearse(self.psql("ALTER TABLE users ADD COLUMN a int; SELECT pg_sleep(1);\n"))
        self.assertTrue(any("event triggers" in remark for remark in report["remarks"]), report["remarks"])
        self.assertTrue(report["statements"])

    def test_a_tool_without_a_url_finds_the_clone_also_where_the_environment_says_production(self):
        (self.directory / "services").write_text("[live]\nhost=127.0.0.1\nport=%s\ndbname=shop\n" % self.source.port)
        self.env = {**self.env, "PGHOST": "127.0.0.1", "PGPORT": str(self.source.port), "PGDATABASE": "shop", "PGUSER": "admin",
                    "PGPASSWORD": databases.PASSWORD, "PGSERVICEFILE": str(self.directory / "services"), "PGSERVICE": "live"}
        report = self.rehearse(f'{databases.BIN}/psql -Xq -c "ALTER TABLE users ADD COLUMN country text"')
        self.rehearse('case $DATABASE_URL in postgresql://*/staithe_rehearsal_*) ;; *) exit 3;; esac')
        failed = self.rehearse("echo 'wrong at first' >&2; seq 999 >&2; echo 'wrong at last' >&2; exit 1", code=1)
        self.assertRegex(failed["findings"][0]["text"], "(?s)wrong at first.*….*wrong at last")
        self.assertNotIn("staithe_trace", json.dumps(failed["statements"]))
        self.assertIn("AccessExclusiveLock", self.locked(self.find(report, "ADD COLUMN country")))
        self.assertNotIn("staithe_trace", json.dumps(report["statements"]), "nor is what watches a part of it")
        self.assertEqual(self.source.sql("SELECT count(*) FROM information_schema.columns WHERE table_name = 'users'", "shop"), "2")

    @unittest.skipUnless(shutil.which("alembic"), "alembic is not installed")
    def test_alembic(self):
        versions = pathlib.Path(self.directory, "alembic", "versions")
        versions.mkdir(parents=True, exist_ok=True)
        (versions / "1_country.py").write_text(ALEMBIC)
        (versions.parent / "env.py").write_text(ENVIRONMENT)
        (self.directory / "alembic.ini").write_text("[alembic]\nscript_location = alembic\n")
        report = self.rehearse("alembic upgrade head", "alembic/versions/1_country.py")
        self.assertIn("AccessExclusiveLock", self.locked(self.find(report, "ADD COLUMN country")))
        self.assertIn("ShareLock", self.locked(self.find(report, "CREATE INDEX users_email")))
        self.assertTrue(report["migration"])

    @unittest.skipUnless(importlib.util.find_spec("django") and importlib.util.find_spec("psycopg2"), "Django is not installed")
    def test_django(self):
        for name, text in DJANGO.items():
            path = self.directory / "django" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        report = self.rehearse(f"{sys.executable} django/manage.py migrate -v 0", "django/shop/migrations/0001_country.py")
        self.assertIn("AccessExclusiveLock", self.locked(self.find(report, "ADD COLUMN country")))
        self.assertIn("ShareLock", self.locked(self.find(report, "CREATE INDEX users_email")))
        self.assertNotIn("django_migrations", self.source.sql("SELECT string_agg(relname, ' ') FROM pg_class", "shop"))

    @unittest.skipUnless(shutil.which("sqitch"), "sqitch is not installed")
    def test_sqitch(self):
        """It keeps what it has deployed in a schema of its own, which is a part of the migration."""
        for name, text in SQITCH.items():
            path = self.directory / "sqitch" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        report = self.rehearse('cd sqitch && sqitch deploy "db:$DATABASE_URL"', "sqitch/deploy/country.sql")
        self.assertIn("AccessExclusiveLock", self.locked(self.find(report, "ADD COLUMN country")))
        self.assertIn("ShareLock", self.locked(self.find(report, "CREATE INDEX users_email")))
        self.assertEqual(self.source.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'sqitch'", "shop"), "0")


if __name__ == "__main__":
    sys.exit(unittest.main())
