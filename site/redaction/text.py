"""E-mail addresses in text that nobody wrote for them: errors, logs, providers' words, mails. Found and taken out however they
are written: in capitals, quoted-printable (RFC 2045), percent-encoded, as HTML or JSON escapes, or in base64."""

import base64
import binascii
import email
import html
import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote

import idna

BLANK = "…"
AT = r"(?:@|%(?:25)*40|=40|&(?:amp;)*(?:#0*64|#x0*40|commat);|\\+u0040|\\+x40)(?:\r?\n[ \t]*)?"
DOT = r"(?:\.|%(?:25)*2e|=2e|&(?:amp;)*(?:#0*46|#x0*2e|period);|\\+u002e)"
LOCAL = r"[^\s<>()\[\],;:\"@\\]"
ANY_ADDRESS = re.compile(
    rf"""(?:"[^"\n]{{1,64}}"|(?<!{LOCAL}){LOCAL}+){AT}(?:\[[\w.:-]+\]|[^\W_][\w-]*(?:{DOT}[\w-]+)*)""", re.IGNORECASE
)
# Runs of base64, also in the lines of a mail.
BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{40,80}\r?\n[ \t]?)+[A-Za-z0-9+/]*={0,2}|[A-Za-z0-9+/_-]{12,}={0,2}")
SOFT_BREAK = re.compile(r"=\r?\n")  # quoted-printable: the line goes on
# What may stand before an address without being part of it, where it is escaped itself: “<”, quotes, spaces, line ends.
ESCAPED = r"(?:0[9ad]|2[026789c]|3[a-f]|5[bd]|7[bcd])"
BEFORE = rf"(?:(?<![\w.+-])|(?<=%{ESCAPED})|(?<=={ESCAPED})|(?<=\\u00{ESCAPED})|(?<=\\[nrt]))"
AFTER = r"(?![\w-]|\.\w)"
# Words end where no address goes on (the specials of RFC 5322), except that a local part may be quoted.
WORD = re.compile(r'"(?:\\.|[^"\\\n]){1,64}"@\S+|(?:[^\s()<>\[\],;"]|(?<=@)\[[^\s\]]*\]|(?<=@)\r?\n[ \t]*(?=\S))+')
ADDRESS = re.compile(r"[^\s@]@")
RUN = re.compile(r"[A-Za-z0-9_-]+")
# What people and programmers write: letters or digits, and where both are mixed, few (utf8, 12px, x86). Tokens and keys are
# longer. The longest words of our languages stay below 20 letters, or change between upper and lower case (ClassNames).
MIXED = re.compile(r"(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{8,}")
LONG = re.compile(r"(?:[A-Z]{20,}|[A-Z]?[a-z]{20,})")
# The format of accounts.services.new_recovery_codes.
RECOVERY_CODE = re.compile(r"\b(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}\b", re.IGNORECASE)
TIMES_ENCODED = 3  # an address in a link in a link


def redact(text):
    """`text` with every address in it blanked."""
    text = ANY_ADDRESS.sub(BLANK, SOFT_BREAK.sub("", text))
    return BASE64.sub(lambda run: BLANK if any(map(_is_address, _decoded(run[0]))) else run[0], text)


def _is_address(octets):
    """Whether what was decoded is text with an address, and no number that came out of base64 by chance."""
    return octets.isascii() and octets.decode().replace("\n", " ").isprintable() and ANY_ADDRESS.search(octets.decode())


