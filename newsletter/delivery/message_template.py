"""Mails serialised once: what Python's email package would make of each recipient's mail, with the tokens put in as bytes.

Building a MIME message for each recipient is what makes sending slow. Here the message of a language is written out once, in
pieces; a recipient's mail is those pieces joined with their values. Bodies are quoted-printable (RFC 2045): pure ASCII, short
lines, no line that begins with a dot, so they pass through any SMTP server as they are.
"""

import re
from email import quoprimime
from email.utils import formatdate, make_msgid

from django.utils.html import escape

from newsletter.delivery import outgoing, personalisation

LINE = 74  # letters; two more stay free for a dot that is written as =2E
DOT = re.compile(r"(?m)^\.")
EMAIL, MESSAGE_ID = "@@email@@", "@@message_id@@"
HEADER_TOKENS = re.compile(f"{EMAIL}|{MESSAGE_ID}|{personalisation.LEAVE_URL}")
OWN_HEADERS = {"To", "Message-ID", "List-Unsubscribe"}  # those that differ for each recipient


def quoted(text):
    """Text as quoted-printable bytes that end in a line break, a soft one where the text has none: ready to be joined."""
    if not text:
        return b""
    # As latin-1, letter for byte: what quoprimime expects.
    raw = text.replace("\r\n", "\n").encode().decode("latin-1")
    encoded = quoprimime.body_encode(raw, maxlinelen=LINE, eol="\r\n")
    if not encoded.endswith("\n"):
        encoded += "=\r\n"
    return DOT.sub("=2E", encoded).encode("ascii")


class MessageTemplate:
    """The mail of one language, for those whose name is known or for the others, ready for any number of recipients."""

    def __init__(self, mail, headers, with_name):
        """`mail` is a personal.Mail; `headers` are (name, value) pairs in ASCII; in OWN_HEADERS the tokens of HEADER_TOKENS may
        stand."""
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
            self._add(body, personalisation.TOKENS, quoted, kind)
        self._pieces.append(f"\r\n--{boundary}--\r\n".encode())
        self._join()

    def _add(self, text, tokens, encode, place):
        """Cut `text` at its tokens: bytes for what is constant, (place, token) for what is not."""
        at = 0
        for found in tokens.finditer(text):
            self._pieces += [encode(text[at : found.start()]), (place, found[0])]
            at = found.end()
        self._pieces.append(encode(text[at:]))

    def _join(self):
        """Join neighbouring constants, so that a mail is as few pieces as it can be."""
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
        """The mail as bytes, ready for SMTP's DATA; `values` is {token: text}."""
        filled = {
            (place, token): values[token].encode("ascii")
            if place == "header"
            else quoted(escape(values[token]) if place == "html" else values[token])
            for place, token in self._needed
        }
        pieces = list(self._pieces)
        for number in self._gaps:
            pieces[number] = filled[pieces[number]]
        return b"".join(pieces)
