"""The sending worker: claims deliveries, submits them to a transport and records the results.

The Delivery rows are the source of truth. A claim is committed before anything is sent, and a result before its
channel continues, so a worker may be killed at any moment: its leases expire and another worker takes over. Each
claim has a token; a worker that was suspended renews, changes and releases only rows that still carry its token, and
starts no other mail.
"""

import logging
import queue
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _
from jobs import clock
from jobs.database import log_outage, log_return
from jobs.leases import claim_keys, unleased
from jobs.process import Watchdog, stopping
from redaction.text import storable

from newsletter.campaigns import lifecycle
from newsletter.campaigns.snapshots import Content
from newsletter.delivery import outgoing, personalisation, providers, rate_limit
from newsletter.delivery.claim_files import ClaimFile
from newsletter.delivery.errors import DeliveryError, ErrorAction
from newsletter.delivery.transports import transport_class
from newsletter.delivery.transports.base import SENT, OutgoingMessage, Result, Transport
from newsletter.editions import rendering
from newsletter.feedback import events
from newsletter.models import Campaign, CampaignContent, Delivery, IssuePage, Subscriber, Suppression

logger = logging.getLogger(__name__)
State = Delivery.State
DATABASE_UNAVAILABLE = (OperationalError, InterfaceError)  # raised while the database is unavailable
RETRY_PERIOD = timedelta(hours=24)  # how long a temporarily refused mail is retried
FIRST_PAUSE, MAX_PAUSE = 30, 3600  # seconds before a mail is retried; doubled each time
OUTAGE_PAUSE, MAX_OUTAGE_PAUSE = 5, 240  # seconds before an unavailable provider is tried again; doubled each time
MAX_REFUSALS_IN_A_ROW = 50  # permanent refusals without a sent mail in between that pause a campaign
MAX_UNCLEAR_IN_A_ROW = 10  # unclear responses in a row that pause a campaign
MAX_TRIES = 2  # of a mail that may have been sent
MAX_FAULTS_IN_A_ROW = (
    8  # unexpected errors in a row that pause a campaign; about ten minutes with the pauses between them
)
FAILURE_COUNTERS = {
    "outages": 0,
    "refusals": 0,
    "unclear": 0,
    "faults": 0,
}  # the campaign's counters, reset by each sent mail
SECOND_WORKER_THRESHOLD = 500  # waiting mails from which a second worker joins
CHECK_SECONDS = 1  # seconds between two checks whether to stop
CLOSE_SECONDS = 10  # seconds to wait for results after an error
# A sent mail is marked whoever holds its lease now: that keeps other workers from sending it again.
MARK_SENT = """UPDATE newsletter_delivery
    SET state = 'sent', sent_at = %s, lease_until = NULL, lease_token = NULL, error = '', provider_id = %s
    WHERE state IN ('sending', 'queued', 'unknown', 'failed', 'skipped') AND id IN ({})"""
NOT_BEGUN = {ErrorAction.RELEASED, ErrorAction.AWAY, ErrorAction.HALT}
DATABASE_SECONDS = 900  # how long uncommitted results are kept while the database is unavailable
DATABASE_PAUSE = 0.5  # seconds between two connection attempts


class Lease:
    """A claim: its token, its expiry (time.monotonic) and the deliveries lost from it."""

    def __init__(self) -> None:
        self.token = uuid.uuid4()
        self._lost: set[int] = set()
        self._until = 0.0

    def renew(self, since: float) -> None:
        """Renew the lease; `since` (time.monotonic) is when the database statement started."""
        self._until = since + 0.7 * settings.NEWSLETTER_LEASE_SECONDS

    def lose(self, number: int) -> None:
        """Record that another worker holds this delivery, or that it is settled."""
        self._lost.add(number)

    def holds(self, number: int) -> bool:
        """Return whether sending the mail of this delivery may start."""
        return time.monotonic() < self._until and number not in self._lost


class TransportStopped(RuntimeError):
    """A thread of the transport ended unexpectedly."""


