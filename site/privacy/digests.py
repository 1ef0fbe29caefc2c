"""HMAC digests: match a value without storing it."""

import hashlib
import hmac

from django.conf import settings


def hashes(purpose: str, text: str) -> list[str]:
    """Return the HMAC-SHA256 digests of `text` for `purpose` in hexadecimal, one per SECRET_KEY, the current key first."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [hmac.new(f"{purpose}:{key}".encode(), text.encode(), hashlib.sha256).hexdigest() for key in keys]
