"""Page models of the newsletter: its index page with the sign-up form and the archive, and the editions."""

from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Self

from core.models import BasePage
from core.navigation import public
from core.widgets import MailboxInput
from django.apps import apps
from django.conf import settings
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, HelpPanel, MultiFieldPanel
from wagtail.blocks import StreamValue
from wagtail.fields import StreamField
from wagtail.models import Locale, Page

from newsletter.editions import previews
from newsletter.editions.blocks import IssueBlock


class IssueHelpPanel(HelpPanel):
    """What to do with an edition, with buttons for what the user may do."""

    class BoundPanel(HelpPanel.BoundPanel):
        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            user = self.request.user
            parent = NewsletterPage.in_default_language()
            return super().get_context_data(parent_context) | {
                "issue": self.instance,
                "may_send": user.has_perm("newsletter.add_campaign"),
                "may_begin": bool(parent and parent.permissions_for_user(user).can_add_subpage()),
            }


class NewsletterPage(BasePage):
    """The newsletter's index page: sign-up form and archive."""

    introduction = models.TextField(_("introduction"), blank=True)

    content_panels = [*Page.content_panels, FieldPanel("introduction")]
    parent_page_types = ["home.HomePage"]
    subpage_types = ["newsletter.IssuePage"]

    class Meta:
        verbose_name = _("newsletter")

    @classmethod
    def in_default_language(cls) -> Self | None:
        """Return the page in the default language, where editions begin."""
        return cls.objects.filter(locale=default_locale()).first()

    @property
    def description(self) -> str:
        return self.search_description or self.introduction

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Add the public editions of this language."""
        return super().get_context(request, *args, **kwargs) | {
            "issues": public(IssuePage.objects.child_of(self), inside=self).order_by("-first_published_at"),
        }


class IssuePage(BasePage):
    """An edition of the newsletter: a page in the archive, and the mail sent to subscribers."""

    subject = models.CharField(
        _("subject"),
        max_length=120,
        blank=True,
        help_text=_("What the mail is called. Empty: the title. Best up to 50 letters."),
    )
    subject_b = models.CharField(
        _("second subject"),
        max_length=120,
        blank=True,
        help_text=_("If given, half of the readers get this one, and the report compares the two."),
    )
    preheader = models.CharField(
        _("preheader"), max_length=140, blank=True, help_text=_("The line that mail programs show beside the subject.")
    )
    body = StreamField(IssueBlock(), verbose_name=_("body"))

    content_panels = [
        IssueHelpPanel(template="newsletter/admin/issue_help.html"),
        *Page.content_panels,
        MultiFieldPanel(
            [
                FieldPanel("subject", widget=MailboxInput(best=50)),
                FieldPanel("subject_b", widget=MailboxInput(best=50)),
                FieldPanel("preheader", widget=MailboxInput(best=90)),
            ],
            heading=_("In the mailbox"),
        ),
        FieldPanel("body"),
    ]
    parent_page_types = ["newsletter.NewsletterPage"]
    subpage_types: list[str] = []
    preview_modes = [("", _("Web page")), *previews.MODES]
    rendition_modes = ["", "mail"]

    class Meta:
        verbose_name = _("edition")
        verbose_name_plural = _("editions")

    @property
    def description(self) -> str:
        return self.search_description or self.preheader

    @property
    def mail_subject(self) -> str:
        return self.subject or self.title

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        """Show the page, or the mail rendered from it."""
        if not mode_name:
            return super().serve_preview(request, mode_name)
        return previews.show(self, mode_name)

    def news_period(self) -> tuple[datetime | None, datetime | None]:
        """Return (since, until), the period of news for this edition: from the previous edition's sending until its
        own; None where that has not happened."""
        started = apps.get_model("newsletter.Campaign").objects.filter(started_at__isnull=False).order_by("started_at")
        own = started.filter(issue__translation_key=self.translation_key).first()
        until = own.started_at if own else None
        others = started.exclude(issue__translation_key=self.translation_key)
        before = (others.filter(started_at__lt=until) if until else others).last()
        return before.started_at if before else None, until

    def shown_body(self) -> StreamValue:
        """Return the body as readers see it: without lists of news that are empty or left out in this language, and without
        a heading below which nothing but such lists stand."""
        left_out = set(self.left_out_lists.values_list("block_id", flat=True)) if self.pk else set()
        kept: list[StreamValue.StreamChild] = []
        for has_news, run in groupby(self.body, key=lambda block: block.block_type == "news"):
            blocks = list(run)
            if has_news:
                blocks = [block for block in blocks if block.id not in left_out and block.value.articles(self)]
                if not blocks and kept and kept[-1].block_type == "heading":
                    kept.pop()
            kept += blocks
        return StreamValue(self.body.stream_block, [(block.block_type, block.value, block.id) for block in kept])

    def source_issue(self) -> Self:
        """Return the edition in the default language, which campaigns refer to; itself if there is none."""
        source = self.get_translation_or_none(default_locale())
        return source or self


class LeftOutList(models.Model):
    """A list of news that a person leaves out of an edition in one language."""

    issue = models.ForeignKey(IssuePage, on_delete=models.CASCADE, related_name="left_out_lists")
    block_id = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issue", "block_id"], name="left_out_list_once")]
        default_permissions = ()  # whoever may change the edition may change it

    def __str__(self) -> str:
        return f"LeftOutList: {self.issue_id}, {self.block_id}"


class IssueTemplate(models.Model):
    """What editors saved of an edition, to begin new ones with."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    subject = models.CharField(_("subject"), max_length=120, blank=True)
    preheader = models.CharField(_("preheader"), max_length=140, blank=True)
    body = StreamField(IssueBlock(), verbose_name=_("body"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("edition template")
        verbose_name_plural = _("edition templates")
        ordering = ["name"]
        default_permissions = ()  # whoever may add editions may use them

    def __str__(self) -> str:
        return self.name


class Digest(models.Model):
    """How often the site drafts an edition by itself. There is one row at most."""

    class Frequency(models.TextChoices):
        WEEKLY = "weekly", _("every week, on Monday")
        MONTHLY = "monthly", _("every month, on the first day")

    frequency = models.CharField(_("how often"), max_length=10, choices=Frequency, blank=True)
    template = models.ForeignKey(
        IssueTemplate,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("template"),
        help_text=_(
            "The news goes where the template has its first list of news. Without a template: a greeting and the news."
        ),
    )
    drafted_for = models.DateField(null=True, editable=False)  # first day of the last week or month that was looked at

    class Meta:
        verbose_name = _("repeating edition")
        default_permissions = ()  # whoever may send editions may change it

    def __str__(self) -> str:
        return self.get_frequency_display()

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = 1
        super().save(*args, **kwargs)

    def period_of(self, day: date) -> date:
        """Return the first day of the week or month of `day`."""
        if self.frequency == self.Frequency.WEEKLY:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1)

    def next_period(self, day: date) -> date:
        """Return the first day of the week or month after that of `day`."""
        return self.period_of(
            self.period_of(day) + timedelta(days=7 if self.frequency == self.Frequency.WEEKLY else 31)
        )


def default_locale() -> Locale:
    """Return the Locale of the default language."""
    return Locale.objects.get(language_code=settings.LANGUAGE_CODE)