class CampaignWorker:
    """Sends a campaign's deliveries for a limited time."""

    def __init__(self, campaign: Campaign, seconds: float) -> None:
        self.campaign, self.provider = campaign, providers.current()
        self.until = time.monotonic() + seconds
        self.claimed: dict[int, OutgoingMessage] = {}  # by delivery id: claimed, result not committed yet
        self.ready: list[OutgoingMessage] = []  # claimed, not submitted to the transport yet
        self.withdrawn: list[OutgoingMessage] = []  # withdrawn from the transport, not released yet
        self.unrecorded: list[Result] = []  # results that are not committed yet
        self.interrupted_claims: set[uuid.UUID] = set()  # tokens of claims interrupted by an error
        self.claim_file = ClaimFile()
        self.contents: dict[tuple[int, datetime], Content] = {}  # by content id and frozen_at
        self.is_stopped = self.is_exhausted = False
        self.not_before = 0.0
        self.checked_at = 0.0

    def run(self) -> bool:
        """Send until the time is up, nothing is left to claim, or the campaign stops. Return whether there is more to
        do at once."""
        with self.claim_file, transport_class()(self.provider) as transport:
            transport.is_doubtful = bool(self.campaign.unclear)
            limit = max(2 * settings.NEWSLETTER_LEASE_SECONDS, transport.result_timeout)
            with Watchdog(f"campaign {self.campaign.pk}", limit) as self.watchdog:
                try:
                    while self._step(transport):
                        pass
                finally:
                    self._close(transport)
        return not self.is_exhausted and not self.is_stopped_by_campaign

    @property
    def is_stopped_by_campaign(self) -> bool:
        """Whether the campaign's state, not the time limit, ended the run."""
        return self.campaign.state != Campaign.State.SENDING or self.campaign.is_waiting

    def _step(self, transport: Transport) -> bool:
        """Run one iteration of the loop. Return whether to continue."""
        self._persist(partial(self._check_campaign, transport))
        if not self.is_stopped:
            self._persist(partial(self._claim_batch, transport))
            self._persist(partial(self._submit, transport))
        if not self.claimed and (self.is_stopped or self.is_exhausted):
            return False
        if self._record(transport) or len(self.ready) == len(self.claimed):
            self.watchdog.progress()
        if not transport.is_alive():
            raise TransportStopped
        return True

    def _close(self, transport: Transport) -> None:
        """After an error, release mails that were not started and record results for CLOSE_SECONDS."""
        if not self.claimed and not self.interrupted_claims:
            return
        self.withdrawn += transport.withdraw()
        self._persist(self._release)
        self._persist(self._release_interrupted)
        until = time.monotonic() + CLOSE_SECONDS
        while self.claimed and time.monotonic() < until:
            self._record(transport)

    def _persist(self, action: Callable[[], None]) -> None:
        """Run a database action, retrying while the database is unavailable, for DATABASE_SECONDS at most. Raises
        DatabaseError."""
        until = time.monotonic() + DATABASE_SECONDS
        while True:
            try:
                action()
                log_return()
                return
            except DATABASE_UNAVAILABLE as error:
                if time.monotonic() > until or connection.in_atomic_block:
                    raise
                log_outage(error)
                with suppress(DatabaseError):
                    connection.close()
                self.watchdog.progress()
                time.sleep(DATABASE_PAUSE)

    # Checking the campaign

    def _check_campaign(self, transport: Transport) -> None:
        """Every CHECK_SECONDS, renew the leases and check the campaign's state and the time limit; when stopping,
        release the mails that were not started."""
        now = time.monotonic()
        if now - self.checked_at < CHECK_SECONDS:
            return
        self.campaign.refresh_from_db()
        self._renew()
        if now > self.until or self.is_stopped_by_campaign or stopping.is_set():
            self.is_stopped = True
        if self.is_stopped and self.claimed:
            self.withdrawn += transport.withdraw()
            self._release()
        self.checked_at = now

    def _renew(self) -> None:
        """Update the campaign's heartbeat and renew the leases. Deliveries held by others by now are dropped first."""
        since, now = time.monotonic(), clock.now()  # in this order: the process may be suspended between the two
        Campaign.objects.filter(pk=self.campaign.pk).update(worked_at=now)
        if not self.claimed:
            return
        leases = {mail.lease for mail in self.claimed.values()}
        ours = self._still_claimed(self.claimed.values())
        if ours.update(lease_until=now + timedelta(seconds=settings.NEWSLETTER_LEASE_SECONDS)) < len(self.claimed):
            self._forget_lost(self.claimed.keys() - set(ours.values_list("pk", flat=True)))
        for lease in leases:
            lease.renew(since)

    @staticmethod
    def _still_claimed(mails: Collection[OutgoingMessage]) -> QuerySet[Delivery]:
        """Return the deliveries of `mails` that are still under this worker's leases."""
        tokens = {mail.lease.token for mail in mails}
        return Delivery.objects.filter(
            pk__in=[mail.number for mail in mails], state=State.SENDING, lease_token__in=tokens
        )

    def _forget_lost(self, numbers: Collection[int]) -> None:
        """Start none of these mails; mails already started still bring a result."""
        logger.warning("The leases of %s mails are lost; none of them is started any more", len(numbers))
        for number in numbers:
            self.claimed[number].lease.lose(number)
        for mail in [mail for mail in self.ready if mail.number in numbers]:
            self.ready.remove(mail)
            del self.claimed[mail.number]

    def _release(self) -> None:
        """Requeue mails that were not started, as if they had never been claimed."""
        mails = self.ready + self.withdrawn
        if not mails:
            return
        _requeue(self._still_claimed(mails))
        rate_limit.release(len(self.withdrawn))
        for mail in mails:
            self.claimed.pop(mail.number, None)
        self.ready, self.withdrawn, self.is_exhausted = [], [], False

    # Claiming

    def _claim_batch(self, transport: Transport) -> None:
        """Claim the next batch and leave out recipients who must not be mailed."""
        size = min(transport.batch_size, rate_limit.per_second_limit() or transport.batch_size)
        if self.is_exhausted or len(self.claimed) > size // 2:
            return
        self._release_interrupted()
        self._settle_unclear()
        lease, since = Lease(), time.monotonic()
        self.interrupted_claims.add(lease.token)
        self.claim_file.write(self.interrupted_claims | {mail.lease.token for mail in self.claimed.values()})
        keys = self._claim(self._in_state(State.QUEUED), size, lease) or self._claim(self._left_behind(), size, lease)
        self.is_exhausted = not keys
        lease.renew(since)
        mails = self._outgoing(keys, lease)
        self.interrupted_claims.remove(lease.token)
        self.claimed |= {mail.number: mail for mail in mails}
        self.ready += mails

    def _in_state(self, state: Delivery.State) -> QuerySet[Delivery]:
        """Return the deliveries in one state. One state per query lets the database use its index instead of scanning
        all sent rows."""
        return self.campaign.deliveries.filter(state=state)

    def _left_behind(self) -> QuerySet[Delivery]:
        """Return the deliveries whose lease expired under another worker. Our own are excluded, however long the
        database was unavailable."""
        return self._in_state(State.SENDING).filter(lease_until__lte=clock.now()).exclude(pk__in=list(self.claimed))

    @staticmethod
    def _claim(waiting: QuerySet[Delivery], number: int, lease: Lease) -> list[int]:
        return claim_keys(waiting, number, settings.NEWSLETTER_LEASE_SECONDS, lease.token, state=State.SENDING)

    def _release_interrupted(self) -> None:
        """Release claims that an error interrupted; none of their mails was started."""
        if self.interrupted_claims:
            _requeue(self.campaign.deliveries.filter(state=State.SENDING, lease_token__in=self.interrupted_claims))
            self.interrupted_claims.clear()

    def _submit(self, transport: Transport) -> None:
        """Submit as many mails to the transport as the rate limits allow now."""
        if not self.ready or time.monotonic() < self.not_before:
            return
        limit = rate_limit.per_second_limit()
        if limit and len(self.claimed) - len(self.ready) >= limit:
            return  # slow server: mails queued in the transport would exceed the limit together with later ones
        number, pause = rate_limit.reserve(len(self.ready))
        mails, self.ready = self.ready[:number], self.ready[number:]
        if mails:
            transport.submit(mails)
        else:
            self._wait(pause)

    def _wait(self, seconds: float) -> None:
        """Wait for the rate limits: short pauses here, long ones by stopping until `resume_at`."""
        if seconds <= rate_limit.WINDOW:
            self.not_before = time.monotonic() + seconds
        else:
            resume_at = clock.now() + timedelta(seconds=seconds)
            self._sending_campaign().update(resume_at=resume_at)
            self._stop()

    @property
    def _resend_cutoff(self) -> datetime | None:
        """The earliest first attempt of an uncertain mail that may still be sent again; None for any time."""
        return None if self.provider.keeps_message_id else clock.now() - timedelta(seconds=self.provider.resend_seconds)

    def _settle_unclear(self) -> None:
        """Mark mails left by a dead worker as unknown where a duplicate could not be detected.

        Sending started at most one worker run and one call before the last lease renewal: KEY_MARGIN covers that.
        """
        if oldest := self._resend_cutoff:
            self._mark_unknown(
                self._left_behind().filter(lease_until__lte=oldest), error=_("The worker stopped in the middle.")
            )

    @staticmethod
    def _mark_unknown(doubtful: QuerySet[Delivery], **changes: object) -> None:
        """Mark deliveries as unknown: they may or may not have been sent, and a person decides."""
        doubtful.update(state=State.UNKNOWN, lease_until=None, lease_token=None, **changes)

    def _outgoing(self, keys: Collection[int], lease: Lease) -> list[OutgoingMessage]:
        """Return the OutgoingMessages of claimed deliveries. Recipients who must not be mailed any more are skipped;
        mails uncertain for too long are marked unknown."""
        rows = list(Delivery.objects.filter(pk__in=keys).values_list(
            "pk", "language", "variant", "refused_at", "subscriber__state", "subscriber__uuid", "subscriber__email", "subscriber__name"
        ))  # fmt: skip
        suppressed = Suppression.covers([row[6] for row in rows if row[6]])
        versions, oldest = self._versions() if rows else {}, self._resend_cutoff
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
            self._mark_unknown(ours.filter(pk__in=in_doubt))
        return mails

    def _versions(self) -> dict[tuple[str, str], tuple[int, datetime]]:
        """Return {(language, variant): (content id, frozen_at)}; a correction may have replaced contents since the
        last claim."""
        found = self.campaign.contents.values_list("language", "variant", "pk", "frozen_at")
        return {(language, variant): (pk, frozen_at) for language, variant, pk, frozen_at in found}

    def _content(self, version: tuple[int, datetime]) -> Content:
        if version not in self.contents:
            self.contents[version] = Content(CampaignContent.objects.get(pk=version[0]), self.campaign)
        return self.contents[version]

    # Recording

    def _record(self, transport: Transport) -> bool:
        """Commit the transport's results. Return whether there were any. While the database is unavailable the
        channels wait."""
        if self.claimed:
            self.unrecorded += _waiting(transport.results)
        if not self.unrecorded:
            return False
        results = self.unrecorded
        self._persist(partial(_record_each, results))
        for result in results:
            self.claimed.pop(result.mail.number, None)
        self.unrecorded = []
        transport.committed(results)
        unused = [result for result in results if result.outcome != SENT and result.outcome.action in NOT_BEGUN]
        if unused:
            self._persist(partial(rate_limit.release, len(unused)))
            self.is_exhausted = False
        self._persist(partial(self._update_campaign, results))
        return True

    def _update_campaign(self, results: Sequence[Result]) -> None:
        """Update the campaign after results: continue, pause, or wait for the provider."""
        actions = Counter(SENT if result.outcome == SENT else result.outcome.action for result in results)
        delivery_errors = [result.outcome for result in results if result.outcome != SENT]
        if actions["sent"]:
            if any(getattr(self.campaign, field) for field in FAILURE_COUNTERS):
                self._sending_campaign().update(**FAILURE_COUNTERS)
                self.campaign.refresh_from_db(fields=list(FAILURE_COUNTERS))
        else:
            self._count_failures(
                delivery_errors, ErrorAction.NEVER, "refusals", MAX_REFUSALS_IN_A_ROW, Campaign.Problem.REFUSALS
            )
            self._count_failures(
                delivery_errors, ErrorAction.UNCLEAR, "unclear", MAX_UNCLEAR_IN_A_ROW, Campaign.Problem.UNCLEAR
            )
        if actions[ErrorAction.HALT]:
            words = next(
                delivery_error.words for delivery_error in delivery_errors if delivery_error.action == ErrorAction.HALT
            )
            lifecycle.halt(self.campaign, Campaign.Problem.HALTED, words)
            self._stop()
        elif actions[ErrorAction.AWAY] and not actions["sent"] and not self.is_stopped:  # once, not for each connection
            self._back_off(
                [delivery_error for delivery_error in delivery_errors if delivery_error.action == ErrorAction.AWAY]
            )

    def _sending_campaign(self) -> QuerySet[Campaign]:
        """Return a queryset of the campaign if it is still being sent, so that editors' changes are not overwritten."""
        return Campaign.objects.filter(pk=self.campaign.pk, state=Campaign.State.SENDING)

    def _count_failures(
        self,
        delivery_errors: Iterable[DeliveryError],
        action: ErrorAction,
        field: str,
        limit: int,
        problem: Campaign.Problem,
    ) -> None:
        """Add errors with `action` to a counter of the campaign; `limit` in a row pause it."""
        # One response may concern many mails, which then share one DeliveryError.
        answers = {
            id(delivery_error): delivery_error.words
            for delivery_error in delivery_errors
            if delivery_error.action == action
        }
        if not answers:
            return
        self._sending_campaign().update(**{field: F(field) + len(answers)})
        self.campaign.refresh_from_db(fields=[field])
        if getattr(self.campaign, field) >= limit:
            lifecycle.halt(self.campaign, problem, list(answers.values())[-1])
            self._stop()

    def fail(self, error: Exception) -> None:
        """Handle an unexpected error: retry after a growing pause, MAX_FAULTS_IN_A_ROW times in all."""
        logger.error("An error stopped the sending of campaign %s", self.campaign.pk, exc_info=error)
        self._sending_campaign().update(faults=F("faults") + 1)
        self.campaign.refresh_from_db(fields=["faults", "outages"])
        if self.campaign.faults >= MAX_FAULTS_IN_A_ROW:
            lifecycle.halt(self.campaign, Campaign.Problem.FAULT, f"{type(error).__name__}: {error}")
        else:
            self._pause()

    def _back_off(self, delivery_errors: Sequence[DeliveryError]) -> None:
        """Pause while the provider is unavailable; the pause grows to five minutes at most."""
        pause = self._pause(max((delivery_error.retry_after or 0 for delivery_error in delivery_errors), default=0))
        logger.warning(
            "Campaign %s waits %.0f s for the provider: %s", self.campaign.pk, pause, delivery_errors[-1].words
        )
        self._stop()

    def _pause(self, at_least: float = 0) -> float:
        """Suspend the campaign for a growing number of seconds, no fewer than `at_least`. Return the seconds."""
        grown = min(OUTAGE_PAUSE * 2**self.campaign.outages, MAX_OUTAGE_PAUSE)
        pause = max(at_least, grown * random.uniform(0.75, 1.0))  # noqa: S311
        now, outages = clock.now(), min(self.campaign.outages + 1, 20)
        self._sending_campaign().update(resume_at=now + timedelta(seconds=pause), outages=outages, worked_at=now)
        return pause

    def _stop(self) -> None:
        self.is_stopped = True
        self.checked_at = 0.0


