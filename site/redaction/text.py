"""Finds and redacts e-mail addresses and secrets in text such as errors, logs, provider messages and mails.

Addresses are recognised in any encoding: upper case, quoted-printable (RFC 2045), percent-encoding, HTML and JSON escapes, and
base64.
"""

import base64
import binascii
import email
import html
import re
import unicodedata
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any
from urllib.parse import unquote

import idna

BLANK = "…"
AT = r"(?:@|%(?:25)*40|=40|&(?:amp;)*(?:#0*64|#x0*40|commat);|\\+u0040|\\+x40)(?:\r?\n[ \t]*)?"
DOT = r"(?:\.|%(?:25)*2e|=2e|&(?:amp;)*(?:#0*46|#x0*2e|period);|\\+u002e)"
LOCAL = r"[^\s<>()\[\],;:\"@\\]"
ANY_ADDRESS = re.compile(
    rf"""(?:"[^"\n]{{1,64}}"|(?<!{LOCAL}){LOCAL}+){AT}(?:\[[\w.:-]+\]|[^\W_][\w-]*(?:{DOT}[\w-]+)*)""", re.IGNORECASE
)
# Base64, also across the lines of a mail.
BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{40,80}\r?\n[ \t]?)+[A-Za-z0-9+/]*={0,2}|[A-Za-z0-9+/_-]{12,}={0,2}")
SOFT_BREAK = re.compile(r"=\r?\n")  # quoted-printable soft line break
# Escaped characters that may precede an address without being part of it: “<”, quotes, spaces, line ends.
ESCAPED = r"(?:0[9ad]|2[026789c]|3[a-f]|5[bd]|7[bcd])"
BEFORE = rf"(?:(?<![\w.+-])|(?<=%{ESCAPED})|(?<=={ESCAPED})|(?<=\\u00{ESCAPED})|(?<=\\[nrt]))"
AFTER = r"(?![\w-]|\.\w)"
# Words are delimited by the specials of RFC 5322, except in quoted local parts and address literals.
WORD = re.compile(r'"(?:\\.|[^"\\\n]){1,64}"@\S+|(?:[^\s()<>\[\],;"]|(?<=@)\[[^\s\]]*\]|(?<=@)\r?\n[ \t]*(?=\S))+')
ADDRESS = re.compile(r"[^\s@]@")
RUN = re.compile(r"[A-Za-z0-9_-]+")
# Tokens mix letters and digits in runs of at least eight (unlike utf8, 12px, x86) or are long runs of letters in one case. The
# longest words of the site's languages have fewer than 20 letters, or mixed case (ClassNames).
MIXED = re.compile(r"(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{8,}")
LONG_RUN = re.compile(r"(?:[A-Z]{20,}|[A-Z]?[a-z]{20,})")
HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
HUMP_LENGTH = 4.5  # letters between two changes of case: ClassNames have more, a random token of letters has four
# The format of accounts.services.new_recovery_codes.
RECOVERY_CODE = re.compile(r"\b(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}\b", re.IGNORECASE)
MAX_ENCODING_DEPTH = 3  # such as an address in a link in a link


def redact(text: str) -> str:
    """Return `text` with all e-mail addresses replaced by BLANK."""
    text = ANY_ADDRESS.sub(BLANK, SOFT_BREAK.sub("", text))
    return BASE64.sub(lambda run: BLANK if any(map(_contains_address, _decoded(run[0]))) else run[0], text)


