"""Page models of the news: index and articles."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from compat.wagtail import ImageBlock
from core import i18n, seo
from core.blocks import BodyBlock
from core.html import absolute
from core.i18n import LanguageLink
from core.models import BasePage, Topic, default_language
from core.navigation import locales, public
from core.requests import page_of_list
from django.conf import settings
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from modelcluster.fields import ParentalKey
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, InlinePanel, MultiFieldPanel
from wagtail.contrib.routable_page.models import RoutablePageMixin, path, re_path
from wagtail.fields import StreamField
from wagtail.images.models import AbstractImage
from wagtail.models import Locale, Orderable, Page
from wagtail.query import PageQuerySet

WORDS_PER_MINUTE = 200  # average for non-fiction

ListAddress = Callable[[str], str | None]  # the path of the same list below the index in a language, if it exists there


def today() -> date:
    """Return today's date in the site's time zone."""
    return timezone.localdate()


class NewsIndexPage(RoutablePageMixin, BasePage):
    """The list of articles, newest first: all, by topic, by year or month."""

    introduction = models.TextField(_("introduction"), blank=True)

    content_panels = [
        HelpPanel(_("The articles below this page are listed by themselves, with their topics and years.")),
        *Page.content_panels,
        FieldPanel("introduction"),
    ]
    parent_page_types = ["home.HomePage"]
    subpage_types = ["news.ArticlePage"]
    per_page = 10

    class Meta:
        verbose_name = _("news index")

    @property
    def description(self) -> str:
        return self.search_description or self.introduction

    def articles(self) -> PageQuerySet:
        """Return the public articles of this index, newest first."""
        return ArticlePage.latest(self.locale_id, inside=self).child_of(self)

    @path("")
    def all_articles(self, request: HttpRequest) -> HttpResponse:
        """List all articles."""
        return self._list(request, self.articles())

    @path(_("topic/<slug:slug>/"))
    def on_topic(self, request: HttpRequest, slug: str) -> HttpResponse:
        """List the articles on one topic."""
        topic = get_object_or_404(Topic.objects.select_related("locale"), slug=slug, locale=self.locale_id)
        names = {other.locale.language_code: other for other in topic.get_translations(inclusive=True)}

        def address(language: str) -> str | None:
            return self.reverse_subpage("on_topic", [names[language].slug]) if language in names else None

        return self._list(
            request,
            self.articles().filter(topic_links__topic__translation_key=topic.translation_key),
            address,
            topic=topic,
            heading=topic.name,
            lead=_("News on this topic: %(topic)s.") % {"topic": topic.name},
        )

    @re_path(r"^(?P<year>[12]\d{3})/$")
    def of_year(self, request: HttpRequest, year: str) -> HttpResponse:
        """List the articles of one year."""
        chosen = Q(date__year=year) & ~Q(date_precision="none")
        return self._of_time(request, chosen, year, "of_year", [year])

    @re_path(r"^(?P<year>[12]\d{3})/(?P<month>0[1-9]|1[0-2])/$")
    def of_month(self, request: HttpRequest, year: str, month: str) -> HttpResponse:
        """List the articles of one month."""
        chosen = Q(date__year=year, date__month=int(month), date_precision__in=["day", "month"])
        name = i18n.local_date(date(int(year), int(month), 1), "YEAR_MONTH_FORMAT")
        return self._of_time(request, chosen, name, "of_month", [year, month])

    def _of_time(self, request: HttpRequest, chosen: Q, name: str, route: str, time: list[str]) -> HttpResponse:
        articles = self.articles().filter(chosen)
        if not articles.exists():
            raise Http404

        def address(language: str) -> str | None:
            is_own = language == self.locale.language_code
            there = is_own or ArticlePage.latest(locales()[language]).filter(chosen).exists()
            return self.reverse_subpage(route, time) if there else None

        return self._list(
            request,
            articles,
            address,
            heading=_("News of %(time)s") % {"time": name},
            lead=_("What we published about %(time)s.") % {"time": name},
            year=int(time[0]),
            months=self._months(int(time[0])),
        )

    def _list(
        self, request: HttpRequest, articles: PageQuerySet, address: ListAddress | None = None, **context: Any
    ) -> HttpResponse:
        """Render a page of the list; `address` returns the list's path below the index in a given language."""
        page = page_of_list(request, articles, self.per_page)
        context |= {"articles": page, "topics": self._topics(), "years": self._years()}
        if address:
            links = [self._localised_list_link(link, address) for link in i18n.page_languages(self)]
            own = self.url + address(self.locale.language_code)  # a private index is not among the links
            context |= {"view_languages": links, "canonical": absolute(own)}
        return self.render(request, context_overrides=context)

    @staticmethod
    def _localised_list_link(link: LanguageLink, address: ListAddress) -> LanguageLink:
        """Return a LanguageLink of the index extended to the same list, where that exists."""
        with override(link.code):
            below = None if link.missing else address(link.code)
        return replace(link, missing=True) if below is None else replace(link, url=f"{link.url}{below}")

    def _topics(self) -> list[tuple[str, str]]:
        """Return (name, URL) of each topic with articles here."""
        keys = ArticleTopic.objects.filter(page__in=self.articles().order_by()).values("topic__translation_key")
        topics = Topic.objects.filter(locale=self.locale_id, translation_key__in=keys)
        return [(topic.name, self.topic_address(topic)) for topic in topics]

    def get_cached_paths(self) -> list[str]:
        """Return the paths of all lists below this page, for Wagtail's frontend cache."""
        lists = [address.removeprefix(self.url) for _name, address in self._topics()]
        for year, address, _number in self._years():
            lists.append(address.removeprefix(self.url))
            lists += [place.removeprefix(self.url) for _name, place, _many in self._months(year)]
        pages = Paginator(self.articles(), self.per_page).num_pages
        return ["/", *(f"/{path}" for path in lists), *(f"/?page={number}" for number in range(2, pages + 1))]

    def topic_address(self, topic: Topic) -> str:
        """Return the path of the article list of a Topic in this language."""
        return self.url + self.reverse_subpage("on_topic", [topic.slug])

    def _years(self) -> list[tuple[int, str, int]]:
        """Return (year, URL, number of articles), newest first."""
        dated = self.articles().exclude(date_precision="none").order_by()
        years = dated.values_list("date__year").annotate(number=Count("pk")).order_by("-date__year")
        return [(year, self.url + self.reverse_subpage("of_year", [year]), number) for year, number in years]

    def _months(self, year: int) -> list[tuple[str, str, int]]:
        """Return (month name, URL, number of articles) of a year, newest first."""
        dated = self.articles().filter(date_precision__in=["day", "month"], date__year=year).order_by()
        months = dated.values_list("date__month").annotate(number=Count("pk")).order_by("-date__month")
        return [
            (
                i18n.local_date(date(year, month, 1), "F"),
                self.url + self.reverse_subpage("of_month", [year, f"{month:02}"]),
                number,
            )
            for month, number in months
        ]


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
    subpage_types: list[str] = []
    og_type = "article"

    class Meta:
        verbose_name = _("article")
        verbose_name_plural = _("articles")

    @classmethod
    def latest(cls, locale: Locale | int, inside: Page | None = None) -> PageQuerySet:
        """Return the articles in `locale` (or its id) that readers of the page `inside`, or all, may read; newest
        first."""
        return public(cls.objects.filter(locale=locale), inside).order_by("-date", "-first_published_at", "-pk")

    @property
    def description(self) -> str:
        return self.search_description or self.introduction

    @property
    def shown_date(self) -> str:
        """The date at its precision, in the reader's language; empty if it is not shown."""
        formats = {"day": "DATE_FORMAT", "month": "YEAR_MONTH_FORMAT", "year": "Y"}
        return i18n.local_date(self.date, formats[self.date_precision]) if self.date_precision in formats else ""

    @property
    def machine_date(self) -> str:
        """The date for <time datetime>: 2022-01-30, 2022-01 or 2022."""
        return self.date.isoformat()[: {"day": 10, "month": 7, "year": 4}.get(self.date_precision, 0)]

    @property
    def image(self) -> AbstractImage | None:
        """The lead image, with the alternative text given for this article, or None."""
        return self.lead_image[0].value if self.lead_image else None

    @property
    def topics(self) -> list[Topic]:
        """The topics in the article's language."""
        keys = self.topic_links.values_list("topic__translation_key", flat=True)  # drafts hold them in memory
        return list(Topic.objects.filter(locale=self.locale_id, translation_key__in=keys))

    @property
    def reading_minutes(self) -> int:
        """The reading time in whole minutes, at least one."""
        return max(1, math.ceil(len(strip_tags(str(self.body)).split()) / WORDS_PER_MINUTE))

    def related(self, number: int = 3) -> PageQuerySet:
        """Return public articles with the most topics in common, newest first, filled up with the latest."""
        topics = self.topic_links.values_list("topic", flat=True)
        others = ArticlePage.latest(self.locale_id, inside=self).exclude(pk=self.pk)
        shared = Count("topic_links", filter=Q(topic_links__topic__in=topics))
        return others.annotate(shared=shared).order_by("-shared", *others.query.order_by)[:number]

    def previous_and_next(self) -> "tuple[ArticlePage | None, ArticlePage | None]":
        """Return the public articles (older, newer) next to this one, None where there is none."""
        others = ArticlePage.latest(self.locale_id, inside=self).exclude(pk=self.pk)
        place = (self.date, self.first_published_at or timezone.now(), self.pk or 0)  # a preview may have neither
        older = others.filter(_before(*place)).first()
        newer = others.filter(~_before(*place)).last()
        return older, newer

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Add links to further articles."""
        older, newer = self.previous_and_next()
        index = self.get_parent().specific
        return super().get_context(request, *args, **kwargs) | {
            "related": self.related(),
            "older": older,
            "newer": newer,
            "news_index": index,
            "topics": [(topic.name, index.topic_address(topic)) for topic in self.topics],
        }

    def structured_data(self) -> list[dict[str, Any]]:
        """Return a NewsArticle (schema.org)."""
        author = self.source or settings.WAGTAIL_SITE_NAME
        article = {
            "@type": "NewsArticle",
            "headline": self.title[:110],
            "description": self.description,
            "mainEntityOfPage": self.full_url,
            "image": [self.shared_image.url],
            "inLanguage": i18n.language_tag(self.locale.language_code),
            "author": {"@type": "Organization", "name": author, "url": settings.SITE_URL},
            "publisher": seo.organisation_reference(),
        }
        if self.machine_date:
            article["datePublished"] = self.machine_date
        if self.last_published_at:
            article["dateModified"] = self.last_published_at.isoformat()
        return [article]


def _before(day: date, published: datetime, number: int) -> Q:
    """Return a filter of the articles after this position in the newest-first order."""
    return Q(date__lt=day) | Q(date=day) & (
        Q(first_published_at__lt=published) | Q(first_published_at=published, pk__lt=number)
    )


class ArticleTopic(Orderable):
    """Links an article to a topic in the default language, which applies to all translations."""

    page = ParentalKey(ArticlePage, on_delete=models.CASCADE, related_name="topic_links")
    topic = models.ForeignKey(
        Topic, on_delete=models.CASCADE, related_name="+", verbose_name=_("topic"), limit_choices_to=default_language
    )

    panels = [FieldPanel("topic")]

    class Meta(Orderable.Meta):
        unique_together = [("page", "topic")]
