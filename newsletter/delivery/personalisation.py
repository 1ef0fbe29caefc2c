"""Personalises mails: replaces tokens such as `@@leave_url@@` and chooses the greeting with or without a name.

Content is rendered once per language with tokens in it. This module holds the reference implementation;
message_template.py has the fast one, and a test shows that both produce the same mail.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from core.html import absolute
from django.conf import settings
from django.urls import reverse
from django.utils.html import escape
from django.utils.translation import override

from newsletter.subscribers import tokens

LEAVE_URL, PREFERENCES_URL, NAME, TRACK_URL = "@@leave_url@@", "@@preferences_url@@", "@@name@@", "@@track_url@@"
TOKENS = re.compile("|".join([LEAVE_URL, PREFERENCES_URL, NAME, TRACK_URL]))
NAMED, UNNAMED, END = "@@named@@", "@@unnamed@@", "@@end@@"
GREETING = re.compile(f"{NAMED}(.*?){UNNAMED}(.*?){END}", re.DOTALL)
PLACEHOLDER = "0" * 8


@dataclass(frozen=True)
class Recipient:
    """A recipient's data needed to personalise a mail."""

    delivery: int
    uuid: uuid.UUID
    email: str
    name: str
    language: str
    campaign: int


@dataclass(frozen=True)
class Mail:
    """A mail in one language: subject, preheader, HTML and text part."""

    subject: str
    preheader: str
    html: str
    text: str

    def greeting(self, with_name: bool) -> "Mail":
        """Return the mail with the greeting for recipients with or without a known name."""
        part = r"\1" if with_name else r"\2"
        return replace(self, html=GREETING.sub(part, self.html), text=GREETING.sub(part, self.text))

    def personalised(self, values: Mapping[str, str]) -> "Mail":
        """Return the mail with each token replaced by its value in `values` ({token: text}), escaped in the HTML
        part."""
        mail = self.greeting(bool(values[NAME]))
        return replace(
            mail,
            html=TOKENS.sub(lambda found: escape(values[found[0]]), mail.html),
            text=TOKENS.sub(lambda found: values[found[0]], mail.text),
        )


@cache
def _url_parts(view: str, language: str) -> tuple[str, str]:
    """Return the parts of the URL of `view` before and after its token."""
    with override(language):
        before, after = absolute(reverse(view, args=[PLACEHOLDER])).split(PLACEHOLDER)
    return before, after


def address(view: str, language: str, token: str) -> str:
    """Return the absolute URL of a view that takes a signed token."""
    before, after = _url_parts(view, language)
    return f"{before}{token}{after}"


MANAGE_TOKEN, TRACKING_TOKEN = "manage", "tracking"


@cache
def url_templates(language: str, campaign: int) -> dict[str, str]:
    """Return {token: URL as a str.format() template for the recipient's signed tokens}."""
    return {
        LEAVE_URL: f"{address('newsletter_leave', language, '{manage}')}?c={campaign}",
        PREFERENCES_URL: address("newsletter_preferences", language, "{manage}"),
        TRACK_URL: f"{settings.SITE_URL}/t/{{tracking}}",
    }


class Values(dict[str, str]):
    """{token: text} for a Recipient; each value is computed on first use."""

    def __init__(self, recipient: Recipient) -> None:
        super().__init__({NAME: recipient.name})
        self._recipient = recipient

    def __missing__(self, token: str) -> str:
        recipient = self._recipient
        template = url_templates(recipient.language, recipient.campaign)[token]
        if token == TRACK_URL:
            text = template.format(tracking=tokens.make_tracking(recipient.delivery))
        else:
            if MANAGE_TOKEN not in self:
                self[MANAGE_TOKEN] = tokens.make(tokens.MANAGE, recipient)
            text = template.format(manage=self[MANAGE_TOKEN])
        self[token] = text
        return text
