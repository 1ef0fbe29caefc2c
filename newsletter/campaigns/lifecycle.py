"""The states of a campaign: content frozen and started once, paused, refreshed, resumed, cancelled, and finished when
no delivery is open.

draft → scheduled → sending ⇄ paused → sent
                       └→ cancelled ←┘
"""

import logging
from collections.abc import Collection, Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Case, CharField, DateTimeField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Mod
from django.utils import timezone
from django.utils.translation import gettext
from jobs import clock
from jobs.leases import unleased
from operations.alerts import raise_alert
from redaction.text import storable
from wagtail.models import Locale

from newsletter.editions import rendering
from newsletter.models import Campaign, CampaignContent, CampaignLink, Delivery, IssuePage, Segment, Subscriber
from newsletter.subscribers.audiences import audience, mail_language

logger = logging.getLogger(__name__)
State, Mail = Campaign.State, Delivery.State
TRANSITIONS = {
    "pause": ([State.SENDING], State.PAUSED),
    "resume": ([State.PAUSED], State.SENDING),
    "cancel": ([State.SCHEDULED, State.SENDING, State.PAUSED], State.CANCELLED),
}
LATE = timedelta(hours=1)  # a campaign overdue by more than this waits for an editor instead of starting
MORNING = time(9)
# The time zone of each country's capital; other countries use the site's time zone.
ZONES = {
    "AR": "America/Argentina/Buenos_Aires", "BB": "America/Barbados", "BO": "America/La_Paz", "BR": "America/Sao_Paulo",
    "BZ": "America/Belize", "CL": "America/Santiago", "CO": "America/Bogota", "CR": "America/Costa_Rica",
    "CU": "America/Havana", "DO": "America/Santo_Domingo", "EC": "America/Guayaquil", "ES": "Europe/Madrid",
    "GT": "America/Guatemala", "GY": "America/Guyana", "HN": "America/Tegucigalpa", "HT": "America/Port-au-Prince",
    "JM": "America/Jamaica", "MX": "America/Mexico_City", "NI": "America/Managua", "PA": "America/Panama",
    "PE": "America/Lima", "PR": "America/Puerto_Rico", "PT": "Europe/Lisbon", "PY": "America/Asuncion",
    "SR": "America/Paramaribo", "SV": "America/El_Salvador", "TT": "America/Port_of_Spain", "UY": "America/Montevideo",
    "VE": "America/Caracas",
}  # fmt: skip


def published_languages(issue: IssuePage) -> dict[str, IssuePage]:
    """Return the languages in which an edition is published: {language code: IssuePage}."""
    pages = issue.get_translations(inclusive=True).live()
    codes = dict(Locale.objects.values_list("pk", "language_code"))
    return {codes[page.locale_id]: page for page in pages}


# Starting


class Unpublished(Exception):
    """The edition is not published in any language."""


class Outdated(Exception):
    """A campaign of the edition was started, scheduled or stopped since the editor's page was rendered."""


def start_key(issue: IssuePage) -> str:
    """Return a key of the current state of an edition's campaigns. The page that starts one sends it back, so that it
    works once and only if nothing changed meanwhile (a precondition as in RFC 9110, 13.1.1)."""
    known = issue.campaigns.order_by("pk").values_list("pk", "state", "scheduled_at")
    return " ".join(f"{pk}-{state}-{at.isoformat() if at else ''}" for pk, state, at in known) or "new"


def was_started(issue: IssuePage) -> bool:
    """Return whether any mail of an edition may have been sent."""
    return issue.campaigns.filter(started_at__isnull=False).exists()


def is_sending(issue: IssuePage) -> bool:
    """Return whether an edition is being sent, or its sending is paused."""
    return issue.campaigns.filter(state__in=[State.SENDING, State.PAUSED]).exists()


def start_or_schedule(
    issue: IssuePage,
    user: User,
    key: str,
    *,
    segment: Segment | None = None,
    local_morning: bool = False,
    at: datetime | None = None,
    is_again: bool = False,
) -> Campaign:
    """Send an edition now, or schedule it for the time `at`. Returns the Campaign.

    `key` is the `start_key` of the editor's page; an edition that was started before needs `is_again`. Raises
    Outdated if either does not match, Unpublished if the edition is published in no language, and
    rendering.Unrenderable.
    """
    with transaction.atomic():
        IssuePage.objects.select_for_update().get(pk=issue.pk)
        if key != start_key(issue) or is_again != was_started(issue):
            raise Outdated
        waiting = issue.campaigns.filter(state__in=[State.DRAFT, State.SCHEDULED]).first()
        campaign = waiting or Campaign.objects.create(issue=issue, created_by=user)
        set_audience(campaign, segment, local_morning)
        if not (schedule(campaign, at) if at else start(campaign)):
            raise Outdated  # it was started by the scheduler meanwhile
    campaign.refresh_from_db()
    return campaign


