"""Periodic jobs of the editorial app."""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from jobs.periodic import every, removal_report

from editorial.models import PageViewCount

READINGS_KEPT = timedelta(days=400)


@every(timedelta(days=1), _("forget how often pages were read more than a year ago"))
def forget_old_readings():
    """Delete the readings that nobody compares with any more."""
    old = PageViewCount.objects.filter(day__lt=timezone.localdate() - READINGS_KEPT)
    return removal_report({"page readings": old.delete()[0]})
