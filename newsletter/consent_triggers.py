"""The database's own guard of consent events: none is ever changed, and none deleted unless its subscriber is being erased."""

MESSAGE = "consent events are append-only"
ERASING = "SELECT 1 FROM newsletter_subscriber WHERE id = OLD.subscriber_id AND state = 'erased'"

SQLITE = [
    f"""CREATE TRIGGER consent_never_changed BEFORE UPDATE ON newsletter_consentevent
        BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
    f"""CREATE TRIGGER consent_never_deleted BEFORE DELETE ON newsletter_consentevent
        WHEN NOT EXISTS ({ERASING}) BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",
]
POSTGRESQL = [
    f"""CREATE FUNCTION consent_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' AND EXISTS ({ERASING}) THEN RETURN OLD; END IF;
            RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    """CREATE TRIGGER consent_guard BEFORE UPDATE OR DELETE ON newsletter_consentevent
        FOR EACH ROW EXECUTE FUNCTION consent_guard()""",
    """CREATE TRIGGER consent_guard_truncate BEFORE TRUNCATE ON newsletter_consentevent
        FOR EACH STATEMENT EXECUTE FUNCTION consent_guard()""",
]
UNDO = {
    "sqlite": ["DROP TRIGGER consent_never_changed", "DROP TRIGGER consent_never_deleted"],
    "postgresql": ["DROP FUNCTION consent_guard CASCADE"],
}


def create(apps, schema_editor):
    """Create the triggers."""
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


def drop(apps, schema_editor):
    """Drop the triggers."""
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)
