"""Atom feeds (RFC 4287): one per language and one per topic and language, with the full content."""

from datetime import datetime, time
from typing import Any, Generic, TypeVar

from core.html import absolute, absolute_html, without_control_characters
from core.i18n import language_tag
from core.models import BasePage, Topic
from django.conf import settings
from django.contrib.syndication.views import Feed
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.feedgenerator import Atom1Feed, SyndicationFeed
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.xmlutils import SimplerXMLGenerator
from wagtail.models import Locale

from .models import ArticlePage

Item = TypeVar("Item", bound=BasePage)  # the feed of the newsletter has editions


class FullContentFeed(Atom1Feed):
    """Atom with the full article in `content`, besides the summary."""

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        """Add an article without characters that XML does not allow, which would break the feed."""
        item = {name: _visible(value) for name, value in item.items()}
        super().add_item_elements(handler, item)
        handler.addQuickElement("content", item["content"], {"type": "html"})


def _visible(value: Any) -> Any:
    if isinstance(value, list):
        return [_visible(each) for each in value]
    return without_control_characters(value) if isinstance(value, str) else value


class NewsFeed(Feed, Generic[Item]):
    """The twenty latest articles of the active language."""

    feed_type = FullContentFeed

    def get_feed(self, obj: Topic | None, request: HttpRequest) -> SyndicationFeed:
        self.address = f"{settings.SITE_URL}{request.path}"
        feed = super().get_feed(obj, request)
        feed.feed["language"] = language_tag(get_language())
        return feed

    def title(self, topic: Topic | None = None) -> str:
        name = _("CLAC news")
        return f"{name}: {topic.name}" if topic else name

    def subtitle(self) -> str:
        return _("News of fair trade's small producers and workers in Latin America and the Caribbean")

    def link(self) -> str:
        return f"{settings.SITE_URL}/{get_language()}/"

    def feed_url(self) -> str:
        return self.address

    def feed_guid(self) -> str:
        return self.address

    def items(self, topic: Topic | None = None) -> QuerySet[Item]:
        articles = ArticlePage.latest(Locale.get_active())
        if topic:
            articles = articles.filter(topic_links__topic__translation_key=topic.translation_key)
        return articles[:20]

    def item_title(self, item: Item) -> str:
        return item.title

    def item_description(self, item: Item) -> str:
        return item.introduction

    def item_link(self, item: Item) -> str:
        return absolute(item.get_url())

    def item_guid(self, item: Item) -> str:
        return f"urn:uuid:{item.translation_key}:{item.locale.language_code}"

    def item_pubdate(self, item: Item) -> datetime | None:
        """Return when the article was published; None if only its month or year is known, as Atom has no such dates."""
        if item.date_precision != "day":
            return None
        first = item.first_published_at
        if first and timezone.localdate(first) == item.date:
            return first
        return timezone.make_aware(datetime.combine(item.date, time(12)))

    def item_updateddate(self, item: Item) -> datetime | None:
        known = [moment for moment in (item.last_published_at, self.item_pubdate(item)) if moment]
        return max(known, default=None)

    def item_author_name(self, item: Item) -> str:
        return item.source or settings.WAGTAIL_SITE_NAME

    def item_categories(self, item: Item) -> list[str]:
        return [topic.name for topic in item.topics]

    def item_extra_kwargs(self, item: Item) -> dict[str, str]:
        return {"content": absolute_html(self.item_body(item))}

    def item_body(self, item: Item) -> str:
        """Return the full text as HTML."""
        return render_to_string("news/_feed_content.html", {"page": item})


class TopicFeed(NewsFeed):
    """The twenty latest articles on one topic."""

    def get_object(self, request: HttpRequest, slug: str) -> Topic:
        return get_object_or_404(Topic, slug=slug, locale__language_code=get_language())
