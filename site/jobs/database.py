"""Start-up checks of the database. If the database goes away later, requests are answered with 503."""

import logging
import sys
import time

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor

logger = logging.getLogger(__name__)
STARTUP_TIMEOUT_SECONDS = 5  # the database may be starting at the same time
_is_away = False  # whether an outage was logged that is not over yet


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


def log_outage(error: DatabaseError | InterfaceError) -> None:
    """Log that the database is unavailable: once for each outage, however often and where this process meets it."""
    global _is_away
    if not _is_away:
        logger.warning("The database is unavailable (%s); this process waits for it", " ".join(str(error).split()))
    _is_away = True


def log_return() -> None:
    """Log that the database answers, if it was away."""
    global _is_away
    if _is_away:
        logger.info("The database is available again")
    _is_away = False


def pending_migrations() -> int:
    """Return the number of migrations that are not applied yet. Raises DatabaseError."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
