"""What differs per recipient in a mail: tokens such as `@@leave_url@@`, and a greeting with and without a name.

Content is rendered once for each language with tokens in it. Here is the ordinary way to fill them in; prepared.py has the
fast one, and a test shows that both make the same mail.
"""

import re
from dataclasses import dataclass, replace
from functools import cache

from core.markup import absolute
from django.conf import settings
from django.urls import reverse
from django.utils.html import escape
from django.utils.translation import override

from . import tokens

LEAVE_URL, PREFERENCES_URL, NAME, TRACK_URL = "@@leave_url@@", "@@preferences_url@@", "@@name@@", "@@track_url@@"
TOKENS = re.compile("|".join([LEAVE_URL, PREFERENCES_URL, NAME, TRACK_URL]))
NAMED, UNNAMED, END = "@@named@@", "@@unnamed@@", "@@end@@"
GREETING = re.compile(f"{NAMED}(.*?){UNNAMED}(.*?){END}", re.DOTALL)
PLACEHOLDER = "0" * 8


@dataclass(frozen=True)
class Recipient:
    """Somebody to whom a mail goes: what it takes to fill the mail in."""

    delivery: int
    uuid: object
    email: str
    name: str
    language: str
    campaign: int


@dataclass(frozen=True)
class Mail:
    """A mail in one language: subject, preheader, HTML and text."""

    subject: str
    preheader: str
    html: str
    text: str

    def greeting(self, with_name):
        """The mail with its greetings for somebody whose name is known, or not."""
        part = r"\1" if with_name else r"\2"
        return replace(self, html=GREETING.sub(part, self.html), text=GREETING.sub(part, self.text))

    def personalised(self, values):
        """The mail with each token replaced by its value of `values` ({token: text}), escaped in the HTML part."""
        mail = self.greeting(bool(values.get(NAME)))
        return replace(
            mail,
            html=TOKENS.sub(lambda found: escape(values.get(found[0], "")), mail.html),
            text=TOKENS.sub(lambda found: values.get(found[0], ""), mail.text),
        )


@cache
def _frame(view, language):
    """The beginning and the end of the address of `view` around its token."""
    with override(language):
        before, after = absolute(reverse(view, args=[PLACEHOLDER])).split(PLACEHOLDER)
    return before, after


def address(view, language, token):
    """The absolute address of a view that takes a signed token."""
    before, after = _frame(view, language)
    return f"{before}{token}{after}"


def values_for(recipient):
    """{token: text} for a Recipient."""
    token = tokens.make(tokens.MANAGE, recipient)
    return {
        LEAVE_URL: f"{address('newsletter_leave', recipient.language, token)}?c={recipient.campaign}",
        PREFERENCES_URL: address("newsletter_preferences", recipient.language, token),
        NAME: recipient.name,
        TRACK_URL: f"{settings.SITE_URL}/t/{tokens.make_tracking(recipient.delivery)}",
    }