def _locked(campaign: Campaign) -> Campaign:
    """Return the campaign's current row, locked until the transaction ends."""
    return Campaign.objects.select_for_update().get(pk=campaign.pk)


def start(campaign: Campaign, is_due: bool = False) -> bool:
    """Freeze the content and write one delivery per subscriber. Return whether this call did so: only the first one
    does.

    With `is_due` it starts only if it is still due, as an editor may have postponed it. Raises Unpublished if the
    edition is published in no language.
    """
    with transaction.atomic():
        locked = _locked(campaign)
        if locked.state not in ({State.SCHEDULED} if is_due else {State.DRAFT, State.SCHEDULED}):
            return False
        if is_due and (locked.scheduled_at is None or locked.scheduled_at > timezone.now()):
            return False
        pages = freeze(locked)
        _write_deliveries(locked, audience(locked.segment), list(pages))
        now = timezone.now()
        Campaign.objects.filter(pk=locked.pk).update(state=State.SENDING, started_at=now, worked_at=now, problem="")
    campaign.refresh_from_db()
    return True


def freeze(campaign: Campaign) -> dict[str, IssuePage]:
    """Render the edition in each published language and store the result. Return {language: IssuePage}.

    Raises Unpublished if there is no language, and rendering.Unrenderable.
    """
    pages = published_languages(campaign.issue)
    if not pages:
        raise Unpublished
    links = rendering.Links(campaign.links.values_list("url", "number"))
    for language, page in pages.items():
        for variant, mail in rendering.render_issue(page, links).items():
            CampaignContent.objects.update_or_create(
                campaign=campaign,
                language=language,
                variant=variant,
                defaults={
                    "subject": mail.subject,
                    "preheader": mail.preheader,
                    "html": mail.html,
                    "text": mail.text,
                    "frozen_at": timezone.now(),
                },
            )
    CampaignLink.objects.bulk_create(
        [CampaignLink(campaign=campaign, number=number, url=url) for url, number in links.new.items()]
    )
    return pages


def _write_deliveries(campaign: Campaign, people: QuerySet[Subscriber], languages: Collection[str]) -> int:
    """Write deliveries for people with one INSERT … SELECT. Return their number."""
    with_variant = CampaignContent.objects.filter(campaign=campaign, variant="b").values_list("language", flat=True)
    rows = (
        people.order_by("pk")
        .annotate(
            campaign_number=Value(campaign.pk),
            mail_language=mail_language(languages),
            delivery_state=Value(Mail.QUEUED.value),
            no_tries=Value(0),
            nothing=Value(""),
            no_reason=Value(""),
            not_before=_mornings(campaign),
        )
        .annotate(half=Mod("pk", 2))
        .annotate(
            chosen_variant=Case(
                When(mail_language__in=list(with_variant), half=1, then=Value("b")),
                default=Value(""),
                output_field=CharField(),
            )
        )
        .values_list(
            "campaign_number", "pk", "mail_language", "chosen_variant", "delivery_state", "no_tries", "nothing", "no_reason", "not_before"
        )
    )  # fmt: skip
    columns = [
        "campaign_id",
        "subscriber_id",
        "language",
        "variant",
        "state",
        "attempts",
        "provider_id",
        "error",
        "lease_until",
    ]
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    select, parameters = rows.query.sql_with_params()
    if connection.vendor == "postgresql":
        # PostgreSQL checks foreign keys at commit: without this lock, a concurrent erasure would roll back the
        # start.
        select += f" FOR KEY SHARE OF {connection.ops.quote_name(Subscriber._meta.db_table)}"
    table = connection.ops.quote_name(Delivery._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) {select}", parameters)
        return cursor.rowcount


def _mornings(campaign: Campaign) -> Value | Case:
    """SQL: the earliest sending time of each subscriber: the next morning in their country, or NULL for at once."""
    at_once = Value(None, output_field=DateTimeField())
    if not campaign.local_morning:
        return at_once
    start = campaign.scheduled_at or timezone.now()
    cases = [When(country=code, then=Value(next_morning(zone, start))) for code, zone in ZONES.items()]
    return Case(*cases, default=Value(next_morning(settings.TIME_ZONE, start)), output_field=DateTimeField())


def next_morning(zone: str, start: datetime) -> datetime:
    """Return the first MORNING in a time zone at or after `start`, daylight saving time considered."""
    local = start.astimezone(ZoneInfo(zone))
    morning = datetime.combine(local.date(), MORNING, ZoneInfo(zone))
    return morning if morning >= local else datetime.combine(local.date() + timedelta(days=1), MORNING, ZoneInfo(zone))


