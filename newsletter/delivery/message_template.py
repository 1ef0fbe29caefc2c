"""Serialises a campaign's mail once per language and fills in each recipient's values as bytes.

Building a MIME message per recipient is the slowest part of sending. Here the message is serialised once, as a list
of constant pieces and gaps; a recipient's mail joins the pieces with the recipient's values. The result equals what
Python's email package would produce. Bodies are quoted-printable (RFC 2045): ASCII only, short lines, no line
starting with a dot, so any SMTP server accepts them unchanged.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from email import quoprimime
from email.utils import formatdate, make_msgid

from django.utils.html import escape

from newsletter.delivery import outgoing, personalisation

LINE = 74  # characters per line; two are reserved for a dot encoded as =2E
DOT = re.compile(r"(?m)^\.")
EMAIL, MESSAGE_ID = "@@email@@", "@@message_id@@"
HEADER_TOKENS = re.compile(f"{EMAIL}|{MESSAGE_ID}|{personalisation.LEAVE_URL}")
OWN_HEADERS = {"To", "Message-ID", "List-Unsubscribe"}  # headers that differ per recipient


def quoted_printable(text: str) -> bytes:
    """Encode text as quoted-printable bytes ending in a line break (a soft one if the text has none), ready for
    joining."""
    if not text:
        return b""
    # quoprimime expects one character per byte.
    raw = text.replace("\r\n", "\n").encode().decode("latin-1")
    encoded = quoprimime.body_encode(raw, maxlinelen=LINE, eol="\r\n")
    if not encoded.endswith("\n"):
        encoded += "=\r\n"
    return DOT.sub("=2E", encoded).encode("ascii")


class MessageTemplate:
    """The serialised mail of one language, with or without the recipient's name in the greeting."""

    def __init__(self, mail: personalisation.Mail, headers: Iterable[tuple[str, str]], with_name: bool) -> None:
        """`headers` are (name, value) pairs in ASCII.

        Values of OWN_HEADERS may contain the tokens of HEADER_TOKENS.
        """
        mail = mail.greeting(with_name)
        boundary = f"=_{make_msgid().strip('<>').partition('@')[0].replace('.', '')}"
        head = [
            ("Subject", outgoing.encoded(mail.subject, "Subject")),
            *headers,
            ("Date", formatdate()),
            ("MIME-Version", "1.0"),
            ("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
        ]
        self._pieces = [b""]  # constant ones at the even positions, an empty one for each gap at the odd ones
        self._gaps: list[tuple[str, str]] = []  # (place, token)
        for name, value in head:
            line = f"{name}: {value}\r\n"
            if name in OWN_HEADERS:
                self._add(line, HEADER_TOKENS, lambda constant: constant.encode("ascii"), "header")
            else:
                self._pieces[-1] += line.encode("ascii")
        self._pieces[-1] += b"\r\n"
        for kind, body in (("plain", mail.text), ("html", mail.html)):
            start = f'\r\n--{boundary}\r\nContent-Type: text/{kind}; charset="utf-8"\r\n'
            self._pieces[-1] += f"{start}Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
            self._add(body, personalisation.TOKENS, quoted_printable, kind)
        self._pieces[-1] += f"\r\n--{boundary}--\r\n".encode()
        self._needed = set(self._gaps)

    def _add(self, text: str, tokens: re.Pattern[str], encode: Callable[[str], bytes], place: str) -> None:
        """Split `text` at its tokens: encoded bytes for constant parts, (place, token) for the gaps."""
        at = 0
        for found in tokens.finditer(text):
            self._pieces[-1] += encode(text[at : found.start()])
            self._pieces += [b"", b""]
            self._gaps.append((place, found[0]))
            at = found.end()
        self._pieces[-1] += encode(text[at:])

    def fill(self, values: Mapping[str, str]) -> bytes:
        """Return the mail as bytes for SMTP's DATA; `values` is {token: text}."""
        filled = {
            (place, token): values[token].encode("ascii")
            if place == "header"
            else quoted_printable(escape(values[token]) if place == "html" else values[token])
            for place, token in self._needed
        }
        pieces = list(self._pieces)
        pieces[1::2] = [filled[gap] for gap in self._gaps]
        return b"".join(pieces)
