"""The loop that sends: claims deliveries, hands them to a carrier, records what became of each.

The rows of Delivery are the truth. A claim is committed before the network is touched, a result before its channel goes on,
so a worker may be killed at any moment: its lease runs out, and another takes up what it left.
"""

import logging
import queue
import random
import time
from collections import Counter, defaultdict
from datetime import timedelta

from core.leases import claim_keys, free
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from . import campaigns, mailing, personal, quota, rendering
from .carriers import capabilities, carrier_class
from .carriers.base import Outgoing
from .content import Content
from .errors import Meaning
from .models import Campaign, Delivery, Subscriber, Suppression

logger = logging.getLogger(__name__)
State = Delivery.State
TRIED_FOR = timedelta(hours=24)  # a mail that is refused for now is tried again for so long
FIRST_PAUSE, LONGEST_PAUSE = 30, 3600  # seconds before a further try; doubled each time
OUTAGE_PAUSE, LONGEST_OUTAGE_PAUSE = 5, 240  # seconds before a provider that is away is asked again
REFUSALS_IN_A_ROW = 50  # so many refusals for good without a mail taken in between pause a campaign
FOR_SEVERAL = 500  # mails that wait before another worker joins in
LOOK_SECONDS = 1  # how often the loop looks whether it should stop
MARK_SENT = """UPDATE newsletter_delivery SET state = 'sent', sent_at = %s, lease_until = NULL, error = '', provider_id = %s
    WHERE state = 'sending' AND id IN ({})"""
DATABASE_SECONDS = 900  # how long results are kept in hand while the database is away


class Lease:
    """Until when this worker holds its mails (time.monotonic): a worker that was stopped for a while sends none of them."""

    def __init__(self):
        self.renew()

    def renew(self):
        """The lease was just taken or prolonged."""
        self._until = time.monotonic() + 0.7 * settings.NEWSLETTER_LEASE_SECONDS

    def holds(self, number):
        """Whether the mail of this delivery may still be begun."""
        return time.monotonic() < self._until


