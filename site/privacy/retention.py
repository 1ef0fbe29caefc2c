"""Retention periods of personal data (RETENTION_DAYS, docs/operators/settings.md). Each app applies them in a daily job."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

logger = logging.getLogger(__name__)


def cutoff(kind: str) -> datetime:
    """Return the datetime before which data of `kind` (a key of RETENTION_DAYS) has to be deleted.

    Raises ImproperlyConfigured if the period is shorter than one day, so that a mistake does not delete everything.
    """
    days = settings.RETENTION_DAYS[kind]
    if not isinstance(days, int) or days < 1:
        raise ImproperlyConfigured(f"RETENTION_{kind.upper()}_DAYS is {days}: nothing is deleted below one day.")
    return timezone.now() - timedelta(days=days)
