"""Periodic jobs of the editorial app."""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from jobs.periodic import every, removal_report

from editorial.models import PageViewCount

PAGE_VIEW_RETENTION = timedelta(days=400)


@every(timedelta(days=1), _("forget how often pages were read more than a year ago"))
def delete_old_page_views() -> str:
    """Delete page views older than PAGE_VIEW_RETENTION."""
    old = PageViewCount.objects.filter(day__lt=timezone.localdate() - PAGE_VIEW_RETENTION)
    return removal_report({"page views": old.delete()[0]})
