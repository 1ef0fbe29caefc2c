"""The time that all workers share. The clocks of machines differ, and leases compare times of one machine with those of
another; so workers follow the database's clock."""

import logging
import time
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

logger = logging.getLogger(__name__)
TOLERANCE = timedelta(seconds=5)  # a larger difference is logged
_ahead = timedelta()  # of the database's clock before this machine's


def follow_database() -> None:
    """Measure how far the database's clock is ahead. With SQLite all processes share this machine's clock."""
    global _ahead
    if connection.vendor != "postgresql":
        return
    before = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (there,) = cursor.fetchone()
    here = timezone.now() - timedelta(seconds=(time.monotonic() - before) / 2)
    if abs(there - here - _ahead) > TOLERANCE:
        logger.warning("This machine's clock differs from the database's by %.0f s", (here - there).total_seconds())
    _ahead = there - here


def now() -> datetime:
    """Return the time by the database's clock, as last measured."""
    return timezone.now() + _ahead
