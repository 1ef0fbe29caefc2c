"""The fast way to make a mail against the ordinary one: both must parse to the same message, whatever stands in it."""

import uuid
from email import message_from_bytes
from email.policy import default

import pytest
from django.conf import settings as django_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from newsletter.carriers.base import Outgoing, build_message
from newsletter.content import Content
from newsletter.models import Campaign, CampaignContent
from newsletter.personal import END, LEAVE_URL, NAME, NAMED, PREFERENCES_URL, TRACK_URL, UNNAMED, Recipient

CAMPAIGN = Campaign(pk=7)
GREETING = f"{NAMED}Querida {NAME}:{UNNAMED}Hola:{END}"
TOKENS = [LEAVE_URL, PREFERENCES_URL, NAME, TRACK_URL, GREETING]
# What is known to make mails break: long lines, dots at the start, equal signs, braces, percent signs, letters of all sizes.
NASTY = ["\n", "\n.", "\n..\n", ".", "=", "=20", " ", " \n", "\t", "{", "}", "%s", "{0}", "@@", "é", "ñ", "日本", "🌱", "x" * 80, "<b>", "&amp;"]  # fmt: skip
LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85")
BODIES = st.lists(st.sampled_from(NASTY + TOKENS) | st.text(LETTERS, max_size=100), min_size=1, max_size=25).map(
    lambda pieces: "Hola" + "".join(pieces)
)
SUBJECTS = st.text(LETTERS, min_size=1, max_size=200).filter(str.strip).map(lambda text: " ".join(text.split()) or "x")
NAMES = st.sampled_from(["", "María Quispe", "O'Brien & <Söhne>", "{name}", "%(x)s", "@@leave_url@@", ".", "x" * 100])


def mail_of(subject, html, text, name):
    row = CampaignContent(campaign=CAMPAIGN, language="pt-br", subject=subject, html=html, text=text)
    recipient = Recipient(12345, uuid.UUID(int=99), "ana+boletin@example.org", name, "pt-br", CAMPAIGN.pk)
    return Outgoing(recipient, Content(row, CAMPAIGN), None)


def parsed(raw):
    """(headers, parts) of a message; its date and boundary differ from one making to the next."""
    message = message_from_bytes(raw, policy=default)
    assert not message.defects
    headers = {name: str(value).strip() for name, value in message.items() if name not in {"Date", "Content-Type"}}
    parts = []
    for part in message.iter_parts():
        assert not part.defects
        parts.append((part.get_content_type(), part.get_content().replace("\r\n", "\n").rstrip("\n")))
    return headers, parts


@hypothesis_settings(max_examples=100, deadline=None)
@given(SUBJECTS, BODIES, BODIES, NAMES)
def test_both_ways_make_the_same_message(subject, html, text, name):
    mail = mail_of(subject, html, text, name)
    reference = build_message(mail).message().as_bytes()
    assert parsed(mail.content.as_bytes(mail)) == parsed(reference)


@hypothesis_settings(max_examples=100, deadline=None)
@given(SUBJECTS, BODIES, BODIES, NAMES)
def test_the_fast_one_passes_any_server(subject, html, text, name):
    raw = mail_of(subject, html, text, name).content.as_bytes(mail_of(subject, html, text, name))
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(line.startswith(b".") for line in lines)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")


@pytest.mark.parametrize("subject", ["Hola", "Conozca a CLAC: ¿quiénes somos?", "ñ" * 120])
def test_headers_are_the_same(subject):
    mail = mail_of(subject, "<p>x</p>", "x", "")
    headers, _parts = parsed(mail.content.as_bytes(mail))
    assert headers["Subject"] == subject
    assert headers["To"] == "ana+boletin@example.org"
    assert headers["From"] == django_settings.DEFAULT_FROM_EMAIL
    assert headers["List-Unsubscribe"].startswith("<http://testserver/pt-br/")
