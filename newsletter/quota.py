"""How fast mails may go out: so many a second, so many a day, fewer while a new sender warms up; for all workers together."""

from datetime import date, timedelta

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

GROWTH = 1.5  # a warming sender sends so many times as much each day


class Allowance(models.Model):
    """What is left of a limit: "day" counts up to it, "second" is a bucket that fills again."""

    name = models.CharField(max_length=10, unique=True)
    amount = models.FloatField(default=0)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self):
        return f"{self.name}: {self.amount:.1f}"


def daily_limit(day):
    """Mails that may go out on a date: SEND_PER_DAY, or less in the first days after WARM_UP_FROM. None without a limit."""
    limits = [settings.SEND_PER_DAY] if settings.SEND_PER_DAY else []
    if settings.WARM_UP_FROM:
        days = (day - date.fromisoformat(settings.WARM_UP_FROM)).days
        if 0 <= days < 60:  # by then the limit is beyond any list
            limits.append(int(settings.WARM_UP_START * GROWTH**days))
    return min(limits, default=None)


def take(number):
    """Take leave to send up to `number` mails now. Returns (how many, seconds after which to ask again if none)."""
    today = timezone.localdate()
    limit = daily_limit(today)
    if limit is None and not settings.SEND_PER_SECOND:
        return number, 0
    with transaction.atomic():
        rows = {row.name: row for row in _rows()}
        if limit is not None:
            if timezone.localdate(rows["day"].at) != today:
                rows["day"].amount = 0
            number = min(number, int(limit - rows["day"].amount))
            if number <= 0:
                return 0, _seconds_until_tomorrow()
        if settings.SEND_PER_SECOND:
            number = min(number, int(_filled(rows["second"])))
            if number <= 0:
                return 0, 1 / settings.SEND_PER_SECOND
            rows["second"].amount = _filled(rows["second"]) - number
        rows["day"].amount += number
        for row in rows.values():
            row.at = timezone.now()
            row.save()
    return number, 0


def give_back(number):
    """Return leave that was not used, such as for mails that the worker could not begin."""
    if number and (settings.SEND_PER_DAY or settings.WARM_UP_FROM):
        Allowance.objects.filter(name="day").update(amount=models.F("amount") - number)


def _rows():
    Allowance.objects.bulk_create([Allowance(name="day"), Allowance(name="second")], ignore_conflicts=True)
    return Allowance.objects.select_for_update().order_by("name")


def _filled(row):
    """What is in the bucket now; it never holds more than one second's worth."""
    passed = (timezone.now() - row.at).total_seconds()
    return min(settings.SEND_PER_SECOND, row.amount + passed * settings.SEND_PER_SECOND)


def _seconds_until_tomorrow():
    now = timezone.localtime()
    return ((now + timedelta(days=1)).replace(hour=0, minute=0, second=5) - now).total_seconds()
