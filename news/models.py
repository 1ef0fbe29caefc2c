"""News: the index and its articles."""

import math

from core.blocks import BodyBlock
from core.furniture import public
from core.models import BasePage, Topic, default_language
from django.core.paginator import Paginator
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import strip_tags
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from wagtail.admin.panels import FieldPanel, FieldRowPanel, InlinePanel, MultiFieldPanel
from wagtail.fields import StreamField
from wagtail.images.blocks import ImageBlock
from wagtail.models import Orderable, Page

WORDS_PER_MINUTE = 200  # a calm reader of non-fiction


def today():
    """Today's date in the site's time zone."""
    return timezone.localdate()


class NewsIndexPage(BasePage):
    """The list of articles, newest first."""

    introduction = models.TextField(_("introduction"), blank=True)

    content_panels = [*Page.content_panels, FieldPanel("introduction")]
    parent_page_types = ["home.HomePage"]
    subpage_types = ["news.ArticlePage"]
    per_page = 10

    class Meta:
        verbose_name = _("news index")

    @property
    def description(self):
        return self.search_description or self.introduction

    def get_context(self, request, *args, **kwargs):
        """Add the page of articles that `?page=` asks for."""
        paginator = Paginator(ArticlePage.latest(self.locale).child_of(self), self.per_page)
        return super().get_context(request, *args, **kwargs) | {
            "articles": paginator.get_page(request.GET.get("page")),
        }


class ArticlePage(BasePage):
    """An article."""

    PRECISIONS = [
        ("day", _("day, month and year")),
        ("month", _("month and year")),
        ("year", _("year only")),
        ("none", _("do not show a date")),
    ]

    date = models.DateField(_("date"), default=today, db_index=True)
    date_precision = models.CharField(_("show of the date"), max_length=5, choices=PRECISIONS, default="day")
    introduction = models.TextField(
        _("introduction"), help_text=_("One or two sentences: what happened, and why it matters.")
    )
    lead_image = StreamField(
        [("image", ImageBlock())],
        verbose_name=_("lead image"),
        blank=True,
        max_num=1,
        help_text=_("At least 1,600 px wide."),
    )
    source = models.CharField(_("author or source"), max_length=150, blank=True)
    body = StreamField(BodyBlock(), verbose_name=_("body"))

    content_panels = [
        *Page.content_panels,
        FieldPanel("introduction"),
        MultiFieldPanel(
            [FieldRowPanel([FieldPanel("date"), FieldPanel("date_precision")]), FieldPanel("source")],
            heading=_("Date and source"),
        ),
        FieldPanel("lead_image"),
        InlinePanel("topic_links", label=_("Topic"), heading=_("Topics")),
        FieldPanel("body"),
    ]
    parent_page_types = ["news.NewsIndexPage"]
    subpage_types = []
    og_type = "article"

    class Meta:
        verbose_name = _("article")
        verbose_name_plural = _("articles")

    @classmethod
    def latest(cls, locale):
        """The public articles in `locale` (or its number), newest first."""
        return public(cls.objects.filter(locale=locale)).order_by("-date", "-first_published_at", "-pk")

    @property
    def description(self):
        return self.search_description or self.introduction

    @property
    def shown_date(self):
        """The date as exactly as it is known, in the reader's language; empty if it is not to be shown."""
        formats = {"day": "DATE_FORMAT", "month": "YEAR_MONTH_FORMAT", "year": "Y"}
        return date_format(self.date, formats[self.date_precision]) if self.date_precision in formats else ""

    @property
    def machine_date(self):
        """The date for <time datetime>: 2022-01-30, 2022-01 or 2022."""
        return self.date.isoformat()[: {"day": 10, "month": 7, "year": 4}.get(self.date_precision, 0)]

    @property
    def image(self):
        """The lead image, with the alternative text given for this article, or None."""
        return self.lead_image[0].value if self.lead_image else None

    @property
    def topics(self):
        """The topics in the article's language."""
        return [link.topic.localized for link in self.topic_links.select_related("topic__locale")]

    @property
    def reading_minutes(self):
        """How long reading takes, in whole minutes, at least one."""
        return max(1, math.ceil(len(strip_tags(str(self.body)).split()) / WORDS_PER_MINUTE))

    def get_context(self, request, *args, **kwargs):
        """Add the articles before and after this one."""
        others = ArticlePage.latest(self.locale).exclude(pk=self.pk)
        return super().get_context(request, *args, **kwargs) | {"others": others[:3], "news_index": self.get_parent()}


class ArticleTopic(Orderable):
    """An article's place under a topic. It names the topic in the default language, and so holds for all translations."""

    page = ParentalKey(ArticlePage, on_delete=models.CASCADE, related_name="topic_links")
    topic = models.ForeignKey(
        Topic, on_delete=models.CASCADE, related_name="+", verbose_name=_("topic"), limit_choices_to=default_language
    )

    panels = [FieldPanel("topic")]

    class Meta(Orderable.Meta):
        unique_together = [("page", "topic")]
