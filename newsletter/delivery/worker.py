"""The loop that sends: claims deliveries, hands them to a carrier, records what became of each.

The rows of Delivery are the truth. A claim is committed before the network is touched, a result before its channel goes on,
so a worker may be killed at any moment: its lease runs out, and another takes up what it left. Each claim has a token; a worker
that was stopped for a while prolongs, changes and gives back only what is still its own, and begins nothing else.
"""

import logging
import queue
import random
import time
import uuid
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _
from jobs.leases import claim_keys, unleased
from jobs.process import Watchdog, stopping

from newsletter.campaigns import lifecycle
from newsletter.campaigns.snapshots import Content
from newsletter.delivery import outgoing, personalisation, providers, rate_limit
from newsletter.delivery.errors import ErrorAction
from newsletter.delivery.in_hand import InHand
from newsletter.delivery.transports import carrier_class
from newsletter.delivery.transports.base import OutgoingMessage
from newsletter.editions import rendering
from newsletter.feedback import events
from newsletter.models import Campaign, CampaignContent, Delivery, Subscriber, Suppression

logger = logging.getLogger(__name__)
State = Delivery.State
AWAY = (OperationalError, InterfaceError)  # what the database's absence raises
TRIED_FOR = timedelta(hours=24)  # a mail that is refused for now is tried again for so long
FIRST_PAUSE, LONGEST_PAUSE = 30, 3600  # seconds before a further try; doubled each time
OUTAGE_PAUSE, LONGEST_OUTAGE_PAUSE = 5, 240  # seconds before a provider that is away is asked again
REFUSALS_IN_A_ROW = 50  # so many refusals for good without a mail taken in between pause a campaign
UNCLEAR_IN_A_ROW = 10  # and so many answers that leave open whether mails have gone
MOST_TRIES = 2  # of a mail that may have gone
FAULTS_IN_A_ROW = 8  # and so many errors that nobody expected; with the pauses between them, some ten minutes
IN_A_ROW = {
    "outages": 0,
    "refusals": 0,
    "unclear": 0,
    "faults": 0,
}  # a campaign's fields that begin anew with each mail that is taken
FOR_SEVERAL = 500  # mails that wait before another worker joins in
LOOK_SECONDS = 1  # how often the loop looks whether it should stop
CLOSE_SECONDS = 10  # how long results are waited for after an error
# That a mail was sent is a fact, whoever holds its lease by now: it keeps others from sending it once more.
MARK_SENT = """UPDATE newsletter_delivery
    SET state = 'sent', sent_at = %s, lease_until = NULL, lease_token = NULL, error = '', provider_id = %s
    WHERE state IN ('sending', 'queued', 'unknown', 'failed', 'skipped') AND id IN ({})"""
NOT_BEGUN = {ErrorAction.RELEASED, ErrorAction.AWAY, ErrorAction.HALT}
DATABASE_SECONDS = 900  # how long results are kept in hand while the database is away
DATABASE_PAUSE = 0.5  # seconds between two tries to reach it


class Lease:
    """One claim: its token, and until when (time.monotonic) and which of its mails this worker may begin."""

    def __init__(self):
        self.token = uuid.uuid4()
        self._lost = set()
        self._until = 0.0

    def renew(self, since):
        """The lease was taken or prolonged by a statement that began at `since` (time.monotonic)."""
        self._until = since + 0.7 * settings.NEWSLETTER_LEASE_SECONDS

    def lose(self, number):
        """Another worker holds this delivery now, or it is settled."""
        self._lost.add(number)

    def holds(self, number):
        """Whether the mail of this delivery may still be begun."""
        return time.monotonic() < self._until and number not in self._lost


class CarrierStopped(RuntimeError):
    """A thread of the carrier is gone, against its promise."""


