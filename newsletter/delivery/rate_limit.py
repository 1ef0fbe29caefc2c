"""Limits the sending rate per second and per day, and during warm-up, across all workers."""

from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone
from jobs import clock

GROWTH = 1.5  # daily growth factor during warm-up
WINDOW = (
    1.1  # seconds that NEWSLETTER_SEND_PER_SECOND applies to: one, plus a margin for varying latency to the provider
)


class SendAllowance(models.Model):
    """Usage of a limit: `amount` on the day of `at`, and `recent`, a list of [time, number] within the last WINDOW."""

    name = models.CharField(max_length=10, unique=True)
    amount = models.PositiveIntegerField(default=0)
    happened_at = models.DateTimeField(default=timezone.now)
    recent = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.name}: {self.amount}"


def daily_limit(day: date) -> int | None:
    """Return the number of mails allowed on a date: NEWSLETTER_SEND_PER_DAY, or less during warm-up. None without a limit."""
    limits = [settings.NEWSLETTER_SEND_PER_DAY] if settings.NEWSLETTER_SEND_PER_DAY else []
    if settings.NEWSLETTER_WARM_UP_FROM:
        days = (day - settings.NEWSLETTER_WARM_UP_FROM).days
        if 0 <= days < 60:  # after that the limit exceeds any realistic list
            limits.append(int(settings.NEWSLETTER_WARM_UP_START * GROWTH**days))
    return min(limits, default=None)


def per_second_limit() -> int | None:
    """Return the number of mails allowed per second, or None without a limit."""
    return settings.NEWSLETTER_SEND_PER_SECOND or None


def reserve(number: int) -> tuple[int, float]:
    """Reserve up to `number` mails of the limits. Return (reserved number, seconds until the next try if it is 0)."""
    limit = daily_limit(timezone.localdate(clock.now()))
    if limit is None and not settings.NEWSLETTER_SEND_PER_SECOND:
        return number, 0
    with transaction.atomic():
        row, now = _locked(), clock.now()
        if timezone.localdate(row.happened_at) != timezone.localdate(now):
            row.amount = 0
        if limit is not None:
            number = min(number, limit - row.amount)
            if number <= 0:
                return 0, _seconds_until_tomorrow()
        if settings.NEWSLETTER_SEND_PER_SECOND:
            row.recent = _recent(row, now)
            number = min(number, settings.NEWSLETTER_SEND_PER_SECOND - sum(used for _at, used in row.recent))
            if number <= 0:
                return 0, max(row.recent[0][0] + WINDOW - now.timestamp(), 0.01)
            row.recent.append([now.timestamp(), number])
        row.amount += number
        row.happened_at = now
        row.save(update_fields=["amount", "happened_at", "recent"])
    return number, 0


def release(number: int) -> None:
    """Return unused reservations, for example of mails that were not started."""
    if number and (settings.NEWSLETTER_SEND_PER_DAY or settings.NEWSLETTER_WARM_UP_FROM):
        row = SendAllowance.objects.filter(name="all", happened_at__date=timezone.localdate(clock.now()))
        row.update(amount=Greatest(F("amount") - number, 0))


def _locked() -> SendAllowance:
    """Return the row shared by all workers, locked."""
    SendAllowance.objects.bulk_create([SendAllowance(name="all")], ignore_conflicts=True)
    return SendAllowance.objects.select_for_update().get(name="all")


def _recent(row: SendAllowance, now: datetime) -> list[list[float]]:
    """Return the entries within WINDOW. Entries in the future, left by a clock that was set back, are ignored."""
    return [[at, used] for at, used in row.recent if abs(now.timestamp() - at) < WINDOW]


def _seconds_until_tomorrow() -> float:
    now = timezone.localtime(clock.now())
    return ((now + timedelta(days=1)).replace(hour=0, minute=0, second=5) - now).total_seconds()