class Shift:
    """A worker's time with one campaign. `work()` returns whether there is more to do at once."""

    def __init__(self, campaign, seconds):
        self.campaign = campaign
        self.until = time.monotonic() + seconds
        self.lease = Lease()
        self.in_hand = {}
        self.contents = {}
        self.is_stopped = self.is_exhausted = False
        self.not_before = 0.0
        self.looked_at = 0.0

    def work(self):
        """Send until the time is over, nothing is left to claim, or the campaign is paused."""
        carrier_type = carrier_class()
        self.capabilities = capabilities.of(settings.EMAIL_PROVIDER)
        with carrier_type(settings.EMAIL_PROVIDER) as carrier:
            while True:
                self._look(carrier)
                if not self.is_stopped and len(self.in_hand) <= carrier.batch_size // 2:
                    self._fill(carrier)
                if not self.in_hand and (self.is_stopped or self.is_exhausted):
                    break
                results = _waiting(carrier.results)
                if results:
                    self._record(results)
                    carrier.committed(results)
        return not self.is_exhausted and not self.is_stopped_by_campaign

    @property
    def is_stopped_by_campaign(self):
        """Whether the campaign itself, not the clock, ended the shift."""
        return self.campaign.state != Campaign.State.SENDING or self.campaign.is_waiting

    # Looking

    def _look(self, carrier):
        """Once in a while: has the campaign been paused, is the time over? If so, give back what nobody has begun."""
        now = time.monotonic()
        if now - self.looked_at < LOOK_SECONDS:
            return
        self.looked_at = now
        try:
            self.campaign.refresh_from_db()
            self._renew()
        except DatabaseError:
            close_old_connections()
        if now > self.until or self.is_stopped_by_campaign:
            self.is_stopped = True
        if self.is_stopped and self.in_hand:
            self._give_back(carrier.withdraw())

    def _renew(self):
        """Show signs of life, and prolong the lease on what is in hand."""
        now = timezone.now()
        Campaign.objects.filter(pk=self.campaign.pk).update(worked_at=now)
        if self.in_hand:
            lease = now + timedelta(seconds=settings.NEWSLETTER_LEASE_SECONDS)
            held = Delivery.objects.filter(pk__in=self.in_hand, state=State.SENDING)
            if held.update(lease_until=lease):
                self.lease.renew()

    def _give_back(self, mails):
        """Put back what nobody has begun, as if it had never been claimed."""
        numbers = [mail.number for mail in mails]
        if all(mail.is_held() for mail in mails):
            Delivery.objects.filter(pk__in=numbers, state=State.SENDING).update(
                state=State.QUEUED, lease_until=None, attempts=Greatest(F("attempts") - 1, 0)
            )
        quota.give_back(len(numbers))
        for number in numbers:
            self.in_hand.pop(number, None)

    # Claiming

    def _fill(self, carrier):
        """Claim a batch, leave out who may not be mailed any more, and hand the rest over."""
        if time.monotonic() < self.not_before:
            return
        number, pause = quota.take(carrier.batch_size)
        if not number:
            self._wait(pause)
            return
        self._settle_doubtful()
        keys = self._claim(State.QUEUED, number) or self._claim(State.SENDING, number)
        quota.give_back(number - len(keys))
        if not keys:
            self.is_exhausted = True
            return
        self.lease.renew()
        mails = self._outgoing(keys)
        self.in_hand |= {mail.number: mail for mail in mails}
        carrier.submit(mails)

    def _claim(self, state, number):
        """Claim deliveries in one state: those that wait, or those that a dead worker left in hand.

        One state at a time, so that the database finds them in its index instead of reading past all that were sent.
        """
        waiting = self.campaign.deliveries.filter(state=state)
        return claim_keys(waiting, number, settings.NEWSLETTER_LEASE_SECONDS, state=State.SENDING)

    def _wait(self, seconds):
        """The limits allow nothing now: a moment is waited for here, more by the next worker that comes along."""
        if seconds <= LOOK_SECONDS:
            self.not_before = time.monotonic() + seconds
        else:
            resume_at = timezone.now() + timedelta(seconds=seconds)
            Campaign.objects.filter(pk=self.campaign.pk).update(resume_at=resume_at)
            self.campaign.resume_at = resume_at
            self.is_stopped = True

    def _settle_doubtful(self):
        """Where a second mail could not be told from the first, what a dead worker left in hand is for a person to decide."""
        doubtful = self.campaign.deliveries.filter(state=State.SENDING, lease_until__lte=timezone.now())
        if self.capabilities.repeatable == "message-id":
            return
        if self.capabilities.repeatable == "key":
            known_until = timezone.now() - timedelta(seconds=self.capabilities.key_seconds)
            doubtful = doubtful.filter(lease_until__lte=known_until)
        doubtful.update(state=State.UNKNOWN, lease_until=None, error=_("The worker stopped in the middle."))

    def _outgoing(self, keys):
        """The mails of claimed deliveries; those whom nobody may mail any more are left out."""
        rows = list(Delivery.objects.filter(pk__in=keys).values_list(
            "pk", "language", "variant", "subscriber__state", "subscriber__uuid", "subscriber__email", "subscriber__name"
        ))  # fmt: skip
        suppressed = Suppression.covers([row[5] for row in rows if row[5]])
        mails, left_out = [], []
        for key, language, variant, state, uuid, email, name in rows:
            if state != Subscriber.State.ACTIVE or email in suppressed:
                left_out.append(key)
                continue
            recipient = personal.Recipient(key, uuid, email, name, language, self.campaign.pk)
            mails.append(Outgoing(recipient, self._content(language, variant), self.lease))
        if left_out:
            Delivery.objects.filter(pk__in=left_out).update(state=State.SKIPPED, lease_until=None)
        return mails

    def _content(self, language, variant):
        key = (language, variant)
        if key not in self.contents:
            rows = self.campaign.contents.filter(language=language, variant__in=["", variant])
            self.contents[key] = Content(rows.order_by("-variant")[0], self.campaign)
        return self.contents[key]

    # Recording

    def _record(self, results):
        """Commit results; while the database is away they are kept in hand, and their channels wait."""
        until = time.monotonic() + DATABASE_SECONDS
        while True:
            try:
                record(results)
                break
            except DatabaseError:
                if time.monotonic() > until or connection.in_atomic_block:
                    raise
                logger.warning("The database is away; %s results wait for it", len(results))
                connection.close()
                time.sleep(0.5)
        for result in results:
            self.in_hand.pop(result.mail.number, None)
        self._mind(results)

    def _mind(self, results):
        """What the results say about the campaign: whether it goes on, pauses, or waits for the provider."""
        meanings = Counter("sent" if result.is_sent else result.outcome.meaning for result in results)
        verdicts = [result.outcome for result in results if not result.is_sent]
        if meanings["sent"]:
            if self.campaign.outages or self.campaign.refusals:
                self.campaign.outages = self.campaign.refusals = 0
                Campaign.objects.filter(pk=self.campaign.pk).update(outages=0, refusals=0)
        elif meanings[Meaning.NEVER]:
            self._count_refusals(meanings[Meaning.NEVER], verdicts)
        if meanings[Meaning.HALT]:
            words = next(verdict.words for verdict in verdicts if verdict.meaning == Meaning.HALT)
            campaigns.halt(self.campaign, Campaign.Problem.HALTED, words)
            self._stop()
        elif meanings[Meaning.AWAY] and not meanings["sent"] and not self.is_stopped:  # once, not for each connection
            self._back_off([verdict for verdict in verdicts if verdict.meaning == Meaning.AWAY])

    def _count_refusals(self, number, verdicts):
        self.campaign.refusals += number
        Campaign.objects.filter(pk=self.campaign.pk).update(refusals=F("refusals") + number)
        if self.campaign.refusals >= REFUSALS_IN_A_ROW:
            campaigns.halt(self.campaign, Campaign.Problem.REFUSALS, verdicts[-1].words)
            self._stop()

    def _back_off(self, verdicts):
        """The provider is away: come back after a pause that grows, but never later than five minutes after its return."""
        asked = max((verdict.pause or 0 for verdict in verdicts), default=0)
        grown = min(OUTAGE_PAUSE * 2**self.campaign.outages, LONGEST_OUTAGE_PAUSE)
        pause = max(asked, grown * random.uniform(0.75, 1.0))  # noqa: S311
        self.campaign.resume_at = timezone.now() + timedelta(seconds=pause)
        self.campaign.outages = min(self.campaign.outages + 1, 20)
        Campaign.objects.filter(pk=self.campaign.pk).update(
            resume_at=self.campaign.resume_at, outages=self.campaign.outages, worked_at=timezone.now()
        )
        logger.warning("Campaign %s waits %.0f s for the provider: %s", self.campaign.pk, pause, verdicts[-1].words)
        self._stop()

    def _stop(self):
        self.is_stopped = True
        self.looked_at = 0.0