class CampaignWorker:
    """A worker's time with one campaign. `work()` returns whether there is more to do at once."""

    def __init__(self, campaign, seconds):
        self.campaign, self.provider = campaign, providers.current()
        self.until = time.monotonic() + seconds
        self.in_hand = {}  # {number: Outgoing}: claimed, and no result in the ledger yet
        self.ready = []  # those of them that the carrier has not got yet
        self.withdrawn = []  # those that it gave back
        self.told = []  # results that are not in the ledger yet
        self.unfinished = set()  # tokens of claims that an error interrupted
        self.noted = InHand()
        self.contents = {}
        self.is_stopped = self.is_exhausted = False
        self.not_before = 0.0
        self.looked_at = 0.0

    def work(self):
        """Send until the time is over, nothing is left to claim, or the campaign is paused."""
        with self.noted, carrier_class()(self.provider) as carrier:
            carrier.is_doubtful = bool(self.campaign.unclear)
            limit = max(2 * settings.NEWSLETTER_LEASE_SECONDS, carrier.patience)
            with Watchdog(f"campaign {self.campaign.pk}", limit) as self.watchdog:
                try:
                    while self._step(carrier):
                        pass
                finally:
                    self._close(carrier)
        return not self.is_exhausted and not self.is_stopped_by_campaign

    @property
    def is_stopped_by_campaign(self):
        """Whether the campaign itself, not the clock, ended the shift."""
        return self.campaign.state != Campaign.State.SENDING or self.campaign.is_waiting

    def _step(self, carrier):
        """One round of the loop; returns whether there is another."""
        self._persist(partial(self._look, carrier))
        if not self.is_stopped:
            self._persist(partial(self._fill, carrier))
            self._persist(partial(self._hand_over, carrier))
        if not self.in_hand and (self.is_stopped or self.is_exhausted):
            return False
        if self._record(carrier) or len(self.ready) == len(self.in_hand):
            self.watchdog.progress()
        if not carrier.is_alive():
            raise CarrierStopped
        return True

    def _close(self, carrier):
        """After an error: give back what was not begun, and record what the carrier tells within CLOSE_SECONDS."""
        if not self.in_hand and not self.unfinished:
            return
        self.withdrawn += carrier.withdraw()
        self._persist(self._give_back)
        self._persist(self._undo_unfinished)
        until = time.monotonic() + CLOSE_SECONDS
        while self.in_hand and time.monotonic() < until:
            self._record(carrier)

    def _persist(self, action):
        """Do what needs the database; while that is away wait for it, DATABASE_SECONDS at most. Raises DatabaseError."""
        until = time.monotonic() + DATABASE_SECONDS
        while True:
            try:
                return action()
            except AWAY as error:
                if time.monotonic() > until or connection.in_atomic_block:
                    raise
                logger.warning(
                    "The database is away (%s); %s mails in hand", " ".join(str(error).split()), len(self.in_hand)
                )
                with suppress(DatabaseError):
                    connection.close()
                self.watchdog.progress()
                time.sleep(DATABASE_PAUSE)

    # Looking

    def _look(self, carrier):
        """Once in a while: has the campaign been paused, is the time over? If so, give back what nobody has begun."""
        now = time.monotonic()
        if now - self.looked_at < LOOK_SECONDS:
            return
        self.campaign.refresh_from_db()
        self._renew()
        if now > self.until or self.is_stopped_by_campaign or stopping.is_set():
            self.is_stopped = True
        if self.is_stopped and self.in_hand:
            self.withdrawn += carrier.withdraw()
            self._give_back()
        self.looked_at = now

    def _renew(self):
        """Show signs of life, and prolong the leases; what is no longer ours is dropped before another byte is sent."""
        since, now = time.monotonic(), timezone.now()  # in this order: the process may be stopped between them
        Campaign.objects.filter(pk=self.campaign.pk).update(worked_at=now)
        if not self.in_hand:
            return
        leases = {mail.lease for mail in self.in_hand.values()}
        ours = self._ours(self.in_hand.values())
        if ours.update(lease_until=now + timedelta(seconds=settings.NEWSLETTER_LEASE_SECONDS)) < len(self.in_hand):
            self._drop(self.in_hand.keys() - set(ours.values_list("pk", flat=True)))
        for lease in leases:
            lease.renew(since)

    @staticmethod
    def _ours(mails):
        """The deliveries of `mails` that are still under this worker's leases."""
        tokens = {mail.lease.token for mail in mails}
        return Delivery.objects.filter(
            pk__in=[mail.number for mail in mails], state=State.SENDING, lease_token__in=tokens
        )

    def _drop(self, numbers):
        """Begin none of these; what was begun already still brings a result."""
        logger.warning("The leases on %s mails are lost; no more of them are begun", len(numbers))
        for number in numbers:
            self.in_hand[number].lease.lose(number)
        for mail in [mail for mail in self.ready if mail.number in numbers]:
            self.ready.remove(mail)
            del self.in_hand[mail.number]

    def _give_back(self):
        """Put back what nobody has begun, as if it had never been claimed."""
        mails = self.ready + self.withdrawn
        if not mails:
            return
        _requeue(self._ours(mails))
        rate_limit.give_back(len(self.withdrawn))
        for mail in mails:
            self.in_hand.pop(mail.number, None)
        self.ready, self.withdrawn, self.is_exhausted = [], [], False

    # Claiming

    def _fill(self, carrier):
        """Claim a batch, and leave out who may not be mailed any more."""
        size = min(carrier.batch_size, rate_limit.most_at_once() or carrier.batch_size)
        if self.is_exhausted or len(self.in_hand) > size // 2:
            return
        self._undo_unfinished()
        self._settle_doubtful()
        lease, since = Lease(), time.monotonic()
        self.unfinished.add(lease.token)
        self.noted.note(self.unfinished | {mail.lease.token for mail in self.in_hand.values()})
        keys = self._claim(self._in_state(State.QUEUED), size, lease) or self._claim(self._left_behind(), size, lease)
        self.is_exhausted = not keys
        lease.renew(since)
        mails = self._outgoing(keys, lease)
        self.unfinished.remove(lease.token)
        self.in_hand |= {mail.number: mail for mail in mails}
        self.ready += mails

    def _in_state(self, state):
        """Deliveries in one state: asked for one by one, the database finds them in its index instead of reading past all
        that were sent."""
        return self.campaign.deliveries.filter(state=state)

    def _left_behind(self):
        """What a dead worker left in hand, once its lease is over; what is in our own hands is not, however long the database
        was away."""
        return self._in_state(State.SENDING).filter(lease_until__lte=timezone.now()).exclude(pk__in=list(self.in_hand))

    @staticmethod
    def _claim(waiting, number, lease):
        return claim_keys(waiting, number, settings.NEWSLETTER_LEASE_SECONDS, lease.token, state=State.SENDING)

    def _undo_unfinished(self):
        """Give back what was claimed when an error came between: nobody has begun it."""
        if self.unfinished:
            _requeue(self.campaign.deliveries.filter(state=State.SENDING, lease_token__in=self.unfinished))
            self.unfinished.clear()

    def _hand_over(self, carrier):
        """Give the carrier as many mails as the limits allow now."""
        if not self.ready or time.monotonic() < self.not_before:
            return
        most = rate_limit.most_at_once()
        if most and len(self.in_hand) - len(self.ready) >= most:
            return  # a slow server: what waits in the carrier would go out together with what is allowed later
        number, pause = rate_limit.take(len(self.ready))
        mails, self.ready = self.ready[:number], self.ready[number:]
        if mails:
            carrier.submit(mails)
        else:
            self._wait(pause)

    def _wait(self, seconds):
        """The limits allow nothing now: a moment is waited for here, more by the next worker that comes along."""
        if seconds <= rate_limit.WINDOW:
            self.not_before = time.monotonic() + seconds
        else:
            resume_at = timezone.now() + timedelta(seconds=seconds)
            self._going().update(resume_at=resume_at)
            self._stop()

    @property
    def _oldest_doubt(self):
        """Since when a mail may be in doubt at most to be sent once more; None for any time."""
        return (
            None if self.provider.keeps_message_id else timezone.now() - timedelta(seconds=self.provider.doubt_seconds)
        )

    def _settle_doubtful(self):
        """Where a second mail could not be told from the first, what a dead worker left in hand is for a person to decide.

        It was begun a shift and a call before the last renewal at most, which was a lease's time before its end: KEY_MARGIN.
        """
        if oldest := self._oldest_doubt:
            self._give_up(
                self._left_behind().filter(lease_until__lte=oldest), error=_("The worker stopped in the middle.")
            )

    @staticmethod
    def _give_up(doubtful, **changes):
        """Leave deliveries to a person: they may or may not have gone."""
        doubtful.update(state=State.UNKNOWN, lease_until=None, lease_token=None, **changes)

    def _outgoing(self, keys, lease):
        """The mails of claimed deliveries; left out are those whom nobody may mail any more, and those that have been in doubt for
        too long."""
        rows = list(Delivery.objects.filter(pk__in=keys).values_list(
            "pk", "language", "variant", "refused_at", "subscriber__state", "subscriber__uuid", "subscriber__email", "subscriber__name"
        ))  # fmt: skip
        suppressed = Suppression.covers([row[6] for row in rows if row[6]])
        versions, oldest = self._versions() if rows else {}, self._oldest_doubt
        mails, left_out, in_doubt = [], [], []
        for key, language, variant, refused_at, state, uuid_, email, name in rows:
            if oldest and refused_at and refused_at <= oldest:
                in_doubt.append(key)
            elif state != Subscriber.State.ACTIVE or email in suppressed:
                left_out.append(key)
            else:
                recipient = personalisation.Recipient(key, uuid_, email, name, language, self.campaign.pk)
                version = versions.get((language, variant)) or versions[language, ""]
                mails.append(OutgoingMessage(recipient, self._content(version), lease))
        ours = Delivery.objects.filter(state=State.SENDING, lease_token=lease.token)
        if left_out:
            ours.filter(pk__in=left_out).update(state=State.SKIPPED, lease_until=None, lease_token=None)
        if in_doubt:
            self._give_up(ours.filter(pk__in=in_doubt))
        return mails

    def _versions(self):
        """What is sent in each language now; a correction may have come since the last claim."""
        found = self.campaign.contents.values_list("language", "variant", "pk", "frozen_at")
        return {(language, variant): (pk, frozen_at) for language, variant, pk, frozen_at in found}

    def _content(self, version):
        if version not in self.contents:
            self.contents[version] = Content(CampaignContent.objects.get(pk=version[0]), self.campaign)
        return self.contents[version]

    # Recording

    def _record(self, carrier):
        """Commit what the carrier tells; returns whether it told anything. While the database is away the channels wait."""
        if self.in_hand:
            self.told += _waiting(carrier.results)
        if not self.told:
            return False
        results = self.told
        self._persist(partial(_record_each, results))
        for result in results:
            self.in_hand.pop(result.mail.number, None)
        self.told = []
        carrier.committed(results)
        unused = [result for result in results if not result.is_sent and result.outcome.meaning in NOT_BEGUN]
        if unused:
            self._persist(partial(rate_limit.give_back, len(unused)))
            self.is_exhausted = False
        self._persist(partial(self._mind, results))
        return True

    def _mind(self, results):
        """What the results say about the campaign: whether it goes on, pauses, or waits for the provider."""
        meanings = Counter("sent" if result.is_sent else result.outcome.meaning for result in results)
        verdicts = [result.outcome for result in results if not result.is_sent]
        if meanings["sent"]:
            if any(getattr(self.campaign, field) for field in IN_A_ROW):
                self._going().update(**IN_A_ROW)
                self.campaign.refresh_from_db(fields=list(IN_A_ROW))
        else:
            self._count(verdicts, ErrorAction.NEVER, "refusals", REFUSALS_IN_A_ROW, Campaign.Problem.REFUSALS)
            self._count(verdicts, ErrorAction.UNCLEAR, "unclear", UNCLEAR_IN_A_ROW, Campaign.Problem.UNCLEAR)
        if meanings[ErrorAction.HALT]:
            words = next(verdict.words for verdict in verdicts if verdict.meaning == ErrorAction.HALT)
            lifecycle.halt(self.campaign, Campaign.Problem.HALTED, words)
            self._stop()
        elif (
            meanings[ErrorAction.AWAY] and not meanings["sent"] and not self.is_stopped
        ):  # once, not for each connection
            self._back_off([verdict for verdict in verdicts if verdict.meaning == ErrorAction.AWAY])

    def _going(self):
        """The campaign's row while it is being sent: what an editor decided meanwhile stays."""
        return Campaign.objects.filter(pk=self.campaign.pk, state=Campaign.State.SENDING)

    def _count(self, verdicts, meaning, field, most, problem):
        """Count the verdicts of a meaning in a field of the campaign; too many in a row pause it."""
        # One answer may be about many mails: they share its Verdict.
        answers = {id(verdict): verdict.words for verdict in verdicts if verdict.meaning == meaning}
        if not answers:
            return
        self._going().update(**{field: F(field) + len(answers)})
        self.campaign.refresh_from_db(fields=[field])
        if getattr(self.campaign, field) >= most:
            lifecycle.halt(self.campaign, problem, list(answers.values())[-1])
            self._stop()

    def fail(self, error):
        """An error that nobody expected ended the shift: try again after a growing pause, FAULTS_IN_A_ROW times in all."""
        logger.error("An error stopped the sending of campaign %s", self.campaign.pk, exc_info=error)
        self._going().update(faults=F("faults") + 1)
        self.campaign.refresh_from_db(fields=["faults", "outages"])
        if self.campaign.faults >= FAULTS_IN_A_ROW:
            lifecycle.halt(self.campaign, Campaign.Problem.FAULT, f"{type(error).__name__}: {error}")
        else:
            self._pause()

    def _back_off(self, verdicts):
        """The provider is away: come back after a pause that grows, but never later than five minutes after its return."""
        pause = self._pause(max((verdict.pause or 0 for verdict in verdicts), default=0))
        logger.warning("Campaign %s waits %.0f s for the provider: %s", self.campaign.pk, pause, verdicts[-1].words)
        self._stop()

    def _pause(self, asked=0):
        """Have nobody work on the campaign for a growing number of seconds, at least `asked`; returns how many."""
        grown = min(OUTAGE_PAUSE * 2**self.campaign.outages, LONGEST_OUTAGE_PAUSE)
        pause = max(asked, grown * random.uniform(0.75, 1.0))  # noqa: S311
        now, outages = timezone.now(), min(self.campaign.outages + 1, 20)
        self._going().update(resume_at=now + timedelta(seconds=pause), outages=outages, worked_at=now)
        return pause

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