def _waiting(results: queue.SimpleQueue[Result | list[Result]]) -> list[Result]:
    """Return the transport's new results as a flat list, waiting a moment for the first."""
    found = []
    try:
        found.append(results.get(timeout=0.2))
        while True:
            found.append(results.get_nowait())
    except queue.Empty:
        return [result for entry in found for result in (entry if isinstance(entry, list) else [entry])]


def _record_each(results: Sequence[Result]) -> None:
    """Record results in one go; if the database refuses one of them, record each separately."""
    try:
        record(results)
    except DATABASE_UNAVAILABLE:
        raise
    except DatabaseError:
        for result in results:
            _record_alone(result)


def _record_alone(result: Result) -> None:
    try:
        record([result])
    except DATABASE_UNAVAILABLE:
        raise
    except DatabaseError as error:
        logger.exception("The result of delivery %s cannot be recorded", result.mail.number)
        words = f"{SENT if result.outcome == SENT else result.outcome.action.name}: {type(error).__name__}"
        Delivery.objects.filter(pk=result.mail.number, state=State.SENDING).update(
            state=State.UNKNOWN, lease_until=None, lease_token=None, error=words
        )


def record(results: Sequence[Result]) -> None:
    """Write the results of claimed mails. A stronger state reported by the provider meanwhile is kept."""
    now, taken = clock.now(), defaultdict(list)
    for result in results:
        if result.is_sent:
            taken[storable(result.provider_id)[:255]].append(result.mail.number)
    # A batch shares one provider id, SMTP has none: few statements for many mails.
    for number, keys in taken.items():
        if _mark_sent(keys, number, now) < len(keys):
            Delivery.objects.filter(pk__in=keys, sent_at=None).update(sent_at=now, provider_id=number)
    for result in results:
        if result.outcome != SENT:
            _record_failure(result, result.outcome, now)


