"""Base page, topics, menus and site settings."""

from typing import Any, NamedTuple, Self

from django.conf import settings
from django.contrib.admin import display
from django.contrib.auth.models import User
from django.db import models
from django.forms import Form
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from modelcluster.models import ClusterableModel
from search import index as search_index
from search import text as search_text
from wagtail import blocks
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import StreamField
from wagtail.images.models import AbstractImage
from wagtail.models import DraftStateMixin, Page, PreviewableMixin, Revision, RevisionMixin, TranslatableMixin
from wagtail.search import index
from wagtail_localize.fields import SynchronizedField, TranslatableField

from core import renditions
from core.html import absolute
from core.rate_limits import RateLimitHit  # noqa: F401
from core.streams import pictures

from .blocks.button import LinkStructValue
from .images import CustomImage, CustomRendition  # noqa: F401
from .widgets import DescriptionInput, SlugInput

TITLE_WEIGHT = 5  # relative to words in the text, in search results

# The woven patterns of static/css/site.css.
PATTERNS = [
    ("weave", _("Weave")),
    ("coffee", _("Coffee")),
    ("honey", _("Honey")),
    ("cocoa", _("Cocoa")),
    ("banana", _("Banana")),
    ("hills", _("Hills")),
]


SHARED_SIZE = (1200, 630)  # px, the recommended size for Open Graph


class SharedImage(NamedTuple):
    """An image for social networks: absolute URL, size in px, and alternative text."""

    url: str
    width: int
    height: int
    alt: str


class BasePage(Page):
    """Base class of all pages: pattern, starter content flag, description, share image, and search fields."""

    pattern = models.CharField(_("pattern"), max_length=20, choices=PATTERNS, default="weave")
    starter_content = models.BooleanField(
        _("starter content"),
        default=False,
        help_text=_("This page came with the site as a sample. Untick it once the text is your own."),
    )

    share_image = models.ForeignKey(
        CustomImage,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("picture for sharing"),
        help_text=_("Shown where the page is shared. Empty: one is drawn from the title."),
    )

    promote_panels = [
        MultiFieldPanel(
            [
                FieldPanel("slug", widget=SlugInput),
                FieldPanel("seo_title"),
                FieldPanel("search_description", widget=DescriptionInput),
                FieldPanel(
                    "share_image",
                    help_text=_(
                        "Shown where the page is shared. Empty: its lead image; if it has none, one drawn from the title."
                    ),
                ),
            ],
            heading=_("For search engines and sharing"),
        ),
    ]
    settings_panels = [*Page.settings_panels, FieldPanel("pattern"), FieldPanel("starter_content")]

    class Meta:
        abstract = True

    def serve_password_required_response(self, request: HttpRequest, form: Form, action_url: str) -> TemplateResponse:
        """Render the password form without the page in the context, as it would reveal the title."""
        return TemplateResponse(request, "wagtailcore/password_required.html", {"form": form, "action_url": action_url})

    def get_admin_display_title(self) -> str:
        """Return the title, marked if the page is starter content."""
        title = super().get_admin_display_title()
        return f"{title} ({gettext('starter content')})" if self.starter_content else title

    og_type = "website"  # Open Graph type
    rendition_modes = [""]  # preview modes that together show all images of the page

    def save_revision(self, *args: Any, **kwargs: Any) -> Revision:
        """Save a revision and enqueue the renditions that it shows."""
        revision = super().save_revision(*args, **kwargs)
        if self.shows_pictures:
            renditions.prepare_revision.enqueue(revision.pk)
        return revision

    def publish(self, revision: Revision, user: User | None = None, **options: Any) -> None:
        """Publish a revision, postponed until its renditions exist."""
        if not renditions.postpone_publishing(revision, user, **options):
            super().publish(revision, user, **options)

    @property
    def shows_pictures(self) -> bool:
        """Return whether the page has any images."""
        return bool(self.share_image_id or pictures(self))

    @property
    def description(self) -> str:
        """Return one sentence about the page, for lists, search engines and shared links."""
        return self.search_description

    @property
    def image(self) -> AbstractImage | None:
        """The image that represents the page, if its type has one."""
        return None

    @cached_property
    def shared_image(self) -> SharedImage:
        """Return the image for social networks: the chosen one, the page's own, or one drawn from the title."""
        image = self.share_image or self.image
        found = renditions.find(image, "share") if image and not image.is_private else {}
        for rendition in found.values():
            text = rendition.alt or self.title
            return SharedImage(absolute(rendition.url), rendition.width, rendition.height, text)
        return SharedImage(absolute(reverse("share_picture", args=[self.pk])), *SHARED_SIZE, self.title)

    def structured_data(self) -> list[dict[str, Any]]:
        """Return the page's schema.org objects, as dictionaries, besides its breadcrumbs."""
        return []

    search_fields = [*Page.search_fields, index.SearchField("stems")]

    @property
    def plain_text(self) -> str:
        """Return the text of the page without its title."""
        return search_index.plain_text(self)

    @property
    def stems(self) -> str:
        """Return the indexed stems of the text and the title, which is repeated TITLE_WEIGHT times."""
        return search_text.stems(f"{self.title} " * TITLE_WEIGHT + self.plain_text, self.locale.language_code)


