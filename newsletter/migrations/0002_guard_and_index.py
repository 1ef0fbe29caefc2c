"""The append-only guard of consent events, the search index of subscribers, and their tally.

Consent events are never changed, replaced or truncated, and deleted only while their subscriber is being erased
(docs/security.md says what the owner of the tables can still do). Subscribers are found by any three letters of their
address or name: with trigrams on PostgreSQL (pg_trgm) and SQLite's full-text index. Triggers count the subscribers
for each combination of state, language, country and source: on PostgreSQL one row of differences per statement, so
that transactions do not wait for a common counter (a job consolidates them); on SQLite, which has one writer, the
total itself.
"""

from collections.abc import Iterable

from django.db import migrations

MESSAGE = "consent events are append-only"
ERASING = "SELECT 1 FROM newsletter_subscriber WHERE id = OLD.subscriber_id AND state = 'erased'"

GUARD = {
    "sqlite": [
        f"""CREATE TRIGGER consent_never_changed BEFORE UPDATE ON newsletter_consentevent
            BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
        f"""CREATE TRIGGER consent_never_deleted BEFORE DELETE ON newsletter_consentevent
            WHEN NOT EXISTS ({ERASING}) BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
        # INSERT OR REPLACE deletes the old row, but fires triggers for that only under PRAGMA recursive_triggers.
        f"""CREATE TRIGGER consent_never_replaced BEFORE INSERT ON newsletter_consentevent
            WHEN EXISTS (SELECT 1 FROM newsletter_consentevent WHERE id = NEW.id)
            BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",  # noqa: S608
    ],
    "postgresql": [
        # The table is schema-qualified: a temporary table of the same name would be found first.
        f"""CREATE FUNCTION consent_guard() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE erasing boolean;
            BEGIN
                IF TG_OP = 'DELETE' THEN
                    EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || quote_ident(TG_TABLE_SCHEMA)
                        || '.newsletter_subscriber WHERE id = $1 AND state = $2)'
                        INTO erasing USING OLD.subscriber_id, 'erased';
                    IF erasing THEN RETURN OLD; END IF;
                END IF;
                RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
            END $$""",  # noqa: S608
        """CREATE TRIGGER consent_guard BEFORE UPDATE OR DELETE ON newsletter_consentevent
            FOR EACH ROW EXECUTE FUNCTION consent_guard()""",
        """CREATE TRIGGER consent_guard_truncate BEFORE TRUNCATE ON newsletter_consentevent
            FOR EACH STATEMENT EXECUTE FUNCTION consent_guard()""",
        # ALWAYS: also under session_replication_role = replica.
        """ALTER TABLE newsletter_consentevent ENABLE ALWAYS TRIGGER consent_guard,
            ENABLE ALWAYS TRIGGER consent_guard_truncate""",
    ],
}
FIND = {
    "sqlite": [
        """CREATE VIRTUAL TABLE subscriber_find USING fts5(
            email, name, content='newsletter_subscriber', content_rowid='id', tokenize='trigram')""",
        """CREATE TRIGGER subscriber_find_insert AFTER INSERT ON newsletter_subscriber BEGIN
            INSERT INTO subscriber_find (rowid, email, name) VALUES (NEW.id, NEW.email, NEW.name); END""",
        """CREATE TRIGGER subscriber_find_delete AFTER DELETE ON newsletter_subscriber BEGIN
            INSERT INTO subscriber_find (subscriber_find, rowid, email, name)
            VALUES ('delete', OLD.id, OLD.email, OLD.name); END""",
        """CREATE TRIGGER subscriber_find_update AFTER UPDATE OF email, name ON newsletter_subscriber BEGIN
            INSERT INTO subscriber_find (subscriber_find, rowid, email, name)
            VALUES ('delete', OLD.id, OLD.email, OLD.name);
            INSERT INTO subscriber_find (rowid, email, name) VALUES (NEW.id, NEW.email, NEW.name); END""",
    ],
    "postgresql": [
        "CREATE INDEX subscriber_find_email ON newsletter_subscriber USING gin (upper(email) gin_trgm_ops)",
        "CREATE INDEX subscriber_find_name ON newsletter_subscriber USING gin (upper(name) gin_trgm_ops)",
    ],
}
COLUMNS = "state, language, country, source"
NEW = ", ".join(f"NEW.{column}" for column in COLUMNS.split(", "))
OLD = ", ".join(f"OLD.{column}" for column in COLUMNS.split(", "))


def _tally_sqlite(values: str, step: int) -> str:
    return f"""INSERT INTO newsletter_subscribertally ({COLUMNS}, number) VALUES ({values}, {step})
        ON CONFLICT ({COLUMNS}) DO UPDATE SET number = number + {step};"""  # noqa: S608


def _tally_postgresql(event: str, tables: str, parts: Iterable[tuple[str, int]]) -> list[str]:
    union = " UNION ALL ".join(f"SELECT {COLUMNS}, {step} AS n FROM {table}" for table, step in parts)  # noqa: S608
    return [
        f"""CREATE FUNCTION subscriber_tally_{event}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO newsletter_subscribertally ({COLUMNS}, number)
            SELECT {COLUMNS}, SUM(n) FROM ({union}) AS changes GROUP BY {COLUMNS} HAVING SUM(n) <> 0;
            RETURN NULL; END $$""",  # noqa: S608
        f"""CREATE TRIGGER subscriber_tally_{event} AFTER {event.upper()} ON newsletter_subscriber
            REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION subscriber_tally_{event}()""",
    ]


TALLY = {
    "sqlite": [
        f"CREATE UNIQUE INDEX subscriber_tally ON newsletter_subscribertally ({COLUMNS})",
        f"""CREATE TRIGGER subscriber_tally_insert AFTER INSERT ON newsletter_subscriber BEGIN
            {_tally_sqlite(NEW, 1)} END""",
        f"""CREATE TRIGGER subscriber_tally_delete AFTER DELETE ON newsletter_subscriber BEGIN
            {_tally_sqlite(OLD, -1)} END""",
        f"""CREATE TRIGGER subscriber_tally_update AFTER UPDATE OF {COLUMNS} ON newsletter_subscriber BEGIN
            {_tally_sqlite(OLD, -1)} {_tally_sqlite(NEW, 1)} END""",
    ],
    "postgresql": [
        *_tally_postgresql("insert", "NEW TABLE AS came", [("came", 1)]),
        *_tally_postgresql("delete", "OLD TABLE AS went", [("went", -1)]),
        *_tally_postgresql("update", "OLD TABLE AS went NEW TABLE AS came", [("went", -1), ("came", 1)]),
    ],
}
UNDO = {
    "sqlite": [
        "DROP TRIGGER consent_never_changed",
        "DROP TRIGGER consent_never_deleted",
        "DROP TRIGGER consent_never_replaced",
        "DROP TRIGGER subscriber_find_insert",
        "DROP TRIGGER subscriber_find_delete",
        "DROP TRIGGER subscriber_find_update",
        "DROP TABLE subscriber_find",
        "DROP TRIGGER subscriber_tally_insert",
        "DROP TRIGGER subscriber_tally_delete",
        "DROP TRIGGER subscriber_tally_update",
        "DROP INDEX subscriber_tally",
    ],
    "postgresql": [
        "DROP FUNCTION consent_guard CASCADE",
        "DROP INDEX subscriber_find_email",
        "DROP INDEX subscriber_find_name",
        "DROP FUNCTION subscriber_tally_insert CASCADE",
        "DROP FUNCTION subscriber_tally_delete CASCADE",
        "DROP FUNCTION subscriber_tally_update CASCADE",
    ],
}




def create(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    for statement in [*GUARD[vendor], *FIND[vendor], *TALLY[vendor]]:
        schema_editor.execute(statement)


def drop(apps, schema_editor):
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("newsletter", "0001_initial"), ("search", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
