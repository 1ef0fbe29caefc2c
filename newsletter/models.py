"""The newsletter's data: who asked for it, what is written, and what became of every single mail."""

import uuid

from core.leases import LeasedModel
from core.localmail import MAIL_POLICY
from core.models import BasePage, Topic, default_language
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, HelpPanel, MultiFieldPanel
from wagtail.fields import StreamField
from wagtail.models import Page

from . import addresses, tokens
from .blocks import IssueBlock


class Subscriber(models.Model):
    """Someone who asked for the newsletter. The address is normalised, so that one mailbox is one subscriber."""

    class State(models.TextChoices):
        PENDING = "pending", _("not yet confirmed")
        ACTIVE = "active", _("active")
        UNSUBSCRIBED = "unsubscribed", _("left")
        BOUNCED = "bounced", _("address does not work")
        COMPLAINED = "complained", _("complained")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(_("e-mail"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    language = models.CharField(
        _("language"), max_length=10, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE
    )
    country = models.CharField(_("country"), max_length=2, blank=True, help_text=_("Two letters, such as PE or BR."))
    topics = models.ManyToManyField(
        Topic, blank=True, verbose_name=_("topics"), limit_choices_to=default_language, related_name="+"
    )
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.PENDING, db_index=True)
    confirmation_round = models.PositiveSmallIntegerField(default=0, editable=False)
    confirmation_sent_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("asked"), auto_now_add=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, editable=False)

    class Meta:
        verbose_name = _("subscriber")
        verbose_name_plural = _("subscribers")
        ordering = ["-created_at"]

    def __str__(self):
        return self.email

    def clean(self):
        self.email = addresses.normalise(self.email)

    @property
    def manage_token(self):
        """The signed token of the links to leave and to change preferences."""
        return tokens.make(tokens.MANAGE, self)


class ConsentEvent(models.Model):
    """A change of a subscription and how it came about. Append-only: neither changed nor deleted, except by erasure."""

    class Kind(models.TextChoices):
        ASKED = "asked", _("asked")
        CONFIRMED = "confirmed", _("confirmed")
        CHANGED = "changed", _("changed")
        LEFT = "left", _("left")
        IMPORTED = "imported", _("imported")
        ERASED = "erased", _("erased")

    class Way(models.TextChoices):
        FORM = "form", _("sign-up form")
        MAIL = "mail", _("link in a mail")
        ONE_CLICK = "one-click", _("one click in the mail program")
        PREFERENCES = "preferences", _("preferences page")
        STAFF = "staff", _("staff")

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="consent_events")
    kind = models.CharField(_("what"), max_length=10, choices=Kind)
    at = models.DateTimeField(_("when"), default=timezone.now, editable=False)
    way = models.CharField(_("how"), max_length=12, choices=Way)
    language = models.CharField(_("language"), max_length=10)
    wording = models.TextField(_("wording shown"), blank=True)
    wording_version = models.CharField(_("version of the wording"), max_length=20, blank=True)
    origin = models.CharField(_("network of origin"), max_length=50, blank=True)

    class Meta:
        verbose_name = _("consent event")
        verbose_name_plural = _("consent events")
        ordering = ["at", "pk"]

    def __str__(self):
        return f"{self.get_kind_display()}, {self.at:%Y-%m-%d %H:%M}"

    def save(self, *args, **kwargs):
        """Write the event once; a second time is refused."""
        if self.pk:
            raise ValidationError("A consent event is never changed.")
        super().save(*args, **kwargs)


class Suppression(models.Model):
    """An address never to be mailed again, known only by its keyed hash. Outlives erasure."""

    address_hash = models.CharField(max_length=64, unique=True)
    reason = models.CharField(_("reason"), max_length=20)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")

    def __str__(self):
        return self.address_hash[:12]

    @classmethod
    def covers(cls, emails):
        """Those of the normalised addresses `emails` that must not be mailed, as a set; one query."""
        by_hash = {digest: email for email in emails for digest in addresses.hashes(email)}
        found = cls.objects.filter(address_hash__in=by_hash).values_list("address_hash", flat=True)
        return {by_hash[digest] for digest in found}


class SignUpRequest(LeasedModel):
    """A sign-up as it came in. The web only writes this row, the same for every address; a worker does the rest."""

    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=100, blank=True)
    language = models.CharField(max_length=10)
    topics = models.JSONField(default=list)
    wording = models.TextField()
    wording_version = models.CharField(max_length=20)
    origin = models.CharField(max_length=50, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.created_at:%Y-%m-%d %H:%M}"


