"""What the database itself holds besides tables: the guard of consent events, and the index that finds subscribers.

Consent events are never changed, and none is deleted unless its subscriber is being erased. Subscribers are found by any
three letters of their address or name: by trigrams on PostgreSQL (pg_trgm), by SQLite's full-text index of trigrams.
"""

MESSAGE = "consent events are append-only"
ERASING = "SELECT 1 FROM newsletter_subscriber WHERE id = OLD.subscriber_id AND state = 'erased'"

GUARD = {
    "sqlite": [
        f"""CREATE TRIGGER consent_never_changed BEFORE UPDATE ON newsletter_consentevent
            BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
        f"""CREATE TRIGGER consent_never_deleted BEFORE DELETE ON newsletter_consentevent
            WHEN NOT EXISTS ({ERASING}) BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
    ],
    "postgresql": [
        f"""CREATE FUNCTION consent_guard() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'DELETE' AND EXISTS ({ERASING}) THEN RETURN OLD; END IF;
                RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
            END $$""",
        """CREATE TRIGGER consent_guard BEFORE UPDATE OR DELETE ON newsletter_consentevent
            FOR EACH ROW EXECUTE FUNCTION consent_guard()""",
        """CREATE TRIGGER consent_guard_truncate BEFORE TRUNCATE ON newsletter_consentevent
            FOR EACH STATEMENT EXECUTE FUNCTION consent_guard()""",
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
UNDO = {
    "sqlite": [
        "DROP TRIGGER consent_never_changed",
        "DROP TRIGGER consent_never_deleted",
        "DROP TRIGGER subscriber_find_insert",
        "DROP TRIGGER subscriber_find_delete",
        "DROP TRIGGER subscriber_find_update",
        "DROP TABLE subscriber_find",
    ],
    "postgresql": [
        "DROP FUNCTION consent_guard CASCADE",
        "DROP INDEX subscriber_find_email",
        "DROP INDEX subscriber_find_name",
    ],
}


def create(apps, schema_editor):
    """Create the guard and the index."""
    vendor = schema_editor.connection.vendor
    for statement in [*GUARD[vendor], *FIND[vendor]]:
        schema_editor.execute(statement)


def drop(apps, schema_editor):
    """Take both away again."""
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)
