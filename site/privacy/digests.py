"""Keyed hashes: what is to be recognised and not read."""

import hashlib
import hmac

from django.conf import settings


def hashes(purpose, text):
    """HMAC-SHA256 of a text for one purpose, as hexadecimal: under the current key first, then under each older one."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [hmac.new(f"{purpose}:{key}".encode(), text.encode(), hashlib.sha256).hexdigest() for key in keys]
