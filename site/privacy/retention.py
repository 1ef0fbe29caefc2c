"""How long personal data is kept: settings.RETENTION_DAYS (docs/operators/settings.md), applied by a job of each app once a day."""

import logging
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

logger = logging.getLogger(__name__)


def cutoff(kind):
    """The moment before which data of a kind (a key of RETENTION_DAYS) is deleted.

    Raises ImproperlyConfigured for less than one day, so that nothing is deleted: zero would mean all that there is.
    """
    days = settings.RETENTION_DAYS[kind]
    if not isinstance(days, int) or days < 1:
        raise ImproperlyConfigured(f"RETENTION_{kind.upper()}_DAYS is {days}: nothing is deleted below one day.")
    return timezone.now() - timedelta(days=days)
