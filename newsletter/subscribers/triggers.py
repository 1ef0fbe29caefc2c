"""Care for what the database's triggers maintain (migration 0002_guard_and_index): the tally and the search index."""

from django.db import connection

COLUMNS = "state, language, country, source"
SUM_UP = f"""WITH gone AS (DELETE FROM newsletter_subscribertally RETURNING {COLUMNS}, number)
    INSERT INTO newsletter_subscribertally ({COLUMNS}, number)
    SELECT {COLUMNS}, SUM(number) FROM gone GROUP BY {COLUMNS} HAVING SUM(number) <> 0"""  # noqa: S608


def sum_up_tally() -> None:
    """Consolidate the differences written by PostgreSQL's triggers into one row per combination of values."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(SUM_UP)


def optimise_search_index() -> None:
    """Merge SQLite's trigram index, which until then contains trigrams of deleted subscribers (half a second for
    200,000)."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO subscriber_find (subscriber_find) VALUES ('optimize')")
