"""Serialises a campaign's mail once per language and fills in each recipient's values as bytes.

Building a MIME message per recipient is the slowest part of sending. Here the message is serialised once, as a list
of constant pieces and gaps; a recipient's mail joins the pieces with the recipient's values. The result equals what
Python's email package would produce. Bodies are quoted-printable (RFC 2045): ASCII only, short lines, no line
starting with a dot, so any SMTP server accepts them unchanged.
"""

import re
from email import quoprimime
from email.utils import formatdate, make_msgid

from django.utils.html import escape

from newsletter.delivery import outgoing, personalisation

LINE = 74  # characters per line; two are reserved for a dot encoded as =2E
DOT = re.compile(r"(?m)^\.")
EMAIL, MESSAGE_ID = "@@email@@", "@@message_id@@"
HEADER_TOKENS = re.compile(f"{EMAIL}|{MESSAGE_ID}|{personalisation.LEAVE_URL}")
OWN_HEADERS = {"To", "Message-ID", "List-Unsubscribe"}  # headers that differ per recipient


def quoted_printable(text):
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

    def __init__(self, mail, headers, with_name):
        """`mail` is a personalisation.Mail; `headers` are (name, value) pairs in ASCII.

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
        self._pieces = []
        for name, value in head:
            line = f"{name}: {value}\r\n"
            if name in OWN_HEADERS:
                self._add(line, HEADER_TOKENS, lambda constant: constant.encode("ascii"), "header")
            else:
                self._pieces.append(line.encode("ascii"))
        self._pieces.append(b"\r\n")
        for kind, body in (("plain", mail.text), ("html", mail.html)):
            start = f'\r\n--{boundary}\r\nContent-Type: text/{kind}; charset="utf-8"\r\n'
            self._pieces.append(f"{start}Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode())
            self._add(body, personalisation.TOKENS, quoted_printable, kind)
        self._pieces.append(f"\r\n--{boundary}--\r\n".encode())
        self._join()

    def _add(self, text, tokens, encode, place):
        """Split `text` at its tokens: encoded bytes for constant parts, (place, token) for the gaps."""
        at = 0
        for found in tokens.finditer(text):
            self._pieces += [encode(text[at : found.start()]), (place, found[0])]
            at = found.end()
        self._pieces.append(encode(text[at:]))

    def _join(self):
        """Join adjacent constant pieces to keep their number small."""
        joined = [b""]
        for piece in self._pieces:
            if isinstance(piece, bytes) and isinstance(joined[-1], bytes):
                joined[-1] += piece
            else:
                joined.append(piece)
        self._pieces = joined
        self._gaps = [number for number, piece in enumerate(joined) if not isinstance(piece, bytes)]
        self._needed = {joined[number] for number in self._gaps}

    def fill(self, values):
        """Return the mail as bytes for SMTP's DATA; `values` is {token: text}."""
        filled = {
            (place, token): values[token].encode("ascii")
            if place == "header"
            else quoted_printable(escape(values[token]) if place == "html" else values[token])
            for place, token in self._needed
        }
        pieces = list(self._pieces)
        for number in self._gaps:
            pieces[number] = filled[pieces[number]]
        return b"".join(pieces)
