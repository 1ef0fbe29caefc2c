"""How fast mails may go out: so many a second, so many a day, fewer while a new sender warms up; for all workers together."""

from datetime import date, timedelta

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

GROWTH = 1.5  # a warming sender sends so many times as much each day
WINDOW = 1.1  # seconds in which SEND_PER_SECOND may go: one, and what the way to the provider may differ by


class SendAllowance(models.Model):
    """What was used of a limit: `amount` on the day of `at`; `recent`, a list of [time, number], in the last WINDOW."""

    name = models.CharField(max_length=10, unique=True)
    amount = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(default=timezone.now)
    recent = models.JSONField(default=list)

    def __str__(self):
        return f"{self.name}: {self.amount}"


def daily_limit(day):
    """Mails that may go out on a date: SEND_PER_DAY, or less in the first days after WARM_UP_FROM. None without a limit."""
    limits = [settings.SEND_PER_DAY] if settings.SEND_PER_DAY else []
    if settings.WARM_UP_FROM:
        days = (day - date.fromisoformat(settings.WARM_UP_FROM)).days
        if 0 <= days < 60:  # by then the limit is beyond any list
            limits.append(int(settings.WARM_UP_START * GROWTH**days))
    return min(limits, default=None)


def most_at_once():
    """How many mails may go out in a second, or None without such a limit."""
    return settings.SEND_PER_SECOND or None


def take(number):
    """Take leave to send up to `number` mails now. Returns (how many, seconds after which to ask again if none)."""
    limit = daily_limit(timezone.localdate())
    if limit is None and not settings.SEND_PER_SECOND:
        return number, 0
    with transaction.atomic():
        row, now = _locked(), timezone.now()
        if timezone.localdate(row.at) != timezone.localdate(now):
            row.amount = 0
        if limit is not None:
            number = min(number, limit - row.amount)
            if number <= 0:
                return 0, _seconds_until_tomorrow()
        if settings.SEND_PER_SECOND:
            row.recent = _recent(row, now)
            number = min(number, settings.SEND_PER_SECOND - sum(used for _at, used in row.recent))
            if number <= 0:
                return 0, max(row.recent[0][0] + WINDOW - now.timestamp(), 0.01)
            row.recent.append([now.timestamp(), number])
        row.amount += number
        row.at = now
        row.save(update_fields=["amount", "at", "recent"])
    return number, 0


def give_back(number):
    """Return leave that was not used, such as for mails that the worker could not begin."""
    if number and (settings.SEND_PER_DAY or settings.WARM_UP_FROM):
        row = SendAllowance.objects.filter(name="all", at__date=timezone.localdate())
        row.update(amount=Greatest(F("amount") - number, 0))


def _locked():
    """The row that all workers share, locked: they take turns."""
    SendAllowance.objects.bulk_create([SendAllowance(name="all")], ignore_conflicts=True)
    return SendAllowance.objects.select_for_update().get(name="all")


def _recent(row, now):
    """What went out within WINDOW. What a clock that was set back left in the future does not count."""
    return [[at, used] for at, used in row.recent if abs(now.timestamp() - at) < WINDOW]


def _seconds_until_tomorrow():
    now = timezone.localtime()
    return ((now + timedelta(days=1)).replace(hour=0, minute=0, second=5) - now).total_seconds()
