"""Checks of an edition before it is sent: errors block it, warnings do not."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import dns.exception
import dns.resolver
from bs4 import BeautifulSoup
from core.alt_text import looks_like_file_name
from core.html import absolute
from core.models import CustomImage, SiteSettings
from core.page_permissions import HOME_DEPTH, groups_with_permission
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.files.storage import storages
from django.core.mail import get_connection
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from editorial import fixes, link_checker
from editorial.content_checks import BLOCKS, TELLS, WARNS, Problem
from editorial.fixes import Fix
from translation.permissions import places_to_add
from wagtail.models import Locale, Page
from wagtail_localize.models import Translation

from newsletter.campaigns.lifecycle import published_languages
from newsletter.delivery import outgoing
from newsletter.delivery.personalisation import Mail
from newsletter.editions import rendering
from newsletter.models import Campaign, IssuePage, Segment
from newsletter.subscribers.audiences import size_by_mail_language

MAX_BYTES, WARN_BYTES = 102_000, 80_000  # bytes: Gmail clips a mail beyond the first; the second is the warning level
MAX_PICTURE_BYTES = 300_000  # bytes
MAX_SUBJECT_LENGTH = 70  # characters
RECENTLY = timedelta(days=2)
THREADS, MAX_LINKS = 10, 40  # number of parallel checks, and of external links checked
SAMPLE_TOKEN = "x" * 140  # about as long as a management token


def run_checks(issue: IssuePage, segment: Segment | None = None, is_quick: bool = False) -> list[Problem]:
    """Return the Problems of an IssuePage that is to be sent to a Segment (or to all), the worst first.

    `is_quick` skips checks that use the network: DNS, the provider, other sites. Those take a few seconds at most.
    """
    pages = published_languages(issue)
    found = _languages(issue, pages, segment) + _postal_address(issue) + _earlier_campaigns(issue)
    others = set()
    for page in pages.values():
        try:
            mail = rendering.preview(page, "x" * 20, f"https://{SAMPLE_TOKEN}")
        except rendering.Unrenderable as error:
            found.append(Problem(BLOCKS, str(error), _edit(page)))
            continue
        found += _mail(page, mail) + _pictures(page, mail) + _news_lists(page)
        own, foreign = _links(page, mail)
        found += own
        others |= foreign
    if not is_quick:
        found += _external_checks(others)
    return sorted(found, key=lambda finding: [BLOCKS, WARNS, TELLS].index(finding.level))


# The edition


def _edit(page: IssuePage) -> tuple[Fix]:
    return (fixes.edit_page(page),)


def _open(name: str, number: int) -> tuple[Fix]:
    return (fixes.open_page(reverse(name, args=[number])),)


def _languages(issue: IssuePage, pages: dict[str, IssuePage], segment: Segment | None) -> list[Problem]:
    """Check for languages that are missing, unpublished or outdated, and for an empty audience."""
    if not pages:
        return [Problem(BLOCKS, _("The edition is not published in any language."), _edit(issue))]
    people = size_by_mail_language(pages, segment)
    found = [] if sum(people.values()) else [Problem(BLOCKS, _("Nobody would get it: the audience is empty."))]
    all_pages = {page.locale.language_code: page for page in issue.get_translations(inclusive=True)}
    for code, name in settings.LANGUAGES:
        page = all_pages.get(code)
        if page is None:
            text = _("%(language)s: not translated. Its readers get another language.")
        elif not page.live:
            text = _("%(language)s: not published. Its readers get another language.")
        elif page.has_unpublished_changes:
            text = _("%(language)s: there are changes that are not published. They will not be sent.")
        elif _is_behind(page):
            text = _("%(language)s: not translated completely, or the original was changed since.")
        else:
            continue
        found.append(Problem(WARNS, text % {"language": _(name)}, _edit(page or issue)))
    return found


def _is_behind(page: IssuePage) -> bool:
    """Return whether a page is a translation with untranslated parts."""
    found = Translation.objects.filter(
        source__object_id=page.translation_key, target_locale=page.locale_id, enabled=True
    ).select_related("source")
    for each in found:
        total, done = each.get_progress()
        original = each.source.get_source_instance()
        changed = original.last_published_at and original.last_published_at > each.source.last_updated_at
        if done < total or (changed and original.last_published_at > page.last_published_at):
            return True
    return False


def _mail(page: IssuePage, mail: Mail) -> list[Problem]:
    """Check the preheader, the subject's length and the mail's size."""
    found, name = [], {"language": page.locale.get_display_name()}
    if not page.preheader:
        found.append(Problem(WARNS, _("%(language)s: the preheader is empty.") % name, _edit(page)))
    if any(len(subject) > MAX_SUBJECT_LENGTH for subject in (page.mail_subject, page.subject_b)):
        text = _("%(language)s: the subject is long; many mail programs will cut it off.")
        found.append(Problem(WARNS, text % name, _edit(page)))
    size = len(mail.html.encode())
    name["size"] = round(size / 1000)
    if size > MAX_BYTES:
        text = _("%(language)s: the mail has %(size)s KB. Gmail cuts it off after 102, the link to leave included.")
        found.append(Problem(BLOCKS, text % name, _edit(page)))
    elif size > WARN_BYTES:
        text = _("%(language)s: the mail has %(size)s KB, close to the 102 after which Gmail cuts it off.")
        found.append(Problem(WARNS, text % name, _edit(page)))
    return found


def _news_lists(page: IssuePage) -> list[Problem]:
    """Check for chosen articles that readers of a language do not get, and for lists of news that are empty."""
    found, language = [], page.locale.get_display_name()
    left_out = set(page.left_out_lists.values_list("block_id", flat=True))
    may_change = fixes.edit_page(page, permission="publish")
    for block in page.body:
        if block.block_type != "news":
            continue
        url = reverse("newsletter_issue_leave_out", args=[page.pk, block.id])
        if block.id in left_out:
            text = _("%(language)s: a list of news is left out.") % {"language": language}
            button = replace(may_change, label=_("Show the list again"), url=f"{url}?again", is_button=True)
            found.append(Problem(TELLS, text, (button,)))
            continue
        button = replace(may_change, label=_("Leave the list out in this language"), url=url, is_button=True)
        with translation.override(page.locale.language_code):
            hidden, is_empty = block.value.hidden_articles(page), not block.value.articles(page)
        for article in hidden:
            words = {"language": language, "title": article.title}
            there = Page.objects.filter(translation_key=article.translation_key, locale=page.locale).first()
            if there is None:
                text = _("%(language)s: the list of news leaves out the article “%(title)s”, which is not translated.")
                fix = _translate(article, page.locale)
            else:
                text = _("%(language)s: the list of news leaves out the article “%(title)s”, which is not public.")
                fix = fixes.edit_page(there, _("Publish the article"), "publish")
            found.append(Problem(WARNS, text % words, (fix, button)))
        if is_empty and not hidden:
            text = _("%(language)s: a list of news is empty, so it is left out.") % {"language": language}
            found.append(Problem(WARNS, text, (button,)))
    return found


def _translate(article: Page, locale: Locale) -> Fix:
    """Return the way to translate an article, for translators who may add it there."""
    home = Page.objects.filter(depth=HOME_DEPTH, locale=locale).first()
    return Fix(
        _("Translate the article"),
        reverse("wagtail_localize:submit_page_translation", args=[article.pk]),
        lambda user: places_to_add(user, [article])(article, locale),
        lambda: groups_with_permission("add", home) if home else Group.objects.none(),
    )


def _pictures(page: IssuePage, mail: Mail) -> list[Problem]:
    """Check for private pictures, missing alternative texts and large files."""
    found, name = [], {"language": page.locale.get_display_name()}
    for image in _images_of(page):
        if image.is_private:
            name["title"] = image.title
            text = _("%(language)s: the picture “%(title)s” lies in a private collection, so readers cannot see it. Move it to another collection.")  # fmt: skip
            found.append(Problem(BLOCKS, text % name, (fixes.edit_image(image),)))
        if not image.decorative and not image.contextual_alt_text:
            name["title"] = image.title
            text = _("%(language)s: the picture “%(title)s” has no alternative text.")
            found.append(Problem(BLOCKS, text % name, _edit(page)))
        elif not image.decorative and looks_like_file_name(image.contextual_alt_text, image.filename):
            name |= {"title": image.title, "text": image.contextual_alt_text}
            text = _("%(language)s: the alternative text “%(text)s” looks like the name of a file. Say what the picture “%(title)s” shows.")  # fmt: skip
            found.append(Problem(BLOCKS, text % name, _edit(page)))
    media, files = absolute(settings.MEDIA_URL), storages["renditions"]
    for picture in BeautifulSoup(mail.html, "html.parser").find_all("img", src=re.compile(f"^{re.escape(media)}")):
        path = unquote(str(picture["src"]).removeprefix(media))
        if files.exists(path) and files.size(path) > MAX_PICTURE_BYTES:
            name |= {"title": picture["alt"] or path, "size": round(files.size(path) / 1000)}
            text = _("%(language)s: the picture “%(title)s” has %(size)s KB, too much for a slow connection.")
            found.append(Problem(WARNS, text % name, _edit(page)))
    return found


def _images_of(page: IssuePage) -> Iterator[CustomImage]:
    """Yield the images of an edition, each with the alternative text used there."""
    for block in page.body:
        rows = [block.value] if block.block_type == "picture" else []
        rows = block.value["rows"] if block.block_type == "columns" else rows
        yield from (row["image"] for row in rows if row["image"])


def _links(page: IssuePage, mail: Mail) -> tuple[list[Problem], set[str]]:
    """Return (Problems of broken links, URLs on other sites)."""
    found, others = [], set()
    texts = {
        str(link.get("href", "")): link.get_text() for link in BeautifulSoup(mail.html, "html.parser").find_all("a")
    }
    for url, text in texts.items():
        if SAMPLE_TOKEN in url or url.startswith(("mailto:", "tel:")):
            continue
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            problem = _("it does not begin with https://")
        elif link_checker.is_internal(url):
            problem = link_checker.check_internal_link(url)
        else:
            others.add(url)
            continue
        if problem:
            words = {"language": page.locale.get_display_name(), "text": text, "url": url or "–", "problem": problem}
            message = _("%(language)s: the link “%(text)s” (%(url)s) is broken: %(problem)s.")
            found.append(Problem(BLOCKS, message % words, _edit(page)))
    return found, others


def _postal_address(issue: IssuePage) -> list[Problem]:
    """Check for the postal address, with a link to where those who send editions fill it in."""
    if SiteSettings.current(settings.LANGUAGE_CODE).postal_address.strip():
        return []
    next_url = urlencode({"next": reverse("newsletter_issue_send", args=[issue.pk])})
    url = f"{reverse('newsletter_postal_address')}?{next_url}"
    return [
        Problem(
            BLOCKS, _("The postal address is missing, which the law asks for. Fill it in."), (fixes.open_page(url),)
        )
    ]


def _earlier_campaigns(issue: IssuePage) -> list[Problem]:
    """Check whether the edition was sent before, and whether another one was sent recently."""
    started = Campaign.objects.filter(started_at__isnull=False).order_by("-started_at").select_related("issue")
    found = []
    own = started.filter(issue__translation_key=issue.translation_key).first()
    if own and own.started_at:
        text = _("This edition was sent before, %(time)s ago. Everybody would get it again.")
        found.append(Problem(WARNS, text % {"time": timesince(own.started_at)}, _open("newsletter_campaign", own.pk)))  # fmt: skip
    other = started.exclude(issue__translation_key=issue.translation_key).first()
    if other and other.started_at and timezone.now() - other.started_at < RECENTLY:
        text = _("The last edition, “%(title)s”, was sent only %(time)s ago.")
        words = {"title": other.issue.title, "time": timesince(other.started_at)}
        found.append(Problem(WARNS, text % words, _open("newsletter_campaign", other.pk)))
    return found


# Over the network


def _external_checks(urls: Iterable[str]) -> list[Problem]:
    """Run the network checks in parallel: provider, DNS records of the sender, linked sites."""
    if not link_checker.is_online():
        return [Problem(TELLS, _("This machine cannot ask the DNS: the sender's domain and links to other sites were not looked at.")), *_provider()]  # fmt: skip
    language = translation.get_language()

    def in_editor_language(look: Callable[[], list[Problem]]) -> list[Problem]:
        with translation.override(language):
            return look()

    looks = [_provider, sender_records, *(partial(_external_link, url) for url in sorted(urls)[:MAX_LINKS])]
    with ThreadPoolExecutor(THREADS) as pool:
        return [finding for findings in pool.map(in_editor_language, looks) for finding in findings]


def _external_link(url: str) -> list[Problem]:
    problem = link_checker.check_external_link(url)
    text = _("The link to %(url)s seems to be broken: %(problem)s.")
    return [Problem(WARNS, text % {"url": url, "problem": problem})] if problem else []


def _provider() -> list[Problem]:
    """Check whether the provider can be reached."""
    connection: Any = get_connection()  # Django's or one of Anymail's, which has no types
    try:
        if hasattr(connection, "api_url"):  # one of Anymail's
            link_checker.check_connection(connection.api_url)
        else:
            connection.timeout = link_checker.TIMEOUT_SECONDS
            connection.open()
            connection.close()
    except Exception as error:  # whatever its library raises
        text = _("The provider cannot be reached now: %(error)s. Sending would begin as soon as it answers.")
        fix = fixes.look_at_operations(_("Look at the provider's settings"))
        return [Problem(WARNS, text % {"error": error}, (fix,))]
    return []


def sender_records() -> list[Problem]:
    """Check for the sender's DNS records: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489)."""
    if settings.EMAIL_PROVIDER == "local":
        return []
    domain = outgoing.sender_domain()
    wanted = [("SPF", domain, "v=spf1"), ("DMARC", f"_dmarc.{domain}", "v=DMARC1")]
    if settings.DKIM_SELECTOR:
        wanted.append(("DKIM", f"{settings.DKIM_SELECTOR}._domainkey.{domain}", "p="))
    try:
        missing = [(kind, name) for kind, name, mark in wanted if not any(mark in text for text in _texts(name))]
    except dns.exception.DNSException as error:
        return [Problem(TELLS, _("The DNS did not answer about the sender's domain: %(error)s") % {"error": error})]
    text = _("The sender's domain has no %(kind)s record (%(name)s): many receivers will refuse the mail.")
    fix = (fixes.look_at_operations(_("Set up the sender's domain")),)
    found = [Problem(WARNS, text % {"kind": kind, "name": name}, fix) for kind, name in missing]
    if not settings.DKIM_SELECTOR:
        found.append(Problem(TELLS, _("DKIM was not looked at: the setting DKIM_SELECTOR is missing."), fix))
    return found


def _texts(name: str) -> list[str]:
    """Return the TXT records of a name, none if there is no such name. Raises DNSException without an answer."""
    try:
        answer = link_checker.resolver().resolve(name, "TXT")
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    return [b"".join(row.strings).decode(errors="replace") for row in answer]
