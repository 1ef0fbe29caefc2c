"""The fast way to make a mail against the ordinary one: both must parse to the same message, whatever stands in it."""

import re
import uuid
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from hypothesis import assume, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from newsletter.campaigns.snapshots import Content
from newsletter.delivery import outgoing
from newsletter.delivery.personalisation import (
    END,
    LEAVE_URL,
    NAME,
    NAMED,
    PREFERENCES_URL,
    TRACK_URL,
    UNNAMED,
    Recipient,
)
from newsletter.delivery.transports.base import OutgoingMessage, build_message
from newsletter.models import Campaign, CampaignContent

CAMPAIGN = Campaign(pk=7)
GREETING = f"{NAMED}Querida {NAME}:{UNNAMED}Hola:{END}"
TOKENS = [LEAVE_URL, PREFERENCES_URL, NAME, TRACK_URL, GREETING]
# What is known to make mails break: long lines, dots at the start, equal signs, braces, percent signs, letters of all sizes.
NASTY = ["\n", "\n.", "\n..\n", ".", "=", "=20", " ", " \n", "\t", "{", "}", "%s", "{0}", "@@", "é", "ñ", "日本", "🌱", "x" * 80, "<b>", "&amp;"]  # fmt: skip
LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85")
BODIES = st.lists(st.sampled_from(NASTY + TOKENS) | st.text(LETTERS, max_size=100), min_size=1, max_size=25).map(
    lambda pieces: "Hola" + "".join(pieces)
)
NAMES = st.sampled_from(["", "María Quispe", "O'Brien & <Söhne>", "{name}", "%(x)s", "@@leave_url@@", ".", "x" * 100])
# What is known to make headers break: specials of RFC 5322, encoded words, tokens, controls, emoji that are several letters,
# text from right to left, words that are longer than a line.
HARD = ["Boletín CLAC", "CLAC, Boletín", 'La "Voz"', "a\\b", "(x)", "x@y", "<b>", ":;", "=?utf-8?q?x?=", "@@email@@", "👩🏽\u200d🌾", "قهوة", "日本", "ñ" * 80, "x" * 80, "é " * 40, "\u202e", "e\u0301"]  # fmt: skip
LINES = st.lists(st.sampled_from(HARD) | st.text(LETTERS, min_size=1, max_size=60), min_size=1, max_size=4).map(
    " ".join
)
SUBJECTS = st.lists(LINES | st.sampled_from(["\n", "\r\nBcc: eve@example.org", "\x0b", "\0", "\t"]), min_size=1, max_size=3).map("".join)  # fmt: skip
SENDERS = st.tuples(LINES.map(lambda text: re.sub(r"[<>]|=\?", "", text)[:100].strip(' "')).filter(lambda text: "=?" not in text), st.sampled_from(["example.org", "ñandú.example", "clac.xn--and-6ma2c.example"]))  # fmt: skip

HEADERS = {"Subject", "From", "To", "Message-ID", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Content-Language", "Feedback-ID", "Date", "MIME-Version", "Content-Type"}  # fmt: skip


def mail_of(subject, html, text, name):
    row = CampaignContent(campaign=CAMPAIGN, language="pt-br", subject=subject, html=html, text=text)
    recipient = Recipient(12345, uuid.UUID(int=99), "ana+boletin@example.org", name, "pt-br", CAMPAIGN.pk)
    return OutgoingMessage(recipient, Content(row, CAMPAIGN), None)


def unquoted(text):
    """A quoted string of RFC 5322 without its quotes."""
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def read(raw):
    """{header: value} as RFC 2047 reads them; Python's newer way leaves spaces between encoded words of a name."""
    found = message_from_bytes(raw).items()
    assert len(dict(found)) == len(found)
    return {name: str(make_header(decode_header(re.sub(r"\r?\n", "", value)))).strip() for name, value in found}


def parsed(raw):
    """(headers, parts) of a message; its date and boundary differ from one making to the next."""
    message = message_from_bytes(raw, policy=default)
    assert not message.defects
    headers = {name: value for name, value in read(raw).items() if name not in {"Date", "Content-Type"}}
    parts = []
    for part in message.iter_parts():
        assert not part.defects
        parts.append((part.get_content_type(), part.get_content().replace("\r\n", "\n").rstrip("\n")))
    return headers, parts


@hypothesis_settings(max_examples=100, deadline=None)
@given(SUBJECTS, BODIES, BODIES, NAMES, SENDERS)
@example("Boletín CLAC", "Hola", "Hola", "", ("", "example.org"))
def test_both_ways_make_the_same_message(subject, html, text, name, sender):
    assume(outgoing.header_text(subject))  # a title is mandatory, and a subject without letters is none
    with override_settings(DEFAULT_FROM_EMAIL="{} <boletin@{}>".format(*sender)):
        mail = mail_of(subject, html, text, name)
        reference = build_message(mail).message().as_bytes()
        assert parsed(mail.content.as_bytes(mail)) == parsed(reference)


@hypothesis_settings(max_examples=100, deadline=None)
@given(SUBJECTS, BODIES, BODIES, NAMES, SENDERS)
def test_the_fast_one_passes_any_server(subject, html, text, name, sender):
    with override_settings(DEFAULT_FROM_EMAIL="{} <boletin@{}>".format(*sender)):
        mail = mail_of(subject, html, text, name)
        raw = mail.content.as_bytes(mail)
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(line.startswith(b".") for line in lines)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")


@hypothesis_settings(max_examples=100, deadline=None)
@given(SUBJECTS, SENDERS)
def test_a_mail_program_reads_what_was_written(subject, sender):
    name, domain = sender
    with override_settings(DEFAULT_FROM_EMAIL=f"{name} <boletin@{domain}>"):
        mail = mail_of(subject, "<p>x</p>", "x", "")
        headers = read(mail.content.as_bytes(mail))
    domain = domain.replace("ñandú", "xn--and-6ma2c")
    for header, address in (("From", f"<boletin@{domain}>"), ("List-Id", f"<newsletter-pt-br.{domain}>")):
        description, _space, found = headers[header].rpartition(" ")
        assert found == address
        assert unquoted(description) == " ".join(name.split())
    if "=?" not in subject:  # what looks like an encoded word is read as one
        assert headers["Subject"] == " ".join(re.sub("[\x00-\x1f]", " ", subject).split())
    assert set(headers) == HEADERS


@pytest.mark.parametrize("subject", ["Hola", "Conozca a CLAC: ¿quiénes somos?", "ñ" * 120])
def test_headers_are_the_same(subject):
    mail = mail_of(subject, "<p>x</p>", "x", "")
    headers, _parts = parsed(mail.content.as_bytes(mail))
    assert headers["Subject"] == subject
    assert headers["To"] == "ana+boletin@example.org"
    assert headers["From"] == django_settings.DEFAULT_FROM_EMAIL
    assert headers["List-Unsubscribe"].startswith("<http://testserver/pt-br/")
