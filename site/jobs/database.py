"""Is the database there, and up to date? A process asks once when it starts; later, one that goes away is an answer 503, not an end."""

import sys
import time

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

PATIENCE_SECONDS = 5  # a database that starts at the same time is given so long


def wait_for_database():
    """Return once the database answers; after PATIENCE_SECONDS end the process with one line that names the setting."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            if time.monotonic() > until:
                reason = " ".join(str(error).split())
                sys.exit(
                    f"Setting DATABASE_URL: the database does not answer ({reason}). See docs/operators/settings.md."
                )
            time.sleep(0.5)
        else:
            connection.close()
            return


def pending_migrations():
    """How many migrations of this release the database lacks. Raises DatabaseError."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
