"""The life of a campaign: frozen and started once, paused, corrected, resumed, cancelled, finished when no delivery is open.

draft → scheduled → sending ⇄ paused → sent
                       └→ cancelled ←┘
"""

import logging
from datetime import datetime, timedelta
from datetime import time as clock
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Case, CharField, DateTimeField, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Mod
from django.utils import timezone
from django.utils.translation import gettext
from jobs.leases import unleased
from operations.alerts import raise_alert
from wagtail.models import Locale

from newsletter.editions import rendering
from newsletter.models import Campaign, CampaignContent, CampaignLink, Delivery, IssuePage, Subscriber
from newsletter.subscribers.audiences import audience, mail_language

logger = logging.getLogger(__name__)
State, Mail = Campaign.State, Delivery.State
TRANSITIONS = {
    "pause": ([State.SENDING], State.PAUSED),
    "resume": ([State.PAUSED], State.SENDING),
    "cancel": ([State.SCHEDULED, State.SENDING, State.PAUSED], State.CANCELLED),
}
LATE = timedelta(hours=1)  # a campaign that is later than this asks instead of going out by itself
MORNING = clock(9)
# The capital's time zone; where nothing else is known, the site's own.
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


def published_languages(issue):
    """The languages in which an edition is published: {language code: IssuePage}."""
    pages = issue.get_translations(inclusive=True).live()
    codes = dict(Locale.objects.values_list("pk", "language_code"))
    return {codes[page.locale_id]: page for page in pages}


# Starting


class Unpublished(Exception):
    """An edition that is to be sent is published in no language."""


class Outdated(Exception):
    """Somebody started, scheduled or stopped a campaign of the edition since the editor's page was made."""


def start_key(issue):
    """What an edition's campaigns are at now, for the page that starts one: it works once, and for nobody who looked before
    somebody else acted (a precondition as in RFC 9110, 13.1.1)."""
    known = issue.campaigns.order_by("pk").values_list("pk", "state", "scheduled_at")
    return " ".join(f"{pk}-{state}-{at.isoformat() if at else ''}" for pk, state, at in known) or "new"


def was_started(issue):
    """Whether any mail of an edition may have gone out already."""
    return issue.campaigns.filter(started_at__isnull=False).exists()


def is_on_its_way(issue):
    """Whether an edition is being sent at the moment, or its sending was paused."""
    return issue.campaigns.filter(state__in=[State.SENDING, State.PAUSED]).exists()


def begin(issue, user, key, *, segment=None, local_morning=False, at=None, is_again=False):
    """Send an edition, or put it down for the time `at`. Returns the Campaign.

    Nothing is done twice: `key` is the `start_key` that the editor's page carried, and an edition that was started before
    goes out only `is_again`. Raises Outdated if either does not hold, Unpublished if it is published in no
    language, rendering.Unrenderable.
    """
    with transaction.atomic():
        IssuePage.objects.select_for_update().get(pk=issue.pk)
        if key != start_key(issue) or is_again != was_started(issue):
            raise Outdated
        waiting = issue.campaigns.filter(state__in=[State.DRAFT, State.SCHEDULED]).first()
        campaign = waiting or Campaign.objects.create(issue=issue, created_by=user)
        decide(campaign, segment, local_morning)
        if not (schedule(campaign, at) if at else start(campaign)):
            raise Outdated  # it started by itself meanwhile
    campaign.refresh_from_db()
    return campaign


def _locked(campaign):
    """The campaign as it is now, locked until the transaction ends: nobody else changes or finishes it meanwhile."""
    return Campaign.objects.select_for_update().get(pk=campaign.pk)


def start(campaign, is_due=False):
    """Freeze the content and write one delivery per subscriber. Returns whether this call did it: only the first one does.

    With `is_due` only if it is still to be sent by now: an editor may have put it off. Raises Unpublished if the edition is
    published in no language.
    """
    with transaction.atomic():
        locked = _locked(campaign)
        if locked.state not in ({State.SCHEDULED} if is_due else {State.DRAFT, State.SCHEDULED}):
            return False
        if is_due and locked.scheduled_at > timezone.now():
            return False
        pages = freeze(locked)
        _write_deliveries(locked, audience(locked.segment), list(pages))
        now = timezone.now()
        Campaign.objects.filter(pk=locked.pk).update(state=State.SENDING, started_at=now, worked_at=now, problem="")
    campaign.refresh_from_db()
    return True


def freeze(campaign):
    """Render the edition in each language in which it is published and keep that. Returns {language: IssuePage}.

    Raises Unpublished if there is none, rendering.Unrenderable.
    """
    pages = published_languages(campaign.issue)
    if not pages:
        raise Unpublished
    links = rendering.Links(dict(campaign.links.values_list("url", "number")))
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