def _record_each(results):
    """Record results together, or, where the database refuses one of them, each on its own: that one alone is set aside."""
    try:
        record(results)
    except AWAY:
        raise
    except DatabaseError:
        for result in results:
            _record_alone(result)


def _record_alone(result):
    try:
        record([result])
    except AWAY:
        raise
    except DatabaseError as error:
        logger.exception("The result of delivery %s cannot be recorded", result.mail.number)
        words = f"{result.outcome if result.is_sent else result.outcome.meaning.name}: {type(error).__name__}"
        Delivery.objects.filter(pk=result.mail.number, state=State.SENDING).update(
            state=State.UNKNOWN, lease_until=None, lease_token=None, error=words
        )


def record(results):
    """Write what became of mails in hand. What a provider has said of one meanwhile is stronger and stays."""
    now, taken = timezone.now(), defaultdict(list)
    for result in results:
        if result.is_sent:
            taken[_storable(result.provider_id)[:255]].append(result.mail.number)
    # A batch has one number for all of its mails, SMTP has none: few statements for many mails.
    for number, keys in taken.items():
        if _mark_sent(keys, number, now) < len(keys):
            Delivery.objects.filter(pk__in=keys, sent_at=None).update(sent_at=now, provider_id=number)
    for result in results:
        if not result.is_sent:
            _record_failure(result, now)


