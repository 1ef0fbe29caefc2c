"""Normalises and validates e-mail addresses and names, and computes the keyed hash that outlives erasure."""

import difflib
import re
import unicodedata
from email.utils import parseaddr

from disposable_email_domains import blocklist
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _
from email_validator import EmailNotValidError, EmailSyntaxError, validate_email
from privacy import digests

MALFORMED = _(
    "This does not look like an e-mail address. Please check it: it has a name, an @ and a domain such as example.org."
)
NON_ASCII = _(
    "Most mail systems cannot deliver to an address with letters such as ñ or ã before the @. Please give another one."
)
DISPOSABLE = _("Addresses of services for short-lived mailboxes cannot join. Please give an address that you read.")
STRANGE_NAME = _(
    "A name cannot hold line breaks, invisible characters or web addresses. Please write it in plain letters."
)
NAME_TOO_LONG = _("This name is too long: 100 letters at most.")
NAME_LETTERS = 100

# The mailbox providers that most readers use; a domain that nearly equals one of these is probably a typo.
COMMON_DOMAINS = [
    "gmail.com",
    "hotmail.com",
    "hotmail.es",
    "outlook.com",
    "outlook.es",
    "yahoo.com",
    "yahoo.es",
    "yahoo.com.br",
    "yahoo.com.mx",
    "yahoo.com.ar",
    "live.com",
    "icloud.com",
    "uol.com.br",
    "bol.com.br",
    "terra.com.br",
    "protonmail.com",
]
# Real domains that look like typos.
LIKE_COMMON = {"mail.com", "email.com", "ymail.com", "gmx.com", "live.cl", "live.com.mx", "live.com.ar", "proton.me"}
NO_DOTS = {"gmail.com", "googlemail.com"}  # providers that ignore dots in the local part


BY_MODELS = EmailValidator(MALFORMED)
# Matches nearly every address; email-validator would return it in lower case, fifty times as slowly.
PLAIN = re.compile(
    r"(?=.{6,254}$)(?=[^@]{1,64}@)[a-z0-9_](?:[a-z0-9_+-]|\.(?=[a-z0-9_+-]))*"
    r"@(?:(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!(?:arpa|example|invalid|local|localhost|onion|test)$)[a-z]{2,18}",
    re.ASCII,
)


def normalise(address: str) -> str:
    """Return the stored form of an address: lower case, the domain in ASCII (IDNA), no trailing dot.

    Raises ValidationError with a message for the reader. Local parts outside ASCII are refused, because Django's SMTP
    back end and several providers do not support them (RFC 6531).
    """
    if address.isascii() and PLAIN.fullmatch(lower := address.strip().lower()):
        return lower
    return normalise_any(address)


def address_in(text: str) -> str:
    """The address in a text as mail programs write it: `Rosa <rosa@example.org>`, `mailto:rosa@example.org`; any other as it is."""
    text = text.strip()
    if text[:7].lower() == "mailto:":
        return text[7:].partition("?")[0]
    _name, address = parseaddr(text)
    return address if text.endswith(f"<{address}>") else text


def holds_address(text: str) -> bool:
    """Whether a text is an address as address_in() knows them."""
    try:
        return "@" in text and bool(normalise(address_in(text)))
    except ValidationError:
        return False


def normalise_any(address: str) -> str:
    """Normalise addresses of any form; what the models refuse is refused here, too."""
    try:
        found = validate_email(
            address.strip().rstrip("."), check_deliverability=False, allow_smtputf8=False, strict=True
        )
        address = (found.ascii_email or "").lower()
        BY_MODELS(address)
        return address
    except EmailSyntaxError:
        local = address.rpartition("@")[0]
        raise ValidationError(MALFORMED if local.isascii() else NON_ASCII, code="invalid") from None
    except (EmailNotValidError, ValueError):
        raise ValidationError(MALFORMED, code="invalid") from None


def check_welcome(address: str) -> None:
    """Refuse a normalised address of a disposable mailbox service if NEWSLETTER_REFUSE_DISPOSABLE is set. Raises
    ValidationError."""
    if settings.NEWSLETTER_REFUSE_DISPOSABLE and is_disposable(address):
        raise ValidationError(DISPOSABLE, code="disposable")


def is_disposable(address: str) -> bool:
    """Return whether a normalised address belongs to a disposable mailbox service or a subdomain of one."""
    labels = address.rpartition("@")[2].split(".")
    return any(".".join(labels[start:]) in blocklist for start in range(len(labels) - 1))


def suggestion(address: str) -> str | None:
    """Return the probably intended address if the domain looks like a typo, else None."""
    local, _at, domain = address.rpartition("@")
    if domain in COMMON_DOMAINS or domain in LIKE_COMMON or domain.startswith(("hotmail.", "outlook.", "yahoo.")):
        return None
    near = difflib.get_close_matches(domain, COMMON_DOMAINS, n=1, cutoff=0.85)
    return f"{local}@{near[0]}" if near else None


def mailbox(address: str) -> str:
    """Return the mailbox of a normalised address, for rate limits: without `+tag`, and for Google without dots."""
    local, _at, domain = address.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in NO_DOTS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def clean_name(name: str) -> str:
    """Return a name with single spaces, in NFC. Raises ValidationError with a message for the reader.

    Line breaks, control and formatting characters (bidirectional overrides among them) and web addresses are refused.
    """
    name = unicodedata.normalize("NFC", name).strip(" \u00a0")
    if any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for letter in name):
        raise ValidationError(STRANGE_NAME, code="strange")
    if "://" in name or "www." in name.lower():
        raise ValidationError(STRANGE_NAME, code="strange")
    name = " ".join(name.split())
    if len(name) > NAME_LETTERS:
        raise ValidationError(NAME_TOO_LONG, code="too_long")
    return name


def hashes(address: str) -> list[str]:
    """Return the keyed hashes of a normalised address: under the current key first, then under each older one."""
    return digests.hashes("suppression", address)
