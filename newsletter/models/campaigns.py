"""Models of sending: campaigns, their frozen content, deliveries and provider reports."""

import uuid

from django.conf import settings
from django.contrib.admin import display
from django.db import models
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from jobs import clock
from jobs.leases import LeasedModel
from redaction.fields import RedactedCharField, RedactedTextField

from newsletter.editions.rendering import MAX_COUNTED

from .editions import IssuePage
from .segments import Segment
from .subscribers import Subscriber


class Campaign(models.Model):
    """The sending of an edition, in all its languages, to an audience."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        SCHEDULED = "scheduled", _("scheduled")
        SENDING = "sending", _("sending")
        PAUSED = "paused", _("paused")
        SENT = "sent", pgettext_lazy("campaign", "sent")
        CANCELLED = "cancelled", pgettext_lazy("campaign", "cancelled")

    class Problem(models.TextChoices):
        """The reason why a campaign is paused or not started."""

        LATE = "late", _("It was to be sent earlier, but the site was not working then. Send it now, or choose another time.")  # fmt: skip
        UNPUBLISHED = "unpublished", _("The edition is not published in any language.")
        BROKEN = "broken", _("The edition cannot be made into a mail. Fix it, then send it or choose another time.")
        HALTED = "halted", _("The provider refuses every mail. In its words:")
        REFUSALS = "refusals", _("Too many mails in a row were refused. The last words:")
        UNCLEAR = "unclear", _("Ten times in a row mails were handed over and the answer was not clear: they may or may not have gone. Ask the people who run the mail server, or the provider, before you resume. The last words:")  # fmt: skip
        FAULT = "fault", _("An error in the program came back again and again. Tell the people who look after the site, and resume when they have fixed it. In its words:")  # fmt: skip

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    issue = models.ForeignKey(IssuePage, on_delete=models.PROTECT, related_name="campaigns", verbose_name=_("edition"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, null=True, blank=True, related_name="campaigns", verbose_name=_("segment")
    )
    scheduled_at = models.DateTimeField(_("to be sent"), null=True)
    local_morning = models.BooleanField(_("in the morning of each country"), default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("sent by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    worked_at = models.DateTimeField(null=True, editable=False)  # last heartbeat of a worker
    # While the provider is unavailable, nothing is sent before `resume_at`; consecutive `outages` make the pause
    # grow.
    resume_at = models.DateTimeField(null=True, editable=False)
    outages = models.PositiveSmallIntegerField(default=0, editable=False)
    refusals = models.PositiveIntegerField(default=0, editable=False)  # consecutive, reset by a sent mail
    unclear = models.PositiveIntegerField(default=0, editable=False)  # consecutive unclear responses
    faults = models.PositiveSmallIntegerField(default=0, editable=False)  # consecutive unexpected errors
    problem = models.CharField(_("why it is paused"), max_length=20, choices=Problem, blank=True)
    problem_words = RedactedTextField(blank=True, editable=False)  # the provider's text

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["state", "scheduled_at"], name="campaign_due")]

    def __str__(self) -> str:
        return self.issue.title

    @property
    def is_waiting(self) -> bool:
        """Whether the campaign waits for the provider or for the rate limits."""
        return self.state == self.State.SENDING and self.resume_at is not None and self.resume_at > clock.now()

    def counts(self) -> dict[str, int]:
        """Return the number of deliveries in each state: {state: number}, all states present."""
        found = dict(self.deliveries.values_list("state").annotate(n=Count("pk")))
        return {state: found.get(state, 0) for state in Delivery.State.values}


class CampaignContent(models.Model):
    """The content of a campaign in one language, frozen when it starts. `variant` is empty, or "b" for the second
    subject."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="contents")
    language = models.CharField(max_length=10)
    variant = models.CharField(max_length=1, blank=True)
    subject = models.CharField(max_length=255)
    preheader = models.CharField(max_length=255, blank=True)
    html = models.TextField()
    text = models.TextField()
    frozen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        unique_together = [("campaign", "language", "variant")]

    def __str__(self) -> str:
        return f"{self.subject} ({self.language})"


class CampaignLink(models.Model):
    """A numbered link of a campaign's mails, and its clicks if they are counted."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="links")
    number = models.PositiveIntegerField()
    url = models.URLField(_("address"), max_length=MAX_COUNTED)
    clicks = models.PositiveIntegerField(_("clicks"), default=0)

    class Meta:
        unique_together = [("campaign", "number"), ("campaign", "url")]
        ordering = ["-clicks", "number"]

    def __str__(self) -> str:
        return self.url


class Delivery(LeasedModel):
    """One mail of a campaign to one subscriber. These rows are the source of truth; the task queue only starts
    workers."""

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        SENDING = "sending", _("in hand")
        SENT = "sent", pgettext_lazy("mail", "sent")
        DELIVERED = "delivered", _("delivered")
        DEFERRED = "deferred", _("deferred by the receiver")
        BOUNCED = "bounced", _("bounced")
        COMPLAINED = "complained", _("complained")
        FAILED = "failed", _("failed")
        SKIPPED = "skipped", _("left out")
        UNKNOWN = "unknown", _("may or may not have gone")

    OPEN = [State.QUEUED, State.SENDING]

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="deliveries")
    subscriber = models.ForeignKey(Subscriber, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    language = models.CharField(_("language"), max_length=10)
    variant = models.CharField(_("variant"), max_length=1, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    provider_id = models.CharField(_("provider's number"), max_length=255, blank=True, db_index=True)
    error = RedactedTextField(_("reason"), blank=True)
    refused_at = models.DateTimeField(null=True, editable=False)  # first temporary refusal, since when it is retried
    sent_at = models.DateTimeField(pgettext_lazy("mail", "sent"), null=True)
    opened_at = models.DateTimeField(_("opened"), null=True)
    clicked_at = models.DateTimeField(_("clicked"), null=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        unique_together = [("campaign", "subscriber")]
        indexes = [models.Index(fields=["campaign", "state", "id"], name="delivery_claim")]

    def __str__(self) -> str:
        return f"{self.subscriber}: {self.get_state_display()}"


class Click(models.Model):
    """A click, until it is clear whether it is human (tracking.py). It is deleted after that."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="+")
    link = models.ForeignKey(CampaignLink, on_delete=models.CASCADE, related_name="+")
    happened_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.link} {self.happened_at:%H:%M:%S}"