def _waiting(results):
    """What a carrier has to tell, waited for a moment: a flat list of Results."""
    found = []
    try:
        found.append(results.get(timeout=0.2))
        while True:
            found.append(results.get_nowait())
    except queue.Empty:
        return [result for entry in found for result in (entry if isinstance(entry, list) else [entry])]


def record(results):
    """Write what became of mails in hand. What a provider has said of one meanwhile is stronger and stays."""
    now, taken = timezone.now(), defaultdict(list)
    for result in results:
        if result.is_sent:
            taken[result.provider_id[:255]].append(result.mail.number)
    # A batch has one number for all of its mails, SMTP has none: few statements for many mails.
    for number, keys in taken.items():
        if _mark_sent(keys, number, now) < len(keys):
            Delivery.objects.filter(pk__in=keys, sent_at=None).update(sent_at=now, provider_id=number)
    for result in results:
        if not result.is_sent:
            _record_failure(result, now)


def _mark_sent(keys, number, now):
    """Mark deliveries in hand as sent; returns how many. Plain SQL: it runs hundreds of times a second."""
    marks = ",".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(MARK_SENT.format(marks), [now, number, *keys])
        return cursor.rowcount


def _record_failure(result, now):
    """Keep the provider's words; put back what was not begun, try again what may yet succeed, give up what cannot."""
    verdict, mine = result.outcome, Delivery.objects.filter(pk=result.mail.number, state=State.SENDING)
    words = verdict.words[:2000]
    if verdict.meaning == Meaning.RELEASED:
        return  # another worker may hold it by now
    if verdict.meaning in {Meaning.AWAY, Meaning.HALT}:
        mine.update(state=State.QUEUED, lease_until=None, attempts=Greatest(F("attempts") - 1, 0), error=words)
        return
    is_doubtful = verdict.meaning == Meaning.UNCLEAR
    if is_doubtful and not capabilities.of(settings.EMAIL_PROVIDER).repeatable:
        mine.update(state=State.UNKNOWN, lease_until=None, error=words)
        return
    row = mine.values("attempts", "refused_at").first()
    if row is None:
        return
    since = row["refused_at"] or now
    if verdict.meaning == Meaning.NEVER or now - since > TRIED_FOR:
        mine.update(state=State.FAILED, lease_until=None, error=words, provider_id=result.provider_id[:255])
        return
    pause = min(FIRST_PAUSE * 2 ** max(0, row["attempts"] - 1), LONGEST_PAUSE)
    pause = max(pause * random.uniform(0.75, 1.25), verdict.pause or 0)  # noqa: S311
    again = now + timedelta(seconds=pause)
    mine.update(state=State.QUEUED, lease_until=again, refused_at=since, error=words)
    logger.info("Delivery %s will be tried again in %.0f s: %s", result.mail.number, pause, words[:200])


def is_for_several(campaign):
    """Whether there is more to do for a campaign than one worker should have to itself."""
    if campaign.state != Campaign.State.SENDING or campaign.is_waiting:
        return False
    waiting = free(campaign.deliveries.filter(state__in=Delivery.OPEN))
    return len(waiting.values_list("pk")[:FOR_SEVERAL]) == FOR_SEVERAL


def work_on(campaign, seconds):
    """Work on a campaign for about `seconds`; return whether there is more to do at once."""
    if campaign.state != Campaign.State.SENDING or campaign.is_waiting:
        return False
    is_more = Shift(campaign, seconds).work()
    if not is_more:
        campaigns.finish_if_done(campaign)
    return is_more


def send_test(page, email):
    """Send an edition as one mail to `email`, marked as a test. Raises mailing.Suppressed."""
    mail = rendering.preview(page)
    mailing.send(mailing.message(f"[TEST] {mail.subject}", mail.text, mail.html, email))
