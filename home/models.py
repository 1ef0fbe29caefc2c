"""Page models of the institution, and messages of the contact form."""

from typing import Any

from caching.page_cache import cached_until_purge
from core import seo
from core.blocks import BodyBlock
from core.blocks.rich_text import INLINE_TEXT
from core.models import BasePage
from core.navigation import public, section
from django.db import models
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from jobs.leases import LeasedModel
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page

from home.forms import ContactForm
from news.models import ArticlePage, NewsIndexPage
from newsletter.models import NewsletterPage

ARTICLES = 4  # on the home page


@cached_until_purge
def _latest_articles(locale_id: int) -> list[ArticlePage]:
    return list(ArticlePage.latest(locale_id)[:ARTICLES])


class HomePage(BasePage):
    """The home page of a language: purpose, latest news, sign-up form of the newsletter."""

    purpose_title = models.CharField(
        _("statement"), max_length=160, help_text=_("Who you are, in one strong sentence.")
    )
    purpose = RichTextField(
        _("purpose"), features=INLINE_TEXT, help_text=_("What that means, in two or three sentences.")
    )
    body = StreamField(BodyBlock(), verbose_name=_("body"), blank=True)

    content_panels = [
        *Page.content_panels,
        MultiFieldPanel([FieldPanel("purpose_title"), FieldPanel("purpose")], heading=_("Inspiring purpose")),
        FieldPanel("body", help_text=_("The latest news and the newsletter's sign-up follow by themselves.")),
    ]
    parent_page_types = ["wagtailcore.Page"]
    template = "home/home_page.html"

    class Meta:
        verbose_name = _("home page")

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Add the latest news of this language and the newsletter's page."""
        language = get_language()
        return super().get_context(request, *args, **kwargs) | {
            "first_page": section(ContentPage, language),
            "articles": _latest_articles(self.locale_id),
            "news_index": section(NewsIndexPage, language),
            "newsletter_page": section(NewsletterPage, language),
        }

    def structured_data(self) -> list[dict[str, Any]]:
        """Return an Organization and a WebSite (schema.org)."""
        return seo.organisation()


class ContentPage(BasePage):
    """A content page made of blocks."""

    introduction = models.TextField(_("introduction"), blank=True, help_text=_("Set large under the title."))
    body = StreamField(BodyBlock(), verbose_name=_("body"))

    content_panels = [*Page.content_panels, FieldPanel("introduction"), FieldPanel("body")]
    parent_page_types = ["home.HomePage", "home.ContentPage"]
    subpage_types = ["home.ContentPage"]

    class Meta:
        verbose_name = _("page")
        verbose_name_plural = _("pages")

    @property
    def description(self) -> str:
        return self.search_description or self.introduction

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Add the child pages and the next sibling."""
        children = public(self.get_children(), inside=self).specific()
        beside = public(self.get_next_siblings(), inside=self).specific().type(ContentPage)
        return super().get_context(request, *args, **kwargs) | {
            "children": children,
            "next_page": beside.first(),
        }


class ContactPage(BasePage):
    """The contact page, with a form."""

    introduction = models.TextField(_("introduction"), blank=True)
    body = StreamField(BodyBlock(), verbose_name=_("body"), blank=True)

    content_panels = [*Page.content_panels, FieldPanel("introduction"), FieldPanel("body")]
    parent_page_types = ["home.HomePage"]
    subpage_types: list[str] = []

    class Meta:
        verbose_name = _("contact page")

    @property
    def description(self) -> str:
        return self.search_description or self.introduction

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return super().get_context(request, *args, **kwargs) | {"form": ContactForm()}


class ContactMessage(LeasedModel):
    """A message from the contact form, stored in case it cannot be mailed."""

    name = models.CharField(_("name"), max_length=100)
    email = models.EmailField(_("e-mail"), max_length=254)
    message = models.TextField(_("message"), max_length=5000)
    language = models.CharField(_("language"), max_length=10)
    created_at = models.DateTimeField(pgettext_lazy("message", "received"), auto_now_add=True)
    forwarded_at = models.DateTimeField(_("forwarded"), null=True, editable=False)
    problem = models.CharField(max_length=250, blank=True, editable=False)  # why it could not be forwarded

    @property
    def forwarding(self) -> str | Promise:
        """The forwarding state, as text for editors."""
        if self.forwarded_at:
            return _("forwarded")
        return _("not forwarded: please answer it from here") if self.problem else _("not forwarded yet")

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name}, {self.created_at:%Y-%m-%d %H:%M}"