def _storable(text):
    """Words of a provider as the database takes them: PostgreSQL refuses NUL."""
    return text.replace("\0", "")


def _mark_sent(keys, number, now):
    """Mark deliveries as sent; returns how many. Plain SQL: it runs hundreds of times a second."""
    marks = ",".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(MARK_SENT.format(marks), [now, number, *keys])
        return cursor.rowcount


def _requeue(deliveries, **changes):
    """Put deliveries back as if they had never been claimed."""
    deliveries.update(
        state=State.QUEUED, lease_until=None, lease_token=None, attempts=Greatest(F("attempts") - 1, 0), **changes
    )


def _record_failure(result, now):
    """Keep the provider's words; put back what was not begun, try again what may yet succeed, give up what cannot.

    Only while the delivery is still under the lease with which the mail was sent: the next holder's result counts.
    """
    verdict, words = result.outcome, _storable(result.outcome.words)[:2000]
    mine = Delivery.objects.filter(pk=result.mail.number, state=State.SENDING, lease_token=result.mail.lease.token)
    if verdict.meaning == ErrorAction.RELEASED:
        _requeue(mine)
        return
    if verdict.meaning in NOT_BEGUN:
        _requeue(mine, error=words)
        return
    row = mine.values("attempts", "refused_at").first()
    if row is None:
        return
    since = row["refused_at"] or now
    if verdict.meaning == ErrorAction.UNCLEAR and not _may_be_repeated(row["attempts"], now - since):
        mine.update(state=State.UNKNOWN, lease_until=None, lease_token=None, error=words)
        return
    if verdict.meaning == ErrorAction.NEVER or now - since > TRIED_FOR:
        _give_up(mine, result, words)
        return
    pause = min(FIRST_PAUSE * 2 ** max(0, row["attempts"] - 1), LONGEST_PAUSE)
    pause = max(pause * random.uniform(0.75, 1.25), verdict.pause or 0)  # noqa: S311
    again = now + timedelta(seconds=pause)
    mine.update(state=State.QUEUED, lease_until=again, lease_token=None, refused_at=since, error=words)
    logger.info("Delivery %s will be tried again in %.0f s: %s", result.mail.number, pause, words[:200])