def _mark_sent(keys: Sequence[int], number: str, now: datetime) -> int:
    """Mark deliveries as sent. Return the number of rows. Plain SQL, as it runs hundreds of times a second."""
    marks = ",".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(MARK_SENT.format(marks), [now, number, *keys])
        return cursor.rowcount


def _requeue(deliveries: QuerySet[Delivery], **changes: object) -> None:
    """Requeue deliveries as if they had never been claimed."""
    deliveries.update(
        state=State.QUEUED, lease_until=None, lease_token=None, attempts=Greatest(F("attempts") - 1, 0), **changes
    )


def _record_failure(result: Result, delivery_error: DeliveryError, now: datetime) -> None:
    """Record a failure with the provider's text: requeue the mail, schedule a retry, or give up.

    Only while the delivery is under the lease with which the mail was sent; otherwise the current holder's result
    counts.
    """
    words = storable(delivery_error.words)[:2000]
    mine = Delivery.objects.filter(pk=result.mail.number, state=State.SENDING, lease_token=result.mail.lease.token)
    if delivery_error.action == ErrorAction.RELEASED:
        _requeue(mine)
        return
    if delivery_error.action in NOT_BEGUN:
        _requeue(mine, error=words)
        return
    row = mine.values("attempts", "refused_at").first()
    if row is None:
        return
    since = row["refused_at"] or now
    if delivery_error.action == ErrorAction.UNCLEAR and not _may_be_repeated(row["attempts"], now - since):
        mine.update(state=State.UNKNOWN, lease_until=None, lease_token=None, error=words)
        return
    if delivery_error.action == ErrorAction.NEVER or now - since > RETRY_PERIOD:
        _mark_failed(mine, result, delivery_error, words)
        return
    pause = min(FIRST_PAUSE * 2 ** max(0, row["attempts"] - 1), MAX_PAUSE)
    pause = max(pause * random.uniform(0.75, 1.25), delivery_error.retry_after or 0)  # noqa: S311
    again = now + timedelta(seconds=pause)
    mine.update(state=State.QUEUED, lease_until=again, lease_token=None, refused_at=since, error=words)
    logger.info("Delivery %s will be tried again in %.0f s: %s", result.mail.number, pause, words[:200])


