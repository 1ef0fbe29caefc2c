"""The dates on which a page goes live and expires, taken over by its translations."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User
from django.utils.dateparse import parse_datetime
from wagtail.models import Page

from translation.publishing import save_draft
from translation.status import Dates, coming_dates, texts_left, translation_of


def dates(page: Page) -> Dates:
    """Return when a page, or its version that waits for its date, goes live and expires, if that is to come."""
    return coming_dates(page.get_scheduled_revision_as_object() or page)


def others_to_schedule(user: User | AnonymousUser, page: Page) -> list[Page]:
    """Return the translations of a page whose dates differ from its own and that the user may publish.

    A published one does not wait to go live again. If the page has no dates, only those count that still have dates which it
    had before.
    """
    wanted = dates(page)
    others = Page.objects.filter(translation_key=page.translation_key, alias_of=None).exclude(pk=page.pk).specific()
    return [
        other
        for other in others
        if other.permissions_for_user(user).can_publish()
        and dates(other) != _dates_for(other, wanted)
        and (any(wanted) or _had_before(page, dates(other)))
    ]


def _had_before(page: Page, others: Dates) -> bool:
    """Return whether a page once had all the dates that a translation has."""
    rows = page.revisions.values_list("content__go_live_at", "content__expire_at")
    known = {parse_datetime(text) for row in rows for text in row if text}
    return all(date in known for date in others if date)


def _dates_for(other: Page, wanted: Dates) -> Dates:
    return (None if other.live else wanted[0], wanted[1])


def apply(user: User, page: Page, others: Iterable[Page]) -> list[Page]:
    """Give some of `others_to_schedule()` the dates of a page. Returns those that cannot go live, being incomplete."""
    incomplete = []
    for other in others:
        go_live_at, expire_at = _dates_for(other, dates(page))
        translation = translation_of(other)
        if not go_live_at:
            if not other.live:
                _stop_going_live(other)
            _set_expiry(other, expire_at)
        elif translation and texts_left(translation):
            incomplete.append(other)
        else:
            other = other.get_latest_revision_as_object()
            other.go_live_at, other.expire_at = go_live_at, expire_at
            revision = save_draft(translation, user, other) if translation else other.save_revision(user=user)
            revision.publish(user=user)
    return incomplete


def _stop_going_live(page: Page) -> None:
    """Take off the date on which a draft goes live."""
    page.revisions.filter(approved_go_live_at__isnull=False).update(approved_go_live_at=None)
    page.go_live_at = None
    page.save(update_fields=["go_live_at"], clean=False)
    if revision := page.latest_revision:
        revision.content["go_live_at"] = None
        revision.save(update_fields=["content"])


def _set_expiry(page: Page, expire_at: datetime | None) -> None:
    """Set when a page expires, in what readers see and in its draft, which is published some day."""
    page.expire_at = expire_at
    page.save(update_fields=["expire_at"], clean=False)
    if revision := page.latest_revision:
        revision.content["expire_at"] = page.serializable_data()["expire_at"]
        revision.save(update_fields=["content"])
