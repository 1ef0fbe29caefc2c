"""Checks of a page's content, run before it is published and every night on all pages.

Some problems block publishing, others are warnings or notes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from bs4 import BeautifulSoup
from core.alt_text import looks_like_file_name
from core.blocks import HeadingBlock, TextBlock
from core.html import absolute
from core.models import BasePage, CustomImage
from core.streams import pictures, streams
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from wagtail import hooks
from wagtail.models import Locale

from editorial import link_checker
from editorial.fixes import Fix, edit_image

BLOCKS, WARNS, TELLS = "blocks", "warns", "tells"
# Link texts that do not describe the target (WCAG 2.4.4), in the site's languages.
VAGUE_LINK_TEXTS = frozenset().union(*(language.vague_link_texts for language in settings.SITE_LANGUAGES.values()))
KINDS = {  # {kind: (level, message)}
    "alt": (BLOCKS, _("The picture “%(title)s” has no alternative text.")),
    "alt_file_name": (BLOCKS, _("The alternative text “%(text)s” looks like the name of a file. Say what the picture “%(title)s” shows.")),
    "private_picture": (BLOCKS, _("The picture “%(title)s” lies in a private collection, so readers cannot see it. Move it to another collection.")),
    "not_resized": (WARNS, _("The picture “%(title)s” cannot be resized, so it is not shown. Upload it again, saved anew, as JPEG for example.")),
    "no_target": (BLOCKS, _("The link “%(text)s” leads to a page or file that does not exist any more.")),
    "own_link": (WARNS, _("The link “%(text)s” (%(url)s) is broken: the page is missing or not published.")),
    "other_link": (WARNS, _("The link “%(text)s” (%(url)s) is broken: the other site says that the page is gone, or does not answer.")),
    "link_text": (WARNS, _("The link “%(text)s” does not say where it leads. Name what is behind it.")),
    "heading_order": (WARNS, _("The small heading “%(text)s” stands before any heading of the page. Begin with a heading block.")),
    "empty_heading": (WARNS, _("There is an empty heading.")),
    "description": (WARNS, _("The description is missing, which search engines and lists show.")),
    "term": (WARNS, _("The original says “%(term)s”, so the translation should say “%(translation)s”, as the glossary does.")),
    "translation": (TELLS, _("The page is not translated into %(language)s.")),
}  # fmt: skip

LABELS = {
    "alt": _("pictures without words"),
    "alt_file_name": _("alternative texts that are names of files"),
    "private_picture": _("pictures that readers cannot see"),
    "not_resized": _("pictures that cannot be resized"),
    "no_target": _("links to nothing"),
    "own_link": _("broken links within the site"),
    "other_link": _("broken links to other sites"),
    "link_text": _("links that say nothing"),
    "heading_order": _("headings out of order"),
    "empty_heading": _("empty headings"),
    "description": _("missing descriptions"),
    "term": _("terms of the glossary that are translated differently"),
    "translation": _("missing translations"),
}


Finding = tuple[str, dict[str, str]]  # (a key of KINDS, the values of its message)


@dataclass(frozen=True)
class Problem:
    """A problem: its level (BLOCKS, WARNS or TELLS), its description, and the ways to fix it."""

    level: str
    text: str
    fixes: tuple[Fix, ...] = ()


def any_blocking(problems: Iterable[Problem]) -> bool:
    """Return whether one of the Problems blocks publishing."""
    return any(problem.level == BLOCKS for problem in problems)


def describe(kind: str, values: Mapping[str, str]) -> Problem:
    """Return the Problem of a kind (a key of KINDS) with the `values` of its message, in the active language."""
    level, text = KINDS[kind]
    return Problem(level, str(text) % values)


def check_page(page: BasePage) -> list[Problem]:
    """Return the Problems of a page instance, which may be a draft, the most severe first."""
    found = []
    for kind, values in find_problems(page):
        image = CustomImage.objects.filter(pk=values["image"]).first() if "image" in values else None
        found.append(replace(describe(kind, values), fixes=(edit_image(image),) if image else ()))
    return sorted(found, key=lambda one: [BLOCKS, WARNS, TELLS].index(one.level))


def render_body(page: BasePage) -> BeautifulSoup:
    """Render the StreamFields of a page in its language and return them as BeautifulSoup."""
    with override(page.locale.language_code):
        html = "".join(str(stream.render_as_block({"page": page})) for stream in streams(page))
    return BeautifulSoup(html, "html.parser")


def find_problems(page: BasePage, html: BeautifulSoup | None = None) -> list[Finding]:
    """Return [(kind, values of its message)] for a page, without checking external links.

    `html` is the result of `render_body`, if the caller has it already.
    """
    html = html or render_body(page)
    found: list[Finding] = [] if page.description.strip() else [("description", {})]
    found += _check_images(page) + _check_links(html) + _check_headings(page)
    for find in hooks.get_hooks("find_page_problems"):
        found += find(page)
    existing = {other.locale_id for other in page.get_translations(inclusive=True).live()}
    missing = Locale.objects.exclude(pk__in=[*existing, page.locale_id])
    return found + [("translation", {"language": locale.get_display_name()}) for locale in missing]


def external_links(html: BeautifulSoup) -> dict[str, str]:
    """Return {URL: link text} of the links to other sites in the result of `render_body`."""
    found = {str(link["href"]): link.get_text(" ", strip=True) for link in html.find_all("a", href=True)}
    return {
        url: text
        for url, text in found.items()
        if urlsplit(url).scheme in {"http", "https"} and not link_checker.is_internal(url)
    }


def _check_images(page: BasePage) -> list[Finding]:
    images = pictures(page)
    with_text = [(image, image.contextual_alt_text) for image in images if not image.decorative]
    found: list[Finding] = [("alt", {"title": image.title}) for image, text in with_text if not text]
    shown = [*images, page.share_image] if page.share_image else images
    found += [
        ("not_resized", {"title": image.title, "image": str(image.pk)})
        for image in shown
        if image.resize_failed_recently
    ]
    if not page.get_view_restrictions().exists():
        hidden = [image for image in images if image.is_private]
        found += [("private_picture", {"title": image.title, "image": str(image.pk)}) for image in hidden]
    named = [(image, text) for image, text in with_text if text and looks_like_file_name(text, image.filename)]
    return found + [("alt_file_name", {"title": image.title, "text": text}) for image, text in named]


def _check_links(html: BeautifulSoup) -> list[Finding]:
    found: list[Finding] = []
    for link in html.find_all("a"):
        text, url = link.get_text(" ", strip=True), str(link.get("href", ""))
        if not url:
            found.append(("no_target", {"text": text}))
        elif _is_broken_internal_link(url):
            found.append(("own_link", {"text": text, "url": url}))
        if re.sub(r"[^\w\s]", "", text).casefold().strip() in VAGUE_LINK_TEXTS:
            found.append(("link_text", {"text": text}))
    return found


def _is_broken_internal_link(url: str) -> bool:
    address = absolute(url)
    return link_checker.is_internal(address) and bool(link_checker.check_internal_link(address))


def _check_headings(page: BasePage) -> list[Finding]:
    """Check the headings that editors write. Those that other blocks make, as a list of news does, are not theirs to change."""
    written = [
        block for stream in streams(page) for block in stream if isinstance(block.block, HeadingBlock | TextBlock)
    ]
    html = BeautifulSoup("".join(str(block.render()) for block in written), "html.parser")
    found: list[Finding] = []
    previous_level = 1
    for heading in html.find_all(["h2", "h3", "h4"]):
        level, text = int(heading.name[1]), heading.get_text(" ", strip=True)
        if not text:
            found.append(("empty_heading", {}))
        elif level > previous_level + 1:
            found.append(("heading_order", {"text": text}))
        previous_level = level
    return found