def message_id(campaign: Campaign, delivery_number: int | str, domain: str) -> str:
    """Return the Message-ID (RFC 5322) of a delivery's mail, the same for every attempt. The number may be a placeholder."""
    return f"<{campaign.uuid.hex}.{delivery_number}@{domain}>"


class ProviderEvent(LeasedModel):
    """A provider's event about a mail. The web process only writes this row; a task processes it.

    `fingerprint` identifies repetitions: the provider's event id, else a hash of message, recipient, kind and time.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        APPLIED = "applied", _("applied")
        UNMATCHED = "unmatched", _("belongs to no known mail")

    class Kind(models.TextChoices):
        """The kinds of anymail.signals.EventType."""

        QUEUED = "queued", pgettext_lazy("kind of message", "queued")
        SENT = "sent", pgettext_lazy("kind of message", "sent")
        DELIVERED = "delivered", pgettext_lazy("kind of message", "delivered")
        DEFERRED = "deferred", pgettext_lazy("kind of message", "delayed")
        AUTORESPONDED = "autoresponded", pgettext_lazy("kind of message", "automatic reply")
        BOUNCED = "bounced", pgettext_lazy("kind of message", "not delivered")
        REJECTED = "rejected", pgettext_lazy("kind of message", "refused by the provider")
        FAILED = "failed", pgettext_lazy("kind of message", "failed")
        COMPLAINED = "complained", pgettext_lazy("kind of message", "marked as spam")
        UNSUBSCRIBED = "unsubscribed", pgettext_lazy("kind of message", "unsubscribed")
        SUBSCRIBED = "subscribed", pgettext_lazy("kind of message", "subscribed")
        OPENED = "opened", pgettext_lazy("kind of message", "opened")
        CLICKED = "clicked", pgettext_lazy("kind of message", "link opened")
        UNKNOWN = "unknown", pgettext_lazy("kind of message", "other")

    provider = models.CharField(_("provider"), max_length=30)
    fingerprint = models.CharField(max_length=64, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    happened_at = models.DateTimeField(_("when"), default=timezone.now)
    received_at = models.DateTimeField(pgettext_lazy("report", "received"), default=timezone.now)
    provider_id = models.CharField(_("provider's number"), max_length=255, blank=True)
    recipient = models.EmailField(_("recipient"), max_length=254, blank=True)
    reason = models.CharField(_("reason"), max_length=20, blank=True)
    description = RedactedTextField(_("description"), blank=True)
    delivery_hint = models.CharField(max_length=40, blank=True, editable=False)  # the delivery id in our metadata
    delivery = models.ForeignKey(
        Delivery, on_delete=models.SET_NULL, null=True, related_name="events", verbose_name=_("delivery")
    )

    class Meta:
        verbose_name = _("message of the provider")
        verbose_name_plural = _("messages of the provider")
        ordering = ["-received_at"]
        indexes = [
            models.Index(fields=["state", "id"], name="provider_event_waiting"),
            models.Index(fields=["delivery", "kind"], name="provider_event_delivery"),
            models.Index(fields=["recipient"], name="provider_event_recipient"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.happened_at:%Y-%m-%d %H:%M}"


class IncomingReport(LeasedModel):
    """A webhook call or bounce message, unchanged. The web process only writes this row; a task parses it.

    The content is deleted once it was read; the row stays for a while, as `fingerprint` identifies repetitions.
    Unreadable content is kept for a person.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        READ = "read", _("read")
        UNREADABLE = "unreadable", _("cannot be read")

    source = models.CharField(pgettext_lazy("report", "source"), max_length=30)
    fingerprint = models.CharField(max_length=64, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    received_at = models.DateTimeField(pgettext_lazy("report", "received"), default=timezone.now)
    headers = models.JSONField(default=dict, editable=False)  # the headers needed for parsing
    body = models.BinaryField(_("content"), default=bytes)
    problem = RedactedCharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("report as it came")
        verbose_name_plural = _("reports as they came")
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["state", "id"], name="incoming_report_state")]

    def __str__(self) -> str:
        return f"{self.source}, {self.received_at:%Y-%m-%d %H:%M}"

    @property
    @display(description=_("Content"))
    def text(self) -> str:
        """The content as text, undecodable bytes replaced."""
        return bytes(self.body).decode("utf-8", "replace").replace("\0", "\ufffd")

    @property
    def excerpt(self) -> str:
        """The beginning of the content."""
        return self.text[:200]
