"""Rate limits, counted in the database across all processes."""

import hashlib
import hmac
import logging
from datetime import timedelta

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

logger = logging.getLogger(__name__)
MAX_PERIOD = timedelta(days=1)  # older hits are deleted


class RateLimitHit(models.Model):
    """One counted event. `key` is an HMAC, so that the row does not reveal what or whom it is about."""

    key = models.CharField(max_length=32)
    happened_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["key", "happened_at"], name="rate_limit_key"),
            models.Index(fields=["happened_at"], name="rate_limit_time"),
        ]

    def __str__(self) -> str:
        return f"{self.key[:8]}, {self.happened_at:%H:%M:%S}"


def _hash_key(key: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), key.encode(), hashlib.sha256).hexdigest()[:32]


def hit(key: str, *limits: tuple[int, timedelta]) -> bool:
    """Count an event of `key` if none of `limits`, pairs of (number, period), is reached. Returns whether it was counted.

    Concurrent callers in any process never exceed a limit together (an advisory lock on PostgreSQL, one writer on SQLite).
    """
    name, now = _hash_key(key), timezone.now()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                number = int.from_bytes(bytes.fromhex(name)[:8], "big", signed=True)
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
        for number, period in limits:
            if RateLimitHit.objects.filter(key=name, happened_at__gt=now - period).count() >= number:
                logger.warning("Limit reached: %s", key.partition(" ")[0])  # the rest of a key is personal data
                return False
        RateLimitHit.objects.create(key=name, happened_at=now)
    return True


def delete_old_hits() -> int:
    """Delete hits older than MAX_PERIOD. Returns their number."""
    return RateLimitHit.objects.filter(happened_at__lt=timezone.now() - MAX_PERIOD).delete()[0]


def reset(key: str) -> None:
    """Delete the hits of `key`, for example after a successful sign-in."""
    RateLimitHit.objects.filter(key=_hash_key(key)).delete()
