"""Atom feeds of the news, one for each language."""

from datetime import datetime, time

from core.i18n import language_tag
from django.conf import settings
from django.contrib.syndication.views import Feed
from django.utils import timezone
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from wagtail.models import Locale

from .models import ArticlePage


class NewsFeed(Feed):
    """The twenty latest articles of the active language, with their full content (RFC 4287)."""

    feed_type = Atom1Feed

    def get_feed(self, obj, request):
        self.request = request
        feed = super().get_feed(obj, request)
        feed.feed["language"] = language_tag(get_language())
        return feed

    def title(self):
        return _("CLAC news")

    def subtitle(self):
        return _("News of fair trade's small producers and workers in Latin America and the Caribbean")

    def link(self):
        return f"{settings.SITE_URL}/{get_language()}/"

    def feed_url(self):
        return f"{settings.SITE_URL}/{get_language()}/news/feed.xml"

    def items(self):
        return ArticlePage.latest(Locale.get_active())[:20]

    def item_title(self, item):
        return item.title

    def item_description(self, item):
        return item.introduction

    def item_link(self, item):
        return settings.SITE_URL + item.get_url()

    def item_guid(self, item):
        return f"urn:uuid:{item.translation_key}:{item.locale.language_code}"

    def item_pubdate(self, item):
        return timezone.make_aware(datetime.combine(item.date, time(12)))

    def item_updateddate(self, item):
        return item.last_published_at
