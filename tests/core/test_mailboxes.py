"""Mailboxes as people write them in settings."""

import pytest
from core.mailboxes import parse


@pytest.mark.parametrize(
    ("given", "mailbox"),
    [
        ("Boletín CLAC <boletin@example.org>", "Boletín CLAC <boletin@example.org>"),
        (" boletin@example.org ", "boletin@example.org"),
        ("<boletin@example.org>", "boletin@example.org"),
        ("CLAC, Boletín <boletin@example.org>", '"CLAC, Boletín" <boletin@example.org>'),
        ('"La \\"Voz\\"" <boletin@example.org>', '"La \\"Voz\\"" <boletin@example.org>'),
        ("قهوة 🌱 <boletin@example.org>", "قهوة 🌱 <boletin@example.org>"),
        ("CLAC <boletin@ÑANDÚ.example.>", "CLAC <boletin@xn--and-6ma2c.example>"),
        ("CLAC <boletin@localhost>", "CLAC <boletin@localhost>"),
        ("CLAC <o'brien+x=y@127.0.0.1>", "CLAC <o'brien+x=y@127.0.0.1>"),
    ],
)
def test_what_is_one(given, mailbox):
    assert str(parse(given)) == mailbox
    assert parse(given).addr_spec.isascii()
    assert parse(str(parse(given))) == parse(given)


@pytest.mark.parametrize(
    "given",
    [
        "", "CLAC", "CLAC <>", "CLAC <boletin>", "CLAC <boletin@>", "boletin@example.org>", "CLAC boletin@example.org",
        "CLAC <boletín@example.org>", "a <a@example.org> b", "a@b.example, c@d.example", "a <a@b.example>, b <c@d.example>",
        "CLAC\nBcc: eve@example.org <boletin@example.org>", "CLAC\x0b <boletin@example.org>", "CLAC\ud800 <boletin@example.org>",
        "=?utf-8?q?x?= <boletin@example.org>", "boletin@exa mple.org", "boletin@-.example", "boletin@a..example", ".a@example.org", "a..b@example.org",
        f"{'x' * 101} <boletin@example.org>", f"{'x' * 65}@example.org", f"a@{'x' * 64}.example",
    ],
)  # fmt: skip
def test_what_is_none(given):
    with pytest.raises(ValueError, match=r"\w"):
        parse(given)
