"""Mail addresses: one form for each mailbox, and the keyed hash that outlives erasure."""

import hashlib
import hmac
import ipaddress

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from email_validator import EmailNotValidError, EmailSyntaxError, validate_email

MALFORMED = _("This does not look like an e-mail address. Please check it: it should read like name@example.org.")
NON_ASCII = _(
    "Most mail systems cannot deliver to an address with letters such as ñ or ã before the @. Please give another one."
)


def normalise(address):
    """The form in which an address is kept: lower case, the domain in ASCII (IDNA), no trailing dot.

    Raises ValidationError with a message for the reader. Local parts outside ASCII are refused, because Django's SMTP
    back end and several providers cannot carry them (RFC 6531 is not everywhere).
    """
    try:
        return validate_email(
            address.strip().rstrip("."), check_deliverability=False, allow_smtputf8=False
        ).ascii_email.lower()
    except EmailSyntaxError:
        local = address.rpartition("@")[0]
        raise ValidationError(MALFORMED if local.isascii() else NON_ASCII, code="invalid") from None
    except (EmailNotValidError, ValueError):
        raise ValidationError(MALFORMED, code="invalid") from None


def hashes(address):
    """The keyed hashes of a normalised address: under the current key first, then under each older one."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [hmac.new(f"suppression:{key}".encode(), address.encode(), hashlib.sha256).hexdigest() for key in keys]


def truncated_origin(request):
    """The visitor's network: an IPv4 address without its last byte, an IPv6 address as its /48."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return ""
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))
