"""Campaigns: started once, sent from the ledger, finished when no delivery is open."""

import logging
import random
from datetime import timedelta

from core.leases import claim, free
from django.conf import settings
from django.core.mail import get_connection
from django.db import connection, transaction
from django.db.models import Case, CharField, F, Q, Value, When
from django.db.models.functions import Now
from django.utils import timezone
from wagtail.models import Locale

from . import bounces, mailing, rendering
from .conditions import query_of
from .errors import is_permanent
from .models import Campaign, CampaignContent, Delivery, IssuePage, Subscriber, Suppression
from .subscriptions import manage_url

logger = logging.getLogger(__name__)
State = Delivery.State
MAX_ATTEMPTS = 8
TRANSITIONS = {
    "pause": ([Campaign.State.SENDING], Campaign.State.PAUSED),
    "resume": ([Campaign.State.PAUSED], Campaign.State.SENDING),
    "cancel": ([Campaign.State.SENDING, Campaign.State.PAUSED], Campaign.State.CANCELLED),
}
PAUSE_SECONDS = 30  # before the second try; doubled for each further one


def audience(segment=None):
    """Everyone who may get a newsletter now, or those of them who are in a Segment."""
    people = Subscriber.objects.filter(state=Subscriber.State.ACTIVE)
    return people.filter(query_of(segment.match, segment.conditions)) if segment else people


def published_languages(issue):
    """The languages in which an edition is published: {language code: IssuePage}."""
    pages = issue.get_translations(inclusive=True).live()
    codes = dict(Locale.objects.values_list("pk", "language_code"))
    return {codes[page.locale_id]: page for page in pages}


def language_case(languages):
    """SQL: a subscriber's own language if the edition is published in it, else the default one."""
    fallback = settings.LANGUAGE_CODE if settings.LANGUAGE_CODE in languages else next(iter(languages))
    return Case(
        When(language__in=list(languages), then=F("language")), default=Value(fallback), output_field=CharField()
    )


def campaign_for(issue, user):
    """The draft campaign of an edition to be started now, or the one started within the last minute (an impatient second press)."""
    with transaction.atomic():
        IssuePage.objects.select_for_update().get(pk=issue.pk)
        just_now = timezone.now() - timedelta(minutes=1)
        recent = Q(state=Campaign.State.DRAFT) | Q(started_at__gt=just_now)
        found = issue.campaigns.filter(recent).exclude(state=Campaign.State.CANCELLED).first()
        return found or Campaign.objects.create(issue=issue, created_by=user)


def start(campaign):
    """Freeze the content and write one delivery per subscriber. Returns whether this call did it: only the first one does.

    Raises ValueError if the edition is published in no language.
    """
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if locked.state not in {Campaign.State.DRAFT, Campaign.State.SCHEDULED}:
            return False
        pages = published_languages(locked.issue)
        if not pages:
            raise ValueError("the edition is not published")
        for language, page in pages.items():
            mail = rendering.render_issue(page)
            CampaignContent.objects.create(
                campaign=locked,
                language=language,
                subject=mail.subject,
                preheader=mail.preheader,
                html=mail.html,
                text=mail.text,
            )
        _write_deliveries(locked, pages)
        now = timezone.now()
        Campaign.objects.filter(pk=locked.pk).update(state=Campaign.State.SENDING, started_at=now, worked_at=now)
    campaign.refresh_from_db()
    return True


def _write_deliveries(campaign, languages):
    """One INSERT … SELECT for the whole audience, however large."""
    rows = (
        audience(campaign.segment)
        .order_by("pk")
        .annotate(
            campaign_number=Value(campaign.pk),
            mail_language=language_case(languages),
            delivery_state=Value(State.QUEUED.value),
            no_tries=Value(0),
            nothing=Value(""),
            no_reason=Value(""),
        )
        .values_list("campaign_number", "pk", "mail_language", "delivery_state", "no_tries", "nothing", "no_reason")
    )
    columns = ["campaign", "subscriber", "language", "state", "attempts", "provider_id", "error"]
    names = ", ".join(connection.ops.quote_name(Delivery._meta.get_field(name).column) for name in columns)
    select, parameters = rows.query.sql_with_params()
    table = connection.ops.quote_name(Delivery._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) {select}", parameters)


