"""A list of news."""

from typing import TYPE_CHECKING

from core.navigation import public
from wagtail import blocks
from wagtail.models import Locale, Page

from news.models import ArticlePage

if TYPE_CHECKING:
    from newsletter.models import IssuePage
from typing import Any

from django.utils.translation import gettext_lazy as _


class NewsListValue(blocks.StructValue):
    """A list of news."""

    def articles(self, issue: "IssuePage") -> list[ArticlePage]:
        """Return the articles of an edition: the chosen ones published in the active language; else the latest when
        it was sent, or all since the previous edition."""
        chosen = [page.translation_key for page in self["chosen"] if page]
        if chosen:
            readable = public(ArticlePage.objects.filter(translation_key__in=chosen, locale=Locale.get_active()))
            return sorted(readable, key=lambda article: chosen.index(article.translation_key))
        return self._latest(issue)

    def hidden_articles(self, issue: "IssuePage") -> list[Page]:
        """Return the chosen articles that `articles()` leaves out, because they are not published in the active language."""
        shown = {article.translation_key for article in self.articles(issue)}
        return [page for page in self["chosen"] if page and page.translation_key not in shown]

    def _latest(self, issue: "IssuePage") -> list[ArticlePage]:
        since, until = issue.news_period()
        found = ArticlePage.latest(Locale.get_active())
        if until:
            found = found.filter(first_published_at__lte=until)
        if since and self["since_last"]:
            found = found.filter(first_published_at__gt=since)
        return list(found[: self["latest"]])


class NewsListBlock(blocks.StructBlock):
    """News: chosen by hand, since the last edition, or the latest."""

    chosen = blocks.ListBlock(
        blocks.PageChooserBlock(page_type="news.ArticlePage"), label=_("Chosen articles"), default=[], required=False
    )
    since_last = blocks.BooleanBlock(
        label=_("only what was published since the last edition"),
        default=False,
        required=False,
        help_text=_("Counts if none is chosen."),
    )
    latest = blocks.IntegerBlock(
        label=_("or so many of the latest"),
        default=3,
        min_value=1,
        max_value=10,
        help_text=_("Counts if none is chosen."),
    )

    def get_preview_value(self) -> Any:
        """A sample for the block chooser."""
        return self.normalize({"chosen": _sample_articles(), "since_last": False, "latest": 2})

    class Meta:
        icon = "doc-full"
        description = _("News of the site: those you choose, or the latest ones.")
        label = _("News")
        template = "blocks/news/web.html"
        value_class = NewsListValue


def _sample_articles() -> list[Page]:
    articles = ArticlePage.objects.filter(live=True, locale=Locale.get_active())
    return [article.page_ptr for article in articles[:2]]