def _write_deliveries(campaign, people, languages):
    """One INSERT … SELECT for all of `people`, a Subscriber queryset, however many they are. Returns how many."""
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
        "campaign",
        "subscriber",
        "language",
        "variant",
        "state",
        "attempts",
        "provider_id",
        "error",
        "lease_until",
    ]
    names = ", ".join(connection.ops.quote_name(Delivery._meta.get_field(name).column) for name in columns)
    select, parameters = rows.query.sql_with_params()
    if connection.vendor == "postgresql":
        # The foreign keys are checked at the commit: without this, an erasure meanwhile would undo the whole start.
        select += f" FOR KEY SHARE OF {connection.ops.quote_name(Subscriber._meta.db_table)}"
    table = connection.ops.quote_name(Delivery._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) {select}", parameters)
        return cursor.rowcount


def _mornings(campaign):
    """SQL: before when a subscriber gets nothing; the next morning where they live, or at once."""
    at_once = Value(None, output_field=DateTimeField())
    if not campaign.local_morning:
        return at_once
    start = campaign.scheduled_at or timezone.now()
    cases = [When(country=code, then=Value(next_morning(zone, start))) for code, zone in ZONES.items()]
    return Case(*cases, default=Value(next_morning(settings.TIME_ZONE, start)), output_field=DateTimeField())


def next_morning(zone, start):
    """The first MORNING in a time zone at or after `start`, right across a change of clocks."""
    local = start.astimezone(ZoneInfo(zone))
    morning = datetime.combine(local.date(), MORNING, ZoneInfo(zone))
    return morning if morning >= local else datetime.combine(local.date() + timedelta(days=1), MORNING, ZoneInfo(zone))


# Scheduling


def decide(campaign, segment, local_morning):
    """Set to whom a campaign goes and whether in each country's morning, as long as it has not started."""
    waiting = Campaign.objects.filter(pk=campaign.pk, state__in=[State.DRAFT, State.SCHEDULED])
    waiting.update(segment=segment, local_morning=local_morning)


def schedule(campaign, at):
    """Have a campaign start by itself at a time. Returns whether its state allowed that."""
    waiting = Campaign.objects.filter(pk=campaign.pk, state__in=[State.DRAFT, State.SCHEDULED])
    return bool(waiting.update(state=State.SCHEDULED, scheduled_at=at, problem=""))


def start_due():
    """Start the campaigns whose time has come; one that is more than LATE asks a person instead. Returns the started ones."""
    started = []
    for campaign in Campaign.objects.filter(state=State.SCHEDULED, scheduled_at__lte=timezone.now()):
        if timezone.now() - campaign.scheduled_at > LATE:
            _ask_for_late(campaign)
            continue
        try:
            if start(campaign, is_due=True):
                started.append(campaign)
        except Unpublished:
            _put_back(campaign, Campaign.Problem.UNPUBLISHED)
        except DatabaseError:
            raise
        except Exception as error:  # the others go out all the same
            logger.exception("Campaign %s cannot be started", campaign.pk)
            if _put_back(campaign, Campaign.Problem.BROKEN, str(error)):
                raise_alert(f"campaign {campaign.pk} cannot be started", f"Campaign {campaign.pk}: {error}")
    return started


def _ask_for_late(campaign):
    if _put_back(campaign, Campaign.Problem.LATE):
        raise_alert("campaign late", f"Campaign {campaign.pk} was due at {campaign.scheduled_at:%Y-%m-%d %H:%M} UTC; it waits for a person.")  # fmt: skip


def _put_back(campaign, problem, words=""):
    """Make a draft of a campaign that cannot start by itself, unless an editor has put it off meanwhile."""
    seen = Campaign.objects.filter(pk=campaign.pk, state=State.SCHEDULED, scheduled_at=campaign.scheduled_at)
    return seen.update(state=State.DRAFT, problem=problem, problem_words=words)


# On the way


def change_state(campaign, action):
    """Pause, resume or cancel a campaign (`action`); returns whether its state allowed that."""
    sources, target = TRANSITIONS[action]
    fields = {"state": target, "problem": ""}
    if action == "resume":
        fields |= {"resume_at": None, "outages": 0, "refusals": 0, "unclear": 0, "faults": 0}
    if action == "cancel":
        fields["finished_at"] = timezone.now()
    with transaction.atomic():
        is_done = Campaign.objects.filter(pk=campaign.pk, state__in=sources).update(**fields)
        if is_done and action == "cancel":
            _skip_waiting(campaign)
    return bool(is_done)


def _skip_waiting(campaign):
    """Leave out whoever still waits for a campaign that was cancelled."""
    waiting = campaign.deliveries.filter(state=Mail.QUEUED, campaign__state=State.CANCELLED)
    waiting.update(state=Mail.SKIPPED, lease_until=None)


