"""The edition that repeats: drafted once a week or month if there is news. People look at it and send it."""

from datetime import date
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from django_tasks import task
from jobs import clock
from translation import notifications

from newsletter.editions import drafts
from newsletter.models import Digest, IssuePage, NewsletterPage


def today() -> date:
    """Return the date in the site's time zone, by the database's clock."""
    return timezone.localdate(clock.now(), ZoneInfo(settings.TIME_ZONE))


def draft_due() -> IssuePage | None:
    """Draft the edition of a week or month that has begun, once. Return it; None if nothing is due or there is no news."""
    with transaction.atomic():
        digest = Digest.objects.select_for_update().exclude(frequency="").first()
        if digest is None:
            return None
        period = digest.period_of(today())
        if digest.drafted_for and digest.drafted_for >= period:
            return None
        Digest.objects.update(drafted_for=period)
        parent = NewsletterPage.in_default_language()
        issue = drafts.draft_news(parent, template=digest.template) if parent else None
        if issue:
            notify_senders.enqueue(issue.pk)
    return issue


@task()
def notify_senders(page_id: int) -> None:
    """Tell those who may send editions that a draft waits for them."""
    issue = IssuePage.objects.filter(pk=page_id).first()
    if issue:
        people = get_user_model().objects.with_perm("newsletter.add_campaign")
        notifications.send(people, "newsletter/admin/mail/edition_drafted", issue)