def _decoded(run):
    """The bytes that a run of base64 may stand for, whichever of its letters is the first."""
    letters = re.sub(r"\s|=", "", run).replace("-", "+").replace("_", "/")
    for start in range(4):
        part = letters[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        try:
            yield base64.b64decode(part + "=" * (-len(part) % 4))
        except binascii.Error:
            continue


def addresses_in(text):
    """The addresses that a text may name, in the form in which they are kept, as a set: all that an AddressPattern would find.

    Where signs stand before an address that could be part of it, as in “'rosa@example.org'”, it is told with and without them.
    """
    text = unicodedata.normalize("NFKC", text).replace("。", ".")
    found = re.findall(r"([^\s<>()\[\],;:\"@\\]+)@([\w-]+(?:\.[\w-]+)+)", text)
    return {
        f"{local[start.end() :]}@{_ascii(domain)}".lower()
        for local, domain in found
        for start in re.finditer(r"^|[^\w.+-](?!$)", local)
    }


def _ascii(domain):
    """A domain in its normalised form (IDNA), as far as it has one."""
    try:
        return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain


def _spelled(letter):
    """A pattern of one letter, in all its spellings."""
    octets, code = letter.encode(), ord(letter)
    percent, quoted = ("".join(f"{mark}{octet:02x}" for octet in octets) for mark in ("%(?:25)*", "="))
    forms = [re.escape(letter), percent, quoted, f"&#0*{code};", f"&#x0*{code:x};", rf"\\+u{code:04x}"]
    if " " < letter <= "~":  # as an East Asian keyboard writes it, which IDNA takes for the same
        forms += [chr(code + 0xFEE0)] + (["。", "｡"] if letter == "." else [])
    if (
        taken_apart := unicodedata.normalize("NFD", letter)
    ) != letter:  # as macOS writes it: the letter, then its accent
        forms.append("".join(map(_spelled, taken_apart)))
    return f"(?:{'|'.join(forms)})"


class AddressPattern:
    """A normalised address, to be found in texts however it is written. `clue` is a part that most spellings leave as it is,
    for the database to look for."""

    def __init__(self, address):
        self.email = address
        local, _at, domain = address.rpartition("@")
        self.clue = max(re.findall(r"[a-z0-9]+", local) or re.findall(r"[a-z0-9]+", domain), key=len)
        spellings = {domain, _unicode(domain)}
        sure = "|".join("(?:=\r?\n)?".join(map(_spelled, f"{local}@{name}")) for name in spellings)
        # VERP: bounces+rosa=example.org@provider.example
        verp = "|".join(rf"(?<![\w.]){re.escape(local)}={re.escape(name)}(?=@)" for name in spellings)
        self._pattern = re.compile(rf"{BEFORE}(?:{sure}){AFTER}|{verp}", re.IGNORECASE)
        self._anywhere = re.compile(sure, re.IGNORECASE)

    def mentioned_in(self, text):
        """Whether a text holds the address."""
        return bool(self._pattern.search(text)) or any(map(self._said_by, BASE64.finditer(text)))

    def _said_by(self, run):
        return any(self._pattern.search(octets.decode("utf-8", "ignore")) for octets in _decoded(run[0]))

    def removed_from(self, value):
        """A text, or what JSON is made of, without the address."""
        if isinstance(value, dict):
            return {self.removed_from(key): self.removed_from(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.removed_from(entry) for entry in value]
        if not isinstance(value, str):
            return value
        text = self._pattern.sub(BLANK, value)
        return BASE64.sub(lambda run: BLANK if self._said_by(run) else run[0], text)

    def removed_from_name(self, name):
        """The name of a file without the address, also where it runs into other words: “rosa@example.org.csv”."""
        return self._anywhere.sub(BLANK, self.removed_from(name))

    def mentioned_in_mail(self, raw):
        """Whether a mail (bytes) holds the address in a header or in a part, once decoded."""
        return any(map(self.mentioned_in, _texts_of_mail(raw)))

    def excerpt(self, value, letters=60):
        """The places where a value names the address, with so many letters around it; other people's addresses are blanked."""
        text = value if isinstance(value, str) else str(value)
        found = [text[max(0, hit.start() - letters) : hit.end() + letters] for hit in self._pattern.finditer(text)]
        kept = [redact(self._pattern.sub("\0", part)).replace("\0", self.email) for part in found]
        return " … ".join(kept) or self.email


def _texts_of_mail(raw):
    """A mail as it came, and each of its headers and parts decoded as far as they can be."""
    yield raw.decode("utf-8", "replace")
    for part in email.message_from_bytes(raw).walk():  # the old policy, which takes whatever others send
        for value in part.values():
            try:
                yield str(make_header(decode_header(str(value))))
            except (HeaderParseError, LookupError, ValueError):
                continue  # it stands above, as it came
        payload = part.get_payload(decode=True)
        if payload:
            try:
                yield payload.decode(part.get_content_charset("utf-8"), "replace")
            except LookupError:  # a character set that nobody knows
                yield payload.decode("utf-8", "replace")


def _unicode(domain):
    """A domain as people write it, where its normalised form is IDNA."""
    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain


# Logs and errors


def blank(text: str) -> str:
    """`text` without addresses, tokens and the queries of links."""
    for _time in range(TIMES_ENCODED if "&" in text else 0):
        text = html.unescape(text)
    return redact(WORD.sub(_blank_word, RECOVERY_CODE.sub(BLANK, text)))


def _blank_word(match):
    word = match[0]
    plain = _decode(word)
    if ADDRESS.search(plain) or (plain != word and any(map(_is_secret, RUN.findall(plain)))):
        return BLANK
    path, mark, _query = word.partition("?")
    return RUN.sub(lambda run: BLANK if _is_secret(run[0]) else run[0], path) + (
        f"?{BLANK}" if mark and _query else mark
    )


def _decode(word):
    """A word without what links, pages and keyboards do to it."""
    for _time in range(TIMES_ENCODED):
        word = unicodedata.normalize("NFKC", html.unescape(unquote(word)))
    return word


def _is_secret(run):
    return any(MIXED.fullmatch(part) or LONG.fullmatch(part) for part in re.split("[_-]", run))


def blank_all(value):
    """The same for whatever a line of the log may hold: texts in lists and dictionaries too, and what else can be written down."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {blank(str(key)): blank_all(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [blank_all(entry) for entry in value]
    return blank(str(value))