def settle_cancelled():
    """Settle what was in hand when a campaign was cancelled: left out if it came back unsent, else it may have gone."""
    for campaign in Campaign.objects.filter(Exists(_open_of(OuterRef("pk"))), state=State.CANCELLED):
        _skip_waiting(campaign)
        lost = campaign.deliveries.filter(state=Mail.SENDING, lease_until__lte=timezone.now())
        lost.update(
            state=Mail.UNKNOWN, lease_until=None, lease_token=None, error=gettext("The worker stopped in the middle.")
        )


def _open_of(campaign):
    return Delivery.objects.filter(campaign=campaign, state__in=Delivery.OPEN)


def halt(campaign, problem, words):
    """Pause a campaign because no mail of it can go out as things are, and tell the people who can help."""
    fields = {"state": State.PAUSED, "problem": problem, "problem_words": words}
    if Campaign.objects.filter(pk=campaign.pk, state=State.SENDING).update(**fields):
        raise_alert("campaign paused", f"Campaign {campaign.pk} was paused ({problem}): {words}")


def correct(campaign):
    """Freeze the content anew, for those who have not been sent it yet; only while paused. Returns whether that was so.

    Raises Unpublished if the edition is published in no language, rendering.Unrenderable.
    """
    with transaction.atomic():
        locked = _locked(campaign)
        if locked.state != State.PAUSED:
            return False
        pages = freeze(locked)
        # A language that is no longer published is sent as it was; one that is new serves those who wait for it.
        own = Subscriber.objects.filter(pk=OuterRef("subscriber")).values("language")
        locked.deliveries.filter(state=Mail.QUEUED, subscriber__language__in=list(pages)).exclude(
            language=F("subscriber__language")
        ).update(language=Subquery(own[:1]), variant="")
    return True


def retry_failed(campaign):
    """Put the failed deliveries, and those that may or may not have gone, back into the queue. Returns how many; none of a
    campaign that was cancelled."""
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


def settle_unknown(campaign):
    """Count the deliveries that may or may not have gone as sent. Returns how many."""
    return campaign.deliveries.filter(state=Mail.UNKNOWN).update(state=Mail.SENT)


TAKES_NEWCOMERS = {State.SENT, State.SENDING}  # campaigns to which newcomers may be added


def newcomers(campaign):
    """The Subscribers of a campaign's audience who joined since it started and have not got the edition, by no campaign."""
    if campaign.state not in TAKES_NEWCOMERS:
        return audience().none()
    reached = Q(campaign__issue=campaign.issue_id) & ~Q(state__in=[Mail.SKIPPED, Mail.FAILED])
    known = Delivery.objects.filter(Q(campaign=campaign) | reached, subscriber=OuterRef("pk"))
    return audience(campaign.segment).filter(~Exists(known), confirmed_at__gte=campaign.started_at)


def send_to_newcomers(campaign):
    """Send a campaign to its newcomers. Returns how many they are."""
    with transaction.atomic():
        locked = _locked(campaign)
        if locked.state not in TAKES_NEWCOMERS:
            return 0
        languages = list(locked.contents.filter(variant="").values_list("language", flat=True))
        number = _write_deliveries(locked, newcomers(locked), languages)
        if number:
            _reopen(locked)
    return number


def _reopen(locked):
    """Have a campaign that was sent, and is locked, go on: it has open deliveries again."""
    Campaign.objects.filter(pk=locked.pk, state=State.SENT).update(state=State.SENDING, finished_at=None)


def finish_if_done(campaign):
    """Mark a campaign as sent once no delivery is open. Returns whether none is."""
    if _open_of(campaign).exists():
        return False
    with transaction.atomic():
        locked = _locked(campaign)  # whoever adds deliveries holds this lock until they are there to be seen
        if _open_of(campaign).exists():
            return False
        if locked.state == State.SENDING:
            Campaign.objects.filter(pk=locked.pk).update(state=State.SENT, finished_at=timezone.now())
    return True


def forgotten():
    """Campaigns that should be sending but that no worker has touched for a while, though something could be done."""
    now = timezone.now()
    silent = Q(worked_at=None) | Q(worked_at__lt=now - timedelta(seconds=settings.NEWSLETTER_LEASE_SECONDS))
    may_go = Q(resume_at=None) | Q(resume_at__lte=now)
    for campaign in Campaign.objects.filter(silent & may_go, state=State.SENDING):
        open_deliveries = _open_of(campaign)
        if unleased(open_deliveries).exists() or not open_deliveries.exists():
            yield campaign


def unmoved(since=timedelta(minutes=15)):
    """Campaigns of which no mail has gone for a while though some could: for the people who can help.

    Those that wait on purpose, for tomorrow's allowance or somebody's morning, are not among them.
    """
    now = timezone.now()
    for campaign in Campaign.objects.filter(state=State.SENDING, started_at__lt=now - since).select_related("issue"):
        waits_on_purpose = campaign.is_waiting and not campaign.outages
        if waits_on_purpose or campaign.deliveries.filter(sent_at__gte=now - since).exists():
            continue
        if unleased(_open_of(campaign)).exists():
            yield campaign