def storable(text: str) -> str:
    """Return `text` as every database takes it: without NUL, and with “?” for lone surrogates. JSON can hold both."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _contains_address(octets: bytes) -> bool:
    """Return whether decoded bytes are printable text with an address, and not a random match."""
    if not (octets.isascii() and octets.decode().replace("\n", " ").isprintable()):
        return False
    return bool(ANY_ADDRESS.search(octets.decode()))


def _decoded(run: str) -> Iterator[bytes]:
    """Yield the bytes that a base64 string may stand for, for each alignment."""
    letters = re.sub(r"\s|=", "", run).replace("-", "+").replace("_", "/")
    for start in range(4):
        part = letters[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        try:
            yield base64.b64decode(part + "=" * (-len(part) % 4))
        except binascii.Error:
            continue


def addresses_in(text: str) -> set[str]:
    """Return the set of normalised addresses that `text` may contain: all that an AddressPattern would find.

    Where characters before an address could be part of it, as in “'rosa@example.org'”, both variants are included.
    """
    text = unicodedata.normalize("NFKC", text).replace("。", ".")
    found = re.findall(r"([^\s<>()\[\],;:\"@\\]+)@([\w-]+(?:\.[\w-]+)+)", text)
    return {
        f"{local[start.end() :]}@{_to_ascii(domain)}".lower()
        for local, domain in found
        for start in re.finditer(r"^|[^\w.+-](?!$)", local)
    }


def _to_ascii(domain: str) -> str:
    """Return a domain in ASCII (IDNA), or unchanged if it cannot be encoded."""
    try:
        return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain


def _letter_pattern(letter: str) -> str:
    """Return a regular expression for one letter in all its encodings."""
    octets, code = letter.encode(), ord(letter)
    percent, quoted = ("".join(f"{mark}{octet:02x}" for octet in octets) for mark in ("%(?:25)*", "="))
    forms = [re.escape(letter), percent, quoted, f"&#0*{code};", f"&#x0*{code:x};", rf"\\+u{code:04x}"]
    if " " < letter <= "~":  # full-width forms, which IDNA treats as equivalent
        forms += [chr(code + 0xFEE0)] + (["。", "｡"] if letter == "." else [])
    if (decomposed := unicodedata.normalize("NFD", letter)) != letter:  # decomposed, as on macOS
        forms.append("".join(map(_letter_pattern, decomposed)))
    return f"(?:{'|'.join(forms)})"


class AddressPattern:
    """Matches a normalised address in text, in any encoding.

    `clue` is a part of it that most encodings leave unchanged, to preselect rows in the database.
    """

    def __init__(self, address: str) -> None:
        self.email = address
        local, _at, domain = address.rpartition("@")
        self.clue = max(re.findall(r"[a-z0-9]+", local) or re.findall(r"[a-z0-9]+", domain), key=len)
        spellings = {domain, _to_unicode(domain)}
        exact = "|".join("(?:=\r?\n)?".join(map(_letter_pattern, f"{local}@{name}")) for name in spellings)
        # VERP: bounces+rosa=example.org@provider.example
        verp = "|".join(rf"(?<![\w.]){re.escape(local)}={re.escape(name)}(?=@)" for name in spellings)
        self._pattern = re.compile(rf"{BEFORE}(?:{exact}){AFTER}|{verp}", re.IGNORECASE)
        self._anywhere = re.compile(exact, re.IGNORECASE)

    def mentioned_in(self, text: str) -> bool:
        """Return whether a text contains the address."""
        return bool(self._pattern.search(text)) or any(map(self._matches_base64, BASE64.finditer(text)))

    def _matches_base64(self, run: re.Match[str]) -> bool:
        return any(self._pattern.search(octets.decode("utf-8", "ignore")) for octets in _decoded(run[0]))

    def removed_from(self, value: Any) -> Any:
        """Return a string, or a structure of lists and dictionaries, with the address replaced by BLANK."""
        if isinstance(value, dict):
            return {self.removed_from(key): self.removed_from(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.removed_from(entry) for entry in value]
        if not isinstance(value, str):
            return value
        text = self._pattern.sub(BLANK, value)
        return BASE64.sub(lambda run: BLANK if self._matches_base64(run) else run[0], text)

    def removed_from_name(self, name: str) -> str:
        """Return a file name with the address removed, also if other characters follow directly: “rosa@example.org.csv”."""
        return self._anywhere.sub(BLANK, self.removed_from(name))

    def mentioned_in_mail(self, raw: bytes) -> bool:
        """Return whether a mail (bytes) contains the address in its decoded headers or parts."""
        return any(map(self.mentioned_in, _texts_of_mail(raw)))

    def excerpt(self, value: object, letters: int = 60) -> str:
        """Return the matches in `value`, each with `letters` characters of context in which other addresses are redacted."""
        text = value if isinstance(value, str) else str(value)
        found = [text[max(0, hit.start() - letters) : hit.end() + letters] for hit in self._pattern.finditer(text)]
        kept = [redact(self._pattern.sub("\0", part)).replace("\0", self.email) for part in found]
        return " … ".join(kept) or self.email


def _texts_of_mail(raw: bytes) -> Iterator[str]:
    """Yield the raw mail and its decoded headers and parts."""
    yield raw.decode("utf-8", "replace")
    for part in email.message_from_bytes(raw).walk():  # the compat32 policy tolerates malformed mails
        for value in part.values():
            try:
                yield str(make_header(decode_header(str(value))))
            except (HeaderParseError, LookupError, ValueError):
                continue  # included in the raw mail
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            try:
                yield payload.decode(part.get_content_charset("utf-8"), "replace")
            except LookupError:  # unknown character set
                yield payload.decode("utf-8", "replace")


def _to_unicode(domain: str) -> str:
    """Return an IDNA domain in Unicode, or unchanged if it cannot be decoded."""
    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain


# Logs and errors


def blank(text: str) -> str:
    """Return `text` with addresses, tokens and query strings of URLs replaced by BLANK."""
    for _time in range(MAX_ENCODING_DEPTH if "&" in text else 0):
        text = html.unescape(text)
    return redact(WORD.sub(_blank_word, RECOVERY_CODE.sub(BLANK, text)))


def _blank_word(match: re.Match[str]) -> str:
    word = match[0]
    plain = _decode(word)
    if ADDRESS.search(plain) or (plain != word and any(map(_is_secret, RUN.findall(plain)))):
        return BLANK
    path, mark, _query = word.partition("?")
    return RUN.sub(lambda run: BLANK if _is_secret(run[0]) else run[0], path) + (
        f"?{BLANK}" if mark and _query else mark
    )


def _decode(word: str) -> str:
    """Return a word without percent-encoding, HTML escapes and compatibility characters."""
    for _time in range(MAX_ENCODING_DEPTH):
        word = unicodedata.normalize("NFKC", html.unescape(unquote(word)))
    return word


def _is_secret(run: str) -> bool:
    return any(map(_is_secret_part, re.split("[_-]", run)))


def _is_secret_part(part: str) -> bool:
    if MIXED.fullmatch(part) or LONG_RUN.fullmatch(part):
        return True
    return len(part) >= 20 and part.isalpha() and len(HUMP.findall(part)) * HUMP_LENGTH >= len(part)


def blank_all(value: object) -> Any:
    """Apply `blank` to a value of a log event: strings, lists, dictionaries, and the string form of other objects."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {blank(str(key)): blank_all(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [blank_all(entry) for entry in value]
    return blank(str(value))