def _may_be_repeated(attempts, age):
    """Whether a mail that may have gone is sent once more: its first try is `age` (a timedelta) ago."""
    provider = providers.current()
    if provider.keeps_message_id:
        return attempts < MOST_TRIES
    return age.total_seconds() < provider.doubt_seconds


def _give_up(mine, result, words):
    """Mark a delivery as failed. A receiver's refusal is kept as an event as well: it may be about the address."""
    number, verdict = _storable(result.provider_id)[:255], result.outcome
    with transaction.atomic():
        gave_up = mine.update(state=State.FAILED, lease_until=None, lease_token=None, error=words, provider_id=number)
        if gave_up and verdict.meaning == ErrorAction.NEVER and verdict.code:
            events.store_refusal(result.mail, words)


def is_for_several(campaign):
    """Whether there is more to do for a campaign than one worker should have to itself."""
    if campaign.state != Campaign.State.SENDING or campaign.is_waiting:
        return False
    waiting = unleased(campaign.deliveries.filter(state__in=Delivery.OPEN))
    return len(waiting.values_list("pk")[:FOR_SEVERAL]) == FOR_SEVERAL


def work_on(campaign, seconds):
    """Work on a campaign for about `seconds`; return whether there is more to do at once."""
    if campaign.state != Campaign.State.SENDING or campaign.is_waiting:
        return False
    shift = CampaignWorker(campaign, seconds)
    try:
        is_more = shift.work()
        if not is_more:
            lifecycle.finish_if_done(campaign)
        if shift.campaign.state == Campaign.State.CANCELLED:
            lifecycle.settle_cancelled()
    except AWAY:
        raise
    except Exception as error:
        shift.fail(error)
        return False
    return is_more


def send_test(page, email):
    """Send an edition as one mail to `email`, marked as a test. Raises mailing.Suppressed."""
    mail = rendering.preview(page)
    outgoing.send(outgoing.message(f"[TEST] {mail.subject}", mail.text, mail.html, email))
