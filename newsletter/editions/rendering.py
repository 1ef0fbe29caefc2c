"""Renders editions and transactional mails: MJML templates through mrml to HTML, and a text part.

Content is rendered once per language, with tokens for what differs per recipient (delivery/personalisation.py).
"""

import copy
import re
from collections.abc import Iterable, Mapping
from html import unescape
from typing import TYPE_CHECKING, Any

import mrml
from bs4 import BeautifulSoup
from core.html import absolute, absolute_html, without_control_characters
from core.i18n import language_tag
from core.models import SiteSettings
from django.conf import settings
from django.db import DatabaseError
from django.template.loader import render_to_string
from django.utils.translation import gettext, override
from inscriptis import get_text
from wagtail.blocks import StreamValue
from wagtail.rich_text import RichText, expand_db_html

from newsletter.delivery.personalisation import LEAVE_URL, NAME, PREFERENCES_URL, TRACK_URL, Mail

if TYPE_CHECKING:
    from newsletter.models import IssuePage

HREF = re.compile(r'href="(https?://[^"@]+)"')
MAX_COUNTED = 2000  # characters of a URL; a longer one is not counted


class Unrenderable(Exception):
    """An edition cannot be rendered as a mail in one language. The message tells editors the language and the block."""

    def __init__(self, page: "IssuePage", block: tuple[int, str] | None, error: Exception) -> None:
        super().__init__(page, block, error)
        self.page, self.block, self.error = page, block, error

    def __str__(self) -> str:
        words = {"language": self.page.locale.get_display_name(), "error": f"{type(self.error).__name__}: {self.error}"}
        if self.block is None:
            return gettext("%(language)s: the edition cannot be made into a mail (%(error)s).") % words
        words["number"], words["block"] = self.block
        return gettext("%(language)s: block %(number)s, “%(block)s”, cannot be made into a mail (%(error)s). Change it or remove it.") % words  # fmt: skip


def mail_html(rich_text: RichText) -> str:
    """Return Wagtail rich text as simple HTML for mail programs: absolute, underlined links."""
    soup = BeautifulSoup(absolute_html(expand_db_html(rich_text.source)), "html.parser")
    for link in soup.find_all("a"):
        link["class"] = "link"
    return str(soup)


def plain_text(html: str) -> str:
    """Return HTML as readable text, with each link's address in brackets after its text; lines are not wrapped."""
    soup = BeautifulSoup(html, "html.parser")
    for link in soup.find_all("a", href=True):
        words, address = link.get_text(), _readable_address(str(link["href"]))
        if not re.search(rf"{re.escape(address)}(?!\S)", words):
            end = len(words.rstrip())
            words = f"{words[:end]} ({address}){words[end:]}"
        link.replace_with(words)
    return get_text(str(soup)).strip("\n")


def _readable_address(href: str) -> str:
    """Return a link's address as people write it: without the scheme of mail and telephone, and what goes with it."""
    scheme, _colon, rest = href.partition(":")
    return rest.partition("?")[0] if scheme in {"mailto", "tel"} else href


def render_mjml(template: str, context: Mapping[str, Any]) -> str:
    """Render an MJML template to HTML. Raises OSError from mrml on invalid markup."""
    return mrml.to_html(without_control_characters(render_to_string(template, context))).content


def render_mail(name: str, context: Mapping[str, Any], language: str) -> tuple[str, str]:
    """Render templates/newsletter/mail/<name>.mjml and .txt in `language` as (html, text)."""
    with override(language):
        context = {
            **context,
            "lang": language_tag(language),
            "site_settings": SiteSettings.current(language),
            "SITE_URL": settings.SITE_URL,
        }
        html = render_mjml(f"newsletter/mail/{name}.mjml", context)
        text = render_to_string(f"newsletter/mail/{name}.txt", context)
    return html, re.sub(r"\n{3,}", "\n\n", without_control_characters(text)).strip() + "\n"


class Links:
    """The numbered links of a campaign's mails. Clicks are counted by number, which prevents open redirects."""

    def __init__(self, known: Iterable[tuple[str, int]]) -> None:
        self.numbers = dict(known)
        self.new: dict[str, int] = {}

    def number(self, url: str) -> int:
        """Return the number of a URL."""
        if url not in self.numbers:
            self.numbers[url] = self.new[url] = len(self.numbers) + 1
        return self.numbers[url]

    def counted(self, html: str) -> str:
        """Return HTML with links replaced by counted ones, except personal pages and links too long for the database."""
        return HREF.sub(self._counted, html)

    def _counted(self, found: re.Match[str]) -> str:
        url = unescape(found[1])
        return found[0] if len(url) > MAX_COUNTED else f'href="{TRACK_URL}/{self.number(url)}/"'


def render_issue(issue: "IssuePage", links: Links | None = None) -> dict[str, Mail]:
    """Render an IssuePage in its language, with tokens for what differs per recipient. Return {variant: Mail}.

    `links` are the Links of a campaign; without them nothing is counted. Raises Unrenderable.
    """
    subjects = {"": issue.mail_subject} | ({"b": issue.subject_b} if issue.subject_b else {})
    try:
        return {variant: _render_variant(issue, subject, links) for variant, subject in subjects.items()}
    except DatabaseError:
        raise
    except Exception as error:
        raise Unrenderable(issue, _broken_block(issue), error) from error


def _broken_block(issue: "IssuePage") -> tuple[int, str] | None:
    """Return the block that cannot be rendered: (its number from 1, its label), or None."""
    for number, block in enumerate(issue.body, 1):
        alone = copy.copy(issue)
        alone.body = StreamValue(issue.body.stream_block, [(block.block_type, block.value)])
        try:
            _render_variant(alone, "", None)
        except Exception:
            return number, block.block.label
    return None


def _render_variant(issue: "IssuePage", subject: str, links: Links | None) -> Mail:
    subject, preheader = without_control_characters(subject), without_control_characters(issue.preheader)
    context = {
        "issue": issue,
        "subject": subject,
        "preheader": preheader,
        "web_url": absolute(issue.url or ""),
        "leave_url": LEAVE_URL,
        "preferences_url": PREFERENCES_URL,
        "track_url": TRACK_URL if links and settings.TRACK_OPENS else "",
    }
    html, text = render_mail("issue", context, issue.locale.language_code)
    if links and settings.TRACK_CLICKS:
        html = links.counted(html)
    return Mail(subject, preheader, html, text)


def preview(issue: "IssuePage", name: str = "", links: str = "#") -> Mail:
    """Return the mail as a subscriber of this name would see it, with all personal links set to `links`."""
    return render_issue(issue)[""].personalised(
        {LEAVE_URL: links, PREFERENCES_URL: links, NAME: name, TRACK_URL: links}
    )