def send_batch(campaign):
    """Claim a batch, send it, record every result. Returns how many deliveries were in hand; 0 when nothing waits."""
    waiting = campaign.deliveries.filter(state__in=Delivery.OPEN)
    batch = claim(waiting, settings.NEWSLETTER_BATCH_SIZE, settings.NEWSLETTER_LEASE_SECONDS, state=State.SENDING)
    if not batch:
        return 0
    Campaign.objects.filter(pk=campaign.pk).update(worked_at=timezone.now())
    contents = {content.language: content for content in campaign.contents.all()}
    subscribers = audience().in_bulk([delivery.subscriber_id for delivery in batch if delivery.subscriber_id])
    suppressed = Suppression.covers([subscriber.email for subscriber in subscribers.values()])
    with get_connection() as mail:
        for delivery in batch:
            delivery.campaign = campaign
            subscriber = subscribers.get(delivery.subscriber_id)
            if subscriber is None or subscriber.email in suppressed:
                _record(delivery, State.SKIPPED)
            else:
                _send(mail, delivery, subscriber, contents[delivery.language])
    return len(batch)


def _send(mail, delivery, subscriber, content):
    """Send one delivery and record what became of it."""
    message = build_message(delivery, subscriber, content)
    try:
        mail.send_messages([message])
    except Exception as error:
        _record_failure(delivery, error)
    else:
        status = getattr(message, "anymail_status", None)
        _record(delivery, State.SENT, provider_id=getattr(status, "message_id", None) or "", sent_at=Now(), error="")


def build_message(delivery, subscriber, content):
    """The mail of a delivery, with one-click leaving (RFC 8058), List-Id (RFC 2919) and a Message-ID that is always the same."""
    leave_url = manage_url(subscriber)
    values = {rendering.LEAVE_URL: leave_url, rendering.PREFERENCES_URL: manage_url(subscriber, "preferences")}
    mail = rendering.Rendered(content.subject, content.preheader, content.html, content.text).personalised(values)
    headers = {
        "Message-ID": delivery.message_id,
        "List-Id": f"<newsletter-{content.language}.{mailing.sender_domain()}>",
        "List-Unsubscribe": f"<{leave_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Content-Language": content.language,
    }
    message = mailing.message(mail.subject, mail.text, mail.html, subscriber.email, headers)
    if settings.BOUNCE_ADDRESS:
        # The envelope's sender takes bounces (VERP); what people see stays in the header.
        headers["From"] = settings.DEFAULT_FROM_EMAIL
        message.from_email = bounces.return_path(delivery.pk)
    message.metadata = {"delivery": str(delivery.pk)}
    return message


def _record(delivery, state, **fields):
    """Record the outcome of a delivery in hand; what the provider may have said of it meanwhile is stronger and stays."""
    mine = Delivery.objects.filter(pk=delivery.pk)
    if not mine.filter(state=State.SENDING).update(state=state, lease_until=None, **fields):
        fields.pop("error", None)
        if fields:
            mine.update(**fields)


def _record_failure(delivery, error):
    """Keep the provider's words; try again later, with growing pauses, unless that is useless."""
    words = str(error)[:2000] or type(error).__name__
    if is_permanent(error) or delivery.attempts >= MAX_ATTEMPTS:
        _record(delivery, State.FAILED, error=words)
        return
    pause = PAUSE_SECONDS * 2 ** (delivery.attempts - 1) * random.uniform(0.75, 1.25)  # noqa: S311
    again = timezone.now() + timedelta(seconds=pause)
    Delivery.objects.filter(pk=delivery.pk).update(state=State.QUEUED, lease_until=again, error=words)
    logger.warning("Delivery %s will be tried again: %s", delivery.pk, type(error).__name__)


def change_state(campaign, action):
    """Pause, resume or cancel a campaign (`action`); returns whether its state allowed that. A batch in hand is finished."""
    sources, target = TRANSITIONS[action]
    return bool(Campaign.objects.filter(pk=campaign.pk, state__in=sources).update(state=target))


def finish_if_done(campaign):
    """Mark a campaign as sent once no delivery is open. Returns whether it is."""
    if campaign.deliveries.filter(state__in=Delivery.OPEN).exists():
        return False
    Campaign.objects.filter(pk=campaign.pk, state=Campaign.State.SENDING).update(
        state=Campaign.State.SENT, finished_at=timezone.now()
    )
    return True


def forgotten_campaigns():
    """Campaigns that should be sending but that no worker has touched for a while, though something could be done."""
    silent = timezone.now() - timedelta(seconds=settings.NEWSLETTER_LEASE_SECONDS)
    for campaign in Campaign.objects.filter(Q(worked_at=None) | Q(worked_at__lt=silent), state=Campaign.State.SENDING):
        open_deliveries = campaign.deliveries.filter(state__in=Delivery.OPEN)
        if free(open_deliveries).exists() or not open_deliveries.exists():
            yield campaign


def send_test(page, email):
    """Send an edition as one mail to `email`, marked as a test. Raises mailing.Suppressed."""
    mail = rendering.preview(page)
    mailing.send(mailing.message(f"[TEST] {mail.subject}", mail.text, mail.html, email))
