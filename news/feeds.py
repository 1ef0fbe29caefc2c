"""Atom feeds (RFC 4287): one per language and one per topic and language, with the full content."""

from datetime import datetime, time

from core.html import absolute, absolute_html, without_control_characters
from core.i18n import language_tag
from core.models import Topic
from django.conf import settings
from django.contrib.syndication.views import Feed
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from wagtail.models import Locale

from .models import ArticlePage


class FullContentFeed(Atom1Feed):
    """Atom with the full article in `content`, besides the summary."""

    def add_item_elements(self, handler, item):
        """Add an article without characters that XML does not allow, which would break the feed."""
        item = {name: _visible(value) for name, value in item.items()}
        super().add_item_elements(handler, item)
        handler.addQuickElement("content", item["content"], {"type": "html"})


def _visible(value):
    if isinstance(value, list):
        return [_visible(each) for each in value]
    return without_control_characters(value) if isinstance(value, str) else value


class NewsFeed(Feed):
    """The twenty latest articles of the active language."""

    feed_type = FullContentFeed

    def get_feed(self, obj, request):
        self.address = f"{settings.SITE_URL}{request.path}"
        feed = super().get_feed(obj, request)
        feed.feed["language"] = language_tag(get_language())
        return feed

    def title(self, topic=None):
        return _("CLAC news")

    def subtitle(self):
        return _("News of fair trade's small producers and workers in Latin America and the Caribbean")

    def link(self):
        return f"{settings.SITE_URL}/{get_language()}/"

    def feed_url(self):
        return self.address

    def feed_guid(self):
        return self.address

    def items(self, topic=None):
        return ArticlePage.latest(Locale.get_active())[:20]

    def item_title(self, item):
        return item.title

    def item_description(self, item):
        return item.introduction

    def item_link(self, item):
        return absolute(item.get_url())

    def item_guid(self, item):
        return f"urn:uuid:{item.translation_key}:{item.locale.language_code}"

    def item_pubdate(self, item):
        return timezone.make_aware(datetime.combine(item.date, time(12)))

    def item_updateddate(self, item):
        return item.last_published_at

    def item_author_name(self, item):
        return item.source or settings.WAGTAIL_SITE_NAME

    def item_categories(self, item):
        return [topic.name for topic in item.topics]

    def item_extra_kwargs(self, item):
        return {"content": absolute_html(self.item_body(item))}

    def item_body(self, item):
        """Return the full text as HTML."""
        return item.body.render_as_block()


class TopicFeed(NewsFeed):
    """The twenty latest articles on one topic."""

    def get_object(self, request, slug):
        return get_object_or_404(Topic, slug=slug, locale__language_code=get_language())

    def title(self, topic):
        return f"{_('CLAC news')}: {topic.name}"

    def items(self, topic):
        chosen = ArticlePage.latest(Locale.get_active())
        return chosen.filter(topic_links__topic__translation_key=topic.translation_key)[:20]
