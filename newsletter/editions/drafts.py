"""Drafts of new editions: a copy of the last one, one from a template, or one with the unsent news."""

from collections.abc import Iterable

from core.i18n import local_date
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext, override
from translation.permissions import TRANSLATE
from wagtail.coreutils import find_available_slug
from wagtail.models import Locale
from wagtail_localize.models import Translation, TranslationSource

from news.models import ArticlePage
from newsletter.models import Campaign, IssuePage, IssueTemplate, NewsletterPage

FIRST_NEWS = 10  # articles in an edition that is drafted before any was sent


def parent_for(user: User | AnonymousUser) -> NewsletterPage | None:
    """Return the newsletter's page in the default language, if the user may add editions there."""
    page = NewsletterPage.in_default_language()
    return page if page and page.permissions_for_user(user).can_add_subpage() else None


def last_issue(parent: NewsletterPage) -> IssuePage | None:
    """Return the edition below `parent` that was sent last; the newest if none was sent."""
    issues = IssuePage.objects.child_of(parent)
    sent = Campaign.objects.filter(started_at__isnull=False, issue__in=issues).order_by("-started_at").first()
    return sent.issue if sent else issues.order_by("-latest_revision_created_at", "-pk").first()


def unsent_articles(locale: Locale) -> list[ArticlePage]:
    """Return the public articles in a language that no sent edition shows, newest first.

    What was published before the last edition was begun counts as sent: its authors knew it and left it out.
    """
    articles = ArticlePage.latest(locale)
    started = Campaign.objects.filter(started_at__isnull=False).select_related("issue__locale").order_by("started_at")
    last = started.last()
    if last is None:
        return list(articles[:FIRST_NEWS])
    first_revision = last.issue.revisions.order_by("created_at").first()
    begun = first_revision.created_at if first_revision else last.started_at
    shown = _shown_articles(campaign.issue for campaign in started.filter(started_at__gte=begun))
    return list(articles.filter(first_published_at__gte=begun).exclude(translation_key__in=shown))


def _shown_articles(issues: Iterable[IssuePage]) -> set[object]:
    """Return the translation keys of the articles that the news lists of editions show."""
    keys: set[object] = set()
    for issue in issues:
        with override(issue.locale.language_code):  # the lists show articles in the active language
            for block in issue.shown_body():
                if block.block_type == "news":
                    keys.update(article.translation_key for article in block.value.articles(issue))
    return keys


@transaction.atomic
def draft_news(
    parent: NewsletterPage, user: User | None = None, template: IssueTemplate | None = None
) -> IssuePage | None:
    """Draft an edition with the articles that were not sent yet, and its translations. Return it; None without articles.

    The articles come in place of a template's first list of news. Without a user, it is drafted in all languages.
    """
    articles = unsent_articles(parent.locale)
    if not articles:
        return None
    with override(parent.locale.language_code):
        month = local_date(timezone.localdate(), "YEAR_MONTH_FORMAT")
        title = gettext("News of %(time)s") % {"time": month}
    issue = _issue(title, template)
    blocks = issue.body.stream_block.child_blocks
    news = ("news", blocks["news"].normalize({"chosen": articles, "since_last": False, "latest": 3}))
    if template is None:
        issue.body = [("greeting", blocks["greeting"].get_default()), news]
    else:
        kinds = [block.block_type for block in issue.body]
        if "news" in kinds:
            issue.body[kinds.index("news")] = news
        else:
            issue.body.append(news)
    _add(parent, issue, user)
    _draft_translations(parent, issue, user)
    return issue


@transaction.atomic
def draft_from_template(parent: NewsletterPage, template: IssueTemplate, user: User) -> IssuePage:
    """Draft an edition with what a template holds."""
    issue = _issue(template.name, template)
    _add(parent, issue, user)
    return issue


def save_template(issue: IssuePage, name: str) -> IssueTemplate:
    """Save the latest draft of an edition as a template."""
    draft = issue.get_latest_revision_as_object()
    return IssueTemplate.objects.create(name=name, subject=draft.subject, preheader=draft.preheader, body=draft.body)


def _issue(title: str, template: IssueTemplate | None) -> IssuePage:
    """Return a new edition, not saved yet, with what a template holds."""
    if template is None:
        return IssuePage(title=title)
    return IssuePage(title=title, subject=template.subject, preheader=template.preheader, body=template.body)


@transaction.atomic
def draft_copy(parent: NewsletterPage, original: IssuePage, user: User) -> IssuePage:
    """Draft a copy of an edition as it is published. Its campaigns, dates and translations stay with the original."""
    with override(parent.locale.language_code):
        title = (gettext("Copy of %(title)s") % {"title": original.title})[:255]
    fields = {
        "title": title,
        "slug": find_available_slug(parent, slugify(title)),
        "starter_content": False,
        "go_live_at": None,
        "expire_at": None,
    }
    return original.copy(to=parent, update_attrs=fields, copy_revisions=False, keep_live=False, user=user)


def _add(parent: NewsletterPage, issue: IssuePage, user: User | None) -> None:
    """Add an edition below `parent` as a draft."""
    issue.live, issue.locale, issue.owner = False, parent.locale, user
    issue.slug = find_available_slug(parent, slugify(issue.title))
    parent.add_child(instance=issue)
    issue.save_revision(user=user, log_action="wagtail.create", clean=False)


def _draft_translations(parent: NewsletterPage, issue: IssuePage, user: User | None) -> None:
    """Draft an edition in the other languages of the newsletter, as far as the user may.

    Its lists of news show each chosen article in the language of the edition.
    """
    if user and not user.has_perm(TRANSLATE):
        return
    pages = parent.get_translations().select_related("locale")
    locales = [page.locale for page in pages if not user or page.permissions_for_user(user).can_add_subpage()]
    source, _is_new = TranslationSource.update_or_create_from_instance(issue)
    for locale in locales:
        translation = Translation.objects.create(source=source, target_locale=locale)
        translation.save_target(user=user, publish=False)
