"""Addresses in text: found in every spelling, and nobody else's with them."""

import base64
import json
import unicodedata
from email.message import EmailMessage
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs.models import JobRun
from redaction.text import AddressPattern, addresses_in, redact

from newsletter.subscribers.email_addresses import normalise
from tests.growth import grows_in_step

ADDRESS = "rosa.q+x@example.org"
ENCODED = base64.b64encode(f"To: <{ADDRESS.upper()}>, more words".encode()).decode()
SPELLINGS = [
    ADDRESS,
    ADDRESS.title(),
    f"Rosa <{ADDRESS}>, unknown",
    f"rfc822;{ADDRESS}",
    f"mailto:{ADDRESS}?subject=x",
    f"550 5.1.1 {ADDRESS}: no such user.",
    quote(f"<{ADDRESS}>"),
    quote(quote(ADDRESS)),
    f"/es/search/?q={quote(ADDRESS)}&x=1",
    f"=3C{ADDRESS.replace('@', '=40').replace('.', '=2E')}=3E",
    "To: ro=\r\nsa.q+x@exam=\nple.org",
    ADDRESS.replace("@", "&#64;"),
    ADDRESS.replace("@", "&#x40;").replace("+", "&#43;"),
    json.dumps(f"é\n{ADDRESS}\n"),
    json.dumps({"a": [f"<{ADDRESS}>"]}).replace("<", "\\u003c").replace("@", "\\u0040"),
    ENCODED,
    f"x{ENCODED}",
    base64.encodebytes(b"x" * 70 + f" {ADDRESS} ".encode() + b"y" * 70).decode(),
    base64.urlsafe_b64encode(f"???>>>{ADDRESS}".encode()).decode(),
    f"<bounces+{ADDRESS.replace('@', '=')}@provider.example>",
    f"'to' parameter is not a valid address: {{'{ADDRESS}'}}",
]
OTHERS = [
    "ana" + ADDRESS,
    ADDRESS + ".pe",
    ADDRESS + "anic",
    "q+x@example.org",
    ADDRESS.replace(".q", "q"),
    "",
    "x" * 50,
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_an_address_is_found_and_taken_out_however_it_is_written(text):
    pattern = AddressPattern(ADDRESS)
    assert pattern.mentioned_in(text)
    assert not pattern.mentioned_in(pattern.removed_from(text))
    assert not pattern.mentioned_in(redact(text))
    assert not pattern.mentioned_in(str(pattern.removed_from({"a": [text, 1, None], text: text})))


@pytest.mark.parametrize("text", OTHERS)
def test_other_peoples_addresses_stay(text):
    pattern = AddressPattern(ADDRESS)
    assert not pattern.mentioned_in(text)
    assert pattern.removed_from(text) == text


def test_a_domain_with_other_letters_is_found_as_people_write_it():
    kept = normalise("rosa@ñandu.org")
    pattern = AddressPattern(kept)
    for text in (kept, "Rosa@ÑANDU.org", "rosa@ñandu.org", quote("rosa@ñandu.org"), json.dumps("rosa@ñandu.org")):
        assert pattern.mentioned_in(text), text


@pytest.mark.parametrize("address", ["rosa@ñandu.org", "rosa@example.org"])
def test_whatever_is_taken_for_the_address_is_found(address):
    apart = unicodedata.normalize("NFD", address)  # as macOS writes it
    for text in (
        apart,
        apart.upper(),
        address.replace(".", "．"),
        address.replace(".", "。"),
        address.replace("g", "ｇ"),
    ):
        assert normalise(text) == normalise(address)
        assert AddressPattern(normalise(address)).mentioned_in(text), ascii(text)
        for around in ("{}", "<{}>", "'{}'", "“{}”", "mailto:{}", "{}."):  # a restored backup is searched in this way
            assert normalise(address) in addresses_in(around.format(text)), ascii(text)


@pytest.mark.parametrize("address", ["rosa@ñandu.org", "rosa@example.org"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_s_name_loses_the_address_where_it_runs_on(address, form):
    name = unicodedata.normalize(form, f"bajas_{address.title()}.csv")
    assert AddressPattern(normalise(address)).removed_from_name(name) == "bajas_….csv"


@pytest.mark.parametrize("transfer", ["quoted-printable", "base64", "8bit"])
def test_a_mail_is_searched_as_it_is_read(transfer):
    mail = EmailMessage()
    mail["Subject"], mail["To"] = "¿Dónde?", "ops@example.org"
    mail.set_content(f"Ñandú {ADDRESS.upper()} {'x' * 90}", cte=transfer)
    assert AddressPattern(ADDRESS).mentioned_in_mail(bytes(mail))
    assert not AddressPattern("ana@example.org").mentioned_in_mail(bytes(mail))


@pytest.mark.parametrize(
    "broken",
    [
        b"To: rosa@",
        b"Subject: =?x-unknown?q?=41?=",
        b"Content-Type: text/plain; charset=nothing",
        b"Subject: =?utf-8?b?!!!?=",
        b"\xff\xfe",
        b"",
    ],
)
def test_a_broken_mail_is_searched_all_the_same(broken):
    assert AddressPattern(ADDRESS).mentioned_in_mail(broken + f"\n\nwrite to {ADDRESS}".encode())
    assert not AddressPattern("ana@example.org").mentioned_in_mail(broken + f"\n\nwrite to {ADDRESS}".encode())


@given(st.emails(), st.text(max_size=20))
def test_whatever_the_address_it_is_redacted(address, around):
    assert address not in redact(f"{around} {address} {around}")


@pytest.mark.parametrize("text", ["550 mailbox is full", "Queued as 4Xk2Zb1QzRz9s", "a3f5" * 16, "", "1 a la 2"])
def test_what_names_nobody_is_left_as_it_is(text):
    assert redact(text) == text


@pytest.mark.parametrize("part", ["a", "A1b2", "x%40", '"', "a=", "=\n", "rosa.", "<", "\\u0040", "@"])
def test_long_texts_take_no_longer_than_their_length(part):
    def work(size):
        text = part * (size // len(part))
        redact(text)
        AddressPattern(ADDRESS).removed_from(text)

    assert grows_in_step(work, 25_000)


@pytest.mark.django_db
def test_a_redacted_field_takes_no_address_in_whichever_way_it_is_written():
    text = f"SMTPRecipientsRefused: {ADDRESS}"
    run = JobRun.objects.create(name="a", outcome=text)
    JobRun.objects.bulk_create([JobRun(name="b", outcome=text)])
    JobRun.objects.create(name="c")
    JobRun.objects.filter(name="c").update(outcome=text)
    run.outcome = text
    run.save()
    JobRun.objects.bulk_update([run], ["outcome"])
    assert not any(ADDRESS in outcome for outcome in JobRun.objects.values_list("outcome", flat=True))
