"""Limits: how often something may happen, counted in the database for all processes together."""

import hashlib
import hmac
import logging
from datetime import timedelta

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

logger = logging.getLogger(__name__)
KEPT = timedelta(days=1)  # the longest period that a limit may have


class RateLimitHit(models.Model):
    """That something that is limited happened. `key` is a keyed hash: it tells nobody what or who it was."""

    key = models.CharField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["key", "at"], name="use_of_key"), models.Index(fields=["at"], name="use_at")]

    def __str__(self):
        return f"{self.key[:8]}, {self.at:%H:%M:%S}"


def _name(key):
    return hmac.new(settings.SECRET_KEY.encode(), key.encode(), hashlib.sha256).hexdigest()[:32]


def hit(key, *limits):
    """Count one more use of `key`, if each of `limits`, pairs of (number, period), allows it; return whether it does.

    Two callers at once, in whichever processes, never get more together than the limit.
    """
    name, now = _name(key), timezone.now()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                number = int.from_bytes(bytes.fromhex(name)[:8], "big", signed=True)
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
        for number, period in limits:
            if RateLimitHit.objects.filter(key=name, at__gt=now - period).count() >= number:
                logger.warning("Limit reached: %s", key.partition(" ")[0])  # the rest of a key is about somebody
                return False
        RateLimitHit.objects.create(key=name, at=now)
    return True


def forget_old():
    """Delete what no limit looks at any more. Returns the number of rows."""
    return RateLimitHit.objects.filter(at__lt=timezone.now() - KEPT).delete()[0]


def reset(key):
    """Forget the uses of `key`: what was limited went well."""
    RateLimitHit.objects.filter(key=_name(key)).delete()
