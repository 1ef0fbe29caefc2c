"""No SQL changes a consent event, or deletes one whose subscriber is not being erased: whichever statement, on both databases."""

import pytest
from django.db import DatabaseError, connection, transaction

from newsletter.models import ConsentEvent, Subscriber, SubscriberTally

pytestmark = pytest.mark.django_db
VALUES = """(id, subscriber_id, kind, happened_at, method, language, wording, wording_version, origin, detail, form_data)
    VALUES ({event}, {subscriber}, 'confirmed', '2020-01-01', 'form', 'es', 'other', '', '', '', '{{}}')"""
BOTH = [
    "UPDATE newsletter_consentevent SET wording = 'other'",
    "DELETE FROM newsletter_consentevent",
    f"INSERT INTO newsletter_consentevent {VALUES} ON CONFLICT (id) DO UPDATE SET wording = 'other'",
]
SQLITE = [
    f"INSERT OR REPLACE INTO newsletter_consentevent {VALUES}",
    f"REPLACE INTO newsletter_consentevent {VALUES}",
    f"INSERT INTO newsletter_consentevent {VALUES} ON CONFLICT DO UPDATE SET wording = 'other'",
    "UPDATE OR REPLACE newsletter_consentevent SET wording = 'other'",
    "UPDATE OR IGNORE newsletter_consentevent SET wording = 'other'",
    "UPDATE OR REPLACE newsletter_consentevent SET id = {other} WHERE id = {event}",
]
POSTGRESQL = [
    "TRUNCATE newsletter_consentevent",
    "TRUNCATE newsletter_consentevent RESTART IDENTITY CASCADE",
    "TRUNCATE newsletter_subscriber CASCADE",
    "TRUNCATE newsletter_consentevent, newsletter_subscriber CASCADE",
    "SET LOCAL session_replication_role = replica; UPDATE newsletter_consentevent SET wording = 'other'",
    "SET LOCAL session_replication_role = replica; DELETE FROM newsletter_consentevent",
    "SET LOCAL session_replication_role = replica; TRUNCATE newsletter_subscriber CASCADE",
    """MERGE INTO newsletter_consentevent USING (SELECT 1) AS one ON true
        WHEN MATCHED THEN UPDATE SET wording = 'other'""",
    "MERGE INTO newsletter_consentevent USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    """CREATE TEMP TABLE newsletter_subscriber AS SELECT id, 'erased'::text AS state FROM public.newsletter_subscriber;
        DELETE FROM newsletter_consentevent""",
    "WITH gone AS (DELETE FROM newsletter_consentevent RETURNING id) SELECT count(*) FROM gone",
]


@pytest.fixture
def events(subscribe):
    """Two consent events of one subscriber."""
    person = subscribe("rosa@example.org")
    proof = {"subscriber": person, "kind": "asked", "method": "form", "language": "es", "wording": "Quiero"}
    made = [ConsentEvent.objects.create(**proof) for _number in range(2)]
    connection.check_constraints()  # PostgreSQL refuses to truncate a table whose constraints are still to be checked
    return made


def is_unchanged(events):
    return list(ConsentEvent.objects.order_by("pk").values_list("pk", "wording")) == [(e.pk, "Quiero") for e in events]


def filled(statement, events):
    first, second = events
    return statement.format(event=first.pk, other=second.pk, subscriber=first.subscriber_id)


@pytest.mark.parametrize("statement", BOTH + (SQLITE if connection.vendor == "sqlite" else POSTGRESQL))
def test_no_statement_changes_or_deletes_a_consent_event(events, statement):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(filled(statement, events))
    assert is_unchanged(events)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's triggers fire whatever a connection is set to")
@pytest.mark.parametrize("statement", BOTH[2:] + SQLITE)
def test_sqlite_refuses_them_on_a_connection_that_no_django_has_set_up(events, statement):
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA recursive_triggers = OFF")
    try:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(filled(statement, events))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA recursive_triggers = ON")
    assert is_unchanged(events)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="INSERT OR REPLACE is SQLite's")
def test_replacing_a_subscriber_fires_the_triggers_of_what_it_deletes(events):
    person = events[0].subscriber
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT OR REPLACE INTO newsletter_subscriber
            (id, uuid, email, name, language, country, source, state, is_disposable, new_email, confirmation_round, created_at)
            VALUES (%s, 'x', 'ana@example.org', '', 'es', '', 'form', 'active', 0, '', 0, '2020-01-01')""",
            [person.pk],
        )
    assert sum(SubscriberTally.objects.values_list("number", flat=True)) == Subscriber.objects.count() == 1


def test_erasing_a_subscriber_still_deletes_the_events(events):
    Subscriber.objects.all().delete_with_consent()
    assert not ConsentEvent.objects.exists()