class NewsletterPage(BasePage):
    """The newsletter: sign-up and archive."""

    introduction = models.TextField(_("introduction"), blank=True)

    content_panels = [*Page.content_panels, FieldPanel("introduction")]
    parent_page_types = ["home.HomePage"]
    subpage_types = ["newsletter.IssuePage"]

    class Meta:
        verbose_name = _("newsletter")

    @property
    def description(self):
        return self.search_description or self.introduction

    def get_context(self, request, *args, **kwargs):
        """Add the sign-up form and the editions of this language that were sent."""
        from .forms import SignUpForm

        return super().get_context(request, *args, **kwargs) | {
            "issues": IssuePage.objects.child_of(self).live().public().order_by("-first_published_at"),
            "signup_form": SignUpForm(),
        }


class IssuePage(BasePage):
    """An edition of the newsletter: a page in the archive, and the mail that subscribers get."""

    subject = models.CharField(
        _("subject"),
        max_length=120,
        blank=True,
        help_text=_("What the mail is called. Empty: the title. Best up to 50 letters."),
    )
    preheader = models.CharField(
        _("preheader"), max_length=140, blank=True, help_text=_("The line that mail programs show beside the subject.")
    )
    body = StreamField(IssueBlock(), verbose_name=_("body"))

    content_panels = [
        HelpPanel(template="newsletter/admin/issue_help.html"),
        *Page.content_panels,
        MultiFieldPanel([FieldPanel("subject"), FieldPanel("preheader")], heading=_("In the mailbox")),
        FieldPanel("body"),
    ]
    parent_page_types = ["newsletter.NewsletterPage"]
    subpage_types = []
    preview_modes = [("", _("Web page")), ("mail", _("Mail")), ("text", _("Mail as text"))]

    class Meta:
        verbose_name = _("edition")
        verbose_name_plural = _("editions")

    @property
    def description(self):
        return self.search_description or self.preheader

    @property
    def mail_subject(self):
        return self.subject or self.title

    def serve_preview(self, request, mode_name):
        """The page, or the mail that it becomes, as HTML or text."""
        if not mode_name:
            return super().serve_preview(request, mode_name)
        from .rendering import preview

        rendered = preview(self)
        text = render_to_string("newsletter/admin/text_preview.html", {"rendered": rendered})
        response = HttpResponse(rendered.html if mode_name == "mail" else text)
        response["Content-Security-Policy"] = MAIL_POLICY
        return response

    def source_issue(self):
        """The edition in the default language, which campaigns refer to; itself if there is none."""
        source = self.get_translation_or_none(default_locale())
        return source or self


def default_locale():
    """The Locale of the default language."""
    from wagtail.models import Locale

    return Locale.objects.get(language_code=settings.LANGUAGE_CODE)


class Campaign(models.Model):
    """One sending of one edition, in all its languages, to an audience."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        SCHEDULED = "scheduled", _("scheduled")
        SENDING = "sending", _("sending")
        PAUSED = "paused", _("paused")
        SENT = "sent", _("sent")
        CANCELLED = "cancelled", _("cancelled")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    issue = models.ForeignKey(IssuePage, on_delete=models.PROTECT, related_name="campaigns", verbose_name=_("edition"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("sent by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    worked_at = models.DateTimeField(null=True, editable=False)  # when a worker last showed signs of life on it
    problem = models.TextField(_("why it is paused"), blank=True)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-created_at"]

    def __str__(self):
        return self.issue.title

    def counts(self):
        """How many deliveries are in each state: {state: number}, all states present."""
        found = dict(self.deliveries.values_list("state").annotate(n=Count("pk")))
        return {state: found.get(state, 0) for state in Delivery.State.values}


class CampaignContent(models.Model):
    """What a campaign sends in one language, frozen when it starts."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="contents")
    language = models.CharField(max_length=10)
    subject = models.CharField(max_length=255)
    preheader = models.CharField(max_length=255, blank=True)
    html = models.TextField()
    text = models.TextField()

    class Meta:
        unique_together = [("campaign", "language")]

    def __str__(self):
        return f"{self.subject} ({self.language})"


class Delivery(LeasedModel):
    """One mail of a campaign to one subscriber. These rows are the truth; the task queue only wakes workers."""

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        SENDING = "sending", _("in hand")
        SENT = "sent", _("sent")
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
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    provider_id = models.CharField(_("provider's number"), max_length=255, blank=True, db_index=True)
    error = models.TextField(_("reason"), blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        unique_together = [("campaign", "subscriber")]
        indexes = [models.Index(fields=["campaign", "state", "id"], name="delivery_claim")]

    def __str__(self):
        return f"{self.subscriber}: {self.get_state_display()}"

    @property
    def message_id(self):
        """The Message-ID, the same on every try (RFC 5322)."""
        domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
        return f"<{self.campaign.uuid.hex}.{self.pk}@{domain}>"
