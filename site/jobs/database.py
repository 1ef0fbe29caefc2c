"""Start-up checks of the database. If the database goes away later, requests are answered with 503."""

import sys
import time

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

STARTUP_TIMEOUT_SECONDS = 5  # the database may be starting at the same time


def wait_for_database() -> None:
    """Block until the database answers. Exit with a message that names the setting after STARTUP_TIMEOUT_SECONDS."""
    deadline = time.monotonic() + STARTUP_TIMEOUT_SECONDS
    while True:
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            if time.monotonic() > deadline:
                reason = " ".join(str(error).split())
                sys.exit(
                    f"Setting DATABASE_URL: the database does not answer ({reason}). See docs/operators/settings.md."
                )
            time.sleep(0.5)
        else:
            connection.close()
            return


def pending_migrations() -> int:
    """Return the number of migrations that are not applied yet. Raises DatabaseError."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