# Scheduling


def set_audience(campaign: Campaign, segment: Segment | None, local_morning: bool) -> None:
    """Set a campaign's segment and whether it goes out in each country's morning, if it has not started."""
    waiting = Campaign.objects.filter(pk=campaign.pk, state__in=[State.DRAFT, State.SCHEDULED])
    waiting.update(segment=segment, local_morning=local_morning)


def schedule(campaign: Campaign, at: datetime) -> bool:
    """Schedule a campaign for a time. Return whether its state allowed that."""
    waiting = Campaign.objects.filter(pk=campaign.pk, state__in=[State.DRAFT, State.SCHEDULED])
    return bool(waiting.update(state=State.SCHEDULED, scheduled_at=at, problem=""))


def start_due() -> list[Campaign]:
    """Start due campaigns and return them. One that is overdue by more than LATE waits for an editor."""
    started = []
    for campaign in Campaign.objects.filter(state=State.SCHEDULED, scheduled_at__lte=timezone.now()):
        if campaign.scheduled_at and timezone.now() - campaign.scheduled_at > LATE:
            _return_late_to_draft(campaign)
            continue
        try:
            if start(campaign, is_due=True):
                started.append(campaign)
        except Unpublished:
            _return_to_draft(campaign, Campaign.Problem.UNPUBLISHED)
        except (OperationalError, InterfaceError):  # the database is unavailable: retried
            raise
        except Exception as error:  # the other campaigns start all the same
            logger.exception("Campaign %s cannot be started", campaign.pk)
            if _return_to_draft(campaign, Campaign.Problem.BROKEN, str(error)):
                raise_alert(f"campaign {campaign.pk} cannot be started", f"Campaign {campaign.pk}: {error}")
    return started


def _return_late_to_draft(campaign: Campaign) -> None:
    if _return_to_draft(campaign, Campaign.Problem.LATE):
        raise_alert("campaign late", f"Campaign {campaign.pk} was due at {campaign.scheduled_at:%Y-%m-%d %H:%M} UTC; it waits for a person.")  # fmt: skip


def _return_to_draft(campaign: Campaign, problem: Campaign.Problem, words: str = "") -> bool:
    """Make a campaign that cannot start a draft again, unless an editor has postponed it meanwhile."""
    seen = Campaign.objects.filter(pk=campaign.pk, state=State.SCHEDULED, scheduled_at=campaign.scheduled_at)
    return bool(seen.update(state=State.DRAFT, problem=problem, problem_words=storable(words)))


# While sending


def change_state(campaign: Campaign, action: str) -> bool:
    """Pause, resume or cancel a campaign (`action`). Return whether its state allowed that."""
    sources, target = TRANSITIONS[action]
    fields: dict[str, object] = {"state": target, "problem": ""}
    if action == "resume":
        fields |= {"resume_at": None, "outages": 0, "refusals": 0, "unclear": 0, "faults": 0}
    if action == "cancel":
        fields["finished_at"] = timezone.now()
    with transaction.atomic():
        is_done = Campaign.objects.filter(pk=campaign.pk, state__in=sources).update(**fields)
        if is_done and action == "cancel":
            _skip_waiting(campaign)
    return bool(is_done)


def _skip_waiting(campaign: Campaign) -> None:
    """Skip the queued deliveries of a cancelled campaign."""
    waiting = campaign.deliveries.filter(state=Mail.QUEUED, campaign__state=State.CANCELLED)
    waiting.update(state=Mail.SKIPPED, lease_until=None)


def settle_cancelled() -> None:
    """Settle deliveries claimed when a campaign was cancelled: skipped if they were requeued unsent, else unknown."""
    for campaign in Campaign.objects.filter(Exists(_open_deliveries(OuterRef("pk"))), state=State.CANCELLED):
        _skip_waiting(campaign)
        lost = campaign.deliveries.filter(state=Mail.SENDING, lease_until__lte=clock.now())
        lost.update(
            state=Mail.UNKNOWN, lease_until=None, lease_token=None, error=gettext("The worker stopped in the middle.")
        )


def _open_deliveries(campaign: Campaign | OuterRef) -> QuerySet[Delivery]:
    return Delivery.objects.filter(campaign=campaign, state__in=Delivery.OPEN)


def halt(campaign: Campaign, problem: Campaign.Problem, words: str) -> None:
    """Pause a campaign because no mail of it can be sent, and alert the operators."""
    words = storable(words)
    fields = {"state": State.PAUSED, "problem": problem, "problem_words": words}
    if Campaign.objects.filter(pk=campaign.pk, state=State.SENDING).update(**fields):
        raise_alert("campaign paused", f"Campaign {campaign.pk} was paused ({problem}): {words}")