def _may_be_repeated(attempts: int, age: timedelta) -> bool:
    """Return whether an uncertain mail may be sent again; `age` is the time since its first attempt."""
    provider = providers.current()
    if provider.keeps_message_id:
        return attempts < MAX_TRIES
    return age.total_seconds() < provider.resend_seconds


def _mark_failed(mine: QuerySet[Delivery], result: Result, delivery_error: DeliveryError, words: str) -> None:
    """Mark a delivery as failed. A receiver's refusal is also stored as an event, as it may concern the address."""
    number = storable(result.provider_id)[:255]
    with transaction.atomic():
        gave_up = mine.update(state=State.FAILED, lease_until=None, lease_token=None, error=words, provider_id=number)
        if gave_up and delivery_error.action == ErrorAction.NEVER and delivery_error.code:
            events.store_refusal(result.mail, words)


def needs_second_worker(campaign: Campaign) -> bool:
    """Return whether enough deliveries wait for a second worker to join."""
    if campaign.state != Campaign.State.SENDING or campaign.is_waiting:
        return False
    waiting = unleased(campaign.deliveries.filter(state__in=Delivery.OPEN))
    return len(waiting.values_list("pk")[:SECOND_WORKER_THRESHOLD]) == SECOND_WORKER_THRESHOLD


def run(campaign: Campaign, seconds: float) -> bool:
    """Send a campaign for about `seconds`. Return whether there is more to do at once."""
    if campaign.state != Campaign.State.SENDING or campaign.is_waiting:
        return False
    campaign_worker = CampaignWorker(campaign, seconds)
    try:
        is_more = campaign_worker.run()
        if not is_more:
            lifecycle.finish_if_done(campaign)
        if campaign_worker.campaign.state == Campaign.State.CANCELLED:
            lifecycle.settle_cancelled()
    except DATABASE_UNAVAILABLE:
        raise
    except Exception as error:
        campaign_worker.fail(error)
        return False
    return is_more


def send_test(page: IssuePage, email: str) -> None:
    """Send an edition as a single test mail to `email`. Raises outgoing.Suppressed."""
    mail = rendering.preview(page)
    outgoing.send(outgoing.message(f"[TEST] {mail.subject}", mail.text, mail.html, email))
