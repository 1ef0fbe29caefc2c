"""Atom feed of the editions (RFC 4287), one per language, with full content."""

from datetime import datetime

from core.models import Topic
from core.navigation import public
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from wagtail.models import Locale

from news.feeds import NewsFeed
from newsletter.models import IssuePage


class EditionFeed(NewsFeed):
    """The twenty latest public editions of the active language."""

    def title(self, topic: Topic | None = None) -> str:
        return _("CLAC's newsletter")

    def subtitle(self) -> str:
        return _("Every edition, as it was sent")

    def items(self, topic: Topic | None = None) -> QuerySet[IssuePage]:
        return public(IssuePage.objects.filter(locale=Locale.get_active())).order_by("-first_published_at")[:20]

    def item_description(self, item: IssuePage) -> str:
        return item.description

    def item_pubdate(self, item: IssuePage) -> datetime:
        return item.first_published_at

    def item_author_name(self, item: IssuePage) -> str:
        return settings.WAGTAIL_SITE_NAME

    def item_categories(self, item: IssuePage) -> list[str]:
        return []

    def item_body(self, item: IssuePage) -> str:
        return item.shown_body().render_as_block({"page": item})