def refresh_content(campaign: Campaign) -> bool:
    """Freeze the content again for recipients who have not got the mail yet. Only while paused; return whether it
    was.

    Raises Unpublished if the edition is published in no language, and rendering.Unrenderable.
    """
    with transaction.atomic():
        locked = _locked(campaign)
        if locked.state != State.PAUSED:
            return False
        pages = freeze(locked)
        # A language that was unpublished is sent as it was; a new one is used for its readers who still wait.
        own = Subscriber.objects.filter(pk=OuterRef("subscriber")).values("language")
        locked.deliveries.filter(state=Mail.QUEUED, subscriber__language__in=list(pages)).exclude(
            language=F("subscriber__language")
        ).update(language=Subquery(own[:1]), variant="")
    return True


def retry_failed(campaign: Campaign) -> int:
    """Requeue failed and unknown deliveries, except those of cancelled campaigns. Return their number."""
    with transaction.atomic():
        locked = _locked(campaign)
        if locked.state not in {State.SENDING, State.PAUSED, State.SENT}:
            return 0
        number = campaign.deliveries.filter(state__in=[Mail.FAILED, Mail.UNKNOWN]).update(
            state=Mail.QUEUED, attempts=0, refused_at=None, lease_until=None, lease_token=None, error=""
        )
        if number:
            _reopen(locked)
    return number


def settle_unknown(campaign: Campaign) -> int:
    """Mark unknown deliveries as sent. Return their number."""
    return campaign.deliveries.filter(state=Mail.UNKNOWN).update(state=Mail.SENT)


TAKES_NEWCOMERS = {State.SENT, State.SENDING}  # states in which newcomers may be added


def newcomers(campaign: Campaign) -> QuerySet[Subscriber]:
    """Return the Subscribers in a campaign's audience who joined since it started and did not get the edition."""
    if campaign.state not in TAKES_NEWCOMERS:
        return audience().none()
    reached = Q(campaign__issue=campaign.issue_id) & ~Q(state__in=[Mail.SKIPPED, Mail.FAILED])
    known = Delivery.objects.filter(Q(campaign=campaign) | reached, subscriber=OuterRef("pk"))
    return audience(campaign.segment).filter(~Exists(known), confirmed_at__gte=campaign.started_at)


def send_to_newcomers(campaign: Campaign) -> int:
    """Send a campaign to its newcomers. Return their number."""
    with transaction.atomic():
        locked = _locked(campaign)
        if locked.state not in TAKES_NEWCOMERS:
            return 0
        languages = list(locked.contents.filter(variant="").values_list("language", flat=True))
        number = _write_deliveries(locked, newcomers(locked), languages)
        if number:
            _reopen(locked)
    return number


def _reopen(locked: Campaign) -> None:
    """Set a sent campaign, whose row is locked, back to sending: it has open deliveries again."""
    Campaign.objects.filter(pk=locked.pk, state=State.SENT).update(state=State.SENDING, finished_at=None)


def finish_if_done(campaign: Campaign) -> bool:
    """Mark a campaign as sent once no delivery is open. Return whether none is."""
    if _open_deliveries(campaign).exists():
        return False
    with transaction.atomic():
        locked = _locked(campaign)  # code that adds deliveries holds this lock until they are committed
        if _open_deliveries(campaign).exists():
            return False
        if locked.state == State.SENDING:
            Campaign.objects.filter(pk=locked.pk).update(state=State.SENT, finished_at=timezone.now())
    return True


def without_worker() -> Iterator[Campaign]:
    """Yield campaigns that should be sending, have work to do, and were not touched by a worker for a while."""
    now = clock.now()
    silent = Q(worked_at=None) | Q(worked_at__lt=now - timedelta(seconds=settings.NEWSLETTER_LEASE_SECONDS))
    may_go = Q(resume_at=None) | Q(resume_at__lte=now)
    for campaign in Campaign.objects.filter(silent & may_go, state=State.SENDING):
        open_deliveries = _open_deliveries(campaign)
        if unleased(open_deliveries).exists() or not open_deliveries.exists():
            yield campaign


def stalled(since: timedelta = timedelta(minutes=15)) -> Iterator[Campaign]:
    """Yield campaigns that could send but have sent no mail for `since`, to alert the operators.

    Campaigns that wait for tomorrow's limit or a local morning are not included.
    """
    now = timezone.now()
    for campaign in Campaign.objects.filter(state=State.SENDING, started_at__lt=now - since).select_related("issue"):
        waits_on_purpose = campaign.is_waiting and not campaign.outages
        if waits_on_purpose or campaign.deliveries.filter(sent_at__gte=now - since).exists():
            continue
        if unleased(_open_deliveries(campaign)).exists():
            yield campaign