class Topic(TranslatableMixin, models.Model):
    """A topic of articles, to which readers can subscribe."""

    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(_("slug"), max_length=80, help_text=_("The name in web addresses."))

    panels = [FieldPanel("name"), FieldPanel("slug", widget=SlugInput)]

    class Meta(TranslatableMixin.Meta):
        verbose_name = _("topic")
        verbose_name_plural = _("topics")
        ordering = ["name"]
        unique_together = [("translation_key", "locale"), ("slug", "locale")]

    def __str__(self) -> str:
        return self.name


def default_language() -> dict[str, str]:
    """Return the filter of topics that articles and subscriptions refer to; templates show `topic.localized`."""
    return {"locale__language_code": settings.LANGUAGE_CODE}


class MenuItemBlock(blocks.StructBlock):
    """A menu entry: a page and, optionally, a different text."""

    text = blocks.CharBlock(label=_("Text"), required=False, help_text=_("Empty: the page's title."))
    page = blocks.PageChooserBlock(label=_("Page"))

    class Meta:
        icon = "link"
        label = _("Entry")
        value_class = LinkStructValue


class Menu(DraftStateMixin, RevisionMixin, PreviewableMixin, TranslatableMixin, ClusterableModel):
    """The main menu or the footer menu in one language."""

    PLACES = [("main", _("Main menu")), ("footer", _("Footer menu"))]

    place = models.CharField(_("place"), max_length=10, choices=PLACES)
    items = StreamField([("entry", MenuItemBlock())], verbose_name=_("entries"), blank=True)

    panels = [FieldPanel("place"), FieldPanel("items")]
    translatable_fields = [SynchronizedField("place", overridable=False), TranslatableField("items")]

    class Meta(TranslatableMixin.Meta):
        verbose_name = _("menu")
        verbose_name_plural = _("menus")
        unique_together = [("translation_key", "locale"), ("place", "locale")]

    def __str__(self) -> str:
        return self.name()

    @display(description=_("menu"))
    def name(self) -> str:
        """Return the menu's name in the reader's language."""
        return self.get_place_display()

    def get_preview_template(self, request: HttpRequest, mode_name: str) -> str:
        return "core/menu_preview.html"


class SiteSettings(DraftStateMixin, RevisionMixin, TranslatableMixin, ClusterableModel):
    """Publisher and contact data of the site in one language."""

    organisation = models.CharField(_("short name"), max_length=60, default="CLAC")
    full_name = models.CharField(_("full name"), max_length=200)
    footer_text = models.TextField(_("footer text"), blank=True)
    postal_address = models.TextField(
        _("postal address"), blank=True, help_text=_("Stands in the footer of every newsletter, as the law asks.")
    )
    contact_email = models.EmailField(
        _("contact address"), blank=True, help_text=_("Messages from the contact form are sent here.")
    )

    panels = [
        FieldPanel("organisation"),
        FieldPanel("full_name"),
        FieldPanel("footer_text"),
        FieldPanel("postal_address"),
        FieldPanel("contact_email"),
    ]
    translatable_fields = [
        SynchronizedField("organisation"),
        TranslatableField("full_name"),
        TranslatableField("footer_text"),
        SynchronizedField("postal_address"),
        SynchronizedField("contact_email"),
    ]

    class Meta(TranslatableMixin.Meta):
        verbose_name = _("site settings")
        verbose_name_plural = _("site settings")

    def __str__(self) -> str:
        return self.organisation

    @classmethod
    def current(cls, language: str | None = None) -> Self:
        """Return the live settings in `language` (default: the active one), else in the default language, else empty ones."""
        wanted = language or get_language() or settings.LANGUAGE_CODE
        rows = cls.objects.filter(live=True).select_related("locale").order_by("-pk")
        texts = {row.locale.language_code: row for row in rows}
        return texts.get(wanted) or texts.get(settings.LANGUAGE_CODE) or cls()
